//! What a scenario starts from: the traffic of the snapshot as plain numbers, one row a link and
//! one a movement of the network. How they are estimated from sensors is not told here.

use thiserror::Error;

use crate::road::{Network, ZoneIndex};

/// The traffic at the start. Flows are in passenger-car equivalents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// Per link of the network, in its order.
    pub links: Vec<LinkStart>,
    /// Per movement of the network, in its order: its share of who leaves the link, taken in
    /// proportion. Empty: by the capacity of the links entered.
    pub turning: Vec<f64>,
    /// Trips between zones, where they are known.
    pub demand: Option<Vec<OdFlow>>,
}

/// A link at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkStart {
    /// Flow, pcu/h.
    pub flow_veh_h: f64,
    /// Mean speed, km/h.
    pub speed_kmh: f64,
    /// Density over all lanes, pcu/km.
    pub density_veh_km: f64,
    /// How well it is known, 0 (not at all) to 1 (measured).
    pub quality: f64,
}

/// Trips from one zone to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OdFlow {
    /// Where they start.
    pub origin: ZoneIndex,
    /// Where they go.
    pub destination: ZoneIndex,
    /// How many, pcu/h.
    pub flow_veh_h: f64,
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
        let links = vec![LinkStart::default(); network.links().len()];
        Start { links, turning: Vec::new(), demand: None }
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

    /// Whether it is one of this network.
    pub(super) fn check(&self, network: &Network) -> Result<(), StartError> {
        let count = |of, given: usize, network: usize| {
            if given == network {
                return Ok(());
            }
            Err(StartError::Count { of, given, network })
        };
        count("links", self.links.len(), network.links().len())?;
        if !self.turning.is_empty() {
            count("turning shares", self.turning.len(), network.movements().len())?;
        }
        let fits = |number: &f64| (0.0..1e12).contains(number);
        let number = |of, row: Option<usize>| match row {
            Some(row) => Err(StartError::Number { of, row }),
            None => Ok(()),
        };
        let wrong = |link: &LinkStart| {
            let numbers = [link.flow_veh_h, link.speed_kmh, link.density_veh_km, link.quality];
            !numbers.iter().all(fits)
        };
        number("links", self.links.iter().position(wrong))?;
        number("turning", self.turning.iter().position(|share| !fits(share)))?;
        let demand = self.demand.as_deref().unwrap_or_default();
        number("demand", demand.iter().position(|row| !fits(&row.flow_veh_h)))?;
        let zones = network.zones().len();
        let foreign = |row: &OdFlow| row.origin.slot() >= zones || row.destination.slot() >= zones;
        match demand.iter().position(foreign) {
            Some(row) => Err(StartError::Zone { row }),
            None => Ok(()),
        }
    }
}
