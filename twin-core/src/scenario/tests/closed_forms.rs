//! Every kind of edit, with the number it must lead to.

use super::super::edit::{
    Capacity, ClassBan, Flood, Incident, LaneCount, MovementBan, NewLink, PhaseTimes, Released,
    SignalTimes, SpeedLimit, Toll,
};
use super::*;
use crate::traffic::ltm::VehicleClass;

/// 0.6 pcu/s for 1000 s from a to c.
fn wave() -> Scenario {
    let scenario = trips(scenario(Model::Dynamic, 2_400.0), "A>C:0.6");
    during(&scenario, Some(1_000.0), None, times(0.0))
}

/// 150,000 vehicle seconds of delay before a service of 0.4 pcu/s, and all through by 2200 s.
fn is_the_bottleneck(scenario: &Scenario) {
    let network = network("ab:4000x2 bc:1000x2");
    let outcome = answer(&network, scenario);
    conserved(&outcome);
    close(outcome.totals.delay_veh_h, 150_000.0 / 3_600.0);
    close(outcome.totals.demanded_veh, 600.0);
    close(outcome.totals.left_veh, 600.0);
    let intervals = &outcome.intervals;
    let queue = |at: usize| intervals[at].links[slot(&outcome, "ab")].queue_veh;
    // 0.2 a second more come than go, from 200 s to 1200 s; then 0.4 a second go.
    close(queue(3), 200.0);
    close(queue(4), 200.0 - 0.4 * 300.0);
    close(queue(5), 0.0);
}

#[test]
fn half_the_capacity_is_the_bottleneck_of_the_textbook() {
    let factor = Capacity { on: on(&["bc"]), factor: Some(0.5), flow_pcu_h: None };
    is_the_bottleneck(&with(&wave(), factor));
    let flow = Capacity { on: on(&["bc"]), factor: None, flow_pcu_h: Some(1_440.0) };
    is_the_bottleneck(&with(&wave(), flow));
}

#[test]
fn one_of_two_lanes_lost_is_half_the_capacity() {
    let lost = Incident { on: on(&["bc"]), lanes_lost: 1.0, remaining: None };
    is_the_bottleneck(&with(&wave(), lost));
    let shy = Incident { on: on(&["bc"]), lanes_lost: 0.5, remaining: Some(2.0 / 3.0) };
    is_the_bottleneck(&with(&wave(), shy));
    let lanes = LaneCount { on: on(&["bc"]), set: Some(1), add: None };
    is_the_bottleneck(&with(&wave(), lanes));
    let fewer = LaneCount { on: on(&["bc"]), set: None, add: Some(-1) };
    is_the_bottleneck(&with(&wave(), fewer));
}

#[test]
fn an_incident_lasts_as_long_as_it_lasts() {
    let network = network("ab:4000x2 bc:1000x2");
    // All lanes lost from 500 s for 100 s: 60 vehicles wait; 0.2 a second more go than come, so
    // the queue is gone after 300 s. Delay: two triangles on 60.
    let lost = Incident { on: on(&["bc"]), lanes_lost: 2.0, remaining: None };
    let base = trips(scenario(Model::Dynamic, 2_400.0), "A>C:0.6");
    let outcome = answer(&network, &during(&base, Some(500.0), Some(600.0), lost));
    conserved(&outcome);
    let delay = |key: &str| {
        let slot = slot(&outcome, key);
        outcome.intervals.iter().map(|one| one.links[slot].delay_veh_h).sum::<f64>() * 3_600.0
    };
    close(delay("ab"), 60.0 * (100.0 + 300.0) / 2.0);
}

