//! The container of OpenStreetMap data, as far as roads need it (OSM wiki, "PBF Format").
//!
//! ```text
//! file     = blob*
//! blob     = u32 big-endian: length of the header | BlobHeader | Blob (as long as the header says)
//! Blob     = raw or zlib bytes of a HeaderBlock (first) or a PrimitiveBlock
//! ```
//!
//! Decoded with prost, not with a crate for it: those at hand do not say where a file is broken, and
//! stop the process on some that are. No byte of a file is trusted: lengths are bounded before
//! anything is allocated, sums of deltas wrap, indexes into the table of texts are checked.

use std::io::{self, Read, Write as _};

use flate2::write::ZlibDecoder;
use prost::Message;
use thiserror::Error;

/// Longest header of a blob, bytes (the format's limit).
const MAX_HEADER: u32 = 64 * 1_024;
/// Longest blob, packed or unpacked, bytes (the format's limit).
pub(super) const MAX_BLOB: usize = 32 * 1_024 * 1_024;
/// What this reader understands of what a file may require.
const FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

/// Why a file is no readable PBF.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum PbfError {
    #[error("cannot read at byte {offset}")]
    Read {
        offset: u64,
        #[source]
        cause: io::Error,
    },
    #[error("the file ends within the blob that starts at byte {offset}")]
    Cut { offset: u64 },
    #[error("no OpenStreetMap PBF: the blob at byte {offset} has a header of {length} bytes")]
    Header { offset: u64, length: u64 },
    #[error("the blob at byte {offset} is {length} bytes long, more than the format allows")]
    TooLong { offset: u64, length: u64 },
    #[error("the blob at byte {offset} cannot be decoded ({what})")]
    Decode {
        offset: u64,
        what: &'static str,
        #[source]
        cause: prost::DecodeError,
    },
    #[error("the blob at byte {offset} cannot be unpacked")]
    Inflate {
        offset: u64,
        #[source]
        cause: io::Error,
    },
    #[error("the blob at byte {offset} is packed in a way that is not supported (only zlib is)")]
    Packing { offset: u64 },
    #[error("the file requires {0:?}, which is not supported")]
    Feature(String),
    #[error("the file is empty")]
    Empty,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BlobHeader {
    #[prost(string, required, tag = "1")]
    pub(super) kind: String,
    #[prost(int32, required, tag = "3")]
    pub(super) datasize: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Blob {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub(super) raw: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(super) zlib: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HeaderBlock {
    #[prost(string, repeated, tag = "4")]
    pub(super) required_features: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimitiveBlock {
    #[prost(message, required, tag = "1")]
    pub(super) texts: StringTable,
    #[prost(message, repeated, tag = "2")]
    pub(super) groups: Vec<PrimitiveGroup>,
    #[prost(int32, optional, tag = "17", default = "100")]
    pub(super) granularity: Option<i32>,
    #[prost(int64, optional, tag = "19")]
    pub(super) latitude_offset: Option<i64>,
    #[prost(int64, optional, tag = "20")]
    pub(super) longitude_offset: Option<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StringTable {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) texts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PrimitiveGroup {
    #[prost(message, repeated, tag = "1")]
    pub(super) nodes: Vec<Node>,
    #[prost(message, optional, tag = "2")]
    pub(super) dense: Option<DenseNodes>,
    #[prost(message, repeated, tag = "3")]
    pub(super) ways: Vec<Way>,
    #[prost(message, repeated, tag = "4")]
    pub(super) relations: Vec<Relation>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(sint64, required, tag = "1")]
    pub(super) id: i64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    #[prost(sint64, required, tag = "8")]
    pub(super) latitude: i64,
    #[prost(sint64, required, tag = "9")]
    pub(super) longitude: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DenseNodes {
    #[prost(sint64, repeated, tag = "1")]
    pub(super) ids: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    pub(super) latitudes: Vec<i64>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) longitudes: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    pub(super) keys_values: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Way {
    #[prost(int64, required, tag = "1")]
    pub(super) id: i64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    #[prost(sint64, repeated, tag = "8")]
    pub(super) nodes: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Relation {
    #[prost(int64, required, tag = "1")]
    pub(super) id: i64,
    #[prost(uint32, repeated, tag = "2")]
    pub(super) keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    pub(super) values: Vec<u32>,
    #[prost(int32, repeated, tag = "8")]
    pub(super) roles: Vec<i32>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) members: Vec<i64>,
    #[prost(int32, repeated, tag = "10")]
    pub(super) kinds: Vec<i32>,
}

/// Kind of a relation's member: a node.
pub(super) const NODE: i32 = 0;
/// Kind of a relation's member: a way.
pub(super) const WAY: i32 = 1;

impl PrimitiveBlock {
    /// A text of the table; empty where there is none or it is not UTF-8.
    pub(super) fn text(&self, index: usize) -> &str {
        let bytes = self.texts.texts.get(index).map_or(&[][..], Vec::as_slice);
        std::str::from_utf8(bytes).unwrap_or("")
    }

    /// Tags of a thing by its two lists of indexes.
    pub(super) fn tags<'a>(
        &'a self,
        keys: &'a [u32],
        values: &'a [u32],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let text = |index: &u32| self.text(usize::try_from(*index).unwrap_or(usize::MAX));
        keys.iter().zip(values).map(move |(key, value)| (text(key), text(value)))
    }

    /// Degrees north and east of stored coordinates.
    pub(super) fn degrees(&self, latitude: i64, longitude: i64) -> (f64, f64) {
        let nano = |offset: Option<i64>, stored: i64| {
            let scaled = i64::from(self.granularity()).wrapping_mul(stored);
            offset.unwrap_or_default().wrapping_add(scaled) as f64 / 1e9
        };
        (nano(self.latitude_offset, latitude), nano(self.longitude_offset, longitude))
    }
}

/// Sums of deltas.
pub(super) fn undelta(deltas: &[i64]) -> impl Iterator<Item = i64> {
    deltas.iter().scan(0_i64, |sum, delta| {
        *sum = sum.wrapping_add(*delta);
        Some(*sum)
    })
}

/// Reads all blocks of data from the start; `each` gets every block, `progress` the bytes read.
pub(super) fn blocks(
    mut file: impl Read,
    progress: &mut dyn FnMut(u64),
    mut each: impl FnMut(&PrimitiveBlock),
) -> Result<(), PbfError> {
    let mut offset = 0;
    while let Some((kind, data, length)) = blob(&mut file, offset)? {
        let decode = |what, cause| PbfError::Decode { offset, what, cause };
        match kind.as_str() {
            "OSMHeader" => {
                let header = HeaderBlock::decode(data.as_slice());
                let header = header.map_err(|cause| decode("header block", cause))?;
                let unknown = |name: &&String| !FEATURES.contains(&name.as_str());
                if let Some(name) = header.required_features.iter().find(unknown) {
                    return Err(PbfError::Feature(name.clone()));
                }
            }
            "OSMData" => {
                let block = PrimitiveBlock::decode(data.as_slice());
                each(&block.map_err(|cause| decode("primitive block", cause))?);
            }
            // The format asks to skip kinds that are not known.
            _ => {}
        }
        offset += length;
        progress(offset);
    }
    if offset == 0 { Err(PbfError::Empty) } else { Ok(()) }
}

/// The next blob: its kind, its unpacked data, its length in the file; `None` at the end.
fn blob(file: &mut impl Read, offset: u64) -> Result<Option<(String, Vec<u8>, u64)>, PbfError> {
    let head = take(file, 4, offset)?;
    if head.is_empty() {
        return Ok(None);
    }
    let Ok(head) = <[u8; 4]>::try_from(head.as_slice()) else {
        return Err(PbfError::Cut { offset });
    };
    let length = u32::from_be_bytes(head);
    if length == 0 || length > MAX_HEADER {
        return Err(PbfError::Header { offset, length: u64::from(length) });
    }
    let header = take(file, u64::from(length), offset)?;
    if header.len() as u64 != u64::from(length) {
        return Err(PbfError::Cut { offset });
    }
    let header = BlobHeader::decode(header.as_slice()).map_err(|cause| PbfError::Decode {
        offset,
        what: "blob header",
        cause,
    })?;
    let size = u64::try_from(header.datasize).unwrap_or(u64::MAX);
    if size > MAX_BLOB as u64 {
        return Err(PbfError::TooLong { offset, length: size });
    }
    let body = take(file, size, offset)?;
    if body.len() as u64 != size {
        return Err(PbfError::Cut { offset });
    }
    let blob = Blob::decode(body.as_slice()).map_err(|cause| PbfError::Decode {
        offset,
        what: "blob",
        cause,
    })?;
    Ok(Some((header.kind, unpack(blob, offset)?, 4 + u64::from(length) + size)))
}

fn take(file: &mut impl Read, length: u64, offset: u64) -> Result<Vec<u8>, PbfError> {
    let mut bytes = Vec::new();
    let read = file.by_ref().take(length).read_to_end(&mut bytes);
    read.map_err(|cause| PbfError::Read { offset, cause })?;
    Ok(bytes)
}

/// A writer that takes no more than a block may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_BLOB {
            return Err(io::Error::other("it unpacks to more than the format allows"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unpack(blob: Blob, offset: u64) -> Result<Vec<u8>, PbfError> {
    match (blob.raw, blob.zlib) {
        (Some(raw), _) => Ok(raw),
        (None, Some(packed)) => {
            let mut decoder = ZlibDecoder::new(Bounded(Vec::new()));
            let unpacked = decoder.write_all(&packed).and_then(|()| decoder.finish());
            Ok(unpacked.map_err(|cause| PbfError::Inflate { offset, cause })?.0)
        }
        (None, None) => Err(PbfError::Packing { offset }),
    }
}
