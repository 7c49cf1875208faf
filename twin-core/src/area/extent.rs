//! How far a group of sensors reaches: in latitude and longitude, as a ball around its centre,
//! and as a range of H3 cells. Areas and searches judge whole groups by it. It is a promise, not
//! a measure: every member lies within, so a group that is judged outside holds nothing.

use crate::position::Position;

/// Slack for rounding in chords of the unit sphere (6 mm on the ground).
pub(crate) const CHORD_SLACK: f64 = 1e-9;

/// Bounds of a group of positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Degrees of latitude of the southernmost and the northernmost.
    pub(crate) latitude: (f64, f64),
    /// Least and greatest degrees of longitude; a group across the anti-meridian spans them all.
    pub(crate) longitude: (f64, f64),
    /// Unit vector to the middle.
    pub(crate) centre: [f64; 3],
    /// Chord from there to the farthest member, with slack.
    pub(crate) chord: f64,
    /// Least and greatest cell of resolution 15.
    pub(crate) cells: (u64, u64),
}

/// One member of a group.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// Where it is.
    pub(crate) position: Position,
    /// The same as a unit vector.
    pub(crate) vector: [f64; 3],
    /// Its cell of resolution 15.
    pub(crate) cell: u64,
}

impl Spot {
    /// The spot at a position.
    pub fn at(position: Position) -> Spot {
        let cell = position.cell(h3o::Resolution::Fifteen).into();
        Spot { position, vector: position.unit_vector(), cell }
    }
}

impl Extent {
    /// Of nothing: judged outside of everything that asks the box or the cells.
    pub const EMPTY: Extent = Extent {
        latitude: (f64::INFINITY, f64::NEG_INFINITY),
        longitude: (f64::INFINITY, f64::NEG_INFINITY),
        centre: [1.0, 0.0, 0.0],
        chord: 0.0,
        cells: (u64::MAX, 0),
    };

    /// Of some spots.
    pub fn of(spots: impl Iterator<Item = Spot> + Clone) -> Extent {
        let mut extent = Extent::EMPTY;
        let mut sum = [0.0; 3];
        for spot in spots.clone() {
            let (lat, lon) = (spot.position.latitude_deg(), spot.position.longitude_deg());
            extent.latitude = (extent.latitude.0.min(lat), extent.latitude.1.max(lat));
            extent.longitude = (extent.longitude.0.min(lon), extent.longitude.1.max(lon));
            extent.cells = (extent.cells.0.min(spot.cell), extent.cells.1.max(spot.cell));
            for (total, part) in sum.iter_mut().zip(spot.vector) {
                *total += part;
            }
        }
        extent.centre = direction(sum);
        let farthest = spots.map(|spot| chord(extent.centre, spot.vector)).fold(0.0, f64::max);
        extent.chord = farthest + CHORD_SLACK;
        extent
    }
}

/// The straight distance between two unit vectors, 0 to 2.
pub(crate) fn chord(a: [f64; 3], b: [f64; 3]) -> f64 {
    length([a[0] - b[0], a[1] - b[1], a[2] - b[2]])
}

/// The unit vector along `sum`; any one if there is no direction (antipodes cancel out).
fn direction(sum: [f64; 3]) -> [f64; 3] {
    let length = length(sum);
    if length > 1e-6 { sum.map(|part| part / length) } else { Extent::EMPTY.centre }
}

fn length([x, y, z]: [f64; 3]) -> f64 {
    (x * x + y * y + z * z).sqrt()
}
