//! A bush: the links that trips of one origin may use, without a cycle, and how many of them do
//! (Dial 2006, section 2). Junctions stand in topological order; a link is kept with the junction
//! it leads to, so that a pass over the bush walks through memory in one direction.
//!
//! Promises: every link leads from an earlier position to a later one; every position but the
//! first (the origin) has at least one link into it; what flows into a position is what flows out
//! of it and the trips that end there.

use std::ops::Range;

use super::network::Network;
use super::paths::{NONE, Paths};
use crate::pace::walked;

/// The links of one origin and their flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Bush {
    /// By position: the junction. The first is the origin.
    pub(super) junction: Vec<u32>,
    /// By position: trips that end there.
    pub(super) trips: Vec<f64>,
    /// By position: where its ways in begin in the lists below; one more at the end.
    start: Vec<u32>,
    /// By way in: the link.
    pub(super) link: Vec<u32>,
    /// By way in: the position it comes from.
    pub(super) tail: Vec<u32>,
    /// By way in: vehicles of this origin.
    pub(super) flow: Vec<f64>,
}

/// Costs within a bush, by position, and the ways in that cause them. Room for one pass, used again
/// for every bush.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels {
    /// Least cost from the origin.
    pub(super) least: Vec<f64>,
    /// The way in of the least cost.
    pub(super) least_in: Vec<u32>,
    /// Highest cost from the origin, over what the pass in question counts.
    pub(super) most: Vec<f64>,
    /// The way in of the highest cost, [`NONE`] if nothing counts.
    pub(super) most_in: Vec<u32>,
}

impl Labels {
    /// Room for bushes of a network.
    pub(super) fn new(network: &Network) -> Labels {
        let junctions = network.junctions() as usize;
        Labels {
            least: vec![0.0; junctions],
            least_in: vec![NONE; junctions],
            most: vec![0.0; junctions],
            most_in: vec![NONE; junctions],
        }
    }
}

/// A way into a junction that a bush shall get.
#[derive(Clone, Copy, Debug)]
pub(super) struct WayIn {
    /// The link.
    pub(super) link: u32,
    /// The position (before the change) it comes from.
    pub(super) tail: u32,
}

impl WayIn {
    /// No way.
    pub(super) const NONE: WayIn = WayIn { link: NONE, tail: NONE };
}

impl Bush {
    /// The origin alone.
    pub(super) fn seed(origin: u32) -> Bush {
        Bush { junction: vec![origin], trips: vec![0.0], start: vec![0, 0], ..Bush::default() }
    }

    /// The part of a bush that open links reach, and behind it a least-cost tree to everything else
    /// that can be reached; without trips. `labels` are the bush's own. What hangs on a closed link
    /// loses its place, and its ways on: whoever has others keeps those.
    pub(super) fn graft(
        &self,
        network: &Network,
        costs: &[f64],
        labels: &Labels,
        paths: &mut Paths,
    ) -> Bush {
        let mut bush = Bush { start: vec![0], ..Bush::default() };
        let mut place = vec![NONE; network.junctions() as usize];
        paths.cost.fill(f64::INFINITY);
        for position in (0..self.len()).filter(|position| labels.least[*position].is_finite()) {
            let open = self.ways_in(position).filter(|way| {
                let tail = self.tail[*way] as usize;
                labels.least[tail].is_finite() && !network.is_closed(self.link[*way])
            });
            for way in open {
                bush.link.push(self.link[way]);
                bush.tail.push(place[self.junction[self.tail[way] as usize] as usize]);
                bush.flow.push(self.flow[way]);
            }
            paths.cost[self.junction[position] as usize] = labels.least[position];
            bush.end_position(self.junction[position], &mut place);
        }
        paths.reach(network, costs, self.junction[0]);
        for &junction in &paths.order {
            let link = paths.by[junction as usize];
            bush.link.push(link);
            bush.tail.push(place[network.tail[link as usize] as usize]);
            bush.flow.push(0.0);
            bush.end_position(junction, &mut place);
        }
        bush
    }

