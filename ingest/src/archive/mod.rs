//! The archive: what the dataflow closed, as Parquet files that any tool reads without us, and the
//! checkpoints that let a restart go on from there.
//!
//! ```text
//! archive/readings/date=…/hour=…/readings-{first epoch}-{last epoch}.parquet      (by arrival, UTC)
//! archive/windows/…   archive/cell_windows/…   archive/refusals/…   archive/sensors/…   (likewise)
//! dead-letters/date=…/dead-letters-{first}-{last}.parquet
//! checkpoint/{epoch}.checkpoint
//! ```
//!
//! [`Archive::take`] is handed every closed epoch once, in order. Rows wait in memory, packed,
//! until the log has decided on a cut; then all files are written, whole or not at all, and after
//! them the checkpoint. The log may be truncated through the checkpoint before that one.
//!
//! That makes exactly once: where files begin and end, their names and their bytes are a function
//! of the closed epochs alone, so a crash anywhere before the checkpoint is followed by a replay
//! that writes the same files again, over themselves. This holds for files that are written early,
//! too (an hour ends, or a table outgrows its share of memory).
//!
//! Not here: what counts as a duplicate, late or closed (the dataflow says it), the log, a clock.

mod cell_windows;
mod checkpoint;
mod columns;
mod dead_letters;
mod error;
mod folder;
mod partition;
mod places;
mod readings;
mod refusals;
mod sensors;
mod windows;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use citytwin_core::dataflow::{ClosedEpoch, EngineState};
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::Epoch;
use parquet::errors::ParquetError;
use serde::Serialize;

use cell_windows::CellWindows;
use dead_letters::DeadLetters;
pub use error::{ArchiveError, CheckpointProblem};
use folder::Folder;
use partition::{Hour, Table};
use places::{Place, Places};
use readings::Readings;
use refusals::Refusals;
use sensors::Sensors;
use windows::Windows;

/// How much may wait in memory. Cuts of the log come earlier than these limits in ordinary use;
/// they are what holds when a setting or a flood would have it otherwise.
const MAX_WAITING_READINGS: usize = 1_048_576;
const MAX_WAITING_REFUSALS: usize = 524_288;
const MAX_WAITING_SENSORS: usize = 200_000;
const MAX_WAITING_DEAD_LETTER_BYTES: usize = 16 << 20;
const MAX_ENCODED_WINDOW_BYTES: usize = 32 << 20;

/// How the archive is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Length of a window in milliseconds, for the `window_ms` columns.
    pub window_ms: u32,
}

impl Default for ArchiveSettings {
    fn default() -> ArchiveSettings {
        ArchiveSettings { window_ms: 60_000 }
    }
}

/// Takes closed epochs and keeps them as Parquet files and checkpoints.
#[derive(Debug)]
pub struct Archive {
    folder: Folder,
    bytes: i64,
    places: Places,
    tables: Tables,
    /// The newest epoch that was handed over.
    newest: Option<Epoch>,
    /// The older of the two checkpoints.
    fallback: Option<Epoch>,
    /// Encoded, not yet on disk.
    unwritten: VecDeque<(PathBuf, Vec<u8>)>,
}

/// Rows that wait, each table with the first epoch that its next file covers.
#[derive(Debug)]
struct Tables {
    readings: Readings,
    windows: Windows,
    cell_windows: CellWindows,
    sensors: Sensors,
    refusals: Refusals,
    dead_letters: DeadLetters,
    /// By table.
    first: [Option<Epoch>; Table::ALL.len()],
}

/// The epochs of the checkpoints in the data folder `dir`, newest first: two at most.
///
/// # Errors
/// When the folder cannot be listed.
pub fn checkpoint_epochs(dir: &Path) -> Result<Vec<Epoch>, ArchiveError> {
    checkpoint::epochs(&Folder::open(dir)?)
}

/// The state of one checkpoint in the data folder `dir`; nothing when there is none of that epoch,
/// or no longer. Reads without a lock: an archive may write meanwhile.
///
/// # Errors
/// When it cannot be read or is damaged.
pub fn checkpoint_at(dir: &Path, epoch: Epoch) -> Result<Option<EngineState>, ArchiveError> {
    checkpoint::at(&Folder::open(dir)?, epoch)
}

