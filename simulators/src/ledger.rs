//! The simulator's own ledger: what was sent, what was acknowledged, and what each reading was
//! meant to become. The verdict holds it against the twin's ledger and the archive.
//!
//! Memory: about 200 bytes a sensor, and with [`Keep::Identities`] 12 bytes a reading (up to 15
//! while growing), bounded by the limit given there. A reading is kept as its event time (48 bits
//! of milliseconds), quantity, fate, and a 32-bit hash of its value's bits: a wrong value goes
//! unnoticed once in four billion.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use citytwin_proto::ingest::v1::Quantity;

use crate::fleet::{Expectation, Outgoing, Planned};

/// Reasons for which the twin refuses a reading, as it names them. Anything else is counted under
/// the last.
pub const REASONS: [&str; 6] =
    ["out_of_range", "not_finite", "clock_ahead", "too_old", "behind_dedupe_horizon", "other"];

/// What a ledger keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Counts per sensor: enough for a report, bounded for ever.
    Counts,
    /// Also every reading's identity, which a verdict needs; at most this many.
    Identities(u64),
}

/// How many identities are kept unless said otherwise: 0.8 to 1 GB.
pub const DEFAULT_IDENTITIES: u64 = 64_000_000;

/// Readings by what they were meant to become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// New to the twin.
    pub taken: u64,
    /// A repeat of an earlier one.
    pub duplicate: u64,
    /// To be refused, in the order of [`REASONS`].
    pub refused: [u32; REASONS.len()],
}

impl Tally {
    fn add(&mut self, expect: Expectation, times: u32) {
        match expect {
            Expectation::Taken => self.taken += u64::from(times),
            Expectation::Duplicate => self.duplicate += u64::from(times),
            Expectation::Refused(reason) => {
                let slot = &mut self.refused[reason_slot(reason)];
                *slot = slot.saturating_add(times);
            }
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Tally) {
        self.taken += other.taken;
        self.duplicate += other.duplicate;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// To be refused, in all.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(|n| u64::from(*n)).sum()
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.taken + self.duplicate + self.refused_total()
    }
}

/// Position of a reason in [`REASONS`].
pub fn reason_slot(reason: &str) -> usize {
    REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1)
}

/// What became of a reading on its way, and what it was meant to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The server acknowledged it.
    pub acked: bool,
    /// What the twin should say of it.
    pub expect: Expectation,
}

/// One reading that was sent: 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Event time, 48 bits of milliseconds (offset so that 1683 to 6142 fits), upper part.
    high: u32,
    /// Lower 16 bits of it, quantity, fate.
    low: u32,
    /// Hash of the value's bits.
    value: u32,
}

const TIME_OFFSET_MS: i64 = 1 << 47;
const ACKED: u32 = 0x80;

impl Entry {
    fn new(planned: &Planned, acked: bool) -> Entry {
        let time = planned.event_time_ms.saturating_add(TIME_OFFSET_MS).clamp(0, (1 << 48) - 1);
        let time = time.unsigned_abs();
        let quantity = u32::try_from(i32::from(planned.quantity)).unwrap_or(0) & 0xff;
        let expect = match planned.expect {
            Expectation::Taken => 0,
            Expectation::Duplicate => 1,
            Expectation::Refused(reason) => {
                2 + u32::try_from(reason_slot(reason)).expect("a handful of reasons")
            }
        };
        let fate = if acked { expect | ACKED } else { expect };
        let low16 = u32::try_from(time & 0xffff).expect("16 bits");
        Entry {
            high: u32::try_from(time >> 16).expect("32 of 48 bits"),
            low: low16 << 16 | quantity << 8 | fate,
            value: value_hash(planned.value),
        }
    }

    /// Event time and quantity as one number: equal for equal identities of one sensor.
    pub fn identity(self) -> u64 {
        u64::from(self.high) << 32 | u64::from(self.low & 0xffff_ff00)
    }

    /// The [`Entry::identity`] of an event time and a quantity's number.
    pub fn identity_of(event_time_ms: i64, quantity: u8) -> u64 {
        let time = event_time_ms.saturating_add(TIME_OFFSET_MS).clamp(0, (1 << 48) - 1);
        time.unsigned_abs() << 16 | u64::from(quantity) << 8
    }

    /// Milliseconds since the Unix epoch.
    pub fn event_time_ms(self) -> i64 {
        let time = u64::from(self.high) << 16 | u64::from(self.low >> 16);
        time.cast_signed() - TIME_OFFSET_MS
    }

    /// What was measured; `None` for a number that is no quantity.
    pub fn quantity(self) -> Option<Quantity> {
        let [_, number, ..] = self.low.to_le_bytes();
        Quantity::try_from(i32::from(number)).ok()
    }

