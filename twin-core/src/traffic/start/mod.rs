//! From the living city to a start state: what a snapshot says of the roads, completed to every link
//! and junction, so that a model can run on from this moment.
//!
//! ```text
//! snapshot + matched sensors ─► measurements   live sensors, link by link           measure.rs
//!                                   ▼
//!                               density        the link's triangular diagram        diagram.rs
//!                                   ▼
//!                               prior          class and neighbours                 prior.rs
//!                                   ▼
//!                               balance        least squares, junctions in balance  balance.rs
//!                                   ▼
//!                               turning        shares from flows, or from counts    turning.rs, recursion.rs
//!                                   ▼
//!                               start ─► link transmission model                    estimate.rs, transmission.rs
//!
//! counts + zones ─► gravity ─► demand that reproduces the counts                    gravity.rs, zoned.rs, calibrate.rs
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
mod diagram;
mod estimate;
mod gravity;
mod measure;
mod prior;
mod recursion;
mod transmission;
mod turning;
mod zoned;

#[cfg(test)]
mod tests;

pub use calibrate::{Calibration, CalibrationSettings, Count, Fit, calibrate};
pub use diagram::Diagram;
pub use estimate::{Branch, Ends, EstimateSettings, LinkStart, Source, Start};
pub use gravity::{Gravity, GravityError, gravity};
pub use measure::{LeftOut, LinkMeasurement, MeasureSettings, Measurements};
pub use recursion::{Recursion, TurnCounts};
pub use transmission::Transmission;
pub use turning::Turning;
pub use zoned::{gravity_prior, zoned};
