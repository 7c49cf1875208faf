//! The bytes of a frame. Nothing here touches a file or a clock.
//!
//! ```text
//! offset  size  (all numbers little-endian)
//!      0     4  magic "FRM1"
//!      4     4  length of the body in bytes
//!      8     8  epoch
//!     16     1  version, 1
//!     17     1  flags: bit 0 = cut
//!     18     2  zero
//!     20     4  number of readings
//!     24     4  length of the sensors in bytes
//!     28     4  CRC-32 over: the segment's first epoch, the frame's offset in the file (8 bytes
//!               each), bytes 0..28, the body
//!     32        body: readings, 24 bytes each
//!                     sensors, postcard of Vec<SensorChange>; nothing if there are none
//!                     dead letters, postcard of Vec<DeadLetter>; nothing if there are none
//!
//! one reading:  0  8  event time, ms since 1970 (i64)
//!               8  8  value (f64)
//!              16  4  sensor's number
//!              20  1  quantity's number
//!              21  1  0 = admitted, else the number of the refusal reason
//!              22  2  zero
//! ```
//!
//! The checksum covers where the frame stands, so that a copy of a frame at another place (left
//! over on the disk, or smuggled in inside a payload) is not taken for one.

use citytwin_core::frame::{Frame, Records, SensorChange};
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorIndex, SensorKey};
use citytwin_core::time::{Epoch, EventTime};
use thiserror::Error;

/// Bytes before the body.
pub const HEADER_BYTES: usize = 32;
/// Bytes of one reading.
pub const READING_BYTES: usize = 24;
/// Largest body. A header that claims more is damaged.
pub const MAX_BODY_BYTES: usize = 64 << 20;

pub(super) const MAGIC: [u8; 4] = *b"FRM1";
const VERSION: u8 = 1;
const FLAG_CUT: u8 = 1;
const CRC_AT: usize = 28;

/// Where a frame stands: its checksum covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The first epoch of the segment, as in its file name.
    pub segment: Epoch,
    /// Bytes before the frame in the file.
    pub offset: u64,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct FrameError(String);

impl FrameError {
    pub(super) fn new(what: &str) -> FrameError {
        FrameError(what.to_owned())
    }
}

fn wrong(what: impl Into<String>) -> FrameError {
    FrameError(what.into())
}

/// What a frame says before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether the archive cuts after it.
    pub cut: bool,
    /// How many readings.
    pub readings: u32,
    /// Bytes of the body.
    pub body_bytes: u32,
    sensor_bytes: u32,
    crc: u32,
}

impl Header {
    /// Reads a header; the checksum is checked by [`Header::verify`].
    ///
    /// # Errors
    /// When it is none, or claims an impossible size.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Header, FrameError> {
        if bytes[0..4] != MAGIC {
            return Err(wrong("no frame begins here"));
        }
        if bytes[16] != VERSION {
            return Err(wrong(format!("frame version {} is not {VERSION}", bytes[16])));
        }
        if bytes[17] & !FLAG_CUT != 0 || bytes[18] != 0 || bytes[19] != 0 {
            return Err(wrong("unknown flags"));
        }
        let header = Header {
            epoch: Epoch::new(u64_at(bytes, 8)),
            cut: bytes[17] & FLAG_CUT != 0,
            readings: u32_at(bytes, 20),
            body_bytes: u32_at(bytes, 4),
            sensor_bytes: u32_at(bytes, 24),
            crc: u32_at(bytes, CRC_AT),
        };
        let claimed =
            u64::from(header.readings) * READING_BYTES as u64 + u64::from(header.sensor_bytes);
        if u64::from(header.body_bytes) > MAX_BODY_BYTES as u64
            || claimed > u64::from(header.body_bytes)
        {
            return Err(wrong("the lengths in the frame's header do not fit each other"));
        }
        Ok(header)
    }

    /// Whether header and body are what was written at this place.
    ///
    /// # Errors
    /// When the checksum differs.
    pub fn verify(
        &self,
        head: &[u8; HEADER_BYTES],
        body: &[u8],
        place: Place,
    ) -> Result<(), FrameError> {
        if crc(place, &head[..CRC_AT], body) == self.crc {
            Ok(())
        } else {
            Err(wrong("the frame's checksum does not match"))
        }
    }

    /// The records in a verified body.
    ///
    /// # Errors
    /// When it does not hold what a frame holds: a checksum cannot tell a writer's mistake.
    pub fn records(&self, body: &[u8]) -> Result<Records, FrameError> {
        let readings_end = self.readings as usize * READING_BYTES;
        let sensors_end = readings_end + self.sensor_bytes as usize;
        let short = || wrong("the frame's body is shorter than its header says");
        let rows = body.get(..readings_end).ok_or_else(short)?;
        let sensors = body.get(readings_end..sensors_end).ok_or_else(short)?;
        let dead = body.get(sensors_end..).ok_or_else(short)?;
        Ok(Records {
            sensors: sensors_from(sensors)?,
            readings: rows
                .as_chunks::<READING_BYTES>()
                .0
                .iter()
                .map(reading_from)
                .collect::<Result<Vec<_>, _>>()?,
            dead_letters: if dead.is_empty() { Vec::new() } else { from_postcard(dead)? },
        })
    }
}

