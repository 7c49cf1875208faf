//! Who passes a junction that is visited as a whole, and what a way sends where vehicles have
//! destinations.

use super::network::Network;
use super::node::{WaysIn, solve};
use super::pass::{Span, go, wish};
use super::plan::Plan;
use super::road::Receiving;
use super::state::State;

/// Tables of one junction for the node model, as long as the largest needs: a step allocates
/// nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NodeTables {
    sending: Vec<f64>,
    priority: Vec<f64>,
    flows: Vec<f64>,
    first: Vec<usize>,
    places: Vec<u16>,
    shares: Vec<f64>,
    rooms: Vec<f64>,
    wanted: Vec<f64>,
}

/// How a junction is after a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// Whether some way out had no room for all.
    pub(super) held: bool,
    /// Whether all ways out are at most half full.
    pub(super) calm: bool,
}

impl NodeTables {
    /// For at most so many ways in and out of a junction.
    pub(super) fn new((ins, outs): (usize, usize)) -> NodeTables {
        NodeTables {
            sending: Vec::with_capacity(ins),
            priority: Vec::with_capacity(ins),
            flows: Vec::with_capacity(ins),
            first: Vec::with_capacity(ins + 1),
            places: Vec::with_capacity(ins * outs),
            shares: Vec::with_capacity(ins * outs),
            rooms: Vec::with_capacity(outs),
            wanted: Vec::with_capacity(outs),
        }
    }

    fn clear(&mut self) {
        let NodeTables { sending, priority, flows, first, places, shares, rooms, wanted } = self;
        for table in [sending, priority, flows, shares, rooms, wanted] {
            table.clear();
        }
        first.clear();
        places.clear();
    }

    /// Adds a way in, and what it wants.
    fn add(&mut self, network: &Network, state: &State, (way, wish): (usize, f64)) {
        let moves = network.moves(way);
        let shares = &state.conditions.shares[moves];
        self.first.push(self.places.len());
        self.sending.push(wish);
        self.priority.push(state.sending[way].most);
        self.flows.push(wish);
        for (place, share) in network.places(way).iter().zip(shares) {
            self.wanted[usize::from(*place)] += wish * share;
            self.places.push(*place);
            self.shares.push(*share);
        }
    }

    fn solve(&mut self) {
        self.first.push(self.places.len());
        let NodeTables { sending, priority, flows, first, places, shares, rooms, wanted } = self;
        let ways = WaysIn { sending, priority, first, places, shares };
        solve(&ways, rooms, wanted, flows);
    }
}

/// Lets a junction pass what is there and fits, beyond what has passed in this step.
pub(super) fn share(state: &mut State, plan: &Plan, junction: usize, span: Span) -> Outcome {
    let network = plan.network();
    let mut node = std::mem::take(&mut state.work.node);
    node.clear();
    let mut outcome = Outcome { held: false, calm: true };
    for out in network.outs(junction) {
        node.rooms.push(room(state, *out as usize));
        node.wanted.push(0.0);
    }
    for way in network.ins(junction) {
        let way = *way as usize;
        let mut wish = wish(state, way);
        if wish > 0.0 {
            wish = prepare(state, plan, (way, wish), span);
        }
        node.add(network, state, (way, wish));
    }
    for ((out, room), wanted) in network.outs(junction).iter().zip(&node.rooms).zip(&node.wanted) {
        let out = *out as usize;
        let entering = state.receiving[out].entering;
        outcome.calm &= 2.0 * (entering + wanted) <= entering + room;
        if wanted > room {
            outcome.held = true;
            if let Some(held) = state.held.get_mut(out) {
                *held = true;
            }
        }
    }
    if outcome.held {
        node.solve();
    }
    for (way, flow) in network.ins(junction).iter().zip(&node.flows) {
        let flow = super::grain::near(*flow).max(0.0);
        if flow > 0.0 {
            go(state, network, (*way as usize, flow), span);
        }
    }
    state.work.node = node;
    outcome
}

/// What a way out takes besides what has entered, now that some may have left it.
fn room(state: &State, out: usize) -> f64 {
    let Receiving { room, entering } = state.receiving[out];
    let (Some(road), Some(now)) = (state.roads.get(out), state.conditions.links.get(out)) else {
        return room - entering;
    };
    let gain = now.room.gain();
    if gain <= 0.0 || !now.open {
        return (room - entering).max(0.0);
    }
    let left = road.left + gain * state.sending[out].flow;
    let room = (left + now.storage - road.entered).min(now.most);
    (room - entering).max(0.0)
}

/// Finds who is first on a way, and cuts what it sends to what its movements let through.
pub(super) fn prepare(
    state: &mut State,
    plan: &Plan,
    (way, mut wish): (usize, f64),
    span: Span,
) -> f64 {
    let Some(mixing) = &mut state.mixing else {
        let barred = state.conditions.turns(way).is_empty();
        return if barred { 0.0 } else { wish };
    };
    let shares = &mut state.conditions.shares[plan.network().moves(way)];
    wish = mixing.prepare(plan.network(), (way, wish), shares);
    if !plan.is_limited() {
        return wish;
    }
    let sending = &mut state.sending[way];
    let (limit, green) = plan.limit(way, shares, span.from_s, span.step_s);
    let most = match state.conditions.links.get(way) {
        Some(now) => now.most,
        None => plan.gate(way) * span.step_s,
    };
    sending.most = (most * green).min(limit);
    // Who comes next may want another movement, whose limit others have used up.
    let used_up = limit.is_finite() && sending.flow > 0.0;
    if used_up { 0.0 } else { wish.min(sending.most - sending.flow).max(0.0) }
}
