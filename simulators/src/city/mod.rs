//! The ground a fleet stands on: streets, water, wards and industrial zones.

/// A generated city.
#[derive(Clone, Debug)]
pub struct City {
    seed: u64,
}

impl City {
    /// The city of a seed.
    pub fn generate(seed: u64) -> City {
        City { seed }
    }

    /// Its seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
