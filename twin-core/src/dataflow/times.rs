//! The exact memory of one series' event times, from which `dedupe` tells a repeat from a new
//! reading.
//!
//! Times are kept as runs `(start, step, count)`. A sensor that reports at a fixed interval is one
//! run of 16 bytes, however long the horizon. An irregular one pairs its times into runs of two;
//! the newest dozen of those stay plain, older ones are packed to about 2.5 bytes a reading:
//!
//! ```text
//! packed = ( varint gap from the end of the run before, varint step, varint count )*   oldest first
//! ```
//!
//! The plain path (a reading newer than all before) touches 24 bytes and allocates nothing. What
//! is older than the horizon is dropped when newer runs are packed, not at once: nobody asks for
//! it, a reading that old is [`Seen::Behind`].

use serde::{Deserialize, Serialize};

/// Plain runs before the oldest are packed.
const RECENT: usize = 12;

/// How many are packed at once.
const SPILL: usize = 8;

/// What the memory says of an event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// First seen now; it is remembered.
    New,
    /// Seen before.
    Repeat,
    /// Further behind the newest than the horizon: unknown.
    Behind,
}

/// `count` event times from `start`, `step` milliseconds apart; `count` 0 is no run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    start: i64,
    step: u32,
    count: u32,
}

impl Run {
    const fn of(time: i64) -> Run {
        Run { start: time, step: 0, count: 1 }
    }

    fn at(&self, position: u32) -> i64 {
        self.start.wrapping_add(i64::from(self.step) * i64::from(position))
    }

    /// Its newest time. Only for runs that are not empty.
    fn last(&self) -> i64 {
        self.at(self.count - 1)
    }

    /// The run with a time behind its end added, if one run can hold both.
    fn extended(&self, time: i64) -> Option<Run> {
        let gap = u32::try_from(time.abs_diff(self.last())).ok()?;
        match self.count {
            1 => Some(Run { start: self.start, step: gap, count: 2 }),
            u32::MAX => None,
            count => (gap == self.step).then_some(Run { count: count + 1, ..*self }),
        }
    }

    /// Both runs as one, when `next` goes on in the step of this one.
    fn joined(&self, next: &Run) -> Option<Run> {
        let same_step = next.count == 1 || next.step == self.step;
        let count = self.count.checked_add(next.count)?;
        let meets = self.count > 1 && next.start.abs_diff(self.last()) == u64::from(self.step);
        (same_step && meets).then_some(Run { count, ..*self })
    }

    /// `None` when the time is in the run, else the parts before and behind it (maybe empty). The
    /// time lies within the run.
    fn split(&self, time: i64) -> Option<(Run, Run)> {
        let offset = time.abs_diff(self.start);
        let step = u64::from(self.step);
        if step == 0 || offset.is_multiple_of(step) {
            return None;
        }
        let before = u32::try_from(offset / step + 1).expect("within the run's count");
        Some((self.part(0, before), self.part(before, self.count - before)))
    }

    fn part(&self, from: u32, count: u32) -> Run {
        let step = if count > 1 { self.step } else { 0 };
        Run { start: self.at(from), step, count }
    }
}

/// Runs older than the newest one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Older {
    /// Up to [`RECENT`] plain runs, oldest first.
    recent: Vec<Run>,
    /// Runs older than those.
    packed: Vec<u8>,
    /// From where the first packed run's gap counts.
    packed_from: i64,
    /// The newest packed time.
    packed_end: i64,
}

/// The event times of one series that are not older than the horizon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Times {
    newest: Run,
    older: Option<Box<Older>>,
}

impl Times {
    /// Remembers an event time (milliseconds) and says whether it was there.
    #[inline]
    pub(super) fn insert(&mut self, time: i64, horizon_ms: i64) -> Seen {
        if self.newest.count == 0 {
            self.newest = Run::of(time);
            return Seen::New;
        }
        let last = self.newest.last();
        if time > last {
            match self.newest.extended(time) {
                Some(run) => self.newest = run,
                None => self.begin(time, horizon_ms),
            }
            return Seen::New;
        }
        if time < last.saturating_sub(horizon_ms) {
            return Seen::Behind;
        }
        if time >= self.newest.start {
            return self.split_newest(time, horizon_ms);
        }
        self.insert_older(time, horizon_ms)
    }

