//! Keyframes: the snapshot at the first cut of each quarter hour of arrival time, so that history
//! folds minutes of rows to get at the city of any second, and not years.
//!
//! ```text
//! archive/keyframes/date=2026-11-22/keyframe-{epoch}.snapshot
//!   0 32  head, see sealed.rs; magic "CTWNKEYF"
//!  32  8  newest credible event time through the epoch, i64 ms since 1970 little-endian
//!  40  4  CRC-32 of bytes 16 to 40: the head can be believed without the body
//!  44  …  body: the snapshot in postcard, in zstd
//! ```
//!
//! Which cuts have one is a function of the log: the first cut of all, and each whose cut before
//! lies in another quarter. The cut before is the newest checkpoint after a start. So a replay
//! writes the same keyframes again. About 3 MB for a city of 50,000 sensors.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use citytwin_core::time::{EPOCH_MS, Epoch, EventTime};
use citytwin_core::twin::Snapshot;

use super::error::{ArchiveError, CheckpointProblem};
use super::file::OnDisk;
use super::partition::date_of;
use super::sealed::{COVERED_FROM, Seal, check_epoch, u32_at, u64_at};

/// Epochs in a quarter hour of arrival time.
const EPOCHS_PER_QUARTER: u64 = 900_000 / EPOCH_MS.unsigned_abs();

const FOLDER: &str = "archive/keyframes";
const PREFIX: &str = "keyframe-";
const SUFFIX: &str = ".snapshot";
const SEAL: Seal = Seal { magic: *b"CTWNKEYF", version: 1, note_bytes: 12 };
const NEWEST_AT: usize = 32;
const HEAD_CRC_AT: usize = 40;

/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// A keyframe on disk.
#[derive(Debug)]
pub(super) struct Keyframe {
    epoch: Epoch,
    file: OnDisk,
    /// From the head, once it was read; nothing when the head is damaged.
    newest: OnceLock<Option<EventTime>>,
}

/// Whether the cut of `epoch` has one, when `before` is the cut before.
pub(super) fn is_due(before: Option<Epoch>, epoch: Epoch) -> bool {
    let quarter = |epoch: Epoch| epoch.number() / EPOCHS_PER_QUARTER;
    before.is_none_or(|before| quarter(before) != quarter(epoch))
}

/// Where it lies, below the data folder.
pub(super) fn path(epoch: Epoch) -> PathBuf {
    let date = format!("date={}", date_of(epoch));
    Path::new(FOLDER).join(date).join(format!("{PREFIX}{epoch}{SUFFIX}"))
}

/// Of which epoch a file below the data folder is one; nothing if it is none.
pub(super) fn parse(path: &Path) -> Option<Epoch> {
    let name = path.file_name()?.to_str()?;
    let epoch = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()?;
    path.starts_with(FOLDER).then_some(Epoch::new(epoch))
}

/// The file that holds a snapshot. `newest` is the newest credible event time through its epoch.
pub(super) fn encode(snapshot: &Snapshot, newest: EventTime) -> Result<Vec<u8>, ArchiveError> {
    let mut file = SEAL.begin();
    let failed = |source| ArchiveError::EncodeKeyframe { epoch: snapshot.epoch, source };
    let body = postcard::to_allocvec(snapshot).map_err(|e| failed(io::Error::other(e)))?;
    zstd::stream::copy_encode(body.as_slice(), &mut file, ZSTD_LEVEL).map_err(failed)?;
    let mut note = [0; 12];
    note[..8].copy_from_slice(&newest.ms().to_le_bytes());
    SEAL.close(snapshot.epoch, &note, &mut file);
    let crc = crc32fast::hash(&file[COVERED_FROM..HEAD_CRC_AT]);
    note[8..].copy_from_slice(&crc.to_le_bytes());
    SEAL.close(snapshot.epoch, &note, &mut file);
    Ok(file)
}