#[test]
fn limits_and_water_slow_an_empty_road_to_the_second() {
    let network = network("ab:4000 bc:1000");
    let base = journey(scenario(Model::Dynamic, 600.0), "a", "c");
    let base = Scenario { demand: trips(base.clone(), "A>C:0").demand, ..base };
    let takes = |scenario: &Scenario, expected: f64| {
        for model in [Model::Dynamic, Model::Static] {
            let outcome = answer(&network, &Scenario { model, ..scenario.clone() });
            let seconds = outcome.journeys[0].seconds[0].unwrap();
            assert!((seconds - expected).abs() < 1e-3 * expected, "{model:?} {seconds} {expected}");
        }
    };
    takes(&base, 250.0);
    let limit = |limit_kmh, raises| SpeedLimit { on: on(&["ab"]), limit_kmh, raises };
    takes(&with(&base, limit(36.0, false)), 450.0);
    takes(&with(&base, limit(100.0, false)), 250.0);
    takes(&with(&base, limit(100.0, true)), 4_000.0 / (100.0 / 3.6) + 50.0);
    let flood = |depth_m| Flood { on: on(&["ab"]), depth_m, cut_depth_m: None };
    takes(&with(&base, flood(0.15)), 4_000.0 / (24.2598 / 3.6) + 50.0);
    takes(&with(&base, flood(0.01)), 250.0);
    for model in [Model::Dynamic, Model::Static] {
        let cut = with(&Scenario { model, ..base.clone() }, flood(0.4));
        assert_eq!(answer(&network, &cut).journeys[0].seconds[0], None);
    }
}

#[test]
fn a_red_light_costs_the_uniform_delay() {
    let mut roads = draft("ab:1000 bc:1000");
    for link in &mut roads.links {
        link.capacity_veh_h_lane = Some(1_800.0);
    }
    let network = sound(roads);
    // Steps of 3.75 s, of which 12 are the green.
    let base = Scenario { interval_s: 45.0, ..scenario(Model::Dynamic, 9_000.0) };
    let phase = PhaseTimes {
        ring: 1,
        green_s: 45.0,
        clearance_s: 0.0,
        releases: vec![Released { from: "ab".to_owned(), to: None }],
    };
    let signal = SignalTimes {
        junction: "b".to_owned(),
        cycle_s: Some(90.0),
        phases: vec![phase],
        ..SignalTimes::default()
    };
    let lit = with(&trips(base.clone(), "A>C:0.2"), signal.clone());
    let outcome = answer(&network, &lit);
    conserved(&outcome);
    let mean_s = outcome.totals.delay_veh_h * 3_600.0 / outcome.totals.left_veh;
    // C(1−g/C)²/(2(1−q/s)) = 18.75 s; those on the road at the end have not waited yet.
    assert!((mean_s - 18.75).abs() < 0.25, "{mean_s}");
    // Only for a while: half of it is half the delay.
    let half = during(&trips(base, "A>C:0.2"), None, Some(4_500.0), signal.clone());
    let half = answer(&network, &half);
    conserved(&half);
    let part = half.totals.delay_veh_h / outcome.totals.delay_veh_h;
    assert!((part - 0.5).abs() < 0.01, "{part}");
    // In balance: an empty road waits C(1−g/C)²/2 = 11.25 s more.
    let still = trips(journey(scenario(Model::Static, 600.0), "a", "c"), "A>C:0.000001");
    let seconds = answer(&network, &with(&still, signal)).journeys[0].seconds[0].unwrap();
    assert!((seconds - 111.25).abs() < 0.01, "{seconds}");
}

