//! Scenarios on small networks with known answers.
//!
//! Roads are those of the closed forms unless told otherwise: u = 20 m/s, w = 5 m/s, k_j = 0.2
//! pcu/m, so q = 0.8 pcu/s. Junctions have letters, links their two letters, zone `A` is at
//! junction `a`.

mod classes;
mod closed_forms;
mod estimating;
mod faults;
mod identity;
mod random;
mod reading;
mod through;
mod turning;
mod watching;

use std::ops::ControlFlow;

use super::edit::{Close, DemandChange};
use super::*;
use crate::road::{Control, Draft, DraftJunction, DraftLink, DraftZone, Network, RoadClass};
use crate::traffic::start::Start;

/// `ab:4000` is a link of 4000 m from a to b, `ab:4000x2` one of two lanes.
fn draft(text: &str) -> Draft {
    let mut draft = Draft::default();
    for word in text.split_whitespace() {
        let (key, size) = word.split_once(':').unwrap();
        let (length, lanes) = size.split_once('x').unwrap_or((size, "1"));
        let lanes: i64 = lanes.parse().unwrap();
        let (from, to) = key.split_at(1);
        let mut link = DraftLink::new(key, from, to, RoadClass::Primary);
        link.length_m = Some(length.parse().unwrap());
        link.lanes = Some(lanes);
        link.free_speed_mps = Some(20.0);
        link.capacity_veh_h_lane = Some(2_880.0 / lanes as f64);
        link.jam_density_veh_km_lane = Some(200.0 / lanes as f64);
        draft.links.push(link);
        for key in [from, to] {
            if draft.junctions.iter().all(|known| known.key != key) {
                draft.junctions.push(junction(key));
                draft.zones.push(zone(key));
            }
        }
    }
    draft
}

/// Junctions lie on a wide bow, so that no way on is a way back.
fn junction(key: &str) -> DraftJunction {
    let angle = f64::from(key.as_bytes()[0] - b'a') * 0.4;
    let point = (10.77 + 0.02 * angle.sin(), 106.7 + 0.02 * angle.cos());
    DraftJunction { key: key.to_owned(), point, control: Control::None, passable: true }
}

fn zone(junction: &str) -> DraftZone {
    DraftZone {
        key: junction.to_uppercase(),
        name: String::new(),
        point: None,
        ring: Vec::new(),
        connectors: vec![junction.to_owned()],
    }
}

fn network(text: &str) -> Network {
    sound(draft(text))
}

fn sound(draft: Draft) -> Network {
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

fn scenario(model: Model, horizon_s: f64) -> Scenario {
    Scenario {
        name: String::new(),
        model,
        horizon_s,
        interval_s: 300.0,
        seed: 7,
        base: Base { epoch: Some(17_953_074_000), utc_offset_s: 25_200 },
        demand: Demand::default(),
        vehicles: Vehicles::default(),
        journeys: Vec::new(),
        through: Vec::new(),
        edits: Vec::new(),
    }
}

/// Trips `A>C:0.6` in pcu/s.
fn trips(scenario: Scenario, text: &str) -> Scenario {
    let one = |word: &str| {
        let (zones, flow) = word.split_once(':').unwrap();
        let (origin, destination) = zones.split_once('>').unwrap();
        Trips {
            origin: origin.to_owned(),
            destination: destination.to_owned(),
            flow_pcu_h: flow.parse::<f64>().unwrap() * 3_600.0,
        }
    };
    let trips = text.split_whitespace().map(one).collect();
    Scenario { demand: Demand { trips, ..scenario.demand }, ..scenario }
}

fn journey(scenario: Scenario, from: &str, to: &str) -> Scenario {
    let journeys = vec![Journey { from: from.to_owned(), to: to.to_owned() }];
    Scenario { journeys, ..scenario }
}

fn with(scenario: &Scenario, change: impl Into<Change>) -> Scenario {
    during(scenario, None, None, change)
}

fn during(
    scenario: &Scenario,
    from_s: Option<f64>,
    until_s: Option<f64>,
    change: impl Into<Change>,
) -> Scenario {
    let mut scenario = scenario.clone();
    let span = Span { from_s, until_s, ..Span::default() };
    scenario.edits.push(Edit { span, change: change.into() });
    scenario
}

fn answer(network: &Network, scenario: &Scenario) -> Outcome {
    outcome(network, &Start::empty(network), scenario)
}

fn outcome(network: &Network, start: &Start, scenario: &Scenario) -> Outcome {
    let outcome = run(network, start, scenario, |_| ControlFlow::Continue(()));
    outcome.unwrap_or_else(|error| panic!("{error}"))
}

fn refused(network: &Network, start: &Start, scenario: &Scenario) -> String {
    run(network, start, scenario, |_| ControlFlow::Continue(())).unwrap_err().to_string()
}

/// Where a link is among those of an outcome.
fn slot(outcome: &Outcome, key: &str) -> usize {
    outcome.links.iter().position(|link| link.key.as_str() == key).unwrap()
}

/// Vehicles that entered a link over the horizon.
fn entered(outcome: &Outcome, key: &str) -> f64 {
    let slot = slot(outcome, key);
    let each = outcome.intervals.iter();
    each.map(|one| one.links[slot].entered_veh_h * (one.until_s - one.from_s) / 3_600.0).sum()
}

fn close(value: f64, expected: f64) {
    let slack = 1e-6 + 1e-6 * expected.abs();
    assert!((value - expected).abs() < slack, "{value}, expected {expected}");
}

/// Nobody made, nobody lost, no time told twice.
fn conserved(outcome: &Outcome) {
    let mut told_s = 0.0;
    for interval in &outcome.intervals {
        close(interval.from_s, told_s);
        told_s = interval.until_s;
    }
    close(told_s, outcome.horizon_s);
    let totals = &outcome.totals;
    assert!(totals.missing_veh().abs() < 1e-9, "{totals:?}");
    let owed = totals.demanded_veh - totals.entered_veh - totals.unserved_veh;
    assert!(owed.abs() < 1e-9 * totals.demanded_veh.max(1.0), "{totals:?}");
}

fn on(keys: &[&str]) -> Place {
    Place::links(keys)
}

fn closed(keys: &[&str]) -> Close {
    Close { on: on(keys) }
}

fn times(factor: f64) -> DemandChange {
    DemandChange { factor: Some(factor), ..DemandChange::default() }
}
