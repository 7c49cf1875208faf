//! What can go wrong between the dataflow and the disk, grouped by what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

use citytwin_core::time::Epoch;
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why the archive could not do what it was asked.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The disk (or the quota) is full. Nothing is lost and no torn file is left: hand the same
    /// epoch over again when there is room.
    #[error("no room left on the disk for {}", path.display())]
    Full {
        /// The file that could not be written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk refused something else. Not retried: after a failed flush nobody knows what is on
    /// the disk, so the process ends and replay writes the files again.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Rows could not be put into Parquet.
    #[error("cannot encode {table} as Parquet")]
    Encode {
        /// Which table.
        table: &'static str,
        /// What the encoder said.
        #[source]
        source: ParquetError,
    },
    /// Rows that wait could not be read back from memory.
    #[error("cannot unpack the rows of {table} that wait")]
    Waiting {
        /// Which table.
        table: &'static str,
        /// What the decoder said.
        #[source]
        source: ParquetError,
    },
    /// A file of the archive does not end as a Parquet file does.
    #[error("cannot read the footer of {}", path.display())]
    Footer {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: ParquetError,
    },
    /// Rows of a file of the archive cannot be read.
    #[error("cannot read the rows of {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        #[source]
        source: ParquetError,
    },
    /// A merged file would not hold the rows that went into it; it was not put in their place.
    #[error("{} would hold {written} rows instead of {expected}", path.display())]
    Rows {
        /// The merged file.
        path: PathBuf,
        /// Rows in the footers of the files it was made of.
        expected: u64,
        /// Rows that it holds.
        written: u64,
    },
    /// The state of the engine could not be put into a checkpoint.
    #[error("cannot encode the checkpoint of epoch {epoch}")]
    EncodeCheckpoint {
        /// Of which epoch.
        epoch: Epoch,
        /// What the encoder said.
        #[source]
        source: postcard::Error,
    },
    /// A snapshot could not be put into a keyframe.
    #[error("cannot encode the keyframe of epoch {epoch}")]
    EncodeKeyframe {
        /// Of which epoch.
        epoch: Epoch,
        /// What the encoder said.
        #[source]
        source: io::Error,
    },
    /// The store holds the archive of another data folder.
    #[error(
        "{} is of another data folder: a store holds the archive of one; choose another prefix",
        path.display()
    )]
    Taken {
        /// The file that says so.
        path: PathBuf,
    },
    /// The newest checkpoint is damaged and the log does not reach back to an older one.
    #[error(
        "checkpoint {} is damaged ({problem}) and the log begins at epoch {}, too late for an older \
         checkpoint; restore the file from a backup, or move the whole data folder away to start \
         anew",
        path.display(),
        oldest_in_log.map_or_else(|| "none (it is empty)".to_owned(), |epoch| epoch.to_string())
    )]
    NoCheckpoint {
        /// The newest checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        problem: CheckpointProblem,
        /// Where the log begins.
        oldest_in_log: Option<Epoch>,
    },
}

/// What is wrong with a checkpoint or a keyframe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointProblem {
    /// Shorter than its header, or than the header says.
    #[error("torn: {found} bytes, {expected} expected")]
    Torn {
        /// Bytes that should be there.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// It does not begin as a checkpoint (or a keyframe) does.
    #[error("not a checkpoint or keyframe file")]
    Magic,
    /// Written by another version of citytwin.
    #[error("format {found}, this citytwin reads format {expected}")]
    Version {
        /// What this program reads.
        expected: u32,
        /// What the file says.
        found: u32,
    },
    /// The bytes are not those that were written.
    #[error("checksum differs")]
    Checksum,
    /// The epoch inside is not the one in the name.
    #[error("holds epoch {found}, named after epoch {expected}")]
    Epoch {
        /// In the name.
        expected: Epoch,
        /// In the header.
        found: Epoch,
    },
    /// The bytes are whole but do not unpack.
    #[error("does not unpack: {0}")]
    Unpack(io::ErrorKind),
    /// The bytes are whole but do not decode.
    #[error("does not decode: {0}")]
    Decode(postcard::Error),
}

impl ArchiveError {
    /// Sorts a failure of the disk: full can be retried, the rest cannot.
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> ArchiveError {
        let path = path.to_owned();
        if is_full(&source) {
            ArchiveError::Full { path, source }
        } else {
            ArchiveError::Io { action, path, source }
        }
    }

    /// Whether the same epoch may be handed over again later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, ArchiveError::Full { .. })
    }
}

/// Whether the system said that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
