//! The log on disk: opened, appended to, replayed, truncated. One frame at a time; no thread, no
//! clock, no queue.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;

use super::disk::{DiskFile, Folder, SharedDisk, is_full};
use super::frame::{self, Place};
use super::pace::Standing;
use super::scan::{Ending, Scan, Segment, survey};
use super::segment::{self, Next, Reader};
use super::{LogError, LogSettings};

/// The log on disk, before its thread runs.
#[derive(Debug)]
pub struct Log {
    pub(super) settings: LogSettings,
    disk: SharedDisk,
    /// Those with frames, oldest first; the one that is written to is the last.
    segments: Vec<Segment>,
    writing: Option<Writing>,
    standing: Standing,
    begins_after: Epoch,
    buffer: Vec<u8>,
}

/// The segment that is written to.
#[derive(Debug)]
struct Writing {
    file: Box<dyn DiskFile>,
    first: Epoch,
    length: u64,
}

/// Why a frame is not durable.
#[derive(Debug)]
pub(super) enum AppendError {
    /// No space. The log is as before and can be tried again.
    Full(io::Error),
    /// Nobody knows what is on the disk now: the log must not be written to again.
    Failed(LogError),
}

impl Log {
    pub(super) fn open(dir: &Path, settings: LogSettings) -> Result<Log, LogError> {
        Log::open_on(Arc::new(Folder::lock(dir)?), settings)
    }

    pub(super) fn open_on(disk: SharedDisk, settings: LogSettings) -> Result<Log, LogError> {
        let found = survey(disk.as_ref())?;
        if let Some(newest) = found.scans.last() {
            mend(&disk, newest)?;
        }
        Ok(Log {
            settings,
            disk,
            segments: found.segments,
            writing: None,
            standing: found.standing,
            begins_after: found.begins_after,
            buffer: Vec::new(),
        })
    }

    /// The last epoch that was logged, 0 if none was. The next one will be higher.
    pub fn last_epoch(&self) -> Epoch {
        self.standing.last
    }

    /// The first epoch that the log can still give back whole; `None` if it holds nothing.
    pub fn oldest_epoch(&self) -> Option<Epoch> {
        self.segments.first().map(|_| self.begins_after.next())
    }

    /// The frames after `after`, in order. New frames will have epochs higher than `after`, even
    /// where the log ends before it.
    ///
    /// # Errors
    /// When the log no longer reaches back that far.
    pub fn replay(&mut self, after: Epoch) -> Result<Replay, LogError> {
        if after < self.begins_after {
            return Err(LogError::Missing { after, begins_after: self.begins_after });
        }
        self.standing.last = self.standing.last.max(after);
        let segments =
            self.segments.iter().filter(|segment| segment.last > after).map(|s| s.first).collect();
        Ok(Replay { disk: Arc::clone(&self.disk), segments, reader: None, after })
    }

