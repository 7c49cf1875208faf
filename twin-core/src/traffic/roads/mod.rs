//! The road network as the models take it. A road becomes a link of a model here and nowhere else,
//! so that a start is run on the roads it was estimated on and trips are loaded on the roads they
//! were calibrated on.
//!
//! ```text
//! road::Network + edits ─┬─► ltm::Network      diagram.rs, transmission.rs
//!                        │   limits, greens    signals.rs
//!                        └─► assign::Network   assignment.rs
//! ```
//!
//! What edits make of the roads comes in as [`Edited`], or as the most they [raise](Raised).
//! Vehicles are passenger-car equivalents.
//!
//! What must not live here: starts, demand, scenarios.

mod assignment;
mod diagram;
mod edited;
mod signals;
mod transmission;

#[cfg(test)]
mod tests;

pub use assignment::{assignment, delay};
pub(super) use diagram::Point;
pub use diagram::{Branch, Diagram};
pub use edited::{Edited, Now, Raised};
pub use signals::{greens, limits, plans};
pub use transmission::{Gates, between_zones, length_m, with_ends};
