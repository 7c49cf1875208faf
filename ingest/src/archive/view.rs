//! The archive as of one closed epoch: files on disk, and the rows that are in none yet.
//!
//! A [`View`] is immutable, and every row of the epochs through [`View::through`] is in it exactly
//! once. The archive publishes one for every closed epoch; what was taken by then is shared by
//! pointer. When files are written, they enter the view and their rows leave what waits in one
//! swap. A view keeps its files on disk and its waiting rows in memory: hold it for as long as a
//! question takes, and take the newest for the next.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use arrow::array::RecordBatch;
use citytwin_core::time::{Epoch, EventTime, TimeMode};
use citytwin_core::twin::Snapshot;
use parking_lot::Mutex;

use super::away;
use super::error::ArchiveError;
use super::file::{ArchiveFile, OnDisk, Space};
use super::folder::Found;
use super::keyframe::{self, Keyframe};
use super::partition::Table;
use super::waiting::Waits;

/// Where the newest view is to be had.
#[derive(Debug)]
pub struct Catalogue {
    view: ArcSwap<View>,
    /// Held by whoever makes the next view from the newest.
    swapping: Mutex<()>,
}

/// The archive as of one closed epoch.
#[derive(Debug)]
pub struct View {
    snapshot: Arc<Snapshot>,
    files: Arc<Files>,
    waiting: [Vec<Arc<dyn Waits>>; Table::ALL.len()],
}

/// The files of all tables, each by first epoch, and the keyframes.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    tables: [Vec<Arc<ArchiveFile>>; Table::ALL.len()],
    /// By epoch.
    keyframes: Vec<Arc<Keyframe>>,
    /// Readings and refusals of epochs before were removed.
    complete_from: Epoch,
}

/// What nobody wants any more.
#[derive(Debug, Default)]
pub(super) struct Expired {
    pub(super) tables: [Vec<Arc<ArchiveFile>>; Table::ALL.len()],
    pub(super) keyframes: Vec<Arc<Keyframe>>,
}

/// What came to disk since the view before.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) files: Vec<ArchiveFile>,
    pub(super) keyframes: Vec<Keyframe>,
}

/// What the next view has anew.
#[derive(Debug)]
pub(super) struct Now {
    /// Of the newest epoch that was taken.
    pub(super) snapshot: Arc<Snapshot>,
    /// All rows that are in no file, by table.
    pub(super) waiting: [Vec<Arc<dyn Waits>>; Table::ALL.len()],
    pub(super) written: Written,
}

impl Catalogue {
    /// Of an archive that has taken nothing.
    pub(super) fn new() -> Catalogue {
        let nothing = View {
            snapshot: Arc::new(Snapshot::empty(TimeMode::default(), 0, 0)),
            files: Arc::default(),
            waiting: Default::default(),
        };
        Catalogue { view: ArcSwap::from_pointee(nothing), swapping: Mutex::new(()) }
    }

    /// The newest view. Waits for nobody.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Begins with files that are on disk and where the log goes on from.
    pub(super) fn begin(&self, files: Files, snapshot: Arc<Snapshot>) {
        let _one_at_a_time = self.swapping.lock();
        let (files, waiting) = (Arc::new(files), Default::default());
        self.view.store(Arc::new(View { snapshot, files, waiting }));
    }

    /// Shows what the archive has taken. A few microseconds; when files were written, one pointer
    /// copy for each file there is.
    pub(super) fn publish(&self, now: Now) {
        let Now { snapshot, waiting, written } = now;
        let _one_at_a_time = self.swapping.lock();
        let mut files = Arc::clone(&self.view.load().files);
        if !written.is_empty() {
            Arc::make_mut(&mut files).add(written);
        }
        self.view.store(Arc::new(View { snapshot, files, waiting }));
    }

    /// Puts files in the place of others of their table that have the same rows. Those are removed
    /// from disk when the last view lets go of them.
    pub(super) fn replace(&self, old: &[Arc<ArchiveFile>], new: Vec<ArchiveFile>) {
        let Some(table) = new.first().map(ArchiveFile::table) else { return };
        self.change(|files| {
            let table = &mut files.tables[table as usize];
            table.retain(|file| !old.iter().any(|old| Arc::ptr_eq(old, file)));
            files.add(Written { files: new, keyframes: Vec::new() });
        });
        for file in old {
            file.retire();
        }
    }

    /// Lets go of files and keyframes. They are removed from disk when the last view does, too.
    pub(super) fn expire(&self, expired: &Expired, complete_from: Epoch) {
        let Expired { tables, keyframes } = expired;
        self.change(|files| {
            for (files, gone) in files.tables.iter_mut().zip(tables) {
                files.retain(|file| !gone.iter().any(|gone| Arc::ptr_eq(gone, file)));
            }
            let stays = |one: &Arc<Keyframe>| !keyframes.iter().any(|gone| Arc::ptr_eq(gone, one));
            files.keyframes.retain(stays);
            files.complete_from = files.complete_from.max(complete_from);
        });
        for file in tables.iter().flatten() {
            file.retire();
        }
        for keyframe in keyframes {
            keyframe.retire();
        }
    }

    /// Shows the same rows that wait with other files.
    fn change(&self, change: impl FnOnce(&mut Files)) {
        let _one_at_a_time = self.swapping.lock();
        let view = self.view();
        let mut files = Files::clone(&view.files);
        change(&mut files);
        let (snapshot, waiting) = (Arc::clone(&view.snapshot), view.waiting.clone());
        self.view.store(Arc::new(View { snapshot, files: Arc::new(files), waiting }));
    }
}

