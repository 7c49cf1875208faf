//! Why a question of history has no answer.

use std::path::{Path, PathBuf};

use citytwin_core::time::Epoch;
use datafusion::error::DataFusionError;
use thiserror::Error;

/// Why a question has no answer, by what the asker can do.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The question is wrong: syntax, a table or column that is not there, types, a division by 0.
    #[error("{0}")]
    Question(String),
    /// It needs more memory than a query may have, and cannot spill to disk, or the disk is full.
    #[error("the query needs more memory than it may have (history.memory): {0}")]
    Resources(String),
    /// A file is missing or damaged.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A moment before the archive begins.
    #[error("{0}")]
    TooEarly(String),
    /// As many questions as may be answered at once are.
    #[error("{0} queries run already (history.queries); try again")]
    Busy(usize),
    /// The archive is behind the city.
    #[error(
        "the archive has come to epoch {through} and not yet to {wanted}: it waits for the disk; try again"
    )]
    Behind {
        /// What was asked for.
        wanted: Epoch,
        /// How far it is.
        through: Epoch,
    },
    /// The store that has some of the files does not answer, or does not let us in.
    #[error("the archive's store cannot be read: {0}; try again")]
    Store(String),
    /// A fault of ours.
    #[error("the query broke off: {0}")]
    Internal(String),
}

impl HistoryError {
    /// A file that cannot be used.
    pub(super) fn damaged(path: &Path, problem: impl std::fmt::Display) -> HistoryError {
        HistoryError::Damaged { path: path.to_owned(), problem: problem.to_string() }
    }

    /// As an error of a scan; [`HistoryError::from`] gives it back.
    pub(super) fn in_scan(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

impl From<DataFusionError> for HistoryError {
    fn from(error: DataFusionError) -> HistoryError {
        if let DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) = error {
            return HistoryError::from(*inner);
        }
        if let DataFusionError::External(inner) = error {
            return match inner.downcast::<HistoryError>() {
                Ok(ours) => *ours,
                Err(other) => HistoryError::Internal(other.to_string()),
            };
        }
        if let Some(problem) = of_store(&error) {
            return problem;
        }
        let text = error.strip_backtrace();
        match error.find_root() {
            DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::Configuration(_)
            | DataFusionError::Execution(_)
            | DataFusionError::ArrowError(..) => HistoryError::Question(text),
            DataFusionError::ResourcesExhausted(_) => HistoryError::Resources(text),
            DataFusionError::ObjectStore(inner) => HistoryError::Internal(inner.to_string()),
            DataFusionError::ParquetError(_) | DataFusionError::IoError(_) => {
                HistoryError::Damaged { path: PathBuf::from("archive"), problem: text }
            }
            DataFusionError::Internal(_)
            | DataFusionError::External(_)
            | DataFusionError::ExecutionJoin(_)
            | DataFusionError::Substrait(_)
            | DataFusionError::Ffi(_)
            | DataFusionError::Context(..)
            | DataFusionError::Diagnostic(..)
            | DataFusionError::Collection(_)
            | DataFusionError::Shared(_) => HistoryError::Internal(text),
        }
    }
}

/// What a store said, the disk being one of them, if that is what is wrong.
fn of_store(error: &DataFusionError) -> Option<HistoryError> {
    use object_store::Error;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(Error::NotFound { path, .. }) = one.downcast_ref() {
            let path = Path::new("/").join(path);
            return Some(HistoryError::damaged(&path, "the file is missing"));
        }
        if let Some(
            refused @ (Error::Generic { store: "S3", .. }
            | Error::PermissionDenied { .. }
            | Error::Unauthenticated { .. }),
        ) = one.downcast_ref()
        {
            return Some(HistoryError::Store(refused.to_string()));
        }
        cause = one.source();
    }
    None
}
