//! The one road behind both doors: a message becomes verdicts, dead letters and descriptions in a
//! [`Submission`], and a submission becomes durable. Doors know MQTT and nothing of readings;
//! this file knows readings and nothing of MQTT.
//!
//! Bad input is not an error here: it is set aside under a reason, logged, and acknowledged like
//! everything else. The only error is a log that takes nothing more.

mod counts;
mod naming;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use citytwin_core::frame::{DeadLetter, DeadLetterReason, Records, SensorChange};
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey};
use citytwin_core::time::TimeMode;
use thiserror::Error;

use crate::admit::{AdmitSettings, Guard};
use crate::clock::Clock;
use crate::decode::{self, AboutError, Batch, Subject, Topic};
use crate::log::{Durable, LogError, LogHandle};
use crate::registry::Registry;

pub use counts::IntakeStats;
use counts::{Counters, count};
use naming::{Finder, Unknown};

/// A submission that holds this many readings should be handed over.
const LARGE_READINGS: usize = 8_192;
/// … or this many dead letters, which are about 2 KiB each.
const LARGE_DEAD_LETTERS: usize = 1_024;
/// Longest topic that is kept in a dead letter, in characters.
const MAX_TOPIC_CHARS: usize = 512;
/// So many sensors are registered with one entry in the log's queue.
const SENSORS_PER_ENTRY: usize = 4_096;

/// A message as a door received it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it was published.
    pub topic: &'a str,
    /// What was published.
    pub payload: &'a [u8],
    /// MQTT 5 content type, if given.
    pub content_type: Option<&'a str>,
}

/// What several messages came to, on its way to the log. Hand it over when the door has nothing
/// more at hand, or when it [is large](Submission::is_large).
#[derive(Debug, Default)]
pub struct Submission {
    records: Records,
    /// Room to put an id together.
    key: String,
    /// The sensor that was found last: the next message is often about the one that usually follows.
    before: Option<SensorIndex>,
}

/// Why nothing can be taken.
#[derive(Clone, Debug, Error)]
pub enum IntakeError {
    /// The log takes nothing more.
    #[error("the log takes nothing more")]
    Log(#[from] LogError),
    /// There is no room for more sensors.
    #[error("{known} sensors are known and {new} more would go over the limit of {limit}")]
    TooManySensors {
        /// How many there are.
        known: usize,
        /// How many more were offered.
        new: usize,
        /// What is allowed.
        limit: usize,
    },
}

/// What is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeSettings {
    /// Whose time the engine lives by.
    pub mode: TimeMode,
    /// Readings further ahead of arrival are refused (`Live` only).
    pub max_clock_lead_ms: i64,
    /// Readings older than this are refused (`Live` only).
    pub max_age_ms: i64,
    /// Longer payloads are set aside.
    pub max_payload_bytes: usize,
    /// No more sensors than this are registered.
    pub max_sensors: usize,
}

impl Default for IntakeSettings {
    fn default() -> IntakeSettings {
        IntakeSettings {
            mode: TimeMode::Live,
            max_clock_lead_ms: 5_000,
            max_age_ms: 7 * 86_400_000,
            max_payload_bytes: 256 << 10,
            max_sensors: 1_000_000,
        }
    }
}

/// The road. Clones share it.
#[derive(Clone, Debug)]
pub struct Intake {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    log: LogHandle,
    registry: Registry,
    /// Held from the choice of a sensor's number until it is in the log's queue, so that numbers
    /// are in the order of the log.
    registering: tokio::sync::Mutex<()>,
    clock: Arc<dyn Clock>,
    settings: IntakeSettings,
    counters: Counters,
}

impl Submission {
    /// Whether it holds so much that it should be handed over before more is added.
    pub fn is_large(&self) -> bool {
        self.records.readings.len() >= LARGE_READINGS
            || self.records.dead_letters.len() >= LARGE_DEAD_LETTERS
    }

    /// What would be logged.
    pub fn records(&self) -> &Records {
        &self.records
    }
}

