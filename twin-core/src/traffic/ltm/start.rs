//! How a link is at time 0: how many vehicles are on it, and how they came and went just before.
//! Three numbers fix both curves: who entered during the last L/u seconds at the inflow is still
//! on the way, the others wait at the exit; who left during the last L/w seconds at the outflow
//! has left holes that have not yet reached the entrance.

use super::error::StartError;
use super::grain::rounded;
use super::link::Link;

/// A link at time 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkStart {
    /// Vehicles on it, in pcu: from inflow·L/u (nobody waits) to k_j·L − outflow·L/w (full).
    pub vehicles_pcu: f64,
    /// Flow in at the entrance until now, in pcu/s.
    pub inflow_pcu_s: f64,
    /// Flow out at the exit until now, in pcu/s.
    pub outflow_pcu_s: f64,
}

impl LinkStart {
    /// An empty link.
    pub const EMPTY: LinkStart =
        LinkStart { vehicles_pcu: 0.0, inflow_pcu_s: 0.0, outflow_pcu_s: 0.0 };

    /// Evenly filled, flowing as the link's diagram says: free below the density of capacity,
    /// queued from end to end above it. The density is cut to 0 … jam density.
    pub fn uniform(link: &Link, density_pcu_m: f64) -> LinkStart {
        let density = density_pcu_m.clamp(0.0, link.jam_density_pcu_m);
        LinkStart::measured(link, density, link.flow_pcu_s(density))
    }

    /// From a measured density and flow, in pcu/m and pcu/s. A flow above what the diagram has at
    /// that density is cut to it: so any pair of measured numbers gives a start that is allowed.
    pub fn measured(link: &Link, density_pcu_m: f64, flow_pcu_s: f64) -> LinkStart {
        let density = density_pcu_m.clamp(0.0, link.jam_density_pcu_m);
        let flow = flow_pcu_s.clamp(0.0, link.flow_pcu_s(density));
        let vehicles_pcu = density * link.length_m;
        LinkStart { vehicles_pcu, inflow_pcu_s: flow, outflow_pcu_s: flow }
    }

    /// Who had entered, `seconds` ago.
    pub(super) fn entered(&self, seconds: f64) -> f64 {
        rounded(self.vehicles_pcu - self.inflow_pcu_s * seconds)
    }

    /// Who had left, `seconds` ago: the count is 0 now.
    pub(super) fn left(&self, seconds: f64) -> f64 {
        rounded(-self.outflow_pcu_s * seconds)
    }

    pub(super) fn check(&self, number: usize, link: &Link) -> Result<(), StartError> {
        let slack = 1e-9 * (1.0 + link.storage_pcu());
        let most = link.capacity_pcu_s() * (1.0 + 1e-9);
        let flows = [self.inflow_pcu_s, self.outflow_pcu_s];
        if !flows.into_iter().all(|flow| (0.0..=most).contains(&flow)) {
            return Err(StartError::Flow(number));
        }
        let least = self.inflow_pcu_s * link.length_m / link.free_speed_mps;
        if self.vehicles_pcu.is_nan() || self.vehicles_pcu < least - slack {
            return Err(StartError::TooFew(number));
        }
        let holes = self.outflow_pcu_s * link.length_m / link.wave_speed_mps;
        if self.vehicles_pcu > link.storage_pcu() - holes + slack {
            return Err(StartError::TooMany(number));
        }
        Ok(())
    }
}
