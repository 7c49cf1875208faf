//! What is lost in steps of seconds: the same hour in steps that are 64 times as short.
//!
//! Unit: of the mean speed and of the vehicle-hours the difference in parts of a million; of a
//! link's flow in a minute the largest difference of all links and minutes, and its root mean
//! square, in pcu. Baseline: the run in short steps, in which hardly a link is passed in a step.

use std::ops::ControlFlow;
use std::sync::Arc;

use citytwin_core::traffic::ltm::{Demand, Network, Routing, State, Totals, Turning, run as go};

use crate::city::HOUR_S;
use crate::ltm::{STEP_S, plan};
use crate::report::Report;

/// Short steps in a step.
const FINE: f64 = 64.0;

/// What a run says: sums, and the inflow of each link in each minute.
type Hour = (Totals, Vec<f64>);

pub(crate) fn compare(
    what: &str,
    network: &Arc<Network>,
    demand: &[Demand],
    turning: &Turning,
    report: &mut Report,
) {
    let run = |step_s| hour(network, demand, turning, step_s);
    let ((coarse, flows), (fine, exact)) = (run(STEP_S), run(STEP_S / FINE));
    let speed = |totals: &Totals| totals.distance_pcu_m / totals.time_pcu_s;
    let millionths = |a: f64, b: f64| (a / b - 1.0) * 1e6;
    let differences = flows.iter().zip(&exact).map(|(a, b)| (a - b).abs());
    let largest = differences.clone().fold(0.0, f64::max);
    let squares: f64 = differences.map(|difference| difference * difference).sum();
    let busiest = exact.iter().copied().fold(0.0, f64::max);
    let figure = format!(
        "mean speed {:.4} m/s, {:+.1} millionths; {:.2} vehicle-hours, {:+.1} millionths; \
         flow of a link in a minute: {largest:.4} pcu at most, {:.6} root mean square (of up to \
         {busiest:.1})",
        speed(&coarse),
        millionths(speed(&coarse), speed(&fine)),
        coarse.time_pcu_s / HOUR_S,
        millionths(coarse.time_pcu_s, fine.time_pcu_s),
        (squares / flows.len() as f64).sqrt()
    );
    report.row(&format!("{what}, turning: against steps of 1/16 s"), &figure);
}

fn hour(network: &Arc<Network>, demand: &[Demand], turning: &Turning, step_s: f64) -> Hour {
    let plan = plan(network, demand.to_vec(), Routing::Turning(turning.clone()), step_s);
    let (mut state, mut flows) = (State::empty(&plan), Vec::new());
    let ended = go(&plan, &mut state, HOUR_S, |interval| {
        flows.extend(interval.links.iter().map(|link| link.inflow_pcu));
        ControlFlow::<()>::Continue(())
    });
    (ended.continue_value().expect("it is not stopped"), flows)
}
