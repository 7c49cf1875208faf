//! A start handed to the link transmission model.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::random::{Chance, grid, hidden, measured};
use super::*;
use crate::traffic::ltm::{Interval, Plan, PlanInputs, Routing, State, Totals, run};

/// Half an hour in steps of 2 s; the last minute, and the totals.
fn half_an_hour(network: &Network, start: &Start) -> (Vec<Interval>, Totals) {
    let ready = start.transmission(network, &BTreeMap::new()).unwrap();
    let inputs = PlanInputs {
        step_s: 2.0,
        interval_s: 60.0,
        demand: ready.demand,
        routing: Routing::Turning(ready.turning),
        limits: Vec::new(),
        signals: Vec::new(),
        changes: Vec::new(),
    };
    let plan = Plan::new(Arc::new(ready.network), inputs).unwrap();
    let mut state = State::new(&plan, &ready.links).unwrap();
    let mut intervals = Vec::new();
    let ended = run(&plan, &mut state, 1_800.0, |interval| {
        intervals.push(interval.clone());
        ControlFlow::<()>::Continue(())
    });
    let ControlFlow::Continue(totals) = ended else { panic!("nobody ends it") };
    (intervals, totals)
}

#[test]
fn an_undisturbed_city_goes_on_as_it_began() {
    let mut chance = Chance(3);
    let network = grid(6, |great| if great { RoadClass::Primary } else { RoadClass::Tertiary });
    let truth = hidden(&network, 80, &mut chance);
    let measurements = measured(&network, &truth, 0.4, &mut chance);
    let start = estimate(&network, &measurements);
    let (intervals, totals) = half_an_hour(&network, &start);
    near(totals.missing_pcu, 0.0, 1e-9);
    for interval in &intervals {
        for (start, figures) in start.links.iter().zip(&interval.links) {
            near(figures.inflow_pcu * 60.0, start.flow_veh_h, 0.5);
            near(figures.outflow_pcu * 60.0, start.flow_veh_h, 0.5);
        }
    }
    let vehicles: f64 = network
        .links()
        .iter()
        .zip(&start.links)
        .map(|(road, link)| link.density_veh_km * road.length().get() / 1_000.0)
        .sum();
    near(totals.initial_pcu, vehicles, 1e-6);
    near(totals.present_pcu, vehicles, 0.01 * vehicles);
}

#[test]
fn a_measured_queue_is_there_at_once() {
    let chain = network("a-b b-c c-d");
    let mut measurements = flows(&chain, &[("b-c", 1_000.0)]);
    measurements.links[0].speed_kmh = Some(5.0);
    let start = estimate(&chain, &measurements);
    let (intervals, totals) = half_an_hour(&chain, &start);
    let first = &intervals[0].links[link(&chain, "b-c").slot()];
    // 200 veh/km where 20 would flow freely: most of them wait, and go on at capacity.
    assert!(first.queue_pcu > 100.0 && first.speed_mps < 5.0, "{first:?}");
    near(first.outflow_pcu, 3_200.0 / 60.0, 0.1);
    let last = &intervals[29].links[link(&chain, "b-c").slot()];
    near(last.queue_pcu, 0.0, 1e-3);
    near(last.outflow_pcu * 60.0, 1_000.0, 1.0);
    near(totals.missing_pcu, 0.0, 1e-9);
}

#[test]
fn anything_measured_can_be_run() {
    let chain = network("a=b b=c c=d c-l");
    for (flow, speed) in [(9_999.0, 0.0), (0.0, 0.0), (3_200.0, 200.0), (1.0, 1e-9)] {
        let mut measurements = flows(&chain, &[("a-b", flow), ("b-c", flow), ("c-l", flow / 2.0)]);
        measurements.links.iter_mut().for_each(|one| one.speed_kmh = Some(speed));
        let start = estimate(&chain, &measurements);
        let (_, totals) = half_an_hour(&chain, &start);
        near(totals.missing_pcu, 0.0, 1e-9);
    }
}

#[test]
fn a_run_in_pieces_is_the_same_run() {
    let mut chance = Chance(5);
    let network = grid(5, |great| if great { RoadClass::Primary } else { RoadClass::Tertiary });
    let truth = hidden(&network, 80, &mut chance);
    let start = estimate(&network, &measured(&network, &truth, 0.4, &mut chance));
    let ready = start.transmission(&network, &BTreeMap::new()).unwrap();
    let inputs = PlanInputs {
        step_s: 60.0 / 17.0,
        interval_s: 60.0,
        demand: ready.demand,
        routing: Routing::Turning(ready.turning),
        limits: Vec::new(),
        signals: Vec::new(),
        changes: Vec::new(),
    };
    let plan = Plan::new(Arc::new(ready.network), inputs).unwrap();
    let ran = |pieces: u32| {
        let (mut state, mut told) = (State::new(&plan, &ready.links).unwrap(), Vec::new());
        for piece in 1..=pieces {
            let until_s = 600.0 * f64::from(piece) / f64::from(pieces);
            let ended = run(&plan, &mut state, until_s, |interval| {
                told.push(interval.clone());
                ControlFlow::<()>::Continue(())
            });
            assert!(ended.is_continue());
        }
        (state, told)
    };
    let whole = ran(1);
    for pieces in [2, 7, 30, 600] {
        assert!(ran(pieces) == whole, "{pieces}");
    }
}
