//! A log that was damaged while nobody looked: a torn tail is cut, damage elsewhere is never
//! passed over, and `citytwin check` says where it is and mends it. For a damaged checkpoint the
//! one before serves, with the log since.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use citytwin_proto::ingest::v1::Quantity;

use crate::api::{Api, epoch_of, received, same};
use crate::letters::{about, now_ms, publish_all, readings};
use crate::process::{Server, citytwin, text};

/// Nothing is archived: all is in the log.
const LOG_ONLY: [&str; 2] = ["--set", "archive.every=24h"];
const MESSAGES: i64 = 400;

/// A server that was killed, with some readings in its log and a little silence after them.
fn killed(data: &Path) -> (Server, Api) {
    let mut server = Server::start(data, &LOG_ONLY);
    let api = Api::of(&server.grpc);
    let now = now_ms();
    let one = |n: i64| readings("log/loop", &[(Quantity::SpeedKmh, now - n, 40.0)]);
    publish_all(&api, &server.mqtt, &[about("log/loop")]);
    publish_all(&api, &server.mqtt, &(0..MESSAGES).map(one).collect::<Vec<_>>());
    let all = api.until_received(MESSAGES.unsigned_abs());
    let later = epoch_of(&all) + 3;
    api.until("a little silence", |status| epoch_of(status) >= later);
    server.kill();
    (server, api)
}

/// The only segment.
fn segment(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    assert_eq!(segments.len(), 1, "{segments:?}");
    segments[0].clone()
}

/// `citytwin check`: its exit code and what it printed.
fn check(data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let listen = ["--mqtt-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
    let command = ["check", "--data", text(data), "--metrics-listen", ""];
    let output = citytwin(&[&command[..], &listen, more].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_torn_tail_is_cut() {
    let data = tempfile::tempdir().unwrap();
    let (mut server, api) = killed(data.path());
    let path = segment(data.path());
    let whole = fs::metadata(&path).unwrap().len();
    // Half of a commit that the crash cut short.
    let start = fs::read(&path).unwrap();
    let half = &start[start.len() - 20..];
    OpenOptions::new().append(true).open(&path).unwrap().write_all(half).unwrap();
    let (code, said) = check(data.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("torn tail") && said.contains(&format!("at byte {whole}")), "{said}");

    server.restart();
    api.until_now();
    assert_eq!(received(&api.status()), MESSAGES.unsigned_abs());
    // It goes on from there.
    publish_all(
        &api,
        &server.mqtt,
        &[readings("log/loop", &[(Quantity::SpeedKmh, now_ms(), 9.0)])],
    );
    api.until_received(MESSAGES.unsigned_abs() + 1);
    let (ledger, _) = api.ledger();
    server.kill();
    server.restart();
    api.until_now();
    same(&api.ledger().0, &ledger, "ledger");
    server.stop();
}

#[test]
fn damage_elsewhere_is_named_and_mended() {
    let data = tempfile::tempdir().unwrap();
    let (mut server, api) = killed(data.path());
    let path = segment(data.path());
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 0x40;
    fs::write(&path, &bytes).unwrap();

    let output = citytwin(&server.arguments());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [text(&path), "is damaged at byte", "citytwin check --repair"] {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    let (code, said) = check(data.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED  log") && said.contains(text(&path)), "{said}");
    assert_eq!(fs::read(&path).unwrap(), bytes, "a check changes nothing");

    let (code, said) = check(data.path(), &["--repair"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("repaired") && said.contains(".set-aside"), "{said}");
    let kept = fs::metadata(&path).unwrap().len();
    let aside: u64 = fs::read_dir(data.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_str().unwrap().ends_with(".set-aside"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    assert_eq!(kept + aside, bytes.len() as u64, "nothing is deleted");
    assert!(usize::try_from(kept).unwrap() <= place);

    server.restart();
    // The last epoch of the log stays open until a new frame closes it.
    api.until_now();
    let left = received(&api.status());
    assert!(left > 0 && left < MESSAGES.unsigned_abs(), "{left}");
    assert_eq!(api.everything().sensors.len(), 1);
    server.stop();
}

#[test]
fn a_damaged_checkpoint_costs_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &LOG_ONLY);
    let api = Api::of(&server.grpc);
    let now = now_ms();
    publish_all(&api, &server.mqtt, &[about("log/loop")]);
    for (run, count) in [(0, 50), (1, 30), (2, 20)] {
        let one = |n: i64| readings("log/loop", &[(Quantity::SpeedKmh, now + run - 10 * n, 40.0)]);
        publish_all(&api, &server.mqtt, &(0..count).map(one).collect::<Vec<_>>());
        // Every stop ends with a checkpoint.
        server.stop();
        server.restart();
    }
    api.until_received(100);
    let (ledger, _) = api.ledger();
    server.kill();

    let newest = newest_checkpoint(data.path());
    let mut bytes = fs::read(&newest).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 0x40;
    fs::write(&newest, &bytes).unwrap();
    server.restart();
    api.until_now();
    same(&api.ledger().0, &ledger, "ledger");
    server.stop();
}

fn newest_checkpoint(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data.join("checkpoint")).unwrap().map(|entry| entry.unwrap().path());
    let epoch =
        |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    entries.max_by_key(epoch).unwrap()
}
