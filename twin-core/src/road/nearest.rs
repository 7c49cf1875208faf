//! Which links are near a point: an R-tree over the straight pieces of all lines, then exact
//! distances. The answer equals asking every link.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::key::LinkIndex;
use super::network::Network;
use super::shape::{Foot, foot};
use crate::position::{EARTH_RADIUS_M, Position};

/// A link near a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Which.
    pub link: LinkIndex,
    /// Its nearest point.
    pub foot: Foot,
}

/// Finds links by position. Lines that cross the anti-meridian are not found near it.
#[derive(Debug)]
pub struct LinkFinder<'a> {
    network: &'a Network,
    pieces: RTree<GeomWithData<Rectangle<[f64; 2]>, LinkIndex>>,
}

impl<'a> LinkFinder<'a> {
    /// Over all links of a network. O(n log n).
    pub fn new(network: &'a Network) -> LinkFinder<'a> {
        let mut pieces = Vec::new();
        for link in network.link_indexes() {
            for pair in network.line(link).windows(2) {
                let [a, b] =
                    [pair[0], pair[1]].map(|one| [one.longitude_deg(), one.latitude_deg()]);
                pieces.push(GeomWithData::new(Rectangle::from_corners(a, b), link));
            }
        }
        LinkFinder { network, pieces: RTree::bulk_load(pieces) }
    }

    /// The network it looks at.
    pub fn network(&self) -> &'a Network {
        self.network
    }

    /// Links within a distance of a point, the nearest first, of equally near ones the first.
    pub fn within(&self, point: Position, distance_m: f64) -> Vec<Near> {
        // A little wider than the exact test, which decides.
        let reach_deg = (distance_m / EARTH_RADIUS_M).to_degrees() * 1.01 + 1e-9;
        let widest = (point.latitude_deg().abs() + reach_deg).min(89.9).to_radians().cos();
        let (y, x) = (point.latitude_deg(), point.longitude_deg());
        let around = AABB::from_corners(
            [x - reach_deg / widest, y - reach_deg],
            [x + reach_deg / widest, y + reach_deg],
        );
        let hits = self.pieces.locate_in_envelope_intersecting(&around);
        let mut links: Vec<LinkIndex> = hits.map(|piece| piece.data).collect();
        links.sort_unstable();
        links.dedup();
        let near = |link: LinkIndex| {
            let foot = foot(&self.network.line(link), point)?;
            (foot.distance_m <= distance_m).then_some(Near { link, foot })
        };
        let mut found: Vec<Near> = links.into_iter().filter_map(near).collect();
        found.sort_by(|a, b| a.foot.distance_m.total_cmp(&b.foot.distance_m));
        found
    }
}
