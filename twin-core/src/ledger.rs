//! The ledger: what became of every reading. `received` is the sum of the rest by construction,
//! so it always adds up; the tests hold it against what was sent.

use serde::{Deserialize, Serialize};

use crate::reading::RefusalReason;

/// What became of one reading; every reading has exactly one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// On time: in the twin, its window and the archive.
    Applied,
    /// Older than the watermark: archived, and in its window if that was still held.
    LateApplied,
    /// The same identity came before: dropped.
    Duplicate,
    /// Set aside for a reason.
    Refused(RefusalReason),
}

impl Outcome {
    /// Its name in the archive and the API; of a refusal, that of its reason.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::LateApplied => "late_applied",
            Outcome::Duplicate => "duplicate",
            Outcome::Refused(reason) => reason.name(),
        }
    }
}

/// Counts of one sensor, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// In the twin's windows and the archive, on time.
    pub applied: u64,
    /// The same identity came before: acknowledged and dropped.
    pub duplicate: u64,
    /// Older than the watermark: archived, and in its window if that was still held.
    pub late_applied: u64,
    /// Refused, by [`RefusalReason::slot`].
    pub refused: [u64; RefusalReason::COUNT],
}

impl LedgerEntry {
    /// Counts one reading.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Applied => self.applied += 1,
            Outcome::LateApplied => self.late_applied += 1,
            Outcome::Duplicate => self.duplicate += 1,
            Outcome::Refused(reason) => self.refused[reason.slot()] += 1,
        }
    }

    /// Everything that arrived.
    pub fn received(&self) -> u64 {
        self.applied + self.duplicate + self.late_applied + self.refused_total()
    }

    /// Everything that was refused.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Adds another entry to this one.
    pub fn add(&mut self, other: &LedgerEntry) {
        self.applied += other.applied;
        self.duplicate += other.duplicate;
        self.late_applied += other.late_applied;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
    }
}
