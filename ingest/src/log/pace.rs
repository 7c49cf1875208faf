//! Which epoch a frame gets, and where the archive cuts. Pure: it is handed both clocks.
//!
//! Promise: epochs never go back, a frame after a cut or a restart has a higher one than the frame
//! before, and they go on at their pace even while the wall clock is behind (after it was stepped
//! back, or a restart in the past), by the monotonic clock.

use std::time::Duration;

use citytwin_core::time::{ArrivalTime, EPOCH_MS, Epoch};

use super::LogSettings;

const SLICE: Duration = Duration::from_millis(EPOCH_MS.unsigned_abs());

/// Both clocks, read once a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) now: ArrivalTime,
    pub(super) monotonic: Duration,
}

/// Where the log stands.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    cut_every: u64,
    cut_readings: u64,
    cut_gap: u64,
    last: Epoch,
    /// The epoch of `last` takes no more frames.
    closed: bool,
    /// Monotonic time at which `last` was entered.
    entered: Option<Duration>,
    last_cut: Option<Epoch>,
    readings_since_cut: u64,
}

/// Where a log that was read from disk stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last epoch in it or before it.
    pub(super) last: Epoch,
    /// The last epoch known to have been cut.
    pub(super) last_cut: Option<Epoch>,
    /// Readings after that cut.
    pub(super) readings_since_cut: u64,
}

impl Standing {
    /// Counts one frame.
    pub(super) fn saw(&mut self, epoch: Epoch, cut: bool, readings: u64) {
        self.last = epoch;
        if cut {
            self.last_cut = Some(epoch);
            self.readings_since_cut = 0;
        } else {
            self.readings_since_cut += readings;
        }
    }
}

impl Pace {
    pub(super) fn new(settings: &LogSettings, standing: Standing) -> Pace {
        Pace {
            cut_every: settings.cut_every_epochs.max(1),
            cut_readings: settings.cut_readings.max(1),
            cut_gap: settings.cut_gap_epochs,
            last: standing.last,
            closed: true,
            entered: None,
            last_cut: standing.last_cut,
            readings_since_cut: standing.readings_since_cut,
        }
    }

    /// The epoch that a frame would get now.
    pub(super) fn epoch(&self, times: Times) -> Epoch {
        let least = if self.closed { self.last.next() } else { self.last };
        let slice = Epoch::of(times.now);
        if slice >= self.last {
            return slice.max(least);
        }
        let since = times.monotonic.saturating_sub(self.entered.unwrap_or(times.monotonic));
        let slices = u64::try_from(since.as_millis() / SLICE.as_millis()).unwrap_or(0);
        Epoch::new(self.last.number().saturating_add(slices)).max(least)
    }

    /// Whether a frame is due even if nothing arrived: a new slice has begun, and an empty frame
    /// in it says that the one before is over.
    pub(super) fn tick_due(&self, times: Times) -> bool {
        self.epoch(times) > self.last
    }

    /// How long until a tick can be due.
    pub(super) fn until_tick(&self, times: Times) -> Duration {
        if Epoch::of(times.now) < self.last {
            let since = times.monotonic.saturating_sub(self.entered.unwrap_or(times.monotonic));
            return SLICE.saturating_sub(since).max(Duration::from_millis(1));
        }
        let into = times.now.ms().rem_euclid(EPOCH_MS).unsigned_abs();
        SLICE.saturating_sub(Duration::from_millis(into))
    }

    /// Whether a frame of this epoch with this many readings ends a file of the archive. Cuts by
    /// time fall on multiples of `cut_every`, so that no file crosses an hour for their sake.
    pub(super) fn cuts(&self, epoch: Epoch, readings: u64) -> bool {
        // Before the first frame of all, nothing waits to be cut.
        let cut_before = self.last_cut.map_or(epoch.number(), |cut| cut.number() + 1);
        let many = self.readings_since_cut + readings >= self.cut_readings;
        many && epoch.number() + 1 - cut_before >= self.cut_gap
            || (epoch.number() + 1) / self.cut_every > cut_before / self.cut_every
    }

