//! One junction, one step: what wants to pass, what may, and what then stands in the curves.
//! A junction reads only what is settled before its step and writes only its own ends of links, so
//! the order of junctions does not matter.

use super::curve::Curve;
use super::grain::{below, near};
use super::node::{WaysIn, solve};
use super::plan::Plan;
use super::state::{Scratch, State};

/// The exit of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ExitEnd {
    /// Left so far.
    pub(super) count: f64,
    /// Would have left so far, had nobody waited on this link.
    pub(super) arrived: f64,
    /// Integral of `count` in this interval, pcu·s.
    pub(super) area: f64,
    /// Integral of who waits, pcu·s.
    pub(super) waited: f64,
}

/// The entrance of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct EntranceEnd {
    /// Entered so far.
    pub(super) count: f64,
    /// Integral of `count` in this interval, pcu·s.
    pub(super) area: f64,
    /// Whether it took less than wanted to enter, since routes were last chosen.
    pub(super) held: bool,
}

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

/// When a junction's step begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) tick: u64,
    pub(super) ticks: u64,
    pub(super) from_s: f64,
    pub(super) step_s: f64,
}

/// Lets one junction pass.
pub(super) fn pass(state: &mut State, plan: &Plan, junction: usize, span: Span) {
    receive(state, plan, junction, span);
    if let Some(mixing) = &mut state.mixing {
        for out in plan.network().outs(junction) {
            mixing.open(*out as usize, span.tick);
        }
    }
    if send(state, plan, junction, span) {
        hold(state, plan, junction);
    }
    leave(state, plan, junction, span);
    enter(state, plan, junction, span);
}

/// What each way out takes: `min(N_dn(t+Δ−L/w) + k_j·L − N_up(t), q·Δ)`.
fn receive(state: &mut State, plan: &Plan, junction: usize, span: Span) {
    let network = plan.network();
    let curves = &plan.layout().down;
    let Scratch { rooms, wanted, entering, .. } = &mut state.scratch;
    for (place, out) in network.outs(junction).iter().enumerate() {
        let out = *out as usize;
        (wanted[place], entering[place]) = (0.0, 0.0);
        rooms[place] = match state.conditions.links.get(out) {
            Some(now) if now.open => {
                let tick = span.tick + span.ticks - now.room.whole;
                let left = curves[out].at(&state.down, tick, now.room.part);
                let room = left + now.storage - state.entrances[out].count;
                room.min(now.capacity * span.step_s).max(0.0)
            }
            Some(_) => 0.0,
            None => {
                let sink = network.destinations()[out - state.entrances.len()];
                sink.capacity_pcu_s.map_or(f64::INFINITY, |capacity| capacity * span.step_s)
            }
        };
    }
}

/// What each way in sends: `min(N_up(t+Δ−L/u) − N_dn(t), q·Δ)`, and where to. True when that is
/// more than some way out takes.
fn send(state: &mut State, plan: &Plan, junction: usize, span: Span) -> bool {
    let network = plan.network();
    for (place, way) in network.ins(junction).iter().enumerate() {
        let way = *way as usize;
        let (mut sending, mut most) = match state.conditions.links.get(way) {
            Some(now) => {
                let tick = span.tick + span.ticks - now.reach.whole;
                let end = &state.exits[way];
                let arrived = plan.layout().up[way].at(&state.up, tick, now.reach.part);
                let arrived = arrived.max(end.arrived);
                state.scratch.arrived[place] = arrived;
                (arrived - end.count, now.capacity * span.step_s)
            }
            None => (demand(state, plan, way, span), plan.gate(way) * span.step_s),
        };
        sending = near(sending.min(most)).max(0.0);
        let moves = network.moves(way);
        if sending > 0.0
            && let Some(mixing) = &mut state.mixing
        {
            let shares = &mut state.conditions.shares[moves.clone()];
            sending = mixing.prepare(network, (way, sending), shares);
        }
        let shares = &state.conditions.shares[moves];
        let (limit, green) = plan.limit(way, shares, span.from_s, span.step_s);
        most = (most * green).min(limit);
        sending = sending.min(most);
        (state.scratch.sending[place], state.scratch.priority[place]) = (sending, most);
        if sending > 0.0 {
            let mut sum = 0.0;
            for (to, share) in network.places(way).iter().zip(shares) {
                state.scratch.wanted[usize::from(*to)] += sending * share;
                sum += share;
            }
            // Nowhere to go: all its movements are barred.
            if sum <= 0.0 {
                state.scratch.sending[place] = 0.0;
            }
        }
        state.scratch.flows[place] = state.scratch.sending[place];
    }
    let outs = network.outs(junction).len();
    let Scratch { wanted, rooms, .. } = &state.scratch;
    wanted[..outs].iter().zip(&rooms[..outs]).any(|(wanted, room)| wanted > room)
}

