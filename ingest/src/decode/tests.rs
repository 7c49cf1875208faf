//! The border *decode*: bytes → readings, or an error that names what, where and what is allowed.

use proptest::prelude::*;
use prost::Message as _;

use citytwin_core::sensor::SensorKind;
use citytwin_proto::ingest::v1;

use super::*;

fn one(quantity: Quantity, ms: i64, value: f64, sensor: &str) -> RawReading<'_> {
    let event_time = EventTime::from_ms(ms);
    RawReading { quantity, event_time, value, sensor: Cow::Borrowed(sensor) }
}

fn check(payload: &str, expected: (&str, &[RawReading<'_>])) {
    let batch = readings(payload.as_bytes(), None).unwrap_or_else(|e| panic!("{payload}: {e}"));
    assert_eq!((batch.sensor.as_ref(), batch.readings.as_slice()), expected, "{payload}");
}

fn check_refused(payload: &[u8], content_type: Option<&str>, expected: &[&str]) {
    let shown = String::from_utf8_lossy(payload);
    let error = readings(payload, content_type).expect_err(&shown).to_string();
    for part in expected {
        assert!(error.contains(part), "{shown}: {error:?} does not say {part:?}");
    }
}

#[test]
fn json_in_all_its_forms() {
    use Quantity::{Pm25UgM3, SpeedKmh};
    let speed = one(SpeedKmh, 1_700_000_000_123, 42.5, "");
    let same = std::slice::from_ref(&speed);
    check(
        r#"{"readings":[{"quantity":"speed_kmh","event_time_ms":1700000000123,"value":42.5}]}"#,
        ("", same),
    );
    check(
        r#"{"sensor":"A","readings":[{"quantity":"QUANTITY_SPEED_KMH","eventTimeMs":"1700000000123","value":"42.5"}]}"#,
        ("A", same),
    );
    check(r#"{"quantity":1,"event_time_ms":1.700000000123e12,"value":42.5}"#, ("", same));
    check(
        r#"[{"quantity":1,"event_time_ms":1700000000123,"value":42.5}, {"quantity":"pm25_ug_m3","sensor":"B"}]"#,
        ("", &[speed.clone(), one(Pm25UgM3, 0, 0.0, "B")]),
    );
    check(r#"{"sensor":"C","quantity":6,"value":null}"#, ("C", &[one(Pm25UgM3, 0, 0.0, "")]));
    check("{}", ("", &[]));
    check("[]", ("", &[]));
    check(r#"{"readings":[]}"#, ("", &[]));
    let nan = readings(br#"{"quantity":1,"value":"NaN"}"#, None).unwrap();
    assert!(nan.readings[0].value.is_nan());
}

#[test]
fn json_errors_name_what_where_and_what_is_allowed() {
    for (payload, expected) in [
        (
            r#"{"readings":[{"quantity":"speed_mph"}]}"#,
            &["speed_mph", "speed_kmh, flow_veh_h", "column"][..],
        ),
        (r#"{"readings":[{"quantity":25}]}"#, &["25", "tsp_ug_m3"]),
        (r#"{"readings":[{"value":1}]}"#, &["readings[0].quantity: is missing", "speed_kmh"]),
        (
            r#"{"readings":[{"quantity":1,"speed":1}]}"#,
            &["unknown field `speed`", "event_time_ms", "column"],
        ),
        (r#"{"reading":[]}"#, &["unknown field `reading`", "readings"]),
        (r#"{"readings":[],"value":1}"#, &["either a batch or a single reading"]),
        (r#"{"quantity":1,"event_time_ms":1.5}"#, &["1.5 is not a whole number"]),
        (r#"{"quantity":1,"event_time_ms":"soon"}"#, &["soon", "whole number"]),
        (r#"{"quantity":1,"event_time_ms":99999999999999999999}"#, &["whole number"]),
        (r#"{"quantity":1,"value":"fast"}"#, &["fast", "not a number"]),
        (r#"{"quantity":1,"value":1e999}"#, &["out of range"]),
        (r#"{"quantity":1,"value":true}"#, &["expected a number"]),
        (r#"{"quantity":1"#, &["EOF"]),
        (r#"{"quantity":1} x"#, &["trailing characters"]),
        (r#"{"quantity":1,"quantity":2}"#, &["duplicate field"]),
        ("[1]", &["expected struct ReadingObject"]),
    ] {
        check_refused(payload.as_bytes(), None, expected);
    }
    check_refused(b"42", Some("application/json"), &["expected struct"]);
    check_refused(b"", Some("application/json; charset=utf-8"), &["EOF"]);
}

#[test]
fn the_content_type_decides_and_else_the_first_byte() {
    let batch = v1::ReadingBatch { sensor: "S".to_owned(), readings: vec![] }.encode_to_vec();
    for content_type in [None, Some("application/x-protobuf"), Some("text/plain")] {
        assert_eq!(readings(&batch, content_type).unwrap().sensor, "S");
    }
    check_refused(&batch, Some("Application/JSON"), &["JSON"]);
    check_refused(b"{}", Some("application/protobuf"), &["ReadingBatch"]);
}

#[test]
fn protobuf_errors_name_what_and_where() {
    let reading = |quantity| v1::Reading { quantity, value: 1.0, ..v1::Reading::default() };
    let batch = |quantities: [i32; 2]| v1::ReadingBatch {
        readings: quantities.map(reading).to_vec(),
        ..v1::ReadingBatch::default()
    };
    for (numbers, expected) in [
        ([1, 0], "readings[1].quantity: is missing"),
        ([99, 1], "readings[0].quantity: 99 is not one of 1 to 24 (speed_kmh"),
        ([-1, 1], "readings[0].quantity: -1 is not"),
    ] {
        check_refused(&batch(numbers).encode_to_vec(), None, &[expected]);
    }
    let good = batch([1, 2]).encode_to_vec();
    for at in 1..good.len() {
        // Cut between two readings it is a shorter batch; anywhere else it is none.
        if at != good.len() / 2 {
            assert!(readings(&good[..at], None).is_err(), "cut at {at}");
        }
    }
    check_refused(&[0x12, 0x02, 0x09, 0x01], None, &["readings[0]", "wire type"]);
    check_refused(&[0x0A, 0x02, 0xFF, 0xFF], None, &["UTF-8"]);
    check_refused(&[0x0A, 0x05, 0x41], None, &["ReadingBatch"]);
    check_refused(b"hello", None, &["ReadingBatch"]);
}

fn sent() -> impl Strategy<Value = v1::ReadingBatch> {
    let sensor = || prop_oneof![Just(String::new()), "[A-Za-z0-9]{1,8}", "\\PC{0,4}"];
    let reading = (1..=24_i32, any::<i64>(), any::<f64>(), sensor()).prop_map(
        |(quantity, event_time_ms, value, sensor)| v1::Reading {
            quantity,
            event_time_ms,
            value,
            sensor,
        },
    );
    (sensor(), prop::collection::vec(reading, 0..60))
        .prop_map(|(sensor, readings)| v1::ReadingBatch { sensor, readings })
}

fn assert_same(batch: &Batch<'_>, sent: &v1::ReadingBatch) {
    assert_eq!(batch.sensor, sent.sensor);
    assert_eq!(batch.readings.len(), sent.readings.len());
    for (got, sent) in batch.readings.iter().zip(&sent.readings) {
        assert_eq!(i32::from(got.quantity.number()), sent.quantity);
        assert_eq!(got.event_time.ms(), sent.event_time_ms);
        assert_eq!(got.value.to_bits(), sent.value.to_bits());
        assert_eq!(got.sensor, sent.sensor);
    }
}

proptest! {
    #[test]
    fn it_reads_what_the_generated_code_writes(sent in sent()) {
        let bytes = sent.encode_to_vec();
        // Not `sent` itself: the generated code does not write a negative zero.
        let theirs = v1::ReadingBatch::decode(bytes.as_slice()).unwrap();
        assert_same(&readings(&bytes, None).unwrap(), &theirs);
    }

    /// Broken in any place, it agrees with the generated code on whether it is a batch, and which.
    #[test]
    fn it_agrees_with_the_generated_code_on_broken_bytes(
        sent in sent(),
        breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = sent.encode_to_vec();
        bytes.push(0x0A);
        for (at, byte) in breaks {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let theirs = v1::ReadingBatch::decode(bytes.as_slice()).ok().filter(|batch| {
            batch.readings.iter().all(|reading| (1..=24).contains(&reading.quantity))
        });
        match (readings(&bytes, Some("application/x-protobuf")), theirs) {
            (Ok(batch), Some(sent)) => assert_same(&batch, &sent),
            (Err(_), None) => {}
            (ours, theirs) => prop_assert!(false, "ours {ours:?}, theirs {theirs:?}"),
        }
    }

    #[test]
    fn anything_is_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for content_type in [None, Some("application/json"), Some("application/x-protobuf")] {
            drop(readings(&bytes, content_type));
            drop(about(&bytes, content_type));
        }
    }
}

#[test]
fn topics() {
    let found = topic("city/v1/hcmc/S-1.a/readings").unwrap();
    assert_eq!(found, Topic { key: "hcmc/S-1.a", agency: "hcmc", subject: Subject::Readings });
    assert_eq!(topic("city/v1/a/b/about").unwrap().subject, Subject::About);
    for bad in [
        "",
        "city/v1/a/b",
        "city/v1/a/b/",
        "city/v1/a/b/readings/",
        "/city/v1/a/b/readings",
        "city/v1//b/readings",
        "city/v1/a//readings",
        "city/v1/a/b/c/readings",
        "city/v2/a/b/readings",
        "city/v1/a/b c/readings",
        "city/v1/a/Readings",
        "city/v1/readings",
        "city/v1/a/b/Readings",
        "city/v1/a/+/readings",
    ] {
        assert_eq!(topic(bad), Err(TopicError), "{bad}");
    }
}

fn description_of(payload: &str) -> Result<SensorDescription, String> {
    about(payload.as_bytes(), None).map_err(|error| error.to_string())
}

#[test]
fn descriptions_in_json_and_protobuf_are_the_same() {
    let sent = v1::SensorDescription {
        kind: 2,
        latitude_deg: 10.5,
        longitude_deg: 106.5,
        expected_interval_ms: 10_000,
        name: "Ngã tư".to_owned(),
        link: "L7".to_owned(),
        lane: 1,
        zone: "Tân Bình".to_owned(),
        free_flow_speed_kmh: 60.0,
        lanes: 3,
    };
    let protobuf = about(&sent.encode_to_vec(), None).unwrap();
    let snake = r#"{"kind":"radar","latitude_deg":10.5,"longitude_deg":106.5,"expected_interval_ms":10000,
        "name":"Ngã tư","link":"L7","lane":1,"zone":"Tân Bình","free_flow_speed_kmh":60,"lanes":3}"#;
    let camel = r#"{"kind":"SENSOR_KIND_RADAR","latitudeDeg":10.5,"longitudeDeg":106.5,"expectedIntervalMs":"10000",
        "name":"Ngã tư","link":"L7","lane":1,"zone":"Tân Bình","freeFlowSpeedKmh":60.0,"lanes":3}"#;
    assert_eq!(description_of(snake).unwrap(), protobuf);
    assert_eq!(description_of(camel).unwrap(), protobuf);
    let least = description_of(r#"{"kind":2,"latitude_deg":0,"longitude_deg":0}"#).unwrap();
    assert_eq!((least.kind, least.expected_interval_ms), (SensorKind::Radar, 60_000));
}

#[test]
fn a_bad_description_names_the_field_and_what_is_allowed() {
    let with =
        |rest: &str| format!(r#"{{"kind":"radar","latitude_deg":10,"longitude_deg":106,{rest}}}"#);
    let long = format!(r#""name":"{}""#, "x".repeat(300));
    for (payload, expected) in [
        ("{}".to_owned(), "kind is missing; allowed are traffic_loop, radar"),
        (r#"{"kind":"rader"}"#.to_owned(), r#"kind "rader" is unknown; allowed are traffic_loop"#),
        (r#"{"kind":15}"#.to_owned(), "kind 15 is unknown"),
        (r#"{"kind":1}"#.to_owned(), "position is missing"),
        (r#"{"kind":1,"latitude_deg":95,"longitude_deg":1}"#.to_owned(), "latitude 95"),
        (r#"{"kind":1,"latitude_deg":5,"longitude_deg":"NaN"}"#.to_owned(), "longitude NaN"),
        (with(r#""expected_interval_ms":-1"#), "expected_interval_ms -1 is not within"),
        (with(r#""expected_interval_ms":99999999999"#), "30 days"),
        (with(r#""free_flow_speed_kmh":-3"#), "free_flow_speed_kmh -3 is not within 0 to 500"),
        (with(r#""lane":65"#), "lane 65 is not within 0 to 64"),
        (with(&long), "name has 300 bytes"),
    ] {
        let error = about(payload.as_bytes(), None).unwrap_err();
        assert!(matches!(error, AboutError::Bad(_)), "{payload}: {error}");
        assert!(error.to_string().contains(expected), "{payload}: {error}");
    }
    let error = about(br#"{"kind":1,"lat":3}"#, None).unwrap_err();
    assert!(matches!(error, AboutError::Undecodable(_)) && error.to_string().contains("`lat`"));
    let empty =
        about(&v1::SensorDescription { kind: 1, ..Default::default() }.encode_to_vec(), None);
    assert!(empty.unwrap_err().to_string().contains("position is missing"));
}
