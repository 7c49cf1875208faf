//! Everything within a distance of a line.
//!
//! The distance of a position to a piece of the line is planar, in the equirectangular projection
//! centred on that position: north is degrees of latitude, east is degrees of longitude times the
//! cosine of the position's latitude, and a degree is as long as on the mean-radius sphere. Within
//! 50 km and away from the poles that is the great-circle distance to within 1 %. A piece goes the
//! shorter way round, and is seen by a position at the turn that brings its middle nearest.

use super::strips::Strips;
use super::{AreaError, AreaProblem, Extent, MAX_VERTICES, Point, Side, check_length};
use crate::position::{EARTH_RADIUS_M, Position};

/// Widest buffer.
const MAX_BUFFER_M: f64 = 50_000.0;

/// Metres in a degree of a great circle.
const DEGREE_M: f64 = EARTH_RADIUS_M * std::f64::consts::PI / 180.0;

/// Slack for rounding, metres.
const SLACK_M: f64 = 1e-5;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Corridor {
    pieces: Vec<Piece>,
    strips: Strips,
    buffer_m: f64,
}

/// A straight piece of the line, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    start_latitude: f64,
    end_latitude: f64,
    /// Longitude of the middle.
    middle: f64,
    /// From there to the end, eastward; at most 90 either way.
    half: f64,
}

impl Corridor {
    pub(super) fn new(line: &[Point], buffer_m: f64) -> Result<Corridor, AreaError> {
        let error = |problem| AreaError { field: "corridor.line".to_owned(), problem };
        if line.len() > MAX_VERTICES {
            return Err(error(AreaProblem::TooManyVertices(line.len())));
        }
        if line.len() < 2 {
            let found = line.len();
            return Err(error(AreaProblem::TooFewPoints { needed: 2, found }));
        }
        let mut points = Vec::with_capacity(line.len());
        for (number, point) in line.iter().enumerate() {
            points.push(point.check(|| format!("corridor.line[{number}]"))?);
        }
        let buffer_m = check_length(buffer_m, MAX_BUFFER_M, "corridor.buffer_m")?;
        let pieces: Vec<Piece> =
            points.windows(2).map(|ends| Piece::new(ends[0], ends[1])).collect();
        let reach = (buffer_m + SLACK_M) / DEGREE_M;
        let ranges: Vec<(f64, f64)> = pieces.iter().map(|piece| piece.latitudes(reach)).collect();
        Ok(Corridor { pieces, strips: Strips::new(&ranges), buffer_m })
    }

    pub(super) fn contains(&self, position: Position) -> bool {
        let (lat, lon) = (position.latitude_deg(), position.longitude_deg());
        let pieces = self.strips.at(lat);
        let shrink = if pieces.is_empty() { 0.0 } else { lat.to_radians().cos() };
        pieces
            .iter()
            .any(|piece| self.pieces[*piece as usize].distance_m(lat, lon, shrink) <= self.buffer_m)
    }

    pub(super) fn judge(&self, extent: &Extent) -> Side {
        let pieces = self.strips.across(extent.latitude);
        if pieces.is_empty() {
            return Side::Outside;
        }
        let lat = f64::midpoint(extent.latitude.0, extent.latitude.1);
        let lon = f64::midpoint(extent.longitude.0, extent.longitude.1);
        let half = (extent.latitude.1 - lat, extent.longitude.1 - lon);
        let shrink = lat.to_radians().cos();
        let mut side = Side::Outside;
        for piece in pieces {
            let piece = &self.pieces[*piece as usize];
            let Some(margin_m) = piece.margin_m(lon, half) else {
                side = Side::Border;
                continue;
            };
            let distance_m = piece.distance_m(lat, lon, shrink);
            if distance_m + margin_m <= self.buffer_m {
                return Side::Inside;
            }
            if distance_m - margin_m <= self.buffer_m {
                side = Side::Border;
            }
        }
        side
    }
}

impl Piece {
    fn new(start: Position, end: Position) -> Piece {
        let half = nearest_turn(end.longitude_deg() - start.longitude_deg()) / 2.0;
        Piece {
            start_latitude: start.latitude_deg(),
            end_latitude: end.latitude_deg(),
            middle: start.longitude_deg() + half,
            half,
        }
    }

    fn latitudes(&self, reach: f64) -> (f64, f64) {
        let (start, end) = (self.start_latitude, self.end_latitude);
        (start.min(end) - reach, start.max(end) + reach)
    }

    /// Distance from a position, given the cosine of its latitude.
    fn distance_m(&self, lat: f64, lon: f64, shrink: f64) -> f64 {
        let middle = nearest_turn(self.middle - lon);
        let (x, y) = ((middle - self.half) * shrink, self.start_latitude - lat);
        let (dx, dy) = (2.0 * self.half * shrink, self.end_latitude - self.start_latitude);
        let length = dx * dx + dy * dy;
        let along = if length > 0.0 { (-(x * dx + y * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
        (x + along * dx).hypot(y + along * dy) * DEGREE_M
    }

    /// By how much the distances of two positions may differ when one is the middle of a box and
    /// the other is in it; `half` are half its height and width in degrees. `None` if they may see
    /// the piece at different turns.
    ///
    /// Moving by `h` north and `w` east moves a point of the piece that is `l` radians of longitude
    /// away by `h` in one direction and, as the cosine changes by at most `h`, by `h l + w` in the
    /// other.
    fn margin_m(&self, lon: f64, half: (f64, f64)) -> Option<f64> {
        let middle = nearest_turn(self.middle - lon).abs();
        if middle + half.1 >= 180.0 - 1e-9 {
            return None;
        }
        let away = (middle + self.half.abs()).to_radians();
        Some(half.0.hypot(half.0 * away + half.1) * DEGREE_M * (1.0 + 1e-9) + SLACK_M)
    }
}

/// A difference of longitudes, the shorter way round.
fn nearest_turn(difference: f64) -> f64 {
    if difference > 180.0 {
        difference - 360.0
    } else if difference < -180.0 {
        difference + 360.0
    } else {
        difference
    }
}
