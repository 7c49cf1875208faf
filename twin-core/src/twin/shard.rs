//! A shard: the sensors of one home cell, with their latest values, when they were last heard,
//! and their ledgers.
//!
//! What is written by every reading lies in a few flat columns, so that copy-on-write (a snapshot
//! holds the shard while the dataflow goes on) is a few `memcpy`s. What changes only when a sensor
//! is settled lies behind an `Arc`.
//!
//! ```text
//! layout    per resident, sorted by (cell, sensor)       shared
//! starts    row i has slots starts[i] .. starts[i + 1]   shared
//! values    per slot: value, how long still, quantity    16 bytes
//! stamps    per slot: event time, epoch of arrival       16 bytes
//! heard     per row: last arrival, newest event time     16 bytes
//! ledger    per row                                      64 bytes
//! ```
//!
//! A row's slots are filled from the front in order of quantity; the free ones are room for
//! series that come later, so that a new series does not move the whole shard.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use h3o::CellIndex;
use serde::{Deserialize, Serialize};

use super::layout::{Layout, Resident};
use crate::ledger::{LedgerEntry, Outcome};
use crate::quantity::Quantity;
use crate::reading::Reading;
use crate::sensor::{SensorDescription, SensorIndex, SensorKind};
use crate::time::{Epoch, EventTime};

/// Slots added to a row that is full.
const MORE_SLOTS: u32 = 4;

/// The latest value of one series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// In the quantity's unit; finite.
    pub(crate) value: f64,
    /// For how much event time the value has not moved, milliseconds; stops at 49 days.
    pub(crate) still_ms: u32,
    /// What it is of; `None` where free.
    pub(crate) quantity: Option<Quantity>,
}

/// When the latest value of a series was measured, and when it came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) event_time: EventTime,
    pub(crate) updated: Epoch,
}

/// When a sensor was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// Of any reading, even a refused one; [`Epoch::ZERO`] = never.
    pub(crate) arrival: Epoch,
    /// Newest event time of an applied one; [`EventTime::MIN`] = never.
    pub(crate) newest: EventTime,
}

const FREE: Slot = Slot { value: 0.0, still_ms: 0, quantity: None };
const NO_STAMP: Stamp = Stamp { event_time: EventTime::MIN, updated: Epoch::ZERO };
const UNHEARD: Heard = Heard { arrival: Epoch::ZERO, newest: EventTime::MIN };

/// Where a resident's columns come from when a shard is laid out anew.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The row it had.
    Row(usize),
    /// Nothing yet; room for so many series.
    New { slots: usize },
}

/// The sensors of one home cell and their state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    id: CellIndex,
    pub(crate) layout: Arc<Layout>,
    starts: Arc<Vec<u32>>,
    values: Vec<Slot>,
    stamps: Vec<Stamp>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) ledger: Vec<LedgerEntry>,
}

impl Shard {
    /// An empty shard.
    pub fn new(id: CellIndex) -> Shard {
        Shard {
            id,
            layout: Arc::new(Layout::from(Vec::new())),
            starts: Arc::new(vec![0]),
            values: Vec::new(),
            stamps: Vec::new(),
            heard: Vec::new(),
            ledger: Vec::new(),
        }
    }

    /// The home cell of its sensors. A sensor that moved keeps its home, so it may be elsewhere.
    pub fn id(&self) -> CellIndex {
        self.id
    }

    /// How many sensors.
    pub fn len(&self) -> usize {
        self.layout.len()
    }

    /// Whether it has no sensors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sensor in a row.
    pub fn resident(&self, row: usize) -> Resident {
        self.layout.resident(row)
    }

    /// The row of a sensor; valid until the next `settle`. About 5 ns.
    pub fn position_of(&self, sensor: SensorIndex) -> Option<usize> {
        self.layout.row(sensor)
    }

    /// The ledger of the sensor in a row.
    pub fn ledger(&self, row: usize) -> LedgerEntry {
        self.ledger[row]
    }

