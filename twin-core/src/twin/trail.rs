//! The watermark of epochs past. In event mode a sensor falls silent by the watermark, so "which
//! became silent since epoch x" needs to know where it was then. (In live mode arrival decides.)

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::time::{Epoch, EventTime};

/// The newest moves of the watermark.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatermarkTrail {
    moves: VecDeque<(Epoch, EventTime)>,
    /// Whether older moves were dropped.
    dropped: bool,
}

impl WatermarkTrail {
    /// How many moves are kept: a minute of epochs.
    pub const KEPT: usize = 600;

    /// Notes the watermark at the close of an epoch.
    pub fn note(&mut self, epoch: Epoch, watermark: EventTime) {
        if self.moves.back().is_some_and(|(_, last)| *last == watermark) {
            return;
        }
        if self.moves.len() == Self::KEPT {
            self.moves.pop_front();
            self.dropped = true;
        }
        self.moves.push_back((epoch, watermark));
    }

    /// The watermark at the close of an epoch; `None` if that is too long ago to know.
    pub fn at(&self, epoch: Epoch) -> Option<EventTime> {
        match self.moves.partition_point(|(moved, _)| *moved <= epoch).checked_sub(1) {
            Some(last) => Some(self.moves[last].1),
            None if self.dropped => None,
            None => Some(EventTime::MIN),
        }
    }
}