    /// The next position, whose ways in have been pushed.
    fn end_position(&mut self, junction: u32, place: &mut [u32]) {
        let narrow = |number| u32::try_from(number).expect("fewer than the network has");
        place[junction as usize] = narrow(self.len());
        self.junction.push(junction);
        self.trips.push(0.0);
        self.start.push(narrow(self.link.len()));
    }

    /// How many junctions it reaches.
    pub(super) fn len(&self) -> usize {
        self.junction.len()
    }

    /// Writes the position of every junction, [`NONE`] for those it does not reach.
    pub(super) fn places(&self, place: &mut [u32]) {
        place.fill(NONE);
        for (position, &junction) in (0_u32..).zip(&self.junction) {
            place[junction as usize] = position;
        }
    }

    /// The ways into a position.
    pub(super) fn ways_in(&self, position: usize) -> Range<usize> {
        self.start[position] as usize..self.start[position + 1] as usize
    }

    /// Flows anew from the trips: from the last position to the first, what leaves a position or
    /// ends there is divided over the ways in as they shared it before. Keeps the third promise to
    /// the last digit, whatever was rounded or taken out before.
    pub(super) fn reload(&mut self, through: &mut Vec<f64>) {
        walked(self.link.len());
        through.clear();
        through.extend_from_slice(&self.trips);
        for position in (1..self.len()).rev() {
            let ways = self.ways_in(position);
            let vehicles = through[position];
            if ways.len() == 1 || vehicles <= 0.0 {
                self.flow[ways.clone()].fill(0.0);
                self.flow[ways.start] = vehicles;
            } else {
                let before: f64 = self.flow[ways.clone()].iter().sum();
                if before > 0.0 {
                    let factor = vehicles / before;
                    self.flow[ways.clone()].iter_mut().for_each(|flow| *flow *= factor);
                } else {
                    self.flow[ways.start] = vehicles;
                }
            }
            for way in ways {
                through[self.tail[way] as usize] += self.flow[way];
            }
        }
    }

    /// Adds its flows to those of all bushes.
    pub(super) fn add_to(&self, sums: &mut [f64]) {
        walked(self.link.len());
        for (link, flow) in self.link.iter().zip(&self.flow) {
            sums[*link as usize] += flow;
        }
    }

    /// Least costs, and the highest over ways that carry flow.
    pub(super) fn label_used(&self, costs: &[f64], labels: &mut Labels) {
        walked(self.link.len());
        labels.least[0] = 0.0;
        labels.most[0] = 0.0;
        labels.most_in[0] = 0;
        for position in 1..self.len() {
            let (mut least, mut least_in) = (f64::INFINITY, NONE);
            let (mut most, mut most_in) = (f64::NEG_INFINITY, NONE);
            for (way, number) in self.ways_in(position).zip(self.start[position]..) {
                let tail = self.tail[way] as usize;
                let cost = costs[self.link[way] as usize];
                if labels.least[tail] + cost < least {
                    (least, least_in) = (labels.least[tail] + cost, number);
                }
                if self.flow[way] > 0.0
                    && labels.most_in[tail] != NONE
                    && labels.most[tail] + cost > most
                {
                    (most, most_in) = (labels.most[tail] + cost, number);
                }
            }
            (labels.least[position], labels.least_in[position]) = (least, least_in);
            (labels.most[position], labels.most_in[position]) = (most, most_in);
        }
    }

