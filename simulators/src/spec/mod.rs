//! What fleet is wanted, as TOML: [`FleetSpec`]. Raw text becomes a checked spec in one step; an
//! error names the key, the value and what is allowed. `FleetSpec::default()` is the demo.
//!
//! ```toml
//! seed = 1
//! sensors = 20000            # divided among the kinds by share
//! start = "now"              # or RFC 3339, such as "2026-03-02T06:00:00+07:00"
//! speed = 1.0                # city seconds in a second of the wall
//! duration_s = 600           # of city time; left out: until stopped
//! daily_shape = true         # false: always ten in the morning of a dry Tuesday
//! encoding = "protobuf"      # or "json"
//!
//! [kinds.traffic_loop]       # likewise for every kind of `SensorKind`
//! share = 300.0              # or count = 6000
//! interval_ms = 10000
//!
//! [connections]
//! qos = 1                    # 0, 1, 2
//! protocol = "5"             # or "3.1.1"
//! direct = 100               # sensors with a connection of their own
//! sensors_per_gateway = 50   # or gateways = 400
//! readings_per_message = 50
//! flush_ms = 1000            # a gateway sends what it has this often
//!
//! [faults]                   # see `faults::FaultRates`
//! late = 0.001
//! ```

mod mix;

use std::fmt;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::mix::{KindDefaults, KindSpec, KindsSpec, defaults_of};
use crate::faults::FaultRates;

/// Largest fleet; ids and indices are made for it.
pub const MAX_SENSORS: u32 = 2_000_000;

/// A fleet as it is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetSpec {
    /// Same seed, same city, same sensors, same readings.
    pub seed: u64,
    /// How many sensors in all.
    pub sensors: u32,
    /// When the city's clock starts.
    pub start: Start,
    /// City seconds in a second of the wall.
    pub speed: f64,
    /// How long, in seconds of city time; none: until stopped.
    pub duration_s: Option<u64>,
    /// Whether values follow the hour and the weather, or stand at ten in the morning.
    pub daily_shape: bool,
    /// How payloads are written.
    pub encoding: Encoding,
    /// How many of each kind and how often they report.
    pub kinds: KindsSpec,
    /// How the sensors connect.
    pub connections: ConnectionSpec,
    /// What goes wrong.
    pub faults: FaultRates,
}

/// When the city's clock starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Start {
    /// With the run.
    #[default]
    Now,
    /// At this time, milliseconds since the Unix epoch.
    At(i64),
}

/// How payloads are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `application/x-protobuf`.
    #[default]
    Protobuf,
    /// `application/json`.
    Json,
}

/// Version of MQTT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.
    #[default]
    #[serde(rename = "5")]
    V5,
}

/// How the sensors connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionSpec {
    /// Quality of service of every publish.
    pub qos: u8,
    /// Version of MQTT.
    pub protocol: Protocol,
    /// Sensors with a connection of their own; the rest is behind gateways.
    pub direct: u32,
    /// Sensors behind one gateway, where `gateways` does not say how many there are.
    pub sensors_per_gateway: u32,
    /// How many gateways, exactly.
    pub gateways: Option<u32>,
    /// Most readings in one message. With 1, each goes out on its own sensor's topic.
    pub readings_per_message: u32,
    /// How often a gateway sends what it has gathered.
    pub flush_ms: u32,
}

/// Why a fleet cannot be.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Not TOML, or a key or type that is not known. The cause names the place and the choices.
    #[error("fleet spec: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// A value that makes no sense.
    #[error("fleet spec: {key} = {value}: allowed is {allowed}")]
    Value {
        /// The key, with its tables.
        key: String,
        /// What was given.
        value: String,
        /// What may be given.
        allowed: String,
    },
}

impl SpecError {
    pub(crate) fn value(
        key: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> SpecError {
        SpecError::Value { key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }
}

impl Default for FleetSpec {
    fn default() -> FleetSpec {
        FleetSpec {
            seed: 1,
            sensors: 20_000,
            start: Start::Now,
            speed: 1.0,
            duration_s: None,
            daily_shape: true,
            encoding: Encoding::Protobuf,
            kinds: KindsSpec::default(),
            connections: ConnectionSpec::default(),
            faults: FaultRates::default(),
        }
    }
}

impl Default for ConnectionSpec {
    fn default() -> ConnectionSpec {
        ConnectionSpec {
            qos: 1,
            protocol: Protocol::V5,
            direct: 100,
            sensors_per_gateway: 50,
            gateways: None,
            readings_per_message: 50,
            flush_ms: 1_000,
        }
    }
}

impl FleetSpec {
    /// Reads and checks a spec.
    ///
    /// # Errors
    /// When the text is no TOML, a key is unknown, or a value makes no sense.
    pub fn from_toml(text: &str) -> Result<FleetSpec, SpecError> {
        let spec: FleetSpec = toml::from_str(text).map_err(Box::new)?;
        spec.check()?;
        Ok(spec)
    }

    /// Checks the values against each other. `Fleet::new` does it too.
    ///
    /// # Errors
    /// When a value makes no sense; the first one is named.
    pub fn check(&self) -> Result<(), SpecError> {
        within("sensors", self.sensors, 1, MAX_SENSORS)?;
        if !(self.speed.is_finite() && self.speed > 0.0 && self.speed <= 100_000.0) {
            return Err(SpecError::value("speed", self.speed, "more than 0, up to 100000"));
        }
        if self.duration_s == Some(0) {
            return Err(SpecError::value("duration_s", 0, "1 or more, or no such key"));
        }
        self.connections.check(self.sensors)?;
        self.faults.check()?;
        let as_lived = self.start == Start::Now && (self.speed - 1.0).abs() < f64::EPSILON;
        if self.faults.clock_ahead > 0.0 && !as_lived {
            let allowed = "0 unless start = \"now\" and speed = 1, because \"ahead\" is measured \
                           against the clock of the receiver";
            return Err(SpecError::value("faults.clock_ahead", self.faults.clock_ahead, allowed));
        }
        self.kinds.counts(self.sensors)?;
        Ok(())
    }

    /// Where the city's clock starts for a run that begins at `now_ms` of the wall.
    pub const fn start_ms(&self, now_ms: i64) -> i64 {
        match self.start {
            Start::Now => now_ms,
            Start::At(ms) => ms,
        }
    }
}

impl ConnectionSpec {
    fn check(&self, sensors: u32) -> Result<(), SpecError> {
        within("connections.qos", u32::from(self.qos), 0, 2)?;
        within("connections.direct", self.direct, 0, sensors)?;
        within("connections.sensors_per_gateway", self.sensors_per_gateway, 1, 100_000)?;
        within("connections.readings_per_message", self.readings_per_message, 1, 1_000)?;
        within("connections.flush_ms", self.flush_ms, 1, 60_000)?;
        match self.gateways {
            Some(gateways) => within("connections.gateways", gateways, 1, sensors),
            None => Ok(()),
        }
    }
}

pub(crate) fn within(key: &str, value: u32, least: u32, most: u32) -> Result<(), SpecError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(SpecError::value(key, value, format!("{least} to {most}")))
    }
}

