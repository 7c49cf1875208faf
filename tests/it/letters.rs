//! Single messages, published one after the other and each acknowledged: for what no fleet sends.

use std::collections::VecDeque;
use std::sync::Arc;

use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_proto::ingest::v1::{Quantity, Reading, ReadingBatch, SensorDescription, SensorKind};
use citytwin_simulators::fleet::{Action, Outgoing};
use citytwin_simulators::ledger::{Keep, Ledger};
use citytwin_simulators::publish::{
    Books, Feed, MqttVersion, Pace, Progress, PublishOptions, SimClock, Span, publish,
};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::api::Api;

/// Topic and payload.
pub(crate) type Letter = (String, Vec<u8>);

/// Readings of a sensor.
pub(crate) fn readings(sensor: &str, readings: &[(Quantity, i64, f64)]) -> Letter {
    let one = |(quantity, event_time_ms, value): &(Quantity, i64, f64)| Reading {
        quantity: (*quantity).into(),
        event_time_ms: *event_time_ms,
        value: *value,
        sensor: String::new(),
    };
    let batch =
        ReadingBatch { sensor: String::new(), readings: readings.iter().map(one).collect() };
    (format!("city/v1/{sensor}/readings"), batch.encode_to_vec())
}

/// A loop that tells about itself.
pub(crate) fn about(sensor: &str) -> Letter {
    let description = SensorDescription {
        kind: SensorKind::TrafficLoop.into(),
        latitude_deg: 10.77,
        longitude_deg: 106.7,
        expected_interval_ms: 10_000,
        ..Default::default()
    };
    (format!("city/v1/{sensor}/about"), description.encode_to_vec())
}

/// Milliseconds since the Unix epoch, now.
pub(crate) fn now_ms() -> i64 {
    SystemClock::new().now().ms()
}

/// Publishes all of them in order over one connection (3.1.1, whose server announces no largest
/// packet) with `QoS` 1; each must be acknowledged.
pub(crate) fn publish_all(api: &Api, mqtt: &str, letters: &[Letter]) {
    let mut options = PublishOptions::new(mqtt.parse().expect("an address"));
    options.version = MqttVersion::V311;
    let progress = Arc::new(Progress::new());
    let books =
        Books { progress: Arc::clone(&progress), ledger: Arc::new(Ledger::new(Keep::Counts)) };
    let clock = SimClock::new(Arc::new(|| 0), Pace::Full, 0);
    let span = Span { clock, until_ms: i64::MAX };
    let feed = Letters(letters.iter().map(outgoing).collect());
    let stop = CancellationToken::new();
    let sent = api.runtime.block_on(publish(&options, vec![Box::new(feed)], &books, span, &stop));
    drop(sent.expect("the server can be reached"));
    let glance = progress.glance();
    assert_eq!(glance.messages_acked, letters.len() as u64, "{glance:?}");
}

struct Letters(VecDeque<Outgoing>);

fn outgoing((topic, payload): &Letter) -> Outgoing {
    Outgoing {
        due_ms: 0,
        action: Action::Publish,
        topic: Arc::from(topic.as_str()),
        payload: payload.clone(),
        qos: 1,
        retain: false,
        readings: Vec::new(),
        dead_letter: None,
    }
}

impl Feed for Letters {
    fn client_id(&self) -> &'static str {
        "citytwin-letters"
    }

    fn next_due_ms(&self) -> i64 {
        if self.0.is_empty() { i64::MAX } else { 0 }
    }

    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        if until_ms > 0 {
            out.extend(self.0.pop_front());
        }
    }
}
