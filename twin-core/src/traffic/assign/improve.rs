//! Improving one bush (Dial 2006, section 3): ways that carry nothing and help nobody go, and
//! every junction may get one way in that makes it cheaper to reach. A way is only taken if it
//! leads from a lower to a higher *highest* cost over the ways that stay; sorted by that, the bush
//! stays without a cycle (Nie 2010). Least costs over the whole network come out on the way, and
//! with them the relative gap.

use super::bush::{Bush, Labels, Layout, WayIn};
use super::network::Network;
use super::paths::{NONE, Paths};

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
    /// By position: the least cost found so far by a way it may get.
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
        let others = bush.label_kept(costs, &mut self.labels);
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
        let added = lowered && self.find_shortcuts(bush, network, costs);
        if added || others {
            let Improver { labels, layout, more, .. } = self;
            let positions = u32::try_from(bush.len()).expect("junctions have 32-bit numbers");
            layout.order.clear();
            layout.order.extend(0..positions);
            if added {
                let most = |position: &u32| labels.most[*position as usize];
                layout.order.sort_by(|a, b| most(a).total_cmp(&most(b)));
            }
            let least_in = &labels.least_in;
            let keep = |bush: &Bush, position: usize, way: usize| {
                bush.flow[way] > 0.0 || way == least_in[position] as usize
            };
            layout.apply(bush, keep, more);
        }
        cheapest
    }

    /// For every position, the way it shall get, if that may be taken: the last link of its
    /// cheapest path in the whole network, else the link that does most for it as the bush is.
    /// Whether there is any.
    ///
    /// (What a link does as the *network* is may not count for others than the last link of the
    /// path: around a cycle that costs nothing, a junction would seem cheap because of itself.)
    fn find_shortcuts(&mut self, bush: &Bush, network: &Network, costs: &[f64]) -> bool {
        let origin = bush.junction[0];
        bush.places(&mut self.place);
        let Improver { labels, paths, place, more, best, .. } = self;
        best.clear();
        best.extend_from_slice(&labels.least[..bush.len()]);
        let ends = network.tail.iter().zip(&network.head).zip(costs);
        for (link, ((&from, &to), &cost)) in (0_u32..).zip(ends) {
            let (tail, head) = (place[from as usize], place[to as usize]);
            if tail == NONE || head == NONE {
                continue;
            }
            let last = paths.by[to as usize] == link;
            let there =
                if last { paths.cost[to as usize] } else { labels.least[tail as usize] + cost };
            let better = there < best[head as usize] || (last && there <= best[head as usize]);
            if !better || !network.may_leave(from, origin) {
                continue;
            }
            let (below, above) = (labels.most[tail as usize], labels.most[head as usize]);
            if below < above || (below <= above && tail < head) {
                best[head as usize] = there;
                more[head as usize] = WayIn { link, tail };
            }
        }
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
