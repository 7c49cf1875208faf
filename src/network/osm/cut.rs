//! Ways cut into links where roads meet: at nodes that two ways or two parts of a way share, at the
//! ends of ways, and at signals. A piece that comes back to its start is cut in half.

use std::collections::{BTreeMap, BTreeSet};

use citytwin_core::road::{Control, DraftJunction, DraftLink};

use super::tags::Direction;
use super::{Notes, Place, Road};

/// Links and junctions, and where the links of a way start and end.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) junctions: Vec<DraftJunction>,
    pub(super) links: Vec<DraftLink>,
    /// Keys of links by way and node they start at.
    pub(super) starting: BTreeMap<(i64, i64), Vec<String>>,
    /// Keys of links by way and node they end at.
    pub(super) ending: BTreeMap<(i64, i64), Vec<String>>,
    /// Keys of links by node they start at.
    pub(super) leaving: BTreeMap<i64, Vec<String>>,
}

/// Cuts all roads.
pub(super) fn cut(roads: &[Road], places: &BTreeMap<i64, Place>, notes: &mut Notes) -> Cut {
    let lines: Vec<(usize, Vec<i64>)> = roads
        .iter()
        .enumerate()
        .flat_map(|(at, road)| known(road, places, notes).into_iter().map(move |line| (at, line)))
        .collect();
    let ends = ends(&lines, places);
    let mut cut = Cut::default();
    let mut used = BTreeSet::new();
    for (at, line) in &lines {
        let mut start = 0;
        for end in 1..line.len() {
            if end + 1 < line.len() && !ends.contains(&line[end]) {
                continue;
            }
            let piece = &line[start..=end];
            start = end;
            if piece.first() != piece.last() {
                cut.put(&roads[*at], piece, places);
                used.extend([piece[0], piece[piece.len() - 1]]);
            } else if piece.len() > 2 {
                let (one, other) = (&piece[..=piece.len() / 2], &piece[piece.len() / 2..]);
                for half in [one, other] {
                    cut.put(&roads[*at], half, places);
                    used.extend([half[0], half[half.len() - 1]]);
                }
            }
        }
    }
    cut.junctions.extend(used.iter().filter_map(|node| {
        let Place { point, control } = *places.get(node)?;
        Some(DraftJunction { key: key(*node), point, control, passable: true })
    }));
    let signals = cut.junctions.iter().filter(|one| one.control == Control::Signal).count();
    notes.add("signals", signals as u64);
    cut
}

pub(super) fn key(node: i64) -> String {
    format!("osm:{node}")
}

/// The pieces of a way whose nodes are in the file, each without repeated nodes in a row.
fn known(road: &Road, places: &BTreeMap<i64, Place>, notes: &mut Notes) -> Vec<Vec<i64>> {
    let mut refs = road.nodes.clone();
    refs.dedup();
    let missing = refs.iter().filter(|node| !places.contains_key(node)).count();
    notes.add("nodes that are not in the file", missing as u64);
    let pieces = refs.split(|node| !places.contains_key(node));
    let lines: Vec<Vec<i64>> =
        pieces.filter(|piece| piece.len() > 1).map(<[i64]>::to_vec).collect();
    if lines.is_empty() {
        notes.add("ways left out: fewer than two nodes", 1);
    }
    lines
}

/// Nodes at which links start and end.
fn ends(lines: &[(usize, Vec<i64>)], places: &BTreeMap<i64, Place>) -> BTreeSet<i64> {
    let mut seen = BTreeSet::new();
    let mut ends = BTreeSet::new();
    for (_, line) in lines {
        ends.extend(line.first().into_iter().chain(line.last()));
        for node in line {
            let signal = places.get(node).is_some_and(|place| place.control == Control::Signal);
            if !seen.insert(*node) || signal {
                ends.insert(*node);
            }
        }
    }
    ends
}

impl Cut {
    /// A piece of a road becomes one or two links.
    fn put(&mut self, road: &Road, piece: &[i64], places: &BTreeMap<i64, Place>) {
        let (forward, backward) = road.tags.lanes();
        let direction = road.tags.direction();
        if direction != Direction::Backward {
            self.link(road, piece, forward, places);
        }
        if direction != Direction::Forward {
            let reversed: Vec<i64> = piece.iter().rev().copied().collect();
            self.link(road, &reversed, backward, places);
        }
    }

    fn link(
        &mut self,
        road: &Road,
        nodes: &[i64],
        lanes: Option<i64>,
        places: &BTreeMap<i64, Place>,
    ) {
        let (Some(from), Some(to)) = (nodes.first(), nodes.last()) else { return };
        let plain = format!("osm:{}:{from}-{to}", road.id);
        // A way may run twice from one junction to another.
        let same = self.starting.get(&(road.id, *from)).into_iter().flatten();
        let twins = same.filter(|key| key.split('#').next() == Some(plain.as_str())).count();
        let name = if twins == 0 { plain } else { format!("{plain}#{}", twins + 1) };
        self.starting.entry((road.id, *from)).or_default().push(name.clone());
        self.ending.entry((road.id, *to)).or_default().push(name.clone());
        self.leaving.entry(*from).or_default().push(name.clone());
        let mut link = DraftLink::new(&name, &key(*from), &key(*to), road.class);
        link.name.clone_from(&road.tags.name);
        link.lanes = lanes;
        link.free_speed_mps = road.tags.limit_mps();
        let point = |node: &i64| places.get(node).map(|place| place.point);
        link.geometry = nodes.iter().filter_map(point).collect();
        self.links.push(link);
    }
}
