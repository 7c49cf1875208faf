//! What can go wrong with the log, grouped by what the caller will do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::time::Epoch;
use thiserror::Error;

/// Why the log cannot do what it was asked. Cheap to clone: one failure answers many waiters.
#[derive(Clone, Debug, Error)]
pub enum LogError {
    /// The disk refused. After a failed write or flush nothing more is accepted.
    #[error("cannot {doing} {}", path.display())]
    Disk {
        /// What was tried, such as `write`.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another process uses the folder.
    #[error("the log folder {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A file holds something that was never written there.
    #[error(
        "the log file {} is damaged at byte {offset}: {what}; \
         `citytwin check --repair` sets the damaged part aside",
        file.display()
    )]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// The log no longer reaches back to what it was asked to go on from.
    #[error(
        "the log begins after epoch {begins_after}, but the newest checkpoint ends at epoch \
         {after}: what lies between is missing"
    )]
    Missing {
        /// The epoch from which the caller wants to go on.
        after: Epoch,
        /// The last epoch that the log no longer holds.
        begins_after: Epoch,
    },
    /// One submission that would not fit a frame.
    #[error("a submission of {bytes} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// How large it is.
        bytes: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The disk was full when the log was shut down, so what was waiting is not durable.
    #[error("the disk is full: what was waiting was not logged and not acknowledged")]
    DiskFull,
    /// The dataflow behind the log has ended.
    #[error("the dataflow has ended: the log takes nothing more")]
    DataflowGone,
    /// The thread that writes has panicked, which it promised not to.
    #[error("the log's writer has died")]
    Died,
    /// The log was shut down.
    #[error("the log is shut down")]
    Closed,
}

impl LogError {
    pub(super) fn disk(doing: &'static str, path: &Path, source: io::Error) -> LogError {
        LogError::Disk { doing, path: path.to_owned(), source: Arc::new(source) }
    }
}
