//! Changing a solved equilibrium: links change, bushes are mended where they must be, and the next
//! run starts from the old flows.

use super::bush::{Bush, WayIn};
use super::equilibrium::{Equilibrium, Unserved};
use super::improve::Improver;
use super::network::{LinkChange, Network, NetworkError};
use super::paths::NONE;

impl Equilibrium {
    /// Changes links, in order. Flows stay where they are, except that vehicles of closed links
    /// go other ways; the next [`solve`](Equilibrium::solve) finds the new balance from there.
    ///
    /// # Errors
    /// When a link or a value is not allowed. Changes before the wrong one are made.
    pub fn change(&mut self, changes: &[(u32, LinkChange)]) -> Result<(), NetworkError> {
        let done = changes.iter().try_for_each(|&(link, change)| self.network.change(link, change));
        self.loads.refresh(&self.network);
        let toggled: Vec<u32> = changes
            .iter()
            .filter(|(_, change)| matches!(change, LinkChange::Close | LinkChange::Open))
            .map(|(link, _)| *link)
            .filter(|link| (*link as usize) < self.network.links().len())
            .collect();
        if !toggled.is_empty() {
            for row in 0..self.bushes.len() {
                if !self.mend(row, &toggled) {
                    let bush = std::mem::take(&mut self.bushes[row]);
                    self.bushes[row] = self.grown(row, &bush);
                }
            }
        }
        done
    }

    /// Every pair whose trips no path can take, in order.
    pub fn unserved(&self) -> impl Iterator<Item = Unserved> + '_ {
        let origins = self.demand.origins().iter().enumerate();
        origins.flat_map(|(row, &origin)| {
            let mut reached = vec![false; self.network.junctions() as usize];
            for &junction in &self.bushes[row].junction {
                reached[junction as usize] = true;
            }
            let pairs = self.demand.row(row).filter(move |(to, _)| !reached[*to as usize]);
            pairs.map(move |(destination, trips)| Unserved { origin, destination, trips })
        })
    }

    /// Takes closed links out of a bush. False if that needs another order of junctions, or if the
    /// bush reaches other junctions than before: then parts of it have to be grown anew.
    fn mend(&mut self, row: usize, toggled: &[u32]) -> bool {
        let Equilibrium { network, bushes, loads, room, .. } = self;
        let bush = &mut bushes[row];
        let Improver { labels, layout, place, more, .. } = &mut room.improver;
        bush.places(place);
        let origin = bush.junction[0];
        let reaches_more = |link: &u32| {
            let (from, to) = (network.tail[*link as usize], network.head[*link as usize]);
            !network.is_closed(*link)
                && network.may_leave(from, origin)
                && place[from as usize] != NONE
                && place[to as usize] == NONE
        };
        if toggled.iter().any(reaches_more) {
            return false;
        }
        if !bush.link.iter().any(|link| network.is_closed(*link)) {
            return true;
        }
        bush.label_kept(&loads.cost, labels);
        more.clear();
        more.resize(bush.len(), WayIn::NONE);
        for link in toggled.iter().filter(|link| network.is_closed(**link)) {
            let position = place[network.head[*link as usize] as usize];
            if position == NONE || position == 0 {
                continue;
            }
            let ways = bush.ways_in(position as usize);
            if ways.clone().all(|way| network.is_closed(bush.link[way])) {
                let tails = (place.as_slice(), labels.least.as_slice());
                match other_way(bush, network, &loads.cost, tails, position) {
                    Some(way) => more[position as usize] = way,
                    None => return false,
                }
            }
        }
        layout.apply(bush, |bush, _, way| !network.is_closed(bush.link[way]), more);
        true
    }
}

/// The cheapest open way into a position from an earlier one.
fn other_way(
    bush: &Bush,
    network: &Network,
    costs: &[f64],
    (place, least): (&[u32], &[f64]),
    position: u32,
) -> Option<WayIn> {
    let junction = bush.junction[position as usize];
    let into = (0_u32..).zip(&network.head).filter(|(_, head)| **head == junction);
    let open = into.filter_map(|(link, _)| {
        let from = network.tail[link as usize];
        let tail = place[from as usize];
        let may = !network.is_closed(link)
            && tail < position
            && least[tail as usize].is_finite()
            && network.may_leave(from, bush.junction[0]);
        may.then(|| (least[tail as usize] + costs[link as usize], WayIn { link, tail }))
    });
    open.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, way)| way)
}
