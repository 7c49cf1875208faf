//! Recorded data, replayed as it was seen into an engine that lives by the readings' own time: the
//! week of 207 loop detectors, and sixteen months of the air of Ho Chi Minh City. Every value of
//! the file is in the ledger, the twin and the archive, once.
//!
//! One MQTT connection keeps the order of the file, so nothing is late. With more of them, or
//! with more than one connection to the broker, rows overtake each other: what is an hour
//! (`twin.dedupe_horizon`) behind its own series could not be told from a repeat and would be
//! refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::api::{Api, millis};
use crate::foreign;
use crate::mosquitto::Mosquitto;
use crate::process::{Server, citytwin_ok, text};

const DETECTORS: usize = 207;
const WEEK: u64 = 417_312;
const KMH_PER_MPH: f64 = 1.609_344;
/// The last row: 2012-03-07 23:55 in Los Angeles.
const LAST_MS: i64 = 1_331_193_300_000;

#[test]
fn the_week_at_the_endpoint() {
    let Some(speeds) = foreign::real_data("forecast/tgcn_los_speed.csv") else { return };
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &["--time", "event"]);
    replay_week(&server, &server.mqtt, &speeds, &[]);
    week_is_kept(&mut server, data.path(), &speeds);
}

#[test]
fn the_week_through_mosquitto() {
    let Some(speeds) = foreign::real_data("forecast/tgcn_los_speed.csv") else { return };
    let Some(program) = foreign::mosquitto() else { return };
    let (data, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let lines = ["max_queued_messages 0", "max_inflight_messages 1000"];
    let broker = Mosquitto::start(&program, kept.path(), &lines);
    let flags = ["--time", "event", "--no-endpoint", "--broker", &broker.url];
    let one = ["--set", "broker.connections=1"];
    let mut server = Server::start(data.path(), &[&flags[..], &one].concat());
    Api::of(&server.grpc).until("connected to the broker", |status| {
        status.doors.iter().any(|door| door.contains("1 of 1 connected"))
    });
    replay_week(&server, &broker.url, &speeds, &["--delivery", "at-least-once"]);
    week_is_kept(&mut server, data.path(), &speeds);
}

fn replay_week(server: &Server, mqtt: &str, speeds: &Path, more: &[&str]) {
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/replay/metr-la.toml");
    let positions = speeds.with_file_name("metrla_graph_sensor_locations.csv");
    let files = ["--map", text(&map), "--positions", text(&positions)];
    replay(server, mqtt, speeds, &[&files[..], more].concat());
}

/// At full speed with `QoS` 1; the command's own verdict must be good.
fn replay(server: &Server, mqtt: &str, file: &Path, more: &[&str]) -> Value {
    let command = ["replay", text(file), "--mqtt", mqtt, "--speed", "full"];
    let verify = ["--verify", &server.grpc, "--json"];
    let report = citytwin_ok(&[&command[..], more, &verify].concat());
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["unacknowledged"]["messages"], 0, "{report}");
    assert_eq!(report["verdict"]["violations"], 0, "{report}");
    report
}

fn week_is_kept(server: &mut Server, data: &Path, speeds: &Path) {
    let api = Api::of(&server.grpc);
    let (ledger, dead_letters) = api.ledger();
    let total = &ledger[""];
    assert_eq!((total.received, total.applied), (WEEK, WEEK), "{total:?}");
    assert!(dead_letters.values().all(|messages| *messages == 0), "{dead_letters:?}");

    let last = last_row(speeds);
    let sensors = api.everything().sensors;
    assert_eq!((sensors.len(), last.len()), (DETECTORS, DETECTORS));
    for sensor in sensors {
        let [latest] = sensor.latest.as_slice() else { panic!("one quantity: {sensor:?}") };
        let found = (latest.value.to_bits(), millis(latest.event_time.as_ref()));
        assert_eq!(found, (last[&sensor.sensor].to_bits(), LAST_MS), "{}", sensor.sensor);
    }
    server.stop();
    let Some(python) = foreign::python() else { return };
    let answer = foreign::run_script(&python, "week_agree.py", &[text(data), text(speeds)]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["readings"], WEEK);
}

/// Kilometres an hour by sensor.
fn last_row(speeds: &Path) -> BTreeMap<String, f64> {
    let file = std::fs::read_to_string(speeds).unwrap();
    let mut lines = file.lines();
    let names = lines.next().unwrap().split(',').map(|name| format!("metr-la/{name}"));
    let values = lines.next_back().unwrap().split(',');
    names.zip(values.map(|mph| mph.parse::<f64>().unwrap() * KMH_PER_MPH)).collect()
}

#[test]
fn the_air_of_ho_chi_minh_city() {
    let Some(zip) = foreign::real_data("air/healthyair_hcmc.zip") else { return };
    let Some(python) = foreign::python() else { return };
    let data = tempfile::tempdir().unwrap();
    let folder = text(data.path());
    let file = foreign::run_script(&python, "air_agree.py", &["--unpack", text(&zip), folder]);
    let file = PathBuf::from(file.trim_end());
    let twin = data.path().join("twin");
    let mut server = Server::start(&twin, &["--time", "event"]);
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/replay/healthyair-hcmc.toml");
    let report = replay(&server, &server.mqtt, &file, &["--map", text(&map)]);
    let (ledger, _) = Api::of(&server.grpc).ledger();
    server.stop();

    let counts = foreign::run_script(&python, "air_agree.py", &[text(&twin), text(&zip)]);
    let counts: BTreeMap<String, u64> = serde_json::from_str(&counts).unwrap();
    let total = &ledger[""];
    let refused: BTreeMap<&str, u64> = total
        .refused
        .iter()
        .filter(|one| one.readings > 0)
        .map(|one| (one.reason.as_str(), one.readings))
        .collect();
    assert_eq!(total.applied, counts["archived"], "{total:?} {counts:?}");
    assert_eq!(total.duplicate, counts["duplicate"], "{total:?} {counts:?}");
    assert_eq!(total.late_applied, 0, "{total:?}");
    let nonsense = Some(("out_of_range", counts["out_of_range"])).filter(|(_, n)| *n > 0);
    assert_eq!(refused, nonsense.into_iter().collect(), "{counts:?}");
    let recording = &report["recording"];
    assert_eq!(recording["missing"], counts["gap"] + counts["off"], "{counts:?}");
    assert_eq!(recording["unreadable"], 0);
    assert!(counts["gap"] > 0 && counts["off"] > 0 && counts["archived"] > 250_000, "{counts:?}");
}
