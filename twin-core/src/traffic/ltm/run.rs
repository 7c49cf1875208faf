//! A run: steps until an end, told of every interval, ended early by whoever listens.

use std::ops::ControlFlow;

use super::figures::{Interval, Totals};
use super::plan::Plan;
use super::state::State;
use crate::pace::Pace;

/// Goes on until `until_s` seconds after the start, to the first step that ends then or later.
/// `each` gets every interval as it ends; when it breaks, the run ends there. The state can be
/// stepped, forked or run on afterwards.
pub fn run<B>(
    plan: &Plan,
    state: &mut State,
    until_s: f64,
    mut each: impl FnMut(&Interval) -> ControlFlow<B>,
) -> ControlFlow<B, Totals> {
    while !is_over(plan, state, until_s) {
        if let Some(interval) = state.step(plan) {
            each(interval)?;
        }
    }
    ControlFlow::Continue(state.totals())
}

/// The same, watched; a run that is broken off leaves no state.
pub(crate) fn watched(
    plan: &Plan,
    mut state: State,
    until_s: f64,
    pace: &mut Pace<'_>,
    mut each: impl FnMut(&Interval),
) -> ControlFlow<(), State> {
    while !is_over(plan, &state, until_s) {
        if let Some(interval) = state.watched_step(plan, pace)? {
            each(interval);
        }
    }
    ControlFlow::Continue(state)
}

/// A step that ends within its last digits of the end, ends there.
fn is_over(plan: &Plan, state: &State, until_s: f64) -> bool {
    state.time_s(plan) >= until_s - 1e-9 * plan.step_s()
}
