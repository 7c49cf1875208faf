//! What several questions share: a fleet, an engine in this process, readings fed past MQTT.

use std::path::Path;
use std::sync::Arc;

use citytwin::config::{Config, Environment, Flags};
use citytwin::pipeline::Pipeline;
use citytwin_ingest::intake::{Intake, Message, Submission};
use citytwin_simulators::city::City;
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::spec::FleetSpec;
use prost::Message as _;

/// 2026-11-20 00:00 in Ho Chi Minh City.
pub(crate) const MIDNIGHT_MS: i64 = 1_795_107_600_000;

/// A generated fleet with the default mix of kinds.
pub(crate) fn fleet(sensors: u32) -> Fleet {
    let spec = FleetSpec { sensors, ..FleetSpec::default() };
    Fleet::new(&spec, &City::generate(1)).expect("the default fleet can be")
}

/// An engine on free ports that keeps its data in `data`.
pub(crate) async fn engine(data: &Path, more: &[(&str, &str)]) -> Pipeline {
    let data = data.to_str().expect("a UTF-8 path");
    let fixed = [
        ("data", data),
        ("endpoint.listen", "127.0.0.1:0"),
        ("grpc.listen", "127.0.0.1:0"),
        ("metrics.listen", ""),
    ];
    let values = fixed
        .iter()
        .chain(more)
        .map(|(key, value)| (format!("--{key}"), (*key).to_owned(), (*value).to_owned()))
        .collect();
    let flags = Flags { file: None, values };
    let config = Config::load(&flags, &Environment::default()).expect("a valid configuration");
    Pipeline::start(&config).await.expect("the engine starts")
}

/// Describes all sensors of a fleet, durably.
pub(crate) async fn register(fleet: &Fleet, intake: &Intake) {
    let mut submission = Submission::default();
    for sensor in fleet.sensors() {
        let (topic, payload) = (sensor.about_topic(), sensor.description().encode_to_vec());
        let message = Message { topic: &topic, payload: &payload, content_type: None };
        intake.take(message, &mut submission).await.expect("the log runs");
    }
    let durable = intake.submit(submission).await.expect("the log runs");
    durable.await.expect("the log runs");
}

/// Hands encoded messages to the intake as a busy door would: many messages a submission, several
/// submissions on their way; returns when all are durable.
pub(crate) async fn feed(messages: &[(Arc<str>, Vec<u8>)], intake: &Intake) {
    let mut on_the_way = std::collections::VecDeque::new();
    let mut submission = Submission::default();
    for (number, (topic, payload)) in messages.iter().enumerate() {
        let message = Message { topic, payload, content_type: None };
        intake.take(message, &mut submission).await.expect("the log runs");
        if submission.is_large() || number + 1 == messages.len() {
            let whole = std::mem::take(&mut submission);
            on_the_way.push_back(intake.submit(whole).await.expect("the log runs"));
        }
        while on_the_way.len() > 32 {
            let oldest = on_the_way.pop_front().expect("it is not empty");
            oldest.await.expect("the log runs");
        }
    }
    for durable in on_the_way {
        durable.await.expect("the log runs");
    }
}
