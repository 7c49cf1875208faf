//! Which links an edit is about: by key, by area, or by zone. A link is in an area if one of the
//! points of its line is: those that shape it, and between them one at least every 10 m. A zone is
//! the area of its outline.

use serde::{Deserialize, Serialize};

use super::fault::What;
use crate::area::{Area, AreaError, Point};
use crate::position::Position;
use crate::road::{LinkIndex, Network, Zone};

/// Between two points of a line that are looked at, metres.
pub(super) const STRIDE_M: f64 = 10.0;

/// Links by key, by area and by zone together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Keys of links.
    #[serde(default)]
    pub links: Vec<String>,
    /// All links in an area.
    #[serde(default)]
    pub area: Option<AreaShape>,
    /// All links in these zones.
    #[serde(default)]
    pub zones: Vec<String>,
}

/// An area, one of its shapes; the meaning is that of [`crate::area`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AreaShape {
    /// H3 cells.
    Cells {
        /// In hexadecimal.
        cells: Vec<String>,
    },
    /// Several polygons.
    Polygon {
        /// Each of them.
        parts: Vec<PolygonPart>,
    },
    /// Everything within a distance of a point.
    Circle {
        /// The point.
        center: LatLon,
        /// The distance, metres.
        radius_m: f64,
    },
    /// Everything between two parallels and two meridians.
    Box {
        /// Southern limit, degrees.
        south_deg: f64,
        /// Western limit, degrees.
        west_deg: f64,
        /// Northern limit, degrees.
        north_deg: f64,
        /// Eastern limit, degrees.
        east_deg: f64,
    },
    /// Everything within a distance of a line.
    Corridor {
        /// The line.
        line: Vec<LatLon>,
        /// The distance, metres.
        buffer_m: f64,
    },
}

/// A polygon: its outer ring, then holes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolygonPart {
    /// The rings.
    pub rings: Vec<Ring>,
}

/// A ring of points.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ring {
    /// The points, closed or not.
    pub points: Vec<LatLon>,
}

/// A point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatLon {
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
}

impl LatLon {
    const fn point(self) -> Point {
        Point { latitude_deg: self.latitude_deg, longitude_deg: self.longitude_deg }
    }
}

impl AreaShape {
    /// The checked area.
    ///
    /// # Errors
    /// When it is none; the error names the field.
    pub fn area(&self) -> Result<Area, AreaError> {
        let line = |points: &[LatLon]| points.iter().map(|one| one.point()).collect::<Vec<_>>();
        match self {
            AreaShape::Cells { cells } => Area::cells(cells),
            AreaShape::Polygon { parts } => {
                let rings = |part: &PolygonPart| {
                    part.rings.iter().map(|ring| line(&ring.points)).collect::<Vec<_>>()
                };
                Area::polygon(&parts.iter().map(rings).collect::<Vec<_>>())
            }
            AreaShape::Circle { center, radius_m } => Area::circle(center.point(), *radius_m),
            AreaShape::Box { south_deg, west_deg, north_deg, east_deg } => {
                let at = |latitude_deg, longitude_deg| Point { latitude_deg, longitude_deg };
                Area::bounding_box(at(*south_deg, *west_deg), at(*north_deg, *east_deg))
            }
            AreaShape::Corridor { line: points, buffer_m } => {
                Area::corridor(&line(points), *buffer_m)
            }
        }
    }
}

impl Place {
    /// These links.
    pub fn links(keys: &[&str]) -> Place {
        let links = keys.iter().map(|key| (*key).to_owned()).collect();
        Place { links, ..Place::default() }
    }

    /// The links of an area.
    pub const fn area(shape: AreaShape) -> Place {
        Place { links: Vec::new(), area: Some(shape), zones: Vec::new() }
    }

    /// The links, in order and once each; every fault is told with the field below this place.
    pub(super) fn find(
        &self,
        network: &Network,
        mut fault: impl FnMut(&str, What),
    ) -> Vec<LinkIndex> {
        let mut found = Vec::new();
        if self.links.is_empty() && self.area.is_none() && self.zones.is_empty() {
            fault("", What::Nothing);
        }
        for (row, key) in self.links.iter().enumerate() {
            match network.find_link(key) {
                Some(link) => found.push(link),
                None => fault(&format!(".links[{row}]"), What::NoLink(key.clone())),
            }
        }
        match self.area.as_ref().map(AreaShape::area) {
            None => {}
            Some(Err(error)) => fault(&format!(".area.{}", error.field), What::Area(error.problem)),
            Some(Ok(area)) if add_within(network, &area, &mut found) => {}
            Some(Ok(_)) => fault(".area", What::NoLinkThere),
        }
        for (row, key) in self.zones.iter().enumerate() {
            let field = format!(".zones[{row}]");
            let Some(zone) = network.find_zone(key) else {
                fault(&field, What::NoZone(key.clone()));
                continue;
            };
            match outline(network.zone(zone)) {
                None => fault(&field, What::NoOutline(key.clone())),
                Some(area) => {
                    if !add_within(network, &area, &mut found) {
                        fault(&field, What::NoLinkThere);
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Adds all links in an area; whether there are any.
fn add_within(network: &Network, area: &Area, found: &mut Vec<LinkIndex>) -> bool {
    let before = found.len();
    let within = |link: &LinkIndex| {
        line_points(network, *link).into_iter().any(|point| area.contains(point))
    };
    found.extend(network.link_indexes().filter(within));
    found.len() > before
}

/// The area of a zone, where it has an outline.
pub(super) fn outline(zone: &Zone) -> Option<Area> {
    let ring = zone.ring().iter().map(|point| (*point).into()).collect();
    Area::polygon(&[vec![ring]]).ok()
}

/// The points of a link's line that are looked at.
pub(super) fn line_points(network: &Network, link: LinkIndex) -> Vec<Position> {
    let shape = network.line(link);
    let mut points = Vec::with_capacity(shape.len());
    for pair in shape.windows(2) {
        points.push(pair[0]);
        let pieces = (pair[0].distance_m(pair[1]) / STRIDE_M).ceil().max(1.0);
        let mut piece = 1.0;
        while piece < pieces {
            points.push(between(pair[0], pair[1], piece / pieces));
            piece += 1.0;
        }
    }
    points.extend(shape.last());
    points
}

fn between(one: Position, other: Position, part: f64) -> Position {
    let mix = |a: f64, b: f64| a + (b - a) * part;
    let mut turn = other.longitude_deg() - one.longitude_deg();
    turn -= if turn > 180.0 {
        360.0
    } else if turn < -180.0 {
        -360.0
    } else {
        0.0
    };
    let longitude = (one.longitude_deg() + turn * part + 540.0).rem_euclid(360.0) - 180.0;
    let north = mix(one.latitude_deg(), other.latitude_deg());
    Position::new(north, longitude).unwrap_or(one)
}
