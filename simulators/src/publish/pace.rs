//! The simulator's time: which readings are due now. The wall clock is handed in; nothing here
//! reads one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Milliseconds since the Unix epoch, by whoever's clock the caller trusts.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How fast the simulator's time runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Pace {
    /// As the wall clock.
    #[default]
    RealTime,
    /// This many times as fast.
    Times(f64),
    /// Everything is due at once; only acknowledgements slow it down. Connections then run apart
    /// in event time, so recorded data whose order matters goes over one connection.
    Full,
}

/// The simulator's time, as a function of the wall clock.
#[derive(Clone)]
pub struct SimClock {
    now: NowMs,
    pace: Pace,
    wall_start_ms: i64,
    start_ms: i64,
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimClock")
            .field("pace", &self.pace)
            .field("start_ms", &self.start_ms)
            .finish_non_exhaustive()
    }
}

impl SimClock {
    /// A clock that shows `start_ms` at this moment.
    pub fn new(now: NowMs, pace: Pace, start_ms: i64) -> SimClock {
        let wall_start_ms = now();
        SimClock { now, pace, wall_start_ms, start_ms }
    }

    /// The wall clock.
    pub fn wall_ms(&self) -> i64 {
        (self.now)()
    }

    /// The simulator's time; at full pace the end of time.
    #[expect(clippy::cast_possible_truncation, reason = "float to int saturates")]
    pub fn now_ms(&self) -> i64 {
        let elapsed = self.wall_ms().saturating_sub(self.wall_start_ms);
        match self.pace {
            Pace::RealTime => self.start_ms.saturating_add(elapsed),
            Pace::Times(factor) => self.start_ms.saturating_add((elapsed as f64 * factor) as i64),
            Pace::Full => i64::MAX,
        }
    }

    /// How long from now until a time of the simulator; zero when it is past.
    pub fn wait_until(&self, due_ms: i64) -> Duration {
        let ahead = due_ms.saturating_sub(self.now_ms()).max(0).unsigned_abs();
        match self.pace {
            Pace::RealTime => Duration::from_millis(ahead),
            Pace::Times(factor) => Duration::try_from_secs_f64(ahead as f64 / 1_000.0 / factor)
                .unwrap_or(Duration::MAX),
            Pace::Full => Duration::ZERO,
        }
    }

    /// How long something has been due, in milliseconds of the wall clock; 0 at full pace.
    #[expect(clippy::cast_possible_truncation, reason = "float to int saturates")]
    pub fn lag_ms(&self, due_ms: i64) -> i64 {
        match self.pace {
            Pace::RealTime => self.now_ms().saturating_sub(due_ms).max(0),
            Pace::Times(factor) => {
                (self.now_ms().saturating_sub(due_ms).max(0) as f64 / factor) as i64
            }
            Pace::Full => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[test]
    fn time_runs_at_its_pace() {
        let wall = Arc::new(AtomicI64::new(1_000));
        let shared = Arc::clone(&wall);
        let now: NowMs = Arc::new(move || shared.load(Ordering::Relaxed));
        let real = SimClock::new(Arc::clone(&now), Pace::RealTime, 50);
        let fast = SimClock::new(Arc::clone(&now), Pace::Times(10.0), 50);
        let full = SimClock::new(now, Pace::Full, 50);
        wall.store(1_100, Ordering::Relaxed);
        assert_eq!((real.now_ms(), fast.now_ms(), full.now_ms()), (150, 1_050, i64::MAX));
        assert_eq!(real.wait_until(250), Duration::from_millis(100));
        assert_eq!(fast.wait_until(2_050), Duration::from_millis(100));
        assert_eq!((real.lag_ms(100), fast.lag_ms(50), full.lag_ms(0)), (50, 100, 0));
        assert_eq!(real.wait_until(0), Duration::ZERO);
    }
}
