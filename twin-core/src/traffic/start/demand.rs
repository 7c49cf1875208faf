//! Trips between zones from the flows of a start: a gravity prior, calibrated until an equilibrium
//! on the roads without edits reproduces the flows of measured links. It is the same assignment
//! network that the static model uses ([`assignment`]).
//!
//! A queue's flow is what its bottleneck lets through, not what is wanted: where much is queued,
//! the trips found are too few.
//!
//! What must not live here: the equilibrium, which counts are held out.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calibrate::{Calibration, CalibrationSettings, Count, Fit, calibrate};
use super::gravity::{Gravity, GravityError, gravity_at};
use super::state::{Source, Start};
use crate::pace::Pace;
use crate::road::{JunctionIndex, LinkIndex, Network, Zone, ZoneIndex};
use crate::traffic::assign::{self, Demand};
use crate::traffic::roads::{Edited, assignment};

/// Trips that begin in a zone for each veh/h of its connectors' capacity, before calibration sets
/// the level.
const TRIPS_PER_CAPACITY: f64 = 0.1;

/// Part of the work that the prior is taken to be.
const PRIOR_PART: f64 = 0.1;

/// Trips from one zone to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OdFlow {
    /// Where they start.
    pub origin: ZoneIndex,
    /// Where they go.
    pub destination: ZoneIndex,
    /// How many, pcu/h.
    pub flow_veh_h: f64,
}

/// Trips between zones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StartDemand {
    /// In order of origin and destination, where they were estimated.
    pub flows: Vec<OdFlow>,
    /// How they were estimated from the start's own flows; `None` where they come from elsewhere.
    pub fit: Option<DemandFit>,
}

/// How trips were estimated, and how well they reproduce what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemandFit {
    /// With these settings.
    pub settings: CalibrationSettings,
    /// Iterations done.
    pub iterations: u32,
    /// At the measured links that were used.
    pub used: Fit,
    /// At those held out: what the trips are worth.
    pub held_out: Fit,
}

/// Why trips cannot be estimated.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum DemandError {
    /// Too few zones have connectors.
    #[error("trips need two zones or more with connectors, the network has {0}")]
    Zones(usize),
    /// No link of the start is measured.
    #[error("trips need measured flows, the start has none")]
    NoCounts,
    /// No zone can be reached from another.
    #[error("no zone can be reached from another")]
    NoWays,
    /// Whoever watched said stop.
    #[error("the estimation was cancelled")]
    Cancelled,
    /// The roads are no network for it.
    #[error("the roads make no assignment")]
    Roads(#[from] assign::NetworkError),
    /// The gravity model has numbers that are none.
    #[error("the gravity model refuses the zones")]
    Gravity(#[from] GravityError),
    /// The prior has numbers that are none.
    #[error("the prior is no demand")]
    Trips(#[from] assign::DemandError),
    /// The prior names a junction that is none.
    #[error("the prior is of other roads")]
    Junction(#[from] assign::UnknownJunction),
}

impl Start {
    /// The same start with trips between zones that reproduce its measured flows, and how well they
    /// do. `watch` hears from 0 to 1 how far it is, after every round of every equilibrium and within
    /// one after every half a million links walked over, and ends it by breaking. The same input
    /// gives the same bytes.
    ///
    /// Cost: about as many equilibria as the settings have iterations.
    ///
    /// # Errors
    /// When there is too little to estimate from, or it was cancelled.
    pub fn with_estimated_demand(
        &self,
        network: &Network,
        settings: CalibrationSettings,
        mut watch: impl FnMut(f64) -> ControlFlow<()>,
    ) -> Result<(Start, DemandFit), DemandError> {
        let joined = network.zones().iter().filter(|zone| !zone.connectors().is_empty()).count();
        if joined < 2 {
            return Err(DemandError::Zones(joined));
        }
        let counts = self.counts();
        if counts.is_empty() {
            return Err(DemandError::NoCounts);
        }
        let roads = assignment(network, &Edited::default())?;
        let prior = gravity_prior(network, &roads, |done| watch(done * PRIOR_PART))?;
        if prior.is_empty() {
            return Err(DemandError::NoWays);
        }
        let most = f64::from(settings.iterations.max(1));
        let found = calibrate(&roads, &Demand::new(prior)?, &counts, settings, |iterations, _| {
            let done = (f64::from(iterations) / most).min(1.0);
            watch(PRIOR_PART + (1.0 - PRIOR_PART) * done)
        })?;
        let Calibration { used, held_out, iterations, equilibrium, .. } =
            found.ok_or(DemandError::Cancelled)?;
        let fit = DemandFit { settings, iterations, used, held_out };
        let flow = |(origin, destination, flow_veh_h)| {
            let (origin, destination) = (ZoneIndex::new(origin), ZoneIndex::new(destination));
            OdFlow { origin, destination, flow_veh_h }
        };
        let flows = equilibrium.demand().pairs().map(flow).collect();
        let demand = Some(StartDemand { flows, fit: Some(fit) });
        Ok((Start { demand, ..self.clone() }, fit))
    }

    /// The flows of measured links as counts for [`calibrate`] on [`assignment`].
    pub fn counts(&self) -> Vec<Count> {
        let rows = (0..).map(LinkIndex::new).zip(&self.links);
        let measured = rows.filter(|(_, link)| link.source == Source::Measured);
        measured
            .map(|(link, start)| Count { link: link.number(), flow_veh_h: start.flow_veh_h })
            .collect()
    }
}

/// Trips between zones by a gravity model on [`assignment`], in veh/h: zones are as large as the
/// capacity of the links at their connectors. The level is a guess that calibration corrects. `watch`
/// hears of every zone, then that all is done but balancing them, and ends it by breaking. O(zones² + zones · links · log junctions).
///
/// # Errors
/// When it was cancelled; else never for a network of the same roads, see [`GravityError`].
pub fn gravity_prior(
    roads: &Network,
    network: &assign::Network,
    mut watch: impl FnMut(f64) -> ControlFlow<()>,
) -> Result<Vec<(u32, u32, f64)>, DemandError> {
    let size = |zone: &Zone, links: fn(&Network, JunctionIndex) -> &[LinkIndex]| {
        let links = zone.connectors().iter().flat_map(|at| links(roads, *at));
        links.map(|link| roads.link(*link).capacity_veh_h()).sum::<f64>() * TRIPS_PER_CAPACITY
    };
    let zones = roads.zones();
    let begin: Vec<f64> = zones.iter().map(|zone| size(zone, Network::outgoing)).collect();
    let end: Vec<f64> = zones.iter().map(|zone| size(zone, Network::incoming)).collect();
    let mut costs = Vec::with_capacity(zones.len());
    for (centroid, _) in (0_u32..).zip(zones) {
        if watch(f64::from(centroid) / zones.len() as f64).is_break() {
            return Err(DemandError::Cancelled);
        }
        let mut own = network.least_costs(centroid);
        own.truncate(zones.len());
        costs.push(own);
    }
    let model = Gravity { begin_veh_h: &begin, end_veh_h: &end, costs: &costs, deterrence: None };
    let mut ask = || watch(1.0);
    match gravity_at(&model, &mut Pace::new(&mut ask)) {
        ControlFlow::Continue(found) => Ok(found?),
        ControlFlow::Break(()) => Err(DemandError::Cancelled),
    }
}
