//! The doors: bytes from sensors become durable readings, and closed rows become Parquet files.
//!
//! What must not live here: windows, queries or anything else that is decided after the log. The
//! promise: a message is acknowledged only after what it says is on disk, in the order received.
//!
//! Read along the way of a reading: [`endpoint`] or [`broker`] (bytes in), [`intake`] (the one
//! road behind both), [`decode`], [`admit`], [`log`]; then [`archive`] (closed rows out).

pub mod admit;
pub mod archive;
pub mod broker;
pub mod clock;
pub mod decode;
pub mod endpoint;
pub mod intake;
pub mod log;
pub mod registry;
pub mod sensors_file;
