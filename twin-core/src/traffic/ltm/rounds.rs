//! Junctions that are visited more than once in a step: where a way out was full and takes more
//! when it has let some out, and where vehicles came in after their link had been visited. Against
//! the order of the first visits and with it, in turns, so that both vehicles and the holes behind
//! them get along whole rows of short links in one round.

use std::ops::ControlFlow;

use super::network::Network;
use super::pass::{Span, alone, visited, wish};
use super::plan::Plan;
use super::share::{NodeTables, share};
use super::state::State;
use crate::pace::Pace;

/// Most rounds of a step, and most visits of ways for each one that is early. What has not passed
/// by then passes in the next step.
const ROUNDS: usize = 64;

/// A part of what has left a link in this step, and a flow in pcu: for less nobody comes back.
const WORTH: (f64, f64) = (1.0 / 65536.0, 1e-6);

/// Which junctions are to be visited again; as long as it may get, so that a step allocates
/// nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Work {
    pub(super) node: NodeTables,
    /// Ways to be visited again, and per way whether it is one of them.
    ways: Vec<u32>,
    queued: Vec<bool>,
    /// Junctions of this round, and of the next.
    list: Vec<u32>,
    next: Vec<u32>,
    /// Per junction, whether it is in one of them.
    listed: Vec<bool>,
    /// Junctions that had no room for all in this step.
    held: Vec<u32>,
    /// Per junction, whether it is in it.
    holds: Vec<bool>,
}

impl Work {
    pub(super) fn new(plan: &Plan) -> Work {
        let junctions = plan.network().junctions();
        Work {
            node: NodeTables::new(plan.network().widest()),
            ways: Vec::with_capacity(plan.network().ways_in()),
            queued: vec![false; plan.network().ways_in()],
            list: Vec::with_capacity(junctions),
            next: Vec::with_capacity(junctions),
            listed: vec![false; junctions],
            held: Vec::with_capacity(junctions),
            holds: vec![false; junctions],
        }
    }

    fn add(&mut self, junction: usize) {
        if !std::mem::replace(&mut self.listed[junction], true) {
            self.next.push(small(junction));
        }
    }

    fn hold(&mut self, junction: usize) {
        if !std::mem::replace(&mut self.holds[junction], true) {
            self.held.push(small(junction));
        }
    }
}

/// Visits the junction of a way as a whole from now on; in this step, too, if it is `held`.
#[cold]
pub(super) fn watch(state: &mut State, network: &Network, way: usize, held: bool) {
    let junction = network.junction_of(way);
    for way in network.ins(junction) {
        state.watched[*way as usize] = true;
    }
    if held {
        state.work.hold(junction);
        state.work.add(junction);
    }
}

/// Visits a junction as a whole.
pub(super) fn visit(state: &mut State, plan: &Plan, junction: usize, round: usize, span: Span) {
    let network = plan.network();
    let before = flows(state, network, junction);
    let outcome = share(state, plan, junction, span);
    if outcome.held {
        state.work.hold(junction);
    } else if round == 0 && outcome.calm {
        for way in network.ins(junction) {
            state.watched[*way as usize] = false;
        }
    }
    if before >= flows(state, network, junction) {
        return;
    }
    let places = &plan.layout().sequence.places;
    let last = network.ins(junction).iter().map(|way| places[*way as usize]).max();
    for out in network.outs_by_kind(junction).0 {
        let out = *out as usize;
        let passed = round > 0 || Some(places[out]) <= last;
        if passed {
            return_to(state, network, out);
        }
    }
    if round > 0 {
        for way in network.ins_by_kind(junction).0 {
            make_room(state, network, *way as usize);
        }
    }
}

/// Goes on until there is nothing that is worth it.
pub(super) fn again(
    state: &mut State,
    plan: &Plan,
    span: Span,
    pace: &mut Pace<'_>,
) -> ControlFlow<()> {
    for link in &plan.layout().sequence.early {
        return_to(state, plan.network(), *link as usize);
    }
    follow(state, plan, span, pace)?;
    for number in 0..state.work.held.len() {
        state.work.add(state.work.held[number] as usize);
    }
    for round in 1..=ROUNDS {
        let mut list = std::mem::take(&mut state.work.list);
        std::mem::swap(&mut list, &mut state.work.next);
        list.sort_unstable();
        if !round.is_multiple_of(2) {
            list.reverse();
        }
        for junction in &list {
            visited(plan.network().ins(*junction as usize).len(), plan, pace)?;
            state.work.listed[*junction as usize] = false;
            visit(state, plan, *junction as usize, round, span);
        }
        list.clear();
        state.work.list = list;
        follow(state, plan, span, pace)?;
        if state.work.next.is_empty() {
            break;
        }
    }
    let Work { next, listed, held, holds, .. } = &mut state.work;
    next.drain(..).for_each(|junction| listed[junction as usize] = false);
    held.drain(..).for_each(|junction| holds[junction as usize] = false);
    ControlFlow::Continue(())
}

/// Comes back to the junction before a link that has let some out, if it held some there.
fn make_room(state: &mut State, network: &Network, link: usize) {
    let from = network.inside()[link].from as usize;
    if state.work.holds[from] && state.conditions.links[link].room.gain() > 0.0 {
        state.work.add(from);
    }
}

/// Comes back to a link that was visited, if it has more to send.
fn return_to(state: &mut State, network: &Network, link: usize) {
    if !is_worth(state, link) {
        return;
    }
    if state.watched[link] {
        state.work.add(network.junction_of(link));
    } else if !std::mem::replace(&mut state.work.queued[link], true) {
        state.work.ways.push(small(link));
    }
}

/// Visits ways again, and those that they lead into.
fn follow(state: &mut State, plan: &Plan, span: Span, pace: &mut Pace<'_>) -> ControlFlow<()> {
    let network = plan.network();
    let mut most = state.work.ways.len() * ROUNDS;
    while let Some(way) = state.work.ways.pop() {
        let way = way as usize;
        state.work.queued[way] = false;
        if most == 0 {
            continue;
        }
        most -= 1;
        visited(1, plan, pace)?;
        alone(state, plan, way, span);
        if way < state.roads.len() {
            make_room(state, network, way);
        }
        for movement in network.moves(way) {
            let out = network.target(movement) as usize;
            if out < state.roads.len() {
                return_to(state, network, out);
            }
        }
    }
    ControlFlow::Continue(())
}

/// Whether a link that was visited has more to send, of those who came after.
fn is_worth(state: &State, link: usize) -> bool {
    let sending = &state.sending[link];
    sending.gain > 0.0 && wish(state, link) > sending.flow * WORTH.0 + WORTH.1
}

/// What has passed a junction in this step.
fn flows(state: &State, network: &Network, junction: usize) -> f64 {
    network.ins(junction).iter().map(|way| state.sending[*way as usize].flow).sum()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("ways and junctions are counted in u32")
}
