//! Least costs from one origin to every junction: Dijkstra with a binary heap, from nothing or from
//! costs that are known to be reachable and perhaps too high.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::network::Network;

/// "None" where a link or a position is expected.
pub(super) const NONE: u32 = u32::MAX;

/// Room for one search, used again for every origin.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    /// Least cost by junction; infinite where no path leads.
    pub(super) cost: Vec<f64>,
    /// The link that reaches a junction; after [`lower`](Paths::lower) only of those that it made
    /// cheaper, [`NONE`] of the others.
    pub(super) by: Vec<u32>,
    /// Junctions in the order they were settled, after [`grow`](Paths::grow): every junction
    /// behind the one it is reached from.
    pub(super) order: Vec<u32>,
    /// Costs are not negative, so their bits are ordered as they are.
    heap: BinaryHeap<Reverse<(u64, u32)>>,
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

    /// Least-cost tree from an origin. Cost: O(links · log junctions).
    pub(super) fn grow(&mut self, network: &Network, costs: &[f64], origin: u32) {
        self.cost.fill(f64::INFINITY);
        self.by.fill(NONE);
        self.order.clear();
        self.cost[origin as usize] = 0.0;
        self.heap.push(Reverse((0, origin)));
        while let Some(Reverse((bits, junction))) = self.heap.pop() {
            let here = f64::from_bits(bits);
            if here > self.cost[junction as usize] {
                continue;
            }
            self.order.push(junction);
            if !network.may_leave(junction, origin) {
                continue;
            }
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
