//! Chance without state: every draw is a hash of the seed and of what it is drawn for, so that
//! the same seed gives the same fleet whatever thread asks first. Not for secrets.

/// Mixes 64 bits so that each input bit moves every output bit (the finaliser of splitmix64,
/// Steele, Lea and Flood 2014).
pub const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A draw for a pair: what it is for, and which one.
pub const fn draw(seed: u64, which: u64) -> u64 {
    mix(seed ^ mix(which))
}

/// The bits of a signed number as a draw's `which`.
pub const fn bits(number: i64) -> u64 {
    number.cast_unsigned()
}

/// A draw as a number from 0 to 1, 1 excluded.
pub fn unit(draw: u64) -> f64 {
    const STEP: f64 = 1.0 / 9_007_199_254_740_992.0;
    (draw >> 11) as f64 * STEP
}

/// A draw as a number from -1 to 1 with a hill at 0 (the sum of two dice).
pub fn hill(draw: u64) -> f64 {
    const STEP: f64 = 1.0 / 4_294_967_296.0;
    ((draw & 0xffff_ffff) as f64 + (draw >> 32) as f64) * STEP - 1.0
}

/// A draw as a whole number from 0 to `bound`, `bound` excluded.
///
/// # Panics
/// When `bound` is 0.
pub const fn below(draw: u64, bound: u64) -> u64 {
    draw % bound
}

/// Noise from -1 to 1 that moves smoothly, with a new random height every `step_ms`.
pub fn smooth(seed: u64, time_ms: i64, step_ms: i64) -> f64 {
    let slot = time_ms.div_euclid(step_ms);
    let part = time_ms.rem_euclid(step_ms) as f64 / step_ms as f64;
    let from = unit(draw(seed, bits(slot)));
    let to = unit(draw(seed, bits(slot + 1)));
    let ease = part * part * (3.0 - 2.0 * part);
    2.0 * (from + (to - from) * ease) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_spread_evenly() {
        let mut tenths = [0_u32; 10];
        let mut hills = 0.0;
        for n in 0..100_000 {
            let slot = below(draw(7, n), 10);
            tenths[usize::try_from(slot).unwrap()] += 1;
            assert!((0.0..1.0).contains(&unit(draw(3, n))));
            hills += hill(draw(5, n));
        }
        assert!(tenths.iter().all(|n| (9_500..10_500).contains(n)), "{tenths:?}");
        assert!((hills / 100_000.0).abs() < 0.01);
    }

    #[test]
    fn smooth_noise_has_no_jumps() {
        let mut before = smooth(1, -5_000, 60_000);
        for time in (-4_000..600_000).step_by(1_000) {
            let now = smooth(1, time, 60_000);
            assert!((now - before).abs() < 0.06 && (-1.0..=1.0).contains(&now));
            before = now;
        }
    }
}
