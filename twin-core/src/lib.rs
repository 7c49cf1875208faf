//! The pure engine: logged readings in, snapshots and closed windows out.
//!
//! What must not live here: sockets, files, async, a clock, chance. The same log gives the same
//! snapshot, byte for byte, on one worker or on several.
//!
//! Read [`frame`] (what comes in), then [`dataflow`] (what happens), then [`twin`] (what is asked).

pub mod area;
pub mod dataflow;
pub mod frame;
pub mod ledger;
mod pace;
pub mod position;
pub mod quantity;
pub mod reading;
pub mod road;
pub mod scenario;
pub mod sensor;
pub mod time;
pub mod traffic;
pub mod twin;
pub mod watermark;
pub mod window;
