//! PBF files written here, byte by byte, and what becomes of them.

use std::io::Cursor;

use citytwin_core::road::{Built, Network};
use flate2::{Compression, write::ZlibEncoder};
use prost::Message as _;
use std::io::Write as _;

use super::pbf::{Blob, BlobHeader, DenseNodes, HeaderBlock, Node, PrimitiveGroup, Relation};
use super::pbf::{PrimitiveBlock, StringTable, Way};
use super::*;

/// A town as text: `node 1 10.0 106.0 highway=stop`, `way 7 1,2,3 highway=primary`,
/// `relation 9 from=w7 via=n3 to=w8 type=restriction restriction=no_left_turn`.
#[derive(Default)]
struct Town {
    texts: Vec<Vec<u8>>,
    plain: PrimitiveGroup,
    others: PrimitiveGroup,
    dense: bool,
}

impl Town {
    fn text(&mut self, text: &str) -> u32 {
        if self.texts.is_empty() {
            self.texts.push(Vec::new());
        }
        let known = self.texts.iter().position(|known| known == text.as_bytes());
        let at = known.unwrap_or_else(|| {
            self.texts.push(text.as_bytes().to_vec());
            self.texts.len() - 1
        });
        u32::try_from(at).unwrap()
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = words[1].parse().unwrap();
        let tags_from = if words[0] == "relation" { 2 } else { words.len().min(3) };
        let tags_from = if words[0] == "node" { 4 } else { tags_from };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let (mut roles, mut members, mut kinds, mut last) = (vec![], vec![], vec![], 0);
        for word in &words[tags_from..] {
            let (key, value) = word.split_once('=').unwrap();
            if words[0] == "relation" && ["from", "via", "to"].contains(&key) {
                let (kind, member) = value.split_at(1);
                let member: i64 = member.parse().unwrap();
                roles.push(i32::try_from(self.text(key)).unwrap());
                members.push(member - last);
                kinds.push(i32::from(kind == "w"));
                last = member;
            } else {
                keys.push(self.text(key));
                values.push(self.text(value));
            }
        }
        match words[0] {
            "node" => {
                // Ten-millionths of a degree, from the text itself.
                let stored = |word: &str| {
                    let (whole, part) = word.split_once('.').unwrap();
                    format!("{whole}{part:0<7}").parse::<i64>().unwrap()
                };
                let (latitude, longitude) = (stored(words[2]), stored(words[3]));
                self.plain.nodes.push(Node { id, keys, values, latitude, longitude });
            }
            "way" => {
                let mut last = 0;
                let nodes = words[2].split(',').map(|node| {
                    let node: i64 = node.parse().unwrap();
                    let delta = node - last;
                    last = node;
                    delta
                });
                let nodes = nodes.collect();
                self.others.ways.push(Way { id, keys, values, nodes });
            }
            _ => self.others.relations.push(Relation { id, keys, values, roles, members, kinds }),
        }
    }

    fn file(mut self) -> Vec<u8> {
        if self.dense {
            let mut dense = DenseNodes::default();
            let mut last = (0, 0, 0);
            for node in std::mem::take(&mut self.plain.nodes) {
                dense.ids.push(node.id - last.0);
                dense.latitudes.push(node.latitude - last.1);
                dense.longitudes.push(node.longitude - last.2);
                last = (node.id, node.latitude, node.longitude);
                for (key, value) in node.keys.iter().zip(&node.values) {
                    dense.keys_values.extend([key.cast_signed(), value.cast_signed()]);
                }
                dense.keys_values.push(0);
            }
            self.plain.dense = Some(dense);
        }
        let block = PrimitiveBlock {
            texts: StringTable { texts: self.texts },
            groups: vec![self.plain, self.others],
            ..PrimitiveBlock::default()
        };
        let header = HeaderBlock { required_features: vec!["DenseNodes".into()] };
        let mut file = blob("OSMHeader", &header.encode_to_vec());
        file.extend(blob("OSMData", &block.encode_to_vec()));
        file
    }
}

