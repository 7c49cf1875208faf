//! Least costs from one origin to every junction: Dijkstra with a binary heap, beginning with what
//! is known of some junctions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::loads::Loads;
use super::network::Network;
use crate::pace::walked;

/// "None" where a link or a position is expected.
pub(super) const NONE: u32 = u32::MAX;

/// Room for one search, used again for every origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// Least cost by junction; infinite where no path leads.
    pub(super) cost: Vec<f64>,
    /// The link that reaches a junction, for those that the last search made cheaper; [`NONE`] for
    /// the others.
    pub(super) by: Vec<u32>,
    /// Junctions in the order in which [`reach`](Paths::reach) settled them: every junction behind
    /// the one it is reached from.
    pub(super) order: Vec<u32>,
    /// Costs are not negative, so their bits are ordered as they are.
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Network {
    /// Least cost from one junction to every other on the empty network, closed links left out;
    /// infinite where no path leads. Cost: O(links · log junctions).
    pub fn least_costs(&self, origin: u32) -> Vec<f64> {
        let costs = Loads::empty(self).cost;
        let mut paths = Paths::new(self);
        if let Some(cost) = paths.cost.get_mut(origin as usize) {
            *cost = 0.0;
        }
        paths.lower(self, &costs, origin);
        paths.cost
    }
}

impl Paths {
    /// Room for a network.
    pub(super) fn new(network: &Network) -> Paths {
        let junctions = network.junctions() as usize;
        Paths {
            cost: vec![f64::INFINITY; junctions],
            by: vec![NONE; junctions],
            ..Paths::default()
        }
    }

    /// Reaches what is not reached: junctions that have a finite cost keep it and the others get
    /// least costs through them, with `by` and `order`. Cost: O(links · log junctions).
    pub(super) fn reach(&mut self, network: &Network, costs: &[f64], origin: u32) {
        self.by.fill(NONE);
        self.order.clear();
        for junction in 0..network.junctions() {
            if self.cost[junction as usize].is_finite() && self.by[junction as usize] == NONE {
                self.reach_from(network, costs, (junction, origin));
            }
        }
        while let Some(Reverse((bits, junction))) = self.heap.pop() {
            if f64::from_bits(bits) <= self.cost[junction as usize] {
                self.order.push(junction);
                self.reach_from(network, costs, (junction, origin));
            }
        }
    }

    fn reach_from(&mut self, network: &Network, costs: &[f64], (junction, origin): (u32, u32)) {
        if !network.may_leave(junction, origin) {
            return;
        }
        let here = self.cost[junction as usize];
        walked(network.out(junction).len());
        for &(head, link) in network.out(junction) {
            let there = here + costs[link as usize];
            let head_at = head as usize;
            let kept = self.by[head_at] == NONE && self.cost[head_at].is_finite();
            if !kept && there < self.cost[head_at] {
                self.cost[head_at] = there;
                self.by[head_at] = link;
                self.heap.push(Reverse((there.to_bits(), head)));
            }
        }
    }

    /// Lowers the costs in `self.cost` to the least ones; each must be the cost of some path, or
    /// infinite. Whether any was too high. Cost: O(links) when none is.
    pub(super) fn lower(&mut self, network: &Network, costs: &[f64], origin: u32) -> bool {
        self.by.fill(NONE);
        for junction in 0..network.junctions() {
            self.relax(network, costs, (junction, origin));
        }
        let lowered = !self.heap.is_empty();
        while let Some(Reverse((bits, junction))) = self.heap.pop() {
            if f64::from_bits(bits) <= self.cost[junction as usize] {
                self.relax(network, costs, (junction, origin));
            }
        }
        lowered
    }

    fn relax(&mut self, network: &Network, costs: &[f64], (junction, origin): (u32, u32)) {
        let here = self.cost[junction as usize];
        if here.is_infinite() || !network.may_leave(junction, origin) {
            return;
        }
        walked(network.out(junction).len());
        for &(head, link) in network.out(junction) {
            let there = here + costs[link as usize];
            if there < self.cost[head as usize] {
                self.cost[head as usize] = there;
                self.by[head as usize] = link;
                self.heap.push(Reverse((there.to_bits(), head)));
            }
        }
    }
}
