//! A mergeable quantile sketch: `DDSketch` (Masson, Rim, Lee: "`DDSketch`: A Fast and
//! Fully-Mergeable Quantile Sketch with Relative-Error Guarantees", VLDB 12, 2019) with 1 %
//! relative error.
//!
//! Values are counted in buckets whose bounds grow by the same factor. Here the factor is
//! 2^(1/35), so that an octave holds 35 buckets exactly and a value finds its bucket with the
//! bits of its exponent, one table look-up and one comparison: no logarithm, thus the same bucket
//! on every machine. The error is (2^(1/35) − 1) / (2^(1/35) + 1) = 0.99 %.
//!
//! The store is sparse and sorted, and packs to about 3 bytes a bucket at rest: a cell's window
//! holds a dozen readings, and there are hundreds of thousands of them. (The crate
//! `sketches-ddsketch` keeps a dense store of at least 1 KiB each.) Merging adds counts: it is
//! exact, whatever the order.

use serde::{Deserialize, Serialize};

use super::times::{push_varint, take_varint};

/// Buckets of one octave.
const PER_OCTAVE: i32 = 35;

/// Exponents outside ± this are counted as zero, or as the largest value.
const MAX_EXPONENT: i32 = 460;

/// 2^(k/35): lower bounds of an octave's buckets, and the octave's end.
const BOUNDS: [f64; 36] = [
    1.0,
    1.020_001_609_421_199,
    1.040_403_283_221_836_4,
    1.061_213_023_333_372_8,
    1.082_438_991_738_776_7,
    1.104_089_513_673_812_3,
    1.126_173_080_892_357_6,
    1.148_698_354_997_035,
    1.171_674_170_836_459_5,
    1.195_109_539_970_437_7,
    1.219_013_654_204_475_4,
    1.243_395_889_194_982_1,
    1.268_265_808_126_584_5,
    1.293_633_165_462_994,
    1.319_507_910_772_894_2,
    1.345_900_192_632_356_2,
    1.372_820_362_605_305,
    1.400_278_979_303_605_5,
    1.428_286_812_528_351_4,
    1.456_854_847_493_992_9,
    1.485_994_289_136_948_4,
    1.515_716_566_510_398,
    1.546_033_337_266_980_1,
    1.576_956_492_231_147_2,
    1.608_498_160_062_978_9,
    1.640_670_712_015_276,
    1.673_486_766_785_806,
    1.706_959_195_466_601,
    1.741_101_126_592_248_2,
    1.775_925_951_289_156_3,
    1.811_447_328_527_813_2,
    1.847_679_190_480_101,
    1.884_635_747_983_761_4,
    1.922_331_496_116_162_2,
    1.960_781_219_879_547,
    2.0,
];

/// The bucket that holds the begin of each 128th of an octave. A bucket is wider than a 128th, so
/// the right one is this or the next.
const FIRST: [u8; 128] = first_buckets();

const fn first_buckets() -> [u8; 128] {
    let mut first = [0; 128];
    let mut bucket = 0;
    let mut part = 0;
    while part < 128 {
        while BOUNDS[bucket as usize + 1] <= 1.0 + part as f64 / 128.0 {
            bucket += 1;
        }
        first[part] = bucket;
        part += 1;
    }
    first
}

/// A bucket: values are ordered as their keys; 0 holds zero, below are the negative values.
type Key = i16;

/// Keys that wait to be counted: a cell that hears few readings in a window needs no heap.
const FRESH: usize = 15;

/// Counts of values by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sketch {
    /// In order of key.
    buckets: Vec<(Key, u32)>,
    /// The first `waiting` of these are to be counted.
    fresh: [Key; FRESH],
    waiting: u8,
}

impl Sketch {
    /// Counts a value. It must be finite.
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.wait(key_of(value));
    }

    /// Adds all counts of another one.
    pub(super) fn merge(&mut self, other: &Sketch) {
        self.merge_sorted(other.buckets.iter().copied());
        for key in &other.fresh[..usize::from(other.waiting)] {
            self.wait(*key);
        }
    }

    /// Adds all counts of a packed one.
    pub(super) fn merge_packed(&mut self, other: &PackedSketch) {
        self.merge_sorted(other.buckets());
    }

    /// The sketch at rest.
    pub(super) fn packed(&mut self) -> PackedSketch {
        self.count_fresh();
        let mut bytes = Vec::with_capacity(3 * self.buckets.len() + 2);
        let mut before = i32::from(Key::MIN);
        for (key, count) in &self.buckets {
            push_varint(&mut bytes, u64::from(i32::from(*key).abs_diff(before)));
            push_varint(&mut bytes, u64::from(*count));
            before = i32::from(*key);
        }
        PackedSketch(bytes.into_boxed_slice())
    }

    /// The values at these ranks, in rising order and in percent of the `n - 1` steps from the
    /// smallest to the largest of `n` values. All zero when nothing was counted.
    pub(super) fn quantiles<const N: usize>(&mut self, percents: [u64; N]) -> [f64; N] {
        self.count_fresh();
        let total: u64 = self.buckets.iter().map(|(_, count)| u64::from(*count)).sum();
        let mut below = 0;
        let mut walk = self.buckets.iter();
        let mut at = walk.next();
        percents.map(|percent| {
            while let Some((key, count)) = at {
                if (below + u64::from(*count)) * 100 > percent * total.saturating_sub(1) {
                    return value_of(*key);
                }
                below += u64::from(*count);
                at = walk.next();
            }
            self.buckets.last().map_or(0.0, |(key, _)| value_of(*key))
        })
    }

    #[inline]
    fn wait(&mut self, key: Key) {
        self.fresh[usize::from(self.waiting)] = key;
        self.waiting += 1;
        if usize::from(self.waiting) == FRESH {
            self.count_fresh();
        }
    }

    fn count_fresh(&mut self) {
        let mut fresh = self.fresh;
        let fresh = &mut fresh[..usize::from(self.waiting)];
        fresh.sort_unstable();
        self.fresh = [0; FRESH];
        self.waiting = 0;
        let counts = fresh.chunk_by(|a, b| a == b).map(|same| (same[0], same.len()));
        self.merge_sorted(counts.map(|(key, count)| (key, u32::try_from(count).expect("few"))));
    }

    fn merge_sorted(&mut self, other: impl Iterator<Item = (Key, u32)>) {
        if self.buckets.is_empty() {
            return self.buckets.extend(other);
        }
        let mut at = 0;
        for (key, count) in other {
            at += self.buckets[at..].partition_point(|(mine, _)| *mine < key);
            match self.buckets.get_mut(at) {
                Some((mine, total)) if *mine == key => *total = total.saturating_add(count),
                Some(_) | None => self.buckets.insert(at, (key, count)),
            }
        }
    }
}