    /// Takes in one sensor, or its new description or position. Costs a copy of the shard: with
    /// many in one epoch use [`Shard::settle_all`].
    pub fn settle(&mut self, sensor: SensorIndex, description: &SensorDescription, epoch: Epoch) {
        self.settle_all(&[(sensor, description)], epoch);
    }

    /// Takes in sensors, or their new descriptions or positions; of several for one sensor the
    /// last holds. Series and ledgers are kept. Rows change.
    pub fn settle_all(&mut self, changes: &[(SensorIndex, &SensorDescription)], epoch: Epoch) {
        let mut residents: Vec<(Resident, Origin)> =
            (0..self.len()).map(|row| (self.layout.resident(row), Origin::Row(row))).collect();
        let mut newcomers = BTreeMap::new();
        for (sensor, description) in changes {
            let resident = Resident::new(*sensor, description, epoch);
            if let Some(row) = self.layout.row(*sensor) {
                residents[row].0 = resident;
            } else {
                // The first description makes the room, as it would have done on its own.
                let room = Origin::New { slots: room_for(description.kind) };
                newcomers.entry(*sensor).or_insert((resident, room)).0 = resident;
            }
        }
        residents.extend(newcomers.into_values());
        residents.sort_by_key(|(resident, _)| (resident.cell, resident.sensor));
        self.rebuild(&residents);
    }

    /// Counts a reading of the sensor in `row`, and, if it was applied, makes it the latest of its
    /// series unless a newer one is there.
    ///
    /// # Panics
    /// On an applied value that is not finite: admission refuses those.
    pub fn record(&mut self, row: usize, reading: &Reading, outcome: Outcome, epoch: Epoch) {
        self.ledger[row].count(outcome);
        let heard = &mut self.heard[row];
        heard.arrival = heard.arrival.max(epoch);
        match outcome {
            Outcome::Applied | Outcome::LateApplied => {
                assert!(reading.value.is_finite(), "admission refuses what is not finite");
                heard.newest = heard.newest.max(reading.event_time);
                self.keep(row, reading, epoch);
            }
            Outcome::Duplicate | Outcome::Refused(_) => {}
        }
    }

    /// Whether another shard has the same rows with the same room, so that
    /// [`Shard::copy_row`] may be used. Conservative: says no to an equal copy laid out apart.
    pub(crate) fn is_alike(&self, other: &Shard) -> bool {
        Arc::ptr_eq(&self.layout, &other.layout) && Arc::ptr_eq(&self.starts, &other.starts)
    }

    /// Takes over a row as it is in a shard that [is alike](Shard::is_alike).
    pub(crate) fn copy_row(&mut self, from: &Shard, row: usize) {
        debug_assert!(self.is_alike(from), "rows mean the same in both");
        let slots = self.slots(row);
        self.values[slots.clone()].copy_from_slice(&from.values[slots.clone()]);
        self.stamps[slots.clone()].copy_from_slice(&from.stamps[slots]);
        self.heard[row] = from.heard[row];
        self.ledger[row] = from.ledger[row];
    }

    /// The latest values of the sensor in a row, in order of quantity.
    pub(crate) fn latest(&self, row: usize) -> impl Iterator<Item = (Quantity, &Slot, &Stamp)> {
        let slots = self.slots(row);
        let both = self.values[slots.clone()].iter().zip(&self.stamps[slots]);
        both.map_while(|(slot, stamp)| Some((slot.quantity?, slot, stamp)))
    }

    /// The slots of a row; the used ones come first.
    pub(crate) fn values(&self, row: usize) -> &[Slot] {
        &self.values[self.slots(row)]
    }

    fn slots(&self, row: usize) -> Range<usize> {
        self.starts[row] as usize..self.starts[row + 1] as usize
    }

