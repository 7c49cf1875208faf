//! Admission: what is said of one reading of a known sensor. Pure; the verdict goes into the log
//! with the reading, so that nobody has to judge again.

use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{RefusalReason, Verdict};
use citytwin_core::time::{ArrivalTime, EventTime, TimeMode};

/// Event times outside the years 1 to 9999 are nobody's clock, in any mode.
const LAST_TIME: EventTime = EventTime::from_ms(253_402_300_799_999);
const FIRST_TIME: EventTime = EventTime::from_ms(-62_135_596_800_000);

/// Event times that are admitted at one moment of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    earliest: EventTime,
    latest: EventTime,
}

/// How far event times may be from arrival. They count in `Live` mode only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmitSettings {
    /// Whose time the engine lives by.
    pub mode: TimeMode,
    /// How far ahead a sensor's clock may be.
    pub max_clock_lead_ms: i64,
    /// How old a reading may be.
    pub max_age_ms: i64,
}

impl Guard {
    /// The guard for what arrives now.
    pub fn at(arrival: ArrivalTime, settings: AdmitSettings) -> Guard {
        let now = EventTime::from_ms(arrival.ms());
        match settings.mode {
            TimeMode::Live => Guard {
                earliest: now.plus_ms(settings.max_age_ms.saturating_neg()).max(FIRST_TIME),
                latest: now.plus_ms(settings.max_clock_lead_ms).min(LAST_TIME),
            },
            TimeMode::Event => Guard { earliest: FIRST_TIME, latest: LAST_TIME },
        }
    }

    /// The verdict on one reading. Of several reasons the first counts, in the order not finite,
    /// out of range, clock ahead, too old.
    pub fn verdict(self, quantity: Quantity, event_time: EventTime, value: f64) -> Verdict {
        let (min, max) = quantity.range();
        if (min..=max).contains(&value) && event_time >= self.earliest && event_time <= self.latest
        {
            return Verdict::Admitted;
        }
        Verdict::Refused(if !value.is_finite() {
            RefusalReason::NotFinite
        } else if !(min..=max).contains(&value) {
            RefusalReason::OutOfRange
        } else if event_time > self.latest {
            RefusalReason::ClockAhead
        } else {
            RefusalReason::TooOld
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: TimeMode, event_ms: i64, value: f64, expected: Option<RefusalReason>) {
        let settings = AdmitSettings { mode, max_clock_lead_ms: 5_000, max_age_ms: 60_000 };
        let guard = Guard::at(ArrivalTime::from_ms(1_000_000), settings);
        let verdict = guard.verdict(Quantity::SpeedKmh, EventTime::from_ms(event_ms), value);
        let expected = expected.map_or(Verdict::Admitted, Verdict::Refused);
        assert_eq!(verdict, expected, "{mode:?} {event_ms} {value}");
    }

    #[test]
    fn every_reason_at_its_border() {
        use RefusalReason::{ClockAhead, NotFinite, OutOfRange, TooOld};
        let now = 1_000_000;
        for (event_ms, value, expected) in [
            (now, 0.0, None),
            (now, -0.0, None),
            (now, 200.0, None),
            (now, 200.000_001, Some(OutOfRange)),
            (now, -0.001, Some(OutOfRange)),
            (now, f64::NAN, Some(NotFinite)),
            (now, f64::INFINITY, Some(NotFinite)),
            (now, f64::NEG_INFINITY, Some(NotFinite)),
            (now + 5_000, 1.0, None),
            (now + 5_001, 1.0, Some(ClockAhead)),
            (now - 60_000, 1.0, None),
            (now - 60_001, 1.0, Some(TooOld)),
            (i64::MAX, 1.0, Some(ClockAhead)),
            (i64::MIN, 1.0, Some(TooOld)),
            (i64::MAX, 999.0, Some(OutOfRange)),
        ] {
            check(TimeMode::Live, event_ms, value, expected);
        }
    }

    #[test]
    fn recorded_time_is_free_within_the_calendar() {
        use RefusalReason::{ClockAhead, OutOfRange, TooOld};
        for (event_ms, value, expected) in [
            (-3_000_000_000_000, 1.0, None),
            (90_000_000_000_000, 1.0, None),
            (i64::MAX, 1.0, Some(ClockAhead)),
            (i64::MIN, 1.0, Some(TooOld)),
            (0, 201.0, Some(OutOfRange)),
        ] {
            check(TimeMode::Event, event_ms, value, expected);
        }
    }
}
