//! A TNTP network as roads on the map: the network file, and beside it the node file of the same name
//! (`…_net.tntp`, `…_node.tntp`), whose coordinates are degrees.
//!
//! The files do not say their units; whoever reads them does. Delay curves become those of the
//! program: what a link's `b` and `power` were is not kept, and counted where it differs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use citytwin_core::road::{Control, Draft, DraftJunction, DraftLink, DraftZone, RoadClass};
use thiserror::Error;

use super::super::Notes;
use super::{Link, NetworkFile, TntpError, number, without_comment};

/// A lane carries no more than this, veh/h: how many lanes there are follows.
const LANE_VEH_H: f64 = 1_900.0;

/// What one of a file's units is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Units {
    /// Metres in a unit of length.
    pub length_m: f64,
    /// Seconds in a unit of time.
    pub time_s: f64,
}

/// Why a network cannot be put on the map.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum RoadsError {
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("{}", path.display())]
    Tntp {
        path: PathBuf,
        #[source]
        cause: TntpError,
    },
    #[error("{}, line {line}: wanted: number, longitude, latitude ;", path.display())]
    Node { path: PathBuf, line: usize },
    #[error(
        "{}, line {line}: ({x}, {y}) is no longitude and latitude in degrees; other coordinates have to \
         be turned into these first",
        path.display()
    )]
    Degrees { path: PathBuf, line: usize, x: f64, y: f64 },
    #[error("{} has no position for junction {junction}", path.display())]
    NoPosition { path: PathBuf, junction: u32 },
}

/// Where the positions of a network file's junctions are.
pub fn node_file(network: &Path) -> PathBuf {
    let name = network.file_name().unwrap_or_default().to_string_lossy();
    network.with_file_name(name.replace("_net.", "_node."))
}

/// Reads both files.
///
/// # Errors
/// When one is not there or is wrong, or a junction has no position.
pub fn read(path: &Path, units: Units) -> Result<(Draft, Notes), RoadsError> {
    let text = |path: &Path| {
        let read = std::fs::read_to_string(path);
        read.map_err(|cause| RoadsError::File { path: path.to_owned(), cause })
    };
    let file = NetworkFile::read(&text(path)?);
    let file = file.map_err(|cause| RoadsError::Tntp { path: path.to_owned(), cause })?;
    let beside = node_file(path);
    let positions = positions(&beside, &text(&beside)?)?;
    let mut notes = Notes::default();
    let mut draft = Draft::default();
    for junction in 1..=file.junctions {
        let point = positions.get(&junction).copied();
        let missing = || RoadsError::NoPosition { path: beside.clone(), junction };
        draft.junctions.push(DraftJunction {
            key: junction.to_string(),
            point: point.ok_or_else(missing)?,
            control: Control::None,
            passable: junction > file.first_thru,
        });
    }
    for (link, at) in file.links.iter().zip(1_u32..) {
        draft.links.push(road(link, at, file.first_thru, units));
        let is_ours =
            link.b.to_bits() == 0.15_f64.to_bits() && link.power.to_bits() == 4.0_f64.to_bits();
        notes.add("links whose delay curve becomes that of their class", u64::from(!is_ours));
        notes.add("tolls left out", u64::from(link.toll > 0.0));
    }
    draft.zones = (1..=file.zones).map(|zone| of_zone(zone.to_string())).collect();
    Ok((draft, notes))
}

fn of_zone(key: String) -> DraftZone {
    let connectors = vec![key.clone()];
    DraftZone { name: key.clone(), key, point: None, ring: Vec::new(), connectors }
}

