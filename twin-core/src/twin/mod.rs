//! The twin: what the city is like as of one closed epoch, and what can be asked of it.
//!
//! A [`Snapshot`] is the fold of the log through its epoch. It is immutable once published;
//! readers share it by pointer and never lock. The dataflow makes the next one by copying the
//! shards that were touched. Nothing here reads a clock: silence is judged by the snapshot's own
//! epoch and watermark, so the same log gives the same answers.

mod columns;
mod dead_letters;
mod filter;
mod fold;
mod health;
mod layout;
mod nearest;
mod order;
mod query;
mod shard;
mod table;
mod tally;
mod trail;
mod view;

#[cfg(test)]
mod model;
#[cfg(test)]
mod twin_tests;

use std::sync::Arc;

use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};

pub use dead_letters::DeadLetters;
pub use filter::{KindSet, QuantitySet};
pub use fold::Fold;
pub use health::{Health, SILENT_AFTER_INTERVALS};
pub use layout::{Profile, Resident};
pub use nearest::NearestQuery;
pub use query::{AreaAnswer, AreaQuery, CellState};
pub use shard::Shard;
pub use table::{Registered, SensorTable};
pub use tally::{LevelOfService, QuantityAggregate, SensorCounts, TrafficState};
pub use trail::WatermarkTrail;
pub use view::{LatestReading, SensorFilter, SensorPage, SensorView};

use crate::frame::SensorChange;
use crate::ledger::LedgerEntry;
use crate::sensor::{SensorDescription, SensorIndex};
use crate::time::{Epoch, EventTime, TimeMode};

/// The city as of one closed epoch. A clone copies pointers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The epoch through which the log is folded in.
    pub epoch: Epoch,
    /// Event time up to which windows are closed.
    pub watermark: EventTime,
    /// Whose time the engine lives by.
    pub mode: TimeMode,
    /// Allowed lateness of readings.
    pub lateness_ms: i64,
    /// For how long a value may stay the same before its sensor is suspect.
    pub stuck_after_ms: i64,
    /// All registered sensors.
    pub sensors: Arc<SensorTable>,
    /// Their state, sorted by home cell.
    pub shards: Arc<[Arc<Shard>]>,
    /// Messages that could not be taken.
    pub dead_letters: Arc<DeadLetters>,
    /// Where the watermark was; empty in live mode. Kept by [`Snapshot::advance`].
    pub trail: Arc<WatermarkTrail>,
}

impl Snapshot {
    /// Of an empty log.
    pub fn empty(mode: TimeMode, lateness_ms: i64, stuck_after_ms: i64) -> Snapshot {
        Snapshot {
            epoch: Epoch::ZERO,
            watermark: EventTime::MIN,
            mode,
            lateness_ms,
            stuck_after_ms,
            sensors: Arc::default(),
            shards: Arc::from(Vec::new()),
            dead_letters: Arc::default(),
            trail: Arc::default(),
        }
    }

    /// The same city, to be changed apart from this one: a few pointer copies, whatever its size.
    #[must_use]
    pub fn fork(&self) -> Snapshot {
        self.clone()
    }

    /// Closes an epoch: moves on to it and to its watermark.
    pub fn advance(&mut self, epoch: Epoch, watermark: EventTime) {
        self.epoch = epoch;
        self.watermark = watermark;
        if self.mode == TimeMode::Event && self.trail.at(epoch) != Some(watermark) {
            Arc::make_mut(&mut self.trail).note(epoch, watermark);
        }
    }

    /// Takes in registrations and new descriptions: table and shards. (The dataflow, whose workers
    /// own the shards, does the two apart.)
    ///
    /// # Panics
    /// When a number leaves a gap or changes its key, as [`SensorTable::apply`] does.
    pub fn register(&mut self, changes: &[SensorChange], epoch: Epoch, resolution: Resolution) {
        let table = Arc::make_mut(&mut self.sensors);
        table.apply(changes, epoch, resolution);
        let mut settlers: Vec<(CellIndex, (SensorIndex, &SensorDescription))> = changes
            .iter()
            .map(|change| {
                let home = table.home(change.index).expect("it was just registered");
                (home, (change.index, &change.description))
            })
            .collect();
        settlers.sort_by_key(|(home, _)| *home);
        for group in settlers.chunk_by(|a, b| a.0 == b.0) {
            let batch: Vec<_> = group.iter().map(|(_, settler)| *settler).collect();
            self.shard_or_new(group[0].0).settle_all(&batch, epoch);
        }
    }

    /// The shard with this home cell.
    pub fn shard(&self, home: CellIndex) -> Option<&Arc<Shard>> {
        let at = self.shards.binary_search_by_key(&home, |shard| shard.id()).ok()?;
        Some(&self.shards[at])
    }

    /// The shard with this home cell, to be changed: copied if another snapshot holds it.
    pub fn shard_mut(&mut self, home: CellIndex) -> Option<&mut Shard> {
        let at = self.shards.binary_search_by_key(&home, |shard| shard.id()).ok()?;
        Some(Arc::make_mut(&mut Arc::make_mut(&mut self.shards)[at]))
    }

    /// What became of all readings. Walks all sensors.
    pub fn ledger_total(&self) -> LedgerEntry {
        let mut total = LedgerEntry::default();
        for entry in self.shards.iter().flat_map(|shard| &shard.ledger) {
            total.add(entry);
        }
        total
    }

    fn shard_or_new(&mut self, home: CellIndex) -> &mut Shard {
        if let Err(at) = self.shards.binary_search_by_key(&home, |shard| shard.id()) {
            let mut shards = self.shards.to_vec();
            shards.insert(at, Arc::new(Shard::new(home)));
            self.shards = Arc::from(shards);
        }
        self.shard_mut(home).expect("it was just made")
    }
}
