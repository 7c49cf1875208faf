//! What a link costs at a flow: the curve of the Bureau of Public Roads (BPR, Traffic Assignment
//! Manual, 1964),
//!
//! ```text
//! t(v) = t0·(1 + b·(v/c)^p) + toll_factor·toll + distance_factor·length
//! ```
//!
//! kept as `fixed + gain·v^p`, so that the innermost loop has one power and no division.

use super::network::{CostFactors, Link, NetworkError};

/// Cost by flow of one link. Never falls as flow grows; never negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    /// Cost of the empty link.
    fixed: f64,
    /// Cost of one vehicle to the power.
    gain: f64,
    power: f64,
    shape: Shape,
}

/// How the power is worked out: powers of real networks are few.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Flat,
    Linear,
    Quartic,
    Any,
}

impl Curve {
    /// The checked curve of a link.
    pub(super) fn of(
        number: u32,
        link: &Link,
        factors: CostFactors,
    ) -> Result<Curve, NetworkError> {
        let wrong =
            |name, value, allowed| Err(NetworkError::Value { link: number, name, value, allowed });
        for (name, value) in [("free-flow time", link.free_flow_time), ("b", link.b)] {
            if !(value >= 0.0 && value.is_finite()) {
                return wrong(name, value, "0 or more");
            }
        }
        // Between 0 and 1 an empty link's delay would rise infinitely steeply.
        if !(link.power == 0.0 || (link.power >= 1.0 && link.power.is_finite())) {
            return wrong("power", link.power, "0, or at least 1");
        }
        let mut fixed =
            link.free_flow_time + factors.toll * link.toll + factors.distance * link.length;
        let delay = link.free_flow_time * link.b;
        let mut gain = 0.0;
        if link.power == 0.0 {
            fixed += delay;
        } else if delay > 0.0 {
            if link.capacity.is_nan() || link.capacity <= 0.0 {
                return wrong("capacity", link.capacity, "more than 0");
            }
            gain = delay / link.capacity.powf(link.power);
        }
        if !(fixed >= 0.0 && fixed.is_finite()) {
            return wrong("cost when empty", fixed, "0 or more, toll and length included");
        }
        if !gain.is_finite() {
            return wrong("capacity", link.capacity, "large enough for its power");
        }
        let shape = match link.power {
            _ if gain == 0.0 => Shape::Flat,
            power if (power - 1.0).abs() < f64::EPSILON => Shape::Linear,
            power if (power - 4.0).abs() < f64::EPSILON => Shape::Quartic,
            _ => Shape::Any,
        };
        Ok(Curve { fixed, gain, power: link.power, shape })
    }

    /// Cost at a flow, and how much it grows with one vehicle more.
    pub(super) fn cost_and_slope(&self, flow: f64) -> (f64, f64) {
        match self.shape {
            Shape::Flat => (self.fixed, 0.0),
            Shape::Linear => (self.fixed + self.gain * flow, self.gain),
            Shape::Quartic => {
                let cubed = self.gain * flow * flow * flow;
                (self.fixed + cubed * flow, 4.0 * cubed)
            }
            Shape::Any => {
                let below = self.gain * flow.powf(self.power - 1.0);
                (self.fixed + below * flow, self.power * below)
            }
        }
    }

    /// The cost summed over all vehicles from the first to the last: the link's part of the
    /// objective of Beckmann, McGuire & Winsten (1956).
    pub(super) fn integral(&self, flow: f64) -> f64 {
        let delay = match self.shape {
            Shape::Flat => 0.0,
            Shape::Linear | Shape::Quartic | Shape::Any => {
                self.gain * flow.powf(self.power + 1.0) / (self.power + 1.0)
            }
        };
        self.fixed * flow + delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a link wrong, and what is said then.
    type Wrong = (fn(&mut Link), &'static str);

    fn link(b: f64, power: f64) -> Link {
        Link {
            from: 0,
            to: 1,
            capacity: 50.0,
            length: 3.0,
            free_flow_time: 2.0,
            b,
            power,
            toll: 10.0,
        }
    }

    #[test]
    fn every_shape_is_the_formula_with_its_slope_and_integral() {
        let factors = CostFactors { toll: 0.02, distance: 0.04 };
        for (b, power) in
            [(0.15, 4.0), (0.15, 0.0), (0.0, 4.0), (0.15, 1.0), (0.15, 4.118), (3.0, 1.5)]
        {
            let curve = Curve::of(0, &link(b, power), factors).unwrap();
            let formula = |flow: f64| 2.0 * (1.0 + b * (flow / 50.0).powf(power)) + 0.2 + 0.12;
            for flow in [1e-3, 1.0, 50.0, 80.0] {
                let (cost, slope) = curve.cost_and_slope(flow);
                let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{power}: {a} {b}");
                near(cost, formula(flow));
                let step = 1e-4;
                near(slope, (formula(flow + step) - formula(flow - step)) / (2.0 * step));
                let parts = 4000_i32;
                let width = flow / f64::from(parts);
                let middles = (0..parts).map(|part| formula((f64::from(part) + 0.5) * width));
                let by_hand = middles.sum::<f64>() * width;
                assert!((curve.integral(flow) - by_hand).abs() < 1e-5 * by_hand);
            }
            assert!(curve.cost_and_slope(0.0).1.is_finite());
        }
    }

    #[test]
    fn what_is_no_curve_is_refused_by_name() {
        let changed = |change: fn(&mut Link)| {
            let mut link = link(0.15, 4.0);
            change(&mut link);
            Curve::of(7, &link, CostFactors { toll: 1.0, distance: 0.0 }).unwrap_err().to_string()
        };

        let table: [Wrong; 7] = [
            (|link| link.power = 0.5, "link 7: power 0.5 is not allowed; allowed: 0, or at least"),
            (|link| link.capacity = 0.0, "capacity 0 "),
            (|link| link.capacity = 1e-200, "large enough"),
            (|link| link.free_flow_time = -1.0, "free-flow time -1 "),
            (|link| link.b = f64::NAN, "b NaN "),
            (|link| link.toll = -3.0, "cost when empty -1 "),
            (|link| link.toll = f64::INFINITY, "cost when empty inf "),
        ];
        for (change, expected) in table {
            let told = changed(change);
            assert!(told.contains(expected), "{told}");
        }
        let free = Link { capacity: 0.0, free_flow_time: 0.0, ..link(0.15, 4.0) };
        assert!(Curve::of(0, &free, CostFactors::default()).is_ok(), "no delay needs no capacity");
    }
}