/// A link; one at a centroid is a connector.
fn road(link: &Link, at: u32, first_thru: u32, units: Units) -> DraftLink {
    let is_connector = link.from < first_thru || link.to < first_thru;
    let class = if is_connector { RoadClass::Connector } else { RoadClass::Primary };
    let (from, to) = ((link.from + 1).to_string(), (link.to + 1).to_string());
    let mut road = DraftLink::new(&format!("{from}-{to}/{at}"), &from, &to, class);
    let length_m = link.length * units.length_m;
    if length_m > 0.0 {
        road.length_m = Some(length_m);
        let time_s = link.free_flow_time * units.time_s;
        road.free_speed_mps = (time_s > 0.0 && !is_connector).then_some(length_m / time_s);
    }
    if link.capacity > 0.0 && !is_connector {
        let lanes = (link.capacity / LANE_VEH_H).ceil().clamp(1.0, 10.0);
        #[expect(clippy::cast_possible_truncation, reason = "1 to 10")]
        let count = lanes as i64;
        road.lanes = Some(count);
        road.capacity_veh_h_lane = Some(link.capacity / lanes);
    }
    road
}

/// Latitude and longitude by junction.
fn positions(path: &Path, text: &str) -> Result<BTreeMap<u32, (f64, f64)>, RoadsError> {
    let mut positions = BTreeMap::new();
    for (row, line) in text.lines().map(without_comment).zip(1..) {
        let row = row.trim_end_matches(';').trim();
        let is_head = row.chars().next().is_some_and(|first| first.is_alphabetic() || first == '<');
        if row.is_empty() || is_head {
            continue;
        }
        let fields: Vec<&str> = row.split_whitespace().collect();
        let parsed = || {
            let [junction, x, y, ..] = fields[..] else { return None };
            Some((junction.parse().ok()?, number(x, "X").ok()?, number(y, "Y").ok()?))
        };
        let wrong = || RoadsError::Node { path: path.to_owned(), line };
        let (junction, x, y): (u32, f64, f64) = parsed().ok_or_else(wrong)?;
        if x.abs() > 180.0 || y.abs() > 90.0 {
            return Err(RoadsError::Degrees { path: path.to_owned(), line, x, y });
        }
        positions.insert(junction, (y, x));
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use citytwin_core::road::Built;

    use super::*;

    const NET: &str = "\
<NUMBER OF ZONES> 2
<NUMBER OF NODES> 4
<FIRST THRU NODE> 3
<NUMBER OF LINKS> 4
<END OF METADATA>
1 3 1 0 0 0.15 4 0 0 1 ;
3 4 3600 1 2 0.15 4 0 0 1 ;
4 3 3600 1 2 0.5 2 0 0 1 ;
4 2 1 0 0 0.15 4 0 0 1 ;
";
    const NODES: &str =
        "Node\tX\tY ;\n1 106.69 10.77 ;\n2 106.72 10.77;\n3 106.70 10.77 ;\n4 106.71 10.77 ;\n";

    fn read_both(nodes: &str) -> Result<(Draft, Notes), String> {
        let folder = tempfile::tempdir().unwrap();
        let net = folder.path().join("town_net.tntp");
        std::fs::write(&net, NET).unwrap();
        std::fs::write(folder.path().join("town_node.tntp"), nodes).unwrap();
        let units = Units { length_m: 1_000.0, time_s: 60.0 };
        read(&net, units).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    }

    #[test]
    fn a_network_becomes_roads() {
        let (draft, notes) = read_both(NODES).unwrap();
        assert_eq!(notes.get("links whose delay curve becomes that of their class"), 1);
        let Built { network, faults } = draft.build();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!((network.links().len(), network.zones().len()), (4, 2));
        let link = &network.links()[1];
        assert_eq!(link.class(), RoadClass::Primary);
        assert!((link.length().get() - 1_000.0).abs() < 1e-9);
        assert!((link.free_speed().get() - 1_000.0 / 120.0).abs() < 1e-9);
        assert!((link.capacity_veh_h() - 3_600.0).abs() < 1e-6);
        assert!((link.lanes().count() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            (
                NODES.replace("106.69 10.77", "690309 1976022"),
                "line 2: (690309, 1976022) is no longitude",
            ),
            (NODES.replace("3 106.70 10.77 ;\n", ""), "has no position for junction 3"),
            (NODES.replace("106.72", "east"), "town_node.tntp, line 3: wanted: number, longitude"),
        ];
        for (nodes, expected) in table {
            let told = read_both(&nodes).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
    }
}
