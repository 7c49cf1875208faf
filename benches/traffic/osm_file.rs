//! A made-up town as an OpenStreetMap PBF file, of any size: streets in a grid, each way with a
//! bend, tags as towns have them.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct BlobHeader {
    #[prost(string, required, tag = "1")]
    kind: String,
    #[prost(int32, required, tag = "3")]
    datasize: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Blob {
    #[prost(bytes = "vec", optional, tag = "3")]
    zlib: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct HeaderBlock {
    #[prost(string, repeated, tag = "4")]
    required_features: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct PrimitiveBlock {
    #[prost(message, required, tag = "1")]
    texts: StringTable,
    #[prost(message, repeated, tag = "2")]
    groups: Vec<PrimitiveGroup>,
}

#[derive(Clone, PartialEq, Message)]
struct StringTable {
    #[prost(bytes = "vec", repeated, tag = "1")]
    texts: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PrimitiveGroup {
    #[prost(message, optional, tag = "2")]
    dense: Option<DenseNodes>,
    #[prost(message, repeated, tag = "3")]
    ways: Vec<Way>,
}

#[derive(Clone, PartialEq, Message)]
struct DenseNodes {
    #[prost(sint64, repeated, tag = "1")]
    ids: Vec<i64>,
    #[prost(sint64, repeated, tag = "8")]
    latitudes: Vec<i64>,
    #[prost(sint64, repeated, tag = "9")]
    longitudes: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Way {
    #[prost(int64, required, tag = "1")]
    id: i64,
    #[prost(uint32, repeated, tag = "2")]
    keys: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    values: Vec<u32>,
    #[prost(sint64, repeated, tag = "8")]
    nodes: Vec<i64>,
}

/// Elements of a block: what other writers put into one.
const BLOCK: usize = 8_000;

/// Between junctions, in the unit of the format (1e-7 degrees): some 100 m.
const SPACING: i64 = 9_000;

/// South-western corner, degrees times 1e7.
const CORNER: (i64, i64) = (105_000_000, 1_060_000_000);

/// Texts of all blocks; a way's tags are numbers of them.
const TEXTS: [&str; 12] = [
    "",
    "highway",
    "residential",
    "tertiary",
    "primary",
    "oneway",
    "yes",
    "lanes",
    "2",
    "maxspeed",
    "50",
    "surface",
];

/// The ways of a town of `side` by `side` junctions: right and down from each.
pub(crate) fn ways(side: i64) -> i64 {
    2 * side * (side - 1)
}

/// Writes it.
pub(crate) fn write(path: &Path, side: i64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let head = HeaderBlock {
        required_features: vec!["OsmSchema-V0.6".to_owned(), "DenseNodes".to_owned()],
    };
    blob(&mut file, "OSMHeader", &head)?;
    // Junctions first, then the bend of each way: numbers go up.
    let junctions = (0..side * side).map(|at| (at + 1, place(at, side)));
    let bends = (0..side * side * 2).map(|at| {
        let (latitude, longitude) = place(at / 2, side);
        let (down, right) = if at % 2 == 0 { (500, SPACING / 2) } else { (SPACING / 2, 500) };
        (bend(at, side), (latitude + down, longitude + right))
    });
    let nodes: Vec<_> = junctions.chain(bends).collect();
    for nodes in nodes.chunks(BLOCK) {
        let group = PrimitiveGroup { dense: Some(dense(nodes)), ..PrimitiveGroup::default() };
        blob(&mut file, "OSMData", &block(group))?;
    }
    let ways: Vec<Way> = (0..side * side * 2).filter_map(|at| way(at, side)).collect();
    for ways in ways.chunks(BLOCK) {
        let group = PrimitiveGroup { ways: ways.to_vec(), ..PrimitiveGroup::default() };
        blob(&mut file, "OSMData", &block(group))?;
    }
    file.flush()
}

fn place(junction: i64, side: i64) -> (i64, i64) {
    (CORNER.0 + junction / side * SPACING, CORNER.1 + junction % side * SPACING)
}

/// Number of the node in the middle of a way.
fn bend(way: i64, side: i64) -> i64 {
    side * side + way + 1
}

/// Way number `at`: from junction `at / 2` to the right, or down.
fn way(at: i64, side: i64) -> Option<Way> {
    let from = at / 2;
    let (row, column) = (from / side, from % side);
    let to = if at % 2 == 0 { from + 1 } else { from + side };
    let inside = if at % 2 == 0 { column + 1 < side } else { row + 1 < side };
    let class = match (row % 10, column % 10) {
        (0, _) if at % 2 == 0 => 4,
        (_, 0) if at % 2 == 1 => 3,
        _ => 2,
    };
    let (keys, values) = match class {
        4 => (vec![1, 5, 7, 9], vec![4, 6, 8, 10]),
        3 => (vec![1, 7], vec![3, 8]),
        _ => (vec![1], vec![2]),
    };
    let nodes = deltas([from + 1, bend(at, side), to + 1].into_iter());
    inside.then_some(Way { id: at + 1, keys, values, nodes })
}

fn dense(nodes: &[(i64, (i64, i64))]) -> DenseNodes {
    DenseNodes {
        ids: deltas(nodes.iter().map(|(id, _)| *id)),
        latitudes: deltas(nodes.iter().map(|(_, (latitude, _))| *latitude)),
        longitudes: deltas(nodes.iter().map(|(_, (_, longitude))| *longitude)),
    }
}

fn deltas(numbers: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut last = 0;
    numbers.map(|number| number - std::mem::replace(&mut last, number)).collect()
}

fn block(group: PrimitiveGroup) -> PrimitiveBlock {
    let texts = TEXTS.map(|text| text.as_bytes().to_vec()).to_vec();
    PrimitiveBlock { texts: StringTable { texts }, groups: vec![group] }
}

fn blob(file: &mut impl Write, kind: &str, data: &impl Message) -> io::Result<()> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&data.encode_to_vec())?;
    let body = Blob { zlib: Some(packer.finish()?) }.encode_to_vec();
    let size = i32::try_from(body.len()).map_err(io::Error::other)?;
    let header = BlobHeader { kind: kind.to_owned(), datasize: size }.encode_to_vec();
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    file.write_all(&length.to_be_bytes())?;
    file.write_all(&header)?;
    file.write_all(&body)
}

/// Reads a file and unpacks all of it; gives the bytes there are.
pub(crate) fn unpack(path: &Path) -> io::Result<usize> {
    let file = std::fs::read(path)?;
    let (mut rest, mut bytes) = (file.as_slice(), Vec::new());
    let mut sum = 0;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (header, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        let header = BlobHeader::decode(header).map_err(io::Error::other)?;
        let (body, after) = after.split_at(header.datasize as usize);
        let body = Blob::decode(body).map_err(io::Error::other)?;
        bytes.clear();
        ZlibDecoder::new(body.zlib.unwrap_or_default().as_slice()).read_to_end(&mut bytes)?;
        sum += bytes.len();
        rest = after;
    }
    Ok(sum)
}
