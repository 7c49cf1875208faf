//! Which share of each pair's trips uses which link, without listing paths: sums of link values over
//! the paths of every pair, and the link flows of other trips on the same paths. Of many path flows
//! with the same link flows it is the one of [`Equilibrium::through`].

use std::ops::ControlFlow;

use super::bush::Bush;
use super::equilibrium::Equilibrium;
use super::paths::NONE;
use crate::pace::{Pace, unwatched, walked};

impl Equilibrium {
    /// For every pair of [`Demand::pairs`](super::Demand::pairs), in that order: the sum of the
    /// links' values over its paths, weighted with their shares; 0 where no path leads. One value
    /// for each link. Cost: O(origins · bush links).
    ///
    /// # Panics
    /// When there are fewer values than links.
    pub fn path_sums(&self, values: &[f64]) -> Vec<f64> {
        unwatched(|pace| self.path_sums_at(values, pace))
    }

    /// The same; breaks off where whoever watches says stop.
    pub(crate) fn path_sums_at(
        &self,
        values: &[f64],
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Vec<f64>> {
        let mut sums = Vec::new();
        let mut places = vec![NONE; self.network.junctions() as usize];
        let mut sum = Vec::new();
        for (row, bush) in self.bushes.iter().enumerate() {
            bush.places(&mut places);
            sum.clear();
            sum.resize(bush.len(), 0.0);
            for position in 1..bush.len() {
                sum[position] = shares(bush, position)
                    .map(|(way, share)| {
                        share * (values[bush.link[way] as usize] + sum[bush.tail[way] as usize])
                    })
                    .sum();
            }
            let ends = self.demand.row(row).map(|(to, _)| places[to as usize]);
            sums.extend(ends.map(|at| sum.get(at as usize).copied().unwrap_or(0.0)));
            walked(bush.link.len());
            pace.worked(bush.link.len())?;
        }
        ControlFlow::Continue(sums)
    }

    /// Link flows if each pair of [`Demand::pairs`](super::Demand::pairs) had so many trips and they
    /// took the same shares of the same paths. Trips may be negative: it is linear in them. Cost:
    /// O(origins · bush links).
    ///
    /// # Panics
    /// When there are fewer trips than pairs.
    pub fn load(&self, trips: &[f64]) -> Vec<f64> {
        unwatched(|pace| self.load_at(trips, pace))
    }

    /// The same; breaks off where whoever watches says stop.
    pub(crate) fn load_at(&self, trips: &[f64], pace: &mut Pace<'_>) -> ControlFlow<(), Vec<f64>> {
        let mut flow = vec![0.0; self.network.links().len()];
        let mut places = vec![NONE; self.network.junctions() as usize];
        let mut trips = trips.iter().copied();
        for (row, bush) in self.bushes.iter().enumerate() {
            bush.places(&mut places);
            let mut through = vec![0.0; bush.len()];
            for (to, _) in self.demand.row(row) {
                let trips = trips.next().expect("trips for every pair");
                if let Some(end) = through.get_mut(places[to as usize] as usize) {
                    *end += trips;
                }
            }
            load(bush, &mut through, &mut flow);
            pace.worked(bush.link.len())?;
        }
        ControlFlow::Continue(flow)
    }

    /// Link flows of the trips of one origin; those of all origins add up to
    /// [`flows`](Equilibrium::flows). Cost: O(links).
    pub(crate) fn flows_from(&self, origin: u32) -> Vec<f64> {
        let mut flow = vec![0.0; self.network.links().len()];
        if let Ok(row) = self.demand.origins().binary_search(&origin) {
            let bush = &self.bushes[row];
            load(bush, &mut bush.trips.clone(), &mut flow);
        }
        flow
    }
}

/// Adds the flows of what ends at each position, `through`, to those of the links.
fn load(bush: &Bush, through: &mut [f64], flow: &mut [f64]) {
    walked(bush.link.len());
    for position in (1..bush.len()).rev() {
        for (way, share) in shares(bush, position) {
            let vehicles = share * through[position];
            flow[bush.link[way] as usize] += vehicles;
            through[bush.tail[way] as usize] += vehicles;
        }
    }
}

/// The ways into a position and their shares; all by the first where nothing flows.
fn shares(bush: &Bush, position: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let ways = bush.ways_in(position);
    let first = ways.start;
    let all: f64 = bush.flow[ways.clone()].iter().sum();
    ways.map(move |way| {
        let alone = if way == first { 1.0 } else { 0.0 };
        (way, if all > 0.0 { bush.flow[way] / all } else { alone })
    })
}
