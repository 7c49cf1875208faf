//! What keeps who chooses a way off some links, now: tolls, and bans for those with some
//! destinations. Both are seconds that a link is taken to be longer than it is.

use std::collections::BTreeMap;

use super::change::Effect;
use super::plan::Plan;
use super::times::single;

/// Who is kept off what.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Charges {
    /// Per link with any, seconds by destination; for ever, where one may not enter.
    rows: BTreeMap<usize, Vec<f32>>,
    /// The row of all other links.
    none: Vec<f32>,
    /// Per destination, the first that was given at its junction, if there are links that those
    /// for it may not enter.
    instead: BTreeMap<usize, usize>,
}

impl Charges {
    /// At a time.
    pub(super) fn at(plan: &Plan, time_s: f64) -> Charges {
        let none = vec![0.0; plan.network().destinations().len()];
        let mut charges = Charges { rows: BTreeMap::new(), none, instead: BTreeMap::new() };
        for change in plan.changes().iter().filter(|change| change.holds_at(time_s)) {
            match change.effect {
                Effect::Toll { link, worth_s } if worth_s > 0.0 => {
                    for seconds in charges.row(link) {
                        *seconds += single(worth_s);
                    }
                }
                Effect::Avoid { link, first, count } => {
                    for given in first as usize..(first + count) as usize {
                        charges.keep_off(plan, link, given);
                    }
                }
                Effect::Toll { .. }
                | Effect::Close { .. }
                | Effect::Capacity { .. }
                | Effect::Speed { .. }
                | Effect::Lanes { .. }
                | Effect::Ban { .. } => {}
            }
        }
        charges
    }

    fn row(&mut self, link: u32) -> &mut Vec<f32> {
        self.rows.entry(link as usize).or_insert_with(|| self.none.clone())
    }

    /// Keeps those for a destination, as it was given, off a link.
    fn keep_off(&mut self, plan: &Plan, link: u32, given: usize) {
        let destinations = plan.network().destinations();
        let inners = plan.network().order().destinations.inners();
        let inner = inners[given] as usize;
        self.row(link)[inner] = f32::INFINITY;
        self.instead.entry(inner).or_insert_with(|| {
            let here = destinations[given].junction;
            let mut all = destinations.iter().zip(inners);
            all.find(|(one, _)| one.junction == here).map_or(inner, |(_, to)| *to as usize)
        });
    }

    /// By destination, seconds that a link is taken to be longer.
    pub(super) fn longer_s(&self, link: usize) -> &[f32] {
        self.rows.get(&link).unwrap_or(&self.none)
    }

    /// The destination of those who are on the road already, when they have no way of their own.
    pub(super) fn instead(&self, to: usize) -> Option<usize> {
        self.instead.get(&to).copied()
    }
}
