//! Scenarios on a measured city without known trips.

use super::super::edit::{Capacity, ClassBan, NewLink};
use super::*;
use crate::traffic::ltm::VehicleClass;
use crate::traffic::start::{EstimateSettings, LinkMeasurement, Measurements};

/// ab carries 720 pcu/h, a third turns into bd; all end where the roads do.
fn measured(network: &Network) -> Start {
    flowing(network, |key| match key {
        "bc" => 480.0,
        "bd" => 240.0,
        _ => 720.0,
    })
}

/// Every link measured, at free speed.
fn flowing(network: &Network, flow: impl Fn(&str) -> f64) -> Start {
    let link = |link: crate::road::LinkIndex| LinkMeasurement {
        link,
        flow_veh_h: Some(flow(network.link(link).key().as_str())),
        speed_kmh: Some(72.0),
        occupancy_ratio: None,
        sensors: 1,
        freshness: 1.0,
    };
    let links = network.link_indexes().map(link).collect();
    let measurements = Measurements { links, ..Measurements::default() };
    Start::estimate(network, &measurements, EstimateSettings::default())
}

#[test]
fn a_city_in_balance_stays_as_it_was_measured() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let outcome = outcome(&network, &measured(&network), &scenario(Model::Dynamic, 1_800.0));
    conserved(&outcome);
    close(outcome.quality, 1.0);
    for interval in &outcome.intervals {
        for (key, flow) in [("ab", 720.0), ("bc", 480.0), ("bd", 240.0)] {
            let figures = interval.links[slot(&outcome, key)];
            close(figures.flow_veh_h, flow);
            close(figures.speed_kmh, 72.0);
            close(figures.density_veh_km, flow / 72.0);
        }
    }
    assert_eq!(outcome.notes, [Note::TurningOnly { edits: Vec::new() }, Note::ClassesShareSpeed]);
}

#[test]
fn traffic_that_appears_and_ends_within_the_city_does_so_on() {
    // 300 more leave b than come in, 200 of 600 end at c.
    let network = network("ab:1000 bc:1000 cd:1000");
    let start = flowing(&network, |key| match key {
        "ab" => 300.0,
        "bc" => 600.0,
        _ => 400.0,
    });
    let outcome = outcome(&network, &start, &scenario(Model::Dynamic, 1_800.0));
    conserved(&outcome);
    for interval in &outcome.intervals {
        let flows: Vec<f64> = interval.links.iter().map(|link| link.flow_veh_h).collect();
        for (flow, expected) in flows.iter().zip([300.0, 600.0, 400.0]) {
            close(*flow, expected);
        }
    }
}

#[test]
fn a_closure_turns_everybody_off_before_it_and_says_what_that_means() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let closed = with(&scenario(Model::Dynamic, 1_800.0), closed(&["bd"]));
    let outcome = outcome(&network, &measured(&network), &closed);
    conserved(&outcome);
    close(outcome.intervals[5].links[slot(&outcome, "bc")].flow_veh_h, 720.0);
    close(outcome.intervals[5].links[slot(&outcome, "bd")].flow_veh_h, 0.0);
    assert_eq!(outcome.notes, [Note::TurningOnly { edits: vec![0] }, Note::ClassesShareSpeed]);
    assert!(outcome.notes[0].to_string().contains("edits [0]"));
}

#[test]
fn a_banned_class_turns_off_by_its_share() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let base = scenario(Model::Dynamic, 1_800.0);
    let ban = ClassBan { on: on(&["bd"]), classes: vec![VehicleClass::Motorcycle] };
    let banned = during(&base, Some(600.0), Some(1_200.0), ban.clone());
    let outcome = outcome(&network, &measured(&network), &banned);
    conserved(&outcome);
    let entered =
        |at: usize, key: &str| outcome.intervals[at].links[slot(&outcome, key)].entered_veh_h;
    // Motorcycles are 0.234 of 0.514 pcu.
    let kept = 240.0 * (1.0 - 0.234 / 0.514);
    close(entered(1, "bd"), 240.0);
    close(entered(3, "bd"), kept);
    close(entered(3, "bc"), 720.0 - kept);
    close(entered(5, "bd"), 240.0);
    assert!(outcome.notes.contains(&Note::ClassesByShare));
    // All classes: nobody.
    let all = ClassBan { classes: Vehicles::CLASSES.to_vec(), ..ban };
    let outcome = super::outcome(&network, &measured(&network), &with(&base, all));
    close(outcome.intervals[5].links[slot(&outcome, "bd")].entered_veh_h, 0.0);
}

#[test]
fn demand_grows_where_it_enters() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let base = scenario(Model::Dynamic, 1_800.0);
    let flow = |origin: &str| {
        let grown = DemandChange { origin: Some(origin.to_owned()), ..times(2.0) };
        let outcome = outcome(&network, &measured(&network), &with(&base, grown));
        outcome.intervals[5].links[slot(&outcome, "bc")].flow_veh_h
    };
    close(flow("A"), 960.0);
    close(flow("B"), 480.0);
}

#[test]
fn edits_that_change_nothing_leave_a_measured_city_as_it_is() {
    let network = network("ab:1000 bc:1000 bd:1000");
    let base = scenario(Model::Dynamic, 900.0);
    let start = measured(&network);
    let expected = outcome(&network, &start, &base);
    let same = Capacity { on: on(&["ab"]), factor: Some(1.0), flow_pcu_h: None };
    let found = outcome(&network, &start, &with(&with(&base, same), times(1.0)));
    assert!(found.intervals == expected.intervals && found.totals == expected.totals);
}

#[test]
fn a_new_link_takes_its_part_of_those_who_turn() {
    let network = network("ab:1000 bc:1000 cd:1000");
    let new = NewLink {
        key: "new".to_owned(),
        from: "b".to_owned(),
        to: "c".to_owned(),
        class: "primary".to_owned(),
        ..NewLink::default()
    };
    let start = flowing(&network, |_| 720.0);
    let base = scenario(Model::Dynamic, 1_800.0);
    let outcome = outcome(&network, &start, &with(&base, new));
    conserved(&outcome);
    let last = &outcome.intervals[5].links;
    // By capacity: 3200 of 3200 and 2880.
    close(last[slot(&outcome, "new")].entered_veh_h, 720.0 * 3_200.0 / 6_080.0);
    close(last[slot(&outcome, "bc")].entered_veh_h, 720.0 * 2_880.0 / 6_080.0);
    close(last[slot(&outcome, "ab")].entered_veh_h, 720.0);
}
