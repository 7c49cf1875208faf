//! Retention: what is older than it is asked for goes, in whole files.
//!
//! ```text
//! archive/retained-from      an epoch in digits and a line feed: from it on, all readings and all
//!                            refusals are there
//! ```
//!
//! That file is written, whole, before any file of these two tables is removed, so that no restart
//! takes what is left for all there ever was. Sensors are never removed: they are few, and every
//! other table names them.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use citytwin_core::time::{EPOCH_MS, Epoch};

use super::error::ArchiveError;
use super::file::ArchiveFile;
use super::folder::Folder;
use super::keeper::Keeper;
use super::partition::Table;
use super::view::{Expired, View};

const MARKER: &str = "archive/retained-from";

/// How long what is kept, in milliseconds of arrival time; for ever when nothing is said. Sensors
/// always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Readings that were applied.
    pub readings_ms: Option<u64>,
    /// Windows of sensors.
    pub windows_ms: Option<u64>,
    /// Windows of cells.
    pub cell_windows_ms: Option<u64>,
    /// Readings that do not count.
    pub refusals_ms: Option<u64>,
    /// Messages that could not be taken.
    pub dead_letters_ms: Option<u64>,
    /// Snapshots of each quarter hour. They also go with the readings that would be laid on them.
    pub keyframes_ms: Option<u64>,
}

/// What was let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Files of all tables.
    pub files: u64,
    /// Keyframes.
    pub keyframes: u64,
    /// What they take on disk: given back when the last view lets go of them.
    pub bytes: u64,
}

impl Keeper {
    /// Lets go of files that end longer before `now` than is asked for, and of keyframes that no
    /// kept reading needs. Only whole files, and none that a replay can write again, so some stay
    /// longer: of compacted days, up to a day.
    ///
    /// The newest keyframe not after the oldest kept file of readings stays, whatever its age.
    ///
    /// # Errors
    /// When the disk fails or is full before anything was removed.
    pub fn retire_older(&self, now: Epoch, kept: Retention) -> Result<Expiry, ArchiveError> {
        let mut folder = self.folder.lock();
        let view = self.catalogue.view();
        let expired = self.expired(&view, now, kept);
        let incomplete = [Table::Readings, Table::Refusals].into_iter();
        let dropped = incomplete.flat_map(|table| &expired.tables[table as usize]);
        let complete_from = dropped.map(|file| file.last().next()).max().unwrap_or(Epoch::ZERO);
        if complete_from > view.complete_from() {
            let text = format!("{complete_from}\n");
            self.space.add(folder.write(Path::new(MARKER), text.as_bytes())?);
        }
        let files = || expired.tables.iter().flatten();
        let keyframes = || expired.keyframes.iter();
        let done = Expiry {
            files: files().count() as u64,
            keyframes: keyframes().count() as u64,
            bytes: files().map(|file| file.bytes()).sum::<u64>()
                + keyframes().map(|keyframe| keyframe.bytes()).sum::<u64>(),
        };
        self.catalogue.expire(&expired, complete_from);
        self.commit(&mut folder);
        Ok(done)
    }

    fn expired(&self, view: &View, now: Epoch, kept: Retention) -> Expired {
        let settled = self.settled.through();
        let mut expired = Expired::default();
        for table in Table::ALL {
            let cutoff = cutoff(now, kept.of(table));
            let goes = |file: &&Arc<ArchiveFile>| file.last() < cutoff && file.last() <= settled;
            expired.tables[table as usize] =
                view.files(table).iter().filter(goes).map(Arc::clone).collect();
        }
        let gone = &expired.tables[Table::Readings as usize];
        let oldest = view.files(Table::Readings).get(gone.len()).map(|file| file.first());
        let keyframes = view.keyframes();
        // The newest not after the oldest kept reading; those before it are good for nothing.
        let needless = match oldest {
            Some(oldest) => keyframes.partition_point(|keyframe| keyframe.epoch() <= oldest),
            None => keyframes.len(),
        };
        let needless = needless.saturating_sub(1);
        let cutoff = cutoff(now, kept.keyframes_ms);
        for (at, keyframe) in keyframes.iter().enumerate() {
            let is_needless = at < needless && !gone.is_empty();
            let is_old = keyframe.epoch() < cutoff && at != needless;
            if (is_needless || is_old) && keyframe.epoch() <= settled {
                expired.keyframes.push(Arc::clone(keyframe));
            }
        }
        expired
    }
}

impl Retention {
    const fn of(&self, table: Table) -> Option<u64> {
        match table {
            Table::Readings => self.readings_ms,
            Table::Windows => self.windows_ms,
            Table::CellWindows => self.cell_windows_ms,
            Table::Sensors => None,
            Table::Refusals => self.refusals_ms,
            Table::DeadLetters => self.dead_letters_ms,
        }
    }
}

/// What ends before it is older than asked for.
pub(super) fn cutoff(now: Epoch, kept_ms: Option<u64>) -> Epoch {
    let epochs = kept_ms.map(|kept| kept.div_ceil(EPOCH_MS.unsigned_abs()));
    Epoch::new(epochs.map_or(0, |epochs| now.number().saturating_sub(epochs)))
}

/// From which epoch on nothing was removed; [`Epoch::ZERO`] when nothing ever was.
///
/// # Errors
/// When the file cannot be read, or is not what was written.
pub(super) fn complete_from(folder: &Folder) -> Result<Epoch, ArchiveError> {
    let path = folder.path(Path::new(MARKER));
    match fs::read_to_string(&path) {
        Ok(text) => {
            let number = text.strip_suffix('\n').and_then(|digits| digits.parse().ok());
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is no epoch");
            let number = number.ok_or_else(|| ArchiveError::io("read", &path, damaged()))?;
            Ok(Epoch::new(number))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Epoch::ZERO),
        Err(error) => Err(ArchiveError::io("read", &path, error)),
    }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
