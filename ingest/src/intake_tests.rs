//! The road behind the doors, with a real log in a temporary folder and a clock that stands still:
//! every row of bad input ends under its reason, and nothing that was acknowledged is missing.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use prost::Message as _;

use citytwin_core::frame::Frame;
use citytwin_core::quantity::Quantity;
use citytwin_core::time::{ArrivalTime, Epoch};
use citytwin_proto::ingest::v1;

use super::*;
use crate::clock::ManualClock;
use crate::log::{self, LogSettings, LogThread};

const NOW_MS: i64 = 1_800_000_000_000;

struct Road {
    dir: tempfile::TempDir,
    intake: Intake,
    log: LogHandle,
    thread: LogThread,
    frames: Receiver<Frame>,
}

fn start(settings: IntakeSettings) -> Road {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(ArrivalTime::from_ms(NOW_MS)));
    // The clock stands still, so commits must not wait for it.
    let at_once = LogSettings { commit_interval: Duration::ZERO, ..LogSettings::default() };
    let log = log::open(dir.path(), at_once).unwrap();
    let (sender, frames) = sync_channel(10_000);
    let (handle, thread) = log::spawn(log, Arc::clone(&clock), sender).unwrap();
    let intake = Intake::new(handle.clone(), Registry::new(), clock, settings);
    Road { dir, intake, log: handle, thread, frames }
}

impl Road {
    async fn take(&self, topic: &str, payload: &[u8], into: &mut Submission) {
        let message = Message { topic, payload, content_type: None };
        self.intake.take(message, into).await.unwrap();
    }

    async fn describe(&self, sensor: &str) {
        let topic = format!("city/v1/hcmc/{sensor}/about");
        let mut submission = Submission::default();
        self.take(&topic, &about(10.5).encode_to_vec(), &mut submission).await;
        assert!(submission.records.is_empty());
        self.intake.submit(submission).await.unwrap().await.unwrap();
    }

    /// Ends the log and gives back all that reached the dataflow, which is all that is on disk.
    async fn finish(self) -> Records {
        self.log.shut_down().await.unwrap();
        self.thread.join().unwrap();
        let mut records = Records::default();
        let mut frames: Vec<Frame> = self.frames.iter().collect();
        let mut log = log::open(self.dir.path(), LogSettings::default()).unwrap();
        let replayed: Vec<Frame> = log.replay(Epoch::ZERO).unwrap().map(Result::unwrap).collect();
        // NaN is not equal to itself, but its text is.
        assert_eq!(format!("{replayed:?}"), format!("{frames:?}"));
        for frame in &mut frames {
            for reading in &frame.records.readings {
                let known = records.sensors.len() + frame.records.sensors.len();
                assert!(reading.sensor.slot() < known, "a reading before its sensor");
            }
            records.append(&mut frame.records);
        }
        records
    }
}

fn about(latitude_deg: f64) -> v1::SensorDescription {
    v1::SensorDescription { kind: 1, latitude_deg, longitude_deg: 106.7, ..Default::default() }
}

fn batch(sensor: &str, readings: &[(i32, i64, f64, &str)]) -> Vec<u8> {
    let readings = readings
        .iter()
        .map(|(quantity, event_time_ms, value, sensor)| v1::Reading {
            quantity: *quantity,
            event_time_ms: *event_time_ms,
            value: *value,
            sensor: (*sensor).to_owned(),
        })
        .collect();
    v1::ReadingBatch { sensor: sensor.to_owned(), readings }.encode_to_vec()
}

const READINGS: &str = "city/v1/hcmc/A/readings";
const ABOUT: &str = "city/v1/hcmc/A/about";

