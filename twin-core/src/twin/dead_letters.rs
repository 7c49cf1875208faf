//! Messages that could not be taken: all counted, the newest kept.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::{DeadLetter, DeadLetterReason};
use crate::time::Epoch;

/// Counts by reason and the newest messages. A clone is pointer copies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeadLetters {
    counts: [u64; DeadLetterReason::COUNT],
    recent: VecDeque<Arc<(Epoch, DeadLetter)>>,
}

impl DeadLetters {
    /// How many messages are kept.
    pub const KEPT: usize = 1_000;

    /// Takes in the messages of one epoch, oldest first.
    pub fn apply(&mut self, letters: &[DeadLetter], epoch: Epoch) {
        for letter in letters {
            self.counts[letter.reason.slot()] += 1;
        }
        for letter in &letters[letters.len().saturating_sub(Self::KEPT)..] {
            if self.recent.len() == Self::KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back(Arc::new((epoch, letter.clone())));
        }
    }

    /// How many messages were set aside for this reason.
    pub fn count(&self, reason: DeadLetterReason) -> u64 {
        self.counts[reason.slot()]
    }

    /// The newest messages with the epoch of their arrival, newest first.
    pub fn newest(&self) -> impl Iterator<Item = (Epoch, &DeadLetter)> {
        self.recent.iter().rev().map(|kept| (kept.0, &kept.1))
    }
}