#[test]
fn a_new_split_of_green_moves_the_capacity() {
    // Two roads cross at b; each has half of a cycle of 60 s, then three quarters.
    let mut roads = draft("ab:1000 bc:1000 eb:1000 bf:1000");
    roads.junctions.iter_mut().find(|one| one.key == "b").unwrap().control = Control::Signal;
    let phase = |from: &str| crate::road::DraftPhase {
        ring: 1,
        green_s: 30.0,
        clearance_s: 0.0,
        releases: vec![(from.to_owned(), None)],
    };
    roads.signals.push(crate::road::DraftSignal {
        junction: "b".to_owned(),
        cycle_s: 60.0,
        offset_s: 0.0,
        phases: vec![phase("ab"), phase("eb")],
    });
    let network = sound(roads);
    let base = trips(Scenario { interval_s: 60.0, ..scenario(Model::Dynamic, 3_600.0) }, "A>C:0.8");
    let served = |scenario: &Scenario| {
        let outcome = answer(&network, scenario);
        conserved(&outcome);
        outcome.intervals[50].links[slot(&outcome, "ab")].flow_veh_h
    };
    close(served(&base), 1_440.0);
    let split = |greens_s: Vec<f64>| SignalTimes {
        junction: "b".to_owned(),
        greens_s,
        ..SignalTimes::default()
    };
    close(served(&with(&base, split(vec![45.0, 15.0]))), 2_160.0);
    // A longer cycle shares itself as the old one did.
    let long = SignalTimes { cycle_s: Some(120.0), ..split(Vec::new()) };
    let outcome = answer(&network, &with(&base, long));
    let slot = slot(&outcome, "ab");
    let flows = outcome.intervals[40..50].iter().map(|one| one.links[slot].flow_veh_h);
    close(flows.sum::<f64>() / 10.0, 1_440.0);
}

#[test]
fn a_closed_road_is_entered_by_nobody_and_left_by_all() {
    let network = network("ab:1000 bc:2000 bd:1000 dc:1500");
    let base = trips(scenario(Model::Dynamic, 1_800.0), "A>C:0.3");
    let before = answer(&network, &base);
    // 25 s shorter with e for half a minute: 0.697 of 0.3 a second.
    let share = 1.0 / (1.0 + (-25.0_f64 / 30.0).exp());
    let steady = before.intervals[5].links[slot(&before, "bc")].entered_veh_h;
    assert!((steady - 1_080.0 * share).abs() < 1.0, "{steady}");
    let outcome = answer(&network, &during(&base, Some(600.0), Some(1_200.0), closed(&["bc"])));
    conserved(&outcome);
    let figures = |at: usize, key: &str| outcome.intervals[at].links[slot(&outcome, key)];
    for at in [2, 3] {
        close(figures(at, "bc").entered_veh_h, 0.0);
        close(figures(at, "bd").entered_veh_h, 1_080.0);
    }
    close(figures(3, "bc").density_veh_km, 0.0);
    close(figures(5, "bc").entered_veh_h, figures(1, "bc").entered_veh_h);
    // In balance all of it goes the other way.
    let still = trips(scenario(Model::Static, 1_800.0), "A>C:0.3");
    let outcome = answer(&network, &with(&still, closed(&["bc"])));
    conserved(&outcome);
    close(entered(&outcome, "bc"), 0.0);
    close(entered(&outcome, "dc"), 540.0);
}

#[test]
fn a_forbidden_turn_is_driven_by_nobody() {
    // From a to c by b, or round by d; x to c only by b.
    let network = network("ab:1000 bc:1000 bd:1000 dc:1500 xb:1000");
    let ban = MovementBan { from: "ab".to_owned(), to: "bc".to_owned() };
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 1_800.0), "A>C:0.1 X>C:0.1");
        let outcome = answer(&network, &with(&base, ban.clone()));
        conserved(&outcome);
        close(outcome.totals.unserved_veh, 0.0);
        let (straight, round) = (entered(&outcome, "bc"), entered(&outcome, "dc"));
        assert!(straight > 0.0 && round > 0.0, "{model:?} {straight} {round}");
        let free = answer(&network, &base);
        assert!(entered(&free, "dc") < round, "{model:?}");
        if model == Model::Static {
            close(straight, 180.0);
            close(round, 180.0);
            close(entered(&free, "dc"), 0.0);
        }
    }
}

