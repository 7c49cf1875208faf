//! To be written.
use std::path::Path;

use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;

use super::{LogError, LogSettings};

/// The log on disk, before its thread runs.
#[derive(Debug)]
pub struct Log {
    pub(super) settings: LogSettings,
}

/// Frames of the log in order.
#[derive(Debug)]
pub struct Replay;

impl Iterator for Replay {
    type Item = Result<Frame, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl Log {
    pub(super) fn open(_dir: &Path, settings: LogSettings) -> Result<Log, LogError> {
        Ok(Log { settings })
    }

    /// The frames after `after`, in order; epochs of new frames will be higher than `after` too.
    ///
    /// # Errors
    /// When the log no longer reaches back that far.
    pub fn replay(&mut self, _after: Epoch) -> Result<Replay, LogError> {
        Ok(Replay)
    }
}
