//! A road network that scenarios are laid on, and which sensors of the city stand on which of its
//! links.

use std::sync::Arc;

use citytwin_core::road::{
    LinkFinder, MatchSettings, Matching, Network, SensorPlace, match_sensors,
};
use citytwin_core::sensor::SensorKind;
use citytwin_core::twin::{SensorTable, Snapshot};
use parking_lot::Mutex;

use super::id::Id;

/// A network and its name.
#[derive(Debug)]
pub struct Roads {
    /// Its content hash.
    pub id: Id,
    /// The network.
    pub network: Network,
    /// For the sensors that were there last time.
    matched: Mutex<Option<(Arc<SensorTable>, Arc<Matching>)>>,
}

impl Roads {
    /// Of a network.
    pub fn new(network: Network) -> Roads {
        Roads { id: Id::of(&network.content_hash()), network, matched: Mutex::new(None) }
    }

    /// The links of the city's traffic sensors. Found anew only when a sensor was registered since:
    /// O(sensors · log links).
    pub fn matching(&self, snapshot: &Snapshot) -> Arc<Matching> {
        let mut matched = self.matched.lock();
        if let Some((sensors, matching)) = &*matched
            && Arc::ptr_eq(sensors, &snapshot.sensors)
        {
            return Arc::clone(matching);
        }
        let places: Vec<SensorPlace> = snapshot
            .sensors
            .iter()
            .filter(|(_, sensor)| watches_traffic(sensor.description.kind))
            .map(|(_, sensor)| SensorPlace {
                key: sensor.key.clone(),
                position: sensor.description.position,
                link: sensor.description.link.clone(),
                lane: sensor.description.lane,
                bearing_deg: None,
            })
            .collect();
        let finder = LinkFinder::new(&self.network);
        let matching = Arc::new(match_sensors(&finder, &places, MatchSettings::default()));
        *matched = Some((Arc::clone(&snapshot.sensors), Arc::clone(&matching)));
        matching
    }
}

const fn watches_traffic(kind: SensorKind) -> bool {
    matches!(kind, SensorKind::TrafficLoop | SensorKind::Radar | SensorKind::CameraCounter)
}
