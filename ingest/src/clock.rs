//! Time comes in here and nowhere else: the only file that reads the machine's clocks. Everything
//! behind the log lives by epochs and never asks.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use citytwin_core::time::ArrivalTime;

/// A source of time.
pub trait Clock: Send + Sync + Debug {
    /// The wall clock. May step in either direction.
    fn now(&self) -> ArrivalTime;

    /// Time since some fixed moment. Never goes back; for waiting and for measuring.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// The machine's clocks; `monotonic` counts from this call.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
    pub fn new() -> SystemClock {
        SystemClock { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
    fn now(&self) -> ArrivalTime {
        // A machine that believes in a time before 1970 says 0; `citytwin check` names it.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        ArrivalTime::from_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that stands still until it is told: for tests.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// Stands at `now`; `monotonic` starts at 0.
    pub fn new(now: ArrivalTime) -> ManualClock {
        ManualClock { now_ms: AtomicI64::new(now.ms()), monotonic_ms: AtomicU64::new(0) }
    }

    /// Lets time pass on both clocks, in whole milliseconds.
    pub fn advance_ms(&self, ms: u32) {
        self.now_ms.fetch_add(i64::from(ms), Ordering::SeqCst);
        self.monotonic_ms.fetch_add(u64::from(ms), Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as an operator or NTP would.
    pub fn step_to(&self, now: ArrivalTime) {
        self.now_ms.store(now.ms(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ArrivalTime {
        ArrivalTime::from_ms(self.now_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_obeys() {
        let clock = ManualClock::new(ArrivalTime::from_ms(1_000));
        clock.advance_ms(250);
        assert_eq!((clock.now().ms(), clock.monotonic().as_millis()), (1_250, 250));
        clock.step_to(ArrivalTime::from_ms(10));
        assert_eq!((clock.now().ms(), clock.monotonic().as_millis()), (10, 250));
    }

    #[test]
    fn the_system_clock_moves_on() {
        let clock = SystemClock::new();
        let before = clock.monotonic();
        assert!(clock.now().ms() > 1_700_000_000_000, "the machine's clock is before 2023");
        assert!(clock.monotonic() >= before);
    }
}
