//! Shortest ways: per destination, how far it is from the end of each way in, and by which
//! movement one goes on.
//!
//! Times to all destinations are found together, one row of them a link: sweeps over the links, up
//! and down, in which a link takes the shortest of what follows it, until none gets shorter
//! (Bellman 1958; a link is looked at only when one that follows has changed). A row is a few
//! vector instructions, where a search by destination would be a heap of its own. Over links, not
//! junctions, so that forbidden turns are kept. The result is the one of the shortest ways, in
//! whatever order they are found; of ways that are equal the first counts.

use std::ops::ControlFlow;

use super::charges::Charges;
use super::network::Network;
use crate::pace::{Pace, walked};

/// No route, or no column.
pub(super) const NONE: u8 = u8::MAX;

/// Labels of a row that are looked at in the time of one link walked over.
const LABELS: usize = 8;

/// What the ways of a network depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roads<'a> {
    pub(super) network: &'a Network,
    /// Per link, seconds to pass it.
    pub(super) times: &'a [f32],
    /// Per movement, whether it is forbidden.
    pub(super) barred: &'a [bool],
    pub(super) charges: &'a Charges,
}

/// The shortest ways to all destinations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shortest {
    destinations: usize,
    /// Per way in and destination, its best movement, counted from the way's first; or [`NONE`].
    best: Vec<u8>,
    /// Per way in and destination, seconds from its end to there.
    remaining: Vec<f32>,
    /// Per link, whether one that follows it has become nearer since it was looked at.
    open: Vec<bool>,
    /// Seconds of one way in.
    row: Vec<f32>,
}

impl Shortest {
    /// None yet.
    pub(super) fn new(network: &Network) -> Shortest {
        let destinations = network.destinations().len();
        Shortest {
            destinations,
            best: vec![NONE; network.ways_in() * destinations],
            remaining: vec![f32::INFINITY; network.ways_in() * destinations],
            open: vec![false; network.links().len()],
            row: vec![0.0; destinations],
        }
    }

    /// The best movement of a way to a destination, counted from the way's first; or [`NONE`].
    pub(super) fn best(&self, way: usize, to: usize) -> u8 {
        self.best[way * self.destinations + to]
    }

    /// Seconds from the end of a way to a destination.
    pub(super) fn remaining(&self, way: usize, to: usize) -> f32 {
        self.remaining[way * self.destinations + to]
    }

    /// Finds them. Broken off, it has to be done again.
    pub(super) fn search(&mut self, roads: Roads<'_>, pace: &mut Pace<'_>) -> ControlFlow<()> {
        let (network, links) = (roads.network, roads.times.len());
        self.remaining.fill(f32::INFINITY);
        self.open.fill(false);
        for to in 0..self.destinations {
            for (way, _) in network.feeders(links + to) {
                self.reopen(*way as usize);
            }
        }
        let mut upward = false;
        while self.open.contains(&true) {
            upward = !upward;
            labelled(links, 1, pace)?;
            for step in 0..links {
                let link = if upward { step } else { links - 1 - step };
                if !std::mem::replace(&mut self.open[link], false) {
                    continue;
                }
                labelled(network.moves(link).len(), self.destinations, pace)?;
                if self.shorten(roads, link) {
                    for (way, _) in network.feeders(link) {
                        self.reopen(*way as usize);
                    }
                }
            }
        }
        for origin in links..network.ways_in() {
            labelled(network.moves(origin).len(), self.destinations, pace)?;
            self.shorten(roads, origin);
        }
        for way in 0..network.ways_in() {
            labelled(network.moves(way).len(), self.destinations, pace)?;
            self.point(roads, way);
        }
        ControlFlow::Continue(())
    }

    fn reopen(&mut self, way: usize) {
        if let Some(open) = self.open.get_mut(way) {
            *open = true;
        }
    }

    /// Takes the shortest of what follows a way in: what follows only gets nearer in a search.
    /// Gives whether that is shorter than before.
    fn shorten(&mut self, roads: Roads<'_>, way: usize) -> bool {
        let (links, count) = (roads.times.len(), self.destinations);
        let Shortest { row, remaining, .. } = self;
        row.copy_from_slice(&remaining[way * count..(way + 1) * count]);
        let mut shorter = false;
        for movement in roads.network.moves(way).filter(|movement| !roads.barred[*movement]) {
            let out = roads.network.target(movement) as usize;
            let Some(time) = roads.times.get(out) else {
                shorter |= row[out - links] > 0.0;
                row[out - links] = 0.0;
                continue;
            };
            let mut nearer = 0_u32;
            let onward = remaining[out * count..(out + 1) * count].iter();
            let onward = onward.zip(roads.charges.longer_s(out));
            for (least, (after, longer)) in row.iter_mut().zip(onward) {
                let seconds = after + time + longer;
                nearer |= u32::from(seconds < *least);
                *least = if seconds < *least { seconds } else { *least };
            }
            shorter |= nearer != 0;
        }
        if shorter {
            remaining[way * count..(way + 1) * count].copy_from_slice(row);
        }
        shorter
    }

    /// Finds the movements that the times of a way in come from.
    fn point(&mut self, roads: Roads<'_>, way: usize) {
        let (links, count) = (roads.times.len(), self.destinations);
        let span = way * count..(way + 1) * count;
        let (best, here) = (&mut self.best[span.clone()], &self.remaining[span]);
        best.fill(NONE);
        for (movement, place) in roads.network.moves(way).zip(0_u8..) {
            if roads.barred[movement] {
                continue;
            }
            let out = roads.network.target(movement) as usize;
            let Some(time) = roads.times.get(out) else {
                best[out - links] = place;
                continue;
            };
            let onward = self.remaining[out * count..(out + 1) * count].iter();
            let onward = onward.zip(roads.charges.longer_s(out));
            for ((best, here), (after, longer)) in best.iter_mut().zip(here).zip(onward) {
                let seconds = after + time + longer;
                let through = here.is_finite() && seconds.to_bits() == here.to_bits();
                *best = if through && *best == NONE { place } else { *best };
            }
        }
    }
}

/// Labels of so many links are looked at.
pub(super) fn labelled(links: usize, labels: usize, pace: &mut Pace<'_>) -> ControlFlow<()> {
    let links = links * labels.div_ceil(LABELS);
    walked(links);
    pace.worked(links)
}
