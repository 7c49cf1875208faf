//! Edits: what is different from the base, and from when to when.

use super::error::PlanError;
use super::network::Network;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// Nobody enters a link; who is on it leaves.
    Close {
        /// The link.
        link: u32,
    },
    /// A link's capacity is multiplied, up to the peak of its diagram; 0 stops both ends.
    Capacity {
        /// The link.
        link: u32,
        /// From 0 to 10.
        factor: f64,
    },
    /// A link's free speed is multiplied; its capacity falls where the diagram's peak falls below.
    Speed {
        /// The link.
        link: u32,
        /// From 0.05 to 4.
        factor: f64,
    },
    /// A link's lanes are multiplied: capacity and storage. Vehicles beyond the new storage stay
    /// until they leave; none enter before.
    Lanes {
        /// The link.
        link: u32,
        /// Above 0, to 10.
        factor: f64,
    },
    /// A movement is forbidden.
    Ban {
        /// The movement; see [`Network::movement`].
        movement: u32,
    },
    /// Entering a link costs something. Who chooses among ways takes it for so much longer; it
    /// delays nobody, and does nothing to those who turn by shares.
    Toll {
        /// The link.
        link: u32,
        /// What it is worth in travel time, seconds: 0 to a day.
        worth_s: f64,
    },
    /// Those for some destinations do not enter a link: vehicles of a class that may not, where
    /// they have destinations of their own. At origins they wait while there is no other way. Who
    /// is on the road and has none goes on as those for the destination that was given first at
    /// the same junction: a ban that begins strands nobody.
    Avoid {
        /// The link.
        link: u32,
        /// The first of the destinations.
        first: u32,
        /// How many they are.
        count: u32,
    },
}

/// An edit and its time. It holds in every step that begins from `from_s` on, before `until_s`.
/// Edits of the same link at the same time multiply; tolls add up.
///
/// While a movement is forbidden or leads to a closed link, its share of turning goes to the other
/// movements in proportion to theirs; if they have none, to the links among them in proportion to
/// capacity; if there is none either, vehicles wait. Vehicles with a destination look for another
/// way at once; if there is none, they wait, and who is behind them on the link waits too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Begin, in seconds from the start.
    pub from_s: f64,
    /// End, in seconds from the start; may be infinite.
    pub until_s: f64,
    /// What is changed.
    pub effect: Effect,
}

impl Change {
    pub(super) fn holds_at(&self, time_s: f64) -> bool {
        self.from_s <= time_s && time_s < self.until_s
    }

    pub(super) fn check(&self, row: usize, network: &Network) -> Result<(), PlanError> {
        let links = network.links().len();
        let allowed = match self.effect {
            Effect::Close { link } => (link as usize) < links,
            Effect::Capacity { link, factor } => {
                (link as usize) < links && (0.0..=10.0).contains(&factor)
            }
            Effect::Speed { link, factor } => {
                (link as usize) < links && (0.05..=4.0).contains(&factor)
            }
            Effect::Lanes { link, factor } => {
                (link as usize) < links && factor > 0.0 && factor <= 10.0
            }
            Effect::Ban { movement } => (movement as usize) < network.movements(),
            Effect::Toll { link, worth_s } => {
                (link as usize) < links && (0.0..=86_400.0).contains(&worth_s)
            }
            Effect::Avoid { link, first, count } => {
                let end = u64::from(first) + u64::from(count);
                (link as usize) < links && end <= network.destinations().len() as u64
            }
        };
        let timed = self.from_s.is_finite() && self.from_s < self.until_s;
        if allowed && timed { Ok(()) } else { Err(PlanError::Change(row)) }
    }

    /// The same, of the link as the model numbers it; for one that was checked.
    pub(super) fn inside(mut self, network: &Network) -> Change {
        match &mut self.effect {
            Effect::Close { link }
            | Effect::Capacity { link, .. }
            | Effect::Speed { link, .. }
            | Effect::Lanes { link, .. }
            | Effect::Toll { link, .. }
            | Effect::Avoid { link, .. } => {
                let inner = network.inner(*link).expect("a link that was checked");
                *link = u32::try_from(inner).expect("links are counted in u32");
            }
            Effect::Ban { .. } => {}
        }
        self
    }

    /// The link that it makes another.
    pub(super) const fn link(&self) -> Option<u32> {
        match self.effect {
            Effect::Close { link }
            | Effect::Capacity { link, .. }
            | Effect::Speed { link, .. }
            | Effect::Lanes { link, .. } => Some(link),
            Effect::Ban { .. } | Effect::Toll { .. } | Effect::Avoid { .. } => None,
        }
    }
}

/// All edits of one link at one time, multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factors {
    pub(super) open: bool,
    pub(super) capacity: f64,
    pub(super) speed: f64,
    pub(super) lanes: f64,
}

impl Factors {
    /// Nothing is changed.
    pub(super) const NONE: Factors = Factors { open: true, capacity: 1.0, speed: 1.0, lanes: 1.0 };

    pub(super) fn and(mut self, effect: Effect) -> Factors {
        match effect {
            Effect::Close { .. } => self.open = false,
            Effect::Capacity { factor, .. } => self.capacity *= factor,
            Effect::Speed { factor, .. } => self.speed *= factor,
            Effect::Lanes { factor, .. } => self.lanes *= factor,
            Effect::Ban { .. } | Effect::Toll { .. } | Effect::Avoid { .. } => {}
        }
        self
    }
}
