//! Trips between zones from what is measured now, and how well they fit.

use citytwin_core::traffic::start::{CalibrationSettings, DemandFit};

use super::Planner;
use super::base::{Base, BaseState};
use super::error::PlannerError;
use super::run::{Running, Stage};

/// Trips that were estimated.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    /// What they are known from.
    pub base: BaseState,
    /// Zones of the network.
    pub zones: usize,
    /// How well they fit.
    pub fit: DemandFit,
    /// Keys of origin and destination, pcu/h.
    pub flows: Vec<(String, String, f64)>,
}

impl Planner {
    /// Estimates trips on the current network from the newest snapshot; a share of the measured
    /// links is held out.
    ///
    /// # Errors
    /// When there is no network, or too many runs wait.
    pub fn calibrate(
        &self,
        held_out_share: f64,
        seed: u64,
    ) -> Result<Running<Estimated>, PlannerError> {
        let (roads, snapshot) = (self.current()?, self.city.snapshot());
        let settings = CalibrationSettings { held_out_share, seed, ..Default::default() };
        self.desk.run(move |job| {
            let base = Base::of(&snapshot, &roads);
            drop(snapshot);
            let network = &roads.network;
            let start = base.start(network, &mut || job.tell(Stage::Estimating, 0.0))?;
            let tell = |done| job.tell(Stage::Estimating, done);
            let found = start.with_estimated_demand(network, settings, tell);
            let (start, fit) = found?;
            let rows = start.demand.map(|demand| demand.flows).unwrap_or_default();
            let key = |zone| network.zone(zone).key().to_string();
            let flows = rows.iter();
            let flows = flows.map(|row| (key(row.origin), key(row.destination), row.flow_veh_h));
            let flows = flows.collect();
            Ok(Estimated { base: base.state, zones: network.zones().len(), fit, flows })
        })
    }
}
