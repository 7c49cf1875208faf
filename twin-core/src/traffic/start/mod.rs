//! From the living city to a start state: what a snapshot says of the roads, completed to every link
//! and junction, so that a model can run on from this moment.
//!
//! ```text
//! snapshot + matched sensors ─► measurements   live sensors, link by link           measure.rs
//!                                   ▼
//!                               density        the link's triangular diagram        traffic/roads
//!                                   ▼
//!                               prior          class and neighbours                 prior.rs
//!                                   ▼
//!                               balance        least squares, junctions in balance  balance.rs
//!                                   ▼
//!                               turning        shares from flows, or from counts    turning.rs, recursion.rs
//!                                   ▼
//!                               start          links, ends, turning, demand         estimate.rs, state.rs
//!                                   ├─► link transmission model                     transmission.rs
//!                                   └─► gravity ─► demand that reproduces the flows  demand.rs, gravity.rs, calibrate.rs
//! ```
//!
//! Vehicles are passenger-car equivalents throughout, as in [`road`](crate::road). The same inputs
//! give the same bytes. A snapshot without live sensors gives a start all of whose links are
//! estimated, empty and of quality 0.
//!
//! What must not live here: the models themselves, what a scenario changes.

mod balance;
mod calibrate;
mod conjugate;
mod demand;
mod elimination;
mod estimate;
mod gravity;
mod measure;
mod origin;
mod prior;
mod recursion;
mod state;
mod transmission;
mod turning;

#[cfg(test)]
mod tests;

pub use calibrate::{Calibration, CalibrationSettings, Count, Fit, calibrate};
pub use demand::{DemandError, DemandFit, OdFlow, StartDemand, gravity_prior};
pub use estimate::EstimateSettings;
pub use gravity::{Gravity, GravityError, gravity};
pub use measure::{LeftOut, LinkMeasurement, MeasureSettings, Measurements};
pub use origin::Origin;
pub use recursion::{Recursion, TurnCounts};
pub use state::{Ends, LinkStart, Source, Start, StartError};
pub use transmission::Transmission;
pub use turning::Turning;
