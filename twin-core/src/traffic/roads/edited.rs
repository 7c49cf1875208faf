//! What edits make of the roads at one time, in parts of what they are without.
//!
//! What must not live here: times, names, how edits add up.

use std::collections::{BTreeMap, BTreeSet};

use crate::road::{Control, JunctionIndex, LinkIndex, MovementIndex, Network, SignalPlan};

/// A link at one time, in parts of what it is without edits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Whether anybody may enter.
    pub open: bool,
    /// Lanes.
    pub lanes: f64,
    /// Capacity of what lanes there are; 0: nothing moves.
    pub capacity: f64,
    /// Free speed.
    pub speed: f64,
    /// What entering costs, seconds.
    pub toll_s: f64,
}

impl Now {
    /// As without edits.
    pub const BASE: Now = Now { open: true, lanes: 1.0, capacity: 1.0, speed: 1.0, toll_s: 0.0 };
}

/// The most that edits make of a link in a run of the link transmission model, in parts of what it
/// is without: 1 and more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raised {
    /// Capacity of what lanes there are.
    pub capacity: f64,
    /// Lanes.
    pub lanes: f64,
}

impl Raised {
    /// Nothing is raised.
    pub const NONE: Raised = Raised { capacity: 1.0, lanes: 1.0 };
}

/// The roads at one time; the default is without edits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edited {
    /// Links that are not as they were.
    pub links: BTreeMap<LinkIndex, Now>,
    /// Movements that are forbidden.
    pub bans: BTreeSet<MovementIndex>,
    /// Plans that are not those of the network.
    pub plans: BTreeMap<JunctionIndex, SignalPlan>,
}

impl Edited {
    /// A link.
    pub fn link(&self, link: LinkIndex) -> Now {
        self.links.get(&link).copied().unwrap_or(Now::BASE)
    }

    /// The plan that a junction runs; `None` where there is no signal.
    pub fn plan(&self, network: &Network, junction: JunctionIndex) -> Option<SignalPlan> {
        let own = || {
            let lit = network.junction(junction).control() == Control::Signal;
            if lit { network.signal_plan(junction) } else { None }
        };
        self.plans.get(&junction).cloned().or_else(own)
    }
}