impl TryFrom<String> for Start {
    type Error = String;

    fn try_from(text: String) -> Result<Start, String> {
        if text == "now" {
            return Ok(Start::Now);
        }
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Ok(Start::At(time.timestamp_millis())),
            Err(cause) => Err(format!(
                "start = {text:?} ({cause}): allowed is \"now\" or a time such as \
                 \"2026-03-02T06:00:00+07:00\""
            )),
        }
    }
}

impl From<Start> for String {
    fn from(start: Start) -> String {
        match start {
            Start::Now => "now".to_owned(),
            Start::At(ms) => DateTime::from_timestamp_millis(ms)
                .map_or_else(|| ms.to_string(), |time| time.to_rfc3339()),
        }
    }
}

#[cfg(test)]
mod tests {
    use citytwin_proto::ingest::v1::SensorKind;

    use super::*;

    fn says(text: &str, words: &[&str]) {
        let error = FleetSpec::from_toml(text).expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{text:?} gave {error:?}, without {word:?}");
        }
    }

    #[test]
    fn the_default_is_the_demo_and_survives_toml() {
        let spec = FleetSpec::default();
        spec.check().unwrap();
        assert_eq!(FleetSpec::from_toml("").unwrap(), spec);
        let text = toml::to_string(&spec).unwrap();
        assert_eq!(FleetSpec::from_toml(&text).unwrap(), spec);
    }

    #[test]
    fn an_error_names_the_key_and_what_is_allowed() {
        says("sensor = 5", &["unknown field `sensor`", "expected one of", "`sensors`"]);
        says("sensors = 0", &["sensors = 0", "1 to 2000000"]);
        says("sensors = \"many\"", &["invalid type", "sensors"]);
        says("start = \"today\"", &["start = \"today\"", "\"now\"", "2026-03-02"]);
        says("encoding = \"xml\"", &["xml", "protobuf", "json"]);
        says("speed = -1.0", &["speed = -1", "more than 0"]);
        says("[connections]\nqos = 3", &["connections.qos = 3", "0 to 2"]);
        says("[connections]\nprotocol = \"4\"", &["3.1.1"]);
        says("[connections]\ndirect = 30000", &["connections.direct = 30000", "0 to 20000"]);
        says("[kinds.tram]\ncount = 1", &["tram", "traffic_loop"]);
        says("[kinds.noise]\ninterval = 1", &["interval_ms"]);
        says("[kinds.noise]\ninterval_ms = 1", &["kinds.noise.interval_ms = 1", "100 to"]);
        says("[kinds.noise]\ncount = 20001", &["kinds.noise.count", "20000"]);
        says("[faults]\nlate = 1.5", &["faults.late = 1.5", "0 to 1"]);
        says("[faults]\nlate = 0.6\nreordered = 0.6", &["faults.late", "1"]);
        says("speed = 2.0\n[faults]\nclock_ahead = 0.1", &["faults.clock_ahead", "speed = 1"]);
    }

    #[test]
    fn counts_and_shares_divide_the_total_exactly() {
        let spec = FleetSpec::from_toml("sensors = 777\n[kinds.noise]\ncount = 100").unwrap();
        let counts = spec.kinds.counts(spec.sensors).unwrap();
        assert_eq!(counts.iter().map(|(_, n, _)| n).sum::<u32>(), 777);
        let noise = counts.iter().find(|(kind, _, _)| *kind == SensorKind::Noise).unwrap();
        assert_eq!(noise.1, 100);
    }

    #[test]
    fn the_clock_starts_where_it_is_told() {
        let spec = FleetSpec::from_toml("start = \"2026-03-02T06:00:00+07:00\"").unwrap();
        assert_eq!(spec.start_ms(5), 1_772_406_000_000);
        assert_eq!(FleetSpec::default().start_ms(5), 5);
    }
}