/// A sketch at rest: varints of (distance to the key before, count), in order of key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PackedSketch(Box<[u8]>);

impl PackedSketch {
    fn buckets(&self) -> impl Iterator<Item = (Key, u32)> {
        let mut rest: &[u8] = &self.0;
        let mut before = i64::from(Key::MIN);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            before = before.saturating_add_unsigned(take_varint(&mut rest));
            let count = u32::try_from(take_varint(&mut rest)).unwrap_or(u32::MAX);
            Some((Key::try_from(before).unwrap_or(Key::MAX), count))
        })
    }
}

#[inline]
fn key_of(value: f64) -> Key {
    let bits = value.abs().to_bits();
    let exponent = i32::try_from(bits >> 52).expect("11 bits") - 1_023;
    if exponent < -MAX_EXPONENT {
        return 0;
    }
    let magnitude = if exponent > MAX_EXPONENT {
        bucket(MAX_EXPONENT, PER_OCTAVE - 1)
    } else {
        let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
        let first = FIRST[((bits >> 45) & 0x7f) as usize];
        let next = mantissa >= BOUNDS[usize::from(first) + 1];
        bucket(exponent, i32::from(first) + i32::from(next))
    };
    if value < 0.0 { -magnitude } else { magnitude }
}

/// Key of a positive value's bucket: 1 is the smallest.
fn bucket(exponent: i32, within: i32) -> Key {
    Key::try_from((exponent + MAX_EXPONENT) * PER_OCTAVE + within + 1)
        .expect("921 octaves of 35 buckets fit 16 bits")
}

/// The value that stands for a bucket: no value in it is further away than 1 %.
fn value_of(key: Key) -> f64 {
    if key == 0 {
        return 0.0;
    }
    let number = i32::from(key.unsigned_abs()) - 1;
    let (octave, within) = (number / PER_OCTAVE, number % PER_OCTAVE);
    let within = usize::try_from(within).expect("a remainder of a positive number");
    let scale = 2.0_f64.powi(octave - MAX_EXPONENT);
    let (low, high) = (BOUNDS[within] * scale, BOUNDS[within + 1] * scale);
    let value = 2.0 * low * (high / (low + high));
    if key < 0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANKS: [u64; 4] = [15, 50, 85, 95];

    fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add(*value);
        }
        sketch
    }

    #[test]
    fn bucket_bounds_are_powers_of_two() {
        for (k, bound) in BOUNDS.iter().enumerate() {
            assert!(
                (bound.powi(PER_OCTAVE) / 2.0_f64.powi(i32::try_from(k).unwrap()) - 1.0).abs()
                    < 1e-12
            );
            if k < 35 {
                assert_eq!(key_of(*bound), bucket(0, i32::try_from(k).unwrap()));
                assert_eq!(key_of(bound.next_down()), bucket(0, i32::try_from(k).unwrap()) - 1);
            }
        }
    }

    #[test]
    fn nothing_is_zero_and_extremes_have_a_bucket() {
        assert_eq!(Sketch::default().quantiles(RANKS).map(f64::to_bits), [0; 4]);
        let [low, zero, high] =
            of(&[f64::MIN, -0.0, 1e-200, 0.0, f64::MAX]).quantiles([0, 50, 100]);
        assert!(low < -1e130 && zero.abs() < 1e-130 && high > 1e130);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(
            mut values in proptest::collection::vec(
                prop_oneof![-1e5..1e5f64, -1.0..1.0f64, Just(0.0), 1e-9..1e9f64], 1..300),
        ) {
            let answers = of(&values).quantiles(RANKS);
            values.sort_by(f64::total_cmp);
            for (rank, answer) in RANKS.into_iter().zip(answers) {
                let exact = values[usize::try_from(rank).unwrap() * (values.len() - 1) / 100];
                prop_assert!((answer - exact).abs() <= 0.01 * exact.abs(), "{answer} for {exact}");
            }
        }

        #[test]
        fn merging_in_any_order_is_exact(
            left in proptest::collection::vec(-1e3..1e3f64, 0..100),
            right in proptest::collection::vec(-1e3..1e3f64, 0..100),
        ) {
            let mut both = of(&[left.clone(), right.clone()].concat());
            let (mut one, mut other) = (of(&left), of(&right));
            one.merge(&of(&right));
            other.merge_packed(&of(&left).packed());
            prop_assert_eq!(one.packed(), both.packed());
            prop_assert_eq!(other.packed(), both.packed());
            let mut unpacked = Sketch::default();
            unpacked.merge_packed(&both.packed());
            prop_assert_eq!(unpacked.packed(), both.packed());
        }
    }
}
