//! The rule of the watermark: up to which event time admission claims that all has come. A
//! function of the log, so that whoever has its content (the feeder, or history from the archive)
//! finds the same one.

use crate::time::{Epoch, EventTime, TimeMode};

/// What the watermark follows. All durations are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatermarkRule {
    /// Whose time the engine lives by.
    pub mode: TimeMode,
    /// How far it stays behind the newest credible event time.
    pub lateness_ms: i64,
    /// In [`TimeMode::Live`]: how long all sensors may be silent, on top of the lateness, before
    /// arrival time moves it.
    pub idle_after_ms: i64,
}

impl WatermarkRule {
    /// The watermark at the close of `epoch`, when `newest` is the newest credible event time
    /// through it ([`EventTime::MIN`] when there is none): the newest less the lateness; in live
    /// mode at least the end of the epoch less the lateness and `idle_after_ms`, so that silence
    /// does not hold windows open for ever.
    ///
    /// Credible is what admission took. Of that, what the dataflow drops (repeats, readings far
    /// behind their series) is never the newest: so `newest` is also that of all applied readings.
    ///
    /// Never goes back while the rule stays the same. The engine's watermark does not either when
    /// the rule is changed between two runs: it is the highest this gave so far.
    pub fn at(&self, newest: EventTime, epoch: Epoch) -> EventTime {
        let heard = newest.plus_ms(-self.lateness_ms);
        match self.mode {
            TimeMode::Event => heard,
            TimeMode::Live => {
                let end = EventTime::from_ms(epoch.end().ms());
                heard.max(end.plus_ms(-self.lateness_ms).plus_ms(-self.idle_after_ms))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_moves_it_in_a_living_city_only() {
        let check = |mode, newest_ms: i64, expected_ms: i64| {
            let rule = WatermarkRule { mode, lateness_ms: 10_000, idle_after_ms: 30_000 };
            let watermark = rule.at(EventTime::from_ms(newest_ms), Epoch::new(999));
            assert_eq!(watermark, EventTime::from_ms(expected_ms), "{mode:?}, {newest_ms}");
        };
        check(TimeMode::Live, 99_000, 89_000);
        check(TimeMode::Live, 70_000, 60_000);
        check(TimeMode::Live, 69_999, 60_000);
        check(TimeMode::Live, i64::MIN, 60_000);
        check(TimeMode::Event, 69_999, 59_999);
        check(TimeMode::Event, i64::MIN, i64::MIN);
    }
}
