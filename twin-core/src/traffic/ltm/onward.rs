//! Who goes on from the oldest blend of a way, by movement: where each of its columns leads, and
//! how much of it. Worked on in fours, which a processor does at once; groups and rows are filled
//! up to whole fours by what is nothing, so that there is no rest.

/// Columns that are worked on at once: a row has room for whole fours.
pub(super) const LANES: usize = 4;

/// The amounts of one row, by column: any column is in it.
type Blend = [f64; 256];

/// The oldest blend of one way, as it goes on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Oldest {
    /// The way, as long as nothing has changed there since.
    pub(super) way: usize,
    amounts: Box<Blend>,
    /// What goes on by each of the queue's `onward`, of the blend as it was written.
    pub(super) parts: Vec<f64>,
}

impl Oldest {
    /// Of none.
    pub(super) fn new() -> Oldest {
        Oldest { way: usize::MAX, amounts: Box::new([0.0; 256]), parts: Vec::new() }
    }

    /// Writes what of a blend goes on, and sums it by movement; gives the sum of all.
    pub(super) fn weigh(
        &mut self,
        amounts: &[f64],
        onward: &[Onward],
        groups: &mut [Group],
    ) -> f64 {
        self.amounts[..amounts.len()].copy_from_slice(amounts);
        self.parts.resize(onward.len(), 0.0);
        let (mut begin, mut all) = (0, 0.0);
        for group in groups {
            let span = begin..group.end as usize;
            begin = span.end;
            let parts = &mut self.parts[span.clone()];
            group.sum = weighted(&onward[span], &self.amounts, parts);
            all += group.sum;
        }
        all
    }
}

/// Those who go on by one movement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// Where it ends among all that go on.
    pub(super) end: u32,
    /// What is in it of the oldest blend, as it was written.
    pub(super) sum: f64,
}

/// Where a part of a column goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Onward {
    /// Column here.
    pub(super) here: u8,
    /// Column there, or [`NONE`].
    pub(super) there: u8,
    pub(super) part: f32,
}

/// Fills a group that begins there up to whole fours, by parts that are nothing.
pub(super) fn fill_up(onward: &mut Vec<Onward>) {
    while let Some(last) = onward.last().filter(|_| !onward.len().is_multiple_of(LANES)) {
        let nothing = Onward { part: 0.0, ..*last };
        onward.push(nothing);
    }
}

/// Writes what goes on in a group, and sums it; in four lanes, because an addition waits for the
/// one before.
fn weighted(group: &[Onward], amounts: &Blend, parts: &mut [f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let parts = parts.as_chunks_mut::<LANES>().0;
    for (four, parts) in group.as_chunks::<LANES>().0.iter().zip(parts) {
        *parts = four.map(|one| amounts[usize::from(one.here)] * f64::from(one.part));
        for (lane, part) in lanes.iter_mut().zip(parts) {
            *lane += *part;
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
}

/// Adds a part of what goes on to the columns it goes on in.
pub(super) fn scatter(group: &[Onward], from: &[f64], part: f64, amounts: &mut [f64]) {
    let from = from.as_chunks::<LANES>().0;
    for (four, from) in group.as_chunks::<LANES>().0.iter().zip(from) {
        let from = from.map(|amount| amount * part);
        for (onward, amount) in four.iter().zip(from) {
            amounts[usize::from(onward.there)] += amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Six columns that go on in the order 5, 4 … 0: all of each, or a part.
    fn poured(part: impl Fn(u8) -> f32) -> (f64, Vec<f64>) {
        let mut onward: Vec<Onward> =
            (0..6).map(|here| Onward { here, there: 5 - here, part: part(here) }).collect();
        fill_up(&mut onward);
        assert_eq!(onward.len(), 8);
        let mut groups = [Group { end: 0, sum: 1.0 }, Group { end: 8, sum: 0.0 }];
        let mut oldest = Oldest::new();
        // What another way has left behind counts for nobody.
        oldest.amounts.fill(7.0);
        let amounts = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 0.0];
        let all = oldest.weigh(&amounts, &onward, &mut groups);
        assert_eq!((groups[0].sum.to_bits(), groups[1].sum.to_bits()), (0, all.to_bits()));
        let mut there = vec![10.0; 8];
        scatter(&onward, &oldest.parts, 0.5, &mut there);
        (all, there)
    }

    #[test]
    fn parts_of_columns_go_where_they_lead_and_what_fills_up_goes_nowhere() {
        let (all, there) = poured(|here| if here == 2 { 0.5 } else { 1.0 });
        assert!((all - 19.5).abs() < 1e-12, "{all}");
        let expected = [13.0, 12.5, 12.0, 10.75, 11.0, 10.5, 10.0, 10.0];
        for (there, expected) in there.iter().zip(expected) {
            assert!((there - expected).abs() < 1e-12, "{there} is not {expected}");
        }
    }

    #[test]
    fn whole_columns_weigh_what_the_blend_does() {
        let (all, there) = poured(|_| 1.0);
        assert!((all - 21.0).abs() < 1e-12, "{all}");
        assert!((there.iter().sum::<f64>() - 90.5).abs() < 1e-12);
    }
}
