//! What a run has done so far, in counters that every connection adds to and a status line may
//! read at any time, and the publish-to-ack latency in an HDR histogram.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart, in microseconds: ten minutes.
const MAX_LATENCY_US: u64 = 600_000_000;

/// Percentiles of publish-to-ack latency, in milliseconds: from handing a message to the socket
/// to its acknowledgement. Messages that were sent again count from their last sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Acknowledged messages that were measured.
    pub messages: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Half were faster.
    pub p50_ms: f64,
    /// 90 in 100 were faster.
    pub p90_ms: f64,
    /// 99 in 100 were faster.
    pub p99_ms: f64,
    /// 999 in 1,000 were faster.
    pub p999_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Latency {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        Latency {
            messages: histogram.len(),
            mean_ms: histogram.mean() / 1_000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: histogram.max() as f64 / 1_000.0,
        }
    }
}

#[derive(Debug)]
struct Latencies {
    /// Since the last glance.
    recent: Histogram<u64>,
    /// Before that.
    earlier: Histogram<u64>,
}

/// Shared counters of a run. All counts are since its start.
#[derive(Debug)]
pub struct Progress {
    pub(crate) connected: AtomicU32,
    pub(crate) connections: AtomicU32,
    pub(crate) messages_sent: AtomicU64,
    pub(crate) readings_sent: AtomicU64,
    pub(crate) messages_acked: AtomicU64,
    pub(crate) readings_acked: AtomicU64,
    pub(crate) messages_resent: AtomicU64,
    pub(crate) messages_refused: AtomicU64,
    pub(crate) messages_too_large: AtomicU64,
    pub(crate) in_flight: AtomicI64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_heard: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) disconnects_injected: AtomicU64,
    pub(crate) connects_failed: AtomicU64,
    lag_ms: AtomicI64,
    max_lag_ms: AtomicI64,
    latencies: Mutex<Latencies>,
    last_error: Mutex<Option<String>>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Glance {
    /// Connections that stand.
    pub connected: u32,
    /// Connections there should be.
    pub connections: u32,
    /// Messages sent for the first time.
    pub messages_sent: u64,
    /// Readings in them.
    pub readings_sent: u64,
    /// Messages acknowledged.
    pub messages_acked: u64,
    /// Readings in them.
    pub readings_acked: u64,
    /// Messages sent again after a reconnect.
    pub messages_resent: u64,
    /// Messages the server answered with a reason code that says it did not take them.
    pub messages_refused: u64,
    /// Messages never sent because the server said it takes none so large.
    pub messages_too_large: u64,
    /// Messages sent and not yet acknowledged.
    pub in_flight: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_heard: u64,
    /// Times a connection was established anew.
    pub reconnects: u64,
    /// Times a connection was dropped on purpose.
    pub disconnects_injected: u64,
    /// Tries to connect that failed.
    pub connects_failed: u64,
    /// The longest a reading waited to be sent since the last glance.
    pub lag_ms: i64,
    /// The longest since the start.
    pub max_lag_ms: i64,
    /// Latency since the last glance.
    pub latency: Latency,
    /// The newest reason for which a connection broke or failed.
    pub last_error: Option<String>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new()
    }
}

impl Progress {
    /// All zero.
    #[expect(clippy::missing_panics_doc, reason = "the histogram's bounds are constants")]
    pub fn new() -> Progress {
        let histogram =
            || Histogram::new_with_max(MAX_LATENCY_US, 3).expect("three digits up to ten minutes");
        Progress {
            connected: AtomicU32::new(0),
            connections: AtomicU32::new(0),
            messages_sent: AtomicU64::new(0),
            readings_sent: AtomicU64::new(0),
            messages_acked: AtomicU64::new(0),
            readings_acked: AtomicU64::new(0),
            messages_resent: AtomicU64::new(0),
            messages_refused: AtomicU64::new(0),
            messages_too_large: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            bytes_sent: AtomicU64::new(0),
            bytes_heard: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            disconnects_injected: AtomicU64::new(0),
            connects_failed: AtomicU64::new(0),
            lag_ms: AtomicI64::new(0),
            max_lag_ms: AtomicI64::new(0),
            latencies: Mutex::new(Latencies { recent: histogram(), earlier: histogram() }),
            last_error: Mutex::new(None),
        }
    }

    /// Records the latencies of acknowledged messages.
    pub(crate) fn latencies(&self, of: impl Iterator<Item = Duration>) {
        let mut held = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        for latency in of {
            let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            held.recent.saturating_record(us.min(MAX_LATENCY_US));
        }
    }

    /// Notes how long something waited to be sent.
    pub(crate) fn lag(&self, ms: i64) {
        self.lag_ms.fetch_max(ms, Ordering::Relaxed);
        self.max_lag_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// Notes why a connection broke or failed.
    pub(crate) fn error(&self, why: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// The counters now. Lag and latency are those since the last glance.
    #[expect(clippy::missing_panics_doc, reason = "both histograms have the same bounds")]
    pub fn glance(&self) -> Glance {
        let latency = {
            let mut held = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            let Latencies { recent, earlier } = &mut *held;
            let latency = Latency::of(recent);
            earlier.add(&*recent).expect("both have the same bounds");
            recent.reset();
            latency
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Glance {
            connected: self.connected.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            messages_sent: of(&self.messages_sent),
            readings_sent: of(&self.readings_sent),
            messages_acked: of(&self.messages_acked),
            readings_acked: of(&self.readings_acked),
            messages_resent: of(&self.messages_resent),
            messages_refused: of(&self.messages_refused),
            messages_too_large: of(&self.messages_too_large),
            in_flight: self.in_flight.load(Ordering::Relaxed).max(0).unsigned_abs(),
            bytes_sent: of(&self.bytes_sent),
            bytes_heard: of(&self.bytes_heard),
            reconnects: of(&self.reconnects),
            disconnects_injected: of(&self.disconnects_injected),
            connects_failed: of(&self.connects_failed),
            lag_ms: self.lag_ms.swap(0, Ordering::Relaxed),
            max_lag_ms: self.max_lag_ms.load(Ordering::Relaxed),
            latency,
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Latency of the whole run so far.
    #[expect(clippy::missing_panics_doc, reason = "both histograms have the same bounds")]
    pub fn latency(&self) -> Latency {
        let held = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let mut whole = held.earlier.clone();
        whole.add(&held.recent).expect("both have the same bounds");
        Latency::of(&whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_shows_what_is_new_and_the_end_shows_all() {
        let progress = Progress::new();
        progress.latencies((1..=100).map(Duration::from_millis));
        let first = progress.glance().latency;
        assert_eq!(first.messages, 100);
        assert!((first.p50_ms - 50.0).abs() < 0.1 && (first.p99_ms - 99.0).abs() < 0.1);
        assert!((first.max_ms - 100.0).abs() < 0.1 && (first.mean_ms - 50.5).abs() < 0.1);
        progress.latencies(std::iter::once(Duration::from_hours(1)));
        let second = progress.glance().latency;
        assert_eq!(second.messages, 1);
        assert!((second.max_ms - 600_000.0).abs() < 600.0, "capped, not lost");
        assert_eq!(progress.latency().messages, 101);
    }

    #[test]
    fn lag_is_the_longest_since_the_last_glance() {
        let progress = Progress::new();
        progress.lag(7);
        progress.lag(3);
        let first = progress.glance();
        assert_eq!((first.lag_ms, first.max_lag_ms), (7, 7));
        let second = progress.glance();
        assert_eq!((second.lag_ms, second.max_lag_ms), (0, 7));
    }
}
