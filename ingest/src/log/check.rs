//! Examining and repairing a log while nobody writes to it: `citytwin check`.
//!
//! Repair sets aside and never deletes. What stands before the damage stays as it is; the damaged
//! rest of that file and all files after it are kept under names ending in `.set-aside`. Later
//! frames are not kept in use: the damaged one may have registered the sensors they speak of.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::time::Epoch;

use super::LogError;
use super::disk::{Disk, Folder, SharedDisk};
use super::scan::{Ending, Scan, Survey, survey};
use super::segment::{self, Next, Reader};

const SET_ASIDE: &str = "set-aside";

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Files of the log.
    pub segments: usize,
    /// Good frames, up to the first problem.
    pub frames: u64,
    /// Readings in them.
    pub readings: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The last epoch before the log begins.
    pub begins_after: Epoch,
    /// The last good epoch.
    pub last_epoch: Epoch,
    /// What is wrong, if anything is. Nothing after the first problem was examined.
    pub problem: Option<Problem>,
    /// Files that repair made or renamed; empty if it was not asked for or not needed.
    pub set_aside: Vec<PathBuf>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In which file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What.
    pub what: String,
    /// It is the unfinished commit of a crash: nothing of it was acknowledged, and the next start
    /// cuts it off by itself. If false, acknowledged readings may be affected.
    pub torn_tail: bool,
}

/// Reads the log in `dir` through, every record of it; with `repair` makes it fit to be opened
/// again. Cost: the whole log is read once or twice.
///
/// # Errors
/// When another process uses the log, or the disk refuses.
pub fn check(dir: &Path, repair: bool) -> Result<CheckReport, LogError> {
    check_on(&(Arc::new(Folder::lock(dir)?) as SharedDisk), repair)
}

pub(super) fn check_on(disk: &SharedDisk, repair: bool) -> Result<CheckReport, LogError> {
    let mut found = survey(disk.as_ref())?;
    unreadable_records(disk.as_ref(), &mut found)?;
    let mut report = CheckReport {
        segments: found.files.len(),
        frames: found.scans.iter().map(|scan| scan.frames).sum(),
        readings: found.scans.iter().map(|scan| scan.readings).sum(),
        bytes: found.scans.iter().map(|scan| scan.good_bytes).sum(),
        begins_after: found.begins_after,
        last_epoch: found.standing.last,
        problem: found.scans.last().and_then(|scan| problem(disk.as_ref(), scan)),
        set_aside: Vec::new(),
    };
    if repair
        && report.problem.is_some()
        && let Some(bad) = found.scans.last()
    {
        report.set_aside = set_aside(disk.as_ref(), bad, &found.files)?;
    }
    Ok(report)
}

fn problem(disk: &dyn Disk, scan: &Scan) -> Option<Problem> {
    let (offset, what, torn_tail) = match &scan.ending {
        Ending::Whole => return None,
        Ending::Torn { offset, what } => (*offset, what, true),
        Ending::Damaged { offset, what } => (*offset, what, false),
    };
    let file = disk.path().join(segment::name_of(scan.first));
    Some(Problem { file, offset, what: what.clone(), torn_tail })
}

/// A frame can have a good checksum and still hold what no version of ours writes.
fn unreadable_records(disk: &dyn Disk, found: &mut Survey) -> Result<(), LogError> {
    for at in 0..found.scans.len() {
        let scan = &mut found.scans[at];
        let mut reader = Reader::open(disk, scan.first)?;
        let mut good = Scan { frames: 0, readings: 0, ..scan.clone() };
        while good.frames < scan.frames {
            let offset = reader.offset();
            let path = disk.path().join(segment::name_of(scan.first));
            let next = reader.step().map_err(|error| LogError::disk("read", &path, error))?;
            let Next::Frame(header) = next else { break };
            if let Err(error) = reader.records(&header) {
                good.good_bytes = offset;
                good.ending = Ending::Damaged { offset, what: error.to_string() };
                *scan = good;
                found.scans.truncate(at + 1);
                return Ok(());
            }
            good.frames += 1;
            good.readings += u64::from(header.readings);
        }
    }
    Ok(())
}

fn set_aside(disk: &dyn Disk, bad: &Scan, files: &[Epoch]) -> Result<Vec<PathBuf>, LogError> {
    let name = segment::name_of(bad.first);
    let path = disk.path().join(&name);
    let failed = |error| LogError::disk("set aside", &path, error);
    let mut made = Vec::new();
    // Newest first, so that a crash in between leaves no gap before files that are still in use.
    for first in files.iter().rev().take_while(|first| **first > bad.first) {
        let name = segment::name_of(*first);
        let aside = format!("{name}.{SET_ASIDE}");
        disk.rename(&name, &aside).and_then(|()| disk.sync()).map_err(failed)?;
        made.push(disk.path().join(aside));
    }
    if bad.frames == 0 {
        let aside = format!("{name}.{SET_ASIDE}");
        disk.rename(&name, &aside).and_then(|()| disk.sync()).map_err(failed)?;
        made.push(disk.path().join(aside));
        return Ok(made);
    }
    let aside = format!("{name}.{}.{SET_ASIDE}", bad.good_bytes);
    copy_rest(disk, &name, bad.good_bytes, &aside).map_err(failed)?;
    made.push(disk.path().join(aside));
    let mut file = disk.open(&name).map_err(failed)?;
    file.truncate(bad.good_bytes).and_then(|()| file.sync()).map_err(failed)?;
    Ok(made)
}

fn copy_rest(disk: &dyn Disk, name: &str, from: u64, to: &str) -> std::io::Result<()> {
    let (mut source, _length) = disk.read(name)?;
    std::io::copy(&mut source.by_ref().take(from), &mut std::io::sink())?;
    let mut target = disk.create(to)?;
    let mut block = vec![0; 1 << 16];
    loop {
        let read = source.read(&mut block)?;
        if read == 0 {
            target.sync()?;
            return disk.sync();
        }
        target.append(&block[..read])?;
    }
}
