//! What a network is made of, checked: links, junctions, zones and the turns between links.
//! Positions in tables ([`LinkIndex`] and its like) hold only inside the network they come from.

use serde::{Deserialize, Serialize};

use super::class::RoadClass;
use super::key::{JunctionIndex, JunctionKey, LinkIndex, LinkKey, ZoneKey};
use super::unit::{Lanes, Meters, MetersPerSecond, VehiclesPerHour, VehiclesPerKilometer};
use crate::position::Position;

/// A directed piece of road between two junctions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub(super) key: LinkKey,
    pub(super) from: JunctionIndex,
    pub(super) to: JunctionIndex,
    pub(super) class: RoadClass,
    pub(super) name: String,
    pub(super) length: Meters,
    pub(super) lanes: Lanes,
    pub(super) free_speed: MetersPerSecond,
    pub(super) capacity_per_lane: VehiclesPerHour,
    pub(super) jam_density_per_lane: VehiclesPerKilometer,
    pub(super) geometry: Vec<Position>,
    pub(super) originals: Vec<LinkKey>,
}

impl Link {
    /// Its stable name.
    pub fn key(&self) -> &LinkKey {
        &self.key
    }

    /// Where it starts.
    pub fn from(&self) -> JunctionIndex {
        self.from
    }

    /// Where it ends.
    pub fn to(&self) -> JunctionIndex {
        self.to
    }

    /// How great a road it is.
    pub fn class(&self) -> RoadClass {
        self.class
    }

    /// Street name for people; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length; 0 only for connectors.
    pub fn length(&self) -> Meters {
        self.length
    }

    /// Lanes in its direction.
    pub fn lanes(&self) -> Lanes {
        self.lanes
    }

    /// Speed without other traffic.
    pub fn free_speed(&self) -> MetersPerSecond {
        self.free_speed
    }

    /// Capacity of one lane.
    pub fn capacity_per_lane(&self) -> VehiclesPerHour {
        self.capacity_per_lane
    }

    /// Jam density of one lane.
    pub fn jam_density_per_lane(&self) -> VehiclesPerKilometer {
        self.jam_density_per_lane
    }

    /// Shape points from start to end; empty where the link is the straight line between its
    /// junctions. [`Network::line`](super::Network::line) has it either way.
    pub fn geometry(&self) -> &[Position] {
        &self.geometry
    }

    /// The links it was merged from, in driving order; empty where it was not merged.
    pub fn originals(&self) -> &[LinkKey] {
        &self.originals
    }

    /// Capacity of all lanes, veh/h.
    pub fn capacity_veh_h(&self) -> f64 {
        self.capacity_per_lane.get() * self.lanes.count()
    }

    /// Vehicles that stand on it when it is full.
    pub fn storage_veh(&self) -> f64 {
        self.jam_density_per_lane.get() * self.lanes.count() * self.length.get() / 1_000.0
    }

    /// Seconds to drive it without other traffic.
    pub fn travel_time_s(&self) -> f64 {
        self.length.get() / self.free_speed.get()
    }
}

/// Who goes first at a junction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name is its documentation")]
pub enum Control {
    #[default]
    None = 0,
    Yield = 1,
    Stop = 2,
    AllWayStop = 3,
    Signal = 4,
}

static CONTROLS: [(Control, &str); 5] = [
    (Control::None, "none"),
    (Control::Yield, "yield"),
    (Control::Stop, "stop"),
    (Control::AllWayStop, "4_stop"),
    (Control::Signal, "signal"),
];

impl Control {
    /// The control with this name, as GMNS has them.
    pub fn from_name(name: &str) -> Option<Control> {
        CONTROLS.iter().find(|(_, known)| *known == name).map(|(control, _)| *control)
    }

    /// Its name in GMNS.
    pub const fn name(self) -> &'static str {
        CONTROLS[self as usize].1
    }
}

/// Where links meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Junction {
    pub(super) key: JunctionKey,
    pub(super) position: Position,
    pub(super) control: Control,
    pub(super) passable: bool,
}

impl Junction {
    /// Its stable name.
    pub fn key(&self) -> &JunctionKey {
        &self.key
    }

    /// Where it is.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Who goes first.
    pub fn control(&self) -> Control {
        self.control
    }

    /// Whether a trip may go through it; at others (centroids of zones) trips only start and end.
    pub fn is_passable(&self) -> bool {
        self.passable
    }
}

/// Where trips start and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    pub(super) key: ZoneKey,
    pub(super) name: String,
    pub(super) position: Position,
    pub(super) ring: Vec<Position>,
    pub(super) connectors: Vec<JunctionIndex>,
}

impl Zone {
    /// Its stable name.
    pub fn key(&self) -> &ZoneKey {
        &self.key
    }

    /// A name for people; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its middle.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Its outline, not closed; empty where it has none.
    pub fn ring(&self) -> &[Position] {
        &self.ring
    }

    /// The junctions at which its trips enter and leave the network, in order of number.
    pub fn connectors(&self) -> &[JunctionIndex] {
        &self.connectors
    }
}

/// An allowed way through a junction, from one link onto another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Movement {
    /// The link that is left.
    pub from: LinkIndex,
    /// The link that is entered.
    pub to: LinkIndex,
}

/// What a file says of one pair of links, against the general rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TurnRule {
    /// May not be driven.
    Banned = 0,
    /// May be driven although it is a U-turn.
    Allowed = 1,
}

/// An exception from the general rule of turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Turn {
    /// The link that is left.
    pub from: LinkIndex,
    /// The link that is entered.
    pub to: LinkIndex,
    /// What holds.
    pub rule: TurnRule,
}