    /// Hash of the value, see [`value_hash`].
    pub fn value(self) -> u32 {
        self.value
    }

    /// What became of it.
    pub fn fate(self) -> Fate {
        let expect = match self.low & 0x7f {
            0 => Expectation::Taken,
            1 => Expectation::Duplicate,
            refused => {
                let slot = refused as usize - 2;
                Expectation::Refused(REASONS.get(slot).copied().unwrap_or("other"))
            }
        };
        Fate { acked: self.low & ACKED != 0, expect }
    }
}

/// 32 bits that depend on every bit of a value.
pub fn value_hash(value: f64) -> u32 {
    let bits = value.to_bits();
    let mixed = (bits ^ bits >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [_, _, _, _, a, b, c, d] = (mixed ^ mixed >> 29).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// One sensor's account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Acknowledged.
    pub acked: Tally,
    /// Sent, never acknowledged: may have arrived or not.
    pub unacked: Tally,
    /// Sent again, once for each time: may have arrived again or not.
    pub resent: Tally,
    /// Every reading of the first two, if identities are kept; sorted once the ledger is closed.
    pub entries: Vec<Entry>,
}

/// Counts of messages that could not be read on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoiled {
    /// Acknowledged.
    pub acked: u64,
    /// Sent and not acknowledged, and every further sending.
    pub maybe: u64,
}

const SHARDS: usize = 64;

/// The ledger of a run, shared by all connections.
#[derive(Debug)]
pub struct Ledger {
    /// Sensor `s` is at `s / SHARDS` of shard `s % SHARDS`.
    shards: Vec<Mutex<Vec<Account>>>,
    spoiled: Mutex<BTreeMap<&'static str, Spoiled>>,
    keep: Keep,
    kept: AtomicU64,
    full: AtomicBool,
}