#[test]
fn demand_grows_by_zone_class_and_vehicle() {
    let network = network("ab:1000 bc:1000 xb:1000");
    let base = trips(scenario(Model::Dynamic, 600.0), "A>C:0.1 X>C:0.2");
    let wanted = |change: DemandChange| {
        let outcome = answer(&network, &with(&base, change));
        conserved(&outcome);
        outcome.totals.demanded_veh
    };
    close(wanted(times(1.0)), 180.0);
    close(wanted(times(2.0)), 360.0);
    let from = DemandChange { origin: Some("A".to_owned()), ..times(2.0) };
    close(wanted(from.clone()), 240.0);
    close(wanted(DemandChange { destination: Some("A".to_owned()), ..times(2.0) }), 180.0);
    // Half the motorcycles: their part in equivalents is 0.234 of 0.514.
    let fewer = DemandChange { class: Some(VehicleClass::Motorcycle), ..times(0.5) };
    close(wanted(fewer), 180.0 * (1.0 - 0.5 * 0.234 / 0.514));
    let more = DemandChange {
        destination: Some("C".to_owned()),
        class: Some(VehicleClass::Bus),
        factor: None,
        add_veh_h: Some(72.0),
        ..from
    };
    // 12 buses in ten minutes count for 30 cars.
    close(wanted(more), 210.0);
    let twice = Scenario { demand: Demand { factor: 2.0, ..base.demand.clone() }, ..base };
    close(answer(&network, &twice).totals.demanded_veh, 360.0);
}

#[test]
fn a_new_link_carries_traffic_from_the_day_it_opens() {
    let network = network("ab:1000 bc:4000 cd:1000");
    let new = NewLink {
        key: "new".to_owned(),
        from: "b".to_owned(),
        to: "c".to_owned(),
        class: "primary".to_owned(),
        length_m: Some(1_000.0),
        free_speed_kmh: Some(72.0),
        ..NewLink::default()
    };
    let base = journey(trips(scenario(Model::Dynamic, 1_800.0), "A>D:0.2"), "a", "d");
    let outcome = answer(&network, &during(&base, Some(600.0), None, new.clone()));
    conserved(&outcome);
    let figures = |at: usize, key: &str| outcome.intervals[at].links[slot(&outcome, key)];
    close(figures(1, "new").entered_veh_h, 0.0);
    assert!(figures(4, "new").entered_veh_h > 600.0, "{:?}", figures(4, "new"));
    let seconds = &outcome.journeys[0].seconds;
    assert!((seconds[0].unwrap() - 300.0).abs() < 1.0, "{seconds:?}");
    assert!((seconds[4].unwrap() - 150.0).abs() < 1.0, "{seconds:?}");
    // Later edits may name it; in balance it takes all.
    let still = trips(scenario(Model::Static, 3_600.0), "A>D:0.05");
    let outcome = answer(&network, &with(&still, new.clone()));
    close(entered(&outcome, "new"), 180.0);
    let shut = with(&with(&still, new), closed(&["new"]));
    close(entered(&answer(&network, &shut), "bc"), 180.0);
}

#[test]
fn a_toll_is_worth_what_the_other_way_takes_longer() {
    let network = network("ab:1000 bc:2000 bd:1000 dc:1000");
    let base = trips(scenario(Model::Static, 3_600.0), "A>C:1.0");
    let toll = Toll { on: on(&["bc"]), worth_s: 20.0 };
    let outcome = answer(&network, &with(&base, toll));
    conserved(&outcome);
    let time = |key: &str| {
        let slot = slot(&outcome, key);
        outcome.links[slot].length_km / outcome.intervals[0].links[slot].speed_kmh * 3_600.0
    };
    assert!((time("bd") + time("dc") - time("bc") - 20.0).abs() < 0.02);
    assert!(entered(&outcome, "bc") > 0.0);
    assert!(entered(&outcome, "bc") < entered(&answer(&network, &base), "bc"));
}

#[test]
fn in_time_a_toll_shifts_who_drives_while_it_is_charged() {
    // By d it takes 25 s longer; a way is taken by e times fewer for each half minute.
    let network = network("ab:1000 bc:2000 bd:1000 dc:1500");
    let base = trips(scenario(Model::Dynamic, 1_800.0), "A>C:0.3");
    let charged = |worth_s: f64, until_s: Option<f64>| {
        let toll = Toll { on: on(&["bc"]), worth_s };
        let outcome = answer(&network, &during(&base, Some(600.0), until_s, toll));
        conserved(&outcome);
        close(outcome.totals.delay_veh_h, 0.0);
        outcome
    };
    let flow = |outcome: &Outcome, at: usize| {
        outcome.intervals[at].links[slot(outcome, "bc")].entered_veh_h
    };
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 0.05, "{found}");
    let half = charged(25.0, Some(1_200.0));
    near(flow(&half, 3), 540.0);
    let none = charged(10_000.0, Some(1_200.0));
    close(flow(&none, 3), 0.0);
    let free = answer(&network, &base);
    for outcome in [half, none] {
        for at in [0, 1, 5] {
            close(flow(&outcome, at), flow(&free, at));
        }
    }
    close(flow(&charged(10_000.0, None), 5), 0.0);
}

