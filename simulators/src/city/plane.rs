//! Flat geometry in kilometres east and north of the city's centre. Over the 80 km of the city
//! the error against the sphere is below 0.1 %, which is nothing to a generated map.

/// Latitude of the centre: the square before the city hall.
pub const CENTRE_LATITUDE_DEG: f64 = 10.776;
/// Longitude of the centre.
pub const CENTRE_LONGITUDE_DEG: f64 = 106.700;
/// South, west, north, east of everything that is generated, in degrees.
pub const BOUNDS_DEG: [f64; 4] = [10.35, 106.35, 11.15, 107.05];

/// Kilometres in a degree of latitude (mean sphere).
const KM_PER_DEG: f64 = 111.194_93;
/// Cosine of the centre's latitude.
const COS_LATITUDE: f64 = 0.982_366;

/// A point in kilometres east and north of the centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Kilometres east.
    pub east_km: f64,
    /// Kilometres north.
    pub north_km: f64,
}

impl Spot {
    /// From kilometres.
    pub const fn new(east_km: f64, north_km: f64) -> Spot {
        Spot { east_km, north_km }
    }

    /// From WGS 84 degrees.
    pub const fn at(latitude_deg: f64, longitude_deg: f64) -> Spot {
        Spot {
            east_km: (longitude_deg - CENTRE_LONGITUDE_DEG) * KM_PER_DEG * COS_LATITUDE,
            north_km: (latitude_deg - CENTRE_LATITUDE_DEG) * KM_PER_DEG,
        }
    }

    /// Latitude and longitude, rounded to the sixth decimal (0.1 m).
    pub fn degrees(self) -> (f64, f64) {
        let round = |deg: f64| (deg * 1e6).round() / 1e6;
        (
            round(self.north_km / KM_PER_DEG + CENTRE_LATITUDE_DEG),
            round(self.east_km / (KM_PER_DEG * COS_LATITUDE) + CENTRE_LONGITUDE_DEG),
        )
    }

    /// Distance in kilometres.
    pub fn distance_km(self, other: Spot) -> f64 {
        (self.east_km - other.east_km).hypot(self.north_km - other.north_km)
    }

    /// This spot moved by kilometres.
    #[must_use]
    pub const fn moved(self, east_km: f64, north_km: f64) -> Spot {
        Spot { east_km: self.east_km + east_km, north_km: self.north_km + north_km }
    }

    /// The spot at a part of the way to another.
    #[must_use]
    pub fn toward(self, other: Spot, part: f64) -> Spot {
        Spot {
            east_km: (other.east_km - self.east_km).mul_add(part, self.east_km),
            north_km: (other.north_km - self.north_km).mul_add(part, self.north_km),
        }
    }

    /// Whether it is inside the bounds by at least a margin.
    pub fn within_bounds(self, margin_km: f64) -> bool {
        let [south, west, north, east] = BOUNDS_DEG;
        let (low, high) = (Spot::at(south, west), Spot::at(north, east));
        self.east_km >= low.east_km + margin_km
            && self.east_km <= high.east_km - margin_km
            && self.north_km >= low.north_km + margin_km
            && self.north_km <= high.north_km - margin_km
    }
}

/// Where along the line from `a` to `b` (0 to 1) the point nearest to `spot` is.
pub fn nearest_part(a: Spot, b: Spot, spot: Spot) -> f64 {
    let (dx, dy) = (b.east_km - a.east_km, b.north_km - a.north_km);
    let square = dx.mul_add(dx, dy * dy);
    if square <= 0.0 {
        return 0.0;
    }
    let along = (spot.east_km - a.east_km).mul_add(dx, (spot.north_km - a.north_km) * dy);
    (along / square).clamp(0.0, 1.0)
}

/// Whether two straight lines cross.
pub fn crosses(a: Spot, b: Spot, c: Spot, d: Spot) -> bool {
    turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0
}

/// More than 0 when `c` is left of the way from `a` to `b`.
pub fn turn(a: Spot, b: Spot, c: Spot) -> f64 {
    (b.east_km - a.east_km) * (c.north_km - a.north_km)
        - (b.north_km - a.north_km) * (c.east_km - a.east_km)
}

/// Whether an open ring holds a spot.
pub fn holds(ring: &[Spot], spot: Spot) -> bool {
    let mut inside = false;
    let mut before = ring.last();
    for corner in ring {
        if let Some(last) = before
            && (corner.north_km > spot.north_km) != (last.north_km > spot.north_km)
        {
            let part = (spot.north_km - corner.north_km) / (last.north_km - corner.north_km);
            if spot.east_km < (last.east_km - corner.east_km).mul_add(part, corner.east_km) {
                inside = !inside;
            }
        }
        before = Some(corner);
    }
    inside
}

/// Area of an open ring in square kilometres.
pub fn area_km2(ring: &[Spot]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let twice: f64 =
        ring.iter().zip(next).map(|(a, b)| a.east_km * b.north_km - b.east_km * a.north_km).sum();
    (twice / 2.0).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_come_back() {
        let spot = Spot::at(10.853_123, 106.797_456);
        assert_eq!(spot.degrees(), (10.853_123, 106.797_456));
        assert!((Spot::at(10.776, 106.8).east_km - 10.923).abs() < 0.01);
    }

    #[test]
    fn a_ring_holds_what_is_inside() {
        let ring =
            [Spot::new(0.0, 0.0), Spot::new(2.0, 0.0), Spot::new(2.0, 2.0), Spot::new(0.0, 2.0)];
        assert!(holds(&ring, Spot::new(1.0, 1.0)) && !holds(&ring, Spot::new(3.0, 1.0)));
        assert!((area_km2(&ring) - 4.0).abs() < 1e-12);
        assert!(crosses(ring[0], ring[2], ring[1], ring[3]));
        assert!(!crosses(ring[0], ring[1], ring[2], ring[3]));
    }
}
