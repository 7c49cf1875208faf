//! Rows by lateness and by reason, held against the ledger of each sensor.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use citytwin_core::ledger::LedgerEntry;
use citytwin_core::reading::RefusalReason;
use citytwin_core::time::Epoch;
use citytwin_core::twin::Snapshot;

use crate::archive::error::ArchiveError;
use crate::archive::keyframe::{self, Keyframe};
use crate::archive::partition::Table;

/// The archive against the ledgers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerCheck {
    /// Behind which epoch rows were counted: that of the oldest keyframe where retention has let
    /// rows go, nothing where all are there.
    pub after: Option<Epoch>,
    /// Through which epoch: that of the newest checkpoint.
    pub through: Epoch,
    /// Sensors whose rows add up.
    pub matched: u64,
    /// The others, by name.
    pub mismatched: Vec<Mismatch>,
}

/// A sensor whose rows do not add up to its ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// `agency/id`.
    pub sensor: String,
    /// What the files hold.
    pub counted: LedgerEntry,
    /// What they should.
    pub ledger: LedgerEntry,
}

/// Rows by sensor.
#[derive(Debug)]
pub(super) struct Counts {
    after: Option<Epoch>,
    through: Epoch,
    by_sensor: BTreeMap<String, LedgerEntry>,
}

/// The keyframe to begin with: the oldest behind which all rows are there. Nothing when no row was
/// ever let go, or there is none.
pub(super) fn base(
    keyframes: &[Arc<Keyframe>],
    complete_from: Epoch,
) -> Result<Option<(Epoch, Snapshot)>, ArchiveError> {
    if complete_from == Epoch::ZERO {
        return Ok(None);
    }
    for keyframe in keyframes.iter().filter(|one| one.epoch().next() >= complete_from) {
        if let Some(base) = keyframe::newest(&[Arc::clone(keyframe)], keyframe.epoch(), None)? {
            return Ok(Some(base));
        }
    }
    Ok(None)
}

impl Counts {
    /// Of rows behind one epoch, through another.
    pub(super) fn between(after: Option<Epoch>, through: Epoch) -> Counts {
        Counts { after, through, by_sensor: BTreeMap::new() }
    }

    /// Counts the rows of a batch, if they are readings or refusals.
    pub(super) fn add(&mut self, table: Table, batch: &RecordBatch) {
        let name = match table {
            Table::Readings => "lateness",
            Table::Refusals => "reason",
            Table::Windows | Table::CellWindows | Table::Sensors | Table::DeadLetters => return,
        };
        let names = |name: &str| Some(batch.column_by_name(name)?.as_dictionary::<Int32Type>());
        let epochs = batch.column_by_name("epoch");
        let (Some(sensors), Some(outcomes), Some(epochs)) = (names("sensor"), names(name), epochs)
        else {
            return;
        };
        let (ids, words) =
            (sensors.values().as_string::<i32>(), outcomes.values().as_string::<i32>());
        let epochs = epochs.as_primitive::<Int64Type>().values();
        let keys = sensors.keys().values().iter().zip(outcomes.keys().values());
        // Rows of a sensor lie together.
        let mut counted: Option<(i32, LedgerEntry)> = None;
        for (row, (sensor, outcome)) in keys.enumerate() {
            let epoch = Epoch::new(epochs[row].cast_unsigned());
            if epoch > self.through || self.after.is_some_and(|after| epoch <= after) {
                continue;
            }
            if counted.is_none_or(|(of, _)| of != *sensor) {
                self.settle(counted.take(), ids);
            }
            let (_, entry) = counted.get_or_insert((*sensor, LedgerEntry::default()));
            match words.value(outcome.cast_unsigned() as usize) {
                "on_time" => entry.applied += 1,
                "revised" | "archived_only" => entry.late_applied += 1,
                "duplicate" => entry.duplicate += 1,
                name => {
                    let reason = RefusalReason::all().find(|reason| reason.name() == name);
                    if let Some(reason) = reason {
                        entry.refused[reason.slot()] += 1;
                    }
                }
            }
        }
        self.settle(counted, ids);
    }

    fn settle(&mut self, counted: Option<(i32, LedgerEntry)>, ids: &arrow::array::StringArray) {
        let Some((sensor, entry)) = counted else { return };
        let id = ids.value(sensor.cast_unsigned() as usize);
        match self.by_sensor.get_mut(id) {
            Some(before) => before.add(&entry),
            None => {
                self.by_sensor.insert(id.to_owned(), entry);
            }
        }
    }

    /// Holds the counts against what the ledgers grew by from `base` to `newest`.
    pub(super) fn against(mut self, newest: &Snapshot, base: Option<&Snapshot>) -> LedgerCheck {
        let (after, through) = (self.after, self.through);
        let mut check = LedgerCheck { after, through, matched: 0, mismatched: Vec::new() };
        for (sensor, registered) in newest.sensors.iter() {
            let ledger = |of: &Snapshot| of.view(sensor).map(|view| view.ledger);
            let before = base.and_then(ledger).unwrap_or_default();
            let ledger = growth(&ledger(newest).unwrap_or_default(), &before);
            let sensor = registered.key.to_string();
            let counted = self.by_sensor.remove(&sensor).unwrap_or_default();
            if counted == ledger {
                check.matched += 1;
            } else {
                check.mismatched.push(Mismatch { sensor, counted, ledger });
            }
        }
        let ledger = LedgerEntry::default();
        let unknown = std::mem::take(&mut self.by_sensor).into_iter();
        check.mismatched.extend(unknown.map(|(sensor, counted)| Mismatch {
            sensor,
            counted,
            ledger,
        }));
        check
    }
}

fn growth(now: &LedgerEntry, before: &LedgerEntry) -> LedgerEntry {
    let mut grown = LedgerEntry {
        applied: now.applied.saturating_sub(before.applied),
        duplicate: now.duplicate.saturating_sub(before.duplicate),
        late_applied: now.late_applied.saturating_sub(before.late_applied),
        ..LedgerEntry::default()
    };
    for (slot, grown) in grown.refused.iter_mut().enumerate() {
        *grown = now.refused[slot].saturating_sub(before.refused[slot]);
    }
    grown
}
