//! Improving one bush (Dial 2006, section 3): ways that carry nothing and help nobody go, and
//! every junction may get one way in that makes it cheaper to reach. A way is only taken if it
//! leads from a lower to a higher *highest* cost over the ways that stay; sorted by that, the bush
//! stays without a cycle (Nie 2010). Least costs over the whole network come out on the way, and
//! with them the relative gap.

use super::bush::{Bush, Labels, Layout, WayIn};
use super::network::Network;
use super::paths::{NONE, Paths};
use crate::pace::walked;

/// Room for improving bushes, used again for every bush.
#[derive(Clone, Debug)]
pub(super) struct Improver {
    pub(super) labels: Labels,
    pub(super) paths: Paths,
    pub(super) layout: Layout,
    /// By junction: its position in the bush.
    pub(super) place: Vec<u32>,
    /// By position: the way in it shall get.
    pub(super) more: Vec<WayIn>,
    /// By position: the least cost found so far by a way it may get; nothing is below where none
    /// is looked for.
    best: Vec<f64>,
}

impl Improver {
    /// Room for bushes of a network.
    pub(super) fn new(network: &Network) -> Improver {
        let junctions = network.junctions() as usize;
        Improver {
            labels: Labels::new(network),
            paths: Paths::new(network),
            layout: Layout::default(),
            place: vec![NONE; junctions],
            more: Vec::new(),
            best: Vec::new(),
        }
    }

    /// Improves a bush at these costs. Returns what its trips would cost if each took a cheapest
    /// path of the whole network.
    pub(super) fn improve(&mut self, bush: &mut Bush, network: &Network, costs: &[f64]) -> f64 {
        bush.label_kept(costs, &mut self.labels);
        self.paths.cost.fill(f64::INFINITY);
        for (&junction, &least) in bush.junction.iter().zip(&self.labels.least) {
            self.paths.cost[junction as usize] = least;
        }
        let lowered = self.paths.lower(network, costs, bush.junction[0]);
        let trips = bush.junction.iter().zip(&bush.trips).filter(|(_, trips)| **trips > 0.0);
        let cheapest =
            trips.map(|(junction, trips)| trips * self.paths.cost[*junction as usize]).sum();
        self.more.clear();
        self.more.resize(bush.len(), WayIn::NONE);
        // Idle ways go when others come. Until then they harm nobody, and laying out a bush costs
        // more than passing over them.
        let added = lowered && self.find_shortcuts(bush, network, costs);
        if added {
            let Improver { labels, layout, more, .. } = self;
            let least_in = &labels.least_in;
            let keep = |bush: &Bush, position: usize, way: usize| {
                bush.flow[way] > 0.0 || way == least_in[position] as usize
            };
            layout.apply(bush, keep, more);
        }
        cheapest
    }

    /// For every position that has a cheaper path in the whole network, the way it shall get: the
    /// last link of that path, or if that may not be taken, the link that does most for it as the
    /// bush is. Whether there is any.
    ///
    /// (What a link does as the *network* is may not count for others than the last link of the
    /// path: around a cycle that costs nothing, a junction would seem cheap because of itself.)
    fn find_shortcuts(&mut self, bush: &Bush, network: &Network, costs: &[f64]) -> bool {
        bush.places(&mut self.place);
        self.best.clear();
        self.best.resize(bush.len(), f64::NEG_INFINITY);
        let mut refused = false;
        for position in 1..bush.len() {
            let link = self.paths.by[bush.junction[position] as usize];
            if link == NONE {
                continue;
            }
            let tail = self.place[network.tail[link as usize] as usize];
            if self.keeps_order(tail, position) {
                self.more[position] = WayIn { link, tail };
            } else {
                self.best[position] = self.labels.least[position];
                refused = true;
            }
        }
        if refused {
            self.find_second_best(bush.junction[0], network, costs);
        }
        self.drop_doubles(bush)
    }

    /// Whether a way from one position to another may be taken.
    fn keeps_order(&self, tail: u32, head: usize) -> bool {
        let (below, above) = (self.labels.most[tail as usize], self.labels.most[head]);
        below < above || (below <= above && (tail as usize) < head)
    }

    /// For every position with a number in `best` to fall below, the link that falls lowest.
    fn find_second_best(&mut self, origin: u32, network: &Network, costs: &[f64]) {
        walked(costs.len());
        let ends = network.tail.iter().zip(&network.head).zip(costs);
        for (link, ((&from, &to), &cost)) in (0_u32..).zip(ends) {
            let (tail, head) = (self.place[from as usize], self.place[to as usize]);
            if tail == NONE || head == NONE {
                continue;
            }
            let there = self.labels.least[tail as usize] + cost;
            let head = head as usize;
            if there < self.best[head]
                && network.may_leave(from, origin)
                && self.keeps_order(tail, head)
            {
                self.best[head] = there;
                self.more[head] = WayIn { link, tail };
            }
        }
    }

    /// Takes out of `more` what the bush has and keeps. Whether anything is left.
    fn drop_doubles(&mut self, bush: &Bush) -> bool {
        let Improver { labels, more, .. } = self;
        let mut added = false;
        for (position, way) in more.iter_mut().enumerate().filter(|(_, way)| way.link != NONE) {
            let kept =
                |at: &usize| bush.flow[*at] > 0.0 || *at == labels.least_in[position] as usize;
            let ways = bush.ways_in(position);
            if ways.filter(kept).any(|at| bush.link[at] == way.link) {
                *way = WayIn::NONE;
            } else {
                added = true;
            }
        }
        added
    }
}
