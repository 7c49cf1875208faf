//! What cannot be taken, end to end: set aside or refused under its reason, acknowledged, counted,
//! kept over a crash. And what cannot be started: said once, with the key and what is allowed.

use citytwin_proto::ingest::v1::{Quantity, Reading, ReadingBatch, SensorDescription};
use prost::Message as _;
use serde_json::Value;

use crate::api::{Api, refused, same};
use crate::letters::{Letter, about, now_ms, publish_all, readings};
use crate::process::{Server, citytwin, citytwin_ok, free_address, text};

const HOUR_MS: i64 = 3_600_000;
const OVERSIZE: usize = (256 << 10) + 1;
const SPEED: Quantity = Quantity::SpeedKmh;

/// Messages that become dead letters, with reason and topic.
fn unreadable() -> Vec<(Letter, &'static str)> {
    let nowhere = SensorDescription { latitude_deg: 95.0, kind: 1, ..Default::default() };
    let loop_readings = "city/v1/bad/loop/readings".to_owned();
    vec![
        ((loop_readings.clone(), vec![0xff; 9]), "undecodable"),
        ((loop_readings.clone(), b"{\"readings\": [".to_vec()), "undecodable"),
        (("weather/today".to_owned(), b"sunny".to_vec()), "unknown_topic"),
        (("city/v1/bad/loop".to_owned(), b"x".to_vec()), "unknown_topic"),
        ((loop_readings, vec![b'x'; OVERSIZE]), "oversize"),
        (("city/v1/bad/pole/about".to_owned(), nowhere.encode_to_vec()), "bad_description"),
        (readings("bad/stranger", &[(SPEED, now_ms(), 30.0)]), "unknown_sensor"),
    ]
}

#[test]
fn bad_messages_are_set_aside_and_counted() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let api = Api::of(&server.grpc);
    let (letters, reasons): (Vec<Letter>, Vec<&str>) = unreadable().into_iter().unzip();
    publish_all(&api, &server.mqtt, &[about("bad/loop")]);
    publish_all(&api, &server.mqtt, &letters);

    // A gateway: one reading of a known sensor, one of a stranger.
    let named = |sensor: &str| Reading {
        quantity: SPEED.into(),
        event_time_ms: now_ms(),
        value: 41.0,
        sensor: sensor.to_owned(),
    };
    let both =
        ReadingBatch { sensor: String::new(), readings: vec![named("loop"), named("stranger")] };
    let gateway = ("city/v1/bad/gateway/readings".to_owned(), both.encode_to_vec());
    // Described at last, the stranger is heard.
    let heard = readings("bad/stranger", &[(SPEED, now_ms(), 31.0)]);
    publish_all(&api, &server.mqtt, &[gateway, about("bad/stranger"), heard]);
    api.until_received(2);
    api.until_now();

    let (ledger, dead_letters) = api.ledger();
    for sensor in ["bad/loop", "bad/stranger"] {
        assert_eq!((ledger[sensor].received, ledger[sensor].applied), (1, 1), "{sensor}");
    }
    for (reason, messages) in [
        ("undecodable", 2),
        ("unknown_topic", 2),
        ("oversize", 1),
        ("bad_description", 1),
        ("unknown_sensor", 2),
    ] {
        assert_eq!(dead_letters[reason], messages, "{reason}");
    }
    let told = dead_letters_of(&server);
    let newest: Vec<(&str, &str)> = told
        .iter()
        .map(|letter| (letter["reason"].as_str().unwrap(), letter["topic"].as_str().unwrap()))
        .collect();
    let mut expected: Vec<(&str, &str)> = reasons
        .iter()
        .zip(&letters)
        .map(|(reason, (topic, _))| (*reason, topic.as_str()))
        .collect();
    expected.push(("unknown_sensor", "city/v1/bad/gateway/readings"));
    expected.reverse();
    assert_eq!(newest, expected);
    let oversize = told.iter().find(|letter| letter["reason"] == "oversize").unwrap();
    assert_eq!(oversize["payloadBytes"], OVERSIZE.to_string());
    // 1,024 bytes in base 64.
    assert_eq!(oversize["head"].as_str().unwrap().len(), 1_368);
    assert!(told.iter().all(|letter| !letter["detail"].as_str().unwrap().is_empty()), "{told:?}");

    server.kill();
    server.restart();
    assert_eq!(dead_letters_of(&server), told, "after a crash");
    same(&api.ledger().0, &ledger, "ledger");
}

