//! The road network: directed links between junctions, who may turn where, zones and signals.
//!
//! A file is read into a [`Draft`] (plain numbers); [`Draft::build`] checks everything once and
//! makes a [`Network`] of what is sound, with a list of faults. [`Network::check`] says what is odd
//! about the rest: islands, dead ends, lengths that cannot be.
//!
//! ```
//! use citytwin_core::road::{Control, Draft, DraftJunction, DraftLink, RoadClass};
//!
//! let junction = |key: &str, latitude: f64| DraftJunction {
//!     key: key.to_owned(),
//!     point: (latitude, 106.7),
//!     control: Control::None,
//!     passable: true,
//! };
//! let built = Draft {
//!     junctions: vec![junction("a", 10.77), junction("b", 10.78)],
//!     links: vec![
//!         DraftLink::new("1", "a", "b", RoadClass::Primary),
//!         DraftLink::new("2", "a", "c", RoadClass::Primary),
//!     ],
//!     ..Draft::default()
//! }
//! .build();
//! assert_eq!(built.network.links().len(), 1);
//! assert_eq!(
//!     built.faults[0].to_string(),
//!     r#"link 2: to: there is no junction "c", or it was left out"#
//! );
//! ```
//!
//! What must not live here: file formats, traffic, demand, what a scenario changes.

mod build;
mod cells;
mod check;
mod class;
mod draft;
mod hash;
mod key;
mod link;
mod matching;
mod merge;
mod movement;
mod nearest;
mod network;
mod parts;
mod problem;
mod redraft;
mod shape;
mod signal;
mod unit;

#[cfg(test)]
mod tests;

pub use build::Built;
pub use class::RoadClass;
pub use draft::{
    Draft, DraftJunction, DraftLink, DraftPhase, DraftPoint, DraftSignal, DraftTurn, DraftZone,
};
pub use hash::ContentHash;
pub use key::{
    JunctionIndex, JunctionKey, KeyError, LinkIndex, LinkKey, MAX_KEY_LEN, MovementIndex,
    ZoneIndex, ZoneKey, is_key,
};
pub use link::{Control, Junction, Link, Movement, Turn, TurnRule, Zone};
pub use matching::{
    MatchSettings, Matched, MatchedBy, Matching, SensorPlace, Unmatched, match_sensors,
};
pub use merge::Merged;
pub use movement::is_u_turn;
pub use nearest::{LinkFinder, Near};
pub use network::{Network, NetworkError};
pub use parts::Parts;
pub use problem::{Problem, Severity, Subject, What};
pub use shape::{Foot, bearing_between, bearing_difference, foot, line_length_m};
pub use signal::{MAX_CYCLE_S, Phase, Release, SignalError, SignalPlan};
pub use unit::{Lanes, Meters, MetersPerSecond, UnitError, VehiclesPerHour, VehiclesPerKilometer};
