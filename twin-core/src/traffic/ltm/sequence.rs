//! The order of a step. A link that vehicles pass in less than a step is visited after all ways
//! that lead into it, so that who enters it can leave it in the same step: its travel time holds
//! at any length, without smaller steps. Links that are longer need nobody; among all that are
//! ready the first in the model's numbering comes next, so that a step still reads memory in order.
//!
//! Short links in a circle cannot all come after each other. One of them comes too early, and is
//! visited once more (`rounds.rs`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::network::Network;

/// One visit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Visit {
    /// The way in.
    pub(super) way: u32,
    /// Whether it is the last of its junction.
    pub(super) last: bool,
}

/// In which order ways into junctions are visited.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sequence {
    pub(super) visits: Vec<Visit>,
    /// Per way in, its place among the visits.
    pub(super) places: Vec<u32>,
    /// Short links that a later way leads into.
    pub(super) early: Vec<u32>,
}

impl Sequence {
    /// For a network of which these links are passed in less than a step.
    pub(super) fn new(network: &Network, short: &[bool]) -> Sequence {
        let is_short = |out: usize| short.get(out).copied().unwrap_or(false);
        let mut awaited: Vec<usize> = (0..network.ways_in())
            .map(|way| if is_short(way) { network.feeders(way).len() } else { 0 })
            .collect();
        let key = |way: usize| Reverse((network.junction_of(way), way));
        let mut ready: BinaryHeap<_> =
            (0..awaited.len()).filter(|way| awaited[*way] == 0).map(key).collect();
        let mut places = vec![u32::MAX; awaited.len()];
        let (mut order, mut next) = (Vec::with_capacity(awaited.len()), 0);
        while order.len() < awaited.len() {
            let way = ready.pop().map_or_else(
                || {
                    // A circle: the first that is left.
                    while places[next] != u32::MAX {
                        next += 1;
                    }
                    awaited[next] = 0;
                    next
                },
                |Reverse((_, way))| way,
            );
            places[way] = small(order.len());
            order.push(way);
            for movement in network.moves(way) {
                let out = network.target(movement) as usize;
                if is_short(out) && places[out] == u32::MAX && awaited[out] > 0 {
                    awaited[out] -= 1;
                    if awaited[out] == 0 {
                        ready.push(key(out));
                    }
                }
            }
        }
        let last = |way: &usize| {
            let others = network.ins(network.junction_of(*way)).iter();
            others.map(|other| places[*other as usize]).max() == Some(places[*way])
        };
        let visits = order.iter().map(|way| Visit { way: small(*way), last: last(way) }).collect();
        let is_early = |link: &usize| {
            let mut feeders = network.feeders(*link).iter();
            feeders.any(|(way, _)| places[*way as usize] >= places[*link])
        };
        let early = (0..short.len()).filter(|link| short[*link]).filter(is_early).map(small);
        let early = early.collect();
        Sequence { visits, places, early }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("ways are counted in u32")
}
