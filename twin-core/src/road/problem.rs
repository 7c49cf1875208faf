//! What is wrong or odd about a network, each finding with the thing and the field it is about.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use super::key::KeyError;
use super::signal::SignalError;
use super::unit::UnitError;
use crate::position::PositionError;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each name is its documentation")]
pub enum Subject {
    Network,
    Junction,
    Link,
    Turn,
    Signal,
    Zone,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Subject::Network => "network",
            Subject::Junction => "junction",
            Subject::Link => "link",
            Subject::Turn => "turn",
            Subject::Signal => "signal",
            Subject::Zone => "zone",
        })
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot be used as it is; what it is about was left out of the network.
    Fault,
    /// It can be used; somebody should look at it.
    Remark,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What it is about.
    pub subject: Subject,
    /// The key of that thing, as the file has it.
    pub key: String,
    /// The field that is wrong.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: What,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum What {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("there is another one with this key")]
    Duplicate,
    #[error("{0}")]
    Position(#[from] PositionError),
    #[error("{0}")]
    Unit(#[from] UnitError),
    #[error("there is no junction {0:?}, or it was left out")]
    NoJunction(String),
    #[error("there is no link {0:?}, or it was left out")]
    NoLink(String),
    #[error("the length is 0; only connectors may have none")]
    ZeroLength,
    #[error("it ends where it starts")]
    Loop,
    #[error("link {from} does not end where link {to} starts")]
    Apart { from: String, to: String },
    #[error("the outline has {0} points, 3 are needed")]
    Outline(usize),
    #[error("it has no position, no outline and no connector")]
    Nowhere,
    #[error("{0}")]
    Signal(#[from] SignalError),
    #[error("link {link} does not lead to this junction")]
    Foreign { link: String },
    #[error("no link touches it")]
    Unused,
    #[error("the part of {links} links around it is not connected with the rest")]
    Island { links: usize },
    #[error("nothing may go on from it")]
    DeadEnd,
    #[error("it cannot be reached from the main part, which has {main} links")]
    Unreachable { main: usize },
    #[error("nothing in the main part of {main} links can be reached from it")]
    NoWayOut { main: usize },
    #[error("{length_m:.1} m is shorter than the straight line of {straight_m:.1} m")]
    TooShort { length_m: f64, straight_m: f64 },
    #[error("its shape starts or ends {apart_m:.0} m from its junctions")]
    OffJunction { apart_m: f64 },
    #[error("it has no connector")]
    Unconnected,
    #[error("it has a plan, but no signal")]
    NoSignal,
    #[error("it has a signal, but nothing comes in")]
    IdleSignal,
    #[error("there is no {0}")]
    Empty(&'static str),
}

impl What {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            What::Key(_)
            | What::Duplicate
            | What::Position(_)
            | What::Unit(_)
            | What::NoJunction(_)
            | What::NoLink(_)
            | What::ZeroLength
            | What::Loop
            | What::Apart { .. }
            | What::Outline(_)
            | What::Nowhere
            | What::Signal(_)
            | What::Foreign { .. }
            | What::Empty(_) => Severity::Fault,
            What::Unused
            | What::Island { .. }
            | What::DeadEnd
            | What::Unreachable { .. }
            | What::NoWayOut { .. }
            | What::TooShort { .. }
            | What::OffJunction { .. }
            | What::Unconnected
            | What::NoSignal
            | What::IdleSignal => Severity::Remark,
        }
    }

    /// A bounded word for counts.
    pub fn kind(&self) -> &'static str {
        match self {
            What::Key(_) => "bad_key",
            What::Duplicate => "duplicate",
            What::Position(_) => "bad_position",
            What::Unit(_) => "out_of_range",
            What::NoJunction(_) => "missing_junction",
            What::NoLink(_) => "missing_link",
            What::ZeroLength => "zero_length",
            What::Loop => "loop",
            What::Apart { .. } => "apart",
            What::Outline(_) => "bad_outline",
            What::Nowhere => "nowhere",
            What::Signal(_) => "bad_signal",
            What::Foreign { .. } => "foreign_link",
            What::Unused => "unused",
            What::Island { .. } => "island",
            What::DeadEnd => "dead_end",
            What::Unreachable { .. } => "unreachable",
            What::NoWayOut { .. } => "no_way_out",
            What::TooShort { .. } => "too_short",
            What::OffJunction { .. } => "off_junction",
            What::Unconnected => "unconnected",
            What::NoSignal => "no_signal",
            What::IdleSignal => "idle_signal",
            What::Empty(_) => "empty",
        }
    }
}

impl Problem {
    /// A finding about a field of a thing.
    pub fn new(
        subject: Subject,
        key: impl Into<String>,
        field: &'static str,
        what: impl Into<What>,
    ) -> Problem {
        Problem { subject, key: key.into(), field, what: what.into() }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.what.severity()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.subject, self.key, self.field, self.what)
    }
}
