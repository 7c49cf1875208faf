//! The units of a road: each a number that was checked once. What is no length, speed, capacity or
//! density cannot be made into one.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a number is no such measure.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{value} is not within {least} to {most}")]
pub struct UnitError {
    /// The number.
    pub value: f64,
    /// The least that is taken.
    pub least: f64,
    /// The most that is taken.
    pub most: f64,
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $least:expr, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
        pub struct $name(f64);

        impl $name {
            /// The least that is taken.
            pub const LEAST: f64 = $least;
            /// The most that is taken.
            pub const MOST: f64 = $most;

            /// From a number in this unit.
            ///
            /// # Errors
            /// When it is not finite or not within `LEAST` to `MOST`.
            pub fn new(value: f64) -> Result<$name, UnitError> {
                if ($least..=$most).contains(&value) {
                    return Ok($name(value));
                }
                Err(UnitError { value, least: $least, most: $most })
            }

            /// The number in this unit.
            pub const fn get(self) -> f64 {
                self.0
            }
        }
    };
}

unit! {
    /// A length in metres; 0 only where there is nothing to drive (connectors).
    Meters, 0.0, 1e6
}
unit! {
    /// A speed in metres a second; never 0: nothing would ever arrive.
    MetersPerSecond, 0.1, 100.0
}
unit! {
    /// A flow in vehicles (passenger-car equivalents) an hour; never 0: what takes nothing is no
    /// link. A scenario closes links, a network does not.
    VehiclesPerHour, 1e-3, 1e6
}
unit! {
    /// Vehicles (passenger-car equivalents) that stand on a kilometre of one lane.
    VehiclesPerKilometer, 1e-3, 1e6
}

impl MetersPerSecond {
    /// From kilometres an hour.
    ///
    /// # Errors
    /// As [`MetersPerSecond::new`].
    pub fn from_kmh(kmh: f64) -> Result<MetersPerSecond, UnitError> {
        MetersPerSecond::new(kmh / 3.6)
    }

    /// In kilometres an hour.
    pub fn kmh(self) -> f64 {
        self.0 * 3.6
    }
}

/// Lanes in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lanes(u8);

impl Lanes {
    /// One lane.
    pub const ONE: Lanes = Lanes(1);
    /// The most that is taken.
    pub const MOST: i64 = 50;

    /// From a count.
    ///
    /// # Errors
    /// When it is not within 1 to [`Lanes::MOST`].
    pub fn new(count: i64) -> Result<Lanes, UnitError> {
        u8::try_from(count)
            .ok()
            .filter(|_| (1..=Lanes::MOST).contains(&count))
            .map(Lanes)
            .ok_or(UnitError { value: count as f64, least: 1.0, most: Lanes::MOST as f64 })
    }

    /// How many.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// How many, to reckon with.
    pub fn count(self) -> f64 {
        f64::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_measured() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            assert!(MetersPerSecond::new(bad).is_err(), "{bad}");
            assert!(VehiclesPerHour::new(bad).is_err(), "{bad}");
            assert!(VehiclesPerKilometer::new(bad).is_err(), "{bad}");
        }
        assert!(Meters::new(0.0).is_ok() && Meters::new(-0.1).is_err());
        assert!((MetersPerSecond::from_kmh(36.0).unwrap().get() - 10.0).abs() < 1e-12);
        for bad in [-1, 0, 51, 257, i64::MAX] {
            assert!(Lanes::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Lanes::new(3).unwrap().get(), 3);
    }
}
