//! What the operations centre asks: the gRPC API of `proto/citytwin/v1/operator.proto` over the
//! newest snapshot.
//!
//! The pipeline makes a [`City`] and [publishes](City::publish) every snapshot into it; [`serve`]
//! answers from it. No answer ever waits for the engine or holds it up: readers take a pointer.
//! What must not live here: any summing or searching (that is `citytwin_core::twin`), any file but
//! the places file and the folder's id.

mod city;
mod definition;
mod flight;
mod history;
mod operator;
pub mod outcome;
mod places;
mod planner;
pub mod request;
mod road;
mod server;
pub mod token;
mod upload;
mod watch;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

pub use city::{City, Foundations, RegisterError, Registrar, State, Vitals, VitalsSource};
pub use definition::{message as scenario_message, scenario};
pub use flight::FlightSql;
pub use history::HistoryService;
pub use operator::OperatorService;
pub use places::{FeatureProblem, Place, PlaceError, Places, PlacesError};
pub use planner::PlannerService;
pub use server::{Health, Served, ServerError, serve};
pub use token::FolderId;
pub use watch::{MAX_WATCHERS, Messages};
