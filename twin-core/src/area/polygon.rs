//! Polygons with holes, by `GeoJSON` rules: edges are straight in longitude and latitude, and one
//! that spans more than 180 degrees of longitude crosses the anti-meridian. A ring is unrolled so
//! that it crosses nothing: its longitudes may then go beyond 180, and a position is tried a turn
//! to either side. Side of an edge is decided by exact predicates, so lines have no gaps.

use geo::kernels::{Kernel, Orientation, RobustKernel};
use geo::{Coord, Line};

use super::crossing;
use super::rectangle::TURNS;
use super::strips::Strips;
use super::{AreaError, AreaProblem, Extent, MAX_VERTICES, Point, Side};
use crate::position::Position;

/// One or several polygons.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Polygons {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    outer: Ring,
    holes: Vec<Ring>,
}

/// A closed line, unrolled.
#[derive(Clone, Debug, PartialEq)]
struct Ring {
    edges: Vec<Line>,
    strips: Strips,
    longitude: (f64, f64),
}

/// How a point lies to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lies {
    Outside,
    On,
    Inside,
}

impl Polygons {
    pub(super) fn new(parts: &[Vec<Vec<Point>>]) -> Result<Polygons, AreaError> {
        let error = |field: &str, problem| AreaError { field: field.to_owned(), problem };
        if parts.is_empty() {
            return Err(error("polygon.parts", AreaProblem::Empty));
        }
        let vertices: usize = parts.iter().flatten().map(Vec::len).sum();
        if vertices > MAX_VERTICES {
            return Err(error("polygon", AreaProblem::TooManyVertices(vertices)));
        }
        let parts = parts.iter().enumerate().map(|(number, rings)| {
            if rings.is_empty() {
                let field = format!("polygon.parts[{number}].rings");
                return Err(error(&field, AreaProblem::Empty));
            }
            let ring = |(place, points): (usize, &Vec<Point>)| {
                Ring::new(points, &format!("polygon.parts[{number}].rings[{place}]"))
            };
            let mut rings = rings.iter().enumerate().map(ring).collect::<Result<Vec<_>, _>>()?;
            let holes = rings.split_off(1);
            Ok(Part { outer: rings.remove(0), holes })
        });
        Ok(Polygons { parts: parts.collect::<Result<_, _>>()? })
    }

    pub(super) fn contains(&self, position: Position) -> bool {
        let at = Coord { x: position.longitude_deg(), y: position.latitude_deg() };
        self.parts.iter().any(|part| part.contains(at))
    }

    pub(super) fn judge(&self, extent: &Extent) -> Side {
        let mut side = Side::Outside;
        for part in &self.parts {
            match part.judge(extent) {
                Side::Inside => return Side::Inside,
                Side::Border => side = Side::Border,
                Side::Outside => {}
            }
        }
        side
    }
}

impl Part {
    fn contains(&self, at: Coord) -> bool {
        self.outer.locate(at) != Lies::Outside
            && self.holes.iter().all(|hole| hole.locate(at) != Lies::Inside)
    }

    /// Where no edge reaches into the extent, all of it lies as one of its corners does.
    fn judge(&self, extent: &Extent) -> Side {
        if self.outer.touches(extent) || self.holes.iter().any(|hole| hole.touches(extent)) {
            return Side::Border;
        }
        let corner = Coord { x: extent.longitude.0, y: extent.latitude.0 };
        if self.contains(corner) { Side::Inside } else { Side::Outside }
    }
}

impl Ring {
    fn new(points: &[Point], field: &str) -> Result<Ring, AreaError> {
        let error = |problem| AreaError { field: field.to_owned(), problem };
        let mut checked = Vec::with_capacity(points.len());
        for (number, point) in points.iter().enumerate() {
            checked.push(point.check(|| format!("{field}.points[{number}]"))?);
        }
        let unrolled = unroll(&checked).ok_or_else(|| error(AreaProblem::RoundAPole))?;
        if unrolled.len() < 3 {
            let found = unrolled.len();
            return Err(error(AreaProblem::TooFewPoints { needed: 3, found }));
        }
        let west = unrolled.iter().map(|(_, at)| at.x).fold(f64::INFINITY, f64::min);
        let east = unrolled.iter().map(|(_, at)| at.x).fold(f64::NEG_INFINITY, f64::max);
        if east - west > 360.0 {
            return Err(error(AreaProblem::TooWide));
        }
        let ends = unrolled.iter().cycle().skip(1);
        let edges: Vec<Line> =
            unrolled.iter().zip(ends).map(|(a, b)| Line { start: a.1, end: b.1 }).collect();
        if let Some(crossing) = crossing::find(&edges) {
            return Err(error(AreaProblem::Crossing {
                first: unrolled[crossing.first].0,
                second: unrolled[crossing.second].0,
                latitude_deg: crossing.at.y,
                longitude_deg: into_range(crossing.at.x),
            }));
        }
        let heights: Vec<_> = edges.iter().map(|edge| ordered(edge.start.y, edge.end.y)).collect();
        Ok(Ring { edges, strips: Strips::new(&heights), longitude: (west, east) })
    }

