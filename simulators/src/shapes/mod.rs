//! What a sensor measures, by kind, place and time of day. A value is a pure function of the
//! sensor's [`Shape`], the moment and the sky: no state, no clock, so any thread may ask in any
//! order. Values are rounded as a real sensor of the kind rounds.

pub mod day;
mod nature;
pub mod sky;
pub mod traffic;
mod works;

use citytwin_proto::ingest::v1::{Quantity, SensorKind};

use self::day::Moment;
use self::sky::Sky;
use crate::city::plane::Spot;
use crate::city::signals::Light;

/// Most quantities of one measurement.
pub const MAX_QUANTITIES: usize = 8;

/// All that a sensor's values depend on besides time and weather.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// What it is.
    pub kind: SensorKind,
    /// Its own chance.
    pub seed: u64,
    /// Traffic: the chance that all traffic sensors of the city share.
    pub city_seed: u64,
    /// Where it stands.
    pub spot: Spot,
    /// How busy, dirty or loud its place is; 1 is usual. Traffic: the link's flow in the peak hour, as
    /// a share of what its green lets through.
    pub busy: f64,
    /// Traffic: speed on the empty link.
    pub free_flow_kmh: f64,
    /// Traffic: of one lane.
    pub capacity_veh_h: f64,
    /// Traffic: how many lanes it counts.
    pub seen_lanes: f64,
    /// Traffic: length of the link.
    pub length_km: f64,
    /// Traffic: the light at the end of the link.
    pub light: Option<Light>,
    /// Water: how much later than at the river's mouth the tide comes.
    pub lag_h: f64,
    /// Lamps: watts; power meters: kilowatts.
    pub size: f64,
}

/// What one measurement gave.
#[derive(Clone, Copy, Debug)]
pub struct Values {
    values: [(Quantity, f64); MAX_QUANTITIES],
    len: usize,
}

impl Default for Values {
    fn default() -> Values {
        Values { values: [(Quantity::Unspecified, 0.0); MAX_QUANTITIES], len: 0 }
    }
}

impl Values {
    /// In the order in which the kind reports them.
    pub fn as_slice(&self) -> &[(Quantity, f64)] {
        &self.values[..self.len]
    }

    fn put(&mut self, quantity: Quantity, value: f64) {
        if let Some(slot) = self.values.get_mut(self.len) {
            *slot = (quantity, value);
            self.len += 1;
        }
    }
}

impl Shape {
    /// Measures at a moment. The sky must have been turned to the moment's day.
    pub fn measure(&self, moment: &Moment, sky: &Sky) -> Values {
        let mut out = Values::default();
        match self.kind {
            SensorKind::TrafficLoop | SensorKind::Radar => {
                traffic::detector(self, moment, sky, &mut out);
            }
            SensorKind::CameraCounter => traffic::camera(self, moment, sky, &mut out),
            SensorKind::SignalController => traffic::controller(self, moment, sky, &mut out),
            SensorKind::AirStation => nature::air(self, moment, sky, &mut out),
            SensorKind::Noise => nature::sound(self, moment, sky, &mut out),
            SensorKind::Weather => nature::weather(self, moment, sky, &mut out),
            SensorKind::Rain => nature::rain(self, moment, sky, &mut out),
            SensorKind::WaterLevel => nature::level(self, moment, sky, &mut out),
            SensorKind::StreetLight => works::lamp(self, moment, &mut out),
            SensorKind::IndustrialStack => works::stack(self, moment, &mut out),
            SensorKind::IndustrialEffluent => works::effluent(self, moment, &mut out),
            SensorKind::PowerMeter => works::power(self, moment, &mut out),
            SensorKind::Vibration => works::vibration(self, moment, &mut out),
            SensorKind::Unspecified => {}
        }
        out
    }
}

/// Rounded to a step of 1 / `steps`; never -0, which is another bit pattern for the same value.
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps + 0.0
}

#[cfg(test)]
#[path = "shapes_tests.rs"]
mod tests;
