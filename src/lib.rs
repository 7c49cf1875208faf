//! The program around the engine: configuration, command line, gRPC service and the wiring of
//! all rooms. No engine logic lives here; it is in `citytwin_core` and `citytwin_ingest`.
//!
//! Read [`config`] (what can be set), then [`service`] (what can be asked), then [`cli`].

pub mod cli;
pub mod config;
pub mod service;
pub mod telemetry;
