//! A link as it is given: its length and its fundamental diagram.
//!
//! Flow rises with density at free speed `u` up to the capacity and falls at wave speed `w` to
//! none at jam density `k_j`. The two lines meet at `k_j·u·w/(u+w)`; a lower capacity cuts the top
//! off (a trapezoid) and leaves both lines as they are, so travel and wave times do not change.

use super::error::LinkProblem;

/// A directed piece of road between two junctions, all lanes together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Junction where it begins.
    pub from: u32,
    /// Junction where it ends.
    pub to: u32,
    /// Length in metres.
    pub length_m: f64,
    /// Free speed `u` in m/s.
    pub free_speed_mps: f64,
    /// Speed `w` of a backward wave in m/s, as a positive number.
    pub wave_speed_mps: f64,
    /// Jam density `k_j` in pcu/m over all lanes.
    pub jam_density_pcu_m: f64,
    /// Capacity in pcu/s, at both ends; `None` for the peak of the diagram.
    pub capacity_pcu_s: Option<f64>,
}

impl Link {
    /// Where both lines of the diagram meet, in pcu/s: `k_j·u·w/(u+w)`.
    pub fn peak_pcu_s(&self) -> f64 {
        let (u, w) = (self.free_speed_mps, self.wave_speed_mps);
        self.jam_density_pcu_m * u * w / (u + w)
    }

    /// The most that enters or leaves, in pcu/s.
    pub fn capacity_pcu_s(&self) -> f64 {
        self.capacity_pcu_s.unwrap_or(f64::INFINITY).min(self.peak_pcu_s())
    }

    /// Vehicles in a jam from end to end, in pcu.
    pub fn storage_pcu(&self) -> f64 {
        self.jam_density_pcu_m * self.length_m
    }

    /// The flow of the diagram at a density, in pcu/s; none outside 0 to jam density.
    pub fn flow_pcu_s(&self, density_pcu_m: f64) -> f64 {
        let free = density_pcu_m * self.free_speed_mps;
        let jammed = (self.jam_density_pcu_m - density_pcu_m) * self.wave_speed_mps;
        free.min(jammed).min(self.capacity_pcu_s()).max(0.0)
    }

    /// Whether it is allowed on a network of so many junctions.
    pub(super) fn check(&self, junctions: u32) -> Result<(), LinkProblem> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let numbers =
            [self.length_m, self.free_speed_mps, self.wave_speed_mps, self.jam_density_pcu_m];
        if !numbers.into_iter().all(positive) {
            return Err(LinkProblem::NotPositive);
        }
        // A capacity copied from the peak may differ from it in its last digits.
        let most = self.peak_pcu_s() * (1.0 + 1e-9);
        if self.capacity_pcu_s.is_some_and(|q| !(positive(q) && q <= most)) {
            return Err(LinkProblem::Capacity);
        }
        if self.from >= junctions || self.to >= junctions {
            return Err(LinkProblem::Junction);
        }
        Ok(())
    }
}