#[tokio::test]
async fn every_refusal_has_its_reason() {
    use RefusalReason::{ClockAhead, NotFinite, OutOfRange, TooOld};
    let road = start(IntakeSettings::default());
    road.describe("A").await;
    let week = 7 * 86_400_000;
    let cases = [
        (1, NOW_MS, 50.0, Verdict::Admitted),
        (1, NOW_MS, 200.5, Verdict::Refused(OutOfRange)),
        (1, NOW_MS, f64::NAN, Verdict::Refused(NotFinite)),
        (1, NOW_MS, f64::INFINITY, Verdict::Refused(NotFinite)),
        (1, NOW_MS + 5_000, 50.0, Verdict::Admitted),
        (1, NOW_MS + 5_001, 50.0, Verdict::Refused(ClockAhead)),
        (1, NOW_MS - week, 50.0, Verdict::Admitted),
        (1, NOW_MS - week - 1, 50.0, Verdict::Refused(TooOld)),
        (13, NOW_MS, -3.0, Verdict::Admitted),
    ];
    let sent: Vec<_> = cases.iter().map(|(q, at, value, _)| (*q, *at, *value, "")).collect();
    let mut submission = Submission::default();
    road.take(READINGS, &batch("", &sent), &mut submission).await;
    let verdicts: Vec<_> = submission.records.readings.iter().map(|r| r.verdict).collect();
    assert_eq!(verdicts, cases.map(|(.., verdict)| verdict));
    road.intake.submit(submission).await.unwrap().await.unwrap();

    let stats = road.intake.stats();
    assert_eq!((stats.messages, stats.admitted, stats.refused), (2, 4, [1, 2, 1, 1, 0]));
    let records = road.finish().await;
    assert_eq!((records.readings.len(), records.sensors.len()), (9, 1));
    assert_eq!(records.readings[0].quantity, Quantity::SpeedKmh);
}

