//! What the log says of itself: for status, health and metrics. Cheap to read and to keep.

use std::time::Duration;

use citytwin_core::time::Epoch;

/// Whether the log takes readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogState {
    /// All is well.
    Running,
    /// No space: nothing is acknowledged until there is; then it goes on by itself.
    DiskFull,
    /// A write or flush failed, or the dataflow is gone: nothing is accepted any more, and the
    /// process is meant to stop.
    Failed,
    /// It was shut down.
    Closed,
}

impl LogState {
    /// Its name in the API and the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            LogState::Running => "running",
            LogState::DiskFull => "disk_full",
            LogState::Failed => "failed",
            LogState::Closed => "closed",
        }
    }
}

/// A look at the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogStats {
    /// Whether it takes readings.
    pub state: LogState,
    /// Bytes in all its files.
    pub bytes: u64,
    /// How many files.
    pub segments: usize,
    /// The epoch of the last durable frame.
    pub durable_epoch: Epoch,
    /// For how long the oldest submission has been waiting to become durable; zero if none waits.
    pub durable_lag: Duration,
    /// Readings made durable since this process opened the log.
    pub readings_total: u64,
    /// The same, a second, over the last ten seconds.
    pub readings_per_s: f64,
    /// Commits since this process opened the log, empty ones too.
    pub commits_total: u64,
}

const SECONDS: usize = 11;

/// Counts per second of the monotonic clock, for the last ten full seconds.
#[derive(Debug, Default)]
pub(super) struct Rate {
    slots: [(u64, u64); SECONDS],
}

impl Rate {
    pub(super) fn add(&mut self, at: Duration, count: u64) {
        let second = at.as_secs();
        let slot = &mut self.slots[slot_of(second)];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += count;
    }

    /// Mean over the ten seconds before the one that runs; over fewer if the clock is younger.
    pub(super) fn per_s(&self, at: Duration) -> f64 {
        let now = at.as_secs();
        let span = now.min(SECONDS as u64 - 1);
        if span == 0 {
            return 0.0;
        }
        let counted: u64 = self
            .slots
            .iter()
            .filter(|(second, _)| *second < now && second + span >= now)
            .map(|(_, count)| count)
            .sum();
        counted as f64 / span as f64
    }
}

fn slot_of(second: u64) -> usize {
    usize::try_from(second % SECONDS as u64).expect("a remainder of 11 fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_mean_of_ten_full_seconds() {
        let mut rate = Rate::default();
        let at = Duration::from_secs;
        assert!(rate.per_s(at(0)).abs() < 1e-9);
        for second in 0..30 {
            rate.add(at(second), 100);
        }
        assert!((rate.per_s(at(29)) - 100.0).abs() < 1e-9);
        assert!((rate.per_s(at(34)) - 60.0).abs() < 1e-9, "{}", rate.per_s(at(34)));
        assert!(rate.per_s(at(60)).abs() < 1e-9);
    }
}
