//! Roads from OpenStreetMap PBF.
//!
//! The file is read twice: first ways and restrictions, which say which nodes are needed, then
//! those nodes. So memory goes by the roads, not by the size of the file, and the order of things
//! in it does not matter.
//!
//! Kept are the ways of [`RoadClass`](citytwin_core::road::RoadClass) that cars or motorcycles may
//! use; dual carriageways stay two one-way roads. Service, foot and cycle ways are left out and
//! counted by their tag. A link's key is `osm:WAY:FROM_NODE-TO_NODE`, a junction's `osm:NODE`.

mod cut;
mod pbf;
mod restrictions;
mod tags;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use citytwin_core::road::{Control, Draft, DraftPoint};

pub use pbf::PbfError;
use pbf::{PrimitiveBlock, undelta};
use restrictions::Restriction;
use tags::{LeftOut, WayTags};

use super::Notes;

/// A road as it is in the file.
#[derive(Debug)]
struct Road {
    id: i64,
    class: citytwin_core::road::RoadClass,
    nodes: Vec<i64>,
    tags: WayTags,
}

/// A node that a road needs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    point: DraftPoint,
    control: Control,
}

/// Reads a whole file; `progress` gets the share of the work done in bytes of twice the file.
///
/// # Errors
/// When it cannot be read or is no sound PBF; the error names the byte.
pub fn read(
    file: &mut (impl Read + Seek),
    progress: &mut dyn FnMut(u64),
) -> Result<(Draft, Notes), PbfError> {
    let mut notes = Notes::default();
    let mut found = Ways::default();
    let mut length = 0;
    let mut first = |read: u64| {
        length = read;
        progress(read);
    };
    pbf::blocks(io::BufReader::new(&mut *file), &mut first, |block| {
        found.take(block, &mut notes);
    })?;
    file.rewind().map_err(|cause| PbfError::Read { offset: 0, cause })?;
    let mut needed: Vec<i64> =
        found.roads.iter().flat_map(|road| road.nodes.iter().copied()).collect();
    needed.sort_unstable();
    needed.dedup();
    let mut places: BTreeMap<i64, Place> = BTreeMap::new();
    let mut second = |read: u64| progress(length + read);
    pbf::blocks(io::BufReader::new(&mut *file), &mut second, |block| {
        take_nodes(block, &needed, &mut places);
    })?;
    // In order of id, so that the same roads in another order of file give the same keys.
    found.roads.sort_by_key(|road| road.id);
    let cut = cut::cut(&found.roads, &places, &mut notes);
    let turns = restrictions::turns(&found.restrictions, &cut, &mut notes);
    Ok((Draft { junctions: cut.junctions, links: cut.links, turns, ..Draft::default() }, notes))
}

#[derive(Debug, Default)]
struct Ways {
    roads: Vec<Road>,
    restrictions: Vec<Restriction>,
}

impl Ways {
    fn take(&mut self, block: &PrimitiveBlock, notes: &mut Notes) {
        for way in block.groups.iter().flat_map(|group| &group.ways) {
            let tags = WayTags::of(block.tags(&way.keys, &way.values));
            match tags.class() {
                Ok(class) => {
                    notes.add("ways taken", 1);
                    notes.add("tags not used", tags.ignored);
                    let road =
                        Road { id: way.id, class, nodes: undelta(&way.nodes).collect(), tags };
                    self.roads.push(road);
                }
                Err(LeftOut::NoRoad) => {}
                Err(LeftOut::Other) => {
                    notes.add(&format!("ways left out: highway={}", tags.highway), 1);
                }
                Err(LeftOut::Closed) => notes.add("ways left out: closed to motor vehicles", 1),
            }
        }
        for relation in block.groups.iter().flat_map(|group| &group.relations) {
            self.restrictions.extend(Restriction::of(block, relation));
        }
    }
}

fn take_nodes(block: &PrimitiveBlock, needed: &[i64], places: &mut BTreeMap<i64, Place>) {
    let mut put = |id: i64, stored: (i64, i64), control: Control| {
        if needed.binary_search(&id).is_ok() {
            places.insert(id, Place { point: block.degrees(stored.0, stored.1), control });
        }
    };
    for group in &block.groups {
        for node in &group.nodes {
            let control = control(block.tags(&node.keys, &node.values));
            put(node.id, (node.latitude, node.longitude), control);
        }
        let Some(dense) = &group.dense else { continue };
        let stored = undelta(&dense.latitudes).zip(undelta(&dense.longitudes));
        let mut rest = dense.keys_values.as_slice();
        for (id, stored) in undelta(&dense.ids).zip(stored) {
            let end = rest.iter().position(|index| *index == 0).unwrap_or(rest.len());
            let text = |index: i32| block.text(usize::try_from(index).unwrap_or(usize::MAX));
            let (own, after) = rest.split_at(end);
            let pairs = own.as_chunks::<2>().0;
            put(id, stored, control(pairs.iter().map(|[key, value]| (text(*key), text(*value)))));
            rest = after.get(1..).unwrap_or_default();
        }
    }
}

/// A value may be a list, `crossing;traffic_signals`.
fn control<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Control {
    let mut highway = tags.filter(|(key, _)| *key == "highway").flat_map(|(_, v)| v.split(';'));
    highway
        .find_map(|value| match value.trim() {
            "traffic_signals" => Some(Control::Signal),
            "stop" => Some(Control::Stop),
            "give_way" => Some(Control::Yield),
            _ => None,
        })
        .unwrap_or_default()
}
