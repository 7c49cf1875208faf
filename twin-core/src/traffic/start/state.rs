//! What a start is: the traffic of every link and junction as plain numbers that can be stored.
//!
//! What must not live here: how they are estimated, what a model makes of them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::demand::StartDemand;
use super::origin::Origin;
use super::turning::Turning;
use crate::road::{JunctionIndex, LinkIndex, Movement, Network};
use crate::traffic::roads::Branch;

/// Where a flow comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From live sensors of the link.
    Measured,
    /// From balance, class and neighbours.
    Estimated,
}

/// A link at the start, all lanes together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkStart {
    /// Vehicles (passenger-car equivalents) an hour; from 0 to capacity.
    pub flow_veh_h: f64,
    /// Flow over density; free speed on an empty link.
    pub speed_kmh: f64,
    /// From `flow / u` to `k_j - flow / w` of the link's [`Diagram`](crate::traffic::roads::Diagram).
    pub density_veh_km: f64,
    /// Where the flow comes from.
    pub source: Source,
    /// Side of the diagram.
    pub branch: Branch,
    /// Whether the diagram did not allow what was measured and it was moved to the edge.
    pub clamped: bool,
    /// How much it can be believed, 0 to 1; see `estimate.rs`.
    pub quality: f64,
}

impl LinkStart {
    /// Nobody, as far as anybody knows.
    pub fn empty(link: &crate::road::Link) -> LinkStart {
        LinkStart {
            flow_veh_h: 0.0,
            speed_kmh: link.free_speed().kmh(),
            density_veh_km: 0.0,
            source: Source::Estimated,
            branch: Branch::Free,
            clamped: false,
            quality: 0.0,
        }
    }
}

/// Trips that begin and end at a junction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Vehicles an hour that begin there.
    pub begin_veh_h: f64,
    /// Vehicles an hour that end there.
    pub end_veh_h: f64,
}

/// The city at the start of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// By link.
    pub links: Vec<LinkStart>,
    /// By junction: all trips of an edge, the net ones elsewhere.
    pub ends: Vec<Ends>,
    /// Who turns where.
    pub turning: Turning,
    /// Trips between zones, where they are known: an edit that makes people re-route needs them,
    /// and an outcome without must say so.
    pub demand: Option<StartDemand>,
    /// What all but the demand is estimated from, where it is: then this stands for it.
    pub origin: Option<Origin>,
}

