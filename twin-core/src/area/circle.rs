//! Circles on the sphere. The haversine and the chord between unit vectors are two forms of one
//! number, so the cheap chord decides but for a hair around the line.

use super::{AreaError, CHORD_SLACK, Extent, Point, Side, Spot, check_length, chord};
use crate::position::{EARTH_RADIUS_M, Position};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Circle {
    center: Position,
    vector: [f64; 3],
    radius_m: f64,
    /// The chord that spans the radius.
    chord: f64,
}

impl Circle {
    pub(super) fn new(center: Point, radius_m: f64) -> Result<Circle, AreaError> {
        let center = center.check(|| "circle.center".to_owned())?;
        let half_round = std::f64::consts::PI * EARTH_RADIUS_M;
        let radius_m = check_length(radius_m, half_round, "circle.radius_m")?;
        let chord = 2.0 * (radius_m / EARTH_RADIUS_M / 2.0).sin();
        Ok(Circle { center, vector: center.unit_vector(), radius_m, chord })
    }

    pub(super) fn holds(&self, spot: &Spot) -> bool {
        let distance = chord(self.vector, spot.vector);
        if (distance - self.chord).abs() > CHORD_SLACK {
            return distance < self.chord;
        }
        spot.position.distance_m(self.center) <= self.radius_m
    }

    pub(super) fn judge(&self, extent: &Extent) -> Side {
        let distance = chord(self.vector, extent.centre);
        if distance + extent.chord < self.chord - CHORD_SLACK {
            Side::Inside
        } else if distance - extent.chord > self.chord + CHORD_SLACK {
            Side::Outside
        } else {
            Side::Border
        }
    }
}
