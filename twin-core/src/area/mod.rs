//! Areas of the Earth that a question may be about, and how a group of sensors is judged against
//! one.

mod extent;

pub use extent::{Extent, Spot};
