//! The sensors of a fleet and what each MQTT connection has to send, when. Nothing here sends:
//! `publish` does. Same spec and start = same bytes, whichever thread asks.

pub mod bulk;
mod encode;
mod outgoing;
mod placement;
mod roles;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use citytwin_proto::ingest::v1::{SensorDescription, SensorKind};

pub use self::outgoing::{Action, Expectation, Outgoing, Planned};
use self::placement::Ground;
pub use self::source::{Source, Tally};
use crate::city::City;
use crate::shapes::Shape;
use crate::spec::{FleetSpec, SpecError, defaults_of};

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

/// All simulated sensors and how they connect. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fleet {
    roster: Arc<Roster>,
}

/// What all sources share.
#[derive(Debug)]
struct Roster {
    spec: FleetSpec,
    sensors: Vec<SimSensor>,
    shapes: Vec<Shape>,
    /// Where each sensor publishes when it speaks for itself; empty where none does.
    topics: Vec<Arc<str>>,
}

impl Roster {
    fn topic(&self, sensor: u32) -> Arc<str> {
        Arc::clone(&self.topics[sensor as usize])
    }
}

impl Fleet {
    /// Places the sensors of a spec in a city.
    ///
    /// # Errors
    /// When the spec makes no sense.
    pub fn new(spec: &FleetSpec, city: &City) -> Result<Fleet, SpecError> {
        spec.check()?;
        let ground = Ground::new(city, spec.seed);
        let mut sensors = Vec::with_capacity(spec.sensors as usize);
        let mut shapes = Vec::with_capacity(spec.sensors as usize);
        for (kind, count, interval_ms) in spec.kinds.counts(spec.sensors)? {
            let Some(kind) = defaults_of(kind) else { continue };
            for n in 0..count {
                let (sensor, shape) = ground.sensor(kind, interval_ms, n);
                sensors.push(sensor);
                shapes.push(shape);
            }
        }
        let topics = sensors.iter().map(|sensor| Arc::from(sensor.readings_topic())).collect();
        Ok(Fleet { roster: Arc::new(Roster { spec: spec.clone(), sensors, shapes, topics }) })
    }

    /// What it was made from.
    pub fn spec(&self) -> &FleetSpec {
        &self.roster.spec
    }

    /// All sensors; a [`Planned`] reading names its sensor by its place here.
    pub fn sensors(&self) -> &[SimSensor] {
        &self.roster.sensors
    }

    /// What each sensor's values depend on, in the order of the sensors.
    pub fn shapes(&self) -> &[Shape] {
        &self.roster.shapes
    }

    /// What each MQTT connection has to send from `start_ms` of the city's clock on: gateways
    /// first, then the sensors that connect by themselves.
    pub fn sources(&self, start_ms: i64) -> Vec<Source> {
        let roles = roles::roles(&self.roster);
        roles.into_iter().map(|role| Source::new(&self.roster, role, start_ms)).collect()
    }

    /// The sensors of each agency, agencies in order of name.
    fn by_agency(&self) -> BTreeMap<String, Vec<u32>> {
        let mut agencies: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (n, sensor) in (0_u32..).zip(&self.roster.sensors) {
            agencies.entry(sensor.agency.clone()).or_default().push(n);
        }
        agencies
    }
}

#[cfg(test)]
mod link_tests;
#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
