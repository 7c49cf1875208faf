//! Cell windows before they are rolled up: what the sensors of one home shard gave to one base
//! cell and quantity. A reading counts for the cell in which its sensor stood when the reading
//! was logged.

use std::collections::{BTreeMap, BTreeSet};

use h3o::CellIndex;
use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;
use crate::sensor::SensorIndex;

use super::packet::PartialKey;
use super::row::Row;
use super::sketch::Sketch;

const NONE: u32 = u32::MAX;

/// What one home shard's sensors gave to one cell, quantity and window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Partial {
    pub(super) row: Row,
    /// How many sensors.
    pub(super) sensors: u32,
    pub(super) sketch: Sketch,
}

impl Partial {
    pub(super) fn add(&mut self, value: f64, offset_ms: u32, new_sensor: bool) {
        self.row.add(value, offset_ms);
        self.sketch.add(value);
        self.sensors += u32::from(new_sensor);
    }
}

/// A sensor's readings of one series in one window, in a cell: remembered for sensors that have
/// moved, so that each counts once per cell however often it comes back.
pub(super) type Visit = (i64, u32, u32);

/// Where sensors stand, and the numbers of (quantity, cell, home) on this worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    places: Vec<Option<(CellIndex, CellIndex)>>,
    keys: Vec<PartialKey>,
    numbers: BTreeMap<PartialKey, u32>,
    /// By series: the number of its cell; [`NONE`] when to be looked up.
    of_series: Vec<u32>,
    /// Sensors that have ever changed cell.
    roaming: BTreeSet<SensorIndex>,
    /// Window start, series, cell number; only of roaming sensors and windows still held.
    visits: BTreeSet<Visit>,
}

impl Cells {
    /// Puts a sensor into its home and cell; gives the cell it left, if it moved.
    pub(super) fn place(
        &mut self,
        sensor: SensorIndex,
        home: CellIndex,
        cell: CellIndex,
    ) -> Option<CellIndex> {
        if sensor.slot() >= self.places.len() {
            self.places.resize(sensor.slot() + 1, None);
        }
        let before = self.places[sensor.slot()].replace((home, cell));
        before.map(|(_, before)| before).filter(|before| *before != cell)
    }

    /// The number of the cell in which a series' readings count now.
    #[inline]
    pub(super) fn number(&mut self, series: u32, sensor: SensorIndex, quantity: Quantity) -> u32 {
        let slot = series as usize;
        if slot >= self.of_series.len() {
            self.of_series.resize(slot + 1, NONE);
        }
        if self.of_series[slot] == NONE {
            let (home, cell) =
                self.places[sensor.slot()].expect("a sensor is placed before its readings come");
            self.of_series[slot] = self.number_of_key(PartialKey { quantity, cell, home });
        }
        self.of_series[slot]
    }

    /// The number of a key, given now if it has none yet.
    pub(super) fn number_of_key(&mut self, key: PartialKey) -> u32 {
        let next = u32::try_from(self.keys.len()).expect("fewer cells than 32 bits");
        *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            next
        })
    }

    /// The key with this number.
    pub(super) fn key(&self, number: u32) -> PartialKey {
        self.keys[number as usize]
    }

    /// Forgets the cells of a sensor that moved; gives those of its series, if they had one.
    pub(super) fn leave(&mut self, series: u32) -> Option<u32> {
        let slot = self.of_series.get_mut(series as usize)?;
        let left = std::mem::replace(slot, NONE);
        (left != NONE).then_some(left)
    }

    /// Marks a sensor as one that moves; false when it already was.
    pub(super) fn roam(&mut self, sensor: SensorIndex) -> bool {
        self.roaming.insert(sensor)
    }

    /// Whether a reading is the first of its sensor in this cell's window; `first` says whether
    /// it is the first in the series' window.
    #[inline]
    pub(super) fn arrives(&mut self, sensor: SensorIndex, visit: Visit, first: bool) -> bool {
        if self.roaming.is_empty() || !self.roaming.contains(&sensor) {
            return first;
        }
        self.visits.insert(visit)
    }

    /// Remembers where a sensor was before it began to roam.
    pub(super) fn visit(&mut self, visit: Visit) {
        self.visits.insert(visit);
    }

    /// Forgets visits of windows that begin before `start`.
    pub(super) fn forget_before(&mut self, start: i64) {
        self.visits = self.visits.split_off(&(start, 0, 0));
    }

    /// Sensors that have moved, in order.
    pub(super) fn roaming(&self) -> impl Iterator<Item = SensorIndex> {
        self.roaming.iter().copied()
    }

    /// Their visits.
    pub(super) fn visits(&self) -> impl Iterator<Item = Visit> {
        self.visits.iter().copied()
    }
}
