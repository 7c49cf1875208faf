//! One name, one result.

use super::super::edit::{Flood, SignalTimes, SpeedLimit};
use super::*;
use crate::traffic::start::{EstimateSettings, LinkMeasurement, Measurements, Origin};

fn busy() -> (Network, Scenario) {
    let network = network("ab:1000x2 bc:2000 bd:1000 dc:1500");
    let base = journey(trips(scenario(Model::Dynamic, 900.0), "A>C:0.7 A>D:0.3"), "a", "c");
    let flood = Flood { on: on(&["bc"]), depth_m: 0.1, cut_depth_m: None };
    (network, during(&base, Some(300.0), None, flood))
}

#[test]
fn the_same_question_gives_the_same_bytes() {
    for model in [Model::Dynamic, Model::Static] {
        let (network, mut scenario) = busy();
        scenario.model = model;
        scenario.edits[0].span = Span::default();
        let bytes = || postcard::to_stdvec(&answer(&network, &scenario)).unwrap();
        assert!(bytes() == bytes());
        let back: Outcome = postcard::from_bytes(&bytes()).unwrap();
        assert_eq!(back, answer(&network, &scenario));
    }
}

#[test]
fn the_name_is_the_same_for_ever() {
    let (network, scenario) = busy();
    let id = OutcomeId::of(&network, &Start::empty(&network), &scenario);
    assert_eq!(id.to_string(), "d0841681abaf70d3a066e0069907916c7e68a8d23e7d6de24a676ffd9b06f658");
}

#[test]
fn an_estimated_start_has_its_name_before_it_is_estimated() {
    let (network, scenario) = busy();
    let flow = |link: crate::road::LinkIndex| LinkMeasurement {
        link,
        flow_veh_h: Some(300.0),
        speed_kmh: None,
        occupancy_ratio: None,
        sensors: 1,
        freshness: 1.0,
    };
    let links = network.link_indexes().take(2).map(flow).collect();
    let mut measured = Measurements { links, ..Measurements::default() };
    let settings = EstimateSettings::default();
    let before = |measured: &Measurements| {
        OutcomeId::before_estimate(&network, &Origin::of(measured, settings), &scenario)
    };
    let first = before(&measured);
    let start = Start::estimate(&network, &measured, settings);
    assert_eq!(OutcomeId::of(&network, &start, &scenario), first);
    assert_ne!(OutcomeId::of(&network, &Start { origin: None, ..start }, &scenario), first);
    measured.links.pop();
    assert_ne!(before(&measured), first);
}

#[test]
fn whatever_is_asked_is_in_the_name() {
    let (network, scenario) = busy();
    let start = Start::empty(&network);
    let id = |change: &dyn Fn(&mut Scenario)| {
        let mut scenario = scenario.clone();
        change(&mut scenario);
        OutcomeId::of(&network, &start, &scenario)
    };
    let same = id(&|one| one.name = "morning peak".to_owned());
    assert_eq!(same, id(&|_| {}), "the name of a scenario is for people");
    let changes: &[&dyn Fn(&mut Scenario)] = &[
        &|_| {},
        &|one| one.model = Model::Static,
        &|one| one.horizon_s = 1_200.0,
        &|one| one.interval_s = 100.0,
        &|one| one.seed = 8,
        &|one| {
            let flood = Flood {
                on: Place { zones: vec!["A".to_owned()], ..on(&["bc"]) },
                depth_m: 0.1,
                cut_depth_m: None,
            };
            one.edits[0].change = flood.into();
        },
        &|one| one.base.epoch = Some(17_953_074_001),
        &|one| one.base.epoch = None,
        &|one| one.base.utc_offset_s = 0,
        &|one| one.demand.factor = 1.1,
        &|one| one.demand.trips[0].flow_pcu_h += 1.0,
        &|one| one.demand.trips.reverse(),
        &|one| one.vehicles.bus = 0.5,
        &|one| one.vehicles.equivalents.bus = 3.0,
        &|one| one.journeys.clear(),
        &|one| one.demand.estimate = true,
        &|one| one.through.push("ab".to_owned()),
        &|one| one.edits.clear(),
        &|one| one.edits[0].span.from_s = None,
        &|one| one.edits[0].span.until_s = Some(600.0),
        &|one| one.edits[0].change = closed(&["bc"]).into(),
        &|one| one.edits[0].change = closed(&["bd"]).into(),
        &|one| one.edits[0].change = times(2.0).into(),
        &|one| one.edits[0].change = SignalTimes::default().into(),
    ];
    let mut ids: Vec<_> = changes.iter().map(|change| id(*change)).collect();
    let mut other = start.clone();
    other.links[0].quality = 0.5;
    ids.push(OutcomeId::of(&network, &other, &scenario));
    let mut other = start.clone();
    other.links[0].source = crate::traffic::start::Source::Measured;
    ids.push(OutcomeId::of(&network, &other, &scenario));
    let mut other = start.clone();
    other.ends[0].begin_veh_h = 5.0;
    ids.push(OutcomeId::of(&network, &other, &scenario));
    ids.push(OutcomeId::of(&super::network("ab:1000"), &start, &scenario));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), changes.len() + 4);
}