#[test]
fn a_city_cut_in_two_says_who_is_not_served() {
    let network = network("ab:1000 bc:1000 cd:1000 bx:1000");
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 1_800.0), "A>D:0.1 A>X:0.2");
        let outcome = answer(&network, &with(&base, closed(&["bc"])));
        conserved(&outcome);
        close(outcome.totals.unserved_veh, 180.0);
        close(entered(&outcome, "cd"), 0.0);
        close(entered(&outcome, "ab"), 360.0);
        let notes = &outcome.notes[..];
        assert!(matches!(notes, [Note::ClassesShareSpeed, Note::Unserved { .. }]), "{notes:?}");
        let all = answer(&network, &base).totals.unserved_veh;
        close(all, 0.0);
    }
}

#[test]
fn no_capacity_lets_nobody_through() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let none = Capacity { on: on(&["bc"]), factor: Some(0.0), flow_pcu_h: None };
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 1_800.0), "A>C:0.1 A>D:0.1");
        let outcome = answer(&network, &with(&base, none.clone()));
        conserved(&outcome);
        close(entered(&outcome, "bc"), 0.0);
        // In the dynamic model those for c look for another way, and find none.
        assert!(outcome.totals.unserved_veh + outcome.totals.present_veh >= 180.0 - 1e-6);
        assert!(model == Model::Dynamic || (outcome.totals.left_veh - 180.0).abs() < 1e-6);
    }
}

#[test]
fn trips_without_a_way_are_not_served_and_the_others_are() {
    // d is an island; nobody leaves c.
    let network = network("ab:1000 bc:1000 de:1000");
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 1_800.0), "A>C:0.1 A>E:0.2 C>B:0.05 D>E:0.01");
        let outcome = answer(&network, &base);
        conserved(&outcome);
        close(outcome.totals.demanded_veh, 1_800.0 * 0.36);
        close(outcome.totals.unserved_veh, 1_800.0 * 0.25);
        close(entered(&outcome, "ab"), 180.0);
        close(entered(&outcome, "de"), 18.0);
        let unserved = |note: &Note| matches!(note, Note::Unserved { .. });
        assert!(outcome.notes.iter().any(unserved), "{:?}", outcome.notes);
    }
}

#[test]
fn raised_capacity_lets_more_through_while_it_is_raised() {
    // 0.8 pcu/s without the edit; 1.2 with it, for the middle third. Nothing else holds them back.
    let network = network("ab:1000x2 bc:1000");
    let base = trips(scenario(Model::Dynamic, 3_600.0), "A>C:1.1");
    let wide = Capacity { on: on(&["ab"]), factor: Some(1.5), flow_pcu_h: None };
    let more = Capacity { on: on(&["bc"]), factor: Some(1.5), flow_pcu_h: None };
    let raised = during(&with(&base, wide), Some(1_200.0), Some(2_400.0), more);
    let outcome = answer(&network, &raised);
    conserved(&outcome);
    let slot = slot(&outcome, "bc");
    let entered = |at: usize| outcome.intervals[at].links[slot].entered_veh_h;
    close(entered(3), 2_880.0);
    close(entered(7), 4_320.0);
    close(entered(11), 2_880.0);
    // So do more lanes, from the first road on.
    let wide = LaneCount { on: on(&["ab"]), set: Some(4), add: None };
    let more = LaneCount { on: on(&["bc"]), set: Some(2), add: None };
    let outcome = answer(&network, &with(&with(&base, wide), more));
    conserved(&outcome);
    close(outcome.intervals[5].links[slot].entered_veh_h, 3_960.0);
}