/// The newest keyframe of `keyframes` (by epoch) that is not of a later epoch than `known_at` and,
/// if an event time is given, has seen none later than that. What is damaged is passed over.
pub(super) fn newest(
    keyframes: &[Arc<Keyframe>],
    known_at: Epoch,
    event_time: Option<EventTime>,
) -> Result<Option<(Epoch, Snapshot)>, ArchiveError> {
    let known = keyframes.partition_point(|keyframe| keyframe.epoch <= known_at);
    let mut end = known;
    if let Some(event_time) = event_time {
        end = until(&keyframes[..known], event_time)?;
    }
    for keyframe in keyframes[..end].iter().rev() {
        if let Some(snapshot) = keyframe.read()? {
            return Ok(Some((keyframe.epoch, snapshot)));
        }
    }
    Ok(None)
}

/// How many keyframes from the first on have seen nothing later than `event_time`, damaged ones
/// among them included. A binary search: the newest event time never goes back.
fn until(keyframes: &[Arc<Keyframe>], event_time: EventTime) -> Result<usize, ArchiveError> {
    let (mut low, mut high) = (0, keyframes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let mut too_new = None;
        for at in (low..=middle).rev() {
            if let Some(newest) = keyframes[at].newest()? {
                too_new = (newest > event_time).then_some(at);
                break;
            }
        }
        match too_new {
            Some(at) => high = at,
            None => low = middle + 1,
        }
    }
    Ok(low)
}

impl Keyframe {
    pub(super) fn new(epoch: Epoch, file: OnDisk) -> Keyframe {
        Keyframe { epoch, file, newest: OnceLock::new() }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// Nobody wants it any more: it is removed from disk when the last view lets go of it.
    pub(super) fn retire(&self) {
        self.file.retire();
    }

    /// The newest credible event time through its epoch; nothing when the head is damaged.
    fn newest(&self) -> Result<Option<EventTime>, ArchiveError> {
        if let Some(known) = self.newest.get() {
            return Ok(*known);
        }
        let mut head = Vec::with_capacity(SEAL.body_from());
        let read = File::open(self.file.path())
            .and_then(|file| file.take(SEAL.body_from() as u64).read_to_end(&mut head));
        let newest = match read {
            Ok(_) => self.sound(newest_in(self.epoch, &head)),
            Err(error) => self.missing(error)?,
        };
        Ok(*self.newest.get_or_init(|| newest))
    }

    /// The snapshot; nothing when the file is damaged.
    fn read(&self) -> Result<Option<Snapshot>, ArchiveError> {
        match fs::read(self.file.path()) {
            Ok(file) => Ok(self.sound(decode(self.epoch, &file))),
            Err(error) => self.missing(error),
        }
    }

    fn sound<T>(&self, read: Result<T, CheckpointProblem>) -> Option<T> {
        let path = self.file.path().display();
        read.inspect_err(|problem| tracing::warn!(%path, %problem, "keyframe is damaged")).ok()
    }

    /// A file that somebody took away is like a damaged one; another failure may pass.
    fn missing<T>(&self, error: io::Error) -> Result<Option<T>, ArchiveError> {
        let path = self.file.path();
        if error.kind() == io::ErrorKind::NotFound {
            tracing::warn!(path = %path.display(), "keyframe is gone");
            return Ok(None);
        }
        Err(ArchiveError::io("read", path, error))
    }
}

pub(super) fn newest_in(epoch: Epoch, head: &[u8]) -> Result<EventTime, CheckpointProblem> {
    SEAL.check_head(head)?;
    if crc32fast::hash(&head[COVERED_FROM..HEAD_CRC_AT]) != u32_at(head, HEAD_CRC_AT) {
        return Err(CheckpointProblem::Checksum);
    }
    check_epoch(epoch, head)?;
    Ok(EventTime::from_ms(u64_at(head, NEWEST_AT).cast_signed()))
}

pub(super) fn decode(epoch: Epoch, file: &[u8]) -> Result<Snapshot, CheckpointProblem> {
    let body = zstd::decode_all(SEAL.open(epoch, file)?)
        .map_err(|error| CheckpointProblem::Unpack(error.kind()))?;
    postcard::from_bytes(&body).map_err(CheckpointProblem::Decode)
}
