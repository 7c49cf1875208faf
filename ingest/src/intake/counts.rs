//! What the intake counts: per message, never per reading, and never decides anything.

use std::sync::atomic::{AtomicU64, Ordering};

use citytwin_core::frame::DeadLetterReason;
use citytwin_core::reading::RefusalReason;

/// Counts since the start of this process, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IntakeStats {
    /// Messages taken, oversize ones too.
    pub messages: u64,
    /// Readings that were admitted.
    pub admitted: u64,
    /// Readings that were refused, by [`RefusalReason::slot`].
    pub refused: [u64; RefusalReason::COUNT],
    /// Dead letters, by [`DeadLetterReason::slot`].
    pub dead_letters: [u64; DeadLetterReason::COUNT],
    /// Retained descriptions that were deleted at the broker; a sensor is never forgotten here.
    pub deletes_ignored: u64,
}

/// The same while they are counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) messages: AtomicU64,
    pub(super) admitted: AtomicU64,
    pub(super) refused: [AtomicU64; RefusalReason::COUNT],
    pub(super) dead_letters: [AtomicU64; DeadLetterReason::COUNT],
    pub(super) deletes_ignored: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> IntakeStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        IntakeStats {
            messages: read(&self.messages),
            admitted: read(&self.admitted),
            refused: std::array::from_fn(|slot| read(&self.refused[slot])),
            dead_letters: std::array::from_fn(|slot| read(&self.dead_letters[slot])),
            deletes_ignored: read(&self.deletes_ignored),
        }
    }

    /// The readings of one message, some of them refused.
    pub(super) fn readings(&self, taken: u64, refused: &[u64; RefusalReason::COUNT]) {
        let all_refused: u64 = refused.iter().sum();
        count(&self.admitted, taken - all_refused);
        if all_refused > 0 {
            for (counter, refused) in self.refused.iter().zip(refused) {
                count(counter, *refused);
            }
        }
    }
}

pub(super) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
