//! Windows: slices of event time, summed up per series (sensor × quantity) and per cell ×
//! quantity. These rows are what the dataflow publishes when the watermark closes a window, and
//! again with a higher revision when a late reading changes one that is still held.

use h3o::CellIndex;
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::sensor::SensorIndex;
use crate::time::{Epoch, EventTime};

/// What a window keeps of the readings in it. Merging is exact but for the rounding of `sum`,
/// and is always done in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// How many readings; never 0.
    pub count: u32,
    /// Their sum, in the quantity's unit.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The value with the latest event time (of equals, the one merged first).
    pub last: f64,
    /// When that was.
    pub last_time: EventTime,
}

impl Aggregate {
    /// Of one reading.
    pub fn of(value: f64, event_time: EventTime) -> Aggregate {
        Aggregate {
            count: 1,
            sum: value,
            min: value,
            max: value,
            last: value,
            last_time: event_time,
        }
    }

    /// Adds another aggregate of the same quantity and window.
    pub fn merge(&mut self, other: &Aggregate) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.last_time > self.last_time {
            self.last = other.last;
            self.last_time = other.last_time;
        }
    }
}

/// One closed (or revised) window of one sensor and quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowRow {
    /// Who measured.
    pub sensor: SensorIndex,
    /// What.
    pub quantity: Quantity,
    /// Begin of the window; it ends `Settings::window_ms` later.
    pub start: EventTime,
    /// 0 when first published, one more at each revision. The highest is valid.
    pub revision: u32,
    /// The epoch that published it.
    pub epoch: Epoch,
    /// The readings in it.
    pub aggregate: Aggregate,
}

/// One closed (or revised) window of one H3 cell and quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellWindowRow {
    /// Resolution 9 (base) to 5.
    pub cell: CellIndex,
    /// What was measured.
    pub quantity: Quantity,
    /// Begin of the window.
    pub start: EventTime,
    /// 0 when first published, one more at each revision. The highest is valid.
    pub revision: u32,
    /// The epoch that published it.
    pub epoch: Epoch,
    /// How many sensors have readings in it.
    pub sensors: u32,
    /// The readings in it.
    pub aggregate: Aggregate,
    /// Quantiles 0.15, 0.50, 0.85, 0.95 of the readings, from the sketch (1 % relative error).
    pub quantiles: [f64; 4],
}