#[tokio::test]
async fn every_bad_message_is_a_dead_letter_and_is_acknowledged() {
    use DeadLetterReason::{BadDescription, Oversize, Undecodable, UnknownSensor, UnknownTopic};
    let road = start(IntakeSettings { max_payload_bytes: 3_000, ..IntakeSettings::default() });
    let reading = batch("", &[(1, NOW_MS, 1.0, "")]);
    let long = vec![b'['; 3_001];
    let cases: [(&str, &[u8], DeadLetterReason, &str); 10] = [
        ("city/v1/hcmc/readings", &reading, UnknownTopic, "city/v1/{agency}"),
        ("elsewhere", b"{}", UnknownTopic, "city/v1/{agency}"),
        (READINGS, b"hello", Undecodable, "ReadingBatch"),
        (READINGS, b"", UnknownTopic, ""),
        (READINGS, br#"{"speed":1}"#, Undecodable, "unknown field `speed`"),
        (READINGS, &long, Oversize, "3001 bytes, over the limit of 3000"),
        (READINGS, &reading, UnknownSensor, "sensor hcmc/A was never described; 1 readings"),
        (ABOUT, b"\xff", Undecodable, "SensorDescription"),
        (ABOUT, br#"{"kind":"radar"}"#, BadDescription, "position is missing"),
        (ABOUT, &about(99.0).encode_to_vec(), BadDescription, "latitude 99"),
    ];
    let mut submission = Submission::default();
    let mut expected = Vec::new();
    for (topic, payload, reason, detail) in cases {
        let before = submission.records.dead_letters.len();
        road.take(topic, payload, &mut submission).await;
        if payload.is_empty() {
            // An empty batch is a batch.
            assert_eq!(submission.records.dead_letters.len(), before);
            continue;
        }
        let dead = submission.records.dead_letters.last().unwrap();
        assert_eq!((dead.reason, dead.topic.as_str()), (reason, topic), "{}", dead.detail);
        assert!(dead.detail.contains(detail), "{}", dead.detail);
        assert_eq!(dead.payload_bytes, payload.len() as u64);
        assert_eq!(dead.head, payload[..payload.len().min(1_024)]);
        expected.push(dead.clone());
    }
    road.intake.submit(submission).await.unwrap().await.unwrap();
    assert_eq!(road.intake.stats().dead_letters, [3, 2, 1, 1, 2]);
    assert_eq!(road.finish().await.dead_letters, expected);
}

#[tokio::test]
async fn an_oversize_message_that_was_never_read_whole() {
    let road = start(IntakeSettings::default());
    let mut submission = Submission::default();
    road.intake.oversize(READINGS, &[7; 5_000], 1 << 20, &mut submission);
    let dead = &submission.records.dead_letters[0];
    assert_eq!((dead.reason, dead.payload_bytes), (DeadLetterReason::Oversize, 1 << 20));
    assert_eq!(dead.head.len(), 1_024);
    assert!(dead.detail.contains("1048576 bytes, over the limit of 262144"));
}

#[tokio::test]
async fn a_gateway_speaks_for_many_and_unknown_ones_are_named_once() {
    let road = start(IntakeSettings::default());
    road.describe("A").await;
    road.describe("B").await;
    let payload = batch(
        "B",
        &[
            (1, NOW_MS, 1.0, ""),
            (1, NOW_MS, 2.0, "A"),
            (1, NOW_MS, 3.0, "X"),
            (1, NOW_MS, 4.0, "X"),
            (1, NOW_MS, 5.0, "Y"),
            (1, NOW_MS, 6.0, "X"),
            (1, NOW_MS, 7.0, "hcmc/A"),
            (1, NOW_MS, 8.0, "A"),
        ],
    );
    let mut submission = Submission::default();
    road.take("city/v1/hcmc/gateway/readings", &payload, &mut submission).await;
    let taken: Vec<_> =
        submission.records.readings.iter().map(|r| (r.sensor.number(), r.value)).collect();
    assert_eq!(taken, [(1, 1.0), (0, 2.0), (0, 8.0)]);
    let details: Vec<_> =
        submission.records.dead_letters.iter().map(|dead| dead.detail.as_str()).collect();
    assert_eq!(details.len(), 3);
    assert!(details[0].starts_with("sensor hcmc/X was never described; 3 readings"));
    assert!(details[1].starts_with("sensor hcmc/Y was never described; 1 readings"));
    assert!(details[2].starts_with("sensor hcmc/hcmc/A was never"));
}

#[tokio::test]
async fn a_flood_of_unknown_names_is_bounded() {
    let road = start(IntakeSettings::default());
    let names: Vec<String> = (0..5_000).map(|n| format!("N{n}")).collect();
    let sent: Vec<_> = names.iter().map(|name| (1, NOW_MS, 1.0, name.as_str())).collect();
    let mut submission = Submission::default();
    road.take(READINGS, &batch("", &sent), &mut submission).await;
    assert_eq!(submission.records.dead_letters.len(), 64);
    let last = &submission.records.dead_letters[63].detail;
    assert!(last.contains("4936 readings of further unknown sensors"), "{last}");
}

#[tokio::test]
async fn a_description_makes_later_readings_valid() {
    let road = start(IntakeSettings::default());
    let payload = batch("", &[(1, NOW_MS, 1.0, "")]);
    let mut submission = Submission::default();
    road.take(READINGS, &payload, &mut submission).await;
    road.take(ABOUT, &about(10.5).encode_to_vec(), &mut submission).await;
    road.take(READINGS, &payload, &mut submission).await;
    road.take(ABOUT, &about(10.5).encode_to_vec(), &mut submission).await;
    road.take(ABOUT, b"", &mut submission).await;
    road.take(ABOUT, &about(11.0).encode_to_vec(), &mut submission).await;
    assert_eq!(submission.records.dead_letters.len(), 1);
    assert_eq!(submission.records.readings.len(), 1);
    road.intake.submit(submission).await.unwrap().await.unwrap();
    assert_eq!(road.intake.stats().deletes_ignored, 1);
    let (index, description) = road.intake.registry().description("hcmc/A").unwrap();
    assert_eq!((index.number(), description.position.latitude_deg()), (0, 11.0));
    let records = road.finish().await;
    let moved: Vec<_> = records
        .sensors
        .iter()
        .map(|change| (change.index.number(), change.description.position.latitude_deg()))
        .collect();
    assert_eq!(moved, [(0, 10.5), (0, 11.0)], "a description that says nothing new is not logged");
    let again: Registry = records.sensors.iter().collect();
    assert_eq!(again.description("hcmc/A"), Some((index, description)));
}

fn many(count: usize) -> Vec<(SensorKey, SensorDescription)> {
    (0..count)
        .map(|n| {
            let key = SensorKey::parse(&format!("hcmc/S{n}")).unwrap();
            (key, decode::description(&about(10.5)).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn fifty_thousand_at_once_in_order_and_then_nothing_new() {
    let road = start(IntakeSettings::default());
    let mut sensors = many(50_000);
    sensors.push(sensors[7].clone());
    road.intake.register(sensors).await.unwrap().await.unwrap();
    assert_eq!(road.intake.registry().len(), 50_000);
    let bytes = road.log.stats().bytes;
    road.intake.register(many(50_000)).await.unwrap().await.unwrap();
    assert_eq!(road.log.stats().bytes, bytes);
    let records = road.finish().await;
    assert_eq!(records.sensors.len(), 50_000);
    let in_order = records.sensors.iter().zip(0..).all(|(change, n)| change.index.number() == n);
    assert!(in_order, "numbers are in the order of the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sensors_that_register_at_once_get_numbers_in_log_order() {
    let road = start(IntakeSettings::default());
    let mut tasks = tokio::task::JoinSet::new();
    for part in many(400).chunks(100) {
        let (intake, part) = (road.intake.clone(), part.to_vec());
        tasks.spawn(async move {
            for (key, description) in part {
                intake.register(vec![(key, description)]).await.unwrap().await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let records = road.finish().await;
    assert_eq!(records.sensors.len(), 400);
    assert!(records.sensors.iter().zip(0..).all(|(change, n)| change.index.number() == n));
}

#[tokio::test]
async fn there_is_a_limit_of_sensors() {
    let road = start(IntakeSettings { max_sensors: 10, ..IntakeSettings::default() });
    let error = road.intake.register(many(11)).await.unwrap_err();
    assert!(error.to_string().contains("0 sensors are known and 11 more"), "{error}");
    assert_eq!(road.intake.registry().len(), 0);
    road.intake.register(many(10)).await.unwrap().await.unwrap();
    let mut submission = Submission::default();
    road.take(ABOUT, &about(10.5).encode_to_vec(), &mut submission).await;
    assert_eq!(submission.records.dead_letters[0].reason, DeadLetterReason::BadDescription);
    road.intake.register(many(10)).await.unwrap().await.unwrap();
}

#[tokio::test]
async fn recorded_data_may_be_old() {
    let settings = IntakeSettings { mode: TimeMode::Event, ..IntakeSettings::default() };
    let road = start(settings);
    road.describe("A").await;
    let mut submission = Submission::default();
    let payload = br#"[{"quantity":"speed_kmh","event_time_ms":1330560000000,"value":64.3}]"#;
    road.take(READINGS, payload, &mut submission).await;
    assert_eq!(submission.records.readings[0].verdict, Verdict::Admitted);
}

#[tokio::test]
async fn a_log_that_is_shut_down_is_the_only_error() {
    let road = start(IntakeSettings::default());
    road.log.shut_down().await.unwrap();
    let message =
        Message { topic: ABOUT, payload: &about(1.0).encode_to_vec(), content_type: None };
    let error = road.intake.take(message, &mut Submission::default()).await.unwrap_err();
    assert!(matches!(error, IntakeError::Log(LogError::Closed)));
    assert!(road.intake.submit(Submission::default()).await.is_err());
    assert_eq!(road.intake.registry().len(), 0, "not visible, since not in the log");
}
