//! How fast one drives through water: Pregnolato, Ford, Wilkinson & Dawson 2017, "The impact of
//! flooding on road transport: a depth-disruption function" (Transportation Research Part D 55:67,
//! doi 10.1016/j.trd.2017.06.020), a parabola through the highest speeds at which a vehicle was seen
//! to keep control: `v = 0.0009 d² − 0.5529 d + 86.9448`, v in km/h, d in mm, for d up to 300 mm,
//! where a car floats. Coefficients and limit are those that other programs quote of the paper; the
//! paper itself was not at hand.
//!
//! A link under water is as fast as its free speed or the water allows, whichever is less; its
//! capacity falls to the peak of the fundamental diagram at that speed. The function is of cars;
//! of motorcycles, most of this city's traffic, there is none we know of.

/// From this depth on nobody drives, metres.
pub const CUT_DEPTH_M: f64 = 0.3;

/// The fastest one drives through water of a depth in metres, km/h; `None` where nobody drives.
pub fn speed_kmh(depth_m: f64) -> Option<f64> {
    if depth_m >= CUT_DEPTH_M {
        return None;
    }
    let depth_mm = depth_m.max(0.0) * 1_000.0;
    Some(0.0009f64.mul_add(depth_mm * depth_mm, (-0.5529f64).mul_add(depth_mm, 86.9448)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_curve_and_its_end() {
        for (depth_m, expected) in [(0.0, 86.9448), (0.1, 40.6548), (0.15, 24.2598), (0.2, 12.3648)]
        {
            let speed = speed_kmh(depth_m).unwrap();
            assert!((speed - expected).abs() < 1e-9, "{depth_m}: {speed}");
        }
        assert!(speed_kmh(0.299).unwrap() > 2.0);
        assert_eq!(speed_kmh(0.3), None);
    }
}
