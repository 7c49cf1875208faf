//! The grain of vehicles: every count is a whole multiple of 2⁻³⁴ pcu, held in an `f64`. Sums and
//! differences of such numbers are exact while they stay below 2¹⁹ pcu (a link at 2 pcu/s for
//! three days), so vehicles are neither made nor lost by rounding, in whatever order they are
//! added. Only where a flow is cut to size is it rounded, here; so a step may take a few grains more
//! than a link's capacity or storage, never a vehicle more than there are.

/// One grain in pcu.
pub(super) const GRAIN: f64 = 1.0 / 17_179_869_184.0;

/// Adding this to a number below 2¹⁷ leaves no bits finer than one grain.
const SHIFT: f64 = 1.5 * 262_144.0;

/// The nearest multiple of a grain; for |x| < 2¹⁷, the size of a flow in one step.
pub(super) fn near(x: f64) -> f64 {
    (x + SHIFT) - SHIFT
}

/// A multiple of a grain that is at most `x` and within a grain of it; for |x| < 2¹⁷.
pub(super) fn below(x: f64) -> f64 {
    near(x - GRAIN / 2.0)
}

/// The nearest multiple of a grain, for counts of any size; slower than [`near`].
pub(super) fn rounded(x: f64) -> f64 {
    (x / GRAIN).round() * GRAIN
}

/// An exact sum of counts, however many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(i128);

impl Sum {
    /// Adds one count.
    #[expect(clippy::cast_possible_truncation, reason = "whole grains, far below 2^127")]
    pub(super) fn add(&mut self, count: f64) {
        self.0 += (count / GRAIN) as i128;
    }

    /// In pcu, rounded once.
    pub(super) fn pcu(self) -> f64 {
        self.0 as f64 * GRAIN
    }

    /// What is missing from `self` to `other`.
    pub(super) fn to(self, other: Sum) -> Sum {
        Sum(other.0 - self.0)
    }
}
