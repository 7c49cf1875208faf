//! Publishing: workers lay what an epoch gave them in the tray; when the frontier has passed the
//! epoch, worker 0 takes all parts out and assembles one [`ClosedEpoch`].
//!
//! The parts are handed over in memory, not through the stream: shards are shared pointers that
//! must not be copied. The stream carries the proof. (Over several machines, a part would be sent
//! like any other message.)

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::frame::{DeadLetter, SensorChange};
use crate::time::{Epoch, EventTime};
use crate::twin::{DeadLetters, SensorTable, Shard, Snapshot};
use crate::window::{CellWindowRow, WindowRow};

use super::closed::{AppliedReading, ClosedEpoch, RefusedReading};
use super::column::Column;
use super::rollup::Held;
use super::state::{EngineState, SeriesPart};
use super::times::Times;
use super::windows::Windows;

/// What one worker's series gave in one epoch.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) epoch: Epoch,
    pub(super) readings: Fed<AppliedReading>,
    pub(super) refusals: Fed<RefusedReading>,
    /// Those that changed.
    pub(super) shards: Vec<Arc<Shard>>,
    /// By start, sensor, quantity.
    pub(super) windows: Vec<WindowRow>,
    /// At a cut: what dedupe remembers.
    pub(super) times: Option<Column<Times>>,
    /// At a cut: what is open and held.
    pub(super) live: Option<Windows>,
}

/// Rows made of readings, in the order in which those were fed.
#[derive(Debug)]
pub(super) struct Fed<T> {
    pub(super) rows: Vec<T>,
    /// Their readings' positions among all of the epoch; empty with one worker.
    ordinals: Vec<u32>,
}

impl<T> Default for Fed<T> {
    fn default() -> Fed<T> {
        Fed { rows: Vec::new(), ordinals: Vec::new() }
    }
}

impl<T> Fed<T> {
    pub(super) fn push(&mut self, row: T, ordinal: Option<u32>) {
        self.rows.push(row);
        self.ordinals.extend(ordinal);
    }
}

/// What one worker's roll-up gave in one epoch.
#[derive(Debug)]
pub(super) struct CellPart {
    pub(super) epoch: Epoch,
    pub(super) rows: Vec<CellWindowRow>,
    /// At a cut.
    pub(super) held: Option<Held>,
}

/// What the feeder knows of a closed epoch.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) epoch: Epoch,
    pub(super) cut: bool,
    pub(super) watermark: EventTime,
    /// The newest credible event time so far.
    pub(super) newest: EventTime,
    pub(super) sensors: Vec<SensorChange>,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) table: Arc<SensorTable>,
    pub(super) letters: Arc<DeadLetters>,
}

/// Where parts lie until their epoch is proven complete. Holds a few epochs at most: the feeder
/// does not run ahead of the publisher.
#[derive(Clone, Debug, Default)]
pub(super) struct Tray(Arc<Mutex<(Vec<Part>, Vec<CellPart>)>>);

impl Tray {
    pub(super) fn lay(&self, part: Part) {
        self.lock().0.push(part);
    }

    pub(super) fn lay_cells(&self, part: CellPart) {
        self.lock().1.push(part);
    }

    fn take(&self, epoch: Epoch) -> (Vec<Part>, Vec<CellPart>) {
        let mut tray = self.lock();
        let (parts, cell_parts) = &mut *tray;
        (
            parts.extract_if(.., |part| part.epoch == epoch).collect(),
            cell_parts.extract_if(.., |part| part.epoch == epoch).collect(),
        )
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Part>, Vec<CellPart>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Assembles closed epochs, in order.
#[derive(Debug)]
pub(super) struct Publisher {
    tray: Tray,
    window_ms: i64,
    /// As of the last closed epoch.
    snapshot: Snapshot,
}

impl Publisher {
    /// Goes on from a snapshot.
    pub(super) fn new(tray: Tray, window_ms: i64, snapshot: Snapshot) -> Publisher {
        Publisher { tray, window_ms, snapshot }
    }

    /// Assembles an epoch of which all parts are in the tray.
    pub(super) fn assemble(&mut self, header: Header) -> ClosedEpoch {
        let (mut parts, mut cell_parts) = self.tray.take(header.epoch);
        self.snapshot.sensors = header.table;
        self.snapshot.dead_letters = header.letters;
        self.snapshot.advance(header.epoch, header.watermark);
        self.replace(parts.iter_mut().flat_map(|part| mem::take(&mut part.shards)).collect());
        let snapshot = Arc::new(self.snapshot.clone());
        let mut windows = concat(parts.iter_mut().map(|part| mem::take(&mut part.windows)));
        windows.sort_by_key(|row| (row.start, row.sensor, row.quantity));
        let mut cell_windows = concat(cell_parts.iter_mut().map(|part| mem::take(&mut part.rows)));
        cell_windows.sort_unstable_by_key(|row| (row.start, row.cell, row.quantity));
        let readings = in_fed_order(&mut parts, |part| &mut part.readings);
        let refusals = in_fed_order(&mut parts, |part| &mut part.refusals);
        let state = header.cut.then(|| {
            let series = parts.into_iter().map(|part| SeriesPart {
                times: part.times.expect("a cut asks every worker for its memory"),
                windows: part.live.expect("a cut asks every worker for its windows"),
            });
            EngineState::live(
                Arc::clone(&snapshot),
                (header.newest, self.window_ms),
                series.collect(),
                cell_parts.into_iter().filter_map(|part| part.held).collect(),
            )
        });
        ClosedEpoch {
            snapshot,
            readings,
            refusals,
            windows,
            cell_windows,
            sensors: header.sensors,
            dead_letters: header.dead_letters,
            state,
        }
    }

    fn replace(&mut self, changed: Vec<Arc<Shard>>) {
        if changed.is_empty() {
            return;
        }
        let mut shards = self.snapshot.shards.to_vec();
        for shard in changed {
            match shards.binary_search_by_key(&shard.id(), |known| known.id()) {
                Ok(at) => shards[at] = shard,
                Err(at) => shards.insert(at, shard),
            }
        }
        self.snapshot.shards = Arc::from(shards);
    }
}

/// All in one vector; the only one moves whole.
fn concat<T>(parts: impl Iterator<Item = Vec<T>>) -> Vec<T> {
    parts
        .reduce(|mut all, mut part| {
            all.append(&mut part);
            all
        })
        .unwrap_or_default()
}

/// The rows of all workers in the order they were fed.
fn in_fed_order<T>(parts: &mut [Part], of: impl Fn(&mut Part) -> &mut Fed<T>) -> Vec<T> {
    if let [part] = parts {
        return mem::take(&mut of(part).rows);
    }
    let mut tagged: Vec<(u32, T)> = Vec::new();
    for part in parts {
        let Fed { rows, ordinals } = mem::take(of(part));
        tagged.extend(ordinals.into_iter().zip(rows));
    }
    tagged.sort_by_key(|(ordinal, _)| *ordinal);
    tagged.into_iter().map(|(_, row)| row).collect()
}
