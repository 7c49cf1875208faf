//! From a snapshot to measurements: who counts, and how several sensors of a link are combined.

use h3o::Resolution;

use super::*;
use crate::frame::SensorChange;
use crate::ledger::Outcome;
use crate::position::Position;
use crate::quantity::Quantity;
use crate::reading::{Reading, Verdict};
use crate::road::{Matched, MatchedBy};
use crate::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use crate::time::{Epoch, EventTime, TimeMode};
use crate::twin::Snapshot;

const NOW: Epoch = Epoch::new(100_000);

/// A city with sensors, each of which reports every minute.
struct City {
    snapshot: Snapshot,
    matched: Vec<Matched>,
}

impl City {
    fn new(mode: TimeMode) -> City {
        let mut snapshot = Snapshot::empty(mode, 0, 1_000_000);
        snapshot.advance(Epoch::new(1), EventTime::MIN);
        City { snapshot, matched: Vec::new() }
    }

    fn sensor(&mut self, link: LinkIndex, lane: Option<u8>) -> SensorIndex {
        let number = u32::try_from(self.matched.len()).unwrap();
        let (index, key) =
            (SensorIndex::new(number), SensorKey::parse(&format!("a/{number}")).unwrap());
        let description = SensorDescription {
            kind: SensorKind::TrafficLoop,
            position: Position::new(10.0, 106.0).unwrap(),
            expected_interval_ms: 60_000,
            name: String::new(),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 0.0,
            lanes: 0,
        };
        let change = SensorChange { index, key: key.clone(), description };
        self.snapshot.register(&[change], Epoch::new(1), Resolution::Four);
        self.matched.push(Matched { sensor: key, link, lane, by: MatchedBy::Name });
        index
    }

    /// A reading that arrived, and was measured, so many seconds ago.
    fn read(&mut self, sensor: SensorIndex, quantity: Quantity, value: f64, age_s: u32) {
        let epoch = Epoch::new(NOW.number() - u64::from(age_s) * 10);
        let event_time = EventTime::from_ms(epoch.end().ms());
        let verdict = Verdict::Admitted;
        let reading = Reading { event_time, value, sensor, quantity, verdict };
        let home = self.snapshot.sensors.home(sensor).unwrap();
        let shard = self.snapshot.shard_mut(home).unwrap();
        let row = shard.position_of(sensor).unwrap();
        shard.record(row, &reading, Outcome::Applied, epoch);
    }

    fn measured(&mut self, network: &Network) -> Measurements {
        self.snapshot.advance(NOW, EventTime::from_ms(NOW.end().ms()));
        self.matched.reverse();
        let settings = MeasureSettings::default();
        Measurements::of(&self.snapshot, network, &self.matched, settings)
    }
}

use Quantity::{FlowVehH, OccupancyRatio, SpeedKmh};

#[test]
fn silent_stuck_and_unheard_sensors_count_for_nothing() {
    for mode in [TimeMode::Live, TimeMode::Event] {
        let chain = network("a-b b-c c-d");
        let mut city = City::new(mode);
        let ab = link(&chain, "a-b");
        let live = city.sensor(ab, None);
        city.read(live, FlowVehH, 1_200.0, 30);
        city.read(live, SpeedKmh, 30.0, 30);
        let silent = city.sensor(ab, None);
        city.read(silent, FlowVehH, 9_000.0, 200);
        let stuck = city.sensor(ab, None);
        city.read(stuck, SpeedKmh, 3.0, 2_000);
        city.read(stuck, SpeedKmh, 3.0, 10);
        city.sensor(ab, None);
        let other = city.sensor(link(&chain, "c-d"), None);
        city.read(other, Quantity::NoiseDba, 60.0, 10);
        let missing = SensorKey::parse("a/none").unwrap();
        city.matched.push(Matched { sensor: missing, ..city.matched[0].clone() });
        let found = city.measured(&chain);
        let left_out =
            LeftOut { never_heard: 1, silent: 1, stuck: 1, nothing_fresh: 1, unknown: 1 };
        assert_eq!(found.left_out, left_out, "{mode:?}");
        assert_eq!(found.links.len(), 1);
        let one = found.find(ab).unwrap();
        assert_eq!((one.sensors, one.occupancy_ratio), (1, None));
        near(one.flow_veh_h.unwrap(), 1_200.0, 1e-9);
        near(one.speed_kmh.unwrap(), 30.0, 1e-9);
        near(one.freshness, 0.5_f64.powf(0.1), 1e-9);
    }
}

#[test]
fn lanes_add_up_and_speeds_are_those_in_space() {
    let one = network("a-b");
    let ab = link(&one, "a-b");
    let mut city = City::new(TimeMode::Live);
    for (lane, flow, speed) in [(1, 400.0, 20.0), (2, 800.0, 40.0)] {
        let sensor = city.sensor(ab, Some(lane));
        city.read(sensor, FlowVehH, flow, 0);
        city.read(sensor, SpeedKmh, speed, 0);
    }
    let found = city.measured(&one).links[0];
    near(found.flow_veh_h.unwrap(), 1_200.0, 1e-9);
    // 400/20 + 800/40 = 40 veh/km.
    near(found.speed_kmh.unwrap(), 30.0, 1e-9);
    assert_eq!(found.sensors, 2);
}

#[test]
fn a_lane_without_a_sensor_carries_what_the_others_do() {
    let one = network("a-b");
    let mut city = City::new(TimeMode::Live);
    let sensor = city.sensor(link(&one, "a-b"), Some(2));
    city.read(sensor, FlowVehH, 500.0, 0);
    near(city.measured(&one).links[0].flow_veh_h.unwrap(), 1_000.0, 1e-9);
}

#[test]
fn older_values_weigh_less() {
    let one = network("a-b");
    let ab = link(&one, "a-b");
    let mut city = City::new(TimeMode::Live);
    let fresh = city.sensor(ab, None);
    city.read(fresh, OccupancyRatio, 0.3, 0);
    city.read(fresh, FlowVehH, 900.0, 0);
    let old = city.sensor(ab, None);
    // One value a half-life old; something fresher keeps the sensor live.
    city.read(old, FlowVehH, 600.0, 300);
    city.read(old, OccupancyRatio, 0.1, 0);
    let found = city.measured(&one).links[0];
    near(found.flow_veh_h.unwrap(), (900.0 + 0.5 * 600.0) / 1.5, 1e-9);
    near(found.occupancy_ratio.unwrap(), 0.2, 1e-9);
    near(found.freshness, 1.0, 1e-12);
}
