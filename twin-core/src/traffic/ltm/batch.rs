//! Batches: junctions that are stepped together, and the tables of a step over them. All that is
//! the same for every way in or out is done in one loop over a batch, without a branch, so that a
//! processor can fetch many curves at a time; only what is rare is done junction by junction.
//!
//! Within a batch ways have slots: ways in by their slot are links, then origins; ways out are
//! links, then destinations; each in the order of their junctions.

use std::ops::Range;

use super::network::Network;

/// Junctions of a batch: its tables fit into the second cache.
const JUNCTIONS: usize = 64;

/// Junctions that are stepped together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// Links that lead in, by slot.
    pub(super) links_in: Vec<u32>,
    /// Ways in that are origins; their slots follow.
    pub(super) origins: Vec<u32>,
    /// Links that lead out, by slot.
    pub(super) links_out: Vec<u32>,
    /// Ways out that are destinations; their slots follow.
    pub(super) sinks: Vec<u32>,
    /// All movements, by the slot they lead from.
    pub(super) turns: Vec<Turn>,
    /// Per slot of a way in, its first among `turns`; one more at the end.
    pub(super) first: Vec<u32>,
    pub(super) crossings: Vec<Crossing>,
}

/// A movement of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    /// Slot of the way in.
    pub(super) from: u32,
    /// Slot of the way out.
    pub(super) to: u32,
    /// Its number.
    pub(super) movement: u32,
}

/// One junction of a batch, and where its ways lie in the tables of each kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crossing {
    pub(super) junction: u32,
    pub(super) links_in: Range<u32>,
    pub(super) origins: Range<u32>,
    pub(super) links_out: Range<u32>,
    pub(super) sinks: Range<u32>,
}

impl Batch {
    /// All junctions of a list, in batches.
    pub(super) fn all(network: &Network, junctions: &[u32]) -> Vec<Batch> {
        junctions.chunks(JUNCTIONS).map(|junctions| Batch::new(network, junctions)).collect()
    }

    fn new(network: &Network, junctions: &[u32]) -> Batch {
        let mut batch = Batch::default();
        for junction in junctions {
            let number = *junction as usize;
            let (links_in, origins) = network.ins_by_kind(number);
            let (links_out, sinks) = network.outs_by_kind(number);
            batch.crossings.push(Crossing {
                junction: *junction,
                links_in: append(&mut batch.links_in, links_in),
                origins: append(&mut batch.origins, origins),
                links_out: append(&mut batch.links_out, links_out),
                sinks: append(&mut batch.sinks, sinks),
            });
        }
        let crossings = batch.crossings.iter();
        let by_link = crossings.clone().flat_map(|at| at.links_in.clone().map(move |_| at));
        let by_origin = crossings.flat_map(|at| at.origins.clone().map(move |_| at));
        let ways = batch.links_in.iter().zip(by_link).chain(batch.origins.iter().zip(by_origin));
        batch.first.push(0);
        for ((way, at), from) in ways.zip(0..) {
            let way = *way as usize;
            for (movement, place) in network.moves(way).zip(network.places(way)) {
                let to = at.slot_out(u32::from(*place), batch.links_out.len());
                batch.turns.push(Turn { from, to, movement: small(movement) });
            }
            batch.first.push(small(batch.turns.len()));
        }
        batch
    }

    /// Ways in and out.
    pub(super) fn size(&self) -> (usize, usize) {
        let ins = self.links_in.len() + self.origins.len();
        (ins, self.links_out.len() + self.sinks.len())
    }

    /// The movements of a slot.
    pub(super) fn turns(&self, from: usize) -> &[Turn] {
        &self.turns[self.first[from] as usize..self.first[from + 1] as usize]
    }

    /// The slots of a junction's ways in, in their order, and the ways.
    pub(super) fn ins<'a>(&'a self, at: &'a Crossing) -> impl Iterator<Item = (usize, usize)> + 'a {
        let origins = at
            .origins
            .clone()
            .map(|place| (place as usize + self.links_in.len(), self.origins[place as usize]));
        let links =
            at.links_in.clone().map(|place| (place as usize, self.links_in[place as usize]));
        links.chain(origins).map(|(slot, way)| (slot, way as usize))
    }

    /// The slots of a junction's ways out, in their order.
    pub(super) fn outs(&self, at: &Crossing) -> impl Iterator<Item = usize> + use<> {
        let sinks = at.sinks.start as usize + self.links_out.len()
            ..at.sinks.end as usize + self.links_out.len();
        (at.links_out.start as usize..at.links_out.end as usize).chain(sinks)
    }
}

impl Crossing {
    /// The slot of the way out at a place among those of the junction.
    fn slot_out(&self, place: u32, links_out: usize) -> u32 {
        let roads = self.links_out.end - self.links_out.start;
        if place < roads {
            self.links_out.start + place
        } else {
            small(links_out) + self.sinks.start + (place - roads)
        }
    }
}

/// Adds a row to a table; gives where it lies.
fn append(table: &mut Vec<u32>, row: &[u32]) -> Range<u32> {
    let start = small(table.len());
    table.extend_from_slice(row);
    start..small(table.len())
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("ways are counted in u32")
}
