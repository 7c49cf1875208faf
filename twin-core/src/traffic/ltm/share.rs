//! Who passes the junctions of a batch, and where to.
//!
//! With turning shares everything but a full way out is done for all movements at once. With
//! destinations, or limits, who is first on a way has to be known before.

use super::batch::{Batch, Crossing};
use super::conditions::{Conditions, NOWHERE};
use super::grain::{below, near};
use super::node::{WaysIn, solve};
use super::pass::{EntranceEnd, Receiving, Scratch, Sending, Span};
use super::plan::Plan;
use super::state::State;

/// Tables of one junction for the node model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NodeTables {
    sending: Vec<f64>,
    priority: Vec<f64>,
    flows: Vec<f64>,
    first: Vec<usize>,
    places: Vec<u16>,
    shares: Vec<f64>,
    rooms: Vec<f64>,
    weights: Vec<f64>,
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
            weights: Vec::with_capacity(outs),
        }
    }

    fn clear(&mut self) {
        let NodeTables { sending, priority, flows, first, places, shares, rooms, weights } = self;
        for table in [sending, priority, flows, shares, rooms, weights] {
            table.clear();
        }
        first.clear();
        places.clear();
    }
}

/// Finds what leaves each way in and enters each way out.
pub(super) fn share(state: &mut State, plan: &Plan, batch: &Batch, span: Span) {
    if state.mixing.is_some() {
        for at in &batch.crossings {
            with_destinations(state, plan, (batch, at), span);
        }
        return;
    }
    for (slot, way) in batch.links_in.iter().chain(&batch.origins).enumerate() {
        // Nowhere to go: all its movements are barred.
        if state.conditions.largest[*way as usize] == NOWHERE {
            (state.scratch.ins[slot].wish, state.scratch.ins[slot].flow) = (0.0, 0.0);
        }
        if plan.is_limited() {
            limit(state, plan, (slot, *way as usize), span);
        }
    }
    let State { scratch, conditions, entrances, .. } = state;
    for turn in &batch.turns {
        let wanted =
            scratch.ins[turn.from as usize].wish * conditions.shares[turn.movement as usize];
        scratch.outs[turn.to as usize].wanted += wanted;
    }
    let (ins, outs) = batch.size();
    if scratch.outs[..outs].iter().any(|out| out.wanted > out.room) {
        for at in &batch.crossings {
            hold(scratch, conditions, entrances, (batch, at));
        }
    }
    for from in &mut scratch.ins[..ins] {
        from.flow = near(from.flow).max(0.0);
        // The rest of the flow, from here on.
        from.wish = from.flow;
    }
    for turn in &batch.turns {
        let from = &mut scratch.ins[turn.from as usize];
        let part = below(from.flow * conditions.shares[turn.movement as usize]).max(0.0);
        from.wish -= part;
        scratch.outs[turn.to as usize].entering += part;
    }
    for (slot, way) in batch.links_in.iter().chain(&batch.origins).enumerate() {
        let largest = conditions.largest[*way as usize];
        if largest != NOWHERE {
            let first = batch.turns(slot)[0].movement;
            let turn = batch.turns(slot)[(largest - first) as usize];
            scratch.outs[turn.to as usize].entering += scratch.ins[slot].wish;
        }
    }
}

/// One junction, where vehicles have destinations.
fn with_destinations(state: &mut State, plan: &Plan, (batch, at): (&Batch, &Crossing), span: Span) {
    if let Some(mixing) = &mut state.mixing {
        for out in &batch.links_out[at.links_out.start as usize..at.links_out.end as usize] {
            mixing.open(*out as usize, span.tick);
        }
    }
    for (slot, way) in batch.ins(at) {
        limit(state, plan, (slot, way), span);
        let Scratch { ins, outs, .. } = &mut state.scratch;
        let from = &mut ins[slot];
        if from.wish > 0.0 {
            let mut sum = 0.0;
            for turn in batch.turns(slot) {
                let share = state.conditions.shares[turn.movement as usize];
                outs[turn.to as usize].wanted += from.wish * share;
                sum += share;
            }
            if sum <= 0.0 {
                (from.wish, from.flow) = (0.0, 0.0);
            }
        }
    }
    hold(&mut state.scratch, &state.conditions, &mut state.entrances, (batch, at));
    for (slot, way) in batch.ins(at) {
        let flow = near(state.scratch.ins[slot].flow).max(0.0);
        state.scratch.ins[slot].flow = flow;
        if flow > 0.0 {
            split(flow, (batch, slot), &state.conditions.shares, &mut state.scratch.outs);
            if let Some(mixing) = &mut state.mixing {
                mixing.carry(plan.network(), way, flow);
            }
        }
    }
}

