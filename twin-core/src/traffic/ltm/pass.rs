//! One step of a batch of junctions: what wants to pass, what may (`share.rs`), and what then
//! stands in the curves. A junction reads only what is settled before its step and writes only its
//! own ends of links, so all junctions of a pace can be stepped together, in any order.

use super::batch::Batch;
use super::grain::near;
use super::layout::Layout;
use super::plan::Plan;
use super::share::{NodeTables, share};
use super::state::State;

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

/// What a way in does in one step, in pcu.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sending {
    /// Would have left by the end of the step, had nobody waited.
    pub(super) arrived: f64,
    /// The most that may leave.
    pub(super) most: f64,
    /// What wants to leave.
    pub(super) wish: f64,
    /// What leaves.
    pub(super) flow: f64,
}

/// What a way out does in one step, in pcu.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Receiving {
    /// What it takes.
    pub(super) room: f64,
    /// What wants to enter.
    pub(super) wanted: f64,
    /// What enters.
    pub(super) entering: f64,
}

/// Tables of a batch by slot, as long as the largest needs; here so that a step allocates nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scratch {
    pub(super) ins: Vec<Sending>,
    pub(super) outs: Vec<Receiving>,
    pub(super) node: NodeTables,
}

impl Scratch {
    pub(super) fn new(plan: &Plan) -> Scratch {
        let node = NodeTables::new(plan.network().widest());
        let mut scratch = Scratch { node, ..Scratch::default() };
        scratch.fit(plan.layout());
        scratch
    }

    /// Fits the batches of a layout.
    pub(super) fn fit(&mut self, layout: &Layout) {
        let (ins, outs) = layout.widest();
        self.ins = vec![Sending::default(); ins];
        self.outs = vec![Receiving::default(); outs];
    }
}

/// When a step begins and how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) tick: u64,
    pub(super) ticks: u64,
    pub(super) from_s: f64,
    pub(super) step_s: f64,
}

impl Span {
    fn end(self) -> u64 {
        self.tick + self.ticks
    }
}

/// Lets the junctions of a batch pass.
pub(super) fn pass(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    receive(state, plan, batch, span);
    send(state, plan, batch, span);
    for (slot, way) in (batch.links_in.len()..).zip(&batch.origins) {
        let way = *way as usize;
        let most = plan.gate(way) * span.step_s;
        let wish = near(demand(state, plan, way, span).min(most)).max(0.0);
        state.scratch.ins[slot] = Sending { arrived: 0.0, most, wish, flow: wish };
    }
    share(state, plan, batch, span);
    leave(state, plan, batch, span);
    enter(state, plan, batch, span);
}

/// What each way out takes: `min(N_dn(t+Δ−L/w) + k_j·L − N_up(t), q·Δ)`.
fn receive(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    let State { scratch, conditions, entrances, down, .. } = state;
    let curves = &plan.layout().down;
    let (roads, ends) = scratch.outs.split_at_mut(batch.links_out.len());
    for (to, out) in roads.iter_mut().zip(&batch.links_out) {
        let out = *out as usize;
        let now = &conditions.links[out];
        let left = curves[out].at(down, span.end() - now.room.whole, now.room.part);
        let most = if now.open { now.capacity * span.step_s } else { 0.0 };
        let room = (left + now.storage - entrances[out].count).min(most).max(0.0);
        *to = Receiving { room, wanted: 0.0, entering: 0.0 };
    }
    for (to, out) in ends.iter_mut().zip(&batch.sinks) {
        let sink = plan.network().destinations()[*out as usize - entrances.len()];
        let room = sink.capacity_pcu_s.map_or(f64::INFINITY, |capacity| capacity * span.step_s);
        *to = Receiving { room, wanted: 0.0, entering: 0.0 };
    }
}

/// What each link that leads in sends: `min(N_up(t+Δ−L/u) − N_dn(t), q·Δ)`.
fn send(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    let State { scratch, conditions, exits, up, .. } = state;
    let curves = &plan.layout().up;
    for (from, way) in scratch.ins.iter_mut().zip(&batch.links_in) {
        let way = *way as usize;
        let (now, end) = (&conditions.links[way], &exits[way]);
        let tick = span.end() - now.reach.whole;
        let arrived = curves[way].at(up, tick, now.reach.part).max(end.arrived);
        let most = now.capacity * span.step_s;
        let wish = near((arrived - end.count).min(most)).max(0.0);
        *from = Sending { arrived, most, wish, flow: wish };
    }
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

/// Takes the flows off the ways in.
fn leave(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    let State { scratch, exits, origins, down, .. } = state;
    let half_s = span.step_s / 2.0;
    let (from_roads, from_origins) = scratch.ins.split_at(batch.links_in.len());
    for (from, way) in from_roads.iter().zip(&batch.links_in) {
        let end = &mut exits[*way as usize];
        let (count, waiting) = (end.count, end.arrived - end.count);
        end.count += from.flow;
        end.arrived = from.arrived;
        end.area += (count + end.count) * half_s;
        end.waited += (waiting + (end.arrived - end.count)) * half_s;
        plan.layout().down[*way as usize].write(down, span.end(), end.count);
    }
    for (from, way) in from_origins.iter().zip(&batch.origins) {
        let queue = &mut origins[*way as usize - exits.len()];
        queue.entered += from.flow;
        queue.waited += queue.waiting() * span.step_s / 2.0;
    }
}

/// Puts the flows on the ways out.
fn enter(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    let State { scratch, entrances, sinks, up, .. } = state;
    let half_s = span.step_s / 2.0;
    let (roads, ends) = scratch.outs.split_at(batch.links_out.len());
    for (to, out) in roads.iter().zip(&batch.links_out) {
        let end = &mut entrances[*out as usize];
        let count = end.count;
        end.count += to.entering;
        end.area += (count + end.count) * half_s;
        plan.layout().up[*out as usize].write(up, span.end(), end.count);
    }
    for (to, out) in ends.iter().zip(&batch.sinks) {
        sinks[*out as usize - entrances.len()] += to.entering;
    }
}