#[test]
fn differences_begin_with_the_most_affected_and_turn_round() {
    let (network, scenario) = busy();
    let base = answer(&network, &Scenario { edits: Vec::new(), ..scenario.clone() });
    let flooded = answer(&network, &scenario);
    let found = compare(&base, &flooded).unwrap();
    assert_eq!((found.from, found.to), (base.id, flooded.id));
    let delays: Vec<f64> = found.links.iter().map(|link| link.delay_veh_h.abs()).collect();
    assert!(delays.is_sorted_by(|a, b| a >= b) && !delays.is_empty(), "{delays:?}");
    let change = flooded.totals.vehicle_h - base.totals.vehicle_h;
    close(found.totals.vehicle_h, change);
    close(found.cells.iter().map(|cell| cell.vehicle_h).sum(), change);
    let bc = found.links.iter().find(|link| link.key.as_str() == "bc").unwrap();
    assert!(bc.flow_veh_h < 0.0, "{bc:?}");
    let back = compare(&flooded, &base).unwrap();
    for (one, other) in found.links.iter().zip(&back.links) {
        close(one.delay_veh_h, -other.delay_veh_h);
        assert_eq!(one.key, other.key);
    }
    let same = compare(&base, &base).unwrap();
    assert!(same.links.is_empty() && same.cells.is_empty() && same.zones.is_empty());
    assert!(same.journeys.iter().all(|one| one.seconds == Some(0.0)), "{:?}", same.journeys);
    let far = Outcome { horizon_s: 60.0, ..base.clone() };
    assert_eq!(compare(&base, &far), Err(CompareError::Horizon(900.0, 60.0)));
}

#[test]
fn zones_and_journeys_differ_too() {
    let network = network("ab:1000 bc:2000 bd:1000 dc:1000");
    let base = trips(scenario(Model::Dynamic, 1_200.0), "A>C:0.05");
    let to_c = |from: &str| Journey { from: from.to_owned(), to: "c".to_owned() };
    let base = Scenario { journeys: ["a", "b", "d"].map(to_c).to_vec(), ..base };
    let cut = during(&base, Some(600.0), None, closed(&["bc", "dc"]));
    let limit = SpeedLimit { on: on(&["ab"]), limit_kmh: 36.0, raises: false };
    let (first, second) = (answer(&network, &base), answer(&network, &with(&cut, limit)));
    let found = compare(&first, &second).unwrap();
    // Every zone is at a junction that the edits touch; the same sums as by hand.
    let delays: Vec<f64> = found.zones.iter().map(|zone| zone.delay_veh_h.abs()).collect();
    assert!(!delays.is_empty() && delays.is_sorted_by(|a, b| a >= b), "{delays:?}");
    for zone in &found.zones {
        let at = first.zones.iter().position(|one| *one == zone.zone).unwrap();
        let hours = |outcome: &Outcome| {
            outcome.intervals.iter().map(|one| one.zones[at].vehicle_h).sum::<f64>()
        };
        close(zone.vehicle_h, hours(&second) - hours(&first));
    }
    let told = |from: &str| found.journeys.iter().find(|one| one.from.as_str() == from).unwrap();
    // 50 s on ab at 20 m/s, 100 s at 10; 100 s on bc, where there is a way.
    let (a, b, d) = (told("a"), told("b"), told("d"));
    assert!((a.first.seconds.unwrap() - 150.0).abs() < 0.1, "{a:?}");
    close(a.seconds.unwrap(), 50.0);
    close(b.seconds.unwrap(), 0.0);
    for one in [a, b, d] {
        close(one.first.cut_share, 0.0);
        close(one.second.cut_share, 0.5);
    }
    assert_eq!(found.journeys[0].from.as_str(), "a", "the most affected first");
    let always = answer(&network, &with(&base, closed(&["bc", "dc"])));
    let gone = compare(&first, &always).unwrap();
    assert!(gone.journeys.iter().all(|one| one.seconds.is_none() && one.second.cut_share > 0.999));
}

#[test]
fn cells_share_out_what_is_on_the_links() {
    let (network, scenario) = busy();
    let outcome = answer(&network, &scenario);
    assert!(outcome.cells.len() > 1, "links cross cells");
    let sum = |each: fn(&PlaceFigures) -> f64| {
        let cells = outcome.intervals.iter().flat_map(|one| &one.cells);
        cells.map(each).sum::<f64>()
    };
    close(sum(|cell| cell.vehicle_h), outcome.totals.vehicle_h);
    close(sum(|cell| cell.vehicle_km), outcome.totals.vehicle_km);
    close(sum(|cell| cell.delay_veh_h), outcome.totals.delay_veh_h);
    // Zone A has no outline: it is the link at junction a.
    let slot = slot(&outcome, "ab");
    let (zone, link) = (outcome.intervals[2].zones[0], outcome.intervals[2].links[slot]);
    close(zone.speed_kmh.unwrap(), link.speed_kmh);
}