/// Finds who is first on a way, and cuts what it sends to what its movements let through.
fn limit(state: &mut State, plan: &Plan, (slot, way): (usize, usize), span: Span) {
    let moves = plan.network().moves(way);
    let from = &mut state.scratch.ins[slot];
    if from.wish > 0.0
        && let Some(mixing) = &mut state.mixing
    {
        let shares = &mut state.conditions.shares[moves.clone()];
        from.wish = mixing.prepare(plan.network(), (way, from.wish), shares);
    }
    let shares = &state.conditions.shares[moves];
    let (limit, green) = plan.limit(way, shares, span.from_s, span.step_s);
    from.most = (from.most * green).min(limit);
    from.wish = from.wish.min(from.most);
    from.flow = from.wish;
}

/// Runs the node model, where some way out is full.
fn hold(
    scratch: &mut Scratch,
    conditions: &Conditions,
    entrances: &mut [EntranceEnd],
    (batch, at): (&Batch, &Crossing),
) {
    let Scratch { ins, outs, node } = scratch;
    if !batch.outs(at).any(|slot| outs[slot].wanted > outs[slot].room) {
        return;
    }
    node.clear();
    for (slot, _) in batch.ins(at) {
        let Sending { wish, most, .. } = ins[slot];
        node.first.push(node.places.len());
        for turn in batch.turns(slot) {
            node.places.push(place(batch, at, turn.to));
            node.shares.push(conditions.shares[turn.movement as usize]);
        }
        node.sending.push(wish);
        node.priority.push(most);
        node.flows.push(wish);
    }
    node.first.push(node.places.len());
    for slot in batch.outs(at) {
        node.rooms.push(outs[slot].room);
        node.weights.push(0.0);
        if let Some(out) = batch.links_out.get(slot) {
            entrances[*out as usize].held |= outs[slot].wanted > outs[slot].room;
        }
    }
    let NodeTables { sending, priority, flows, first, places, shares, rooms, weights } = node;
    let ways = WaysIn { sending, priority, first, places, shares };
    solve(&ways, rooms, weights, flows);
    for ((slot, _), flow) in batch.ins(at).zip(flows) {
        ins[slot].flow = *flow;
    }
}

/// The place of a way out among those of its junction.
fn place(batch: &Batch, at: &Crossing, slot: u32) -> u16 {
    let place = if (slot as usize) < batch.links_out.len() {
        slot - at.links_out.start
    } else {
        let sink = slot as usize - batch.links_out.len();
        at.links_out.end - at.links_out.start
            + (u32::try_from(sink).expect("slots are u32") - at.sinks.start)
    };
    u16::try_from(place).expect("checked when the network was joined")
}

/// Divides a flow by shares into whole grains that sum to it exactly.
fn split(flow: f64, (batch, slot): (&Batch, usize), shares: &[f64], outs: &mut [Receiving]) {
    let (mut largest, mut most, mut rest) = (None, 0.0, flow);
    for turn in batch.turns(slot) {
        let share = shares[turn.movement as usize];
        let part = below(flow * share).max(0.0);
        outs[turn.to as usize].entering += part;
        rest -= part;
        if share > most {
            (largest, most) = (Some(turn.to), share);
        }
    }
    let largest = largest.expect("who goes has somewhere to go");
    outs[largest as usize].entering += rest;
}
