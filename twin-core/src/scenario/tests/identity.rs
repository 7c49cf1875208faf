//! One name, one result.

use super::super::edit::{Flood, SignalTimes};
use super::*;

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
    assert_eq!(id.to_string(), "4ec9d79f2801f2b4cacc343a4cad83d0bde1df73fcd32fadb993a730643983ee");
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
        &|one| one.base.epoch = Some(17_953_074_001),
        &|one| one.base.epoch = None,
        &|one| one.base.utc_offset_s = 0,
        &|one| one.demand.factor = 1.1,
        &|one| one.demand.trips[0].flow_pcu_h += 1.0,
        &|one| one.demand.trips.reverse(),
        &|one| one.vehicles.bus = 0.5,
        &|one| one.vehicles.equivalents.bus = 3.0,
        &|one| one.journeys.clear(),
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
    ids.push(OutcomeId::of(&super::network("ab:1000"), &start, &scenario));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), changes.len() + 2);
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
    assert!(same.links.is_empty() && same.cells.is_empty());
    let far = Outcome { horizon_s: 60.0, ..base.clone() };
    assert_eq!(compare(&base, &far), Err(CompareError::Horizon(900.0, 60.0)));
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
