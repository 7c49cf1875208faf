//! Scales: round maxima and ticks, the classes of a difference and their colours.
//!
//! A difference is shown in seven classes around zero, with edges at a tenth, a half and the whole
//! of a round maximum M. The outermost classes are open, so that one extreme link does not make
//! all others pale. The colours are ColorBrewer's RdBu, which stays readable for people who do not
//! tell red from green; more is warm, less is cool.

/// From "much less" to "much more".
pub(super) const COLOURS: [&str; 7] =
    ["#2166ac", "#4f9bc9", "#a6cfe4", "#a9a9a3", "#f7b799", "#e0714f", "#a81529"];

/// The class around zero.
pub(super) const UNCHANGED: usize = 3;

/// Share of the sum of all squared differences that lies in links beyond the maximum of a scale.
const BEYOND_SHARE: f64 = 0.6;

/// The largest do not count, where there are enough others: both directions of a closed street are
/// often far from all else.
const OUTLIERS: usize = 2;
const ENOUGH: usize = 20;

/// A symmetric scale of seven classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Classes {
    /// M, in the unit of the differences.
    pub(super) max: f64,
}

impl Classes {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Classes {
        Classes { max: round_near(typical_large(values)) }
    }

    /// The six edges between the classes, ascending.
    pub(super) fn edges(self) -> [f64; 6] {
        let max = self.max;
        [-max, -max / 2.0, -max / 10.0, max / 10.0, max / 2.0, max]
    }

    /// The class of a difference, 0 to 6.
    pub(super) fn class(self, value: f64) -> usize {
        let edges = self.edges();
        if value < 0.0 {
            edges.iter().filter(|edge| value > **edge).count()
        } else {
            edges.iter().filter(|edge| value >= **edge).count()
        }
    }
}

/// How large "large" is: the value from which on the links hold [`BEYOND_SHARE`] of the sum of
/// squares. Ripples all over a city do not pull it down as they do a percentile. 0 when all are 0.
pub(super) fn typical_large(values: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = values.map(f64::abs).filter(|size| size.is_finite()).collect();
    sizes.sort_by(|a, b| b.total_cmp(a));
    let sizes = if sizes.len() >= ENOUGH { &sizes[OUTLIERS..] } else { &sizes[..] };
    let enough = sizes.iter().map(|size| size * size).sum::<f64>() * BEYOND_SHARE;
    let mut sum = 0.0;
    for size in sizes {
        sum += size * size;
        if sum >= enough {
            return *size;
        }
    }
    0.0
}

/// The next of 1, 2, 5, 10, 20, …; 1 for what is not above 0.
pub(super) fn round_up(value: f64) -> f64 {
    if value.is_nan() || value <= 0.0 || value.is_infinite() {
        return 1.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * unit);
    // a little slack: 0.5 / 0.1 is not quite 5
    steps.into_iter().find(|step| value <= step * (1.0 + 1e-9)).unwrap_or(unit * 10.0)
}

/// The greatest of 1, 2, 5, 10, … that is not above the value.
pub(super) fn round_down(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|step| step * unit);
    steps.into_iter().find(|step| *step <= value * (1.0 + 1e-9)).unwrap_or(unit)
}

/// The one of 1, 2, 5, 10, … that is the fewest times larger or smaller; 1 for what is not above 0.
pub(super) fn round_near(value: f64) -> f64 {
    let above = round_up(value);
    if value.is_nan() || value <= 0.0 || value.is_infinite() {
        return above;
    }
    let below = round_down(value);
    if above / value <= value / below { above } else { below }
}

/// Step between ticks from 0 to a maximum, for about so many of them.
pub(super) fn tick_step(max: f64, about: f64) -> f64 {
    round_up(max / about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_classes_on_both_sides_of_zero_alike() {
        let classes = Classes { max: 10.0 };
        for (value, class) in
            [(0.0, 3), (0.5, 3), (1.0, 4), (4.0, 4), (5.0, 5), (9.0, 5), (10.0, 6), (99.0, 6)]
        {
            assert_eq!(classes.class(value), class, "{value}");
            assert_eq!(classes.class(-value), 6 - class, "-{value}");
        }
    }

    #[test]
    fn neither_dust_nor_one_giant_sets_the_scale() {
        let dust = std::iter::repeat_n(0.1, 10_000);
        let usual = std::iter::repeat_n(4.0, 50);
        assert_eq!(Classes::of(dust.chain(usual).chain([90.0])), Classes { max: 5.0 });
        assert_eq!(Classes::of([].into_iter()), Classes { max: 1.0 });
    }

    #[test]
    fn round_numbers() {
        for (value, up, down) in
            [(0.03, 0.05, 0.02), (1.0, 1.0, 1.0), (7.0, 10.0, 5.0), (230.0, 500.0, 200.0)]
        {
            assert!((round_up(value) - up).abs() < 1e-9, "{value}");
            assert!((round_down(value) - down).abs() < 1e-9, "{value}");
        }
        for (value, near) in [(5.9, 5.0), (8.0, 10.0), (1.3, 1.0), (0.0, 1.0)] {
            assert!((round_near(value) - near).abs() < 1e-9, "{value}");
        }
    }
}
