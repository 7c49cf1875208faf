//! H3 cells as zones.

use h3o::{CellIndex, Resolution};

use super::*;

/// Two towns 900 m apart, joined both ways, and a lane beside them that leads nowhere.
fn towns() -> Network {
    network("a=b b=c c=d d=e e=f f=g g=h h=i i=j k-l")
}

#[test]
fn every_cell_with_a_main_junction_is_a_zone() {
    let roads = towns().with_cells_as_zones(Resolution::Nine);
    assert!(roads.zones().len() > 1, "{} zones", roads.zones().len());
    let mut connected = Vec::new();
    for zone in roads.zones() {
        let cell: CellIndex = zone.key().as_str().parse().unwrap();
        assert_eq!(zone.ring().len(), 6);
        for connector in zone.connectors() {
            let junction = roads.junction(*connector);
            assert_eq!(junction.position().cell(Resolution::Nine), cell);
            connected.push(junction.key().as_str().to_owned());
        }
    }
    connected.sort_unstable();
    // Each junction of the main part once; those of the lane not at all.
    assert_eq!(connected.concat(), "abcdefghij");
    assert_eq!(roads.links(), towns().links(), "the roads stay");
}

#[test]
fn a_large_cell_keeps_its_greatest_junctions() {
    let roads = towns().with_cells_as_zones(Resolution::Five);
    let of =
        |roads: &Network| roads.zones().iter().map(|zone| zone.connectors().len()).sum::<usize>();
    assert_eq!(of(&roads), 10);
    // Twice is once: zones are replaced, not added.
    assert_eq!(roads.with_cells_as_zones(Resolution::Five), roads);
    assert!(network("a-b").with_cells_as_zones(Resolution::Nine).zones().is_empty());
}
