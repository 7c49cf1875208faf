//! The archive: what the dataflow closed, as Parquet files that any tool reads without us, and the
//! checkpoints that let a restart go on from there.
//!
//! ```text
//! archive/readings/date=…/readings-{first epoch}-{last epoch}.parquet             (by arrival, UTC)
//! archive/readings/date=…/readings-{first epoch}-{last epoch}.merged.parquet      (compacted)
//! archive/windows/…   archive/cell_windows/…   archive/refusals/…   archive/sensors/…   (likewise)
//! archive/keyframes/date=…/keyframe-{epoch}.snapshot              (the twin, each quarter hour)
//! archive/readings/date=…/readings-{first epoch}-{last epoch}.away   (it is in the store, see away.rs)
//! archive/retained-from                               (what is before it was let go, see retention.rs)
//! archive/readings/_delta_log/…   (likewise)            (the same files as a Delta table, see delta/)
//! dead-letters/date=…/dead-letters-{first}-{last}.parquet
//! checkpoint/{epoch}.checkpoint
//! ```
//!
//! [`Archive::take`] is handed every closed epoch once, in order. Rows wait in memory until the log
//! has decided on a cut; then all files are written, whole or not at all, and after them the
//! checkpoint. The log may be truncated through the checkpoint before that one. Meanwhile a
//! [`View`] shows all of it, files and waiting rows, as of every closed epoch.
//!
//! That makes exactly once: where files begin and end, their names and their bytes are a function
//! of the closed epochs alone, so a crash anywhere before the checkpoint is followed by a replay
//! that writes the same files again, over themselves. This holds for files that are written early,
//! too (an hour ends, or a table outgrows its share of memory).
//!
//! Not here: what counts as a duplicate, late or closed (the dataflow says it), the log, a clock.

mod away;
mod cell_windows;
mod checkpoint;
mod columns;
mod compact;
mod dead_letters;
mod delta;
mod depot;
mod error;
mod file;
mod folder;
mod keeper;
mod keyframe;
mod list;
mod merge;
mod order;
mod partition;
mod places;
mod readings;
mod refusals;
mod retention;
mod sealed;
mod sensors;
mod store;
mod tables;
mod verify;
mod view;
mod waiting;
mod windows;

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::dataflow::{ClosedEpoch, EngineState};
use citytwin_core::time::{Epoch, EventTime};
use citytwin_core::twin::Snapshot;
use parking_lot::Mutex;
use serde::Serialize;

pub use away::SentAway;
pub use compact::Compacted;
use delta::Delta;
pub use error::{ArchiveError, CheckpointProblem};
pub use file::{ArchiveFile, Bounds};
use file::{OnDisk, Space};
use folder::{Folder, Found};
pub use keeper::Keeper;
use keeper::Settled;
use keyframe::Keyframe;
use partition::Hour;
pub use partition::Table;
pub use retention::{Expiry, Retention};
pub use store::{Carried, Carrier, Credentials, Store, StoreAddress, StoreSettings};
use tables::Tables;
pub use verify::{Finding, LedgerCheck, Mismatch, Verification, verify};
pub use view::{Catalogue, View};
use view::{Files, Now, Written};
use waiting::{Encoded, Waits};

/// How the archive is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Length of a window in milliseconds, for the `window_ms` columns.
    pub window_ms: u32,
    /// How long files that were merged or let go stay on disk, in milliseconds: for readers of the
    /// Delta tables that found them in an older version.
    pub removal_delay_ms: u32,
}

impl Default for ArchiveSettings {
    fn default() -> ArchiveSettings {
        ArchiveSettings { window_ms: 60_000, removal_delay_ms: 0 }
    }
}

/// Takes closed epochs and keeps them as Parquet files and checkpoints.
#[derive(Debug)]
pub struct Archive {
    folder: Folder,
    /// The same, absolute.
    home: PathBuf,
    space: Space,
    tables: Tables,
    /// As of the newest epoch that was handed over.
    newest: Option<Arc<Snapshot>>,
    /// The older of the two checkpoints.
    fallback: Option<Epoch>,
    /// Not yet on disk, oldest first.
    unwritten: VecDeque<Unwritten>,
    /// The newest cut: that of the checkpoint after a start.
    last_cut: Option<Epoch>,
    settled: Settled,
    keeper: Keeper,
    catalogue: Arc<Catalogue>,
    /// On disk when the archive was opened.
    found: Vec<Found>,
}