/// Vehicles that may leave an origin in this step, whose demand is added to its queue.
fn demand(state: &mut State, plan: &Plan, way: usize, span: Span) -> f64 {
    let origin = way - state.exits.len();
    let mut mixing = state.mixing.as_mut();
    if let Some(mixing) = &mut mixing {
        mixing.open(way, span.tick);
    }
    let time = (span.from_s, span.from_s + span.step_s);
    let wanted = plan.profiles().arrivals(origin, time, |rates, time_s| {
        if let Some(mixing) = &mut mixing {
            mixing.arrive(way, rates, time_s);
        }
    });
    let queue = &mut state.origins[origin];
    queue.waited += queue.waiting() * span.step_s / 2.0;
    let exact = wanted + queue.carry;
    let whole = near(exact);
    queue.carry = exact - whole;
    queue.demanded += whole;
    queue.waiting()
}

/// Runs the node model: some way out is full.
fn hold(state: &mut State, plan: &Plan, junction: usize) {
    let network = plan.network();
    let (ins, outs) = (network.ins(junction), network.outs(junction).len());
    let Scratch { sending, priority, flows, first, places, shares, rooms, wanted, .. } =
        &mut state.scratch;
    places.clear();
    shares.clear();
    for (place, way) in ins.iter().enumerate() {
        first[place] = places.len();
        places.extend_from_slice(network.places(*way as usize));
        shares.extend_from_slice(&state.conditions.shares[network.moves(*way as usize)]);
    }
    first[ins.len()] = places.len();
    for (place, out) in network.outs(junction).iter().enumerate() {
        if let Some(end) = state.entrances.get_mut(*out as usize) {
            end.held |= wanted[place] > rooms[place];
        }
    }
    let ways = WaysIn {
        sending: &sending[..ins.len()],
        priority: &priority[..ins.len()],
        first: &first[..=ins.len()],
        places,
        shares,
    };
    solve(&ways, &mut rooms[..outs], &mut wanted[..outs], &mut flows[..ins.len()]);
}

/// Takes the flows off the ways in.
fn leave(state: &mut State, plan: &Plan, junction: usize, span: Span) {
    let network = plan.network();
    let end_tick = span.tick + span.ticks;
    for (place, way) in network.ins(junction).iter().enumerate() {
        let way = *way as usize;
        let flow = near(state.scratch.flows[place]);
        if flow > 0.0 {
            let shares = &state.conditions.shares[network.moves(way)];
            split(flow, network.places(way), shares, &mut state.scratch.entering);
            if let Some(mixing) = &mut state.mixing {
                mixing.carry(network, way, flow);
            }
        }
        if let Some(end) = state.exits.get_mut(way) {
            let (count, waiting) = (end.count, end.arrived - end.count);
            end.count += flow;
            end.arrived = state.scratch.arrived[place];
            end.area += (count + end.count) * (span.step_s / 2.0);
            end.waited += (waiting + (end.arrived - end.count)) * (span.step_s / 2.0);
            let curve: &Curve = &plan.layout().down[way];
            curve.write(&mut state.down, end_tick, end.count);
        } else {
            let queue = &mut state.origins[way - state.exits.len()];
            queue.entered += flow;
            queue.waited += queue.waiting() * span.step_s / 2.0;
        }
    }
}

/// Divides a flow by shares into whole grains that sum to it exactly.
fn split(flow: f64, places: &[u16], shares: &[f64], entering: &mut [f64]) {
    let (mut largest, mut most, mut rest) = (0, 0.0, flow);
    for (place, share) in places.iter().zip(shares) {
        let place = usize::from(*place);
        let part = below(flow * share).max(0.0);
        entering[place] += part;
        rest -= part;
        if *share > most {
            (largest, most) = (place, *share);
        }
    }
    entering[largest] += rest;
}

/// Puts the flows on the ways out.
fn enter(state: &mut State, plan: &Plan, junction: usize, span: Span) {
    let end_tick = span.tick + span.ticks;
    for (place, out) in plan.network().outs(junction).iter().enumerate() {
        let out = *out as usize;
        let flow = state.scratch.entering[place];
        if let Some(end) = state.entrances.get_mut(out) {
            let count = end.count;
            end.count += flow;
            end.area += (count + end.count) * (span.step_s / 2.0);
            plan.layout().up[out].write(&mut state.up, end_tick, end.count);
        } else {
            state.sinks[out - state.entrances.len()] += flow;
        }
    }
}
