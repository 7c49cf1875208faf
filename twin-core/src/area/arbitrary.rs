//! Random areas and positions for property tests, and a slow second opinion on what an area holds.
//!
//! Everything is drawn as whole-number offsets from an anchor, times a power of two: such sums are
//! exact, so points fall on edges and corners, and shapes may be judged in whole numbers.

use geo::{Contains, Intersects, LineString, Point as Dot, Polygon};
use proptest::prelude::*;

use super::{Area, Point};
use crate::position::{EARTH_RADIUS_M, Position};

/// Whole-number steps north and east.
pub(crate) type Offset = (i32, i32);

/// Where on Earth, and how large a step is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    anchor: (f64, f64),
    step_deg: f64,
}

/// A shape in a frame.
#[derive(Clone, Debug)]
pub(crate) enum Sketch {
    Everywhere,
    Cells(Vec<(Offset, u8)>),
    /// Parts; each an outer ring and holes.
    Polygon(Vec<Vec<Vec<Offset>>>),
    /// Up to the distance of another point, so that it lies on the line.
    Circle(Offset, Offset),
    /// From, and how far north and east.
    Box(Offset, Offset),
    Corridor(Vec<Offset>, i32),
}

const ANCHORS: [(f64, f64); 6] =
    [(10.75, 106.75), (-17.0, 180.0), (0.0, 0.0), (89.75, 30.0), (-89.75, -179.5), (37.5, -122.25)];

pub(crate) fn frames() -> impl Strategy<Value = Frame> {
    let anchor = prop::sample::select(ANCHORS.to_vec());
    (anchor, prop::sample::select(vec![9, 6, 2]))
        .prop_map(|(anchor, power)| Frame { anchor, step_deg: 0.5_f64.powi(power) })
}

pub(crate) fn offsets() -> impl Strategy<Value = Offset> {
    (-100..=100, -100..=100)
}

pub(crate) fn sketches() -> impl Strategy<Value = Sketch> {
    let cells = prop::collection::vec((offsets(), 2..=10_u8), 1..6).prop_map(Sketch::Cells);
    let line = prop::collection::vec(offsets(), 2..6);
    let corridor = (line, 1..=40).prop_map(|(line, reach)| Sketch::Corridor(line, reach));
    let rectangle = (offsets(), (0..=100, 0..=100)).prop_map(|(a, b)| Sketch::Box(a, b));
    let circle = (offsets(), offsets()).prop_map(|(a, b)| Sketch::Circle(a, b));
    prop_oneof![
        1 => Just(Sketch::Everywhere),
        2 => cells,
        4 => polygons(),
        2 => circle,
        2 => rectangle,
        2 => corridor,
    ]
}

pub(crate) fn polygons() -> impl Strategy<Value = Sketch> {
    let part = (offsets(), star(30..=100), prop::collection::vec((star(2..=14), -12..=12), 0..3));
    let part = part.prop_map(|(centre, outer, holes)| {
        let holes = holes.into_iter().map(|(hole, aside)| (hole, (centre.0, centre.1 + aside)));
        let rings = std::iter::once((outer, centre)).chain(holes);
        rings.map(|(ring, centre)| shifted(&ring, centre)).collect()
    });
    prop::collection::vec(part, 1..3).prop_map(Sketch::Polygon)
}

