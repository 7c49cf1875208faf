//! Cheapest ways over the streets from some junctions to all others.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{City, place};

/// No link.
const NONE: u32 = u32::MAX;

/// Links by the junction that they leave.
#[derive(Clone, Debug)]
pub(super) struct Ways {
    /// Where the links of each junction begin in `onward`; one more at the end.
    first: Vec<usize>,
    /// Link and the junction it leads to, as places in their lists.
    onward: Vec<(u32, u32)>,
    /// Junction that each link leaves.
    from: Vec<u32>,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Cost by junction; infinite where no way leads.
    pub(super) costs: Vec<f64>,
    /// The link by which each junction is reached.
    came: Vec<u32>,
    /// Junctions still to be left, by cost. The bits of numbers from 0 are in their order.
    open: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Ways {
    /// Of all links of a city.
    pub(super) fn of(city: &City) -> Ways {
        let mut leaving = vec![Vec::new(); city.junctions().len()];
        for (n, link) in (0_u32..).zip(city.links()) {
            leaving[place(link.from)].push((n, link.to - 1));
        }
        let mut first = vec![0];
        let mut onward = Vec::with_capacity(city.links().len());
        for links in leaving {
            onward.extend(links);
            first.push(onward.len());
        }
        Ways { first, onward, from: city.links().iter().map(|link| link.from - 1).collect() }
    }

    /// The cheapest ways from junctions, each with the cost of starting there, to all others
    /// (Dijkstra 1959). O(links · log junctions).
    pub(super) fn search(
        &self,
        costs: &[f64],
        starts: impl Iterator<Item = (usize, f64)>,
        found: &mut Found,
    ) {
        let junctions = self.first.len() - 1;
        found.costs.clear();
        found.costs.resize(junctions, f64::INFINITY);
        found.came.clear();
        found.came.resize(junctions, NONE);
        for (junction, cost) in starts {
            found.costs[junction] = cost;
            let number = u32::try_from(junction).expect("junctions are numbered in u32");
            found.open.push(Reverse((cost.to_bits(), number)));
        }
        while let Some(Reverse((cost, junction))) = found.open.pop() {
            let (cost, at) = (f64::from_bits(cost), junction as usize);
            if cost > found.costs[at] {
                continue;
            }
            for (link, to) in &self.onward[self.first[at]..self.first[at + 1]] {
                let next = cost + costs[*link as usize];
                if next < found.costs[*to as usize] {
                    found.costs[*to as usize] = next;
                    found.came[*to as usize] = *link;
                    found.open.push(Reverse((next.to_bits(), *to)));
                }
            }
        }
    }

    /// Puts the links of the way to a junction, last first, behind those of a list; where the way
    /// begins.
    pub(super) fn trace(&self, found: &Found, to: usize, links: &mut Vec<u32>) -> usize {
        let mut at = to;
        while let Some(link) = found.came.get(at).filter(|link| **link != NONE) {
            links.push(*link);
            at = self.from[*link as usize] as usize;
        }
        at
    }
}
