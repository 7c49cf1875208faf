//! A scenario that fits: its name, its base, and what was left out of it.

use citytwin_core::scenario::Scenario;
use citytwin_core::time::ArrivalTime;
use serde::{Deserialize, Serialize};

use super::base::BaseState;
use super::id::Id;

/// A scenario as it is kept. Stored as postcard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Of the scenario and of its outcome.
    pub id: Id,
    /// The network it is laid on.
    pub network: Id,
    /// The scenario, its base filled in.
    pub scenario: Scenario,
    /// When it was made.
    pub created: ArrivalTime,
    /// What its start is known from.
    pub base: BaseState,
    /// Fields that did not fit and why; their edits were left out.
    pub left_out: Vec<(String, String)>,
}