/// A ring round the origin; it crosses itself at most by rounding.
fn star(radius: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Vec<Offset>> {
    prop::collection::vec(radius, 3..12).prop_map(|radii| {
        let turn = std::f64::consts::TAU / radii.len() as f64;
        let corner = |(number, radius): (usize, &i32)| {
            let (sin, cos) = (turn * number as f64).sin_cos();
            (rounded(f64::from(*radius) * sin), rounded(f64::from(*radius) * cos))
        };
        radii.iter().enumerate().map(corner).collect()
    })
}

fn shifted(ring: &[Offset], by: Offset) -> Vec<Offset> {
    ring.iter().map(|corner| (corner.0 + by.0, corner.1 + by.1)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "at most a few hundred")]
fn rounded(value: f64) -> i32 {
    value.round() as i32
}

impl Frame {
    /// Steps of 2^-9 degrees around Ho Chi Minh City.
    pub(crate) const HOME: Frame = Frame { anchor: ANCHORS[0], step_deg: 1.0 / 512.0 };

    /// The position at an offset; beyond a pole it stays at the pole.
    pub(crate) fn position(self, (north, east): Offset) -> Position {
        let latitude = self.anchor.0 + f64::from(north) * self.step_deg;
        let mut longitude = self.anchor.1 + f64::from(east) * self.step_deg;
        if longitude > 180.0 {
            longitude -= 360.0;
        } else if longitude < -180.0 {
            longitude += 360.0;
        }
        Position::new(latitude.clamp(-90.0, 90.0), longitude).unwrap()
    }

    fn point(self, offset: Offset) -> Point {
        self.position(offset).into()
    }

    /// Whether offsets up to 300 stay clear of the poles.
    pub(crate) fn is_flat(self) -> bool {
        self.anchor.0.abs() + 300.0 * self.step_deg < 90.0
    }
}

impl Sketch {
    /// The area; a circle where the sketch makes none.
    pub(crate) fn area(&self, frame: Frame) -> Area {
        let fallback = || Area::circle(frame.point((0, 0)), 1_000.0).unwrap();
        self.try_area(frame).unwrap_or_else(fallback)
    }

    pub(crate) fn try_area(&self, frame: Frame) -> Option<Area> {
        match self {
            Sketch::Everywhere => Some(Area::everywhere()),
            Sketch::Cells(cells) => {
                let text = |(offset, resolution): &(Offset, u8)| {
                    let resolution = (*resolution).try_into().unwrap();
                    frame.position(*offset).cell(resolution).to_string()
                };
                Area::cells(&cells.iter().map(text).collect::<Vec<_>>()).ok()
            }
            Sketch::Polygon(parts) => {
                let ring = |ring: &Vec<Offset>| ring.iter().map(|at| frame.point(*at)).collect();
                let part = |rings: &Vec<Vec<Offset>>| rings.iter().map(ring).collect::<Vec<_>>();
                Area::polygon(&parts.iter().map(part).collect::<Vec<_>>()).ok()
            }
            Sketch::Circle(centre, rim) => {
                let radius_m = frame.position(*centre).distance_m(frame.position(*rim));
                Area::circle(frame.point(*centre), radius_m).ok()
            }
            Sketch::Box(from, size) => {
                let to = (from.0 + size.0, from.1 + size.1);
                Area::bounding_box(frame.point(*from), frame.point(to)).ok()
            }
            Sketch::Corridor(line, _) => {
                let line: Vec<Point> = line.iter().map(|at| frame.point(*at)).collect();
                Area::corridor(&line, self.buffer_m(frame)).ok()
            }
        }
    }

    fn buffer_m(&self, frame: Frame) -> f64 {
        let Sketch::Corridor(_, reach) = self else { return 0.0 };
        (f64::from(*reach) * frame.step_deg * 111_000.0).min(50_000.0)
    }

    /// A second opinion on whether the area holds the position at an offset, clear of the poles.
    pub(crate) fn holds_slowly(&self, frame: Frame, at: Offset) -> bool {
        let position = frame.position(at);
        match self {
            Sketch::Everywhere => true,
            Sketch::Cells(cells) => cells.iter().any(|(offset, resolution)| {
                let resolution = (*resolution).try_into().unwrap();
                frame.position(*offset).cell(resolution) == position.cell(resolution)
            }),
            Sketch::Polygon(parts) => parts.iter().any(|rings| {
                let dot = Dot::new(f64::from(at.1), f64::from(at.0));
                let mut rings = rings.iter().map(|ring| flat(ring));
                rings.next().unwrap().intersects(&dot) && !rings.any(|hole| hole.contains(&dot))
            }),
            Sketch::Circle(centre, rim) => {
                let centre = frame.position(*centre);
                centre.distance_m(position) <= centre.distance_m(frame.position(*rim))
            }
            Sketch::Box(from, size) => {
                (from.0..=from.0 + size.0).contains(&at.0)
                    && (from.1..=from.1 + size.1).contains(&at.1)
            }
            Sketch::Corridor(line, _) => {
                let shrink = position.latitude_deg().to_radians().cos();
                let metres = frame.step_deg.to_radians() * EARTH_RADIUS_M;
                let plane = |to: &Offset| {
                    (f64::from(to.1 - at.1) * shrink * metres, f64::from(to.0 - at.0) * metres)
                };
                let distance_m = |ends: &[Offset]| distance(plane(&ends[0]), plane(&ends[1]));
                line.windows(2).map(distance_m).fold(f64::INFINITY, f64::min)
                    <= self.buffer_m(frame)
            }
        }
    }
}

fn flat(ring: &[Offset]) -> Polygon {
    let corners = ring.iter().map(|(north, east)| (f64::from(*east), f64::from(*north)));
    Polygon::new(corners.collect::<LineString>(), Vec::new())
}

/// From the origin to a piece of line.
fn distance(start: (f64, f64), end: (f64, f64)) -> f64 {
    let (dx, dy) = (end.0 - start.0, end.1 - start.1);
    let length = dx * dx + dy * dy;
    let along = -(start.0 * dx + start.1 * dy) / length;
    let along = if length > 0.0 { along.clamp(0.0, 1.0) } else { 0.0 };
    (start.0 + along * dx).hypot(start.1 + along * dy)
}