/// What is to be written before the next checkpoint.
#[derive(Debug)]
enum Unwritten {
    Rows(Encoded),
    Keyframe(Epoch, Vec<u8>),
}

/// What a checkpoint holds: the state of the engine, or something smaller in tests.
trait State: Serialize {
    /// The newest credible event time so far.
    fn newest_event_time(&self) -> EventTime;
}

impl State for EngineState {
    fn newest_event_time(&self) -> EventTime {
        self.newest()
    }
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
        let home = std::path::absolute(dir).map_err(|e| ArchiveError::io("find", dir, e))?;
        folder.sweep(checkpoint::folder())?;
        checkpoint::prune(&mut folder)?;
        let mut found = folder.sweep(Path::new("archive"))?;
        found.append(&mut folder.sweep(Path::new("dead-letters"))?);
        let found = without_needless(&mut folder, found)?;
        let (space, settled) = (Space::default(), Settled::default());
        space.add(found.iter().map(|file| file.bytes.cast_signed()).sum());
        let (found, superseded) = compact::superseded(found);
        let superseded = superseded.into_iter().filter_map(|old| {
            let (table, epochs) = Table::parse(&old.path)?;
            let file = OnDisk::new(home.join(old.path), old.bytes, &space);
            file.retire();
            Some(ArchiveFile::new(table, epochs, file))
        });
        let (superseded, delay) = (superseded.collect(), settings.removal_delay_ms);
        let delta = Delta::open(&mut folder, superseded, space.clone(), delay)?;
        let delta = Arc::new(Mutex::new(delta));
        let catalogue = Arc::new(Catalogue::new());
        let keeper = Keeper {
            catalogue: Arc::clone(&catalogue),
            folder: Arc::new(Mutex::new(Folder::open(&home)?)),
            space: space.clone(),
            settled: settled.clone(),
            delta,
        };
        Ok(Archive {
            folder,
            home,
            space,
            tables: Tables::new(settings.window_ms),
            newest: None,
            fallback: None,
            unwritten: VecDeque::new(),
            last_cut: None,
            settled,
            keeper,
            catalogue,
            found,
        })
    }

    /// The state to go on from: of the newest checkpoint, or of the one before when the newest is
    /// damaged and the log still reaches back to it. `oldest_in_log` is the epoch of the log's
    /// first frame. Nothing when there is no checkpoint: then the log is replayed from its start.
    ///
    /// To be called once, before the first epoch is taken: the view begins with the state's
    /// snapshot, and with exactly the files through its epoch. Others, written early by a run that
    /// crashed, come again with the replay. (Without a state: with the files through the epoch
    /// before the log begins, which nothing makes again.)
    ///
    /// # Errors
    /// When a checkpoint is damaged and no other one can take its place; when the disk fails.
    pub fn newest_checkpoint(
        &mut self,
        oldest_in_log: Option<Epoch>,
    ) -> Result<Option<EngineState>, ArchiveError> {
        let state: Option<EngineState> = checkpoint::newest(&self.folder, oldest_in_log)?;
        let snapshot = state.as_ref().map(|state| Arc::clone(state.snapshot()));
        self.begin(snapshot.as_ref(), oldest_in_log)?;
        Ok(state)
    }

    /// Shows what is on disk, as of a checkpoint's snapshot.
    fn begin(
        &mut self,
        state: Option<&Arc<Snapshot>>,
        oldest_in_log: Option<Epoch>,
    ) -> Result<(), ArchiveError> {
        let through = match (state, oldest_in_log) {
            (Some(state), _) => Some(state.epoch),
            (None, Some(oldest)) => oldest.number().checked_sub(1).map(Epoch::new),
            (None, None) => Some(Epoch::new(u64::MAX)),
        };
        self.last_cut = state.map(|state| state.epoch);
        let found = std::mem::take(&mut self.found);
        let files = through.map(|through| Files::through(&self.home, &found, through, &self.space));
        let files = files.transpose()?;
        self.settle(oldest_in_log, &found)?;
        let snapshot =
            state.map_or_else(|| Arc::clone(self.catalogue.view().snapshot()), Arc::clone);
        let files = files.unwrap_or_default();
        let files = files.complete_from(retention::complete_from(&self.folder)?);
        self.catalogue.begin(files, snapshot);
        self.keeper.commit(&mut self.folder);
        Ok(())
    }

    /// Finds out through which epoch no replay will write again.
    fn settle(&self, oldest_in_log: Option<Epoch>, found: &[Found]) -> Result<(), ArchiveError> {
        let checkpoints = checkpoint::epochs(&self.folder)?;
        let behind_log = oldest_in_log.and_then(|oldest| oldest.number().checked_sub(1));
        let fallback = checkpoints.get(1).copied().max(behind_log.map(Epoch::new));
        if let Some(fallback) = fallback {
            self.settled.reach(fallback);
        } else if checkpoints.is_empty() && oldest_in_log.is_none() {
            // Nothing can be replayed at all.
            let ends = found.iter().filter_map(|file| Some(Table::parse(&file.path)?.1.1));
            self.settled.reach(ends.max().unwrap_or(Epoch::ZERO));
        }
        Ok(())
    }

    /// Where readers find files and waiting rows, while the archive goes on.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue)
    }

    /// Who merges files and lets old ones go, on another thread, while the archive goes on. To be
    /// asked for anything after [`Archive::newest_checkpoint`].
    pub fn keeper(&self) -> Keeper {
        self.keeper.clone()
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

    fn take_with<S: State>(
        &mut self,
        closed: &ClosedEpoch,
        state: Option<&S>,
    ) -> Result<Option<Epoch>, ArchiveError> {
        let epoch = closed.snapshot.epoch;
        let newest = self.newest.as_ref().map(|snapshot| snapshot.epoch);
        assert!(newest <= Some(epoch), "epoch {epoch} was closed twice");
        if newest != Some(epoch) {
            self.absorb(epoch, closed)?;
        }
        let Some(state) = state else {
            self.write_files()?;
            return Ok(None);
        };
        self.encode_all(epoch)?;
        self.encode_keyframe(closed, state.newest_event_time())?;
        self.write_files()?;
        let file = checkpoint::encode(epoch, state)
            .map_err(|source| ArchiveError::EncodeCheckpoint { epoch, source })?;
        self.fallback = checkpoint::write(&mut self.folder, epoch, &file)?;
        self.settled.reach(self.log_truncatable_through());
        self.keeper.commit(&mut self.folder);
        self.tables.forget_former_places();
        Ok(Some(epoch))
    }

    /// Through which epoch the log may be truncated: no checkpoint that is kept needs it.
    pub fn log_truncatable_through(&self) -> Epoch {
        self.fallback.unwrap_or(Epoch::ZERO)
    }

    /// Bytes of all files on disk, keyframes and dead letters included, checkpoints not.
    pub fn bytes(&self) -> u64 {
        self.space.bytes()
    }

    /// Takes the rows of an epoch, and shows them.
    fn absorb(&mut self, epoch: Epoch, closed: &ClosedEpoch) -> Result<(), ArchiveError> {
        if let Some(before) = self.newest.as_ref().map(|snapshot| snapshot.epoch)
            && Hour::of(before) != Hour::of(epoch)
        {
            self.encode_all(before)?;
        }
        self.newest = Some(Arc::clone(&closed.snapshot));
        self.tables.push(epoch, closed);
        self.tables.pack()?;
        for table in Table::ALL {
            if self.tables.is_full(table) {
                self.encode(table, epoch)?;
            }
        }
        self.show(Written::default());
        Ok(())
    }

    /// Ends the files of all tables with `last`.
    fn encode_all(&mut self, last: Epoch) -> Result<(), ArchiveError> {
        Table::ALL.into_iter().try_for_each(|table| self.encode(table, last))
    }

    fn encode(&mut self, table: Table, last: Epoch) -> Result<(), ArchiveError> {
        self.unwritten.extend(self.tables.encode(table, last)?.map(Unwritten::Rows));
        Ok(())
    }

    /// Encodes the keyframe of a cut, if it is to have one; once, however often the cut is tried.
    fn encode_keyframe(
        &mut self,
        closed: &ClosedEpoch,
        newest: EventTime,
    ) -> Result<(), ArchiveError> {
        let epoch = closed.snapshot.epoch;
        if keyframe::is_due(self.last_cut, epoch) {
            let file = keyframe::encode(&closed.snapshot, newest)?;
            self.unwritten.push_back(Unwritten::Keyframe(epoch, file));
        }
        self.last_cut = Some(epoch);
        Ok(())
    }

    /// Writes what is encoded, and shows the files. What could not be written stays for the next
    /// try.
    fn write_files(&mut self) -> Result<(), ArchiveError> {
        let mut written = Written::default();
        let mut failed = Ok(());
        while let Some(next) = self.unwritten.front() {
            let path = next.path();
            match self.folder.write(&path, next.bytes()) {
                Ok(more) => self.space.add(more),
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
            let bytes = next.bytes().len() as u64;
            let file = OnDisk::new(self.home.join(path), bytes, &self.space);
            match next {
                Unwritten::Rows(Encoded { table, first, last, .. }) => {
                    written.files.push(ArchiveFile::new(*table, (*first, *last), file));
                }
                Unwritten::Keyframe(epoch, _) => {
                    written.keyframes.push(Keyframe::new(*epoch, file));
                }
            }
            self.unwritten.pop_front();
        }
        if !written.is_empty() {
            self.show(written);
        }
        failed
    }

    /// Publishes the next view, with files that were written since the one before.
    fn show(&mut self, written: Written) {
        let Some(snapshot) = self.newest.clone() else { return };
        let waiting = Table::ALL.map(|table| {
            let unwritten = self.unwritten.iter().filter_map(|one| one.rows_of(table));
            unwritten.chain(self.tables.show(table)).collect()
        });
        self.catalogue.publish(Now { snapshot, waiting, written });
    }
}

/// Without markers of files that are here all the same: a crash came between the two.
fn without_needless(
    folder: &mut Folder,
    mut found: Vec<Found>,
) -> Result<Vec<Found>, ArchiveError> {
    let there: BTreeSet<PathBuf> = found.iter().map(|found| found.path.clone()).collect();
    let is_needless =
        |found: &mut Found| away::stands_for(&found.path).is_some_and(|path| there.contains(&path));
    let needless: Vec<Found> = found.extract_if(.., is_needless).collect();
    needless.iter().try_for_each(|marker| folder.remove(&marker.path))?;
    Ok(found)
}

impl Unwritten {
    /// Where it belongs, below the data folder.
    fn path(&self) -> PathBuf {
        match self {
            Unwritten::Rows(Encoded { table, first, last, .. }) => table.file(*first, *last),
            Unwritten::Keyframe(epoch, _) => keyframe::path(*epoch),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Unwritten::Rows(Encoded { bytes, .. }) | Unwritten::Keyframe(_, bytes) => bytes,
        }
    }

    /// The rows in it that are of a table.
    fn rows_of(&self, wanted: Table) -> Option<Arc<dyn Waits>> {
        match self {
            Unwritten::Rows(Encoded { table, rows, .. }) if *table == wanted => {
                Some(Arc::clone(rows))
            }
            Unwritten::Rows(_) | Unwritten::Keyframe(..) => None,
        }
    }
}

#[cfg(test)]
mod city_tests;

#[cfg(test)]
mod keyframe_tests;

#[cfg(test)]
mod ledger_tests;

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;

#[cfg(test)]
mod plain_tests;

#[cfg(test)]
mod size_tests;

#[cfg(test)]
mod view_tests;
