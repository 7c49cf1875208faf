//! The archive as tables of the open format Delta Lake: `_delta_log` beside the files of each table.
//!
//! ```text
//! archive/readings/_delta_log/{version}.json                   one commit
//! archive/readings/_delta_log/{version}.checkpoint.parquet     all that holds, now and then
//! archive/readings/_delta_log/_last_checkpoint
//! ```
//!
//! A reader of a version sees every row that is in files exactly once, at every moment: each commit
//! takes the table from the files of one [`View`] to those of a later one, so a merged file enters
//! as those it was made of leave. These stay on disk for a while, for readers that found them in an
//! older version. A commit carries how far the table reaches as an application transaction:
//! `appId` `citytwin`, `version` the last epoch.
//!
//! The folder is what holds; the log follows it. A crash between the two is made up for by the next
//! commit, and a log that is damaged is begun anew.

mod action;
mod checkpoint;
mod log;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use citytwin_core::time::{EPOCH_MS, Epoch};
pub(super) use log::Log;

use super::depot::Disk;
use super::error::ArchiveError;
use super::file::{ArchiveFile, Space};
use super::folder::Folder;
use super::partition::Table;
use super::view::{Files, View};

/// The Delta logs of all tables, and the files that only they still need.
#[derive(Debug)]
pub(super) struct Delta {
    space: Space,
    logs: Vec<Log>,
    /// The files that the logs name: they stay on disk as long as they are in here.
    named: Option<Arc<Files>>,
    /// Files that the newest versions do not name any more, and since when.
    parting: Vec<(Epoch, Arc<ArchiveFile>)>,
    /// How long those stay.
    delay_epochs: u64,
}

impl Delta {
    /// Reads the logs. `superseded` are files that a crash left beside the merged file that has
    /// their rows, and which a log may still name.
    pub(super) fn open(
        folder: &mut Folder,
        superseded: Vec<ArchiveFile>,
        space: Space,
        delay_ms: u32,
    ) -> Result<Delta, ArchiveError> {
        let mut disk = Disk { folder, space: &space };
        let logs = Table::ALL.into_iter().map(|table| Log::open(&mut disk, table));
        let logs = logs.collect::<Result<_, _>>()?;
        let parting = superseded.into_iter().map(|file| (Epoch::new(u64::MAX), Arc::new(file)));
        Ok(Delta {
            space,
            logs,
            named: None,
            parting: parting.collect(),
            delay_epochs: u64::from(delay_ms).div_ceil(EPOCH_MS.unsigned_abs()),
        })
    }

    /// Brings the logs to the files of a view, one commit for each table whose files changed; after
    /// a start, once the view has come as far as the logs are. Files that were let go before the
    /// delay leave the disk. About a microsecond a file, and a flush for each commit.
    ///
    /// # Errors
    /// When the disk fails or is full: the logs are as they were, table by table, and nothing that
    /// they name has left the disk. Tried again with the next view.
    pub(super) fn follow(&mut self, folder: &mut Folder, view: &View) -> Result<(), ArchiveError> {
        let (now, files) = (view.through(), view.shared_files());
        let is_new = self.named.as_ref().is_none_or(|named| !Arc::ptr_eq(named, files));
        if is_new && self.logs.iter().all(|log| log.through() <= now) {
            let mut disk = Disk { folder, space: &self.space };
            for log in &mut self.logs {
                log.follow(&mut disk, &files.here(log.table()))?;
            }
            self.part(now, files);
        }
        let delay = self.delay_epochs;
        self.parting.retain(|(since, _)| now.number() < since.number().saturating_add(delay));
        Ok(())
    }

    /// The logs name these files now.
    fn part(&mut self, now: Epoch, files: &Arc<Files>) {
        for (since, _) in &mut self.parting {
            *since = now.min(*since);
        }
        let Some(before) = self.named.replace(Arc::clone(files)) else { return };
        for table in Table::ALL {
            let here = files.here(table);
            let stays: BTreeSet<&Path> = here.iter().map(|file| file.path()).collect();
            let gone = before.here(table).into_iter();
            let gone = gone.filter(|file| !stays.contains(file.path()));
            self.parting.extend(gone.map(|file| (now, file)));
        }
    }
}

#[cfg(test)]
#[path = "delta_tests.rs"]
pub(super) mod tests;