    /// A frame was written.
    pub(super) fn wrote(&mut self, epoch: Epoch, cut: bool, readings: u64, monotonic: Duration) {
        if epoch > self.last || self.entered.is_none() {
            self.entered = Some(monotonic);
        }
        if self.last_cut.is_none() {
            self.last_cut = Some(Epoch::new(epoch.number().saturating_sub(1)));
        }
        self.last = epoch;
        self.closed = cut;
        if cut {
            self.last_cut = Some(epoch);
            self.readings_since_cut = 0;
        } else {
            self.readings_since_cut += readings;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(now_ms: i64, monotonic_ms: u64) -> Times {
        Times { now: ArrivalTime::from_ms(now_ms), monotonic: Duration::from_millis(monotonic_ms) }
    }

    fn pace(last: u64) -> Pace {
        let settings = LogSettings {
            cut_every_epochs: 10,
            cut_readings: 100,
            cut_gap_epochs: 3,
            ..LogSettings::default()
        };
        let last = Epoch::new(last);
        Pace::new(&settings, Standing { last, last_cut: None, readings_since_cut: 0 })
    }

    #[test]
    fn an_epoch_is_the_slice_of_now() {
        let mut pace = pace(0);
        assert_eq!(pace.epoch(times(5_230, 0)).number(), 52);
        pace.wrote(Epoch::new(52), false, 0, Duration::ZERO);
        assert_eq!(pace.epoch(times(5_299, 0)).number(), 52);
        assert!(!pace.tick_due(times(5_299, 0)));
        assert!(pace.tick_due(times(5_300, 0)));
        assert_eq!(pace.until_tick(times(5_230, 0)).as_millis(), 70);
    }

    #[test]
    fn after_a_restart_or_a_cut_it_is_a_higher_one() {
        let mut pace = pace(52);
        assert_eq!(pace.epoch(times(5_230, 0)).number(), 53);
        pace.wrote(Epoch::new(53), true, 0, Duration::ZERO);
        assert_eq!(pace.epoch(times(5_350, 0)).number(), 54);
    }

    #[test]
    fn a_clock_that_was_stepped_back_does_not_stop_it() {
        let mut pace = pace(0);
        pace.wrote(Epoch::new(1_000), false, 0, Duration::from_secs(7));
        assert_eq!(pace.epoch(times(5_000, 7_000)).number(), 1_000);
        assert_eq!(pace.epoch(times(5_000, 7_099)).number(), 1_000);
        assert_eq!(pace.until_tick(times(5_000, 7_030)).as_millis(), 70);
        assert_eq!(pace.epoch(times(5_100, 7_100)).number(), 1_001);
        assert_eq!(pace.epoch(times(7_500, 9_500)).number(), 1_025);
        pace.wrote(Epoch::new(1_025), false, 0, Duration::from_millis(9_500));
        assert_eq!(pace.epoch(times(7_600, 9_600)).number(), 1_026);
        assert_eq!(pace.epoch(times(200_000, 9_600)).number(), 2_000, "once it is ahead again");
    }

    #[test]
    fn it_cuts_at_multiples_and_by_count() {
        let mut pace = pace(0);
        let mut cuts = Vec::new();
        for epoch in (3..25).chain(38..45) {
            let readings = if (10..17).contains(&epoch) { 60 } else { 0 };
            let epoch = Epoch::new(epoch);
            let cut = pace.cuts(epoch, readings);
            if cut {
                cuts.push(epoch.number());
            }
            pace.wrote(epoch, cut, readings, Duration::ZERO);
        }
        // 60 at 10 and 11 are many, but 12 is the first that is not close behind 9.
        assert_eq!(cuts, [9, 12, 15, 19, 38, 39], "38 makes up for the one at 29 that was missed");
    }
}
