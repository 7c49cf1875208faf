//! Static user equilibrium (Wardrop 1952): every trip takes a path that no other path could beat,
//! at the delays that all trips together cause. Solved by Algorithm B (Dial 2006, Transportation
//! Research B 40:917), which keeps for every origin a bush of the links its trips may use.
//!
//! ```text
//! links + demand ─► a tree for each origin ─► ┌ reload   flows of all links from the bushes
//!                                             │ improve  measure the gap; better links in, idle ones out
//!                                  a round:   └ balance  shift trips from costly to cheap paths
//! ```
//!
//! A solved [`Equilibrium`] can be cloned, changed and solved again from its old bushes: a closure
//! costs some rounds, not all of them. The same input gives the same bytes on every run.
//!
//! What must not live here: file formats, units (times, lengths and tolls are the network's own),
//! threads. Read `equilibrium`, then `bush`, `improve`, `shift`.

mod bush;
mod change;
mod curve;
mod demand;
mod equilibrium;
mod improve;
mod loads;
mod network;
mod paths;
mod proportions;
mod select;
mod shift;

#[cfg(test)]
mod assign_tests;
#[cfg(test)]
mod property_tests;

pub use demand::{Demand, DemandError};
pub use equilibrium::{Ended, Equilibrium, Progress, Settings, Summary, UnknownJunction, Unserved};
pub use network::{CostFactors, Link, LinkChange, Network, NetworkError};
pub use select::Through;
