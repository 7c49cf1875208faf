//! What the log holds and the dataflow eats: a [`Frame`] is one group commit. Live and replayed
//! frames are the same type and take the same road.
//!
//! A frame of epoch `e` closes every epoch below `e`: no frame of a lower epoch follows it. A
//! frame may be empty (the log writes one when a slice of arrival time passes without readings),
//! so that a snapshot of epoch `e` is always a fold of what is durable, and silence replays too.

use serde::{Deserialize, Serialize};

use crate::reading::Reading;
use crate::sensor::{SensorDescription, SensorIndex, SensorKey};
use crate::time::Epoch;

/// One group commit of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The slice of arrival time it belongs to. Never lower than the frame before.
    pub epoch: Epoch,
    /// Whether the archive cuts a file (and a checkpoint) after this frame's epoch. Such a frame
    /// is the last of its epoch.
    pub cut: bool,
    /// What arrived.
    pub records: Records,
}

/// What arrived between two commits, in order of arrival within each kind. Sensors come before
/// the readings that refer to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// Sensors first heard of or described anew.
    pub sensors: Vec<SensorChange>,
    /// Readings of known sensors, refused ones too.
    pub readings: Vec<Reading>,
    /// Messages that could not be taken.
    pub dead_letters: Vec<DeadLetter>,
}

impl Records {
    /// Whether nothing arrived.
    pub fn is_empty(&self) -> bool {
        self.sensors.is_empty() && self.readings.is_empty() && self.dead_letters.is_empty()
    }

    /// Moves all of `other` behind what is here.
    pub fn append(&mut self, other: &mut Records) {
        self.sensors.append(&mut other.sensors);
        self.readings.append(&mut other.readings);
        self.dead_letters.append(&mut other.dead_letters);
    }
}

/// A sensor's first registration (then `index` is the next free number) or a later change of its
/// description (then `index` is its own).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SensorChange {
    /// Its number.
    pub index: SensorIndex,
    /// Its id.
    pub key: SensorKey,
    /// What is known of it from now on.
    pub description: SensorDescription,
}

/// A message that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Why.
    pub reason: DeadLetterReason,
    /// What exactly, for people.
    pub detail: String,
    /// Where it was published.
    pub topic: String,
    /// The first [`DeadLetter::HEAD_BYTES`] of it.
    pub head: Vec<u8>,
    /// Its whole length.
    pub payload_bytes: u64,
}

impl DeadLetter {
    /// How much of a payload is kept.
    pub const HEAD_BYTES: usize = 1_024;
}

/// Why a message could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum DeadLetterReason {
    /// Neither valid protobuf nor valid JSON of the expected message.
    Undecodable = 1,
    /// Not `city/v1/{agency}/{sensor}/readings` or `…/about`.
    UnknownTopic = 2,
    /// Longer than the limit.
    Oversize = 3,
    /// Readings of a sensor that was never described.
    UnknownSensor = 4,
    /// A description without a valid position or kind.
    BadDescription = 5,
}

static REASONS: [(DeadLetterReason, &str); DeadLetterReason::COUNT] = [
    (DeadLetterReason::Undecodable, "undecodable"),
    (DeadLetterReason::UnknownTopic, "unknown_topic"),
    (DeadLetterReason::Oversize, "oversize"),
    (DeadLetterReason::UnknownSensor, "unknown_sensor"),
    (DeadLetterReason::BadDescription, "bad_description"),
];

impl DeadLetterReason {
    /// How many there are; numbers run from 1 to `COUNT`.
    pub const COUNT: usize = 5;

    /// All of them in order of number.
    pub fn all() -> impl Iterator<Item = DeadLetterReason> {
        REASONS.iter().map(|(reason, _)| *reason)
    }

    /// Position in tables of [`DeadLetterReason::COUNT`] entries.
    pub const fn slot(self) -> usize {
        self as usize - 1
    }

    /// Its name in the API and the metrics.
    pub const fn name(self) -> &'static str {
        REASONS[self.slot()].1
    }
}
