//! The same log gives the same twin, byte for byte: folded here with one worker and with two, and
//! by the program when it starts again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use citytwin_core::dataflow::{ClosedEpoch, Settings, fold};
use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;
use citytwin_core::twin::{AreaQuery, Snapshot};
use citytwin_ingest::log::{self, LogSettings};

use crate::api::{Api, epoch_of, millis, same};
use crate::fleets;
use crate::process::Server;

/// Everything stays in the log.
const LOG_ONLY: [&str; 4] = ["--set", "archive.every=24h", "--set", "archive.readings=100000000"];

/// A sensor's latest values: number of the quantity, bits of the value, event time, epoch.
type Latest = Vec<(i32, u64, i64, u64)>;

#[test]
fn a_log_gives_the_same_twin_with_any_number_of_workers() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &LOG_ONLY);
    let options = fleets::options(&server.mqtt, &server.grpc);
    let finished = fleets::start(&fleets::spec(300, 8), options).finish();
    fleets::passed(&finished);
    let api = Api::of(&server.grpc);
    // What is shown now is closed, and so replayed whole.
    let shown = epoch_of(&api.status());
    let (ledger, dead_letters) = api.ledger();
    let latest = latest_shown(&api);
    api.until("a later epoch", |status| epoch_of(status) > shown + 1);
    server.kill();

    let copy = tempfile::tempdir().unwrap();
    let frames = frames_of(&data.path().join("log"), copy.path());
    assert!(frames.iter().all(|frame| !frame.cut), "there was no cut");
    let one = folded(1, &frames);
    let two = folded(2, &frames);
    assert_eq!(one.len(), two.len());
    for (one, two) in one.iter().zip(&two) {
        assert!(bytes(one) == bytes(two), "epoch {} differs", one.snapshot.epoch);
    }
    let rows = |of: fn(&ClosedEpoch) -> usize| one.iter().map(of).sum::<usize>();
    let total = &ledger[""];
    let applied = usize::try_from(total.applied + total.late_applied).unwrap();
    assert_eq!(rows(|closed| closed.readings.len()), applied);
    assert_eq!(rows(|closed| closed.sensors.len()), 300);
    let letters: u64 = dead_letters.values().sum();
    assert_eq!(rows(|closed| closed.dead_letters.len()) as u64, letters);

    let last = &one.last().unwrap().snapshot;
    same(&latest_of(last), &latest, "latest values");
    for workers in ["1", "2"] {
        let mut again =
            Server::start(data.path(), &[&LOG_ONLY[..], &["--workers", workers]].concat());
        let api = Api::of(&again.grpc);
        same(&latest_shown(&api), &latest, "latest values after a restart");
        same(&api.ledger().0, &ledger, "ledger after a restart");
        again.kill();
    }
}

/// Reads a copy of a log, so that nothing is done to it.
fn frames_of(from: &Path, to: &Path) -> Vec<Frame> {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let mut log = log::open(to, LogSettings::default()).unwrap();
    log.replay(Epoch::ZERO).unwrap().map(Result::unwrap).collect()
}

fn folded(workers: usize, frames: &[Frame]) -> Vec<ClosedEpoch> {
    let settings = Settings { workers, ..Settings::default() };
    fold(&settings, None, frames.to_vec())
}

/// Everything an epoch gave.
fn bytes(closed: &ClosedEpoch) -> Vec<u8> {
    postcard::to_stdvec(&(
        &*closed.snapshot,
        &closed.readings,
        &closed.windows,
        &closed.cell_windows,
        &closed.sensors,
        &closed.dead_letters,
    ))
    .unwrap()
}

fn latest_of(snapshot: &Snapshot) -> BTreeMap<String, Latest> {
    let everywhere = AreaQuery {
        include_sensors: true,
        ..AreaQuery::new(citytwin_core::area::Area::everywhere())
    };
    let sensors = snapshot.area(&everywhere, None).sensors;
    let latest = sensors.into_iter().map(|sensor| {
        let values = sensor.latest.iter().map(|latest| {
            let quantity = i32::from(latest.quantity.number());
            (quantity, latest.value.to_bits(), latest.event_time.ms(), latest.epoch.number())
        });
        (sensor.registered.key.to_string(), values.collect())
    });
    latest.collect()
}

fn latest_shown(api: &Api) -> BTreeMap<String, Latest> {
    let latest = api.everything().sensors.into_iter().map(|sensor| {
        let values = sensor.latest.iter().map(|latest| {
            let event_time_ms = millis(latest.event_time.as_ref());
            (latest.quantity, latest.value.to_bits(), event_time_ms, latest.epoch)
        });
        (sensor.sensor.clone(), values.collect())
    });
    latest.collect()
}
