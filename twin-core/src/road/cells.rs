//! Zones for roads that come without: the H3 cells of one resolution.
//!
//! A cell's connectors are its junctions in the main part of the network, the ones with most
//! capacity leaving them first: where trips can really begin and end. A cell without such a junction
//! is no zone.

use std::collections::BTreeMap;

use h3o::{CellIndex, LatLng, Resolution};

use super::draft::DraftZone;
use super::key::JunctionIndex;
use super::network::Network;

/// Most connectors of a zone: more make no difference to where its trips go.
const MOST_CONNECTORS: usize = 12;

impl Network {
    /// The same roads with H3 cells as zones in place of their own; a zone is called as its cell, in
    /// hexadecimal. O(links + junctions · log junctions).
    ///
    /// # Panics
    /// Never: the draft of a network builds.
    #[must_use]
    pub fn with_cells_as_zones(&self, resolution: Resolution) -> Network {
        let mut cells: BTreeMap<CellIndex, Vec<JunctionIndex>> = BTreeMap::new();
        for junction in self.main_junctions() {
            let cell = self.junction(junction).position().cell(resolution);
            cells.entry(cell).or_default().push(junction);
        }
        let mut draft = self.to_draft();
        draft.zones =
            cells.into_iter().map(|(cell, junctions)| self.zone_of(cell, junctions)).collect();
        let built = draft.build();
        assert!(built.faults.is_empty(), "cells make sound zones: {:?}", built.faults.first());
        built.network
    }

    /// The junctions that can be driven to and from, in the main part.
    fn main_junctions(&self) -> impl Iterator<Item = JunctionIndex> {
        let parts = self.strong_parts();
        let main = parts.largest();
        self.junction_indexes().filter(move |junction| {
            let is_main = |link: &super::LinkIndex| Some(parts.part(*link)) == main;
            self.junction(*junction).is_passable()
                && self.incoming(*junction).iter().any(is_main)
                && self.outgoing(*junction).iter().any(is_main)
        })
    }

    fn zone_of(&self, cell: CellIndex, mut junctions: Vec<JunctionIndex>) -> DraftZone {
        let capacity = |junction: &JunctionIndex| {
            let links = self.outgoing(*junction).iter();
            links.map(|link| self.link(*link).capacity_veh_h()).sum::<f64>()
        };
        // Equals stay in the order of the network.
        junctions.sort_by(|a, b| capacity(b).total_cmp(&capacity(a)));
        junctions.truncate(MOST_CONNECTORS);
        let key = |junction: &JunctionIndex| self.junction(*junction).key().as_str().to_owned();
        let point = |at: LatLng| (at.lat(), at.lng());
        DraftZone {
            key: cell.to_string(),
            name: String::new(),
            point: Some(point(cell.into())),
            ring: cell.boundary().iter().copied().map(point).collect(),
            connectors: junctions.iter().map(key).collect(),
        }
    }
}
