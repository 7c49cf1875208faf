//! A network as a file tells it: plain texts and numbers, nothing checked. [`Draft::build`] makes a
//! [`Network`](super::Network) of what is sound and lists the rest.

use super::class::RoadClass;
use super::link::{Control, TurnRule};

/// Everything of a network, unchecked and in any order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Junctions.
    pub junctions: Vec<DraftJunction>,
    /// Links.
    pub links: Vec<DraftLink>,
    /// Exceptions from the general rule of turns.
    pub turns: Vec<DraftTurn>,
    /// Zones.
    pub zones: Vec<DraftZone>,
    /// Signal plans.
    pub signals: Vec<DraftSignal>,
}

/// Degrees north, degrees east.
pub type DraftPoint = (f64, f64);

/// A junction, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftJunction {
    /// Its name.
    pub key: String,
    /// Where it is.
    pub point: DraftPoint,
    /// Who goes first.
    pub control: Control,
    /// Whether a trip may go through it.
    pub passable: bool,
}

/// A link, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftLink {
    /// Its name.
    pub key: String,
    /// Key of the junction it starts at.
    pub from: String,
    /// Key of the junction it ends at.
    pub to: String,
    /// How great a road it is.
    pub class: RoadClass,
    /// Street name; may be empty.
    pub name: String,
    /// Length in metres; `None`: as long as its line.
    pub length_m: Option<f64>,
    /// Lanes in its direction; `None`: as its class has.
    pub lanes: Option<i64>,
    /// Free speed, metres a second; `None`: as its class has.
    pub free_speed_mps: Option<f64>,
    /// Capacity of one lane, veh/h; `None`: as its class has.
    pub capacity_veh_h_lane: Option<f64>,
    /// Jam density of one lane, veh/km; `None`: as its class has.
    pub jam_density_veh_km_lane: Option<f64>,
    /// Shape from start to end; empty: straight.
    pub geometry: Vec<DraftPoint>,
    /// Keys of the links it was merged from.
    pub originals: Vec<String>,
}

impl DraftLink {
    /// A straight link of which nothing else is known.
    pub fn new(key: &str, from: &str, to: &str, class: RoadClass) -> DraftLink {
        DraftLink {
            key: key.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            class,
            name: String::new(),
            length_m: None,
            lanes: None,
            free_speed_mps: None,
            capacity_veh_h_lane: None,
            jam_density_veh_km_lane: None,
            geometry: Vec::new(),
            originals: Vec::new(),
        }
    }
}

/// A rule for one pair of links, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftTurn {
    /// Key of the link that is left.
    pub from: String,
    /// Key of the link that is entered.
    pub to: String,
    /// What holds.
    pub rule: TurnRule,
}

/// A zone, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftZone {
    /// Its name.
    pub key: String,
    /// A name for people.
    pub name: String,
    /// Its middle; `None`: the middle of its outline, else of its connectors.
    pub point: Option<DraftPoint>,
    /// Its outline; may be empty, and closed or not.
    pub ring: Vec<DraftPoint>,
    /// Keys of the junctions its trips use.
    pub connectors: Vec<String>,
}

/// A signal plan, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftSignal {
    /// Key of its junction.
    pub junction: String,
    /// Length of the cycle, seconds.
    pub cycle_s: f64,
    /// When a cycle starts, seconds after a multiple of the cycle.
    pub offset_s: f64,
    /// Phases; those of a ring in their order.
    pub phases: Vec<DraftPhase>,
}

/// A phase, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftPhase {
    /// Its ring.
    pub ring: u8,
    /// Green, seconds.
    pub green_s: f64,
    /// Yellow and all-red behind it, seconds.
    pub clearance_s: f64,
    /// Keys of the link left and of the link entered; `None`: any.
    pub releases: Vec<(String, Option<String>)>,
}