    fn locate(&self, at: Coord) -> Lies {
        let pieces = self.strips.at(at.y);
        if pieces.is_empty() {
            return Lies::Outside;
        }
        for turn in TURNS {
            let x = at.x + turn;
            if self.longitude.0 <= x && x <= self.longitude.1 {
                let lies = self.locate_among(pieces, Coord { x, y: at.y });
                if lies != Lies::Outside {
                    return lies;
                }
            }
        }
        Lies::Outside
    }

    /// Counts the edges that a ray to the east crosses.
    fn locate_among(&self, pieces: &[u32], at: Coord) -> Lies {
        let mut inside = false;
        for piece in pieces {
            let edge = &self.edges[*piece as usize];
            let (low, high) = if edge.start.y <= edge.end.y {
                (edge.start, edge.end)
            } else {
                (edge.end, edge.start)
            };
            let (west, east) = ordered(low.x, high.x);
            if at.y < low.y || at.y > high.y || at.x > east {
                continue;
            }
            let spans = low.y <= at.y && at.y < high.y;
            if at.x < west {
                inside ^= spans;
                continue;
            }
            match RobustKernel::orient2d(low, high, at) {
                Orientation::Collinear => return Lies::On,
                Orientation::CounterClockwise => inside ^= spans,
                Orientation::Clockwise => {}
            }
        }
        if inside { Lies::Inside } else { Lies::Outside }
    }

    /// Whether an edge reaches into the box of an extent, or touches it.
    fn touches(&self, extent: &Extent) -> bool {
        let pieces = self.strips.across(extent.latitude);
        TURNS.iter().any(|turn| {
            let (west, east) = (extent.longitude.0 + turn, extent.longitude.1 + turn);
            west <= self.longitude.1
                && self.longitude.0 <= east
                && pieces
                    .iter()
                    .any(|piece| meets(&self.edges[*piece as usize], (west, east), extent.latitude))
        })
    }
}

/// Whether an edge and a box share a point: their bounds overlap, and the corners of the box are
/// not all on one side of the edge.
fn meets(edge: &Line, longitude: (f64, f64), latitude: (f64, f64)) -> bool {
    let (west, east) = ordered(edge.start.x, edge.end.x);
    let (south, north) = ordered(edge.start.y, edge.end.y);
    if east < longitude.0 || longitude.1 < west || north < latitude.0 || latitude.1 < south {
        return false;
    }
    let side = |x, y| RobustKernel::orient2d(edge.start, edge.end, Coord { x, y });
    let first = side(longitude.0, latitude.0);
    first == Orientation::Collinear
        || side(longitude.1, latitude.0) != first
        || side(longitude.0, latitude.1) != first
        || side(longitude.1, latitude.1) != first
}

/// The points of a ring with their numbers, each at most 180 degrees of longitude from the one
/// before, without repeats; `None` if it does not close.
fn unroll(points: &[Position]) -> Option<Vec<(usize, Coord)>> {
    let mut unrolled: Vec<(usize, Coord)> = Vec::with_capacity(points.len());
    let mut turn = 0.0;
    let mut before = points.first().map_or(0.0, |point| point.longitude_deg());
    let closing = points.first().map(|first| (0, first));
    for (number, point) in points.iter().enumerate().chain(closing) {
        let longitude = point.longitude_deg();
        if longitude - before > 180.0 {
            turn -= 360.0;
        } else if longitude - before < -180.0 {
            turn += 360.0;
        }
        before = longitude;
        let at = Coord { x: longitude + turn, y: point.latitude_deg() };
        if unrolled.last().is_none_or(|(_, last)| *last != at) {
            unrolled.push((number, at));
        }
    }
    if unrolled.len() > 1 {
        let last = unrolled.pop()?;
        if last.1 != unrolled.first()?.1 {
            return None;
        }
    }
    Some(unrolled)
}

fn ordered(a: f64, b: f64) -> (f64, f64) {
    if a <= b { (a, b) } else { (b, a) }
}

/// An unrolled longitude as people write it.
fn into_range(longitude: f64) -> f64 {
    if longitude > 180.0 {
        longitude - 360.0
    } else if longitude < -180.0 {
        longitude + 360.0
    } else {
        longitude
    }
}
