//! What does not fit is told by field, with what is allowed.

use super::super::edit::{
    Capacity, ClassBan, Flood, Incident, LaneCount, MovementBan, NewLink, SignalTimes, SpeedLimit,
    Toll,
};
use super::*;
use crate::traffic::ltm::VehicleClass;

fn told(scenario: &Scenario) -> Vec<String> {
    let network = network("ab:1000x2 bc:1000");
    scenario.check(&network).iter().map(ToString::to_string).collect()
}

fn check(change: impl Into<Change>, expected: &str) {
    let scenario = with(&scenario(Model::Dynamic, 600.0), change);
    let faults = told(&scenario);
    assert!(faults.len() == 1 && faults[0].contains(expected), "{faults:?}, expected {expected}");
}

#[test]
fn a_scenario_that_fits_has_none() {
    assert_eq!(told(&trips(scenario(Model::Dynamic, 600.0), "A>C:1")), [""; 0]);
    assert_eq!(told(&scenario(Model::Static, 600.0)), [""; 0]);
}

#[test]
fn each_edit_names_its_field() {
    check(closed(&["ab", "zz"]), r#"edits[0].close.on.links[1]: the network has no link "zz""#);
    check(closed(&[]), "edits[0].close.on: it names nothing");
    let center = LatLon { latitude_deg: 1.0, longitude_deg: 1.0 };
    let circle = |radius_m| Close { on: Place::area(AreaShape::Circle { center, radius_m }) };
    check(circle(5.0), "edits[0].close.on.area: no link lies in it");
    check(circle(-5.0), "edits[0].close.on.area.circle.radius_m: -5 m is not above 0");
    let zones = |key: &str| Close { on: Place { zones: vec![key.to_owned()], ..Place::default() } };
    check(zones("Q"), r#"edits[0].close.on.zones[0]: the network has no zone "Q""#);
    check(zones("A"), r#"edits[0].close.on.zones[0]: zone "A" has no outline"#);
    let ring = Ring { points: vec![center; 4] };
    let parts = vec![PolygonPart { rings: vec![ring] }];
    let polygon = Close { on: Place::area(AreaShape::Polygon { parts }) };
    check(polygon, "edits[0].close.on.area.polygon.parts[0].rings[0]: ");
    let lanes = |set, add| LaneCount { on: on(&["ab"]), set, add };
    check(lanes(None, None), "edits[0].lanes: exactly one of set and add must be given");
    check(lanes(Some(0), None), "edits[0].lanes.set: 0 is not allowed; allowed: 1 to 50");
    check(lanes(Some(21), None), "edits[0].lanes.set: 21 is not allowed; allowed: at most ten");
    let capacity = Capacity { on: on(&["ab"]), factor: Some(f64::NAN), flow_pcu_h: None };
    check(capacity, "edits[0].capacity.factor: NaN is not allowed; allowed: 0 to 10");
    let speed = SpeedLimit { on: on(&["ab"]), limit_kmh: 1.0, raises: false };
    check(speed, "edits[0].speed.limit_kmh: 1 is not allowed; allowed: 5 to 130");
    let flood = Flood { on: on(&["ab"]), depth_m: -0.1, cut_depth_m: None };
    check(flood, "edits[0].flood.depth_m: -0.1 is not allowed");
    let ban = MovementBan { from: "bc".to_owned(), to: "ab".to_owned() };
    check(ban, "edits[0].ban_movement: one cannot turn");
    let classes = ClassBan { on: on(&["ab"]), classes: Vec::new() };
    check(classes, "edits[0].ban_classes.classes: needs at least one class");
    let signal = SignalTimes { junction: "b".to_owned(), ..SignalTimes::default() };
    check(signal, "edits[0].signal: there is no signal; give cycle_s and phases");
    let zone = DemandChange { origin: Some("Q".to_owned()), ..times(1.0) };
    check(zone, r#"edits[0].demand.origin: the network has no zone "Q""#);
    let more = DemandChange { factor: None, add_veh_h: Some(1.0), ..times(1.0) };
    check(more, "edits[0].demand.add_veh_h: needs an origin and a destination");
    let new = |key: &str, from: &str, class: &str| NewLink {
        key: key.to_owned(),
        from: from.to_owned(),
        to: "c".to_owned(),
        class: class.to_owned(),
        ..NewLink::default()
    };
    check(new("n", "a", "alley"), r#"edits[0].new_link.class: "alley" is no class of roads"#);
    check(new("n", "q", "primary"), "edits[0].new_link: link n: from: there is no junction");
    check(new("ab", "a", "primary"), "edits[0].new_link: link ab: key: there is another one");
    check(Toll { on: on(&["ab"]), worth_s: -5.0 }, "edits[0].toll.worth_s: -5 is not allowed");
}

#[test]
fn times_are_told_too() {
    let base = scenario(Model::Dynamic, 600.0);
    let span = |from_s, until_s, clock: Option<&str>| {
        let mut scenario = during(&base, from_s, until_s, closed(&["ab"]));
        scenario.edits[0].span.from_clock = clock.map(str::to_owned);
        told(&scenario).join("; ")
    };
    assert_eq!(span(Some(5.0), Some(9.0), None), "");
    assert!(span(Some(-5.0), None, None).starts_with("edits[0].from_s: -5 is not allowed"));
    assert!(span(Some(9.0), Some(9.0), None).starts_with("edits[0].until_s: 9 is not allowed"));
    assert!(span(None, None, Some("25:00")).starts_with("edits[0].from_clock: \"25:00\" is no"));
    assert!(span(Some(1.0), None, Some("07:00")).contains("exactly one of seconds and a clock"));
    let still = during(&scenario(Model::Static, 600.0), None, Some(60.0), closed(&["ab"]));
    assert!(told(&still)[0].starts_with("edits[0]: needs the dynamic model"));
}

#[test]
fn a_clock_time_is_its_next_occurrence() {
    // The base is at 07:30:00.
    let base = scenario(Model::Dynamic, 7_200.0);
    assert!((base.base.day_s() - 27_000.0).abs() < 1e-9);
    let network = network("ab:1000x2 bc:1000");
    let mut scenario = during(&trips(base, "A>C:0.1"), None, None, closed(&["ab"]));
    scenario.edits[0].span = Span {
        from_clock: Some("08:00".into()),
        until_clock: Some("08:30:00".into()),
        ..Span::default()
    };
    let outcome = answer(&network, &scenario);
    let slot = slot(&outcome, "ab");
    for interval in &outcome.intervals {
        let shut = interval.from_s >= 1_800.0 && interval.from_s < 3_600.0;
        let entered = interval.links[slot].entered_veh_h;
        assert_eq!(entered <= 0.0, shut, "{} {entered}", interval.from_s);
    }
}

#[test]
fn a_year_is_too_far_and_says_how_far_is_not() {
    let year = Scenario { interval_s: 3_600.0, ..scenario(Model::Dynamic, 31_536_000.0) };
    let expected = "horizon_s: 31536000 is not allowed; allowed: above 0, at most 86400 (a day)";
    assert_eq!(told(&year), [expected]);
    let network = network("ab:1000 bc:1000");
    assert_eq!(refused(&network, &Start::empty(&network), &year), expected);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(!told(&scenario(Model::Static, bad)).is_empty(), "{bad}");
    }
    let odd = Scenario { interval_s: 250.0, ..scenario(Model::Dynamic, 600.0) };
    assert_eq!(
        told(&odd),
        ["interval_s: 250 is not allowed; allowed: 1 or more, and a whole part of the horizon"]
    );
}

#[test]
fn what_fits_can_be_run_without_what_does_not() {
    let network = network("ab:1000 bc:1000");
    let base = trips(scenario(Model::Dynamic, 600.0), "A>C:0.1");
    let mixed = with(&with(&with(&base, closed(&["zz"])), times(2.0)), closed(&["yy"]));
    let faults = mixed.check(&network);
    assert_eq!(faults.iter().map(|fault| fault.edit).collect::<Vec<_>>(), [Some(0), Some(2)]);
    let message = refused(&network, &Start::empty(&network), &mixed);
    assert!(message.ends_with("(and 1 more)"), "{message}");
    let rest = mixed.without(&faults);
    assert_eq!(rest, with(&base, times(2.0)));
    close(answer(&network, &rest).totals.demanded_veh, 120.0);
}

#[test]
fn what_only_the_start_shows_is_told_by_the_run() {
    let network = network("ab:1000 bc:1000");
    let start = Start::empty(&network);
    let base = scenario(Model::Dynamic, 600.0);
    let to = DemandChange { destination: Some("C".to_owned()), ..times(2.0) };
    let message = refused(&network, &start, &with(&base, to));
    assert!(message.starts_with("edits[0].demand: needs trips between zones"), "{message}");
    let toll = with(&with(&base, times(1.0)), Toll { on: on(&["ab"]), worth_s: 0.0 });
    let message = refused(&network, &start, &toll);
    assert!(message.starts_with("edits[1].toll: needs trips between zones"), "{message}");
    let message = refused(&network, &start, &scenario(Model::Static, 600.0));
    assert!(message.starts_with("demand.trips: needs trips between zones"), "{message}");
    let short = Start { links: Vec::new(), ..start };
    assert_eq!(refused(&network, &short, &base), "the start has 0 links, the network 2");
}

#[test]
fn a_listener_ends_a_run() {
    let network = network("ab:1000 bc:1000");
    let start = Start::empty(&network);
    for model in [Model::Dynamic, Model::Static] {
        let base = trips(scenario(model, 600.0), "A>C:0.1");
        // One way: the balance is there before anybody is asked twice.
        if model == Model::Dynamic {
            let ended = run(&network, &start, &base, |_| ControlFlow::Break(()));
            assert!(matches!(ended, Err(ScenarioError::Cancelled)));
        }
        let mut heard = Vec::new();
        let ended = run(&network, &start, &base, |progress| {
            heard.push(progress.done);
            ControlFlow::Continue(())
        });
        assert!(ended.is_ok() && heard.last() == Some(&1.0), "{model:?} {heard:?}");
    }
}

#[test]
fn capacity_above_the_diagram_is_told_with_what_the_road_can_carry() {
    // k_j·u/2 = 0.2·20/2 = 2 pcu/s, 7200 an hour.
    let network = network("ab:1000x2 bc:1000");
    let raise = |factor| Capacity { on: on(&["bc"]), factor: Some(factor), flow_pcu_h: None };
    check(raise(2.6), r#"edits[0].capacity.factor: link "bc" lets through 7200 pcu/h at most"#);
    let flow = Capacity { on: on(&["bc"]), factor: None, flow_pcu_h: Some(7_201.0) };
    check(flow, r#"edits[0].capacity.flow_pcu_h: link "bc" lets through 7200 pcu/h at most"#);
    let base = scenario(Model::Dynamic, 600.0);
    assert_eq!(told(&with(&base, raise(2.5))), [""; 0]);
    // Factors multiply; the one that is too much is told, and the rest can be run.
    let both = with(&with(&base, raise(2.0)), raise(1.5));
    let faults = both.check(&network);
    assert_eq!(faults.iter().map(|fault| fault.edit).collect::<Vec<_>>(), [Some(1)]);
    assert_eq!(both.without(&faults).check(&network), []);
    let apart = during(&base, None, Some(60.0), raise(2.0));
    assert_eq!(told(&during(&apart, Some(60.0), None, raise(1.5))), [""; 0]);
    assert_eq!(told(&with(&scenario(Model::Static, 600.0), raise(9.0))), [""; 0]);
}

#[test]
fn less_than_nothing_is_told() {
    check(
        LaneCount { on: on(&["ab"]), set: Some(-1), add: None },
        "edits[0].lanes.set: -1 is not allowed; allowed: 1 to 50",
    );
    check(
        LaneCount { on: on(&["ab"]), set: None, add: Some(-51) },
        "edits[0].lanes.add: -51 is not allowed; allowed: -50 to 50",
    );
    let lost = |lanes_lost, remaining| Incident { on: on(&["ab"]), lanes_lost, remaining };
    check(lost(-1.0, None), "edits[0].incident.lanes_lost: -1 is not allowed");
    check(lost(1.0, Some(-0.1)), "edits[0].incident.remaining: -0.1 is not allowed");
    let less = Capacity { on: on(&["ab"]), factor: Some(-0.5), flow_pcu_h: None };
    check(less, "edits[0].capacity.factor: -0.5 is not allowed");
    check(times(-1.0), "edits[0].demand.factor: -1 is not allowed");
}

#[test]
fn more_places_to_go_to_than_the_model_takes_are_told() {
    let many = |zones: usize| {
        let mut draft = draft("ab:1000 bc:1000");
        let mut base = scenario(Model::Dynamic, 300.0);
        for at in 0..zones {
            draft.zones.push(DraftZone { key: format!("z{at:03}"), ..zone("c") });
            base.demand.trips.push(Trips {
                origin: "A".to_owned(),
                destination: format!("z{at:03}"),
                flow_pcu_h: 1.0,
            });
        }
        (sound(draft), base)
    };
    let (network, most) = many(254);
    conserved(&answer(&network, &most));
    let (network, more) = many(255);
    let expected = "demand: 255 zones are gone to; the dynamic model takes 254, the static one any \
                    number";
    assert_eq!(refused(&network, &Start::empty(&network), &more), expected);
    conserved(&answer(&network, &Scenario { model: Model::Static, ..more }));
    // Two groups of vehicles: each zone counts twice.
    let ban = ClassBan { on: on(&["ab"]), classes: vec![VehicleClass::Truck] };
    let (network, most) = many(127);
    conserved(&answer(&network, &with(&most, ban.clone())));
    let (network, more) = many(128);
    let expected = "edits[0].ban_classes: 128 zones are gone to by 2 groups of vehicles, which these \
                    bans make; the dynamic model takes 254 zones times groups";
    assert_eq!(refused(&network, &Start::empty(&network), &with(&more, ban)), expected);
}

#[test]
fn a_listener_waits_for_no_interval() {
    let network = network("ab:1000 bc:1000");
    let base = Scenario { interval_s: 3_600.0, ..scenario(Model::Dynamic, 3_600.0) };
    let mut heard = Vec::new();
    let ran = run(&network, &Start::empty(&network), &base, |progress| {
        heard.push(progress.done);
        ControlFlow::Continue(())
    });
    // Once it fits, before, within and after the plan; after every twenty of 900 steps of 4 s, at
    // their end, and for the places.
    assert!(ran.is_ok() && heard.len() == 50, "{heard:?}");
    assert!(heard.is_sorted() && heard.last() == Some(&1.0), "{heard:?}");
    for last in [0, 1, 3, 20, 48, 49] {
        let mut count = 0;
        let ended = run(&network, &Start::empty(&network), &base, |_| {
            count += 1;
            if count > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(ScenarioError::Cancelled)), "{last}");
        assert_eq!(count, last + 1, "nobody is asked again");
    }
    let with_trips = trips(base, "A>C:0.1");
    let mut count = 0;
    let ran = run(&network, &Start::empty(&network), &with_trips, |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert!(ran.is_ok() && count == 905, "{count}");
}

/// A zone is the area of its outline: the same edit by zone and by polygon is about the same links.
#[test]
fn a_zone_is_the_area_of_its_outline() {
    let mut draft = draft("ab:1000 bc:1000 cd:1000");
    let at = |key: &str| draft.junctions.iter().find(|one| one.key == key).unwrap().point;
    let (a, b) = (at("a"), at("b"));
    let (south, north) = (a.0.min(b.0) - 1e-4, a.0.max(b.0) + 1e-4);
    let (west, east) = (a.1.min(b.1) - 1e-4, a.1.max(b.1) + 1e-4);
    let ring = vec![(south, west), (south, east), (north, east), (north, west)];
    draft.zones[0].ring.clone_from(&ring);
    let network = sound(draft);
    let point = |(latitude_deg, longitude_deg)| LatLon { latitude_deg, longitude_deg };
    let ring = Ring { points: ring.into_iter().map(point).collect() };
    let polygon = AreaShape::Polygon { parts: vec![PolygonPart { rings: vec![ring] }] };
    let none = |field: &str, what| panic!("{field}: {what}");
    let zone = Place { zones: vec!["A".to_owned()], ..Place::default() };
    let by_zone = zone.find(&network, none);
    assert_eq!(by_zone, Place::area(polygon).find(&network, none));
    assert!(by_zone.contains(&network.find_link("ab").unwrap()), "{by_zone:?}");
    assert!(!by_zone.contains(&network.find_link("cd").unwrap()), "{by_zone:?}");
}
