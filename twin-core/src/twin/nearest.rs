//! The sensors nearest to a point: shards, then blocks, are opened in the order of the least
//! distance at which they can hold anything, until no closed one can hold anything nearer.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::Snapshot;
use super::filter::{KindSet, QuantitySet};
use super::health::Judge;
use super::layout::BLOCK;
use super::view::SensorView;
use crate::area::{CHORD_SLACK, Extent, chord};
use crate::position::{EARTH_RADIUS_M, Position};
use crate::sensor::SensorIndex;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NearestQuery {
    /// Near to what.
    pub from: Position,
    /// At most this many.
    pub limit: usize,
    /// Not farther than this; infinity: however far.
    pub max_distance_m: f64,
    /// Of these kinds.
    pub kinds: KindSet,
}

/// A sensor that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    distance_m: f64,
    sensor: SensorIndex,
    shard: usize,
    row: usize,
}

/// A shard or one of its blocks that is not opened yet.
#[derive(Clone, Copy, Debug)]
struct Closed {
    /// Nothing in it is nearer.
    least_m: f64,
    shard: usize,
    block: Option<usize>,
}

impl Snapshot {
    /// The nearest sensors by great-circle distance ([`Position::distance_m`]), nearest first, of
    /// equals the lower number first.
    pub fn nearest(&self, query: &NearestQuery) -> Vec<(SensorView, f64)> {
        let found = Search { snapshot: self, query, vector: query.from.unit_vector() }.run();
        let judge = Judge::now(self);
        let view = |found: Found| {
            let at = (&*self.shards[found.shard], found.row);
            (self.view_at(&judge, at, QuantitySet::ALL), found.distance_m)
        };
        found.into_iter().map(view).collect()
    }
}

struct Search<'a> {
    snapshot: &'a Snapshot,
    query: &'a NearestQuery,
    vector: [f64; 3],
}

impl Search<'_> {
    fn run(&self) -> Vec<Found> {
        let mut best: BinaryHeap<Found> = BinaryHeap::new();
        let mut closed: BinaryHeap<Closed> = BinaryHeap::new();
        for (shard, state) in self.snapshot.shards.iter().enumerate().filter(|(_, s)| !s.is_empty())
        {
            let least_m = self.least_m(&state.layout.whole);
            closed.push(Closed { least_m, shard, block: None });
        }
        while let Some(next) = closed.pop().filter(|_| self.query.limit > 0) {
            let full = best.len() >= self.query.limit;
            let worst_m = best.peek().filter(|_| full).map_or(f64::INFINITY, |w| w.distance_m);
            if next.least_m > worst_m.min(self.query.max_distance_m) {
                break;
            }
            match next.block {
                Some(block) => self.open_block(next.shard, block, &mut best),
                None => self.open_shard(next.shard, &mut closed),
            }
        }
        best.into_sorted_vec()
    }

    fn open_shard(&self, shard: usize, closed: &mut BinaryHeap<Closed>) {
        for (block, extent) in self.snapshot.shards[shard].layout.blocks.iter().enumerate() {
            closed.push(Closed { least_m: self.least_m(extent), shard, block: Some(block) });
        }
    }

    fn open_block(&self, shard: usize, block: usize, best: &mut BinaryHeap<Found>) {
        let layout = &self.snapshot.shards[shard].layout;
        for row in block * BLOCK..layout.len().min((block + 1) * BLOCK) {
            if !self.query.kinds.contains(layout.profiles[row].kind) {
                continue;
            }
            let distance_m = layout.positions[row].distance_m(self.query.from);
            if distance_m <= self.query.max_distance_m {
                best.push(Found { distance_m, sensor: layout.sensors[row], shard, row });
                if best.len() > self.query.limit {
                    best.pop();
                }
            }
        }
    }

    /// A lower bound of the distance to everything in an extent.
    fn least_m(&self, extent: &Extent) -> f64 {
        let least = chord(self.vector, extent.centre) - extent.chord - CHORD_SLACK;
        2.0 * EARTH_RADIUS_M * (least.max(0.0) / 2.0).min(1.0).asin()
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Found) -> Ordering {
        self.distance_m.total_cmp(&other.distance_m).then(self.sensor.cmp(&other.sensor))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Found) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Found) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Found {}

/// The nearest is the greatest, as a heap wants it.
impl Ord for Closed {
    fn cmp(&self, other: &Closed) -> Ordering {
        let place = |closed: &Closed| (closed.shard, closed.block);
        other.least_m.total_cmp(&self.least_m).then(place(other).cmp(&place(self)))
    }
}

impl PartialOrd for Closed {
    fn partial_cmp(&self, other: &Closed) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Closed {
    fn eq(&self, other: &Closed) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Closed {}