impl Intake {
    /// A road that ends in `log`; `registry` holds the sensors that the log already knows.
    pub fn new(
        log: LogHandle,
        registry: Registry,
        clock: Arc<dyn Clock>,
        settings: IntakeSettings,
    ) -> Intake {
        let registering = tokio::sync::Mutex::new(());
        let counters = Counters::default();
        let inner = Inner { log, registry, registering, clock, settings, counters };
        Intake { inner: Arc::new(inner) }
    }

    /// The longest payload that a door must hand over; longer ones go to [`Intake::oversize`].
    pub fn max_payload_bytes(&self) -> usize {
        self.inner.settings.max_payload_bytes
    }

    /// Adds what a message says to `into`. It may be acknowledged when a submission handed over
    /// after this call is durable. Waits only for a description, when the log's queue is full.
    ///
    /// # Errors
    /// When the log takes nothing more.
    ///
    /// # Panics
    /// Never: what a topic names was checked.
    pub async fn take(
        &self,
        message: Message<'_>,
        into: &mut Submission,
    ) -> Result<(), IntakeError> {
        if let Some((topic, description)) = self.take_now(message, into) {
            let key = SensorKey::parse(topic.key).expect("a checked topic names a sensor");
            match self.register(vec![(key, description)]).await {
                // Submissions after this one are durable after it.
                Ok(durable) => drop(durable),
                Err(error @ IntakeError::TooManySensors { .. }) => {
                    let reason = DeadLetterReason::BadDescription;
                    self.set_aside(message, reason, error.to_string(), into);
                }
                Err(error @ IntakeError::Log(_)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds the dead letter of a message that was too long to be received whole.
    pub fn oversize(&self, topic: &str, payload_head: &[u8], len: u64, into: &mut Submission) {
        count(&self.inner.counters.messages, 1);
        let limit = self.inner.settings.max_payload_bytes;
        let detail = format!("the payload has {len} bytes, over the limit of {limit}");
        let message = Message { topic, payload: payload_head, content_type: None };
        self.set_aside(message, DeadLetterReason::Oversize, detail, into);
        if let Some(dead) = into.records.dead_letters.last_mut() {
            dead.payload_bytes = len;
        }
    }

    /// Hands over; waits while the log's queue is full. When the `Durable` resolves, every message
    /// taken into `submission` may be acknowledged.
    ///
    /// # Errors
    /// When the log takes nothing more.
    pub async fn submit(&self, submission: Submission) -> Result<Durable, IntakeError> {
        Ok(self.inner.log.submit(submission.records).await?)
    }

    /// Registers sensors, or describes them anew; of several descriptions of one sensor the last
    /// counts. Descriptions that say nothing new write nothing; the `Durable` speaks for all.
    ///
    /// # Errors
    /// When the log takes nothing more, or there would be too many sensors: then none of them is
    /// registered.
    pub async fn register(
        &self,
        sensors: Vec<(SensorKey, SensorDescription)>,
    ) -> Result<Durable, IntakeError> {
        let registry = &self.inner.registry;
        let sensors = last_of_each(sensors);
        let _order = self.inner.registering.lock().await;
        let mut new = 0;
        let mut changes: Vec<SensorChange> = Vec::new();
        let known = registry.len();
        for (key, description) in sensors {
            if let Some(change) = registry.change_of(&key, &description, new) {
                new += usize::from(change.index.slot() == known + new);
                changes.push(change);
            }
        }
        let limit = self.inner.settings.max_sensors;
        if known + new > limit {
            return Err(IntakeError::TooManySensors { known, new, limit });
        }
        for some in changes.chunks(SENSORS_PER_ENTRY) {
            let records = Records { sensors: some.to_vec(), ..Records::default() };
            drop(self.inner.log.submit(records).await?);
            // In the queue, and so before every reading that will refer to them.
            registry.apply(some);
        }
        // Speaks for those, and for an earlier description of the same that is still on its way.
        Ok(self.inner.log.submit(Records::default()).await?)
    }

    /// The sensors known by now.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Counts since the start of this process.
    pub fn stats(&self) -> IntakeStats {
        self.inner.counters.read()
    }

    /// Everything that needs no waiting. Returns the description in the message, if it is one.
    fn take_now<'a>(
        &self,
        message: Message<'a>,
        into: &mut Submission,
    ) -> Option<(Topic<'a>, SensorDescription)> {
        let Message { topic, payload, content_type } = message;
        if payload.len() > self.inner.settings.max_payload_bytes {
            self.oversize(topic, payload, payload.len() as u64, into);
            return None;
        }
        count(&self.inner.counters.messages, 1);
        let topic = match decode::topic(topic) {
            Ok(topic) => topic,
            Err(error) => {
                let reason = DeadLetterReason::UnknownTopic;
                self.set_aside(message, reason, error.to_string(), into);
                return None;
            }
        };
        match topic.subject {
            Subject::Readings => {
                match decode::readings(payload, content_type) {
                    Ok(batch) => self.admit(message, topic, &batch, into),
                    Err(error) => {
                        let reason = DeadLetterReason::Undecodable;
                        self.set_aside(message, reason, error.to_string(), into);
                    }
                }
                None
            }
            Subject::About if payload.is_empty() => {
                count(&self.inner.counters.deletes_ignored, 1);
                None
            }
            Subject::About => match decode::about(payload, content_type) {
                Ok(description) => Some((topic, description)),
                Err(error) => {
                    let reason = match &error {
                        AboutError::Undecodable(_) => DeadLetterReason::Undecodable,
                        AboutError::Bad(_) => DeadLetterReason::BadDescription,
                    };
                    self.set_aside(message, reason, error.to_string(), into);
                    None
                }
            },
        }
    }

    fn admit(
        &self,
        message: Message<'_>,
        topic: Topic<'_>,
        batch: &Batch<'_>,
        into: &mut Submission,
    ) {
        let settings = &self.inner.settings;
        let guard = Guard::at(
            self.inner.clock.now(),
            AdmitSettings {
                mode: settings.mode,
                max_clock_lead_ms: settings.max_clock_lead_ms,
                max_age_ms: settings.max_age_ms,
            },
        );
        let mut refused = [0; RefusalReason::COUNT];
        let mut unknown = Unknown::default();
        let mut found = Finder::new(self.inner.registry.known(), topic, into.before);
        let before = into.records.readings.len();
        into.records.readings.reserve(batch.readings.len());
        for raw in &batch.readings {
            let name = if raw.sensor.is_empty() { &batch.sensor } else { &raw.sensor };
            let Some(sensor) = found.find(name, &mut into.key) else {
                unknown.add(name);
                continue;
            };
            let verdict = guard.verdict(raw.quantity, raw.event_time, raw.value);
            if let Verdict::Refused(reason) = verdict {
                refused[reason.slot()] += 1;
            }
            into.records.readings.push(Reading {
                event_time: raw.event_time,
                value: raw.value,
                sensor,
                quantity: raw.quantity,
                verdict,
            });
        }
        into.before = found.into_last_found();
        let taken = into.records.readings.len() - before;
        self.inner.counters.readings(taken as u64, &refused);
        for detail in unknown.details(topic) {
            self.set_aside(message, DeadLetterReason::UnknownSensor, detail, into);
        }
    }

    fn set_aside(
        &self,
        message: Message<'_>,
        reason: DeadLetterReason,
        detail: String,
        into: &mut Submission,
    ) {
        count(&self.inner.counters.dead_letters[reason.slot()], 1);
        let head = &message.payload[..message.payload.len().min(DeadLetter::HEAD_BYTES)];
        into.records.dead_letters.push(DeadLetter {
            reason,
            detail,
            topic: message.topic.chars().take(MAX_TOPIC_CHARS).collect(),
            head: head.to_vec(),
            payload_bytes: message.payload.len() as u64,
        });
    }
}

/// In the order of first mention.
fn last_of_each(
    sensors: Vec<(SensorKey, SensorDescription)>,
) -> Vec<(SensorKey, SensorDescription)> {
    let mut places: HashMap<SensorKey, usize> = HashMap::with_capacity(sensors.len());
    let mut kept: Vec<(SensorKey, SensorDescription)> = Vec::with_capacity(sensors.len());
    for (key, description) in sensors {
        match places.entry(key.clone()) {
            Entry::Occupied(place) => kept[*place.get()].1 = description,
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push((key, description));
            }
        }
    }
    kept
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
