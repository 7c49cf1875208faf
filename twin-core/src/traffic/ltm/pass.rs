//! One step: every way in is visited once in the order of `sequence.rs`, junctions where something
//! is held are visited again (`rounds.rs`), and then what has passed is put into the curves.
//!
//! What passes only grows within a step, and nothing passes but what is there and what fits: so a
//! step may end after any visit.

use std::ops::ControlFlow;

use super::conditions::Turn;
use super::grain::{below, near};
use super::network::Network;
use super::plan::Plan;
use super::road::Receiving;
use super::shortest::labelled;
use super::state::State;
use crate::pace::Pace;

/// An origin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct OriginQueue {
    /// Wanted to enter so far.
    pub(super) demanded: f64,
    /// Part of a grain that is still to be demanded.
    pub(super) carry: f64,
    /// Entered so far.
    pub(super) entered: f64,
    /// Integral of who waits, pcu·s, since the start.
    pub(super) waited: f64,
}

impl OriginQueue {
    fn waiting(&self) -> f64 {
        self.demanded - self.entered
    }
}

/// When a step begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Number of the step.
    pub(super) step: u64,
    pub(super) from_s: f64,
    pub(super) step_s: f64,
}

/// A way out that takes less than so many times what enters it is watched: its junction is visited
/// as a whole.
const FULL: f64 = 4.0 / 3.0;

/// Labels of the ways that are visited before whoever watches may be asked.
const VISITED: usize = 2048;

/// Looks at the labels of a link that a visit of a way is taken for: on large networks it waits for
/// memory.
const LOOKS: usize = 8;

/// Lets all junctions pass.
pub(super) fn pass(
    state: &mut State,
    plan: &Plan,
    span: Span,
    pace: &mut Pace<'_>,
) -> ControlFlow<()> {
    demand(state, plan, span);
    if plan.is_limited() && state.mixing.is_none() {
        limit(state, plan, span);
    }
    for visits in plan.layout().sequence.visits.chunks(VISITED / plan.labels()) {
        visited(visits.len(), plan, pace)?;
        for visit in visits {
            let way = visit.way as usize;
            if !state.watched[way] {
                alone(state, plan, way, span);
            } else if visit.last {
                super::rounds::visit(state, plan, plan.network().junction_of(way), 0, span);
            }
        }
    }
    super::rounds::again(state, plan, span, pace)?;
    settle(state, plan, span);
    ControlFlow::Continue(())
}

/// So many ways are visited.
pub(super) fn visited(ways: usize, plan: &Plan, pace: &mut Pace<'_>) -> ControlFlow<()> {
    labelled(LOOKS * ways, plan.labels(), pace)
}

/// Adds the demand of the step to the queues at origins.
fn demand(state: &mut State, plan: &Plan, span: Span) {
    let links = state.roads.len();
    let time = (span.from_s, span.from_s + span.step_s);
    for (origin, queue) in state.origins.iter_mut().enumerate() {
        let mut mixing = state.mixing.as_mut();
        if let Some(mixing) = &mut mixing {
            mixing.open(links + origin, span.step);
        }
        let wanted = plan.profiles().arrivals(origin, time, |rates, time_s| {
            if let Some(mixing) = &mut mixing {
                mixing.arrive(links + origin, rates, time_s);
            }
        });
        queue.waited += queue.waiting() * span.step_s / 2.0;
        let exact = wanted + queue.carry;
        let whole = near(exact);
        queue.carry = exact - whole;
        queue.demanded += whole;
        let sending = &mut state.sending[links + origin];
        (sending.due, sending.flow) = (queue.waiting(), 0.0);
        sending.most = plan.gate(links + origin) * span.step_s;
    }
}

/// Cuts what ways send to what their movements let through, where shares are given.
fn limit(state: &mut State, plan: &Plan, span: Span) {
    for (way, sending) in state.sending.iter_mut().enumerate() {
        let shares = &state.conditions.shares[plan.network().moves(way)];
        let (limit, green) = plan.limit(way, shares, span.from_s, span.step_s);
        sending.most = (sending.most * green).min(limit);
    }
}

/// What wants to leave a way, in whole grains.
pub(super) fn wish(state: &State, way: usize) -> f64 {
    let sending = &state.sending[way];
    let mut due = sending.due;
    if sending.gain > 0.0 {
        due += sending.gain * state.receiving[way].entering;
    }
    near(due.min(sending.most) - sending.flow).max(0.0)
}

