//! Sensors: their stable id, what they are and where they stand.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::position::Position;

/// Longest agency or sensor id, in bytes.
pub const MAX_ID_LEN: usize = 64;

/// Expected interval of a sensor that does not say, in milliseconds.
pub const DEFAULT_INTERVAL_MS: u32 = 60_000;

/// A sensor's stable id, `agency/sensor`; each part 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SensorKey(Arc<str>);

/// Why a text is no sensor id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("sensor id {0:?} is not agency/sensor, each 1 to 64 of A-Z a-z 0-9 . _ -")]
pub struct SensorKeyError(String);

/// Whether a text can be an agency or the sensor part of an id.
pub fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_ID_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl SensorKey {
    /// From `agency/sensor`.
    ///
    /// # Errors
    /// When a part is missing, too long or has another character.
    pub fn parse(text: &str) -> Result<SensorKey, SensorKeyError> {
        match text.split_once('/') {
            Some((agency, sensor)) if is_id(agency) && is_id(sensor) => {
                Ok(SensorKey(Arc::from(text)))
            }
            Some(_) | None => Err(SensorKeyError(text.chars().take(200).collect())),
        }
    }

    /// `agency/sensor`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The agency.
    pub fn agency(&self) -> &str {
        self.0.split_once('/').map_or("", |(agency, _)| agency)
    }
}

/// So that a map by id is asked with a plain text, without making a key of it first.
impl Borrow<str> for SensorKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SensorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sensor's number: the order in which sensors were first logged, from 0 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SensorIndex(u32);

impl SensorIndex {
    /// The sensor with this number.
    pub const fn new(number: u32) -> SensorIndex {
        SensorIndex(number)
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Position in a table of all sensors.
    pub const fn slot(self) -> usize {
        self.0 as usize
    }
}

/// What a sensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name is its documentation")]
pub enum SensorKind {
    TrafficLoop = 1,
    Radar = 2,
    CameraCounter = 3,
    SignalController = 4,
    AirStation = 5,
    Noise = 6,
    Weather = 7,
    Rain = 8,
    WaterLevel = 9,
    StreetLight = 10,
    IndustrialStack = 11,
    IndustrialEffluent = 12,
    PowerMeter = 13,
    Vibration = 14,
}

static KINDS: [(SensorKind, &str); 14] = [
    (SensorKind::TrafficLoop, "traffic_loop"),
    (SensorKind::Radar, "radar"),
    (SensorKind::CameraCounter, "camera_counter"),
    (SensorKind::SignalController, "signal_controller"),
    (SensorKind::AirStation, "air_station"),
    (SensorKind::Noise, "noise"),
    (SensorKind::Weather, "weather"),
    (SensorKind::Rain, "rain"),
    (SensorKind::WaterLevel, "water_level"),
    (SensorKind::StreetLight, "street_light"),
    (SensorKind::IndustrialStack, "industrial_stack"),
    (SensorKind::IndustrialEffluent, "industrial_effluent"),
    (SensorKind::PowerMeter, "power_meter"),
    (SensorKind::Vibration, "vibration"),
];

impl SensorKind {
    /// All of them in order of number.
    pub fn all() -> impl Iterator<Item = SensorKind> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// The kind with this wire number.
    pub fn from_number(number: u8) -> Option<SensorKind> {
        KINDS.get(usize::from(number).wrapping_sub(1)).map(|(kind, _)| *kind)
    }

    /// The kind with this name, such as `traffic_loop`.
    pub fn from_name(name: &str) -> Option<SensorKind> {
        KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Its number on the wire and in the log.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Its name as in Parquet, config and on the command line.
    pub const fn name(self) -> &'static str {
        KINDS[self as usize - 1].1
    }
}

/// What is known of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorDescription {
    /// What it is.
    pub kind: SensorKind,
    /// Where it stands.
    pub position: Position,
    /// How often it reports, milliseconds; silent after three times this.
    pub expected_interval_ms: u32,
    /// A name for people; may be empty.
    pub name: String,
    /// The road link it watches; may be empty.
    pub link: String,
    /// Lane on that link, 1 = kerb side, 0 = all.
    pub lane: u32,
    /// Industrial zone or ward; may be empty.
    pub zone: String,
    /// Free-flow speed of the link in km/h; 0 = unknown.
    pub free_flow_speed_kmh: f64,
    /// Lanes of the link; 0 = unknown.
    pub lanes: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_two_clean_parts() {
        assert_eq!(SensorKey::parse("hcmc/L-1.a_2").unwrap().agency(), "hcmc");
        for bad in ["", "a", "/", "a/", "/b", "a/b/c", "a b/c", "a/đ", &"x".repeat(70)] {
            assert!(SensorKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn kinds_are_in_order_of_number() {
        for kind in SensorKind::all() {
            assert_eq!(SensorKind::from_number(kind.number()), Some(kind));
            assert_eq!(SensorKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(SensorKind::from_number(0), None);
        assert_eq!(SensorKind::from_number(15), None);
    }
}
