//! The program around the engine: configuration, command line, gRPC service and the wiring of
//! all rooms. No engine logic lives here; it is in `citytwin_core` and `citytwin_ingest`.
//!
//! Read [`pipeline`] first (the way of a reading), then [`config`] (what can be set), then
//! [`service`] (what can be asked), then [`cli`].

mod background;
mod belt;
pub mod cli;
pub mod config;
pub mod demo;
mod doors;
mod fit;
pub mod history;
pub mod json;
mod metrics;
pub mod network;
mod offload;
pub mod outcome_files;
pub mod picture;
pub mod pipeline;
pub mod planner;
pub mod rooms;
pub mod serve;
pub mod service;
pub mod statusline;
pub mod telemetry;
mod upkeep;

/// Tables of a city and columns of a file are large and come and go; the system's allocator gives
/// them back to the kernel each time and takes them anew, page by page.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
