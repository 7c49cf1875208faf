//! Compaction: the many files of a day of arrival become few, each hour of them sorted as a whole.
//!
//! A merged file is written beside those it is made of, whole or not at all; then one swap puts it
//! in their place, and they are removed when the last view lets go of them. Its range of epochs
//! contains theirs and is none of theirs. So a file whose range lies within that of another file of
//! its table is superseded: whoever opens the archive removes it, and a crash between the two
//! leaves no row twice.
//!
//! A tool that reads the folder itself may see both for as long as removal is delayed; one that
//! reads the Delta table never does.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use citytwin_core::time::Epoch;

use super::columns::File;
use super::error::ArchiveError;
use super::file::{ArchiveFile, OnDisk};
use super::folder::{Draft, Folder, Found};
use super::keeper::Keeper;
use super::merge::{self, Merge};
use super::partition::{Table, begin_of, day_of, is_compacted};

/// The files that go into one merged file take no more than this, so neither does it.
const MAX_BYTES: u64 = 512 << 20;
/// A merged file of this size is not merged again.
const ENOUGH_BYTES: u64 = MAX_BYTES / 2;
/// Files, or row groups where only those are sorted, that are merged at a time: about 1 MB each.
const MAX_SOURCES: usize = if cfg!(test) { 5 } else { 64 };

/// What a compaction has done, so far or altogether.
#[derive(Debug, Default)]
pub struct Compacted {
    /// Days of which files were merged, each table by itself.
    pub days: u64,
    /// Files that were merged.
    pub files_before: u64,
    /// Files they became.
    pub files_after: u64,
    /// Rows in them, counted as often as they were written.
    pub rows: u64,
    /// Bytes of the files that were merged.
    pub bytes_before: u64,
    /// Bytes of the files they became.
    pub bytes_after: u64,
    /// Days that were left as they are because of a file that cannot be read: table, and why.
    pub unreadable: Vec<(Table, ArchiveError)>,
    /// Whether it was stopped before all was done.
    pub is_stopped: bool,
}

/// Which files are merged.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Files that end before this epoch.
    before: Epoch,
    /// Only those of days that end before it, too.
    whole_days: bool,
}

/// Whoever asked, during the work.
struct Asker<'a> {
    stop: &'a dyn Fn() -> bool,
    progress: &'a mut dyn FnMut(&Compacted),
    done: Compacted,
}

impl Keeper {
    /// Merges the files of every day of arrival (UTC) that ended before `before` and that no
    /// replay can write again. A day that is one merged file is left alone. Takes turns with
    /// everything else a keeper does; the archive goes on meanwhile. Memory for 64 sources, about
    /// 100 MB. `stop` is asked every few thousand rows; `progress` is told after every file.
    ///
    /// # Errors
    /// When the disk fails or is full: nothing is lost, and every merged file that was finished
    /// stays. A file that cannot be read is no error; it is in [`Compacted::unreadable`].
    pub fn compact(
        &self,
        before: Epoch,
        stop: impl Fn() -> bool,
        mut progress: impl FnMut(&Compacted),
    ) -> Result<Compacted, ArchiveError> {
        let asker = Asker { stop: &stop, progress: &mut progress, done: Compacted::default() };
        self.compact_files(Bounds { before, whole_days: true }, asker)
    }

    /// The same for all files that end before `before`, of days that are not over yet, too.
    ///
    /// # Errors
    /// As [`Keeper::compact`].
    pub fn compact_all(
        &self,
        before: Epoch,
        stop: impl Fn() -> bool,
        mut progress: impl FnMut(&Compacted),
    ) -> Result<Compacted, ArchiveError> {
        let asker = Asker { stop: &stop, progress: &mut progress, done: Compacted::default() };
        self.compact_files(Bounds { before, whole_days: false }, asker)
    }

    fn compact_files(
        &self,
        bounds: Bounds,
        mut asker: Asker<'_>,
    ) -> Result<Compacted, ArchiveError> {
        let mut folder = self.folder.lock();
        let before = bounds.before.min(self.settled.through().next());
        let bounds = Bounds { before, ..bounds };
        for table in Table::ALL {
            let days: BTreeSet<u64> =
                self.files_within(table, bounds).iter().map(|file| day_of(file.last())).collect();
            for day in days {
                match self.compact_day(&mut folder, (table, day), bounds, &mut asker) {
                    Ok(()) => {}
                    Err(
                        error @ (ArchiveError::Read { .. }
                        | ArchiveError::Footer { .. }
                        | ArchiveError::Rows { .. }),
                    ) => {
                        tracing::warn!(table = table.name(), %error, "a day is not compacted");
                        asker.done.unreadable.push((table, error));
                    }
                    Err(error) => return Err(error),
                }
                if asker.done.is_stopped {
                    return Ok(asker.done);
                }
            }
        }
        Ok(asker.done)
    }