    fn begin(&mut self, time: i64, horizon_ms: i64) {
        let before = std::mem::replace(&mut self.newest, Run::of(time));
        self.older.get_or_insert_default().recent.push(before);
        self.trim(horizon_ms);
    }

    fn split_newest(&mut self, time: i64, horizon_ms: i64) -> Seen {
        let Some((before, behind)) = self.newest.split(time) else { return Seen::Repeat };
        self.newest = behind;
        self.older.get_or_insert_default().recent.extend([before, Run::of(time)]);
        self.trim(horizon_ms);
        Seen::New
    }

    fn insert_older(&mut self, time: i64, horizon_ms: i64) -> Seen {
        let older = self.older.get_or_insert_default();
        let position = older.recent.partition_point(|run| run.start <= time);
        let seen = if position == 0 && !older.packed.is_empty() && time <= older.packed_end {
            older.insert_packed(time)
        } else {
            insert_run(&mut older.recent, time)
        };
        if let Some(joined) = older.recent.last().and_then(|run| run.joined(&self.newest)) {
            self.newest = joined;
            older.recent.pop();
        }
        self.trim(horizon_ms);
        seen
    }

    /// Packs the oldest plain runs when there are many, and drops what is behind the horizon.
    fn trim(&mut self, horizon_ms: i64) {
        let limit = self.newest.last().saturating_sub(horizon_ms);
        let Some(older) = &mut self.older else { return };
        if older.recent.len() > RECENT {
            older.forget(limit);
            for run in older.recent.drain(..SPILL) {
                if run.last() < limit {
                    continue;
                }
                if older.packed.is_empty() {
                    (older.packed_from, older.packed_end) = (run.start, run.start);
                }
                pack(&mut older.packed, older.packed_end, &run);
                older.packed_end = run.last();
            }
        }
        if older.recent.is_empty() && older.packed.is_empty() {
            self.older = None;
        }
    }
}

impl Older {
    fn unpacked(&self) -> Vec<Run> {
        let (mut runs, mut rest, mut end) = (Vec::new(), self.packed.as_slice(), self.packed_from);
        while let Some(run) = unpack(&mut rest, end) {
            end = run.last();
            runs.push(run);
        }
        runs
    }

    fn insert_packed(&mut self, time: i64) -> Seen {
        let mut runs = self.unpacked();
        let seen = insert_run(&mut runs, time);
        if seen == Seen::New {
            self.packed.clear();
            self.packed_from = runs[0].start;
            self.packed_end = runs[0].start;
            for run in &runs {
                pack(&mut self.packed, self.packed_end, run);
                self.packed_end = run.last();
            }
        }
        seen
    }

    /// Drops packed runs that end before `limit`.
    fn forget(&mut self, limit: i64) {
        let mut rest = self.packed.as_slice();
        let mut gone = 0;
        while let Some(run) = unpack(&mut rest, self.packed_from) {
            if run.last() >= limit {
                break;
            }
            self.packed_from = run.last();
            gone = self.packed.len() - rest.len();
        }
        self.packed.drain(..gone);
        if self.packed.capacity() > 2 * self.packed.len() {
            self.packed.shrink_to_fit();
        }
    }
}

/// Puts a time into sorted runs: into a gap, or by splitting the run it falls into.
fn insert_run(runs: &mut Vec<Run>, time: i64) -> Seen {
    let position = runs.partition_point(|run| run.start <= time);
    let Some(before) = position.checked_sub(1) else {
        runs.insert(0, Run::of(time));
        return Seen::New;
    };
    if time <= runs[before].last() {
        let Some((left, right)) = runs[before].split(time) else { return Seen::Repeat };
        runs.splice(before..=before, [left, Run::of(time), right]);
        return Seen::New;
    }
    match runs[before].extended(time).filter(|_| runs[before].count > 1) {
        None => runs.insert(position, Run::of(time)),
        Some(run) => {
            runs[before] = run;
            if let Some(joined) = runs.get(position).and_then(|next| run.joined(next)) {
                runs[before] = joined;
                runs.remove(position);
            }
        }
    }
    Seen::New
}

