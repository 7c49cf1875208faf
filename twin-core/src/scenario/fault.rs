//! What is wrong with a scenario: the field, as its file and message name it, and what is allowed.

use thiserror::Error;

use crate::area::AreaProblem;
use crate::road::{Problem, SignalError};

/// One finding.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{field}: {what}")]
pub struct Fault {
    /// Where, such as `edits[2].close.on.links[0]`.
    pub field: String,
    /// The edit that cannot be used, by its place; `None`: the scenario as a whole cannot run.
    pub edit: Option<usize>,
    /// What is wrong.
    pub what: What,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum What {
    #[error("{value} is not allowed; allowed: {allowed}")]
    Value { value: f64, allowed: &'static str },
    #[error("{0:?} is no time of day; allowed: HH:MM or HH:MM:SS")]
    Clock(String),
    #[error("the network has no link {0:?}")]
    NoLink(String),
    #[error("the network has no junction {0:?}")]
    NoJunction(String),
    #[error("the network has no zone {0:?}")]
    NoZone(String),
    #[error("zone {0:?} has no connector: its trips cannot reach the network")]
    NoConnector(String),
    #[error("one cannot turn from link {from:?} into link {to:?} anyway")]
    NoMovement { from: String, to: String },
    #[error("zone {0:?} has no outline: nobody can tell which links lie in it")]
    NoOutline(String),
    #[error("no link lies in it")]
    NoLinkThere,
    #[error("it names nothing")]
    Nothing,
    #[error("exactly one of {0} must be given")]
    OneOf(&'static str),
    #[error("{0}")]
    Area(AreaProblem),
    #[error("{0}")]
    Signal(SignalError),
    #[error("{given} greens for {phases} phases")]
    Greens { given: usize, phases: usize },
    #[error("there is no signal; give cycle_s and phases")]
    NoSignal,
    #[error("{0}")]
    NewLink(Problem),
    #[error("{0:?} is no class of roads")]
    RoadClass(String),
    #[error("needs {0}")]
    Needs(&'static str),
    #[error(
        "link {key:?} lets through {most_pcu_h:.0} pcu/h at most in the dynamic model: half its jam density times its free speed"
    )]
    Capacity { key: String, most_pcu_h: f64 },
    #[error("{given} zones are gone to; the dynamic model takes {most}, the static one any number")]
    Destinations { given: usize, most: usize },
    #[error(
        "{zones} zones are gone to by {groups} groups of vehicles, which these bans make; the dynamic model takes {most} zones times groups"
    )]
    Groups { zones: usize, groups: usize, most: usize },
    #[error("a junction has more than {most} ways out, the most of the dynamic model")]
    WaysOut { most: usize },
    #[error(
        "{rows} figures (links times intervals), at most {most} are kept; use interval_s of {interval_s} or more"
    )]
    TooMany { rows: f64, most: usize, interval_s: f64 },
}
