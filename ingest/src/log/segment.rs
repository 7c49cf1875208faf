//! One file of the log: its name, its header, and reading it frame by frame.
//!
//! ```text
//! offset  size  (all numbers little-endian)
//!      0     8  magic "CITYLOG1"
//!      8     8  first epoch, as in the name: no frame in it has a lower one
//!     16     8  the last epoch before it in the log, 0 if there was none
//!     24     4  zero
//!     28     4  CRC-32 of bytes 0..28
//!     32        frames
//! ```
//!
//! The header is flushed before the first frame is written, and one frame is flushed before the
//! next is written, so what a crash tears is the end of the newest file: its header with no frame
//! behind it, or its last frame. A good frame behind what does not read is the mark of damage.

use std::fmt;
use std::io::{ErrorKind, Read};

use citytwin_core::frame::{Frame, Records};
use citytwin_core::time::Epoch;

use super::LogError;
use super::disk::Disk;
use super::frame::{self, FrameError, HEADER_BYTES, Header, MAX_BODY_BYTES, Place};

/// Bytes before the first frame.
pub(super) const SEGMENT_HEADER_BYTES: usize = 32;
const MAGIC: [u8; 8] = *b"CITYLOG1";
const CRC_AT: usize = 28;

/// The name of the segment that begins with `first`.
pub(super) fn name_of(first: Epoch) -> String {
    format!("segment-{:020}.log", first.number())
}

/// The first epoch in a segment's name; `None` for other files.
pub(super) fn first_of(name: &str) -> Option<Epoch> {
    let digits = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let first = Epoch::new(digits.parse().ok()?);
    (name_of(first) == name).then_some(first)
}

/// The bytes of a segment's header.
pub(super) fn header(first: Epoch, before: Epoch) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..16].copy_from_slice(&first.number().to_le_bytes());
    bytes[16..24].copy_from_slice(&before.number().to_le_bytes());
    let crc = crc32fast::hash(&bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// The last epoch before the segment, if this is its header.
fn before_of(bytes: &[u8; SEGMENT_HEADER_BYTES], first: Epoch) -> Option<Epoch> {
    let before = Epoch::new(u64::from_le_bytes(bytes[16..24].try_into().ok()?));
    (header(first, before) == *bytes).then_some(before)
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Next {
    /// A frame whose checksum is right; its body is at hand until the next call.
    Frame(Header),
    /// The file ends after the last frame.
    End,
    /// What follows is no frame.
    Bad {
        what: String,
        /// Whether a good frame follows, or more than one frame can be: then it is no torn tail.
        more_follows: bool,
    },
}

/// Reads one segment from its beginning.
pub(super) struct Reader {
    file: Box<dyn Read + Send>,
    place: Place,
    length: u64,
    before: Option<Epoch>,
    body: Vec<u8>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn open(disk: &dyn Disk, first: Epoch) -> Result<Reader, LogError> {
        let path = || disk.path().join(name_of(first));
        let failed = |error| LogError::disk("read", &path(), error);
        let (mut file, length) = disk.read(&name_of(first)).map_err(failed)?;
        let mut head = [0; SEGMENT_HEADER_BYTES];
        let before = match file.read_exact(&mut head) {
            Ok(()) => before_of(&head, first),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(failed(error)),
        };
        let place = Place { segment: first, offset: SEGMENT_HEADER_BYTES as u64 };
        Ok(Reader { file, place, length, before, body: Vec::new() })
    }

    /// The last epoch before the segment; `None` if its header is not a good one.
    pub(super) const fn before(&self) -> Option<Epoch> {
        self.before
    }

    /// The length of the file.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Where the next frame begins: everything before is good.
    pub(super) const fn offset(&self) -> u64 {
        self.place.offset
    }

    /// Goes on by one frame. After `End` or `Bad` there is nothing to go on to.
    pub(super) fn step(&mut self) -> std::io::Result<Next> {
        let left = self.length.saturating_sub(self.place.offset);
        if left == 0 {
            return Ok(Next::End);
        }
        let mut head = [0; HEADER_BYTES];
        let head_bytes = HEADER_BYTES.min(usize::try_from(left).unwrap_or(HEADER_BYTES));
        self.file.read_exact(&mut head[..head_bytes])?;
        if head_bytes < HEADER_BYTES {
            return Ok(Next::Bad {
                what: "the file ends inside a frame's header".to_owned(),
                more_follows: false,
            });
        }
        let header = match Header::parse(&head) {
            Ok(header) => header,
            Err(error) => return self.bad(&error, &head, Vec::new()),
        };
        let frame_bytes = HEADER_BYTES as u64 + u64::from(header.body_bytes);
        if frame_bytes > left {
            let what = FrameError::new("the file ends inside a frame");
            return self.bad(&what, &head, Vec::new());
        }
        self.body.resize(header.body_bytes as usize, 0);
        self.file.read_exact(&mut self.body)?;
        if let Err(error) = header.verify(&head, &self.body, self.place) {
            let body = std::mem::take(&mut self.body);
            return self.bad(&error, &head, body);
        }
        self.place.offset += frame_bytes;
        Ok(Next::Frame(header))
    }

    /// The records of the frame that `step` just returned.
    pub(super) fn records(&self, header: &Header) -> Result<Records, FrameError> {
        header.records(&self.body)
    }

    /// The frame that `step` just returned.
    pub(super) fn frame(&self, header: &Header) -> Result<Frame, FrameError> {
        Ok(Frame { epoch: header.epoch, cut: header.cut, records: self.records(header)? })
    }

    /// Looks through the rest of the file for a frame that is good at its place. Reads it whole:
    /// a segment is bounded, and this happens only where a crash or damage was.
    fn bad(
        &mut self,
        error: &FrameError,
        head: &[u8; HEADER_BYTES],
        body: Vec<u8>,
    ) -> std::io::Result<Next> {
        let mut rest = head.to_vec();
        rest.extend(body);
        self.file.read_to_end(&mut rest)?;
        let too_long = rest.len() > HEADER_BYTES + MAX_BODY_BYTES;
        let good_later = (1..rest.len().saturating_sub(HEADER_BYTES - 1)).any(|at| {
            let place = Place { offset: self.place.offset + at as u64, ..self.place };
            rest[at..].starts_with(&frame::MAGIC) && frame::decode(&rest[at..], place).is_ok()
        });
        Ok(Next::Bad { what: error.to_string(), more_follows: too_long || good_later })
    }
}