/// Why a start is none for a network.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum StartError {
    #[error("the start has {given} {of}, the network {network}")]
    Count { of: &'static str, given: usize, network: usize },
    #[error("row {row} of the start's {of} has a number that is not finite, or below 0")]
    Number { of: &'static str, row: usize },
    #[error("row {row} of the start's demand names a zone the network does not have")]
    Zone { row: usize },
}

impl Start {
    /// Empty roads.
    pub fn empty(network: &Network) -> Start {
        Start {
            links: network.links().iter().map(LinkStart::empty).collect(),
            ends: vec![Ends::default(); network.junctions().len()],
            turning: Turning::by_capacity(network),
            demand: None,
            origin: None,
        }
    }

    /// Mean quality of the links, weighted by their length; 0 without links.
    pub fn quality(&self, network: &Network) -> f64 {
        let (mut known, mut all) = (0.0, 0.0);
        for (start, link) in self.links.iter().zip(network.links()) {
            known += start.quality * link.length().get();
            all += link.length().get();
        }
        if all > 0.0 { known / all } else { 0.0 }
    }

    /// Share of what enters a junction that ends there.
    pub(super) fn ending_share(&self, network: &Network, junction: JunctionIndex) -> f64 {
        ending_share(network, &self.links, (junction, self.ends[junction.slot()]))
    }

    /// Whether it is one of this network.
    ///
    /// # Errors
    /// When a table has another length, a number is none or a zone is not there.
    pub fn check(&self, network: &Network) -> Result<(), StartError> {
        let count = |of, given: usize, network: usize| {
            if given == network {
                return Ok(());
            }
            Err(StartError::Count { of, given, network })
        };
        count("links", self.links.len(), network.links().len())?;
        count("ends of trips", self.ends.len(), network.junctions().len())?;
        count("turning shares", self.turning.shares.len(), network.movements().len())?;
        count("learned turns", self.turning.learned.len(), network.links().len())?;
        let fits = |number: &f64| (0.0..1e12).contains(number);
        let number = |of, row: Option<usize>| match row {
            Some(row) => Err(StartError::Number { of, row }),
            None => Ok(()),
        };
        let wrong = |link: &LinkStart| {
            let numbers = [link.flow_veh_h, link.speed_kmh, link.density_veh_km, link.quality];
            !numbers.iter().all(fits)
        };
        let open = |ends: &Ends| !fits(&ends.begin_veh_h) || !fits(&ends.end_veh_h);
        number("links", self.links.iter().position(wrong))?;
        number("ends of trips", self.ends.iter().position(open))?;
        number("turning", self.turning.shares.iter().position(|share| !fits(share)))?;
        let flows = self.demand.as_ref().map(|demand| demand.flows.as_slice()).unwrap_or_default();
        number("demand", flows.iter().position(|row| !fits(&row.flow_veh_h)))?;
        let zones = network.zones().len();
        let foreign = flows
            .iter()
            .position(|row| row.origin.slot() >= zones || row.destination.slot() >= zones);
        match foreign {
            Some(row) => Err(StartError::Zone { row }),
            None => Ok(()),
        }
    }

    /// The same start on a network with more links between the same junctions. New links are empty;
    /// movements onto them have their part by capacity, the others share the rest as before.
    #[must_use]
    pub fn moved(&self, base: &Network, network: &Network) -> Start {
        let link = |link: &crate::road::Link| {
            let old = base.find_link(link.key().as_str());
            old.map_or_else(|| LinkStart::empty(link), |old| self.links[old.slot()])
        };
        let ends = |junction: &crate::road::Junction| {
            let old = base.find_junction(junction.key().as_str());
            old.map_or_else(Ends::default, |old| self.ends[old.slot()])
        };
        let mut turning = Turning::by_capacity(network);
        for link in network.link_indexes() {
            let range = network.movement_range(link);
            self.turn((base, network), link, &mut turning.shares[range]);
            let old = base.find_link(network.link(link).key().as_str());
            turning.learned[link.slot()] = old.is_some_and(|old| self.turning.learned[old.slot()]);
        }
        Start {
            links: network.links().iter().map(link).collect(),
            ends: network.junctions().iter().map(ends).collect(),
            turning,
            demand: self.demand.clone(),
            origin: None,
        }
    }

    /// Shares of the movements of one link of a network with more links.
    fn turn(&self, (base, network): (&Network, &Network), link: LinkIndex, shares: &mut [f64]) {
        let movements = network.movements_from(link);
        let capacity = |one: &Movement| network.link(one.to).capacity_veh_h();
        let all: f64 = movements.iter().map(capacity).sum();
        let known = |one: &Movement| {
            let index = |link| base.find_link(network.link(link).key().as_str());
            let old = base.find_movement(index(one.from)?, index(one.to)?)?;
            Some(self.turning.shares[old.slot()])
        };
        let old: f64 = movements.iter().filter_map(known).sum();
        let new: f64 = movements.iter().filter(|one| known(one).is_none()).map(capacity).sum();
        for (share, one) in shares.iter_mut().zip(movements) {
            *share = match known(one) {
                Some(given) if old > 0.0 => given / old * (1.0 - new / all),
                Some(_) | None => capacity(one) / all,
            };
        }
        super::turning::normalise(shares);
    }
}

/// Share of what enters a junction that ends there.
pub(super) fn ending_share(
    network: &Network,
    links: &[LinkStart],
    (junction, ends): (JunctionIndex, Ends),
) -> f64 {
    let entering = network.incoming(junction).iter().map(|link| links[link.slot()].flow_veh_h);
    let entering: f64 = entering.sum();
    if entering > 0.0 { (ends.end_veh_h / entering).min(1.0) } else { 0.0 }
}