/// Visits one way of a junction that has room for all; where it turns out to have none, the
/// junction is visited as a whole from now on.
pub(super) fn alone(state: &mut State, plan: &Plan, way: usize, span: Span) {
    let wish = wish(state, way);
    if wish <= 0.0 {
        return;
    }
    if state.mixing.is_some() {
        return alone_mixed(state, plan, (way, wish), span);
    }
    let State { sending, receiving, conditions, .. } = state;
    let turns = conditions.turns(way);
    let mut spare = f64::INFINITY;
    for turn in turns {
        let out = &receiving[turn.to as usize];
        spare = spare.min(out.room - FULL * (out.entering + wish * turn.share));
    }
    if spare < 0.0 && !fits(receiving, turns, wish) {
        return super::rounds::watch(state, plan.network(), way, true);
    }
    if !turns.is_empty() {
        sending[way].flow += wish;
        divide(receiving, turns, wish);
    }
    if spare < 0.0 {
        super::rounds::watch(state, plan.network(), way, false);
    }
}

fn fits(receiving: &[Receiving], turns: &[Turn], flow: f64) -> bool {
    let fits = |out: &Receiving, share| out.entering + flow * share <= out.room;
    turns.iter().all(|turn| fits(&receiving[turn.to as usize], turn.share))
}

/// Divides a flow into whole grains that sum to it exactly.
fn divide(receiving: &mut [Receiving], turns: &[Turn], flow: f64) {
    let Some((largest, others)) = turns.split_first() else { return };
    let mut rest = flow;
    for turn in others {
        let part = below(flow * turn.share).max(0.0);
        rest -= part;
        receiving[turn.to as usize].entering += part;
    }
    receiving[largest.to as usize].entering += rest;
}

/// The same, where who is first on the way has to be known before.
fn alone_mixed(state: &mut State, plan: &Plan, (way, wish): (usize, f64), span: Span) {
    let network = plan.network();
    let wish = near(super::share::prepare(state, plan, (way, wish), span));
    let moves = network.moves(way);
    let mut spare = f64::INFINITY;
    for (movement, share) in moves.clone().zip(&state.conditions.shares[moves]) {
        let out = &state.receiving[network.target(movement) as usize];
        let filled = out.entering + wish * share;
        if filled > out.room {
            return super::rounds::watch(state, network, way, true);
        }
        spare = spare.min(out.room - FULL * filled);
    }
    if wish > 0.0 {
        go(state, network, (way, wish), span);
    }
    if spare < 0.0 {
        super::rounds::watch(state, network, way, false);
    }
}

/// Lets a flow in whole grains leave a way.
pub(super) fn go(state: &mut State, network: &Network, (way, flow): (usize, f64), span: Span) {
    state.sending[way].flow += flow;
    let Some(mixing) = &mut state.mixing else {
        return divide(&mut state.receiving, state.conditions.turns(way), flow);
    };
    mixing.carry(network, (way, flow), span.step);
    let moves = network.moves(way);
    let shares = &state.conditions.shares[moves.clone()];
    let mut rest = flow;
    let (mut largest, mut most) = (moves.start, 0.0);
    for (movement, share) in moves.zip(shares).filter(|(_, share)| **share > 0.0) {
        if *share > most {
            (largest, most) = (movement, *share);
        }
        let part = below(flow * share).max(0.0);
        rest -= part;
        state.receiving[network.target(movement) as usize].entering += part;
    }
    state.receiving[network.target(largest) as usize].entering += rest;
}

/// Puts what has passed into the curves, and looks ahead to the next step.
fn settle(state: &mut State, plan: &Plan, span: Span) {
    let State { roads, sending, receiving, rings, conditions, .. } = state;
    let (links, ways_out) = (roads.len(), receiving.len());
    let ends = sending.iter_mut().zip(&mut receiving[..links]);
    let tables = conditions.links.iter().zip(&plan.layout().pasts);
    for ((road, (sending, receiving)), (now, past)) in roads.iter_mut().zip(ends).zip(tables) {
        let (up, down) = past.of(rings);
        road.settle((sending, receiving), (up, down), span.step_s);
        road.aim(now, (up, down), (sending, receiving));
    }
    for (queue, sending) in state.origins.iter_mut().zip(&state.sending[links..]) {
        queue.entered += sending.flow;
        queue.waited += queue.waiting() * span.step_s / 2.0;
    }
    for (sink, receiving) in state.sinks.iter_mut().zip(&mut state.receiving[links..ways_out]) {
        *sink += std::mem::take(&mut receiving.entering);
    }
}