#[test]
fn classes_are_told_in_vehicles_of_their_own() {
    let network = network("ab:1000 bc:1000");
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 3_600.0), "A>C:0.2");
        let outcome = answer(&network, &base);
        let (totals, classes) = (&outcome.totals, &outcome.totals.by_class);
        let vehicles = &base.vehicles;
        let rows = [
            (classes.motorcycle, 0.78, vehicles.equivalents.motorcycle),
            (classes.car, 0.17, vehicles.equivalents.car),
            (classes.bus, 0.02, vehicles.equivalents.bus),
            (classes.truck, 0.03, vehicles.equivalents.truck),
        ];
        // One vehicle of the mix counts for 0.514; so many vehicles drove as far as one did.
        for (found, share, _) in rows {
            close(found.vehicle_km, totals.vehicle_km / 0.514 * share);
            close(found.vehicle_h, totals.vehicle_h / 0.514 * share);
        }
        close(rows.iter().map(|(one, _, pcu)| one.vehicle_km * pcu).sum(), totals.vehicle_km);
        assert!(outcome.notes.contains(&Note::ClassesShareSpeed));
        let cars = Vehicles { motorcycle: 0.0, bus: 0.0, truck: 0.0, ..base.vehicles };
        let outcome = answer(&network, &Scenario { vehicles: cars, ..base });
        assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
        close(outcome.totals.by_class.car.vehicle_km, outcome.totals.vehicle_km);
    }
}

/// A ban of trucks where there are none.
fn of_nobody() -> ClassBan {
    ClassBan { on: on(&["bc"]), classes: vec![VehicleClass::Truck] }
}

#[test]
fn edits_that_change_nothing_give_the_figures_of_the_base() {
    let network = network("ab:1000x2 bc:2000 bd:1000 dc:1500");
    let lists: [(Model, Vec<Change>); 2] = [
        (Model::Dynamic, vec![times(1.0).into(), of_nobody().into()]),
        (Model::Static, Vec::new()),
    ];
    for (model, own) in lists {
        let base = journey(trips(scenario(model, 1_800.0), "A>C:0.7 A>D:0.3"), "a", "c");
        let vehicles = Vehicles { truck: 0.0, ..base.vehicles };
        let base = Scenario { vehicles, ..base };
        let figures = |scenario: &Scenario| {
            let outcome = answer(&network, scenario);
            postcard::to_stdvec(&Outcome { id: answer(&network, &base).id, ..outcome }).unwrap()
        };
        let expected = figures(&base);
        let mut changes: Vec<Change> = vec![
            Capacity { on: on(&["ab"]), factor: Some(1.0), flow_pcu_h: None }.into(),
            Capacity { on: on(&["bc"]), factor: None, flow_pcu_h: Some(2_880.0) }.into(),
            LaneCount { on: on(&["ab"]), set: Some(2), add: None }.into(),
            LaneCount { on: on(&["ab"]), set: None, add: Some(0) }.into(),
            SpeedLimit { on: on(&["ab"]), limit_kmh: 90.0, raises: false }.into(),
            Flood { on: on(&["ab"]), depth_m: 0.01, cut_depth_m: None }.into(),
            Toll { on: on(&["bc"]), worth_s: 0.0 }.into(),
        ];
        changes.extend(own);
        let mut all = base.clone();
        for change in changes {
            assert!(figures(&with(&base, change.clone())) == expected, "{model:?} {change:?}");
            all = with(&all, change);
        }
        assert!(figures(&all) == expected, "all of them");
        if model == Model::Dynamic {
            let all = ClassBan { classes: Vehicles::CLASSES.to_vec(), ..of_nobody() };
            for late in [Change::from(closed(&["ab"])), all.into()] {
                let later = during(&base, Some(1_800.0), Some(9_000.0), late);
                assert!(figures(&later) == expected, "after the horizon");
            }
        }
    }
}