impl View {
    /// The newest epoch whose rows are in it; [`Epoch::ZERO`] before any.
    pub fn through(&self) -> Epoch {
        self.snapshot.epoch
    }

    /// The twin as of that epoch; an empty one before any.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The files of a table, by first epoch. Their ranges of epochs do not overlap.
    pub fn files(&self, table: Table) -> &[Arc<ArchiveFile>] {
        &self.files.tables[table as usize]
    }

    /// The first epoch of all files; [`Epoch::ZERO`] when there is none.
    pub fn filed_from(&self) -> Epoch {
        let firsts = self.files.tables.iter().flatten().map(|file| file.first());
        firsts.min().unwrap_or(Epoch::ZERO)
    }

    /// The last epoch of all files; [`Epoch::ZERO`] when there is none.
    pub fn filed_through(&self) -> Epoch {
        let lasts = self.files.tables.iter().flatten().map(|file| file.last());
        lasts.max().unwrap_or(Epoch::ZERO)
    }

    /// All files, shared with the views that have the same.
    pub(super) fn shared_files(&self) -> &Arc<Files> {
        &self.files
    }

    /// From this epoch on, every reading and every refusal is in it: those before were let go by
    /// retention. [`Epoch::ZERO`] when nothing ever was. A fold onto a keyframe is exact when the
    /// epoch behind the keyframe is this one or later.
    pub fn complete_from(&self) -> Epoch {
        self.files.complete_from
    }

    /// The twin as of an earlier epoch, to fold rows onto: the newest keyframe of an epoch not
    /// after `known_at` and, with an event time, through whose epoch no credible event time later
    /// than that was seen. So every reading of an event time after it came in a later epoch.
    /// Nothing when there is none. Keyframes that are damaged or gone are passed over with a
    /// warning.
    ///
    /// Reads a few heads and one keyframe: tens of milliseconds for a city of 50,000 sensors.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keyframe(
        &self,
        known_at: Epoch,
        event_time: Option<EventTime>,
    ) -> Result<Option<(Epoch, Snapshot)>, ArchiveError> {
        keyframe::newest(&self.files.keyframes, known_at, event_time)
    }

    /// All keyframes, by epoch.
    pub(super) fn keyframes(&self) -> &[Arc<Keyframe>] {
        &self.files.keyframes
    }

    /// The rows of a table that are in no file: batches of at most 65,536 rows in the schema of
    /// the files, in no order. About 60 ns a row; nothing is kept.
    ///
    /// # Errors
    /// When packed rows cannot be unpacked: a broken promise of the encoder.
    pub fn waiting(&self, table: Table) -> Result<Vec<RecordBatch>, ArchiveError> {
        let mut batches = Vec::new();
        for part in &self.waiting[table as usize] {
            let rows = part.batches();
            let table = table.name();
            batches.append(&mut rows.map_err(|source| ArchiveError::Waiting { table, source })?);
        }
        Ok(batches)
    }
}

impl Files {
    pub(super) fn of(&self, table: Table) -> &[Arc<ArchiveFile>] {
        &self.tables[table as usize]
    }

    /// Those that are on disk.
    pub(super) fn here(&self, table: Table) -> Vec<Arc<ArchiveFile>> {
        self.of(table).iter().filter(|file| !file.is_away()).map(Arc::clone).collect()
    }

    pub(super) fn keyframes(&self) -> &[Arc<Keyframe>] {
        &self.keyframes
    }

    /// Those found on disk that end with `last` or before, and those for which a marker stands in.
    ///
    /// # Errors
    /// When a marker cannot be read.
    pub(super) fn through(
        home: &Path,
        found: &[Found],
        last: Epoch,
        space: &Space,
    ) -> Result<Files, ArchiveError> {
        let there: BTreeSet<&Path> = found.iter().map(|found| &*found.path).collect();
        let mut files = Files::default();
        for Found { path, bytes } in found {
            let on_disk = || OnDisk::new(home.join(path), *bytes, space);
            if let Some(epoch) = keyframe::parse(path).filter(|epoch| *epoch <= last) {
                files.keyframes.push(Arc::new(Keyframe::new(epoch, on_disk())));
            }
            let stands_for = away::stands_for(path).filter(|path| !there.contains(&**path));
            let parsed = stands_for.and_then(|path| Table::parse(&path));
            if let Some((table, epochs)) = parsed.filter(|(_, epochs)| epochs.1 <= last) {
                let file = away::read(table, epochs, on_disk())?;
                files.tables[table as usize].push(Arc::new(file));
            }
            let parsed = Table::parse(path).filter(|(_, epochs)| epochs.1 <= last);
            if let Some((table, epochs)) = parsed {
                let file = ArchiveFile::new(table, epochs, on_disk());
                files.tables[table as usize].push(Arc::new(file));
            }
        }
        for table in &mut files.tables {
            table.sort_by_key(|file| (file.first(), file.last()));
        }
        files.keyframes.sort_by_key(|keyframe| keyframe.epoch());
        Ok(files)
    }

    /// The same, of which readings and refusals before an epoch were removed.
    pub(super) fn complete_from(mut self, epoch: Epoch) -> Files {
        self.complete_from = epoch;
        self
    }

    fn add(&mut self, written: Written) {
        for file in written.files {
            let files = &mut self.tables[file.table() as usize];
            let at = files.partition_point(|other| other.first() < file.first());
            files.insert(at, Arc::new(file));
        }
        for keyframe in written.keyframes {
            let at = self.keyframes.partition_point(|other| other.epoch() < keyframe.epoch());
            self.keyframes.insert(at, Arc::new(keyframe));
        }
    }
}

impl Written {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.keyframes.is_empty()
    }
}
