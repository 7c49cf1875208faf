//! A small town as a road network: a square grid of two-way streets with a river through its
//! middle, over which only two bridges lead, and a zone at each corner.

use std::path::Path;

use citytwin::network::gmns;
use citytwin_core::road::{
    Control, Draft, DraftJunction, DraftLink, DraftZone, Network, RoadClass,
};

/// Junctions on a side; the river is behind the column in the middle.
pub(crate) const SIDE: usize = 8;
/// Rows with a bridge.
pub(crate) const BRIDGES: [usize; 2] = [1, 6];
/// Between two junctions, degrees: 330 m.
const BLOCK_DEG: f64 = 0.003;
const CORNER: (f64, f64) = (10.76, 106.68);

/// Where a junction is.
pub(crate) fn point(column: usize, row: usize) -> (f64, f64) {
    (CORNER.0 + row as f64 * BLOCK_DEG, CORNER.1 + column as f64 * BLOCK_DEG)
}

fn key(column: usize, row: usize) -> String {
    format!("{column}-{row}")
}

/// The link from one junction to its neighbour.
pub(crate) fn link(from: (usize, usize), to: (usize, usize)) -> String {
    format!("{}>{}", key(from.0, from.1), key(to.0, to.1))
}

/// Both directions of a bridge.
pub(crate) fn bridge(row: usize) -> [String; 2] {
    let (west, east) = ((SIDE / 2 - 1, row), (SIDE / 2, row));
    [link(west, east), link(east, west)]
}

/// The town.
pub(crate) fn town() -> Network {
    let mut draft = Draft::default();
    for column in 0..SIDE {
        for row in 0..SIDE {
            draft.junctions.push(DraftJunction {
                key: key(column, row),
                point: point(column, row),
                control: Control::None,
                passable: true,
            });
            for (to_column, to_row) in [(column + 1, row), (column, row + 1)] {
                let over = column + 1 == SIDE / 2 && to_column == SIDE / 2;
                if to_column == SIDE || to_row == SIDE || (over && !BRIDGES.contains(&row)) {
                    continue;
                }
                street(&mut draft, (column, row), (to_column, to_row));
            }
        }
    }
    for (name, column, row) in [
        ("south-west", 0, 0),
        ("south-east", SIDE - 1, 0),
        ("north-west", 0, SIDE - 1),
        ("north-east", SIDE - 1, SIDE - 1),
    ] {
        draft.zones.push(DraftZone {
            key: name.to_owned(),
            name: String::new(),
            point: None,
            ring: Vec::new(),
            connectors: vec![key(column, row)],
        });
    }
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

fn street(draft: &mut Draft, from: (usize, usize), to: (usize, usize)) {
    let bridge = from.0 + 1 == SIDE / 2 && to.0 == SIDE / 2;
    for (from, to) in [(from, to), (to, from)] {
        let (start, end) = (key(from.0, from.1), key(to.0, to.1));
        let mut street = DraftLink::new(&link(from, to), &start, &end, RoadClass::Secondary);
        street.lanes = Some(2);
        street.free_speed_mps = Some(12.5);
        street.capacity_veh_h_lane = Some(700.0);
        street.name = if bridge { "Cầu Thử".to_owned() } else { String::new() };
        draft.links.push(street);
    }
}

/// Writes it as GMNS.
pub(crate) fn write(folder: &Path) {
    gmns::write(folder, &town()).expect("the folder takes it");
}
