//! Random small cities, starts and edits: never a panic, never less than nothing, never more than
//! a road holds or lets pass.

use proptest::prelude::*;

use super::super::edit::{
    Capacity, ClassBan, Flood, Incident, LaneCount, MovementBan, NewLink, SignalTimes, SpeedLimit,
    Toll,
};
use super::*;
use crate::traffic::ltm::VehicleClass;
use crate::traffic::roads::Diagram;

const LETTERS: &str = "abcdefgh";

fn letter(at: usize) -> String {
    LETTERS.chars().nth(at).unwrap().to_string()
}

fn drafts() -> impl Strategy<Value = Draft> {
    let link = (0..8_usize, 0..8_usize, 30.0..900.0_f64, 1..4_i64, 0..14_usize);
    let lit = prop::collection::vec(any::<bool>(), 8);
    (prop::collection::vec(link, 2..20), lit).prop_map(|(links, lit)| {
        let mut draft = Draft::default();
        for (at, lit) in lit.iter().enumerate() {
            let control = if *lit { Control::Signal } else { Control::None };
            draft.junctions.push(DraftJunction { control, ..junction(&letter(at)) });
            draft.zones.push(zone(&letter(at)));
        }
        // One zone with two connectors.
        draft.zones[7].connectors.push("a".to_owned());
        for (from, to, length_m, lanes, class) in links {
            let key = letter(from) + &letter(to);
            if from != to && draft.links.iter().all(|link| link.key != key) {
                let class = RoadClass::all().nth(class).unwrap();
                let mut link = DraftLink::new(&key, &letter(from), &letter(to), class);
                (link.length_m, link.lanes) = (Some(length_m), Some(lanes));
                draft.links.push(link);
            }
        }
        draft
    })
}

/// Edits by numbers that are taken modulo what there is.
fn change(network: &Network, (kind, one, other, size): (u8, usize, usize, f64)) -> Change {
    let key = |at: usize| network.links()[at % network.links().len()].key().to_string();
    let on = on(&[&key(one), &key(other)]);
    let lanes = network.links()[one % network.links().len()].lanes().count();
    match kind {
        0 => Close { on }.into(),
        1 => Capacity { on, factor: Some(size * 3.0), flow_pcu_h: None }.into(),
        2 => LaneCount { on, set: None, add: Some(if size < 0.5 { -1 } else { 2 }) }.into(),
        3 => SpeedLimit { on, limit_kmh: 5.0 + 90.0 * size, raises: size > 0.5 }.into(),
        4 => Incident { on, lanes_lost: (lanes * size).max(0.1), remaining: Some(size) }.into(),
        5 => Flood { on, depth_m: 0.01 + 0.4 * size, cut_depth_m: None }.into(),
        6 => times(size * 2.0).into(),
        7 => NewLink {
            key: format!("new{one}{other}"),
            from: letter(one % 8),
            to: letter((one + 1 + other % 7) % 8),
            class: "primary".to_owned(),
            ..NewLink::default()
        }
        .into(),
        8 => match network.movements().get(one % network.movements().len().max(1)) {
            Some(movement) => MovementBan {
                from: network.link(movement.from).key().to_string(),
                to: network.link(movement.to).key().to_string(),
            }
            .into(),
            None => Close { on }.into(),
        },
        9 if size < 0.5 => Toll { on, worth_s: 200.0 * size }.into(),
        9 => ClassBan { on, classes: vec![VehicleClass::Motorcycle, VehicleClass::Truck] }.into(),
        _ => SignalTimes {
            junction: letter(one % 8),
            cycle_s: Some(60.0 + 60.0 * size),
            offset_s: Some(10.0),
            ..SignalTimes::default()
        }
        .into(),
    }
}

#[derive(Clone, Debug)]
struct Case {
    network: Network,
    start: Start,
    scenario: Scenario,
}

fn cases() -> impl Strategy<Value = Case> {
    let network = drafts().prop_map(sound).prop_filter("no links", |one| !one.links().is_empty());
    let edit = (0..11_u8, 0..40_usize, 0..40_usize, 0.0..1.0_f64);
    let edits = prop::collection::vec((edit, 0.0..900.0_f64, 1.0..900.0_f64), 0..5);
    let trips = prop::collection::vec((0..8_usize, 0..8_usize, 0.0..3_000.0_f64), 1..6);
    let levels = prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 40);
    (network, edits, trips, levels, (any::<bool>(), any::<bool>())).prop_map(
        |(network, edits, trips, levels, (model, known))| {
            let model = if model { Model::Dynamic } else { Model::Static };
            let mut scenario = scenario(model, 1_200.0);
            if known || model == Model::Static {
                scenario.demand.trips = trips
                    .into_iter()
                    .map(|(from, to, flow_pcu_h)| Trips {
                        origin: letter(from).to_uppercase(),
                        destination: letter(to).to_uppercase(),
                        flow_pcu_h,
                    })
                    .collect();
            }
            for (numbers, from_s, lasts_s) in edits {
                let timed = model == Model::Dynamic;
                let (from_s, until_s) =
                    (timed.then_some(from_s), timed.then_some(from_s + lasts_s));
                scenario = during(&scenario, from_s, until_s, change(&network, numbers));
            }
            let mut start = Start::empty(&network);
            for (link, (density, flow)) in start.links.iter_mut().zip(levels) {
                link.density_veh_km = density * 200.0;
                link.flow_veh_h = flow * 1_500.0;
            }
            Case { network, start, scenario }
        },
    )
}

