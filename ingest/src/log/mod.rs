//! The durable log: what arrived, in order, on disk before it is acknowledged.
//!
//! One folder of segments, `segment-{first epoch}.log`; a segment is a header and frames
//! ([`frame`] draws them). One thread writes: it takes whatever waits in the queue, makes one
//! frame of it, writes, flushes, hands the frame to the dataflow and only then resolves the
//! [`Durable`]s (`queue` is the way in, `writer` the thread, `pace` decides epochs and cuts).
//!
//! The interface is small so that another log can stand here one day: append a frame → durable
//! position (its epoch); replay after an epoch; truncate through an epoch.
//!
//! Promises: what a `Durable` called durable is replayed after any crash, in order, and nothing
//! else is; epochs never go back; a full disk stops acknowledgements and heals by itself; after
//! a failed write or flush nothing more is accepted; damage is never passed over in silence.

mod check;
mod disk;
mod error;
#[cfg(test)]
mod fake_disk;
pub mod frame;
mod pace;
mod queue;
mod scan;
mod segment;
mod stats;
mod store;
#[cfg(test)]
mod store_tests;
mod writer;
#[cfg(test)]
mod writer_tests;

use std::path::Path;
use std::time::Duration;

pub use check::{CheckReport, Problem, check};
pub use error::LogError;
pub use queue::{Durable, LogHandle};
pub use stats::{LogState, LogStats};
pub use store::{Log, Replay};
pub use writer::{LogThread, spawn};

/// How the log works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Least time between the beginnings of two commits. A larger one trades latency for fewer
    /// flushes.
    pub commit_interval: Duration,
    /// The archive cuts its files at multiples of this many epochs.
    pub cut_every_epochs: u64,
    /// … or after this many readings, whichever comes first.
    pub cut_readings: u64,
    /// … but not within this many epochs of the cut before: a cut costs a checkpoint of the whole
    /// city, and a replay at full speed would spend itself on them.
    pub cut_gap_epochs: u64,
    /// A segment is closed when it has grown to this size, and at every cut.
    pub segment_bytes: u64,
    /// Most readings in one frame (one more submission may go over it).
    pub frame_readings: usize,
    /// Most bytes that may wait to be committed; when reached, [`LogHandle::submit`] waits.
    pub queue_bytes: u32,
    /// How long to wait before a full disk is tried again.
    pub full_retry: Duration,
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings {
            commit_interval: Duration::from_millis(5),
            cut_every_epochs: 3_000,
            cut_readings: 1_000_000,
            cut_gap_epochs: 100,
            segment_bytes: 64 << 20,
            frame_readings: 65_536,
            queue_bytes: 64 << 20,
            full_retry: Duration::from_secs(1),
        }
    }
}

/// Opens the log in `dir` (made if missing) and locks it for this process. A torn tail is cut off
/// with a warning.
///
/// # Errors
/// When another process has it, the disk refuses, or it is damaged anywhere but at its tail.
pub fn open(dir: &Path, settings: LogSettings) -> Result<Log, LogError> {
    Log::open(dir, settings)
}
