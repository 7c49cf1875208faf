//! What goes wrong, and how often. Rates live here with the draw that decides them; what a fault
//! does to a message is in `fleet::source`. Every fault has one expected outcome, so that a
//! verdict is a comparison and not an opinion.

use citytwin_proto::ingest::v1::Quantity;
use serde::{Deserialize, Serialize};

use crate::chance::{below, bits, draw, unit};
use crate::spec::SpecError;

/// Shortest and longest delay of a late measurement. The longest is past the ten minutes in
/// which an engine still revises windows, and well within the hour in which it knows repeats.
const LATE_MS: (f64, f64) = (5_000.0, 900_000.0);
/// Local time taken for UTC.
const AHEAD_MS: i64 = 7 * 3_600_000;
/// Most a slow clock is behind.
const BEHIND_MS: u64 = 2_000;
/// Longest delay of a repeated message.
const REPEAT_MS: u64 = 5_000;
/// How long a frozen sensor stays so.
const STUCK_MS: i64 = 7_200_000;
/// How long a burst is held back.
const HOLD_MS: i64 = 20_000;
const HOUR_MS: f64 = 3_600_000.0;

/// Rates from 0 (never) to 1 (always). Faults of one group shut each other out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRates {
    /// Per reading: measured, but never sent.
    pub lost: f64,
    /// Per reading: a value no such sensor can measure; refused as `out_of_range`.
    pub out_of_range: f64,
    /// Per measurement: sent 5 s to 15 min after it was taken.
    pub late: f64,
    /// Per measurement: sent after its successor.
    pub reordered: f64,
    /// Per measurement: stamped 7 h ahead (local time taken for UTC); refused as `clock_ahead`.
    pub clock_ahead: f64,
    /// Per measurement: stamped up to 2 s behind; taken.
    pub clock_behind: f64,
    /// Share of the sensors that are frozen at any time; each freezes for 2 h.
    pub stuck: f64,
    /// Per message: sent a second time within 5 s; every reading in it is a duplicate.
    pub repeated: f64,
    /// Per message: cut short; a dead letter.
    pub malformed: f64,
    /// Per message: one more message, of a sensor nobody has described; a dead letter.
    pub unknown_sensor: f64,
    /// Storms an hour in which many connections drop at the same instant.
    pub disconnect_storms_per_hour: f64,
    /// Share of the connections that a storm drops.
    pub disconnect_share: f64,
    /// Bursts an hour: connections hold everything back for 20 s, then send it at once.
    pub bursts_per_hour: f64,
    /// Share of the connections that a burst holds back.
    pub burst_share: f64,
}

impl FaultRates {
    /// Whether nothing goes wrong at all.
    pub fn none(&self) -> bool {
        *self == FaultRates::default()
    }

    /// A little of everything: what a verified run should survive.
    pub fn some_of_everything() -> FaultRates {
        FaultRates {
            lost: 0.002,
            out_of_range: 0.002,
            late: 0.005,
            reordered: 0.005,
            clock_ahead: 0.001,
            clock_behind: 0.005,
            stuck: 0.002,
            repeated: 0.02,
            malformed: 0.005,
            unknown_sensor: 0.005,
            disconnect_storms_per_hour: 30.0,
            disconnect_share: 0.3,
            bursts_per_hour: 30.0,
            burst_share: 0.3,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let rates = [
            ("lost", self.lost),
            ("out_of_range", self.out_of_range),
            ("late", self.late),
            ("reordered", self.reordered),
            ("clock_ahead", self.clock_ahead),
            ("clock_behind", self.clock_behind),
            ("stuck", self.stuck),
            ("repeated", self.repeated),
            ("malformed", self.malformed),
            ("unknown_sensor", self.unknown_sensor),
            ("disconnect_share", self.disconnect_share),
            ("burst_share", self.burst_share),
        ];
        for (name, rate) in rates {
            between(name, rate, 1.0)?;
        }
        between("disconnect_storms_per_hour", self.disconnect_storms_per_hour, 60.0)?;
        between("bursts_per_hour", self.bursts_per_hour, 60.0)?;
        let groups = [
            ("lost + faults.out_of_range", self.lost + self.out_of_range),
            (
                "late + faults.reordered + faults.clock_ahead + faults.clock_behind",
                self.late + self.reordered + self.clock_ahead + self.clock_behind,
            ),
            ("repeated + faults.malformed", self.repeated + self.malformed),
        ];
        for (names, sum) in groups {
            between(names, sum, 1.0)?;
        }
        Ok(())
    }
}

fn between(name: &str, value: f64, most: f64) -> Result<(), SpecError> {
    if (0.0..=most).contains(&value) {
        Ok(())
    } else {
        Err(SpecError::value(format!("faults.{name}"), value, format!("0 to {most}")))
    }
}

/// What happens to all readings of one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// Sent in time with its true time.
    None,
    /// Sent this much later.
    Held(i64),
    /// Stamped this much ahead, beyond every clock guard.
    Ahead(i64),
    /// Stamped this much behind.
    Behind(i64),
}