/// What a link may hold and let through with all its edits, at the most.
fn most(case: &Case, key: &str) -> (f64, f64) {
    let (mut lanes, mut factor, mut speed) = (1.0_f64, 1.0_f64, 1.0_f64);
    for edit in &case.scenario.edits {
        if let Change::LaneCount(edit) = &edit.change
            && edit.on.links.iter().any(|one| one == key)
        {
            lanes *= 3.0;
        }
        if matches!(edit.change, Change::Capacity(_)) {
            factor = 10.0;
        }
        if matches!(edit.change, Change::SpeedLimit(_)) {
            speed = 4.0;
        }
    }
    let resolved = case.scenario.resolve(&case.network).0;
    let link = resolved.network.link(resolved.network.find_link(key).unwrap());
    let jam = Diagram::of(link).jam_density_veh_km * lanes;
    let peak = jam / 1_000.0 * link.free_speed().get() * speed * 3_600.0;
    (jam, (link.capacity_veh_h() * lanes * factor).min(peak))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_asked_vehicles_are_kept_and_roads_hold(case in cases()) {
        let faults = case.scenario.check(&case.network);
        let scenario = case.scenario.without(&faults);
        let left = scenario.check(&case.network);
        prop_assert!(left.iter().all(|fault| fault.edit.is_none()), "{left:?}");
        let ran = run(&case.network, &case.start, &scenario, |_| ControlFlow::Continue(()));
        let outcome = match ran {
            Ok(outcome) => outcome,
            // Bans of classes need the dynamic model, and there tolls need trips.
            Err(ScenarioError::Faults(faults)) => {
                let still = scenario.model == Model::Static;
                prop_assert!(still || scenario.demand.trips.is_empty(), "{faults:?}");
                let refused = if still { "ban_classes" } else { "toll" };
                prop_assert!(faults.iter().all(|one| one.field.ends_with(refused)), "{faults:?}");
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        };
        let totals = &outcome.totals;
        prop_assert!(totals.missing_veh().abs() < 1e-9, "{totals:?}");
        let owed = totals.demanded_veh - totals.entered_veh - totals.unserved_veh;
        prop_assert!(owed.abs() < 1e-9 * totals.demanded_veh.max(1.0), "{totals:?}");
        for interval in &outcome.intervals {
            for (link, figures) in outcome.links.iter().zip(&interval.links) {
                let numbers = [
                    figures.entered_veh_h,
                    figures.flow_veh_h,
                    figures.speed_kmh,
                    figures.density_veh_km,
                    figures.queue_veh,
                    figures.delay_veh_h,
                ];
                prop_assert!(numbers.iter().all(|one| *one >= 0.0 && one.is_finite()), "{figures:?}");
                if scenario.model == Model::Dynamic {
                    let (jam, flow) = most(&case, link.key.as_str());
                    prop_assert!(figures.density_veh_km <= jam * (1.0 + 1e-9), "{link:?} {figures:?} {jam}");
                    prop_assert!(figures.flow_veh_h <= flow * (1.0 + 1e-9) + 1e-6, "{link:?} {figures:?} {flow}");
                    prop_assert!(figures.entered_veh_h <= flow * (1.0 + 1e-9) + 1e-6, "{link:?} {figures:?} {flow}");
                }
            }
        }
        let again = run(&case.network, &case.start, &scenario, |_| ControlFlow::Continue(())).unwrap();
        prop_assert_eq!(postcard::to_stdvec(&outcome).unwrap(), postcard::to_stdvec(&again).unwrap());
    }

    #[test]
    fn areas_hold_the_links_whose_points_they_hold(
        draft in drafts(),
        center in (10.74..10.80_f64, 106.67..106.73_f64),
        radius_m in 10.0..3_000.0_f64,
    ) {
        let network = sound(draft);
        let at = crate::position::Position::new(center.0, center.1).unwrap();
        let center = LatLon { latitude_deg: center.0, longitude_deg: center.1 };
        let place = Place::area(AreaShape::Circle { center, radius_m });
        let found = place.find(&network, |_, _| {});
        for link in network.link_indexes() {
            let distance_m = crate::road::foot(&network.line(link), at).unwrap().distance_m;
            // Between two points that are looked at the line may come 5 m nearer.
            if distance_m < radius_m - 5.1 {
                prop_assert!(found.contains(&link), "{distance_m} {radius_m}");
            }
            if distance_m > radius_m + radius_m * 1e-3 + 0.1 {
                prop_assert!(!found.contains(&link), "{distance_m} {radius_m}");
            }
        }
    }
}