fn dead_letters_of(server: &Server) -> Vec<Value> {
    let text = citytwin_ok(&["dead-letters", "--server", &server.grpc, "--json"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    answer["deadLetters"].as_array().unwrap().clone()
}

#[test]
fn impossible_readings_are_refused_by_sensor_and_reason() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path(), &[]);
    let api = Api::of(&server.grpc);
    let now = now_ms();
    let sent = [
        (SPEED, now, 50.0),
        (SPEED, now, 50.0),
        (SPEED, now - 1, 999.0),
        (SPEED, now - 2, -0.5),
        (SPEED, now - 3, f64::NAN),
        (SPEED, now - 4, f64::INFINITY),
        (SPEED, now + HOUR_MS, 50.0),
        (SPEED, now - 8 * 24 * HOUR_MS, 50.0),
        // Known for less than a repeat could be told.
        (SPEED, now - 2 * HOUR_MS, 50.0),
        // Late, but taken.
        (SPEED, now - HOUR_MS / 2, 20.0),
    ];
    let letters: Vec<Letter> = sent.iter().map(|one| readings("bad/loop", &[*one])).collect();
    publish_all(&api, &server.mqtt, &[about("bad/loop")]);
    publish_all(&api, &server.mqtt, &letters);
    api.until_received(10);

    let check = || {
        let (ledger, _) = api.ledger();
        let entry = &ledger["bad/loop"];
        assert_eq!((entry.received, entry.duplicate), (10, 1), "{entry:?}");
        assert_eq!(entry.applied + entry.late_applied, 2, "{entry:?}");
        for (reason, count) in [
            ("out_of_range", 2),
            ("not_finite", 2),
            ("clock_ahead", 1),
            ("too_old", 1),
            ("behind_dedupe_horizon", 1),
        ] {
            assert_eq!(refused(entry, reason), count, "{reason}: {entry:?}");
        }
        // Latest by event time, untouched by what was refused or late.
        let latest = api.sensor("bad/loop").latest;
        assert_eq!(latest.len(), 1);
        assert_eq!(latest[0].value.to_bits(), 50.0_f64.to_bits());
    };
    check();
    server.kill();
    server.restart();
    check();
    // A clock that was ahead has moved nothing: the watermark is no later than arrival.
    let as_of = api.status().as_of.unwrap();
    let (watermark, arrival) = (as_of.watermark.unwrap(), as_of.arrival_time.unwrap());
    assert!(watermark.seconds <= arrival.seconds, "{watermark} {arrival}");
}

#[test]
fn a_wrong_configuration_is_one_error_that_says_what_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("citytwin.toml");
    let check = |toml: &str, set: &str, expected: &[&str]| {
        std::fs::write(&file, toml).unwrap();
        let data = text(folder.path());
        let mut arguments = vec!["serve", "--data", data, "--config", text(&file)];
        arguments.extend(["--mqtt-listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        if !set.is_empty() {
            arguments.extend(["--set", set]);
        }
        let output = citytwin(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{toml} {set}: {said}");
        for part in expected {
            assert!(said.contains(part), "{part:?} is not in {said:?}");
        }
    };
    check("", "twin.window=0s", &["twin.window", "0s", "allowed", "1s", "1h"]);
    check("", "twin.window=60", &["twin.window", "60", "allowed", "unit", "90s"]);
    check("[twin]\nwindw = \"60s\"\n", "", &["twin.windw", "twin.window", "citytwin.toml"]);
    check("[twin]\ntime = \"past\"\n", "", &["twin.time", "past", "live", "event"]);
    check("[log]\nsegment = \"1 KiB\"\n", "", &["log.segment", "1 KiB", "allowed"]);
    check("", "endpoint.enabled=false", &["endpoint.enabled", "no door", "broker.url"]);
    check("twin = [", "", &["citytwin.toml"]);
    assert!(!folder.path().join("log").exists(), "nothing was started");
}

#[test]
fn a_folder_has_one_engine() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let (mqtt, grpc) = (free_address(), free_address());
    let folder = text(data.path());
    let listen = ["--mqtt-listen", &mqtt, "--grpc-listen", &grpc, "--metrics-listen", ""];
    let output = citytwin(&[&["serve", "--data", folder], &listen[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(folder) && said.contains("in use by another process"), "{said}");
    assert_eq!(Api::of(&server.grpc).status().state, "SERVING");
}
