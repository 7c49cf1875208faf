//! The promises of the model: closed forms with their numbers, forks, random networks.

mod charges;
mod closed_forms;
mod destinations;
mod forks;
mod random;
mod short_links;

use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;

/// The link of the closed forms: u = 20 m/s, w = 5 m/s, k_j = 0.2 pcu/m, so q = 0.8 pcu/s.
fn link(from: u32, to: u32, length_m: f64) -> Link {
    Link {
        from,
        to,
        length_m,
        free_speed_mps: 20.0,
        wave_speed_mps: 5.0,
        jam_density_pcu_m: 0.2,
        capacity_pcu_s: None,
    }
}

fn origin(junction: u32) -> Origin {
    Origin { junction, capacity_pcu_s: None }
}

fn destination(junction: u32) -> Destination {
    Destination { junction, capacity_pcu_s: None }
}

/// From junction 1 to 2 by a short or a long way, 20 s or 30 s; so many destinations at the end.
fn two_ways(destinations: usize) -> Network {
    let links = vec![link(0, 1, 200.0), link(1, 2, 400.0), link(1, 2, 600.0), link(2, 3, 200.0)];
    let ends = vec![destination(3); destinations];
    Network::new(4, links, vec![origin(0)], ends, &[]).unwrap()
}

fn to(origin: u32, destination: u32, until_s: f64, flow_pcu_s: f64) -> Demand {
    Demand { destination: Some(destination), ..demand(origin, until_s, flow_pcu_s) }
}

fn routed(every_s: f64, theta_per_s: Option<f64>, demand: Vec<Demand>) -> PlanInputs {
    let routing = Routing::Destinations(RouteChoice { every_s, theta_per_s });
    PlanInputs { routing, ..inputs(5.0, demand) }
}

fn demand(origin: u32, until_s: f64, flow_pcu_s: f64) -> Demand {
    Demand { origin, destination: None, from_s: 0.0, until_s, flow_pcu_s }
}

/// Turning by capacity, one-minute intervals, no limits, no edits.
fn inputs(step_s: f64, demand: Vec<Demand>) -> PlanInputs {
    PlanInputs {
        step_s,
        interval_s: 60.0,
        demand,
        routing: Routing::Turning(Turning::default()),
        limits: Vec::new(),
        signals: Vec::new(),
        changes: Vec::new(),
    }
}

/// A limit without a signal.
fn limit(network: &Network, from: u32, to: u32, flow_pcu_s: f64) -> MovementLimit {
    let movement = network.movement(Entrance::Link(from), Exit::Link(to)).unwrap();
    MovementLimit { movement, flow_pcu_s, signal: None }
}

fn plan(network: &Network, inputs: PlanInputs) -> Plan {
    Plan::new(Arc::new(network.clone()), inputs).unwrap()
}

/// Runs to the end, keeping all intervals.
fn all(plan: &Plan, state: &mut State, until_s: f64) -> Vec<Interval> {
    let mut intervals = Vec::new();
    let end = run(plan, state, until_s, |interval| {
        intervals.push(interval.clone());
        ControlFlow::<()>::Continue(())
    });
    assert!(end.is_continue());
    intervals
}

fn close(value: f64, expected: f64) {
    assert!(
        (value - expected).abs() < 1e-6 + 1e-9 * expected.abs(),
        "{value}, expected {expected}"
    );
}
