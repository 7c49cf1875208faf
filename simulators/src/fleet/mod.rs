//! The sensors of a fleet and what each MQTT connection has to send, when. Nothing here sends:
//! `publish` does. Same spec and start = same bytes, whichever thread asks.

mod outgoing;
mod source;

use citytwin_proto::ingest::v1::{SensorDescription, SensorKind};

pub use self::outgoing::{Action, Expectation, Outgoing, Planned};
pub use self::source::{Source, Tally};
use crate::city::City;
use crate::spec::{FleetSpec, SpecError};

/// One simulated sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct SimSensor {
    /// Who owns it: first part of its key.
    pub agency: String,
    /// Second part of its key.
    pub id: String,
    /// What it is.
    pub kind: SensorKind,
    /// WGS 84.
    pub latitude_deg: f64,
    /// WGS 84.
    pub longitude_deg: f64,
    /// How often it reports.
    pub interval_ms: u32,
    /// For people.
    pub name: String,
    /// The road link it watches; may be empty.
    pub link: String,
    /// Lane on that link, 1 = kerb side, 0 = all.
    pub lane: u32,
    /// Lanes of the link; 0 = no link.
    pub lanes: u32,
    /// Industrial zone or ward, by name.
    pub zone: String,
    /// Free-flow speed of the link; 0 = no link.
    pub free_flow_speed_kmh: f64,
}

impl SimSensor {
    /// `agency/id`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.agency, self.id)
    }

    /// What it says about itself.
    pub fn description(&self) -> SensorDescription {
        SensorDescription {
            kind: self.kind.into(),
            latitude_deg: self.latitude_deg,
            longitude_deg: self.longitude_deg,
            expected_interval_ms: i64::from(self.interval_ms),
            name: self.name.clone(),
            link: self.link.clone(),
            lane: self.lane,
            zone: self.zone.clone(),
            free_flow_speed_kmh: self.free_flow_speed_kmh,
            lanes: self.lanes,
        }
    }

    /// Where it publishes its readings when it speaks for itself.
    pub fn readings_topic(&self) -> String {
        format!("city/v1/{}/{}/readings", self.agency, self.id)
    }

    /// Where its description is published, retained.
    pub fn about_topic(&self) -> String {
        format!("city/v1/{}/{}/about", self.agency, self.id)
    }
}

/// All simulated sensors and how they connect.
#[derive(Clone, Debug)]
pub struct Fleet {
    spec: FleetSpec,
    sensors: Vec<SimSensor>,
}

impl Fleet {
    /// Places the sensors of a spec in a city.
    ///
    /// # Errors
    /// When the spec makes no sense.
    pub fn new(spec: &FleetSpec, _city: &City) -> Result<Fleet, SpecError> {
        spec.check()?;
        Ok(Fleet { spec: spec.clone(), sensors: Vec::new() })
    }

    /// What it was made from.
    pub fn spec(&self) -> &FleetSpec {
        &self.spec
    }

    /// All sensors; a [`Planned`] reading names its sensor by its place here.
    pub fn sensors(&self) -> &[SimSensor] {
        &self.sensors
    }

    /// What each MQTT connection has to send from `start_ms` of the city's clock on.
    pub fn sources(&self, _start_ms: i64) -> Vec<Source> {
        Vec::new()
    }
}
