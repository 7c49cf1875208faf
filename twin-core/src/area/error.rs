//! Why something is no area: the field, named as in the API, and what is wrong with it.

use thiserror::Error;

use super::{MAX_CELLS, MAX_VERTICES};
use crate::position::PositionError;

/// Why something is no area.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field}: {problem}")]
pub struct AreaError {
    /// Which part of it, such as `polygon.parts[0].rings[1]`.
    pub field: String,
    /// What is wrong.
    pub problem: AreaProblem,
}

/// What is wrong with a part of an area.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AreaProblem {
    /// A point is outside the Earth.
    #[error("{0}")]
    Position(PositionError),
    /// Not an H3 cell.
    #[error("{0:?} is not an H3 cell in hexadecimal")]
    NotACell(String),
    /// A list that must hold something.
    #[error("is empty")]
    Empty,
    /// More cells than allowed.
    #[error("{0} cells, at most {MAX_CELLS} are allowed")]
    TooManyCells(usize),
    /// More vertices than allowed.
    #[error("{0} points in all, at most {MAX_VERTICES} are allowed")]
    TooManyVertices(usize),
    /// Too few different points.
    #[error("fewer than {needed} points ({found} that differ)")]
    TooFewPoints {
        /// How many there must be.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// Two edges of a ring cross or lie on each other.
    #[error(
        "crosses itself: the edges from points {first} and {second} meet at latitude {latitude_deg}, longitude {longitude_deg}"
    )]
    Crossing {
        /// Number of the point from which one edge starts.
        first: usize,
        /// Number of the point from which the other starts.
        second: usize,
        /// Where they meet, degrees north.
        latitude_deg: f64,
        /// Where they meet, degrees east.
        longitude_deg: f64,
    },
    /// A ring does not close: it goes round a pole.
    #[error("goes round a pole; cut it along a meridian")]
    RoundAPole,
    /// A ring overlaps itself round the Earth.
    #[error("spans more than 360 degrees of longitude")]
    TooWide,
    /// Not within (0, most].
    #[error("{value} m is not above 0 and at most {most} m")]
    Length {
        /// What was given.
        value: f64,
        /// What is allowed.
        most: f64,
    },
    /// The southern limit is north of the northern one.
    #[error("{south_deg} is north of north_deg {north_deg}")]
    SouthOverNorth {
        /// The southern limit.
        south_deg: f64,
        /// The northern limit.
        north_deg: f64,
    },
}
