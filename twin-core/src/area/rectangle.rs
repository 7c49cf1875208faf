//! Boxes of latitude and longitude; both limits belong to them. A box whose west is greater than
//! its east crosses the anti-meridian; 180 and -180 degrees are the same meridian.

use super::{AreaError, AreaProblem, Extent, Point, Side};
use crate::position::Position;

/// A whole turn, once each way: longitudes that mean the same.
pub(super) const TURNS: [f64; 3] = [0.0, 360.0, -360.0];

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rectangle {
    latitude: (f64, f64),
    /// East may go beyond 180, so that west <= east.
    longitude: (f64, f64),
}

impl Rectangle {
    pub(super) fn new(south_west: Point, north_east: Point) -> Result<Rectangle, AreaError> {
        let low = south_west.check(|| "box (south_deg, west_deg)".to_owned())?;
        let high = north_east.check(|| "box (north_deg, east_deg)".to_owned())?;
        let (south_deg, north_deg) = (low.latitude_deg(), high.latitude_deg());
        if south_deg > north_deg {
            let problem = AreaProblem::SouthOverNorth { south_deg, north_deg };
            return Err(AreaError { field: "box.south_deg".to_owned(), problem });
        }
        let (west, east) = (low.longitude_deg(), high.longitude_deg());
        let east = if west > east { east + 360.0 } else { east };
        Ok(Rectangle { latitude: (south_deg, north_deg), longitude: (west, east) })
    }

    pub(super) fn contains(&self, position: Position) -> bool {
        let (lat, lon) = (position.latitude_deg(), position.longitude_deg());
        self.latitude.0 <= lat
            && lat <= self.latitude.1
            && TURNS
                .iter()
                .any(|turn| self.longitude.0 <= lon + turn && lon + turn <= self.longitude.1)
    }

    pub(super) fn judge(&self, extent: &Extent) -> Side {
        let (south, north) = extent.latitude;
        if north < self.latitude.0 || south > self.latitude.1 {
            return Side::Outside;
        }
        let mut side = Side::Outside;
        for turn in TURNS {
            let (west, east) = (extent.longitude.0 + turn, extent.longitude.1 + turn);
            if west > self.longitude.1 || east < self.longitude.0 {
                continue;
            }
            if self.longitude.0 <= west && east <= self.longitude.1 {
                let whole = self.latitude.0 <= south && north <= self.latitude.1;
                return if whole { Side::Inside } else { Side::Border };
            }
            side = Side::Border;
        }
        side
    }
}
