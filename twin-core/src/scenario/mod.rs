//! What if: edits and demand laid on the city of one epoch, and what comes of it.
//!
//! ```text
//! Scenario ─check─► faults, one by one              definition.rs, edit.rs, place.rs, fault.rs
//!    ▼ resolve      names to numbers of the network resolve.rs, frame.rs, signals.rs, flood.rs
//!    ▼ timeline     each link over time             timeline.rs
//! Start ─► run      either model                    demand.rs, run.rs
//!    ├─ dynamic     link transmission model         dynamic/
//!    └─ static      user equilibrium                balance.rs, through.rs
//!    ▼
//! Outcome           links, cells, zones, totals     outcome.rs, places.rs, journey.rs
//!    ├─ identity    what it was made from           identity.rs
//!    └─ compare     what differs                    compare.rs
//! ```
//!
//! What must not live here: snapshots, sensors, TOML, wire types, files, clocks.
//!
//! # Promises
//! - The same scenario on the same start gives the same bytes, under the same [`OutcomeId`].
//! - Edits that change nothing give the figures of the base, bit for bit.
//! - What does not fit is told by field before anything runs; nothing is dropped in silence.

mod balance;
mod compare;
mod definition;
mod demand;
mod dynamic;
pub mod edit;
mod fault;
pub mod flood;
mod frame;
mod identity;
mod journey;
mod outcome;
mod place;
mod places;
mod resolve;
mod run;
mod signals;
mod through;
mod timeline;

#[cfg(test)]
mod tests;

pub use compare::{
    CellDifference, CompareError, Comparison, Found, JourneyDifference, JourneyMean,
    LinkDifference, ZoneDifference, compare,
};
pub use definition::{
    Base, Demand, Journey, MAX_HORIZON_S, MAX_ROWS, Model, Scenario, Trips, Vehicles,
};
pub use edit::{Change, Edit, Span};
pub use fault::{Fault, What};
pub use identity::OutcomeId;
pub use outcome::{
    ByClass, ClassTotals, Interval, JourneyTimes, LinkFigures, LinkUse, LinkUsers, Note, Outcome,
    OutcomeLink, PairFlow, PlaceFigures, Totals,
};
pub use place::{AreaShape, LatLon, Place, PolygonPart, Ring};
pub use run::{Progress, ScenarioError, Stage, run};
