//! An archive of one day and more, made by the simulators' generator through the dataflow straight
//! into the archive writer: no MQTT, no log. Arrival follows the city's clock by the second.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use citytwin_core::dataflow;
use citytwin_core::frame::{Frame, Records, SensorChange};
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, Verdict};
use citytwin_core::sensor::{SensorIndex, SensorKey};
use citytwin_core::time::{ArrivalTime, Epoch, EventTime, TimeMode};
use citytwin_ingest::archive::{Archive, ArchiveSettings, Table};
use citytwin_ingest::decode;
use citytwin_proto::ingest::v1::ReadingBatch;
use citytwin_simulators::city::City;
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::fleet::bulk::{Bulk, Message};
use citytwin_simulators::spec::{FleetSpec, KindSpec, KindsSpec};
use prost::Message as _;

use crate::rig::MIDNIGHT_MS;

/// Readings that arrive together.
const CHUNK: usize = 2_000;
/// Epochs from one cut to the next: five minutes, as the engine has it.
const CUT: u64 = 3_000;
/// Long: nobody asks for windows here.
pub(crate) const WINDOW: &str = "10m";
const WINDOW_MS: u32 = 600_000;

/// An archive on disk.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) readings: u64,
    pub(crate) end_ms: i64,
    pub(crate) write_s: f64,
    pub(crate) compact_s: f64,
    /// Of the table of readings, before and after files were merged.
    pub(crate) bytes: (u64, u64),
    pub(crate) files: (usize, usize),
}

/// All kinds every two minutes: 50,000 sensors take about a day for 100 million readings.
pub(crate) fn fleet(sensors: u32) -> Fleet {
    let every = || KindSpec { interval_ms: Some(120_000), ..KindSpec::default() };
    let kinds = KindsSpec {
        traffic_loop: every(),
        radar: every(),
        camera_counter: every(),
        signal_controller: every(),
        air_station: every(),
        noise: every(),
        weather: every(),
        rain: every(),
        water_level: every(),
        street_light: every(),
        industrial_stack: every(),
        industrial_effluent: every(),
        power_meter: every(),
        vibration: every(),
    };
    let spec = FleetSpec { sensors, kinds, ..FleetSpec::default() };
    Fleet::new(&spec, &City::generate(1)).expect("the fleet can be")
}

pub(crate) fn archive_settings() -> ArchiveSettings {
    ArchiveSettings { window_ms: WINDOW_MS, ..ArchiveSettings::default() }
}

/// Writes so many readings and merges the files.
pub(crate) fn write(fleet: &Fleet, readings: usize, data: &Path) -> (Archive, Past) {
    let settings = dataflow::Settings {
        mode: TimeMode::Event,
        window_ms: i64::from(WINDOW_MS),
        ..dataflow::Settings::default()
    };
    let mut archive = Archive::open(data, archive_settings()).expect("an empty folder");
    archive.newest_checkpoint(None).expect("an empty folder");
    let (began, mut end_ms) = (Instant::now(), 0);
    let (frames, from_door) = sync_channel(16);
    let (closed, to_archive) = sync_channel(16);
    std::thread::scope(|scope| {
        scope.spawn(|| dataflow::run(&settings, None, from_door, closed).expect("frames in order"));
        let feeding = scope.spawn(move || feed(fleet, readings, &frames));
        for epoch in &to_archive {
            archive.take(&epoch).expect("there is room");
        }
        end_ms = feeding.join().expect("the generator goes on");
    });
    let write_s = began.elapsed().as_secs_f64();
    let state = |archive: &Archive| {
        let view = archive.catalogue().view();
        let files = view.files(Table::Readings);
        let rows = files.iter().map(|file| file.bounds().expect("our own file").rows).sum::<u64>();
        (rows, files.iter().map(|file| file.bytes()).sum::<u64>(), files.len())
    };
    let (rows, bytes, files) = state(&archive);
    let merging = Instant::now();
    let all = Epoch::new(u64::MAX);
    archive.keeper().compact_all(all, || false, |_| ()).expect("there is room");
    let compact_s = merging.elapsed().as_secs_f64();
    let merged = state(&archive);
    assert_eq!(merged.0, rows, "merging keeps every reading");
    let (bytes, files) = ((bytes, merged.1), (files, merged.2));
    (archive, Past { readings: rows, end_ms, write_s, compact_s, bytes, files })
}

/// Sends everything; gives the city's clock at the end.
fn feed(fleet: &Fleet, readings: usize, frames: &SyncSender<Frame>) -> i64 {
    let known: HashMap<String, SensorIndex> = fleet
        .sensors()
        .iter()
        .zip(0..)
        .map(|(sensor, index)| (sensor.key(), SensorIndex::new(index)))
        .collect();
    let mut epoch = epoch_of(MIDNIGHT_MS);
    let send = |epoch, cut, records| {
        frames.send(Frame { epoch, cut, records }).expect("the dataflow goes on");
    };
    send(epoch, false, Records { sensors: changes(fleet), ..Records::default() });
    let mut bulk = Bulk::new(fleet, MIDNIGHT_MS, 50);
    let mut fed = 0;
    while fed < readings {
        let messages = bulk.take(CHUNK);
        let now = epoch_of(bulk.clock_ms());
        while epoch.number() + CUT < now.number() {
            epoch = Epoch::new(epoch.number() + CUT);
            send(epoch, true, Records::default());
        }
        let readings: Vec<Reading> =
            messages.iter().flat_map(|message| decoded(message, &known)).collect();
        fed += readings.len();
        send(now, false, Records { readings, ..Records::default() });
    }
    // Two cuts, so that all that came before is never written again, and one epoch that closes them.
    let last = epoch_of(bulk.clock_ms()).number();
    for (later, cut) in [(1, true), (2, true), (3, true), (4, false)] {
        send(Epoch::new(last + later), cut, Records::default());
    }
    bulk.clock_ms()
}

fn decoded((topic, payload): &Message, known: &HashMap<String, SensorIndex>) -> Vec<Reading> {
    let agency = topic.split('/').nth(2).expect("a topic of readings");
    let batch = ReadingBatch::decode(payload.as_slice()).expect("our own batch");
    let reading = |sent: citytwin_proto::ingest::v1::Reading| Reading {
        event_time: EventTime::from_ms(sent.event_time_ms),
        value: sent.value,
        sensor: known[&format!("{agency}/{}", sent.sensor)],
        quantity: u8::try_from(sent.quantity)
            .ok()
            .and_then(Quantity::from_number)
            .expect("a quantity that is"),
        verdict: Verdict::Admitted,
    };
    batch.readings.into_iter().map(reading).collect()
}

fn changes(fleet: &Fleet) -> Vec<SensorChange> {
    let sensors = fleet.sensors().iter().zip(0..);
    let change = |(sensor, index): (&citytwin_simulators::fleet::SimSensor, u32)| SensorChange {
        index: SensorIndex::new(index),
        key: SensorKey::parse(&sensor.key()).expect("our own key"),
        description: decode::about(&sensor.description().encode_to_vec(), None)
            .expect("our own description"),
    };
    sensors.map(change).collect()
}

fn epoch_of(ms: i64) -> Epoch {
    Epoch::of(ArrivalTime::from_ms(ms))
}
