//! Files that are in the store and here no longer: a marker stands in for each.
//!
//! ```text
//! archive/readings/date=…/readings-{first}-{last}.away        {"bytes":…,"rows":…,"row_groups":…,
//!                                                              "event_times_ms":[…,…]}
//! ```
//!
//! A file goes away when the store's table names it and no replay writes it again. First its marker
//! is written, whole; then the view takes the one for the other; the file leaves the disk when the
//! last view lets go of it. Where a crash leaves both, the file is what holds, and the marker goes.
//!
//! Sensors stay: they are few, and every question about the past begins with them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::time::{Epoch, EventTime};
use serde::{Deserialize, Serialize};

use super::error::ArchiveError;
use super::file::{ArchiveFile, Bounds, OnDisk};
use super::folder::Folder;
use super::keeper::Keeper;
use super::partition::Table;
use super::retention::cutoff;

/// Instead of `parquet`, at the end of a marker's name.
const ENDING: &str = "away";

/// What a marker says of its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    bytes: u64,
    rows: u64,
    row_groups: usize,
    event_times_ms: Option<(i64, i64)>,
}

/// What has left the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SentAway {
    /// Files of all tables.
    pub files: u64,
    /// What they took on disk: given back when the last view lets go of them.
    pub bytes: u64,
}

impl Keeper {
    /// Has files that end longer before `now` than `local_for_ms` leave the disk, if they are known
    /// to be in the store.
    ///
    /// # Errors
    /// When the disk fails or is full: what has a marker by then has not left, and will.
    pub fn send_away(&self, now: Epoch, local_for_ms: u64) -> Result<SentAway, ArchiveError> {
        let mut folder = self.folder.lock();
        let cutoff = cutoff(now, Some(local_for_ms)).min(self.settled.through().next());
        let mut done = SentAway::default();
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Sensors) {
            let (mut gone, mut away) = (Vec::new(), Vec::new());
            for file in self.catalogue.view().files(table) {
                let goes = !file.is_away() && file.is_stored() && file.last() < cutoff;
                // What cannot be read here stays for whoever mends it.
                let Some(bounds) = file.bounds().ok().filter(|_| goes) else { continue };
                away.push(self.mark(&mut folder, file, bounds)?);
                gone.push(Arc::clone(file));
                done.files += 1;
                done.bytes += file.bytes();
            }
            self.catalogue.replace(&gone, away);
        }
        self.commit(&mut folder);
        Ok(done)
    }

    fn mark(
        &self,
        folder: &mut Folder,
        file: &ArchiveFile,
        bounds: &Bounds,
    ) -> Result<ArchiveFile, ArchiveError> {
        let relative = file.relative().with_extension(ENDING);
        let marker = Marker {
            bytes: file.bytes(),
            rows: bounds.rows,
            row_groups: bounds.row_groups,
            event_times_ms: bounds.event_times.map(|(first, last)| (first.ms(), last.ms())),
        };
        let path = folder.path(&relative);
        let text = serde_json::to_vec(&marker)
            .map_err(|error| ArchiveError::io("describe", &path, error.into()))?;
        self.space.add(folder.write(&relative, &text)?);
        let on_disk = OnDisk::new(path, text.len() as u64, &self.space);
        let epochs = (file.first(), file.last());
        Ok(ArchiveFile::away(file.table(), epochs, marker.bytes, *bounds, on_disk))
    }
}

/// The file below the data folder that a marker stands in for; nothing if it is none.
pub(super) fn stands_for(path: &Path) -> Option<PathBuf> {
    let is_marker = path.extension().is_some_and(|ending| ending == ENDING);
    is_marker.then(|| path.with_extension("parquet"))
}

/// The file that a marker on disk stands in for.
///
/// # Errors
/// When it cannot be read, or is not what was written.
pub(super) fn read(
    table: Table,
    epochs: (Epoch, Epoch),
    marker: OnDisk,
) -> Result<ArchiveFile, ArchiveError> {
    let failed = |error| ArchiveError::io("read", marker.path(), error);
    let text = fs::read(marker.path()).map_err(failed)?;
    let told: Marker =
        serde_json::from_slice(&text).map_err(|error| failed(io::Error::other(error)))?;
    let time = EventTime::from_ms;
    let bounds = Bounds {
        rows: told.rows,
        row_groups: told.row_groups,
        event_times: told.event_times_ms.map(|(first, last)| (time(first), time(last))),
    };
    Ok(ArchiveFile::away(table, epochs, told.bytes, bounds, marker))
}

#[cfg(test)]
#[path = "away_tests.rs"]
pub(super) mod tests;