/// What happens to one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    None,
    /// It is not sent.
    Lost,
    /// Its value is no value.
    OutOfRange,
}

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// It is cut short by this many bytes, 1 to 8.
    Malformed(usize),
    /// It is sent again after this long.
    Repeated(i64),
}

impl FaultRates {
    /// Of a measurement of the sensor with this chance.
    ///
    /// The changed times never meet another measurement's: behind stays within the interval,
    /// ahead is refused and so leaves no identity behind.
    pub fn slip(&self, sensor_seed: u64, time_ms: i64, interval_ms: u32) -> Slip {
        let any = self.late + self.reordered + self.clock_ahead + self.clock_behind;
        if any <= 0.0 {
            return Slip::None;
        }
        let lot = draw(sensor_seed ^ 0xfa01, bits(time_ms));
        let other = draw(sensor_seed ^ 0xfa02, bits(time_ms));
        let mut rest = unit(lot);
        let mut hit = |rate: f64| {
            rest -= rate;
            rest < 0.0
        };
        if hit(self.late) {
            Slip::Held(whole(LATE_MS.0 * (LATE_MS.1 / LATE_MS.0).powf(unit(other))))
        } else if hit(self.reordered) {
            let past = u64::from(interval_ms) + 1 + below(other, u64::from(interval_ms) / 2 + 1);
            Slip::Held(signed(past).min(whole(LATE_MS.1)))
        } else if hit(self.clock_ahead) {
            Slip::Ahead(AHEAD_MS + 1 + signed(below(other, 60_000)))
        } else if hit(self.clock_behind) {
            let most = BEHIND_MS.min(u64::from(interval_ms) - 1);
            Slip::Behind(1 + signed(below(other, most)))
        } else {
            Slip::None
        }
    }

    /// Of a reading; `which` is its quantity.
    pub fn loss(&self, sensor_seed: u64, time_ms: i64, which: u64) -> Loss {
        if self.lost + self.out_of_range <= 0.0 {
            return Loss::None;
        }
        let lot = unit(draw(sensor_seed ^ 0xfa03 ^ (which << 32), bits(time_ms)));
        if lot < self.lost {
            Loss::Lost
        } else if lot < self.lost + self.out_of_range {
            Loss::OutOfRange
        } else {
            Loss::None
        }
    }

    /// Of the n-th message of a connection.
    pub fn mishap(&self, connection_seed: u64, number: u64) -> Mishap {
        if self.malformed + self.repeated <= 0.0 {
            return Mishap::None;
        }
        let lot = draw(connection_seed ^ 0xfa04, number);
        let other = draw(connection_seed ^ 0xfa05, number);
        let part = unit(lot);
        if part < self.malformed {
            Mishap::Malformed(1 + usize::from(other.to_le_bytes()[0] % 8))
        } else if part < self.malformed + self.repeated {
            Mishap::Repeated(1 + signed(below(other, REPEAT_MS)))
        } else {
            Mishap::None
        }
    }

    /// Whether a message of a sensor nobody knows follows the n-th message of a connection.
    pub fn stranger(&self, connection_seed: u64, number: u64) -> bool {
        self.unknown_sensor > 0.0
            && unit(draw(connection_seed ^ 0xfa06, number)) < self.unknown_sensor
    }

    /// When a frozen sensor froze; the time itself for one that is not frozen.
    pub fn frozen_at(&self, sensor_seed: u64, time_ms: i64) -> i64 {
        if self.stuck <= 0.0 {
            return time_ms;
        }
        let shift = signed(below(sensor_seed, 7_200_000));
        let slot = (time_ms + shift).div_euclid(STUCK_MS);
        if unit(draw(sensor_seed ^ 0xfa07, bits(slot))) < self.stuck {
            slot * STUCK_MS - shift
        } else {
            time_ms
        }
    }

    /// When connections drop.
    pub fn storms(&self, seed: u64, connection_seed: u64) -> Strikes {
        let rate = (self.disconnect_storms_per_hour, self.disconnect_share);
        Strikes::new(draw(seed, 0xfa08), connection_seed ^ 0xfa09, rate)
    }

    /// When connections hold back.
    pub fn bursts(&self, seed: u64, connection_seed: u64) -> Strikes {
        let rate = (self.bursts_per_hour, self.burst_share);
        Strikes::new(draw(seed, 0xfa0a), connection_seed ^ 0xfa0b, rate)
    }
}

/// Moments that strike a share of all connections at once: one in each span of time, at least
/// 20 s before its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strikes {
    seed: u64,
    connection_seed: u64,
    /// 0: never.
    span_ms: i64,
    share: f64,
}

