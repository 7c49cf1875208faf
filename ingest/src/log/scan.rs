//! Reading a log through once, to learn where it stands and whether it is whole. Changes nothing;
//! [`super::store`] and [`super::check`] decide what to do about what is found.

use citytwin_core::time::Epoch;

use super::LogError;
use super::disk::Disk;
use super::pace::Standing;
use super::segment::{self, Next, Reader};

/// A segment that holds at least one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) first: Epoch,
    /// The epoch of its last frame.
    pub(super) last: Epoch,
    pub(super) bytes: u64,
}

/// How a segment ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// After a frame.
    Whole,
    /// Inside a commit that was never acknowledged: the rest may be cut off.
    Torn { offset: u64, what: String },
    /// In something that was never written so: acknowledged readings may be affected.
    Damaged { offset: u64, what: String },
}

/// What was found in one segment.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) first: Epoch,
    pub(super) frames: u64,
    pub(super) readings: u64,
    /// Bytes of header and good frames.
    pub(super) good_bytes: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
    pub(super) ending: Ending,
}

/// What was found in all of them, oldest first; ends with the first one that is not whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey {
    pub(super) scans: Vec<Scan>,
    /// Those with frames.
    pub(super) segments: Vec<Segment>,
    pub(super) standing: Standing,
    /// The last epoch before the first segment.
    pub(super) begins_after: Epoch,
    /// First epochs of all segment files, also of those after a damaged one.
    pub(super) files: Vec<Epoch>,
}

/// Reads the whole log.
pub(super) fn survey(disk: &dyn Disk) -> Result<Survey, LogError> {
    let names = disk.list().map_err(|error| LogError::disk("list", disk.path(), error))?;
    let mut files: Vec<Epoch> = names.iter().filter_map(|name| segment::first_of(name)).collect();
    files.sort_unstable();
    let mut survey = Survey { files: files.clone(), ..Survey::default() };
    for (at, first) in files.iter().enumerate() {
        let newest = at + 1 == files.len();
        let scan = scan(disk, *first, newest, &mut survey)?;
        let whole = scan.ending == Ending::Whole;
        if scan.frames > 0 {
            survey.segments.push(Segment {
                first: *first,
                last: survey.standing.last,
                bytes: scan.good_bytes,
            });
        }
        survey.scans.push(scan);
        if !whole {
            break;
        }
    }
    Ok(survey)
}

fn scan(
    disk: &dyn Disk,
    first: Epoch,
    newest: bool,
    survey: &mut Survey,
) -> Result<Scan, LogError> {
    let mut reader = Reader::open(disk, first)?;
    let mut scan = Scan {
        first,
        frames: 0,
        readings: 0,
        good_bytes: 0,
        bytes: reader.length(),
        ending: Ending::Whole,
    };
    let failed = |error| LogError::disk("read", &disk.path().join(segment::name_of(first)), error);
    let Some(before) = reader.before() else {
        let more_follows = match reader.step().map_err(failed)? {
            Next::End => false,
            Next::Frame(_) => true,
            Next::Bad { more_follows, .. } => more_follows,
        };
        let what = "the segment's header does not read".to_owned();
        scan.ending = ending(newest && !more_follows, 0, what);
        return Ok(scan);
    };
    if survey.scans.is_empty() {
        survey.begins_after = before;
        survey.standing.last = before;
    } else if survey.standing.last != before {
        let last = survey.standing.last;
        let what = format!("it goes on after epoch {before}, but the file before ends at {last}");
        scan.ending = ending(false, 16, what);
        return Ok(scan);
    }
    let mut closed = false;
    loop {
        scan.good_bytes = reader.offset();
        match reader.step().map_err(failed)? {
            Next::End => return Ok(scan),
            Next::Bad { what, more_follows } => {
                scan.ending = ending(newest && !more_follows, scan.good_bytes, what);
                return Ok(scan);
            }
            Next::Frame(header) => {
                let least = if closed { survey.standing.last.next() } else { survey.standing.last };
                if header.epoch < least.max(first) {
                    let what = format!("epoch {} follows {}", header.epoch, survey.standing.last);
                    scan.ending = ending(false, scan.good_bytes, what);
                    return Ok(scan);
                }
                closed = header.cut;
                scan.frames += 1;
                scan.readings += u64::from(header.readings);
                survey.standing.saw(header.epoch, header.cut, u64::from(header.readings));
            }
        }
    }
}

fn ending(torn: bool, offset: u64, what: String) -> Ending {
    if torn { Ending::Torn { offset, what } } else { Ending::Damaged { offset, what } }
}
