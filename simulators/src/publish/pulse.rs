//! How long to wait: before the next try to connect, until a ping, until a server counts as dead.
//! No timer lives here.

use std::time::Duration;

use tokio::time::Instant;

use super::wire::Exchanged;

/// A connection without keep-alive is never pinged.
const NEVER: Duration = Duration::from_hours(24);

/// The server did not answer a ping for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silent(pub(super) Duration);

/// Doubles from `first` to `cap`, spread by the client's id so that thousands do not come back
/// in the same instant.
pub(super) fn pause(first: Duration, cap: Duration, attempt: u32, client_id: &str) -> Duration {
    let longest = first.saturating_mul(1 << (attempt - 1).min(16)).min(cap);
    let hash = client_id
        .bytes()
        .fold(attempt, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    longest.mul_f64(0.5 + f64::from(hash >> 16) / 131_072.0)
}

/// When a ping is due, and whether the server still lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    written: Instant,
    heard: Instant,
    pinged: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Pulse {
        Pulse { written: now, heard: now, pinged: None }
    }

    pub(super) fn beat(&mut self, now: Instant, exchanged: &Exchanged) {
        if exchanged.written > 0 {
            self.written = now;
        }
        if exchanged.read > 0 {
            self.heard = now;
            self.pinged = None;
        }
    }

    /// Whether to ping now.
    pub(super) fn is_due(&mut self, now: Instant, keep_alive: Duration) -> Result<bool, Silent> {
        if keep_alive.is_zero() || now < self.next(keep_alive) {
            return Ok(false);
        }
        if self.pinged.is_some() {
            return Err(Silent(keep_alive));
        }
        self.pinged = Some(now);
        Ok(true)
    }

    /// When the next ping is due, or its answer overdue.
    pub(super) fn next(&self, keep_alive: Duration) -> Instant {
        if keep_alive.is_zero() {
            return self.written + NEVER;
        }
        self.pinged.unwrap_or_else(|| self.written.min(self.heard)) + keep_alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_spread() {
        let (first, cap) = (Duration::from_millis(100), Duration::from_secs(2));
        for attempt in 1..60 {
            let full = first.saturating_mul(1 << (attempt - 1).min(16)).min(cap);
            for client in ["a", "b", "gateway-17"] {
                let got = pause(first, cap, attempt, client);
                assert!(got >= full / 2 && got <= full, "{attempt} {client} {got:?}");
            }
        }
        assert_ne!(pause(first, cap, 1, "a"), pause(first, cap, 1, "b"));
    }

    #[test]
    fn silence_brings_a_ping_and_then_the_end() {
        let start = Instant::now();
        let keep_alive = Duration::from_mins(1);
        let mut pulse = Pulse::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!pulse.is_due(at(59), keep_alive).unwrap());
        assert!(pulse.is_due(at(60), keep_alive).unwrap());
        assert!(!pulse.is_due(at(119), keep_alive).unwrap());
        pulse.beat(at(119), &Exchanged { read: 4, ..Exchanged::default() });
        assert!(pulse.is_due(at(119), keep_alive).unwrap(), "written long ago");
        assert_eq!(pulse.is_due(at(179), keep_alive), Err(Silent(keep_alive)));
        // keep-alive 0: never
        assert!(!Pulse::new(start).is_due(at(9_999), Duration::ZERO).unwrap());
    }
}
