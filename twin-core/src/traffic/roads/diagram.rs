//! The triangular fundamental diagram of a road link, and where a measured pair of flow and speed
//! lies in it. Flow rises with density at free speed `u` up to the capacity `q` and falls at wave
//! speed `w` to none at jam density; `w` follows from the other three: `w = q / (k_j - q/u)`.
//!
//! A pair inside the triangle is a link that is queued in part: its density is flow over speed
//! (Edie 1963), as measured, and the link transmission model takes it so.
//!
//! The capacity is the peak. An edit that raises it needs a steeper wave, which ends at `w = u`: a
//! link carries at most `k_j·u/2`, and a scenario that asks the link transmission model for more is
//! told so. A link has one wave in a run: one whose capacity is raised for a part of it has the
//! steeper wave from beginning to end, and its own capacity outside that part, a trapezoid.
//!
//! What must not live here: sensors, weights.

use serde::{Deserialize, Serialize};

use crate::road;

/// A side of the fundamental diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Branch {
    /// Density up to that of capacity.
    Free,
    /// Denser: queued, in part or from end to end.
    Queued,
}

/// A queue never dissolves faster than traffic flows: `w` is at most this share of `u`. Links whose
/// jam density is too low for that (connectors) get one that is high enough.
const FASTEST_WAVE: f64 = 1.0;

/// The diagram of a link, all lanes together; vehicles are passenger-car equivalents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagram {
    /// Free speed `u`.
    pub free_speed_kmh: f64,
    /// Wave speed `w`, as a positive number.
    pub wave_speed_kmh: f64,
    /// Capacity `q`, the peak.
    pub capacity_veh_h: f64,
    /// Jam density `k_j`.
    pub jam_density_veh_km: f64,
}

/// A state of a link that its diagram allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::traffic) struct Point {
    pub(in crate::traffic) flow_veh_h: f64,
    pub(in crate::traffic) density_veh_km: f64,
    pub(in crate::traffic) branch: Branch,
    /// Whether what was measured lies outside the triangle and was moved to its edge.
    pub(in crate::traffic) clamped: bool,
}

impl Diagram {
    /// Of a road link.
    pub fn of(link: &road::Link) -> Diagram {
        let (free_speed_kmh, capacity_veh_h) = (link.free_speed().kmh(), link.capacity_veh_h());
        let critical = capacity_veh_h / free_speed_kmh;
        let least_jam = critical * (1.0 + 1.0 / FASTEST_WAVE);
        let jam = (link.jam_density_per_lane().get() * link.lanes().count()).max(least_jam);
        Diagram {
            free_speed_kmh,
            wave_speed_kmh: capacity_veh_h / (jam - critical),
            capacity_veh_h,
            jam_density_veh_km: jam,
        }
    }

    /// The same road with so many times the capacity: the wave is steeper, and no steeper than free
    /// speed. As it is for 1 and less.
    #[must_use]
    pub fn raised(&self, times: f64) -> Diagram {
        if times <= 1.0 {
            return *self;
        }
        let capacity_veh_h = (self.capacity_veh_h * times).min(self.most_capacity_veh_h());
        let critical = capacity_veh_h / self.free_speed_kmh;
        let wave_speed_kmh = capacity_veh_h / (self.jam_density_veh_km - critical);
        Diagram { wave_speed_kmh, capacity_veh_h, ..*self }
    }

    /// The most that a diagram with this free speed and jam density lets through, `k_j·u/2`, veh/h.
    pub fn most_capacity_veh_h(&self) -> f64 {
        self.jam_density_veh_km * self.free_speed_kmh / (1.0 + 1.0 / FASTEST_WAVE)
    }

    /// The peak at another free speed, veh/h.
    pub fn peak_veh_h(&self, free_speed_kmh: f64) -> f64 {
        let (u, w) = (free_speed_kmh, self.wave_speed_kmh);
        self.jam_density_veh_km * u * w / (u + w)
    }

    /// Density at capacity, veh/km: below it traffic is free, above it queued.
    pub fn critical_density_veh_km(&self) -> f64 {
        self.capacity_veh_h / self.free_speed_kmh
    }

    /// Flow at a density, veh/h; none outside 0 to jam density.
    pub fn flow_veh_h(&self, density_veh_km: f64) -> f64 {
        let free = density_veh_km * self.free_speed_kmh;
        let queued = (self.jam_density_veh_km - density_veh_km) * self.wave_speed_kmh;
        free.min(queued).max(0.0)
    }

    /// The queued flow at which traffic goes this fast, veh/h: where the line of that speed meets
    /// the falling branch. The capacity at free speed.
    pub fn queued_flow_veh_h(&self, speed_kmh: f64) -> f64 {
        let speed = speed_kmh.clamp(0.0, self.free_speed_kmh);
        let meeting = self.wave_speed_kmh * self.jam_density_veh_km / (speed + self.wave_speed_kmh);
        (speed * meeting).min(self.capacity_veh_h)
    }

    /// The state at a flow and a density, moved to the nearest allowed density at the nearest
    /// allowed flow.
    pub(in crate::traffic) fn at(&self, flow_veh_h: f64, density_veh_km: f64) -> Point {
        let flow = flow_veh_h.clamp(0.0, self.capacity_veh_h);
        let least = flow / self.free_speed_kmh;
        let most = (self.jam_density_veh_km - flow / self.wave_speed_kmh).max(least);
        let density = density_veh_km.clamp(least, most);
        // Rounding moves nothing.
        let slack = 1e-9 * self.jam_density_veh_km;
        let moved = (density - density_veh_km).abs() > slack;
        let critical = self.critical_density_veh_km();
        Point {
            flow_veh_h: flow,
            density_veh_km: density,
            branch: if density > critical + slack { Branch::Queued } else { Branch::Free },
            clamped: moved || (flow - flow_veh_h).abs() > 1e-9 * self.capacity_veh_h,
        }
    }

    /// The state at a flow and a speed: density is flow over speed.
    pub(in crate::traffic) fn at_speed(&self, flow_veh_h: f64, speed_kmh: f64) -> Point {
        if flow_veh_h <= 0.0 {
            return self.at(flow_veh_h, 0.0);
        }
        // At no speed at all the density has no end; the triangle gives it one.
        self.at(flow_veh_h, (flow_veh_h / speed_kmh.max(0.0)).min(f64::MAX))
    }
}
