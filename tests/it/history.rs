//! The past through every door: after a run in which some of everything goes wrong, ADBC, grpcio,
//! DuckDB, pyarrow, Polars and the command line tell the same.

use std::path::Path;

use serde_json::Value;

use crate::api::{Api, epoch_of};
use crate::process::{Server, citytwin, citytwin_ok, text};
use crate::{fleets, foreign};

/// Windows that close, are revised and are archived within a short run.
const SHORT: [&str; 6] =
    ["--set", "twin.window=2s", "--set", "twin.lateness=2s", "--set", "archive.every=2s"];

#[test]
fn every_door_tells_the_same_of_the_past() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &SHORT);
    let finished =
        fleets::start(&fleets::spec(200, 12), fleets::options(&server.mqtt, &server.grpc)).finish();
    fleets::passed(&finished);
    let api = Api::of(&server.grpc);
    let end = epoch_of(&api.status());
    api.until("archived", |status| status.archived_through_epoch > end);

    by_the_command_line(&server.grpc, &api);
    small_counts_are_withheld(&server.grpc, &data.path().join("open"));
    the_dashboard_of_values_has_values(&server.grpc);
    what_is_exported_can_be_read(&server.grpc, &data.path().join("taken"));
    let before = by_foreign_clients(&server, text(data.path()));
    // What was in memory at the stop is in files at the start.
    server.stop();
    server.restart();
    let after = by_foreign_clients(&server, text(data.path()));
    assert_eq!(before, after);
    server.stop();
    merging_changes_no_answer(data.path());
    the_archive_is_sound_until_it_is_not(data.path());
}

/// Merged while no engine runs.
fn merging_changes_no_answer(data: &Path) {
    let merge = || -> Value {
        let told = citytwin_ok(&["archive", "compact", "--data", text(data), "--all", "--json"]);
        serde_json::from_str(&told).unwrap()
    };
    let merged = merge();
    assert!(merged["filesBefore"].as_u64() > merged["filesAfter"].as_u64(), "{merged}");
    assert_eq!(merge()["filesBefore"], 0);
}

/// A second engine that is fed from the first one's archive comes to the same twin.
#[test]
fn what_the_archive_holds_can_be_lived_again() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = Server::start(first.path(), &SHORT);
    let finished =
        fleets::start(&fleets::spec(80, 8), fleets::options(&one.mqtt, &one.grpc)).finish();
    fleets::passed(&finished);
    let other = Server::start(second.path(), &[&SHORT[..], &["--set", "twin.time=event"]].concat());
    let again = [
        "replay",
        "--from-archive",
        &one.grpc,
        "--mqtt",
        &other.mqtt,
        "--speed",
        "full",
        "--at=-1h/now",
        "--verify",
        &other.grpc,
        "--json",
    ];
    let told: Value = serde_json::from_str(&citytwin_ok(&again)).unwrap();
    assert!(told["readings"]["sent"].as_u64().unwrap_or(1) > 0, "{told}");
    let city = |server: &str| -> Value {
        let now = ["area", "--server", server, "--everywhere", "--list", "--json"];
        serde_json::from_str(&citytwin_ok(&now)).unwrap()
    };
    assert_eq!(measured(&city(&one.grpc)), measured(&city(&other.grpc)));
    let sums = "SELECT sensor, quantity, count(*) AS rows, min(value) AS least, max(value) AS most \
                FROM readings GROUP BY 1, 2 ORDER BY 1, 2";
    let rows = |server: &str| citytwin_ok(&["sql", "--server", server, "--json", sums]);
    assert_eq!(rows(&one.grpc), rows(&other.grpc));
}

/// Everything adds up; half a file is found and named.
fn the_archive_is_sound_until_it_is_not(data: &Path) {
    let verify = ["archive", "verify", "--data", text(data), "--json"];
    let sound: Value = serde_json::from_str(&citytwin_ok(&verify)).unwrap();
    assert_eq!(sound["findings"], Value::Array(Vec::new()));
    assert_eq!(sound["ledger"]["matched"], 200);
    let file = largest(&data.join("archive/readings"));
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let found = citytwin(&verify);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["findings"][0]["path"], text(&file), "{found}");
}

fn largest(folder: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("_delta_log"));
    let files = entries.map(|path| if path.is_dir() { largest(&path) } else { path });
    files.max_by_key(|path| path.metadata().unwrap().len()).unwrap()
}

