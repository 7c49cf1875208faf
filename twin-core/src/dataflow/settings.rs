//! What the dataflow is told before it starts, and why it may refuse to. All durations are
//! milliseconds of event time unless the name says otherwise.

use h3o::Resolution;
use thiserror::Error;

use crate::sensor::SensorIndex;
use crate::time::{Epoch, TimeMode};
use crate::watermark::WatermarkRule;

/// Longest window, so that an offset in it fits 32 bits: one day.
const MAX_WINDOW_MS: i64 = 86_400_000;

/// Most workers of one process.
const MAX_WORKERS: usize = 64;

/// How the dataflow folds frames. Two runs with equal settings (but for `workers`) over equal
/// frames give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose time the engine lives by.
    pub mode: TimeMode,
    /// Length of the tumbling windows.
    pub window_ms: i64,
    /// How far the watermark stays behind the newest credible event time.
    pub lateness_ms: i64,
    /// In [`TimeMode::Live`]: how long all sensors may be silent, on top of the lateness, before
    /// arrival time moves the watermark.
    pub idle_after_ms: i64,
    /// How far behind the watermark a closed window may still be revised.
    pub revision_horizon_ms: i64,
    /// How far behind the newest reading of its series a repeat is still told from a new reading.
    pub dedupe_horizon_ms: i64,
    /// How long the value of a quantity that must move may stand still before its sensor counts
    /// as stuck.
    pub stuck_after_ms: i64,
    /// Resolution of the home shards given to sensors first registered from now on.
    pub shard_resolution: Resolution,
    /// Threads of the dataflow.
    pub workers: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            mode: TimeMode::Live,
            window_ms: 60_000,
            lateness_ms: 10_000,
            idle_after_ms: 30_000,
            revision_horizon_ms: 600_000,
            dedupe_horizon_ms: 3_600_000,
            stuck_after_ms: 1_800_000,
            shard_resolution: Resolution::Six,
            workers: 1,
        }
    }
}

impl Settings {
    /// What the watermark follows.
    pub fn watermark_rule(&self) -> WatermarkRule {
        let Settings { mode, lateness_ms, idle_after_ms, .. } = *self;
        WatermarkRule { mode, lateness_ms, idle_after_ms }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`EngineError::Setting`] names the first one that is not allowed.
    pub fn check(&self) -> Result<(), EngineError> {
        let durations = [
            ("lateness_ms", self.lateness_ms),
            ("idle_after_ms", self.idle_after_ms),
            ("revision_horizon_ms", self.revision_horizon_ms),
            ("dedupe_horizon_ms", self.dedupe_horizon_ms),
            ("stuck_after_ms", self.stuck_after_ms),
        ];
        if !(1..=MAX_WINDOW_MS).contains(&self.window_ms) {
            let allowed = "1 to 86400000";
            return Err(EngineError::Setting { name: "window_ms", value: self.window_ms, allowed });
        }
        if let Some((name, value)) = durations.into_iter().find(|(_, value)| *value < 0) {
            return Err(EngineError::Setting { name, value, allowed: "0 or more" });
        }
        if !(1..=MAX_WORKERS).contains(&self.workers) {
            let value = i64::try_from(self.workers).unwrap_or(i64::MAX);
            return Err(EngineError::Setting { name: "workers", value, allowed: "1 to 64" });
        }
        Ok(())
    }
}

/// Why the dataflow did not start, or stopped.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A setting is outside its range.
    #[error("dataflow setting {name} = {value} is not allowed: {allowed}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// What it was.
        value: i64,
        /// What it may be.
        allowed: &'static str,
    },
    /// The windows of the checkpoint have another length than the settings ask for.
    #[error(
        "the checkpoint was written with window_ms = {state}, the settings say {settings}: \
         keep the old value or start with an empty data folder"
    )]
    WindowChanged {
        /// Length in the checkpoint.
        state: i64,
        /// Length in the settings.
        settings: i64,
    },
    /// A frame of an epoch that is already closed.
    #[error("frame of epoch {frame} follows the close of epoch {closed}")]
    EpochClosed {
        /// The frame's epoch.
        frame: Epoch,
        /// The newest closed epoch.
        closed: Epoch,
    },
    /// A frame whose epoch is lower than that of the frame before.
    #[error("frame of epoch {frame} follows a frame of epoch {open}")]
    EpochBack {
        /// The frame's epoch.
        frame: Epoch,
        /// The epoch that is open.
        open: Epoch,
    },
    /// A reading of a sensor that no frame has described.
    #[error("frame of epoch {epoch} has a reading of sensor number {}, which no frame described", sensor.number())]
    UnknownSensor {
        /// The frame's epoch.
        epoch: Epoch,
        /// The reading's sensor.
        sensor: SensorIndex,
    },
    /// A sensor change whose number is neither known nor the next free one.
    #[error("frame of epoch {epoch} describes sensor number {}, but only {known} are known", sensor.number())]
    SensorGap {
        /// The frame's epoch.
        epoch: Epoch,
        /// The number it gives.
        sensor: SensorIndex,
        /// How many are known.
        known: usize,
    },
    /// Nobody takes the closed epochs any more.
    #[error("the receiver of closed epochs is gone")]
    ReceiverGone,
    /// The workers could not be started.
    #[error("dataflow workers could not be started: {0}")]
    Start(String),
    /// A worker panicked: a promise of this crate is broken.
    #[error("a dataflow worker panicked")]
    Panicked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_setting_is_named() {
        let check = |change: fn(&mut Settings), expected: &str| {
            let mut settings = Settings::default();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().to_string(), expected);
        };
        assert!(Settings::default().check().is_ok());
        check(|s| s.window_ms = 0, "dataflow setting window_ms = 0 is not allowed: 1 to 86400000");
        check(
            |s| s.lateness_ms = -1,
            "dataflow setting lateness_ms = -1 is not allowed: 0 or more",
        );
        check(|s| s.workers = 65, "dataflow setting workers = 65 is not allowed: 1 to 64");
    }
}
