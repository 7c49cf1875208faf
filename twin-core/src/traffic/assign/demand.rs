//! Who wants to go where: trips from junction to junction, in sparse rows by origin. Trips within
//! one junction use no link: they are set aside and counted, never assigned.

use std::ops::Range;

use thiserror::Error;

/// Trips by origin and destination, in order of both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    origins: Vec<u32>,
    /// Where each origin's trips begin in the two lists below; one more at the end.
    start: Vec<usize>,
    destinations: Vec<u32>,
    trips: Vec<f64>,
    within: f64,
}

/// A number of trips that is none.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{trips} trips from {origin} to {destination}: allowed are numbers from 0")]
pub struct DemandError {
    /// From here.
    pub origin: u32,
    /// To there.
    pub destination: u32,
    /// What was given.
    pub trips: f64,
}

impl Demand {
    /// From origin, destination and trips, in any order; trips of the same pair add up.
    ///
    /// # Errors
    /// When a number of trips is negative, infinite or NaN.
    pub fn new(entries: impl IntoIterator<Item = (u32, u32, f64)>) -> Result<Demand, DemandError> {
        let mut pairs = Vec::new();
        let mut within = 0.0;
        for (origin, destination, trips) in entries {
            if !(trips >= 0.0 && trips.is_finite()) {
                return Err(DemandError { origin, destination, trips });
            }
            if origin == destination {
                within += trips;
            } else if trips > 0.0 {
                pairs.push((origin, destination, trips));
            }
        }
        // Trips of the same pair stay in the order in which they add up.
        pairs.sort_by_key(|(origin, destination, _)| (*origin, *destination));
        Ok(Demand { within, ..Demand::of_sorted(pairs) })
    }

    /// From pairs in order; the same ones follow each other.
    fn of_sorted(pairs: impl IntoIterator<Item = (u32, u32, f64)>) -> Demand {
        let mut demand = Demand::default();
        for (origin, destination, trips) in pairs {
            let same_origin = demand.origins.last() == Some(&origin);
            if same_origin && demand.destinations.last() == Some(&destination) {
                *demand.trips.last_mut().expect("trips of the pair") += trips;
                continue;
            }
            if !same_origin {
                demand.origins.push(origin);
                demand.start.push(demand.trips.len());
            }
            demand.destinations.push(destination);
            demand.trips.push(trips);
        }
        demand.start.push(demand.trips.len());
        demand
    }

    /// The same pairs with other trips, in the order of [`pairs`](Demand::pairs); without those
    /// that have none, and without trips within a junction.
    pub(crate) fn scaled(&self, trips: &[f64]) -> Demand {
        let pairs = self.pairs().zip(trips).filter(|(_, trips)| **trips > 0.0);
        Demand::of_sorted(pairs.map(|((origin, destination, _), trips)| {
            debug_assert!(trips.is_finite(), "trips are scaled by finite factors");
            (origin, destination, *trips)
        }))
    }

    /// Trips between different junctions.
    pub fn trips(&self) -> f64 {
        self.trips.iter().sum()
    }

    /// Trips within one junction, which are not assigned.
    pub fn within(&self) -> f64 {
        self.within
    }

    /// Every pair with trips: origin, destination, trips.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32, f64)> + '_ {
        (0..self.origins.len()).flat_map(|row| {
            let origin = self.origins[row];
            self.row(row).map(move |(destination, trips)| (origin, destination, trips))
        })
    }

    /// The highest junction named, if any trips are.
    pub(super) fn highest(&self) -> Option<u32> {
        self.origins.last().copied().max(self.destinations.iter().copied().max())
    }

    /// Origins with trips, by row.
    pub(super) fn origins(&self) -> &[u32] {
        &self.origins
    }

    /// Destination and trips of one row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let Range { start, end } = self.start[row]..self.start[row + 1];
        let destinations = self.destinations[start..end].iter().copied();
        destinations.zip(self.trips[start..end].iter().copied())
    }
}
