//! A fleet over many minutes: same bytes, identities taken once, every fault with its outcome.

use std::collections::{BTreeMap, BTreeSet};

use citytwin_proto::ingest::v1::{Quantity, Reading, ReadingBatch};
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::city::plane::BOUNDS_DEG;
use crate::faults::FaultRates;
use crate::fleet::bulk::Bulk;
use crate::spec::{ConnectionSpec, Encoding};

/// Monday 2026-06-01 07:00 at Ho Chi Minh City.
const START: i64 = 1_780_272_000_000;
const MINUTE: i64 = 60_000;

fn small(sensors: u32, faults: FaultRates) -> FleetSpec {
    let connections = ConnectionSpec { direct: sensors / 20, ..ConnectionSpec::default() };
    FleetSpec { sensors, connections, faults, ..FleetSpec::default() }
}

fn fleet(spec: &FleetSpec) -> Fleet {
    Fleet::new(spec, City::shared()).unwrap()
}

fn sent(fleet: &Fleet, minutes: i64, step_ms: i64) -> Vec<(String, Outgoing)> {
    let mut all = Vec::new();
    for mut source in fleet.sources(START) {
        let mut out = Vec::new();
        let mut until = START;
        while until < START + minutes * MINUTE {
            until += step_ms;
            assert!(source.next_due_ms() >= START);
            source.take_until(until, &mut out);
            assert!(source.next_due_ms() >= until);
        }
        assert!(out.is_sorted_by_key(|message| message.due_ms));
        let id = source.client_id().to_owned();
        all.extend(out.into_iter().map(|message| (id.clone(), message)));
    }
    all
}

