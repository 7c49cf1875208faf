//! `kill -9` in the middle of a verified run, twice, and once more what was promised: nothing
//! acknowledged is lost, nothing is applied twice, and the ledger survives.

use std::path::Path;

use citytwin_simulators::simulate::SimulateOptions;
use citytwin_simulators::verdict::{Completeness, Delivery, verify_archive};
use serde_json::Value;

use crate::api::{Api, epoch_of, received, same};
use crate::mosquitto::Mosquitto;
use crate::process::{Server, citytwin_ok};
use crate::{fleets, foreign};

const CUT_OFTEN: [&str; 2] = ["--set", "archive.every=2s"];
const SENSORS: u32 = 300;
const SECONDS: u64 = 15;

#[test]
fn at_the_endpoint() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &CUT_OFTEN);
    let options = fleets::options(&server.mqtt, &server.grpc);
    survives(&mut server, data.path(), options);
}

/// A broker that keeps everything for a twin that is away.
#[test]
fn behind_mosquitto() {
    behind(&["max_queued_messages 0", "max_inflight_messages 1000"]);
}

/// Mosquitto's own in-flight window of 20.
#[test]
fn behind_mosquitto_with_a_small_window() {
    behind(&["max_queued_messages 0"]);
}

fn behind(lines: &[&str]) {
    let Some(program) = foreign::mosquitto() else { return };
    let (data, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let broker = Mosquitto::start(&program, kept.path(), lines);
    let mut flags = vec!["--no-endpoint", "--broker", &broker.url];
    flags.extend(CUT_OFTEN);
    let mut server = Server::start(data.path(), &flags);
    Api::of(&server.grpc).until("connected to the broker", |status| {
        status.doors.iter().any(|door| door.contains("2 of 2 connected"))
    });
    let mut options = fleets::options(&broker.url, &server.grpc);
    options.verify.as_mut().unwrap().delivery = Delivery::AtLeastOnce;
    survives(&mut server, data.path(), options);
}

fn survives(server: &mut Server, data: &Path, options: SimulateOptions) {
    let run = fleets::start(&fleets::spec(SENSORS, SECONDS), options);
    let api = Api::of(&server.grpc);

    // Before the first cut: there is nothing but the log.
    let first = api.until_received(1_500);
    server.kill();
    server.restart();
    assert!(received(&api.status()) >= received(&first), "what was shown is there again");

    // Between two cuts: a checkpoint and the log.
    let more = received(&first) + 3_000;
    let second = api.until("archived, and more", |status| {
        status.archived_through_epoch > epoch_of(&first) && received(status) >= more
    });
    server.kill();
    server.restart();
    assert!(received(&api.status()) >= received(&second), "what was shown is there again");

    let finished = run.finish();
    fleets::passed(&finished);
    assert!(finished.report.reconnects > 0 || server.has_broker(), "{}", finished.report);

    let before = ledger(server);
    let (sensors, _) = api.ledger();
    let latest = latest(&api);
    server.stop();
    let verdict = verify_archive(data, &finished.proof, Completeness::Whole).unwrap();
    assert!(verdict.passed(), "{verdict}");

    server.restart();
    assert_eq!(ledger(server), before, "after a clean stop");
    same(&api.ledger().0, &sensors, "ledger");
    same(&self::latest(&api), &latest, "latest readings");
}

/// What `citytwin ledger` says, but for the epoch at which it was asked.
fn ledger(server: &Server) -> Value {
    let text = citytwin_ok(&["ledger", "--all", "--server", &server.grpc, "--json"]);
    let mut ledger: Value = serde_json::from_str(&text).unwrap();
    assert!(ledger.as_object_mut().unwrap().remove("asOf").is_some(), "{text}");
    ledger
}

fn latest(api: &Api) -> std::collections::BTreeMap<String, Vec<citytwin_proto::v1::LatestReading>> {
    api.everything().sensors.into_iter().map(|sensor| (sensor.sensor, sensor.latest)).collect()
}