impl Strikes {
    fn new(seed: u64, connection_seed: u64, (per_hour, share): (f64, f64)) -> Strikes {
        let span_ms = if per_hour * share > 0.0 { whole(HOUR_MS / per_hour) } else { 0 };
        Strikes { seed, connection_seed, span_ms, share }
    }

    /// The strike of a span, if it strikes this connection.
    fn of_span(&self, span: i64) -> Option<i64> {
        let struck = unit(draw(self.connection_seed, bits(span))) < self.share;
        let room = u64::try_from(self.span_ms - HOLD_MS).unwrap_or(0).max(1);
        let into = signed(below(draw(self.seed, bits(span)), room));
        struck.then_some(span * self.span_ms + into)
    }

    /// The first strike at or after a time; `i64::MAX` when there is none in a thousand spans.
    pub fn next(&self, from_ms: i64) -> i64 {
        if self.span_ms == 0 {
            return i64::MAX;
        }
        let first = from_ms.div_euclid(self.span_ms);
        let strikes = (first..first + 1_000).filter_map(|span| self.of_span(span));
        strikes.into_iter().find(|strike| *strike >= from_ms).unwrap_or(i64::MAX)
    }

    /// When something due at a time goes out, if a strike holds things back for 20 s.
    pub fn held_until(&self, due_ms: i64) -> i64 {
        if self.span_ms == 0 {
            return due_ms;
        }
        match self.of_span(due_ms.div_euclid(self.span_ms)) {
            Some(strike) if (strike..strike + HOLD_MS).contains(&due_ms) => strike + HOLD_MS,
            Some(_) | None => due_ms,
        }
    }
}

/// A value that no sensor of the quantity can measure.
pub const fn impossible(quantity: Quantity) -> f64 {
    // Plants may feed power back, so only a large number is beyond doubt.
    if matches!(quantity, Quantity::PowerKw) { 655_350.0 } else { -999.0 }
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of at most an hour")]
const fn whole(ms: f64) -> i64 {
    ms as i64
}

/// A draw below some bound as a signed number.
const fn signed(number: u64) -> i64 {
    number.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_kept() {
        let rates = FaultRates::some_of_everything();
        let (mut late, mut ahead, mut behind, mut lost, mut repeated) = (0, 0, 0, 0, 0);
        for n in 0..200_000_i64 {
            match rates.slip(3, n * 10_000, 10_000) {
                Slip::Held(ms) => {
                    assert!((5_000..=900_000).contains(&ms));
                    late += 1;
                }
                Slip::Ahead(ms) => {
                    assert!(ms > AHEAD_MS);
                    ahead += 1;
                }
                Slip::Behind(ms) => {
                    assert!((1..=2_000).contains(&ms));
                    behind += 1;
                }
                Slip::None => {}
            }
            lost += i32::from(rates.loss(3, n * 10_000, 1) == Loss::Lost);
            repeated += i32::from(matches!(rates.mishap(4, bits(n)), Mishap::Repeated(_)));
        }
        assert!((1_700..2_300).contains(&late), "{late}");
        assert!((140..260).contains(&ahead), "{ahead}");
        assert!((800..1_200).contains(&behind), "{behind}");
        assert!((320..480).contains(&lost), "{lost}");
        assert!((3_600..4_400).contains(&repeated), "{repeated}");
    }

    #[test]
    fn a_slow_clock_stays_within_its_own_interval() {
        let rates = FaultRates { clock_behind: 1.0, ..FaultRates::default() };
        for n in 0..10_000 {
            match rates.slip(9, n * 100, 100) {
                Slip::Behind(ms) => assert!((1..100).contains(&ms)),
                Slip::None | Slip::Held(_) | Slip::Ahead(_) => panic!("not behind"),
            }
        }
    }

    #[test]
    fn strikes_hit_a_share_at_the_same_instant() {
        let rates = FaultRates::some_of_everything();
        let mut hit = 0;
        let all = FaultRates { disconnect_share: 1.0, ..rates.clone() }.storms(1, 0);
        let instant = all.next(1_000_000);
        for connection in 0..1_000 {
            let next = rates.storms(1, draw(77, connection)).next(1_000_000);
            assert!(next >= instant);
            hit += i32::from(next == instant);
        }
        assert!((240..360).contains(&hit), "{hit}");
        let bursts = FaultRates { burst_share: 1.0, ..rates }.bursts(1, 0);
        let strike = bursts.next(0);
        assert_eq!(bursts.held_until(strike + 5), strike + HOLD_MS);
        assert_eq!(bursts.held_until(strike + HOLD_MS), strike + HOLD_MS);
        assert_eq!(bursts.held_until(strike - 1), strike - 1);
    }
}