fn by_foreign_clients(server: &Server, data: &str) -> Option<Value> {
    let python = foreign::python()?;
    let host = server.grpc.trim_start_matches("http://");
    let told = foreign::run_script(&python, "history_agree.py", &[host, data]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(told["readings"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(told["sensors"], 200);
    assert!(told["wrong"].as_str().unwrap().contains("nowhere"), "{told}");
    let tables = told["tables"].as_array().unwrap();
    for table in ["readings", "windows", "sensors", "ledger", "dead_letters"] {
        assert!(tables.contains(&Value::from(table)), "{told}");
    }
    Some(told)
}

fn by_the_command_line(server: &str, api: &Api) {
    let asked = |sql: &str| citytwin_ok(&["sql", "--server", server, "--json", sql]);
    let sum: Value = serde_json::from_str(&asked(
        "SELECT count(*) AS applied FROM readings WHERE lateness = 'on_time'",
    ))
    .unwrap();
    let (ledger, _) = api.ledger();
    assert_eq!(sum["applied"], ledger[""].applied);
    // The ledger is the same, whichever way one comes to it.
    let rows = asked(
        "SELECT l.sensor, l.received, coalesce(a.rows, 0) + coalesce(r.rows, 0) AS rows \
         FROM ledger l \
         LEFT JOIN (SELECT sensor, count(*) AS rows FROM readings GROUP BY sensor) a \
             ON a.sensor = l.sensor \
         LEFT JOIN (SELECT sensor, count(*) AS rows FROM refusals GROUP BY sensor) r \
             ON r.sensor = l.sensor",
    );
    assert_eq!(rows.lines().count(), 200);
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        assert_eq!(row["received"], row["rows"], "{row}");
    }
    let now = citytwin_ok(&["area", "--server", server, "--everywhere", "--list", "--json"]);
    let now: Value = serde_json::from_str(&now).unwrap();
    let then = ["history", "at", "now", "--server", server, "--everywhere", "--list", "--json"];
    let then: Value = serde_json::from_str(&citytwin_ok(&then)).unwrap();
    assert_eq!(latest(&now), latest(&then["state"]));
    let wrong = citytwin(&["sql", "--server", server, "SELEC 1"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("SELEC"), "{wrong:?}");
}

/// Every panel's question is answered, with rows and in the types that Grafana's plugin takes.
fn the_dashboard_of_values_has_values(server: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards/values.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let sql = panel["targets"][0]["queryText"].as_str().unwrap();
        // As the plugin writes it.
        let sql = sql.replace(
            "$__timeFilter(window_start)",
            "window_start >= '2026-01-01T00:00:00Z' AND window_start <= '2100-01-01T00:00:00Z'",
        );
        let rows = citytwin_ok(&["sql", "--server", server, "--json", &sql]);
        assert!(!rows.is_empty(), "{}: {sql}", panel["title"]);
        if panel["targets"][0]["format"] == "time_series" {
            let types = format!("SELECT arrow_typeof(time) AS is FROM ({sql}) LIMIT 1");
            let types = citytwin_ok(&["sql", "--server", server, "--json", &types]);
            assert!(types.contains("ns"), "{types}");
        }
    }
}

fn what_is_exported_can_be_read(server: &str, folder: &Path) {
    let told = citytwin_ok(&[
        "archive",
        "export",
        "--server",
        server,
        "--out",
        text(folder),
        "--at=-1h/now",
    ]);
    for table in ["readings", "windows", "sensors"] {
        assert!(told.contains(&format!("{table}.parquet")), "{told}");
        assert!(folder.join(format!("{table}.parquet")).metadata().unwrap().len() > 500, "{told}");
    }
}

/// What is published names no small count of a protected kind, and says so.
fn small_counts_are_withheld(server: &str, folder: &Path) {
    let told = citytwin_ok(&[
        "export",
        "opendata",
        "--server",
        server,
        "--out",
        text(folder),
        "--from",
        "-1h",
        "--window",
        "2s",
        "--resolution",
        "7",
        "--protect",
        "power_meter,traffic_loop",
        "--publisher",
        "Sở Khoa học và Công nghệ",
    ]);
    let mut rows = csv::Reader::from_path(folder.join("data.csv")).unwrap();
    let head = rows.headers().unwrap().clone();
    let at = |name: &str| head.iter().position(|one| one == name).unwrap();
    let (kind, withheld, sensors) = (at("kind"), at("withheld"), at("sensors"));
    let (mut hidden, mut shown) = (0, 0);
    for row in rows.records().map(Result::unwrap) {
        let protected = ["power_meter", "traffic_loop"].contains(&&row[kind]);
        if &row[withheld] == "true" {
            assert!(protected, "{row:?}");
            for value in ["sensors", "readings", "mean", "min", "max"] {
                assert_eq!(&row[at(value)], "", "{row:?}");
            }
            hidden += 1;
        } else {
            assert!(!protected || row[sensors].parse::<u32>().unwrap() >= 3, "{row:?}");
            shown += 1;
        }
    }
    assert!(hidden > 0 && shown > 0, "{told}");
    assert!(told.contains(&format!("{hidden} of them withheld")), "{told}");
    let about = std::fs::read_to_string(folder.join("dcat.jsonld")).unwrap();
    let about: Value = serde_json::from_str(&about).unwrap();
    assert_eq!(about["@type"], "dcat:Dataset");
    assert_eq!(about["dcat:distribution"].as_array().unwrap().len(), 3);
    let shapes = std::fs::read_to_string(folder.join("data.geojson")).unwrap();
    let shapes: Value = serde_json::from_str(&shapes).unwrap();
    assert_eq!(shapes["features"].as_array().unwrap().len(), hidden + shown);
}

/// Sensor, quantity, when it was measured and what, in order; not when it arrived.
fn measured(answer: &Value) -> Vec<String> {
    let of = |(sensor, latest): (&Value, &Value)| -> Vec<String> {
        let each = latest.as_array().unwrap().iter();
        let each = each.map(|one| {
            format!("{sensor} {} {} {}", one["quantity"], one["eventTime"], one["value"])
        });
        each.collect()
    };
    let mut all: Vec<String> = latest(answer).into_iter().flat_map(of).collect();
    all.sort();
    all
}

fn latest(answer: &Value) -> Vec<(&Value, &Value)> {
    let sensors = answer["sensors"].as_array().unwrap().iter();
    sensors.map(|sensor| (&sensor["sensor"], &sensor["latest"])).collect()
}