fn blob(kind: &str, data: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(data).unwrap();
    let body = Blob { raw: None, zlib: Some(packed.finish().unwrap()) }.encode_to_vec();
    let datasize = i32::try_from(body.len()).unwrap();
    let header = BlobHeader { kind: kind.into(), datasize }.encode_to_vec();
    let mut bytes = u32::try_from(header.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(header);
    bytes.extend(body);
    bytes
}

/// A cross: 1 west, 2 middle, 3 east, 4 north, 5 south of 2; 6 and 7 between 1 and 2.
const NODES: &str = "node 1 10.0 106.000
node 6 10.0 106.001
node 7 10.0 106.002
node 2 10.0 106.003
node 3 10.0 106.006
node 4 10.003 106.003
node 5 9.997 106.003";

fn file(text: &str, dense: bool) -> Vec<u8> {
    let mut town = Town { dense, ..Town::default() };
    NODES.lines().chain(text.lines()).for_each(|line| town.line(line));
    town.file()
}

fn import(text: &str) -> (Network, Notes) {
    let read = |dense| {
        let (draft, notes) = read(&mut Cursor::new(file(text, dense)), &mut |_| {}).unwrap();
        let Built { network, faults } = draft.build();
        assert_eq!(faults, []);
        (network, notes)
    };
    let (plain, dense) = (read(false), read(true));
    assert_eq!(plain.0, dense.0);
    plain
}

fn keys(network: &Network) -> String {
    let keys: Vec<_> = network
        .links()
        .iter()
        .map(|link| link.key().as_str().strip_prefix("osm:").unwrap())
        .collect();
    keys.join(" ")
}

fn movements(network: &Network, from: &str) -> String {
    let from = network.find_link(&format!("osm:{from}")).unwrap();
    let names = network.movements_from(from).iter();
    let names: Vec<_> = names
        .map(|one| network.link(one.to).key().as_str().strip_prefix("osm:").unwrap())
        .collect();
    names.join(" ")
}

#[test]
fn one_way_two_way_and_against_the_way() {
    let (network, notes) = import(
        "way 10 1,6,7,2 highway=primary lanes=4 maxspeed=60 name=A
way 11 2,3 highway=residential oneway=yes
way 12 2,4 highway=residential oneway=-1
way 13 2,5 highway=footway
way 14 5 highway=residential",
    );
    assert_eq!(keys(&network), "10:1-2 10:2-1 11:2-3 12:4-2");
    let one = network.link(network.find_link("osm:10:1-2").unwrap());
    assert_eq!((one.lanes().get(), one.geometry().len(), one.name()), (2, 4, "A"));
    assert!((one.free_speed().kmh() - 60.0).abs() < 1e-9);
    assert!((one.length().get() - 328.5).abs() < 0.1, "{}", one.length().get());
    assert_eq!(notes.get("ways left out: highway=footway"), 1);
    assert_eq!(notes.get("ways left out: fewer than two nodes"), 1);
    assert_eq!(movements(&network, "10:1-2"), "11:2-3");
    assert_eq!(movements(&network, "12:4-2"), "10:2-1 11:2-3");
}

#[test]
fn ways_are_cut_where_they_meet_and_at_signals() {
    let (network, _) = import(
        "way 10 1,6,2,3 highway=primary oneway=yes
way 11 5,2,4 highway=residential oneway=yes",
    );
    assert_eq!(keys(&network), "10:1-2 10:2-3 11:2-4 11:5-2");
    let mut town = Town::default();
    NODES.lines().for_each(|line| town.line(line));
    town.line("node 8 10.0 106.0045 highway=crossing;traffic_signals");
    town.line("way 10 2,8,3 highway=primary oneway=yes");
    let (draft, notes) = read(&mut Cursor::new(town.file()), &mut |_| {}).unwrap();
    assert_eq!(draft.links.len(), 2);
    assert_eq!(notes.get("signals"), 1);
}

#[test]
fn a_roundabout_is_one_way_and_no_loop() {
    let (network, _) = import(
        "way 10 1,5,3,4,1 highway=tertiary junction=roundabout
way 11 2,3 highway=tertiary",
    );
    assert_eq!(keys(&network), "10:1-3 10:3-1 11:2-3 11:3-2");
    assert_eq!(movements(&network, "10:1-3"), "10:3-1 11:3-2");
    let (ring, _) = import("way 10 1,5,3,4,1 highway=tertiary junction=roundabout");
    assert_eq!(keys(&ring), "10:1-3 10:3-1");
}

#[test]
fn restrictions() {
    let roads = "way 10 1,2 highway=primary
way 11 2,3 highway=primary
way 12 2,4 highway=primary
way 13 2,5 highway=primary
";
    let check = |relation: &str, expected: &str, note: &str| {
        let (network, notes) = import(&format!("{roads}relation 9 {relation}"));
        assert_eq!(movements(&network, "10:1-2"), expected, "{relation}");
        assert_eq!(notes.get(note), 1, "{relation}: {notes:?}");
    };
    let all = "11:2-3 12:2-4 13:2-5";
    let via = "from=w10 via=n2 to=w12 type=restriction restriction=";
    check(&format!("{via}no_left_turn"), "11:2-3 13:2-5", "restrictions");
    check(&format!("{via}only_left_turn"), "12:2-4", "restrictions");
    check(&format!("{via}no_left_turn except=bus"), "11:2-3 13:2-5", "restrictions");
    let exempt = "restrictions that do not hold for cars or motorcycles";
    check(&format!("{via}no_left_turn except=bus;motorcycle"), all, exempt);
    check(&format!("{via}give_way"), all, "restrictions of an unknown kind");
    let gone = "from=w10 via=n2 to=w99 type=restriction restriction=no_left_turn";
    check(gone, all, "restrictions whose roads are not in the network");
    let way = "from=w10 via=w11 to=w12 type=restriction restriction=no_u_turn";
    check(way, all, "restrictions via a way, not supported");
    let turn = "from=w10 via=n2 to=w10 type=restriction restriction=only_u_turn";
    check(turn, "10:2-1", "restrictions");
}

#[test]
fn nodes_that_are_missing_cut_a_way() {
    let (network, notes) = import("way 10 1,6,99,7,2 highway=primary oneway=yes");
    assert_eq!(keys(&network), "10:1-6 10:7-2");
    assert_eq!(notes.get("nodes that are not in the file"), 1);
}

#[test]
fn a_way_that_runs_twice_between_the_same_junctions() {
    let (network, _) = import(
        "way 10 1,5,3,1,4,3 highway=primary oneway=yes
way 11 1,2 highway=primary
way 12 3,2 highway=primary",
    );
    assert_eq!(keys(&network), "10:1-3 10:1-3#2 10:3-1 11:1-2 11:2-1 12:2-3 12:3-2");
}

fn error(bytes: Vec<u8>) -> String {
    let error = read(&mut Cursor::new(bytes), &mut |_| {}).unwrap_err();
    error.to_string()
}

#[test]
fn broken_files_say_where() {
    let whole = file("way 10 1,2 highway=primary", true);
    let second = blob(
        "OSMHeader",
        &HeaderBlock { required_features: vec!["DenseNodes".into()] }.encode_to_vec(),
    )
    .len();
    assert_eq!(error(Vec::new()), "the file is empty");
    for cut in second + 1..whole.len() {
        let told = error(whole[..cut].to_vec());
        let expected = format!("the file ends within the blob that starts at byte {second}");
        assert_eq!(told, expected, "cut at {cut}");
    }
    assert!(error(b"<?xml version".to_vec()).starts_with("no OpenStreetMap PBF"));
    let needs = HeaderBlock { required_features: vec!["HistoricalInformation".into()] };
    let needs = blob("OSMHeader", &needs.encode_to_vec());
    assert!(error(needs).contains("requires \"HistoricalInformation\""));
    let bomb = blob("OSMData", &vec![0; pbf::MAX_BLOB + 1]);
    assert_eq!(error(bomb), "the blob at byte 0 cannot be unpacked");
    let huge = BlobHeader { kind: "OSMData".into(), datasize: -1 }.encode_to_vec();
    let mut bytes = u32::try_from(huge.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(huge);
    assert!(error(bytes).contains("more than the format allows"));
}

#[test]
fn no_byte_of_a_file_stops_the_process() {
    let whole = file(
        "way 10 1,6,7,2 highway=primary
relation 9 from=w10 via=n2 to=w10 type=restriction restriction=no_u_turn",
        true,
    );
    let header = whole.len() - blob_length(&whole);
    // Damage what is packed, not the packing, which has its own checksum.
    let body = Blob::decode(&whole[header..]).unwrap().zlib.unwrap();
    let mut data = Vec::new();
    flate2::read::ZlibDecoder::new(body.as_slice()).read_to_end(&mut data).unwrap();
    for at in 0..data.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut damaged = data.clone();
            damaged[at] ^= change;
            if let Ok((draft, _)) = read(&mut Cursor::new(blob("OSMData", &damaged)), &mut |_| {}) {
                drop(draft.build());
            }
        }
    }
}

/// Length of the last blob's body in a file of two.
fn blob_length(whole: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let head = u32::from_be_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
        let header = BlobHeader::decode(&whole[at + 4..at + 4 + head]).unwrap();
        at += 4 + head;
        let size = usize::try_from(header.datasize).unwrap();
        if at + size == whole.len() {
            return size;
        }
        at += size;
    }
}