    /// Least costs, and the highest over the ways worth keeping: those that carry flow or are the
    /// least-cost way into their position.
    pub(super) fn label_kept(&self, costs: &[f64], labels: &mut Labels) {
        walked(self.link.len());
        labels.least[0] = 0.0;
        labels.most[0] = 0.0;
        for position in 1..self.len() {
            let ways = self.ways_in(position);
            let (mut least, mut least_in) = (f64::INFINITY, self.start[position]);
            for (way, number) in ways.clone().zip(self.start[position]..) {
                let cost = labels.least[self.tail[way] as usize] + costs[self.link[way] as usize];
                if cost < least {
                    (least, least_in) = (cost, number);
                }
            }
            let mut most: f64 = 0.0;
            for way in ways {
                if self.flow[way] > 0.0 || way == least_in as usize {
                    let tail = self.tail[way] as usize;
                    most = most.max(labels.most[tail] + costs[self.link[way] as usize]);
                }
            }
            (labels.least[position], labels.least_in[position]) = (least, least_in);
            labels.most[position] = most;
        }
    }
}

/// Room to lay a bush out anew, used again for every bush.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Positions before the change, in the new order.
    order: Vec<u32>,
    /// By position before the change: the new position.
    place: Vec<u32>,
    /// Positions that wait until what leads to them has its place.
    waiting: Vec<u32>,
    fresh: Bush,
}

impl Layout {
    /// Lays a bush out anew with the ways in that `keep` names (bush, position, way) and one more
    /// for each position that has one in `more`. Together they must be without a cycle.
    pub(super) fn apply(
        &mut self,
        bush: &mut Bush,
        keep: impl Fn(&Bush, usize, usize) -> bool,
        more: &[WayIn],
    ) {
        walked(bush.link.len());
        self.arrange(bush, &keep, more);
        let Layout { order, place, fresh, .. } = self;
        fresh.clear();
        for &old in order.iter() {
            let old = old as usize;
            fresh.junction.push(bush.junction[old]);
            fresh.trips.push(bush.trips[old]);
            for way in bush.ways_in(old).filter(|way| keep(bush, old, *way)) {
                fresh.link.push(bush.link[way]);
                fresh.tail.push(place[bush.tail[way] as usize]);
                fresh.flow.push(bush.flow[way]);
            }
            if more[old].link != NONE {
                fresh.link.push(more[old].link);
                fresh.tail.push(place[more[old].tail as usize]);
                fresh.flow.push(0.0);
            }
            let ways = u32::try_from(fresh.link.len()).expect("at most one way for each link");
            fresh.start.push(ways);
        }
        bush.copy_from(fresh);
    }

    /// A topological order, as near to the old one as it can be: whoever's turn it is first lets
    /// in what leads to it. Cost: O(ways), where sorting by cost was a tenth of a whole run.
    fn arrange(
        &mut self,
        bush: &Bush,
        keep: &impl Fn(&Bush, usize, usize) -> bool,
        more: &[WayIn],
    ) {
        let Layout { order, place, waiting, .. } = self;
        order.clear();
        place.clear();
        place.resize(bush.len(), NONE);
        for (next, _) in (0_u32..).zip(&bush.junction) {
            waiting.push(next);
            while let Some(&position) = waiting.last() {
                let at = position as usize;
                let before = waiting.len();
                if place[at] == NONE {
                    let kept = bush.ways_in(at).filter(|way| keep(bush, at, *way));
                    let tails = kept.map(|way| bush.tail[way]);
                    let one_more = Some(more[at].tail).filter(|tail| *tail != NONE);
                    waiting
                        .extend(tails.chain(one_more).filter(|tail| place[*tail as usize] == NONE));
                }
                if waiting.len() == before {
                    waiting.pop();
                    if place[at] == NONE {
                        place[at] = u32::try_from(order.len()).expect("positions fit");
                        order.push(position);
                    }
                }
            }
        }
    }
}

impl Bush {
    fn clear(&mut self) {
        self.junction.clear();
        self.trips.clear();
        self.start.clear();
        self.start.push(0);
        self.link.clear();
        self.tail.clear();
        self.flow.clear();
    }

    /// As `other`, in the room it has.
    fn copy_from(&mut self, other: &Bush) {
        self.junction.clone_from(&other.junction);
        self.trips.clone_from(&other.trips);
        self.start.clone_from(&other.start);
        self.link.clone_from(&other.link);
        self.tail.clone_from(&other.tail);
        self.flow.clone_from(&other.flow);
    }
}
