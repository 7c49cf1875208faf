//! Why the planners' room says no.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use citytwin_core::scenario::{CompareError, Fault, ScenarioError};
use citytwin_core::time::Epoch;
use citytwin_core::traffic::start::DemandError;
use citytwin_ingest::archive::ArchiveError;
use thiserror::Error;

use super::id::IdError;
use crate::history::HistoryError;
use crate::network::FileError;

/// Why a planner gets no answer.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum PlannerError {
    // ------ what was asked
    #[error(
        "the engine has no road network; bring one with ImportNetwork, or start it with `network`"
    )]
    NoNetwork,
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("the scenario does not fit: {}", told(.0))]
    Faults(Vec<Fault>),
    #[error(
        "base.epoch: {wanted} is not at hand; allowed: none for the newest ({newest}), or an earlier \
         one that the archive reaches back to"
    )]
    BaseGone { wanted: Epoch, newest: Epoch },
    #[error("base.epoch")]
    Past(#[source] HistoryError),
    #[error("scenario {0} has no outcome yet; run it first")]
    NoOutcome(String),
    #[error("{0}")]
    InUse(String),
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error("the network cannot be taken")]
    Import(#[source] FileError),
    #[error("{0}")]
    Upload(String),
    #[error("{0} runs wait already; try again later")]
    Busy(usize),
    #[error("the run was cancelled")]
    Cancelled,
    #[error("the run failed")]
    Run(#[source] Box<ScenarioError>),
    #[error("no trips can be estimated")]
    Estimate(#[source] DemandError),
    // ------ what is on disk
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the checkpoint cannot be used")]
    Checkpoint(#[from] ArchiveError),
    #[error("the run broke off: {0}")]
    BrokeOff(String),
}

fn told(faults: &[Fault]) -> String {
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    all.join("; ")
}

impl PlannerError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> PlannerError {
        let path = path.into();
        move |cause| PlannerError::File { path, cause }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, why: &impl Display) -> PlannerError {
        PlannerError::Damaged { path: path.into(), why: why.to_string() }
    }
}

impl From<ScenarioError> for PlannerError {
    fn from(error: ScenarioError) -> PlannerError {
        if let ScenarioError::Cancelled = error {
            return PlannerError::Cancelled;
        }
        if let ScenarioError::Faults(faults) = error {
            return PlannerError::Faults(faults);
        }
        PlannerError::Run(Box::new(error))
    }
}

impl From<DemandError> for PlannerError {
    fn from(error: DemandError) -> PlannerError {
        if let DemandError::Cancelled = error {
            return PlannerError::Cancelled;
        }
        PlannerError::Estimate(error)
    }
}
