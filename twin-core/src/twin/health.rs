//! Whether a sensor can be believed: heard of at all, heard lately, and moving. Nothing of it is
//! stored; it follows from the columns of a shard and the time of the snapshot.

use super::Snapshot;
use super::filter::QuantitySet;
use super::shard::{Heard, Slot};
use crate::quantity::Quantity;
use crate::time::{EPOCH_MS, Epoch, EventTime, TimeMode};

/// Silent after this many expected intervals without a reading.
pub const SILENT_AFTER_INTERVALS: i64 = 3;

/// How far a sensor can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Registered, but no reading came yet.
    NeverHeard,
    /// Heard within three expected intervals.
    Live,
    /// Not heard for longer than that.
    Silent,
    /// Live, but a value that nature always moves has stayed the same for too long.
    Stuck,
}

/// When: all that judging takes. Arrival in a living city; event time with recorded data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge {
    mode: TimeMode,
    epoch: Epoch,
    /// Event time that should have been seen by now.
    expected: EventTime,
    stuck_after_ms: i64,
    must_move: QuantitySet,
}

impl Judge {
    /// At the epoch of a snapshot.
    pub(crate) fn now(snapshot: &Snapshot) -> Judge {
        Judge {
            mode: snapshot.mode,
            epoch: snapshot.epoch,
            expected: snapshot.watermark.plus_ms(snapshot.lateness_ms),
            stuck_after_ms: snapshot.stuck_after_ms,
            must_move: Quantity::all().filter(|quantity| quantity.must_move()).collect(),
        }
    }

    /// At an earlier epoch; `None` if the watermark of that time matters and is forgotten.
    pub(crate) fn at(snapshot: &Snapshot, epoch: Epoch) -> Option<Judge> {
        let expected = match snapshot.mode {
            TimeMode::Live => EventTime::MIN,
            TimeMode::Event => snapshot.trail.at(epoch)?.plus_ms(snapshot.lateness_ms),
        };
        Some(Judge { epoch, expected, ..Judge::now(snapshot) })
    }

    /// Whether a sensor that was heard is silent.
    pub(crate) fn silent(&self, heard: Heard, interval_ms: u32) -> bool {
        let allowed_ms = i64::from(interval_ms) * SILENT_AFTER_INTERVALS;
        let quiet_ms = match self.mode {
            TimeMode::Live => {
                let epochs = self.epoch.number().saturating_sub(heard.arrival.number());
                i64::try_from(epochs).unwrap_or(i64::MAX).saturating_mul(EPOCH_MS)
            }
            TimeMode::Event => self.expected.ms().saturating_sub(heard.newest.ms()),
        };
        quiet_ms > allowed_ms
    }

    /// Whether a value has stayed the same for too long.
    pub(crate) fn stuck(&self, quantity: Quantity, slot: &Slot) -> bool {
        i64::from(slot.still_ms) > self.stuck_after_ms && self.must_move.contains(quantity)
    }

    /// The health of a sensor.
    pub(crate) fn health(&self, heard: Heard, interval_ms: u32, values: &[Slot]) -> Health {
        let stuck = |slot: &Slot| slot.quantity.is_some_and(|quantity| self.stuck(quantity, slot));
        if heard.arrival == Epoch::ZERO {
            Health::NeverHeard
        } else if self.silent(heard, interval_ms) {
            Health::Silent
        } else if values.iter().any(stuck) {
            Health::Stuck
        } else {
            Health::Live
        }
    }
}