impl Ledger {
    /// Empty.
    pub fn new(keep: Keep) -> Ledger {
        Ledger {
            shards: (0..SHARDS).map(|_| Mutex::new(Vec::new())).collect(),
            spoiled: Mutex::new(BTreeMap::new()),
            keep,
            kept: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }

    /// Whether identities had to be left out: the run should end, and no verdict is possible.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Enters a message whose fate is known: sent `1 + resent` times, acknowledged or not.
    pub(crate) fn enter(&self, message: &Outgoing, acked: bool, resent: u32) {
        if let Some(reason) = message.dead_letter {
            let mut spoiled = lock(&self.spoiled);
            let entry = spoiled.entry(reason).or_default();
            entry.acked += u64::from(acked);
            entry.maybe += u64::from(!acked) + u64::from(resent);
            return;
        }
        let mut from = 0;
        while let Some(first) = message.readings.get(from) {
            let run = message.readings[from..]
                .iter()
                .take_while(|planned| planned.sensor == first.sensor)
                .count();
            self.enter_run(&message.readings[from..from + run], acked, resent);
            from += run;
        }
    }

    /// Enters readings of one sensor.
    fn enter_run(&self, run: &[Planned], acked: bool, resent: u32) {
        let Some(first) = run.first() else { return };
        let sensor = usize::try_from(first.sensor).expect("32 bits fit");
        let mut shard = lock(&self.shards[sensor % SHARDS]);
        let slot = sensor / SHARDS;
        if shard.len() <= slot {
            shard.resize_with(slot + 1, Account::default);
        }
        let account = &mut shard[slot];
        let tally = if acked { &mut account.acked } else { &mut account.unacked };
        for planned in run {
            tally.add(planned.expect, 1);
            if resent > 0 {
                account.resent.add(planned.expect, resent);
            }
        }
        if let Keep::Identities(limit) = self.keep {
            let more = u64::try_from(run.len()).expect("a length fits");
            if self.kept.fetch_add(more, Ordering::Relaxed) + more > limit {
                self.full.store(true, Ordering::Relaxed);
                return;
            }
            let entries = &mut account.entries;
            if entries.capacity() - entries.len() < run.len() {
                // by a quarter, not by half: 12 bytes a reading stay below 15
                entries.reserve_exact((entries.len() / 4).max(run.len()).max(8));
            }
            entries.extend(run.iter().map(|planned| Entry::new(planned, acked)));
        }
    }

    /// Readings by what they were meant to become, over all sensors: acknowledged, not, resent.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for shard in &self.shards {
            for account in lock(shard).iter() {
                totals.acked.merge(&account.acked);
                totals.unacked.merge(&account.unacked);
                totals.resent.merge(&account.resent);
            }
        }
        totals
    }

    /// Takes everything out, sorted, by sensor.
    pub fn close(&self) -> ClosedLedger {
        let mut sensors = BTreeMap::new();
        for (shard_number, shard) in self.shards.iter().enumerate() {
            for (slot, mut account) in std::mem::take(&mut *lock(shard)).into_iter().enumerate() {
                if account.acked.total() + account.unacked.total() == 0 {
                    continue;
                }
                account.entries.sort_unstable();
                // sensors came in as 32 bits
                if let Ok(sensor) = u32::try_from(slot * SHARDS + shard_number) {
                    sensors.insert(sensor, account);
                }
            }
        }
        ClosedLedger {
            sensors,
            spoiled: std::mem::take(&mut *lock(&self.spoiled)),
            identities: matches!(self.keep, Keep::Identities(_)) && !self.is_full(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sums over all sensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Acknowledged.
    pub acked: Tally,
    /// Sent, never acknowledged.
    pub unacked: Tally,
    /// Sent again.
    pub resent: Tally,
}

/// A finished ledger, for the verdict.
#[derive(Clone, Debug, Default)]
pub struct ClosedLedger {
    /// By the sensor's number in the run; only sensors that sent something.
    pub sensors: BTreeMap<u32, Account>,
    /// Messages spoiled on purpose, by the reason the twin should name.
    pub spoiled: BTreeMap<&'static str, Spoiled>,
    /// Whether every reading's identity is there.
    pub identities: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Action;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn planned(sensor: u32, time: i64, value: f64, expect: Expectation) -> Planned {
        Planned { sensor, quantity: Quantity::NoiseDba, event_time_ms: time, value, expect }
    }

    fn message(readings: Vec<Planned>, dead_letter: Option<&'static str>) -> Outgoing {
        Outgoing {
            due_ms: 0,
            action: Action::Publish,
            topic: Arc::from("t"),
            payload: Vec::new(),
            qos: 1,
            retain: false,
            readings,
            dead_letter,
        }
    }

    proptest! {
        #[test]
        fn an_entry_gives_back_what_went_in(
            time in -9_000_000_000_000i64..100_000_000_000_000,
            value in any::<f64>(),
            reason in 0usize..REASONS.len() + 2,
            acked in any::<bool>(),
        ) {
            let expect = match reason {
                0 => Expectation::Taken,
                1 => Expectation::Duplicate,
                n => Expectation::Refused(REASONS[n - 2]),
            };
            let entry = Entry::new(&planned(0, time, value, expect), acked);
            prop_assert_eq!(entry.event_time_ms(), time);
            prop_assert_eq!(entry.quantity(), Some(Quantity::NoiseDba));
            prop_assert_eq!(entry.fate(), Fate { acked, expect });
            prop_assert_eq!(entry.value(), value_hash(value));
            prop_assert_eq!(entry.identity(), Entry::identity_of(time, 12));
        }
    }

    #[test]
    fn a_reading_takes_twelve_bytes() {
        assert_eq!(size_of::<Entry>(), 12);
    }

    #[test]
    fn counts_are_by_sensor_and_fate() {
        let ledger = Ledger::new(Keep::Identities(100));
        let bad = Expectation::Refused("clock_ahead");
        let first = message(
            vec![
                planned(3, 10, 1.0, Expectation::Taken),
                planned(3, 5, 1.0, Expectation::Duplicate),
                planned(67, 10, 2.0, bad),
            ],
            None,
        );
        ledger.enter(&first, true, 2);
        ledger.enter(&message(vec![planned(3, 1, 1.0, Expectation::Taken)], None), false, 0);
        ledger.enter(&message(vec![], Some("undecodable")), true, 1);
        let totals = ledger.totals();
        assert_eq!(totals.acked.total(), 3);
        assert_eq!((totals.unacked.taken, totals.resent.total()), (1, 6));
        let closed = ledger.close();
        assert!(closed.identities);
        assert_eq!(closed.spoiled["undecodable"], Spoiled { acked: 1, maybe: 1 });
        let sensors: Vec<u32> = closed.sensors.keys().copied().collect();
        assert_eq!(sensors, [3, 67]);
        assert_eq!(closed.sensors[&67].acked.refused[reason_slot("clock_ahead")], 1);
        let times: Vec<i64> =
            closed.sensors[&3].entries.iter().map(|entry| entry.event_time_ms()).collect();
        assert_eq!(times, [1, 5, 10]);
    }

    #[test]
    fn a_full_ledger_says_so() {
        let ledger = Ledger::new(Keep::Identities(1));
        for time in 0..2 {
            ledger.enter(&message(vec![planned(0, time, 0.0, Expectation::Taken)], None), true, 0);
        }
        assert!(ledger.is_full());
        let closed = ledger.close();
        assert!(!closed.identities);
        assert_eq!(closed.sensors[&0].acked.taken, 2);
    }
}
