//! What the city measures on its roads: the live sensors of a snapshot, link by link, as plain
//! numbers.
//!
//! A sensor that was never heard, fell silent or is stuck counts for nothing, and a value too old
//! counts for nothing. Of the rest, each weighs half as much for every half-life of its age.
//! Several sensors of a link are combined lane by lane: within a lane (or over all lanes) they are
//! averaged, flows of different lanes add up, and lanes without a sensor carry what the others
//! carry on average. Speeds are averaged harmonically, weighted with flow, so that what comes out
//! is the speed in space (Wardrop 1952) and flow over speed is a density.
//!
//! What must not live here: what follows for links without sensors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::road::{LinkIndex, Matched, Network};
use crate::sensor::SensorKey;
use crate::time::TimeMode;
use crate::twin::{Health, LatestReading, SensorView, Snapshot};

/// Slowest speed that enters a harmonic mean, km/h: one standing vehicle is no standing street.
const SLOWEST_KMH: f64 = 1.0;

/// Which readings count, and for how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureSettings {
    /// Older values count for nothing, seconds.
    pub max_age_s: f64,
    /// A value weighs half as much for every so many seconds of age.
    pub half_life_s: f64,
    /// Passenger-car equivalents of one counted vehicle. 1 where sensors count equivalents; 0.5 for
    /// the street of 80 % motorcycles in the test of
    /// [`Equivalents`](crate::traffic::ltm::Equivalents), by TCVN 4054:2005.
    pub pcu_per_vehicle: f64,
}

impl Default for MeasureSettings {
    fn default() -> MeasureSettings {
        MeasureSettings { max_age_s: 900.0, half_life_s: 300.0, pcu_per_vehicle: 1.0 }
    }
}

/// What is measured on one link, all lanes together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkMeasurement {
    /// The link.
    pub link: LinkIndex,
    /// Vehicles (passenger-car equivalents) an hour.
    pub flow_veh_h: Option<f64>,
    /// Mean speed in space.
    pub speed_kmh: Option<f64>,
    /// Share of time that a point of a lane is covered, from 0 to 1.
    pub occupancy_ratio: Option<f64>,
    /// Live sensors behind these numbers.
    pub sensors: u32,
    /// How fresh the freshest of them is: 1 when just heard, 0.5 after a half-life.
    pub freshness: f64,
}

/// Sensors that count for nothing, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Registered, but no reading came yet.
    pub never_heard: u32,
    /// Not heard for too long.
    pub silent: u32,
    /// A value has not moved for too long.
    pub stuck: u32,
    /// Live, but with no flow, speed or occupancy that is fresh enough.
    pub nothing_fresh: u32,
    /// Matched to a link, but not in the snapshot.
    pub unknown: u32,
}

/// What is measured, in order of link; links without a live sensor are not listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// By link.
    pub links: Vec<LinkMeasurement>,
    /// Sensors that count for nothing.
    pub left_out: LeftOut,
}

impl Measurements {
    /// From a snapshot and the links of its sensors. O(log sensors) for each matched one. The order
    /// of `matched` does not matter.
    pub fn of(
        snapshot: &Snapshot,
        network: &Network,
        matched: &[Matched],
        settings: MeasureSettings,
    ) -> Measurements {
        let mut measurements = Measurements::default();
        let mut lanes: BTreeMap<(LinkIndex, Option<u8>), Sums> = BTreeMap::new();
        let mut sorted: Vec<(LinkIndex, Option<u8>, &SensorKey)> =
            matched.iter().map(|one| (one.link, one.lane, &one.sensor)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        for (link, lane, key) in sorted {
            let left_out = &mut measurements.left_out;
            let Some(view) = snapshot.sensor(key) else {
                left_out.unknown += 1;
                continue;
            };
            match view.health {
                Health::NeverHeard => left_out.never_heard += 1,
                Health::Silent => left_out.silent += 1,
                Health::Stuck => left_out.stuck += 1,
                Health::Live => {
                    let mut sums = Sums::default();
                    sums.add(snapshot, &view, settings);
                    if sums.sensors == 0 {
                        left_out.nothing_fresh += 1;
                    } else {
                        lanes.entry((link, lane)).or_default().join(&sums);
                    }
                }
            }
        }
        let lanes: Vec<(LinkIndex, Option<u8>, Sums)> =
            lanes.into_iter().map(|((link, lane), sums)| (link, lane, sums)).collect();
        for rows in lanes.chunk_by(|a, b| a.0 == b.0) {
            let count = network.link(rows[0].0).lanes().count();
            measurements.links.push(combined(rows, count, settings.pcu_per_vehicle));
        }
        measurements
    }

    /// The measurement of a link, if it has one; O(log links).
    pub fn find(&self, link: LinkIndex) -> Option<&LinkMeasurement> {
        let at = self.links.binary_search_by_key(&link, |one| one.link).ok()?;
        Some(&self.links[at])
    }
}

/// Weighted sums over the sensors of one lane, or of those that watch all lanes.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    flow: Mean,
    occupancy: Mean,
    /// Speed as slowness, h/km, weighted with flow where it is known.
    slowness: Mean,
    sensors: u32,
    freshness: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    fn join(&mut self, other: Mean) {
        self.sum += other.sum;
        self.weight += other.weight;
    }