impl Archive {
    /// Opens the archive in the data folder `dir`, which is made if it is not there. Temporary
    /// files that a crash left are removed. One look at every file.
    ///
    /// # Errors
    /// When the folder cannot be made, listed or cleaned.
    pub fn open(dir: &Path, settings: ArchiveSettings) -> Result<Archive, ArchiveError> {
        let mut folder = Folder::open(dir)?;
        folder.sweep(checkpoint::folder())?;
        checkpoint::prune(&mut folder)?;
        let bytes =
            folder.sweep(Path::new("archive"))? + folder.sweep(Path::new("dead-letters"))?;
        Ok(Archive {
            folder,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            places: Places::default(),
            tables: Tables::new(settings),
            newest: None,
            fallback: None,
            unwritten: VecDeque::new(),
        })
    }

    /// The state to go on from: of the newest checkpoint, or of the one before when the newest is
    /// damaged and the log still reaches back to it. `oldest_in_log` is the epoch of the log's
    /// first frame. Nothing when there is no checkpoint: then the log is replayed from its start.
    ///
    /// # Errors
    /// When a checkpoint is damaged and no other one can take its place; when the disk fails.
    pub fn newest_checkpoint(
        &self,
        oldest_in_log: Option<Epoch>,
    ) -> Result<Option<EngineState>, ArchiveError> {
        checkpoint::newest(&self.folder, oldest_in_log)
    }

    /// Takes one closed epoch. Returns an epoch when it ended with a cut and everything through it
    /// is on disk, checkpoint included.
    ///
    /// # Errors
    /// When the disk is full ([`ArchiveError::is_retryable`]): hand the same epoch over again
    /// later, it will not be counted twice. Any other error is final.
    ///
    /// # Panics
    /// When an epoch is older than one that was taken before, or a reading is of a sensor that the
    /// snapshot does not know: broken promises of the dataflow.
    pub fn take(&mut self, closed: &ClosedEpoch) -> Result<Option<Epoch>, ArchiveError> {
        self.take_with(closed, closed.state.as_ref())
    }

    fn take_with<S: Serialize>(
        &mut self,
        closed: &ClosedEpoch,
        state: Option<&S>,
    ) -> Result<Option<Epoch>, ArchiveError> {
        let epoch = closed.snapshot.epoch;
        assert!(self.newest <= Some(epoch), "epoch {epoch} was closed twice");
        if self.newest != Some(epoch) {
            self.absorb(epoch, closed)?;
        }
        let Some(state) = state else {
            self.write_files()?;
            return Ok(None);
        };
        self.encode_all(epoch)?;
        self.write_files()?;
        let file = checkpoint::encode(epoch, state)
            .map_err(|source| ArchiveError::EncodeCheckpoint { epoch, source })?;
        self.fallback = checkpoint::write(&mut self.folder, epoch, &file)?;
        self.places.forget_former();
        Ok(Some(epoch))
    }

    /// Through which epoch the log may be truncated: no checkpoint that is kept needs it.
    pub fn log_truncatable_through(&self) -> Epoch {
        self.fallback.unwrap_or(Epoch::ZERO)
    }

    /// Bytes of all Parquet files on disk, dead letters included, checkpoints not.
    pub fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(0)
    }

    fn absorb(&mut self, epoch: Epoch, closed: &ClosedEpoch) -> Result<(), ArchiveError> {
        if let Some(before) = self.newest
            && Hour::of(before) != Hour::of(epoch)
        {
            self.encode_all(before)?;
        }
        self.newest = Some(epoch);
        for first in &mut self.tables.first {
            first.get_or_insert(epoch);
        }
        self.tables.push(epoch, closed, &mut self.places);
        self.pack(epoch)
    }

    /// Keeps what waits within its limits; called between epochs, so that where a file or a row
    /// group ends does not depend on how the epochs were handed over.
    fn pack(&mut self, epoch: Epoch) -> Result<(), ArchiveError> {
        self.tables.end_row_groups(&mut self.places)?;
        for table in Table::ALL {
            if self.tables.is_full(table) {
                self.encode(table, epoch)?;
            }
        }
        Ok(())
    }

    /// Ends the files of all tables with `last`.
    fn encode_all(&mut self, last: Epoch) -> Result<(), ArchiveError> {
        Table::ALL.into_iter().try_for_each(|table| self.encode(table, last))
    }

    fn encode(&mut self, table: Table, last: Epoch) -> Result<(), ArchiveError> {
        let Some(first) = self.tables.first[table as usize].take() else { return Ok(()) };
        if let Some(bytes) = self.tables.encode(table, &mut self.places)? {
            self.unwritten.push_back((table.file(first, last), bytes));
        }
        Ok(())
    }

    /// Writes what is encoded. What could not be written stays for the next try.
    fn write_files(&mut self) -> Result<(), ArchiveError> {
        while let Some((path, bytes)) = self.unwritten.front() {
            self.bytes += self.folder.write(path, bytes)?;
            self.unwritten.pop_front();
        }
        Ok(())
    }
}

