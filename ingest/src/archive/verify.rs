//! Whether an archive is what it should be: every page of every file is read again, and what the
//! files hold is held against their names, their footers, each other and the ledgers of the newest
//! checkpoint.
//!
//! What is wrong is a finding, not an error: the rest is looked at all the same. Nothing is changed.
//! Pages carry no checksum, so a byte of a value that turned into another one is not found.
//!
//! For an archive that nobody compacts or shortens meanwhile; it may take epochs.

mod identities;
mod ledgers;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::dataflow::EngineState;
use citytwin_core::time::Epoch;

use super::checkpoint;
use super::compact::superseded;
use super::error::ArchiveError;
use super::file::{ArchiveFile, Space};
use super::folder::Folder;
use super::partition::Table;
use super::retention;
use super::view::Files;
use ledgers::Counts;
pub use ledgers::{LedgerCheck, Mismatch};

/// What was read, and what is wrong.
#[derive(Debug, Default)]
pub struct Verification {
    /// Files of all tables.
    pub files: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that are in the store only: they were not looked at.
    pub away: u64,
    /// What is wrong, by table and epoch.
    pub findings: Vec<Finding>,
    /// Rows against ledgers; nothing when there is no checkpoint to hold them against, or no
    /// keyframe to begin with where rows were let go or are away.
    pub ledger: Option<LedgerCheck>,
}

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it, in words.
    pub problem: String,
}

impl Finding {
    fn new(file: &ArchiveFile, problem: String) -> Finding {
        Finding { path: file.path().to_owned(), problem }
    }
}

/// Reads every file of the archive in the data folder `dir` again. `progress` is told after each.
///
/// Checks that all pages of all columns unpack; that there are as many rows as the footer says;
/// that epochs lie within the range of the name, rows are in order, ranges of files do not overlap;
/// that no reading (sensor, quantity, event time) is there twice; and that readings by lateness and
/// refusals by reason add up to the ledger of every sensor.
///
/// Reads readings twice, and those of a day of event time once more for each 34 million of them.
/// Memory: at most 1 GB, for a day of 34 million readings or more, and a ledger for each sensor.
///
/// # Errors
/// When the folder cannot be listed or the newest checkpoint cannot be read.
pub fn verify(
    dir: &Path,
    mut progress: impl FnMut(&Verification),
) -> Result<Verification, ArchiveError> {
    let home = std::path::absolute(dir).map_err(|e| ArchiveError::io("find", dir, e))?;
    let folder = Folder::open(&home)?;
    let state: Option<EngineState> = match checkpoint::epochs(&folder)?.first() {
        Some(newest) => checkpoint::at(&folder, *newest)?,
        None => None,
    };
    let mut found = folder.list(Path::new("archive"))?.0;
    found.append(&mut folder.list(Path::new("dead-letters"))?.0);
    let (found, _) = superseded(found);
    let everything = Epoch::new(u64::MAX);
    let files = Files::through(&home, &found, everything, &Space::default())?;
    let complete_from = retention::complete_from(&folder)?.max(here_from(&files));
    let base = ledgers::base(files.keyframes(), complete_from)?;
    let through = state.as_ref().map_or(Epoch::ZERO, |state| state.snapshot().epoch);
    let after = base.as_ref().map(|(epoch, _)| *epoch);
    let mut counts = Counts::between(after, through);
    let mut done = Verification::default();
    let mut whole = Vec::new();
    for table in Table::ALL {
        let files = files.of(table);
        overlaps(files, &mut done.findings);
        for file in files {
            if file.is_away() {
                done.away += 1;
                continue;
            }
            let count = |batch: &_| counts.add(table, batch);
            let (rows, problem) = rows::check(file, count);
            done.files += 1;
            done.rows += rows;
            done.bytes += file.bytes();
            match problem {
                Some(problem) => done.findings.push(Finding::new(file, problem)),
                None if table == Table::Readings => whole.push(Arc::clone(file)),
                None => {}
            }
            progress(&done);
        }
    }
    identities::check(&whole, &mut done.findings)?;
    let is_known = complete_from == Epoch::ZERO || base.is_some();
    if let Some(state) = state.filter(|_| is_known) {
        let base = base.as_ref().map(|(_, snapshot)| snapshot);
        done.ledger = Some(counts.against(state.snapshot(), base));
    }
    Ok(done)
}

/// From which epoch on no reading and no refusal is away.
fn here_from(files: &Files) -> Epoch {
    let tables = [Table::Readings, Table::Refusals].into_iter();
    let away = tables.flat_map(|table| files.of(table)).filter(|file| file.is_away());
    away.map(|file| file.last().next()).max().unwrap_or(Epoch::ZERO)
}

/// Files of a table, by first epoch, whose ranges overlap.
fn overlaps(files: &[Arc<ArchiveFile>], findings: &mut Vec<Finding>) {
    let mut widest: BTreeMap<Epoch, &ArchiveFile> = BTreeMap::new();
    for file in files {
        if let Some((_, other)) = widest.last_key_value().filter(|(end, _)| **end >= file.first()) {
            let other = other.path().display();
            findings.push(Finding::new(file, format!("overlaps the epochs of {other}")));
        }
        widest.insert(file.last(), file);
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
