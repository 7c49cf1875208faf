//! Lines on the ground: bearings, lengths and the nearest point of a polyline. Planar around the
//! point that is asked for, as in [`crate::area`]: a degree of longitude is as long as a degree of
//! latitude times the cosine of that point's latitude.

use crate::position::{EARTH_RADIUS_M, Position};

/// The nearest point of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Foot {
    /// Distance to it, metres.
    pub distance_m: f64,
    /// How far along the line it is, metres.
    pub offset_m: f64,
    /// Direction of the line there, degrees clockwise from north, 0 to 360.
    pub bearing_deg: f64,
}

/// East and north of an origin, metres.
fn plane(origin: Position, point: Position) -> (f64, f64) {
    let metre_per_deg = EARTH_RADIUS_M.to_radians();
    let mut east_deg = point.longitude_deg() - origin.longitude_deg();
    if east_deg > 180.0 {
        east_deg -= 360.0;
    } else if east_deg < -180.0 {
        east_deg += 360.0;
    }
    let north_deg = point.latitude_deg() - origin.latitude_deg();
    let shrink = origin.latitude_deg().to_radians().cos();
    (east_deg * shrink * metre_per_deg, north_deg * metre_per_deg)
}

/// Direction from one point to another, degrees clockwise from north, 0 to 360; 0 where they are
/// the same.
pub fn bearing_between(from: Position, to: Position) -> f64 {
    let (east, north) = plane(from, to);
    east.atan2(north).to_degrees().rem_euclid(360.0)
}

/// Angle between two bearings, 0 to 180 degrees.
pub fn bearing_difference(one_deg: f64, other_deg: f64) -> f64 {
    let turn = (one_deg - other_deg).rem_euclid(360.0);
    turn.min(360.0 - turn)
}

/// Length of a polyline in metres (great circle from point to point).
pub fn line_length_m(line: &[Position]) -> f64 {
    line.windows(2).map(|pair| pair[0].distance_m(pair[1])).sum()
}

/// The nearest point of a polyline; of equally near ones the first. `None` for an empty line.
pub fn foot(line: &[Position], point: Position) -> Option<Foot> {
    let first = line.first()?;
    let mut best = Foot { distance_m: first.distance_m(point), offset_m: 0.0, bearing_deg: 0.0 };
    let mut passed_m = 0.0;
    let mut found = false;
    for pair in line.windows(2) {
        let ((x1, y1), (x2, y2)) = (plane(point, pair[0]), plane(point, pair[1]));
        let (dx, dy) = (x2 - x1, y2 - y1);
        let squared = dx.mul_add(dx, dy * dy);
        let piece_m = pair[0].distance_m(pair[1]);
        if squared > 0.0 {
            let along = (-(x1.mul_add(dx, y1 * dy)) / squared).clamp(0.0, 1.0);
            let distance_m = along.mul_add(dx, x1).hypot(along.mul_add(dy, y1));
            if !found || distance_m < best.distance_m {
                found = true;
                best = Foot {
                    distance_m,
                    offset_m: along.mul_add(piece_m, passed_m),
                    bearing_deg: bearing_between(pair[0], pair[1]),
                };
            }
        }
        passed_m += piece_m;
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Position {
        Position::new(latitude, longitude).unwrap()
    }

    #[test]
    fn bearings_go_clockwise_from_north() {
        let middle = at(10.0, 106.0);
        for (latitude, longitude, expected) in
            [(11.0, 106.0, 0.0), (10.0, 107.0, 90.0), (9.0, 106.0, 180.0), (10.0, 105.0, 270.0)]
        {
            assert!((bearing_between(middle, at(latitude, longitude)) - expected).abs() < 1e-9);
        }
        assert!((bearing_between(at(0.0, 179.9), at(0.0, -179.9)) - 90.0).abs() < 1e-9);
        assert!((bearing_difference(350.0, 10.0) - 20.0).abs() < 1e-9);
        assert!((bearing_difference(90.0, 270.0) - 180.0).abs() < 1e-9);
    }

    #[test]
    fn the_foot_of_a_bent_line() {
        let line = [at(10.0, 106.0), at(10.0, 106.01), at(10.01, 106.01)];
        let found = foot(&line, at(10.005, 106.011)).unwrap();
        assert!((found.bearing_deg - 0.0).abs() < 1e-9);
        let expected = at(10.005, 106.011).distance_m(at(10.005, 106.01));
        assert!((found.distance_m - expected).abs() < 0.01);
        let along = line_length_m(&line[..2]) + line_length_m(&line[1..]) / 2.0;
        assert!((found.offset_m - along).abs() < 0.01);
        assert_eq!(foot(&[], line[0]), None);
        assert!(foot(&[line[0], line[0]], line[1]).unwrap().distance_m > 1_000.0);
    }
}