    fn keep(&mut self, row: usize, reading: &Reading, epoch: Epoch) {
        let slots = self.slots(row);
        let mut slot = slots.start;
        for used in &self.values[slots.clone()] {
            match used.quantity {
                Some(quantity) if quantity == reading.quantity => {
                    return self.renew(slot, reading, epoch);
                }
                Some(quantity) if quantity < reading.quantity => slot += 1,
                Some(_) | None => break,
            }
        }
        if self.values[slots.clone()].last().is_none_or(|last| last.quantity.is_some()) {
            self.widen(row);
        }
        let end = self.slots(row).end;
        self.values[slot..end].rotate_right(1);
        self.stamps[slot..end].rotate_right(1);
        self.values[slot] =
            Slot { value: reading.value, still_ms: 0, quantity: Some(reading.quantity) };
        self.stamps[slot] = Stamp { event_time: reading.event_time, updated: epoch };
    }

    fn renew(&mut self, slot: usize, reading: &Reading, epoch: Epoch) {
        let stamp = &mut self.stamps[slot];
        let elapsed_ms = reading.event_time.ms().saturating_sub(stamp.event_time.ms());
        if elapsed_ms <= 0 {
            return;
        }
        let latest = &mut self.values[slot];
        if latest.value.to_bits() == reading.value.to_bits() {
            let elapsed_ms = u32::try_from(elapsed_ms).unwrap_or(u32::MAX);
            latest.still_ms = latest.still_ms.saturating_add(elapsed_ms);
        } else {
            latest.value = reading.value;
            latest.still_ms = 0;
        }
        *stamp = Stamp { event_time: reading.event_time, updated: epoch };
    }

    /// Gives a row more free slots; moves what lies behind it.
    fn widen(&mut self, row: usize) {
        let end = self.slots(row).end;
        let more = MORE_SLOTS as usize;
        self.values.splice(end..end, std::iter::repeat_n(FREE, more));
        self.stamps.splice(end..end, std::iter::repeat_n(NO_STAMP, more));
        for start in &mut Arc::make_mut(&mut self.starts)[row + 1..] {
            *start += MORE_SLOTS;
        }
    }

    /// Lays the columns out anew.
    fn rebuild(&mut self, residents: &[(Resident, Origin)]) {
        let mut next = Shard::new(self.id);
        let mut starts = vec![0];
        for (_, origin) in residents {
            match *origin {
                Origin::Row(row) => {
                    let slots = self.slots(row);
                    next.values.extend_from_slice(&self.values[slots.clone()]);
                    next.stamps.extend_from_slice(&self.stamps[slots]);
                    next.heard.push(self.heard[row]);
                    next.ledger.push(self.ledger[row]);
                }
                Origin::New { slots } => {
                    next.values.extend(std::iter::repeat_n(FREE, slots));
                    next.stamps.extend(std::iter::repeat_n(NO_STAMP, slots));
                    next.heard.push(UNHEARD);
                    next.ledger.push(LedgerEntry::default());
                }
            }
            starts.push(u32::try_from(next.values.len()).expect("a shard has < 2^32 series"));
        }
        next.starts = Arc::new(starts);
        let residents: Vec<Resident> = residents.iter().map(|(resident, _)| *resident).collect();
        next.layout = Arc::new(Layout::from(residents));
        *self = next;
    }
}

/// How many slots a sensor gets at first: as many as its kind usually has series.
fn room_for(kind: SensorKind) -> usize {
    match kind {
        SensorKind::AirStation | SensorKind::Weather => 8,
        SensorKind::TrafficLoop | SensorKind::Radar | SensorKind::CameraCounter => 4,
        SensorKind::SignalController
        | SensorKind::Noise
        | SensorKind::Rain
        | SensorKind::WaterLevel
        | SensorKind::StreetLight
        | SensorKind::IndustrialStack
        | SensorKind::IndustrialEffluent
        | SensorKind::PowerMeter
        | SensorKind::Vibration => 2,
    }
}
