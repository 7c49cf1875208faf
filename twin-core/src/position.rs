//! A point on the Earth, WGS 84, and the one distance of the house: great-circle metres on the
//! mean-radius sphere (haversine).

use h3o::{CellIndex, LatLng, Resolution};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Mean Earth radius in metres (IUGG).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A position with checked coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    latitude_deg: f64,
    longitude_deg: f64,
}

/// Why a pair of coordinates is no position.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum PositionError {
    /// Not a finite number from -90 to 90.
    #[error("latitude {0} is not within -90 to 90 degrees")]
    Latitude(f64),
    /// Not a finite number from -180 to 180.
    #[error("longitude {0} is not within -180 to 180 degrees")]
    Longitude(f64),
}

impl Position {
    /// From WGS 84 degrees.
    ///
    /// # Errors
    /// When a coordinate is outside its range or not finite.
    pub fn new(latitude_deg: f64, longitude_deg: f64) -> Result<Position, PositionError> {
        if !(-90.0..=90.0).contains(&latitude_deg) {
            return Err(PositionError::Latitude(latitude_deg));
        }
        if !(-180.0..=180.0).contains(&longitude_deg) {
            return Err(PositionError::Longitude(longitude_deg));
        }
        Ok(Position { latitude_deg, longitude_deg })
    }

    /// Degrees north.
    pub const fn latitude_deg(self) -> f64 {
        self.latitude_deg
    }

    /// Degrees east.
    pub const fn longitude_deg(self) -> f64 {
        self.longitude_deg
    }

    /// Its H3 cell: the parent, at this resolution, of its cell at resolution 15. So the cells of a
    /// position nest exactly, which roll-ups, cell areas and cell ranges rely on. (H3's hexagons
    /// do not: near a border, the cell whose outline holds the point may be the neighbour.)
    ///
    /// # Panics
    /// Never: the constructor admits only coordinates that H3 accepts.
    pub fn cell(self, resolution: Resolution) -> CellIndex {
        LatLng::new(self.latitude_deg, self.longitude_deg)
            .expect("checked coordinates are finite")
            .to_cell(Resolution::Fifteen)
            .parent(resolution)
            .expect("no resolution is finer than 15")
    }

    /// Great-circle distance in metres (haversine on the mean-radius sphere; within 0.5 % of the
    /// ellipsoid).
    pub fn distance_m(self, other: Position) -> f64 {
        let (lat1, lat2) = (self.latitude_deg.to_radians(), other.latitude_deg.to_radians());
        let half_dlat = (lat2 - lat1) / 2.0;
        let half_dlon = (other.longitude_deg - self.longitude_deg).to_radians() / 2.0;
        let h = half_dlat.sin().powi(2) + lat1.cos() * lat2.cos() * half_dlon.sin().powi(2);
        2.0 * EARTH_RADIUS_M * h.sqrt().min(1.0).asin()
    }

    /// The unit vector from the Earth's centre. The straight chord between two of them grows with
    /// the distance, knows no anti-meridian and no poles, and obeys the triangle inequality: good
    /// for bounds.
    pub fn unit_vector(self) -> [f64; 3] {
        let (lat, lon) = (self.latitude_deg.to_radians(), self.longitude_deg.to_radians());
        [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
    }
}
