//! The one clock. An [`Epoch`] numbers a 100 ms slice of *arrival* time; it is at once the number
//! of a log frame, the timestamp of the dataflow, the version of a snapshot, the range in an
//! archive file's name and the resume token of a subscription. [`EventTime`] is the sensor's own
//! and does not convert into it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds in one epoch.
pub const EPOCH_MS: i64 = 100;

/// Number of a 100 ms slice of arrival time since the Unix epoch. Never goes back.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Epoch(u64);

impl Epoch {
    /// Before anything was logged.
    pub const ZERO: Epoch = Epoch(0);

    /// The epoch with this number.
    pub const fn new(number: u64) -> Epoch {
        Epoch(number)
    }

    /// The slice that holds an arrival time; times before 1970 fall into epoch 0.
    pub fn of(arrival: ArrivalTime) -> Epoch {
        Epoch(u64::try_from(arrival.0.div_euclid(EPOCH_MS)).unwrap_or(0))
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }

    /// The arrival time at which the slice ends (exclusive).
    pub fn end(self) -> ArrivalTime {
        let next = i64::try_from(self.0 + 1).unwrap_or(i64::MAX / EPOCH_MS);
        ArrivalTime(next.saturating_mul(EPOCH_MS))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a message reached us, by our clock: milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ArrivalTime(i64);

impl ArrivalTime {
    /// From milliseconds since the Unix epoch.
    pub const fn from_ms(ms: i64) -> ArrivalTime {
        ArrivalTime(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }
}

/// When something was measured, by the sensor's clock: milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct EventTime(i64);

impl EventTime {
    /// Before every credible event time: the watermark of an empty log.
    pub const MIN: EventTime = EventTime(i64::MIN);

    /// From milliseconds since the Unix epoch.
    pub const fn from_ms(ms: i64) -> EventTime {
        EventTime(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// This time moved by `ms`, saturating.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> EventTime {
        EventTime(self.0.saturating_add(ms))
    }
}

/// Whose time the engine lives by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeMode {
    /// A living city: readings far from arrival time are refused, silence moves the watermark.
    #[default]
    Live,
    /// Recorded data: the watermark follows the readings alone, and no reading is too old.
    Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_a_slice_of_arrival_time() {
        let epoch = Epoch::of(ArrivalTime::from_ms(1_234));
        assert_eq!((epoch.number(), epoch.end().ms(), epoch.next().number()), (12, 1_300, 13));
        assert_eq!(Epoch::of(ArrivalTime::from_ms(1_299)), epoch);
        assert_eq!(Epoch::of(ArrivalTime::from_ms(-5)), Epoch::ZERO);
    }
}