/// Appends the bytes of a frame to `out`.
///
/// # Errors
/// When the body would be larger than [`MAX_BODY_BYTES`].
///
/// # Panics
/// Never: the kinds of records all have an encoding.
pub fn encode(frame: &Frame, place: Place, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    let Records { sensors, readings, dead_letters } = &frame.records;
    out.reserve(readings.len() * READING_BYTES);
    for reading in readings {
        out.extend_from_slice(&reading_bytes(reading));
    }
    let sensors_start = out.len();
    to_postcard(sensors, out);
    let sensor_bytes = out.len() - sensors_start;
    to_postcard(dead_letters, out);

    let body_bytes = out.len() - start - HEADER_BYTES;
    if body_bytes > MAX_BODY_BYTES {
        out.truncate(start);
        return Err(wrong(format!("a body of {body_bytes} bytes is over {MAX_BODY_BYTES}")));
    }
    let small = |n: usize| u32::try_from(n).expect("a part of a body of at most 64 MiB");
    let (head, body) = out[start..].split_at_mut(HEADER_BYTES);
    head[0..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&small(body_bytes).to_le_bytes());
    head[8..16].copy_from_slice(&frame.epoch.number().to_le_bytes());
    head[16] = VERSION;
    head[17] = if frame.cut { FLAG_CUT } else { 0 };
    head[20..24].copy_from_slice(&small(readings.len()).to_le_bytes());
    head[24..28].copy_from_slice(&small(sensor_bytes).to_le_bytes());
    let crc = crc(place, &head[..CRC_AT], body);
    head[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// The frame at the beginning of `bytes`, which may be longer.
///
/// # Errors
/// When there is none, or it was not written at this place.
pub fn decode(bytes: &[u8], place: Place) -> Result<Frame, FrameError> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(wrong("the file ends inside a frame's header"));
    };
    let header = Header::parse(head)?;
    let Some(body) = rest.get(..header.body_bytes as usize) else {
        return Err(wrong("the file ends inside a frame"));
    };
    header.verify(head, body, place)?;
    Ok(Frame { epoch: header.epoch, cut: header.cut, records: header.records(body)? })
}

fn crc(place: Place, head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&place.segment.number().to_le_bytes());
    hasher.update(&place.offset.to_le_bytes());
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}

fn reading_bytes(reading: &Reading) -> [u8; READING_BYTES] {
    let mut row = [0; READING_BYTES];
    row[0..8].copy_from_slice(&reading.event_time.ms().to_le_bytes());
    row[8..16].copy_from_slice(&reading.value.to_le_bytes());
    row[16..20].copy_from_slice(&reading.sensor.number().to_le_bytes());
    row[20] = reading.quantity.number();
    row[21] = match reading.verdict {
        Verdict::Admitted => 0,
        Verdict::Refused(reason) => reason.number(),
    };
    row
}

fn reading_from(row: &[u8; READING_BYTES]) -> Result<Reading, FrameError> {
    let verdict = match row[21] {
        0 => Verdict::Admitted,
        number => Verdict::Refused(
            RefusalReason::from_number(number)
                .ok_or_else(|| wrong(format!("a reading refused for reason {number}")))?,
        ),
    };
    Ok(Reading {
        event_time: EventTime::from_ms(i64::from_le_bytes(array_at(row, 0))),
        value: f64::from_le_bytes(array_at(row, 8)),
        sensor: SensorIndex::new(u32_at(row, 16)),
        quantity: Quantity::from_number(row[20])
            .ok_or_else(|| wrong(format!("a reading of quantity {}", row[20])))?,
        verdict,
    })
}

/// The checked constructors are passed again: what came from a disk proves nothing.
fn sensors_from(bytes: &[u8]) -> Result<Vec<SensorChange>, FrameError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let sensors: Vec<SensorChange> = from_postcard(bytes)?;
    for change in &sensors {
        SensorKey::parse(change.key.as_str()).map_err(|error| wrong(error.to_string()))?;
        let position = change.description.position;
        Position::new(position.latitude_deg(), position.longitude_deg())
            .map_err(|error| wrong(error.to_string()))?;
    }
    Ok(sensors)
}

fn to_postcard<T: serde::Serialize>(list: &[T], out: &mut Vec<u8>) {
    if !list.is_empty() {
        let taken = std::mem::take(out);
        *out = postcard::to_extend(list, taken).expect("records all have an encoding");
    }
}

fn from_postcard<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(bytes) {
        Ok((list, [])) => Ok(list),
        Ok((_, rest)) => Err(wrong(format!("{} bytes too many in the frame", rest.len()))),
        Err(error) => Err(wrong(format!("records that cannot be read: {error}"))),
    }
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of N bytes")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}
