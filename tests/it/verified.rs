//! A fleet in which some of everything goes wrong, and the verdict on it: from the fleet's own
//! ledger against the twin's ledger and archive; and every window against the same sums by DuckDB.

use citytwin_simulators::simulate::Finished;
use citytwin_simulators::spec::{Encoding, Protocol};
use citytwin_simulators::verdict::{Completeness, verify_archive};
use serde_json::Value;

use crate::api::Api;
use crate::process::{Server, citytwin_ok, text};
use crate::{fleets, foreign};

/// Windows that close, are revised and are archived within a short run.
const SHORT: [&str; 6] =
    ["--set", "twin.window=4s", "--set", "twin.lateness=2s", "--set", "archive.every=3s"];

#[test]
fn nothing_is_lost_or_twice_whatever_goes_wrong() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &SHORT);
    let run = |seconds, protocol, qos, encoding| -> Finished {
        let mut spec = fleets::spec(300, seconds);
        spec.connections.protocol = protocol;
        spec.connections.qos = qos;
        spec.encoding = encoding;
        let mut options = fleets::options(&server.mqtt, &server.grpc);
        let verify = options.verify.as_mut().unwrap();
        verify.data_folder = Some(data.path().to_owned());
        let finished = fleets::start(&spec, options).finish();
        let verdict = fleets::passed(&finished);
        // A burst may hold some back beyond the end.
        assert!(verdict.sensors > 100, "{}", finished.report);
        assert!(verdict.archive_rows.unwrap() >= verdict.readings);
        finished
    };
    let first = run(12, Protocol::V5, 1, Encoding::Protobuf);
    for fault in [
        "lost",
        "repeated",
        "to_be_refused.out_of_range",
        "to_be_refused.clock_ahead",
        "dead_letter.undecodable",
        "dead_letter.unknown_sensor",
    ] {
        assert!(first.report.injected.contains_key(fault), "{fault}: {}", first.report);
    }
    let second = run(8, Protocol::V311, 2, Encoding::Json);

    let api = Api::of(&server.grpc);
    let (ledger, _) = api.ledger();
    server.stop();
    let verdict = verify_archive(data.path(), &second.proof, Completeness::Whole).unwrap();
    assert!(verdict.passed(), "{verdict}");
    let total = &ledger[""];
    foreign_readers_agree(text(data.path()), total.applied + total.late_applied);
}

/// DuckDB, pyarrow and Polars see the same readings; DuckDB computes the same windows.
fn foreign_readers_agree(data: &str, readings: u64) {
    let Some(python) = foreign::python() else { return };
    let answer = foreign::run_script(&python, "archive_agree.py", &[data]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["readings"], readings);
    assert_eq!(answer["identities"], readings);
    let answer = foreign::run_script(&python, "windows_agree.py", &[data]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["windows"].as_u64().unwrap() > 1_000, "{answer}");
    assert!(answer["revisions"].as_u64().unwrap() > 0, "{answer}");
}

/// The command says the same by its exit code and its JSON.
#[test]
fn the_command_gives_the_verdict() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--set", "archive.every=1s"]);
    let report = citytwin_ok(&[
        "simulate",
        "--mqtt",
        &server.mqtt,
        "--sensors",
        "100",
        "--set",
        "connections.direct=10",
        "--set",
        "kinds.traffic_loop.interval_ms=500",
        "--set",
        "faults.repeated=0.1",
        "--duration",
        "4s",
        "--verify",
        &server.grpc,
        "--archive",
        text(data.path()),
        "--json",
    ]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["verdict"]["violations"], 0);
    assert!(report["verdict"]["archive_rows"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["ending"], "finished");
}
