//! Turning shares that go with flows: of all shares that turn the flows into a junction into the
//! flows out of it, those nearest to proportional (iterative proportional fitting, Deming & Stephan
//! 1940). Banned movements have no share. Where bans leave no exact solution, shares come as near
//! as the rounds allow; their sums are 1 all the same.
//!
//! What must not live here: histories of counts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::state::{Ends, LinkStart, ending_share};
use crate::road::{JunctionIndex, LinkIndex, Network};

/// Rounds of fitting a junction.
const ROUNDS: usize = 60;

/// A way out without flow is wanted as if it had this share of its capacity.
const FLOOR: f64 = 1e-6;

/// Who turns where, of those who do not end their trip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turning {
    /// By movement of the network ([`Network::movements`]): the share of the link's vehicles, from
    /// 0 to 1; their sum over the movements of a link is 1.
    pub shares: Vec<f64>,
    /// By link: whether the shares were learned from counts.
    pub learned: Vec<bool>,
}

impl Turning {
    /// In proportion to the capacities of the links turned into.
    pub fn by_capacity(network: &Network) -> Turning {
        Turning::from_flows(network, &[], &[])
    }

    /// From flows of all links and the trips that begin and end at junctions; without any, in
    /// proportion to capacity. O(movements).
    pub(super) fn from_flows(network: &Network, links: &[LinkStart], ends: &[Ends]) -> Turning {
        let mut shares: Vec<f64> = network
            .movements()
            .iter()
            .map(|movement| {
                let capacity = network.link(movement.to).capacity_veh_h();
                let flow = links.get(movement.to.slot()).map_or(0.0, |link| link.flow_veh_h);
                flow.max(FLOOR * capacity)
            })
            .collect();
        for link in network.link_indexes() {
            normalise(&mut shares[network.movement_range(link)]);
        }
        let mut turning = Turning { shares, learned: vec![false; network.links().len()] };
        if !links.is_empty() {
            let mut room = Room::default();
            for junction in network.junction_indexes() {
                let ends = ends[junction.slot()];
                turning.fit(network, links, (junction, ends), &mut room);
            }
        }
        turning
    }

    /// The shares of a link, in the order of its movements.
    pub fn of<'a>(&'a self, network: &Network, link: LinkIndex) -> &'a [f64] {
        &self.shares[network.movement_range(link)]
    }

    /// Fits one junction: columns to the flows out, rows to 1, in turn.
    fn fit(
        &mut self,
        network: &Network,
        links: &[LinkStart],
        (junction, ends): (JunctionIndex, Ends),
        room: &mut Room,
    ) {
        let (incoming, outgoing) = (network.incoming(junction), network.outgoing(junction));
        if incoming.len() < 2 || outgoing.len() < 2 {
            return;
        }
        let passing = 1.0 - ending_share(network, links, (junction, ends));
        let leaving: f64 = outgoing.iter().map(|link| links[link.slot()].flow_veh_h).sum();
        let other = if leaving > 0.0 { 1.0 - ends.begin_veh_h / leaving } else { 1.0 };
        let Room { wanted, turned, rows, places } = room;
        wanted.clear();
        wanted.extend(outgoing.iter().map(|link| {
            let floor = FLOOR * network.link(*link).capacity_veh_h();
            (links[link.slot()].flow_veh_h * other).max(floor)
        }));
        rows.clear();
        places.clear();
        for link in incoming {
            let range = network.movement_range(*link);
            let exits = network.movements()[range.clone()].iter().map(|movement| {
                outgoing.binary_search(&movement.to).expect("a movement leads out of here")
            });
            places.extend(exits);
            rows.push((links[link.slot()].flow_veh_h * passing, range));
        }
        for _ in 0..ROUNDS {
            turned.clear();
            turned.resize(outgoing.len(), 0.0);
            let mut exits = places.iter();
            for (flow, range) in rows.iter() {
                for (share, place) in self.shares[range.clone()].iter().zip(&mut exits) {
                    turned[*place] += flow * share;
                }
            }
            let off = turned.iter().zip(wanted.iter()).map(|(turned, wanted)| {
                let off: f64 = turned - wanted;
                off.abs()
            });
            if off.fold(0.0, f64::max) <= 1e-9 * leaving {
                break;
            }
            // From what is turned to what it is to be multiplied with.
            for (turned, wanted) in turned.iter_mut().zip(wanted.iter()) {
                *turned = if *turned > 0.0 { wanted / *turned } else { 1.0 };
            }
            let mut exits = places.iter();
            for (_, range) in rows.iter() {
                let shares = &mut self.shares[range.clone()];
                for (share, place) in shares.iter_mut().zip(&mut exits) {
                    *share *= turned[*place];
                }
                normalise(shares);
            }
        }
    }
}

/// Room for fitting a junction, used again for every one.
#[derive(Default)]
struct Room {
    /// By way out: what shall turn into it, and what does.
    wanted: Vec<f64>,
    turned: Vec<f64>,
    /// By way in: its flow and its movements; and by movement the place of its way out.
    rows: Vec<(f64, Range<usize>)>,
    places: Vec<usize>,
}

/// Makes the sum 1; equal shares if there is none.
pub(super) fn normalise(shares: &mut [f64]) {
    let sum: f64 = shares.iter().sum();
    let count = shares.len() as f64;
    for share in shares {
        *share = if sum > 0.0 { *share / sum } else { 1.0 / count };
    }
}