fn pack(bytes: &mut Vec<u8>, end: i64, run: &Run) {
    push_varint(bytes, run.start.abs_diff(end));
    push_varint(bytes, u64::from(run.step));
    push_varint(bytes, u64::from(run.count));
}

fn unpack(bytes: &mut &[u8], end: i64) -> Option<Run> {
    if bytes.is_empty() {
        return None;
    }
    let start = end.wrapping_add_unsigned(take_varint(bytes));
    let step = u32::try_from(take_varint(bytes)).expect("packed from 32 bits");
    let count = u32::try_from(take_varint(bytes)).expect("packed from 32 bits");
    Some(Run { start, step, count })
}

/// Appends a number, 7 bits a byte, low bits first.
pub(super) fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

/// Takes a number off the front.
pub(super) fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 || shift > 63 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const HORIZON: i64 = 3_600_000;

    /// The plain model: a set.
    fn model(set: &mut BTreeSet<i64>, time: i64, horizon_ms: i64) -> Seen {
        match set.last().copied() {
            Some(newest) if time < newest.saturating_sub(horizon_ms) => Seen::Behind,
            _ if set.insert(time) => Seen::New,
            _ => Seen::Repeat,
        }
    }

    fn check(inserts: impl IntoIterator<Item = i64>, horizon_ms: i64) -> Times {
        let (mut times, mut set) = (Times::default(), BTreeSet::new());
        for time in inserts {
            assert_eq!(
                times.insert(time, horizon_ms),
                model(&mut set, time, horizon_ms),
                "{time} in {times:?}"
            );
        }
        times
    }

    #[test]
    fn a_regular_series_is_one_run() {
        let times = check((0..100_000).map(|n| n * 10_000), HORIZON);
        assert_eq!((times.newest.count, times.older), (100_000, None));
    }

    #[test]
    fn a_hole_that_is_filled_late_leaves_one_run() {
        let late = [0, 10, 20, 40, 50, 60, 30, 30];
        let times = check(late, HORIZON);
        assert_eq!((times.newest.count, times.older), (7, None));
    }

    #[test]
    fn an_irregular_hour_is_small_and_exact() {
        let jittered = |n: i64| n * 10_000 + (n * n * 7_919) % 173;
        let twice = (0..5_000).flat_map(|n| [jittered(n), jittered((n - 200).max(0))]);
        let times = check(twice, HORIZON);
        let older = times.older.unwrap();
        assert!(older.packed.len() < 360 * 3, "{} bytes", older.packed.len());
        assert!(older.recent.len() <= RECENT);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        check([0, i64::MAX, i64::MIN, i64::MAX - 1, i64::MAX, 5], i64::MAX);
        check([i64::MIN, i64::MIN + 1, i64::MIN, i64::MAX, i64::MIN], 0);
    }

    proptest! {
        #[test]
        fn it_says_what_a_set_says(
            steps in proptest::collection::vec((-40i64..60, 1i64..4), 0..400),
            horizon in 0i64..400,
        ) {
            let mut now = 0;
            check(steps.into_iter().flat_map(|(move_by, again)| {
                now += move_by;
                std::iter::repeat_n(now, usize::try_from(again).unwrap())
            }), horizon);
        }

        #[test]
        fn mostly_regular_series_too(
            odd in proptest::collection::vec((0i64..500, -30i64..30), 0..60),
        ) {
            let mut inserts: Vec<i64> = (0..300).map(|n| n * 10).collect();
            for (position, shift) in odd {
                let at = usize::try_from(position).unwrap() % inserts.len();
                let time = inserts[at] + shift;
                inserts.insert(at, time);
            }
            check(inserts, 1_500);
        }
    }
}
