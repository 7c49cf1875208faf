//! Link Transmission Model: vehicles as a fluid on a network of links, exact in its shock waves.
//! Two cumulative curves a link, counted at its entrance and at its exit, are the whole state, so
//! a fork is a copy of a few flat tables.
//!
//! In the order a vehicle travels:
//!
//! ```text
//! demand ─► origin     vertical queue, one per origin                 demand.rs, class.rs
//!             ▼
//!           junction   in which order, and again where it is held     sequence.rs, pass.rs, rounds.rs
//!             ▼            sending and receiving flows, node model    road.rs, share.rs, node.rs
//!             ▼            who turns where: given shares, or routes   turning.rs, mix.rs, queue.rs, onward.rs
//!             ▼            by the shortest way of now                  routes.rs, shortest.rs, times.rs
//!           link       cumulative curves, free and backward wave      curve.rs, link.rs, order.rs
//!             ▼            edits in time: closures, factors, tolls    change.rs, conditions.rs, charges.rs
//!           destination                                               network.rs
//!             ▼ every interval
//!           figures    flows, speed, density, queue, delay            figures.rs, run.rs
//! ```
//!
//! [`Network`] and [`Plan`] are checked once and shared; [`State`] is what a fork copies. Flows
//! are in passenger-car equivalents (pcu), lengths in metres, times in seconds from the start.
//!
//! All junctions take the same step. A link may be shorter than vehicles or waves need for it:
//! then what enters can leave in the same step, in the order of `sequence.rs`, as in the iterative
//! model of Himpe, Corthout & Tampère 2016 (TR-B 92:170). Within a step curves are straight lines,
//! so mean travel times are exact at any length; what is blurred is when, by less than a step a
//! link. `benches/results/ltm.md` says how far that is from steps 64 times as short.
//!
//! Sources: Newell 1993 (Transportation Research B 27:281); Yperman 2007 (PhD, KU Leuven);
//! Tampère, Corthout, Cattrysse & Immers 2011 (TR-B 45:289).
//!
//! # Promises
//! - Vehicles are conserved exactly, not to a tolerance: every flow is a whole number of grains
//!   (2⁻³⁴ pcu), and sums of grains have no rounding (`grain.rs`).
//! - No link holds more than fits, no end passes more than its capacity, after any visit of a step:
//!   what passes only grows within it, and nothing passes that is not there (`pass.rs`).
//! - The same inputs give the same bytes. An edit that changes nothing gives the bytes of the base.
//! - [`State::step`] allocates nothing with turning shares; with destinations only when a
//!   destination's first vehicle enters a link or routes have changed.

mod change;
mod charges;
mod class;
mod conditions;
mod curve;
mod demand;
mod error;
mod figures;
mod grain;
mod layout;
mod link;
mod mix;
mod network;
mod node;
mod onward;
mod order;
mod pass;
mod plan;
mod queue;
mod road;
mod rounds;
mod routes;
mod rows;
mod run;
mod sequence;
mod share;
mod shortest;
mod signal;
mod start;
mod state;
mod times;
mod turning;

#[cfg(test)]
mod tests;

pub use change::{Change, Effect};
pub use class::{Equivalents, VehicleClass};
pub use demand::Demand;
pub use error::{LinkProblem, NetworkError, PlanError, StartError};
pub use figures::{Interval, LinkFigures, Totals};
pub use link::Link;
pub use network::{Destination, Entrance, Exit, Network, Origin};
pub(crate) use plan::MAX_DESTINATIONS;
pub use plan::{Plan, PlanInputs, RouteChoice, Routing};
pub use run::run;
pub(crate) use run::watched;
pub use signal::{MovementLimit, Signal, SignalMode};
pub use start::LinkStart;
pub use state::State;
pub use turning::{Turning, TurningPiece};