#[test]
fn the_demo_has_twenty_thousand_sensors_where_they_belong() {
    let fleet = fleet(&FleetSpec::default());
    assert_eq!(fleet.sensors().len(), 20_000);
    let keys: BTreeSet<String> = fleet.sensors().iter().map(SimSensor::key).collect();
    assert_eq!(keys.len(), 20_000);
    let [south, west, north, east] = BOUNDS_DEG;
    let rate: f64 = fleet.sensors().iter().map(|s| 3_000.0 / f64::from(s.interval_ms)).sum();
    assert!((2_000.0..10_000.0).contains(&rate), "{rate} readings a second");
    for sensor in fleet.sensors() {
        assert!((south..=north).contains(&sensor.latitude_deg), "{sensor:?}");
        assert!((west..=east).contains(&sensor.longitude_deg), "{sensor:?}");
        assert!(sensor.zone.chars().count() > 2 && !sensor.name.is_empty(), "{sensor:?}");
        assert!(sensor.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        assert_eq!(sensor.link.is_empty(), sensor.lanes == 0);
        if sensor.kind == SensorKind::IndustrialStack {
            assert!(
                sensor.zone.starts_with("Khu ") || sensor.zone.starts_with("Cảng "),
                "{sensor:?}"
            );
        }
    }
    let sources = fleet.sources(START);
    let spread: usize = sources.iter().map(|source| source.sensors().len()).sum();
    assert_eq!((spread, sources.len() > 400, sources.len() < 520), (20_000, true, true));
}

#[test]
fn a_greater_fleet_begins_with_the_smaller_one() {
    let (less, more) =
        (fleet(&small(1_000, FaultRates::default())), fleet(&small(2_500, FaultRates::default())));
    let more: BTreeMap<String, &SimSensor> = more.sensors().iter().map(|s| (s.key(), s)).collect();
    for sensor in less.sensors() {
        assert_eq!(more.get(&sensor.key()), Some(&sensor));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_however_time_is_cut() {
    let spec = small(300, FaultRates::some_of_everything());
    let (a, b) = (sent(&fleet(&spec), 20, 20 * MINUTE), sent(&fleet(&spec), 20, 333));
    let end = START + 20 * MINUTE;
    let cut = |all: Vec<(String, Outgoing)>| {
        all.into_iter().filter(|(_, m)| m.due_ms < end).collect::<Vec<_>>()
    };
    let (a, b) = (cut(a), cut(b));
    assert!(a.len() > 1_000);
    assert!(a == b, "the same spec gave other bytes");
    let other = FleetSpec { seed: 2, ..spec };
    assert!(a != cut(sent(&fleet(&other), 20, 20 * MINUTE)));
}

/// Decodes what a receiver would, with its own reading of the contract.
fn inside(message: &Outgoing) -> Result<Vec<(String, Reading)>, prost::DecodeError> {
    let batch = ReadingBatch::decode(message.payload.as_slice())?;
    let parts: Vec<&str> = message.topic.split('/').collect();
    let name = |reading: &Reading| {
        let own = if reading.sensor.is_empty() { parts[3] } else { &reading.sensor };
        format!("{}/{own}", parts[2])
    };
    Ok(batch.readings.into_iter().map(|reading| (name(&reading), reading)).collect())
}

#[test]
fn every_message_holds_what_its_plan_says() {
    let fleet = fleet(&small(300, FaultRates::some_of_everything()));
    let mut dead = BTreeMap::new();
    for (_, message) in sent(&fleet, 30, MINUTE) {
        if message.action == Action::Disconnect {
            *dead.entry("disconnect").or_insert(0) += 1;
            continue;
        }
        if let Some(reason) = message.dead_letter {
            assert!(message.readings.is_empty());
            assert_eq!(inside(&message).is_err(), reason == "undecodable");
            *dead.entry(reason).or_insert(0) += 1;
            continue;
        }
        let readings = inside(&message).unwrap();
        assert!(!readings.is_empty() && readings.len() == message.readings.len());
        for ((key, reading), planned) in readings.iter().zip(&message.readings) {
            assert_eq!(*key, fleet.sensors()[planned.sensor as usize].key());
            assert_eq!(reading.quantity, planned.quantity as i32);
            assert_eq!(reading.event_time_ms, planned.event_time_ms);
            assert!(reading.value.to_bits() == planned.value.to_bits());
        }
    }
    assert_eq!(
        dead.keys().copied().collect::<Vec<_>>(),
        ["disconnect", "undecodable", "unknown_sensor"]
    );
}

/// The engine's rules, written plainly: identity, range (only what the faults break), a clock
/// guard of 5 s, a dedupe horizon of an hour a series.
fn judge(
    newest: &mut BTreeMap<(u32, i32), i64>,
    seen: &mut BTreeSet<(u32, i32, i64)>,
    due_ms: i64,
    planned: &Planned,
) -> Expectation {
    let quantity = planned.quantity as i32;
    let power = planned.quantity == Quantity::PowerKw;
    if planned.value < -100.0 && !power || planned.value > 100_000.0 {
        return Expectation::Refused("out_of_range");
    }
    if planned.event_time_ms > due_ms + 5_000 {
        return Expectation::Refused("clock_ahead");
    }
    let latest = newest.entry((planned.sensor, quantity)).or_insert(planned.event_time_ms);
    assert!(planned.event_time_ms > *latest - 3_600_000, "behind the dedupe horizon");
    *latest = (*latest).max(planned.event_time_ms);
    if seen.insert((planned.sensor, quantity, planned.event_time_ms)) {
        Expectation::Taken
    } else {
        Expectation::Duplicate
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn a_plain_engine_finds_every_expectation_right(
        seed in 1_u64..1_000,
        scale in 0.0_f64..20.0,
        interval in 100_u32..30_000,
        per_message in 1_u32..60,
    ) {
        let some = FaultRates::some_of_everything();
        let faults = FaultRates {
            late: some.late * scale,
            reordered: some.reordered * scale,
            clock_ahead: some.clock_ahead * scale,
            clock_behind: some.clock_behind * scale,
            repeated: some.repeated * scale,
            ..some
        };
        let mut spec = FleetSpec { seed, ..small(60, faults) };
        spec.kinds.noise.interval_ms = Some(interval);
        spec.connections.readings_per_message = per_message;
        let fleet = fleet(&spec);
        let (mut newest, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for (_, message) in sent(&fleet, 40, MINUTE) {
            for planned in &message.readings {
                let found = judge(&mut newest, &mut seen, message.due_ms, planned);
                prop_assert_eq!(found, planned.expect, "{:?} due {}", planned, message.due_ms);
            }
        }
    }
}

#[test]
fn books_balance() {
    let fleet = fleet(&small(200, FaultRates::some_of_everything()));
    for mut source in fleet.sources(START) {
        let mut out = Vec::new();
        // Measure for ten minutes; whatever is held comes out in the following half hour.
        source.take_until(START + 10 * MINUTE, &mut out);
        let tally = source.tally();
        let first = |expect: Expectation| expect != Expectation::Duplicate;
        let once: BTreeSet<(u32, i32, i64)> = out
            .iter()
            .flat_map(|m| &m.readings)
            .filter(|r| first(r.expect))
            .map(|r| (r.sensor, r.quantity as i32, r.event_time_ms))
            .collect();
        let sent = once.len() as u64;
        assert!(sent + tally.lost + tally.malformed <= tally.measured);
        let held = tally.measured - sent - tally.lost - tally.malformed;
        assert!(held <= tally.measured / 20 + 12, "{held} of {} are held", tally.measured);
    }
}

#[test]
fn json_is_the_same_readings() {
    let mut spec = small(60, FaultRates::default());
    let binary = sent(&fleet(&spec), 2, MINUTE);
    spec.encoding = Encoding::Json;
    let text = sent(&fleet(&spec), 2, MINUTE);
    assert_eq!(binary.len(), text.len());
    for ((_, a), (_, b)) in binary.iter().zip(&text) {
        assert_eq!(a.readings, b.readings);
        let json: serde_json::Value = serde_json::from_slice(&b.payload).unwrap();
        let first = &json["readings"][0];
        assert_eq!(first["quantity"], a.readings[0].quantity.as_str_name());
        assert_eq!(first["event_time_ms"], a.readings[0].event_time_ms);
        assert_eq!(first["value"].as_f64(), Some(a.readings[0].value));
    }
}

#[test]
fn connections_are_as_many_as_asked_for() {
    let mut spec = small(1_000, FaultRates::default());
    spec.connections.direct = 180;
    spec.connections.gateways = Some(20);
    spec.connections.readings_per_message = 1;
    let fleet = fleet(&spec);
    let sources = fleet.sources(START);
    assert_eq!(sources.len(), 200);
    let ids: BTreeSet<&str> = sources.iter().map(Source::client_id).collect();
    assert_eq!(ids.len(), 200);
    for (_, message) in sent(&fleet, 1, MINUTE) {
        let sensor = &fleet.sensors()[message.readings[0].sensor as usize];
        assert_eq!((message.readings.len(), &*message.topic), (1, &*sensor.readings_topic()));
    }
}

#[test]
fn files_of_a_city_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let city = City::shared();
    let fleet = Fleet::new(&small(500, FaultRates::default()), city).unwrap();
    crate::city::files::write(dir.path(), city, fleet.sensors()).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();

    let nodes = read("network/node.csv");
    let mut ids = BTreeSet::new();
    for row in csv::Reader::from_reader(nodes.as_bytes()).records() {
        ids.insert(row.unwrap()[0].to_owned());
    }
    assert_eq!(ids.len(), city.junctions().len());
    let links = read("network/link.csv");
    let mut rows = 0;
    let mut csv = csv::Reader::from_reader(links.as_bytes());
    let header = csv.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let places = [column("from_node_id"), column("to_node_id")];
    let length = column("length");
    for (row, link) in csv.records().zip(city.links()) {
        let row = row.unwrap();
        assert!(places.iter().all(|place| ids.contains(&row[*place])));
        assert!((row[length].parse::<f64>().unwrap() - link.length_m()).abs() < 0.06);
        rows += 1;
    }
    assert_eq!(rows, city.links().len());
    assert!(read("network/config.csv").contains("EPSG:4326"));
    let (trips, zones) = (read("trips.csv"), read("network/zone.csv"));
    assert!(trips.starts_with("origin,destination,flow_pcu_h\n"));
    assert_eq!(trips.lines().count(), city.loads().trips().len() + 1);
    for trips in city.loads().trips() {
        for ward in [&trips.origin, &trips.destination] {
            assert!(zones.contains(&format!("\n{ward},")), "{ward} is no zone");
        }
    }

    let sensors: geojson::FeatureCollection = read("sensors.geojson").parse().unwrap();
    assert_eq!(sensors.features.len(), 500);
    for (feature, sensor) in sensors.features.iter().zip(fleet.sensors()) {
        let get = |key: &str| feature.property(key).unwrap().clone();
        assert_eq!(get("sensor"), sensor.id.as_str());
        assert_eq!(get("zone"), sensor.zone.as_str());
        assert_eq!(get("expected_interval_ms"), sensor.interval_ms);
    }
    let places: geojson::FeatureCollection = read("places.geojson").parse().unwrap();
    assert_eq!(places.features.len(), city.places().len());
    let missing = dir.path().join("no-such-folder");
    let error = crate::city::files::write(&missing, city, &[]).unwrap_err().to_string();
    assert!(error.contains("no-such-folder"), "{error}");
}

#[test]
fn bulk_messages_are_full_and_new() {
    let fleet = fleet(&small(2_000, FaultRates::default()));
    let mut bulk = Bulk::new(&fleet, START, 50);
    let mut seen = BTreeSet::new();
    for _ in 0..10 {
        let messages = bulk.take(1_000);
        assert_eq!(messages.len(), 20);
        for (topic, payload) in messages {
            let batch = ReadingBatch::decode(payload.as_slice()).unwrap();
            assert_eq!(batch.readings.len(), 50);
            for reading in batch.readings {
                assert!(reading.event_time_ms < bulk.clock_ms());
                let own =
                    (topic.to_string(), reading.sensor, reading.quantity, reading.event_time_ms);
                assert!(seen.insert(own));
            }
        }
    }
}