    /// Where it is, for people.
    pub(super) fn path(&self) -> PathBuf {
        self.disk.path().to_owned()
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Bytes and number of segments.
    pub(super) fn shape(&self) -> (u64, usize) {
        (self.segments.iter().map(|segment| segment.bytes).sum(), self.segments.len())
    }

    /// Writes a frame and flushes it. When the disk is full, the log is as it was before.
    pub(super) fn append(&mut self, frame: &Frame) -> Result<(), AppendError> {
        let (mut writing, grown) = match self.writing.take() {
            Some(writing) if !self.is_grown(&writing, frame.epoch) => (writing, None),
            grown => match self.begin_segment(frame.epoch) {
                Ok(writing) => (writing, grown),
                Err(error) => {
                    self.writing = grown;
                    return Err(error);
                }
            },
        };
        let new = writing.length == 0;
        match self.write(&mut writing, frame) {
            Ok(()) => {}
            Err(AppendError::Full(error)) => {
                // A new segment goes away: the frame may get another epoch when it is tried again.
                self.writing = if new { grown } else { None };
                return Err(self.undo(writing, new, error));
            }
            Err(AppendError::Failed(error)) => return Err(AppendError::Failed(error)),
        }
        let segment = Segment { first: writing.first, last: frame.epoch, bytes: writing.length };
        match self.segments.last_mut() {
            Some(last) if !new => *last = segment,
            Some(_) | None => self.segments.push(segment),
        }
        self.standing.saw(frame.epoch, frame.cut, frame.records.readings.len() as u64);
        if !frame.cut {
            self.writing = Some(writing);
        }
        // One huge frame does not pin its memory for ever.
        self.buffer.shrink_to(4 << 20);
        Ok(())
    }

    /// Removes every segment that holds nothing after `epoch`, oldest first, except the newest:
    /// it remembers where the log stands.
    pub(super) fn truncate_through(&mut self, epoch: Epoch) -> Result<(), LogError> {
        while self.segments.len() > 1 && self.segments[0].last <= epoch {
            let name = segment::name_of(self.segments[0].first);
            let failed = |error| LogError::disk("remove", &self.disk.path().join(&name), error);
            self.disk.remove(&name).map_err(failed)?;
            // One by one: a crash in between must not leave a gap.
            self.disk.sync().map_err(failed)?;
            self.begins_after = self.segments.remove(0).last;
        }
        Ok(())
    }

    /// An epoch never spans two segments: their names would be the same.
    fn is_grown(&self, writing: &Writing, next: Epoch) -> bool {
        writing.length >= self.settings.segment_bytes && next > self.standing.last
    }

    fn begin_segment(&self, first: Epoch) -> Result<Writing, AppendError> {
        match self.disk.create(&segment::name_of(first)) {
            Ok(file) => Ok(Writing { file, first, length: 0 }),
            Err(error) if is_full(&error) => Err(AppendError::Full(error)),
            Err(error) => Err(self.failed("create", first, error)),
        }
    }

    fn write(&mut self, writing: &mut Writing, frame: &Frame) -> Result<(), AppendError> {
        let first = writing.first;
        let sorted = |log: &Log, error: io::Error| {
            if is_full(&error) {
                AppendError::Full(error)
            } else {
                log.failed("write", first, error)
            }
        };
        if writing.length == 0 {
            let before = self.segments.last().map_or(self.standing.last, |segment| segment.last);
            let header = segment::header(first, before);
            writing.file.append(&header).map_err(|error| sorted(self, error))?;
            // Flushed on its own, so that only a frame can ever be torn.
            let flushed = writing.file.sync().and_then(|()| self.disk.sync());
            flushed.map_err(|error| self.failed("flush", first, error))?;
            writing.length = header.len() as u64;
        }
        self.buffer.clear();
        let place = Place { segment: first, offset: writing.length };
        if let Err(error) = frame::encode(frame, place, &mut self.buffer) {
            // The queue bounds submissions so that they fit: a broken promise of ours.
            return Err(self.failed("encode a frame for", first, io::Error::other(error)));
        }
        writing.file.append(&self.buffer).map_err(|error| sorted(self, error))?;
        writing.file.sync().map_err(|error| self.failed("flush", first, error))?;
        writing.length += self.buffer.len() as u64;
        Ok(())
    }

    /// The disk was full: takes back what was written of a frame, or of a new segment.
    fn undo(&mut self, mut writing: Writing, new: bool, full: io::Error) -> AppendError {
        let first = writing.first;
        let undone = if new {
            self.disk.remove(&segment::name_of(first)).and_then(|()| self.disk.sync())
        } else {
            let cut = writing.file.truncate(writing.length);
            self.writing = Some(writing);
            cut
        };
        match undone {
            Ok(()) => AppendError::Full(full),
            Err(error) => self.failed("cut", first, error),
        }
    }

    fn failed(&self, doing: &'static str, first: Epoch, error: io::Error) -> AppendError {
        let path = self.disk.path().join(segment::name_of(first));
        AppendError::Failed(LogError::disk(doing, &path, error))
    }
}

/// Makes the newest segment whole, or refuses. Also flushes it: a process that was killed may have
/// left a frame that is in the file but not yet on the disk.
fn mend(disk: &SharedDisk, newest: &Scan) -> Result<(), LogError> {
    let name = segment::name_of(newest.first);
    let path = disk.path().join(&name);
    let failed = |doing| {
        let path = path.clone();
        move |error| LogError::disk(doing, &path, error)
    };
    match &newest.ending {
        Ending::Damaged { offset, what } => {
            return Err(LogError::Damaged { file: path, offset: *offset, what: what.clone() });
        }
        Ending::Torn { offset, what } => {
            let bytes = newest.bytes - newest.good_bytes;
            tracing::warn!(
                file = %path.display(), offset, bytes, what,
                "the log has a torn tail, which was never acknowledged: it is cut off"
            );
        }
        Ending::Whole => {}
    }
    if newest.frames == 0 {
        disk.remove(&name).map_err(failed("remove"))?;
    } else {
        let mut file = disk.open(&name).map_err(failed("open"))?;
        if newest.bytes > newest.good_bytes {
            file.truncate(newest.good_bytes).map_err(failed("cut"))?;
        }
        file.sync().map_err(failed("flush"))?;
    }
    disk.sync().map_err(failed("flush"))
}

/// Frames of the log in order.
#[derive(Debug)]
pub struct Replay {
    disk: SharedDisk,
    segments: VecDeque<Epoch>,
    reader: Option<(Epoch, Reader)>,
    after: Epoch,
}

impl Iterator for Replay {
    type Item = Result<Frame, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl Replay {
    fn step(&mut self) -> Result<Option<Frame>, LogError> {
        loop {
            let (first, reader) = match &mut self.reader {
                Some(open) => open,
                None => match self.segments.pop_front() {
                    Some(first) => {
                        let reader = Reader::open(self.disk.as_ref(), first)?;
                        self.reader.insert((first, reader))
                    }
                    None => return Ok(None),
                },
            };
            let path = self.disk.path().join(segment::name_of(*first));
            let offset = reader.offset();
            let next = reader.step().map_err(|error| LogError::disk("read", &path, error))?;
            let damaged = |what| LogError::Damaged { file: path, offset, what };
            match next {
                Next::End => self.reader = None,
                Next::Bad { what, .. } => return Err(damaged(what)),
                Next::Frame(header) if header.epoch <= self.after => {}
                Next::Frame(header) => {
                    return match reader.frame(&header) {
                        Ok(frame) => Ok(Some(frame)),
                        Err(error) => Err(damaged(error.to_string())),
                    };
                }
            }
        }
    }
}