    fn get(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

impl Sums {
    /// Takes in one live sensor.
    fn add(&mut self, snapshot: &Snapshot, view: &SensorView, settings: MeasureSettings) {
        let value = |quantity| {
            let latest = view.latest.iter().find(|latest| latest.quantity == quantity)?;
            let age_s = age_s(snapshot, latest);
            let fresh = age_s <= settings.max_age_s && !latest.stuck;
            fresh.then(|| (latest.value, 0.5_f64.powf(age_s / settings.half_life_s)))
        };
        let flow = value(Quantity::FlowVehH);
        let occupancy = value(Quantity::OccupancyRatio);
        let speed = value(Quantity::SpeedKmh);
        if let Some((flow, weight)) = flow {
            self.flow.add(flow, weight);
        }
        if let Some((occupancy, weight)) = occupancy {
            self.occupancy.add(occupancy, weight);
        }
        if let Some((speed, weight)) = speed {
            let vehicles = flow.map_or(1.0, |(flow, _)| flow.max(1.0));
            self.slowness.add(1.0 / speed.max(SLOWEST_KMH), weight * vehicles);
        }
        let values = [flow, occupancy, speed].into_iter().flatten();
        if let Some(freshness) = values.map(|(_, weight)| weight).reduce(f64::max) {
            self.sensors = 1;
            self.freshness = freshness;
        }
    }

    fn join(&mut self, other: &Sums) {
        self.flow.join(other.flow);
        self.occupancy.join(other.occupancy);
        self.slowness.join(other.slowness);
        self.sensors += other.sensors;
        self.freshness = self.freshness.max(other.freshness);
    }
}

/// How old a value is: by arrival in a living city, by event time with recorded data, as health is
/// judged.
fn age_s(snapshot: &Snapshot, latest: &LatestReading) -> f64 {
    let age_ms = match snapshot.mode {
        TimeMode::Live => snapshot.epoch.end().ms().saturating_sub(latest.epoch.end().ms()),
        TimeMode::Event => {
            let expected = snapshot.watermark.plus_ms(snapshot.lateness_ms);
            expected.ms().saturating_sub(latest.event_time.ms())
        }
    };
    age_ms.max(0) as f64 / 1_000.0
}

/// One link from its lanes; those without a lane number watch all of them.
fn combined(
    rows: &[(LinkIndex, Option<u8>, Sums)],
    lanes: f64,
    pcu_per_vehicle: f64,
) -> LinkMeasurement {
    let (mut whole, mut by_lane, mut counted) = (Mean::default(), Mean::default(), 0.0);
    let mut all = Sums::default();
    for (_, lane, sums) in rows {
        all.join(sums);
        match (lane, sums.flow.get()) {
            (_, None) => {}
            (None, Some(flow)) => whole.add(flow, sums.flow.weight),
            (Some(_), Some(flow)) => {
                by_lane.sum += flow;
                by_lane.weight += sums.flow.weight;
                counted += 1.0;
            }
        }
    }
    if counted > 0.0 {
        let weight = by_lane.weight / counted;
        whole.add(by_lane.sum * lanes / counted, weight);
    }
    LinkMeasurement {
        link: rows[0].0,
        flow_veh_h: whole.get().map(|flow| flow * pcu_per_vehicle),
        speed_kmh: all.slowness.get().map(|slowness| 1.0 / slowness),
        occupancy_ratio: all.occupancy.get(),
        sensors: all.sensors,
        freshness: all.freshness,
    }
}
