//! Areas of the Earth that a question may be about. [`Area::contains`] is the definition: an area
//! answer equals asking it for every sensor. [`Area::judge`] only saves that work for whole groups
//! of sensors, and may always say "border".
//!
//! | shape | holds a position if |
//! |---|---|
//! | everywhere | always |
//! | cells | one of its cells (parents of its resolution-15 cell) is in the set |
//! | polygon | it is in an outer ring or on its line, and not strictly inside a hole of that part; straight lines in longitude and latitude, as `GeoJSON` has it |
//! | circle | its great-circle distance to the centre is at most the radius |
//! | box | its coordinates are within the limits or on them |
//! | corridor | its planar distance to the line is at most the buffer (see below) |
//!
//! The distance to a corridor's line is planar, in the equirectangular projection centred on the
//! position that is asked for: a degree of latitude is as long as on the mean-radius sphere, a
//! degree of longitude that times the cosine of the position's latitude.
//!
//! Lines count as inside. What must not live here: sensors, wire types, files of named places.

mod cells;
mod circle;
mod corridor;
mod crossing;
mod error;
mod extent;
mod polygon;
mod rectangle;
mod strips;

#[cfg(test)]
pub(crate) mod arbitrary;
#[cfg(test)]
mod area_tests;

pub(crate) use cells::Parents;
pub use error::{AreaError, AreaProblem};
pub(crate) use extent::{CHORD_SLACK, chord};
pub use extent::{Extent, Spot};

use crate::position::Position;
use cells::CellSet;
use circle::Circle;
use corridor::Corridor;
use polygon::Polygons;
use rectangle::Rectangle;

/// Most cells of one area.
pub const MAX_CELLS: usize = 10_000;

/// Most vertices of one polygon or corridor, all rings together.
pub const MAX_VERTICES: usize = 10_000;

/// A point as it comes from outside: not checked yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Degrees north.
    pub latitude_deg: f64,
    /// Degrees east.
    pub longitude_deg: f64,
}

impl Point {
    /// Checked, or the error that names the field.
    fn check(self, field: impl Fn() -> String) -> Result<Position, AreaError> {
        Position::new(self.latitude_deg, self.longitude_deg)
            .map_err(|error| AreaError { field: field(), problem: AreaProblem::Position(error) })
    }
}

impl From<Position> for Point {
    fn from(position: Position) -> Point {
        Point { latitude_deg: position.latitude_deg(), longitude_deg: position.longitude_deg() }
    }
}

/// A checked area, prepared for many tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Area(Shape);

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Everywhere,
    Cells(CellSet),
    Polygon(Polygons),
    Circle(Circle),
    Box(Rectangle),
    Corridor(Corridor),
}

/// How a group of positions lies to an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// None of them is in it.
    Outside,
    /// All of them are in it.
    Inside,
    /// Not known: ask for each.
    Border,
}

impl Area {
    /// The whole Earth.
    pub fn everywhere() -> Area {
        Area(Shape::Everywhere)
    }

    /// H3 cells of any resolution, as hexadecimal texts.
    ///
    /// # Errors
    /// When there is none, too many, or one is not an H3 cell.
    pub fn cells<T: AsRef<str>>(cells: &[T]) -> Result<Area, AreaError> {
        CellSet::new(cells).map(|cells| Area(Shape::Cells(cells)))
    }

    /// Parts of rings, the outer ring first, then holes. Closing a ring by repeating its first
    /// point is optional. An edge that spans more than 180 degrees of longitude crosses the
    /// anti-meridian. A ring may touch itself in a point.
    ///
    /// # Errors
    /// When a part or ring is missing, too small or too wide, crosses itself or goes round a pole,
    /// when a point is none, or there are too many.
    pub fn polygon(parts: &[Vec<Vec<Point>>]) -> Result<Area, AreaError> {
        Polygons::new(parts).map(|polygons| Area(Shape::Polygon(polygons)))
    }

    /// Everything within a distance of a point: more than 0 m, at most half round the Earth.
    ///
    /// # Errors
    /// When the point is none or the radius is out of range.
    pub fn circle(center: Point, radius_m: f64) -> Result<Area, AreaError> {
        Circle::new(center, radius_m).map(|circle| Area(Shape::Circle(circle)))
    }

    /// Everything between two corners. West > east crosses the anti-meridian.
    ///
    /// # Errors
    /// When a corner is no point, or south is north of north.
    pub fn bounding_box(south_west: Point, north_east: Point) -> Result<Area, AreaError> {
        Rectangle::new(south_west, north_east).map(|rectangle| Area(Shape::Box(rectangle)))
    }

    /// Everything within a distance of a line of at least two points: more than 0 m, at most
    /// 50 km.
    ///
    /// # Errors
    /// When a point is none, there are too few or too many, or the buffer is out of range.
    pub fn corridor(line: &[Point], buffer_m: f64) -> Result<Area, AreaError> {
        Corridor::new(line, buffer_m).map(|corridor| Area(Shape::Corridor(corridor)))
    }

    /// Whether a position is in the area: the definition.
    pub fn contains(&self, position: Position) -> bool {
        self.holds(&Spot::at(position))
    }

    /// The same for a spot that is already prepared.
    pub fn holds(&self, spot: &Spot) -> bool {
        match &self.0 {
            Shape::Everywhere => true,
            Shape::Cells(cells) => cells.holds(spot.cell),
            Shape::Polygon(polygons) => polygons.contains(spot.position),
            Shape::Circle(circle) => circle.holds(spot),
            Shape::Box(rectangle) => rectangle.contains(spot.position),
            Shape::Corridor(corridor) => corridor.contains(spot.position),
        }
    }

    /// How all positions within an extent lie to the area.
    pub fn judge(&self, extent: &Extent) -> Side {
        if extent.latitude.0 > extent.latitude.1 {
            return Side::Outside;
        }
        match &self.0 {
            Shape::Everywhere => Side::Inside,
            Shape::Cells(cells) => cells.judge(extent),
            Shape::Polygon(polygons) => polygons.judge(extent),
            Shape::Circle(circle) => circle.judge(extent),
            Shape::Box(rectangle) => rectangle.judge(extent),
            Shape::Corridor(corridor) => corridor.judge(extent),
        }
    }
}

/// A length in metres within (0, `most`], or the error that names the field.
fn check_length(value: f64, most: f64, field: &str) -> Result<f64, AreaError> {
    if value > 0.0 && value <= most {
        return Ok(value);
    }
    Err(AreaError { field: field.to_owned(), problem: AreaProblem::Length { value, most } })
}
