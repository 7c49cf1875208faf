//! One reading as it is logged: 24 bytes, the sensor resolved to its number, the verdict of
//! admission attached. Refused readings are logged too, so that the ledger after a restart
//! equals the one before.

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::sensor::SensorIndex;
use crate::time::EventTime;

/// A reading with the verdict of admission.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The sensor's time.
    pub event_time: EventTime,
    /// In the quantity's unit. May be anything, NaN too, when refused.
    pub value: f64,
    /// Who measured.
    pub sensor: SensorIndex,
    /// What was measured.
    pub quantity: Quantity,
    /// What admission said.
    pub verdict: Verdict,
}

/// What admission said of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Taken.
    Admitted,
    /// Set aside for a reason.
    Refused(RefusalReason),
}

/// Why a reading of a known sensor was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum RefusalReason {
    /// Outside the quantity's range.
    OutOfRange = 1,
    /// NaN or infinite.
    NotFinite = 2,
    /// The event time is further ahead of arrival than the clock guard allows.
    ClockAhead = 3,
    /// Older than `max_age`.
    TooOld = 4,
    /// So far behind its own series that the dataflow no longer knows whether it is a repeat.
    /// Said by the dataflow, never by admission.
    BehindDedupeHorizon = 5,
}

static REASONS: [(RefusalReason, &str); RefusalReason::COUNT] = [
    (RefusalReason::OutOfRange, "out_of_range"),
    (RefusalReason::NotFinite, "not_finite"),
    (RefusalReason::ClockAhead, "clock_ahead"),
    (RefusalReason::TooOld, "too_old"),
    (RefusalReason::BehindDedupeHorizon, "behind_dedupe_horizon"),
];

impl RefusalReason {
    /// How many there are; numbers run from 1 to `COUNT`.
    pub const COUNT: usize = 5;

    /// All of them in order of number.
    pub fn all() -> impl Iterator<Item = RefusalReason> {
        REASONS.iter().map(|(reason, _)| *reason)
    }

    /// The reason with this number.
    pub fn from_number(number: u8) -> Option<RefusalReason> {
        REASONS.get(usize::from(number).wrapping_sub(1)).map(|(reason, _)| *reason)
    }

    /// Its number in the log.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Position in tables of [`RefusalReason::COUNT`] entries.
    pub const fn slot(self) -> usize {
        self as usize - 1
    }

    /// Its name in the API and the metrics.
    pub const fn name(self) -> &'static str {
        REASONS[self.slot()].1
    }
}