impl Tables {
    fn new(settings: ArchiveSettings) -> Tables {
        Tables {
            readings: Readings::default(),
            windows: Windows::new(settings.window_ms),
            cell_windows: CellWindows::new(settings.window_ms),
            sensors: Sensors::default(),
            refusals: Refusals::default(),
            dead_letters: DeadLetters::default(),
            first: [None; Table::ALL.len()],
        }
    }

    /// Takes the rows of one epoch. What is said of sensors in it holds for its readings, too.
    fn push(&mut self, epoch: Epoch, closed: &ClosedEpoch, places: &mut Places) {
        for change in &closed.sensors {
            places.settle(change.index, Place::of(&change.key, &change.description));
            self.sensors.push(epoch, change);
        }
        let describe = |sensor: SensorIndex| {
            let record = closed.snapshot.sensors.get(sensor)?;
            Some(Place::of(&record.key, &record.description))
        };
        for reading in &closed.readings {
            self.readings.push(reading, places.number(reading.sensor, &describe));
        }
        for refused in &closed.refusals {
            self.refusals.push(refused, places.number(refused.sensor, &describe));
        }
        for row in &closed.windows {
            self.windows.push(row, places.number(row.sensor, &describe));
        }
        for row in &closed.cell_windows {
            self.cell_windows.push(row);
        }
        for letter in &closed.dead_letters {
            self.dead_letters.push(epoch, letter);
        }
    }

    fn end_row_groups(&mut self, places: &mut Places) -> Result<(), ArchiveError> {
        if self.windows.waiting() >= windows::GROUP_ROWS {
            let ended = self.windows.end_row_group(&places.order());
            ended.map_err(|e| encode_error(Table::Windows, e))?;
        }
        if self.cell_windows.waiting() >= windows::GROUP_ROWS {
            let ended = self.cell_windows.end_row_group();
            ended.map_err(|e| encode_error(Table::CellWindows, e))?;
        }
        Ok(())
    }

    fn is_full(&self, table: Table) -> bool {
        match table {
            Table::Readings => self.readings.len() >= MAX_WAITING_READINGS,
            Table::Windows => self.windows.encoded_bytes() >= MAX_ENCODED_WINDOW_BYTES,
            Table::CellWindows => self.cell_windows.encoded_bytes() >= MAX_ENCODED_WINDOW_BYTES,
            Table::Sensors => self.sensors.len() >= MAX_WAITING_SENSORS,
            Table::Refusals => self.refusals.len() >= MAX_WAITING_REFUSALS,
            Table::DeadLetters => self.dead_letters.bytes() >= MAX_WAITING_DEAD_LETTER_BYTES,
        }
    }

    fn encode(
        &mut self,
        table: Table,
        places: &mut Places,
    ) -> Result<Option<Vec<u8>>, ArchiveError> {
        let encoded = match table {
            Table::Readings => self.readings.encode(&places.order()),
            Table::Windows => self.windows.encode(&places.order()),
            Table::CellWindows => self.cell_windows.encode(),
            Table::Sensors => self.sensors.encode(),
            Table::Refusals => self.refusals.encode(&places.order()),
            Table::DeadLetters => self.dead_letters.encode(),
        };
        encoded.map_err(|source| encode_error(table, source))
    }
}

const fn encode_error(table: Table, source: ParquetError) -> ArchiveError {
    ArchiveError::Encode { table: table.name(), source }
}

#[cfg(test)]
mod city_tests;

#[cfg(test)]
mod ledger_tests;

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;

#[cfg(test)]
mod size_tests;
