//! One window's sum of one series, in the 40 bytes in which hundreds of thousands are held.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;
use crate::window::Aggregate;

/// An [`Aggregate`] whose last time is kept as offset from the window's begin. `count` 0 is no
/// row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) count: u32,
    last_offset_ms: u32,
    sum: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Row {
    /// Adds a reading.
    #[inline]
    pub(super) fn add(&mut self, value: f64, offset_ms: u32) {
        if self.count == 0 {
            *self = Row {
                count: 1,
                last_offset_ms: offset_ms,
                sum: value,
                min: value,
                max: value,
                last: value,
            };
            return;
        }
        self.count = self.count.saturating_add(1);
        self.sum += value;
        self.widen(value, value);
        self.follow(value, offset_ms);
    }

    /// Adds another row of the same window.
    pub(super) fn merge(&mut self, other: &Row) {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                *self = *other;
            }
            return;
        }
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.widen(other.min, other.max);
        self.follow(other.last, other.last_offset_ms);
    }

    /// For people and files.
    pub(super) fn aggregate(&self, start: i64) -> Aggregate {
        Aggregate {
            count: self.count,
            sum: self.sum,
            min: self.min,
            max: self.max,
            last: self.last,
            last_time: EventTime::from_ms(start).plus_ms(i64::from(self.last_offset_ms)),
        }
    }

    fn widen(&mut self, min: f64, max: f64) {
        // Comparisons, since f64::min may return either of 0.0 and -0.0.
        if min < self.min {
            self.min = min;
        }
        if max > self.max {
            self.max = max;
        }
    }

    fn follow(&mut self, last: f64, offset_ms: u32) {
        if offset_ms > self.last_offset_ms {
            self.last = last;
            self.last_offset_ms = offset_ms;
        }
    }
}
