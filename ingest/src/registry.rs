//! To be written.
/// Which sensors are known.
#[derive(Debug, Default)]
pub struct Registry {}
