//! Fixed-time plans of the traffic lights: two phases, one for each direction of the street grid,
//! whose green is shared by how great the streets are.
//!
//! A cycle starts `offset_s` after the seconds of the local day that are a multiple of it. Cycles
//! divide the hour, so the same holds for seconds since the Unix epoch.

use super::StreetClass;
use crate::chance::{below, draw};

/// Yellow and all-red behind each green, in seconds.
pub const CLEARANCE_S: u32 = 4;
/// Least green in seconds: who walks across twelve metres needs it.
const LEAST_GREEN_S: u32 = 12;

/// The plan of one junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Length of the cycle.
    pub cycle_s: u32,
    /// When a cycle starts.
    pub offset_s: u32,
    /// Green along the grid's columns, then along its rows.
    pub greens_s: [u32; 2],
}

/// What a link sees of the plan at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Length of the cycle.
    pub cycle_s: f64,
    /// Green in a cycle.
    pub green_s: f64,
    /// When a green ends, in seconds after a multiple of the cycle.
    pub red_from_s: f64,
}

impl Plan {
    /// The plan for the greatest class along columns and along rows.
    pub(super) fn of(seed: u64, junction: u32, classes: [StreetClass; 2]) -> Plan {
        let lesser = classes[0].min(classes[1]);
        let cycle_s = match lesser {
            StreetClass::Residential | StreetClass::Tertiary => 60,
            StreetClass::Secondary => 90,
            StreetClass::Primary | StreetClass::Trunk => 120,
        };
        let spare = cycle_s - 2 * (CLEARANCE_S + LEAST_GREEN_S);
        let [columns, rows] = classes.map(weight);
        let first = spare * columns / (columns + rows);
        let offset = below(draw(seed ^ 0x5eed_0004, u64::from(junction)), u64::from(cycle_s));
        Plan {
            cycle_s,
            offset_s: u32::try_from(offset).expect("less than the cycle"),
            greens_s: [LEAST_GREEN_S + first, LEAST_GREEN_S + spare - first],
        }
    }

    /// As those see it who come along the columns, or along the rows.
    pub fn light(&self, upright: bool) -> Light {
        let [first, second] = self.greens_s;
        let (green_s, end_s) =
            if upright { (first, first) } else { (second, first + CLEARANCE_S + second) };
        Light {
            cycle_s: f64::from(self.cycle_s),
            green_s: f64::from(green_s),
            red_from_s: f64::from((self.offset_s + end_s) % self.cycle_s),
        }
    }
}

impl Light {
    /// Part of the time that is green.
    pub fn share(&self) -> f64 {
        self.green_s / self.cycle_s
    }
}

/// How much green a street of a class wants: its lanes, and a little more for the greater.
const fn weight(class: StreetClass) -> u32 {
    match class {
        StreetClass::Residential => 3,
        StreetClass::Tertiary => 5,
        StreetClass::Secondary => 6,
        StreetClass::Primary => 8,
        StreetClass::Trunk => 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greens_and_clearances_fill_the_cycle_and_the_greater_street_has_more() {
        let all = [
            StreetClass::Residential,
            StreetClass::Tertiary,
            StreetClass::Secondary,
            StreetClass::Primary,
            StreetClass::Trunk,
        ];
        for columns in all {
            for rows in all {
                let plan = Plan::of(1, 7, [columns, rows]);
                let greens: u32 = plan.greens_s.iter().sum();
                assert_eq!(greens + 2 * CLEARANCE_S, plan.cycle_s);
                assert!(plan.offset_s < plan.cycle_s && 3_600 % plan.cycle_s == 0);
                assert_eq!(columns > rows, plan.greens_s[0] > plan.greens_s[1] + 1);
                let (a, b) = (plan.light(true), plan.light(false));
                assert!(a.share() >= 0.2 && a.share() + b.share() < 0.95);
                let gap = (b.red_from_s - a.red_from_s).rem_euclid(a.cycle_s);
                assert!((gap - b.green_s - f64::from(CLEARANCE_S)).abs() < 1e-9);
            }
        }
    }
}