    fn compact_day(
        &self,
        folder: &mut Folder,
        (table, day): (Table, u64),
        bounds: Bounds,
        asker: &mut Asker<'_>,
    ) -> Result<(), ArchiveError> {
        let mut is_counted = false;
        loop {
            let mut files = self.files_within(table, bounds);
            files.retain(|file| day_of(file.last()) == day);
            // The range of a merged file must not take in one that is elsewhere.
            if files.iter().any(|file| file.is_away()) {
                return Ok(());
            }
            let Some(group) = next_group(&files)? else { return Ok(()) };
            let files = &files[group];
            let merged = self.merge(folder, files, asker.stop)?;
            let Some((merged, rows)) = merged else {
                asker.done.is_stopped = true;
                return Ok(());
            };
            asker.done.days += u64::from(!std::mem::replace(&mut is_counted, true));
            asker.done.files_before += files.len() as u64;
            asker.done.files_after += 1;
            asker.done.rows += rows;
            asker.done.bytes_before += files.iter().map(|file| file.bytes()).sum::<u64>();
            asker.done.bytes_after += merged.bytes();
            self.catalogue.replace(files, vec![merged]);
            self.commit(folder);
            (asker.progress)(&asker.done);
        }
    }

    /// The files of a table that may be merged, by first epoch.
    fn files_within(&self, table: Table, bounds: Bounds) -> Vec<Arc<ArchiveFile>> {
        let mut files = self.catalogue.view().files(table).to_vec();
        files.retain(|file| {
            let end = begin_of(day_of(file.last()) + 1);
            file.last() < bounds.before && (!bounds.whole_days || end <= bounds.before)
        });
        files
    }

    /// Writes the rows of `files` as one; nothing when it was stopped.
    fn merge(
        &self,
        folder: &mut Folder,
        files: &[Arc<ArchiveFile>],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<(ArchiveFile, u64)>, ArchiveError> {
        let (Some(first), Some(last)) = (files.first(), files.last()) else { return Ok(None) };
        let (table, first, last) = (first.table(), first.first(), last.last());
        let mut expected = 0;
        for file in files {
            expected += file.bounds()?.rows;
        }
        let merge = Merge::of(table, files)?;
        let relative = table.compacted(first, last);
        let path = folder.path(&relative);
        let mut draft = folder.draft(&relative)?;
        let written = match fill(&mut draft, table, merge, stop) {
            Ok(Some(written)) => written,
            other => {
                draft.abandon();
                return other.map(|_| None);
            }
        };
        if written != expected {
            draft.abandon();
            return Err(ArchiveError::Rows { path, expected, written });
        }
        let bytes = draft.bytes();
        self.space.add(draft.commit()?);
        let file = OnDisk::new(path, bytes, &self.space);
        Ok(Some((ArchiveFile::new(table, (first, last), file), written)))
    }
}

/// Writes all rows of a merge; gives how many. Nothing when it was stopped.
fn fill(
    draft: &mut Draft<'_>,
    table: Table,
    mut merge: Merge,
    stop: &dyn Fn() -> bool,
) -> Result<Option<u64>, ArchiveError> {
    let failed = |source| ArchiveError::Encode { table: table.name(), source };
    let mut file = File::new(table.columns());
    let (mut rows, mut hour) = (0, merge.hour());
    while let Some(arrays) = merge.next()? {
        if stop() {
            return Ok(None);
        }
        rows += arrays.first().map_or(0, |array| array.len()) as u64;
        file.push(arrays).map_err(failed)?;
        // No row group holds two hours, so that a question for some minutes reads few of them.
        if merge.hour() != hour {
            hour = merge.hour();
            file.break_row_group().map_err(failed)?;
        }
        let ready = file.drain().map_err(failed)?;
        if !ready.is_empty() {
            draft.append(&ready)?;
        }
    }
    draft.append(&file.finish().map_err(failed)?.unwrap_or_default())?;
    Ok(Some(rows))
}

/// The first files of a day that are worth merging and may be merged at a time.
fn next_group(files: &[Arc<ArchiveFile>]) -> Result<Option<Range<usize>>, ArchiveError> {
    let mut begin = 0;
    let (mut bytes, mut sources) = (0, 0);
    for (at, file) in files.iter().enumerate() {
        let more = merge::sources_of(file)?;
        let is_enough = is_compacted(file.path()) && file.bytes() >= ENOUGH_BYTES;
        if is_enough || bytes + file.bytes() > MAX_BYTES || sources + more > MAX_SOURCES {
            if at > begin + 1 {
                return Ok(Some(begin..at));
            }
            begin = if is_enough { at + 1 } else { at };
            (bytes, sources) = (0, 0);
        }
        if !is_enough {
            bytes += file.bytes();
            sources += more;
        }
    }
    Ok((files.len() > begin + 1).then_some(begin..files.len()))
}

/// Splits files that were found into those that are to be shown and those that are superseded.
pub(super) fn superseded(found: Vec<Found>) -> (Vec<Found>, Vec<Found>) {
    let parse = |found: &Found| Table::parse(&found.path);
    let mut ranges: Vec<_> = found.iter().filter_map(parse).collect();
    ranges.sort_by_key(|(table, (first, last))| (*table, *first, std::cmp::Reverse(*last)));
    // Those that lie within none before them: of these, first and last epochs both ascend.
    let mut widest: Vec<(Table, (Epoch, Epoch))> = Vec::new();
    for range in ranges {
        let within = widest.last().is_some_and(|w| w.0 == range.0 && range.1.1 <= w.1.1);
        if !within {
            widest.push(range);
        }
    }
    found.into_iter().partition(|found| {
        let Some((table, (first, last))) = parse(found) else { return true };
        let at = widest.partition_point(|w| (w.0, w.1.0) <= (table, first));
        let holder = at.checked_sub(1).and_then(|at| widest.get(at));
        holder.is_none_or(|(of, range)| *of != table || last > range.1 || *range == (first, last))
    })
}

#[cfg(test)]
#[path = "compact_tests.rs"]
pub(super) mod tests;
