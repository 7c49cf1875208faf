//! The road network as an assignment between its zones takes it, and the gravity prior on it. Times
//! are seconds, capacities veh/h.
//!
//! Junctions: zones first (their centroids), then those that may not be passed, then the others.
//! Links: the road links with their numbers, then two free ones between each centroid and each of
//! its connectors. An assignment knows no turns: bans of turns are not kept here.
//!
//! Delay is that of the Bureau of Public Roads (Traffic Assignment Manual, 1964), 0.15 (v/c)^4.
//!
//! What must not live here: counts, calibration.

use super::Count;
use super::gravity::{Gravity, GravityError, gravity};
use super::measure::Measurements;
use crate::road::{self, JunctionIndex};
use crate::traffic::assign::{CostFactors, Link, Network, NetworkError};

/// Delay at capacity in free-flow times, and how sharply it grows.
const BPR: (f64, f64) = (0.15, 4.0);

/// Trips that begin in a zone for each veh/h of its connectors' capacity, before calibration sets
/// the level.
const TRIPS_PER_CAPACITY: f64 = 0.1;

/// The assignment's network; zone `z` is junction `z`, road link `l` is link `l`.
///
/// # Errors
/// When there are too many junctions or links together with the zones.
pub fn zoned(roads: &road::Network) -> Result<Network, NetworkError> {
    let numbers = numbers(roads)?;
    let number = |junction: JunctionIndex| numbers[junction.slot()];
    let road = |link: &road::Link| Link {
        from: number(link.from()),
        to: number(link.to()),
        capacity: link.capacity_veh_h(),
        length: link.length().get(),
        free_flow_time: link.travel_time_s(),
        b: BPR.0,
        power: BPR.1,
        toll: 0.0,
    };
    let mut links: Vec<Link> = roads.links().iter().map(road).collect();
    for (centroid, zone) in (0_u32..).zip(roads.zones()) {
        for connector in zone.connectors() {
            for (from, to) in [(centroid, number(*connector)), (number(*connector), centroid)] {
                let (capacity, free_flow_time) = (f64::MAX, 0.0);
                let free = Link {
                    from,
                    to,
                    capacity,
                    length: 0.0,
                    free_flow_time,
                    b: 0.0,
                    power: 0.0,
                    toll: 0.0,
                };
                links.push(free);
            }
        }
    }
    let blocked = roads.junctions().iter().filter(|junction| !junction.is_passable()).count();
    let first_thru = small(roads.zones().len() + blocked)?;
    let junctions = small(roads.zones().len() + roads.junctions().len())?;
    Network::new(junctions, first_thru, links, CostFactors::default())
}

/// Trips between zones by a gravity model on [`zoned`], in veh/h: zones are as large as the capacity
/// of the links at their connectors. The level is a guess that calibration corrects. O(zones² +
/// zones · links · log junctions).
///
/// # Errors
/// Never for a network of [`zoned`] on the same roads; see [`GravityError`].
pub fn gravity_prior(
    roads: &road::Network,
    network: &Network,
) -> Result<Vec<(u32, u32, f64)>, GravityError> {
    let size = |zone: &road::Zone,
                links: fn(&road::Network, JunctionIndex) -> &[road::LinkIndex]| {
        let links = zone.connectors().iter().flat_map(|at| links(roads, *at));
        links.map(|link| roads.link(*link).capacity_veh_h()).sum::<f64>() * TRIPS_PER_CAPACITY
    };
    let zones = roads.zones();
    let begin: Vec<f64> = zones.iter().map(|zone| size(zone, road::Network::outgoing)).collect();
    let end: Vec<f64> = zones.iter().map(|zone| size(zone, road::Network::incoming)).collect();
    let costs: Vec<Vec<f64>> = (0_u32..)
        .zip(zones)
        .map(|(centroid, _)| {
            let mut costs = network.least_costs(centroid);
            costs.truncate(zones.len());
            costs
        })
        .collect();
    gravity(&Gravity { begin_veh_h: &begin, end_veh_h: &end, costs: &costs, deterrence: None })
}

impl Measurements {
    /// The measured flows as counts for [`calibrate`](super::calibrate) on [`zoned`].
    pub fn counts(&self) -> Vec<Count> {
        let rows = self.links.iter();
        let count = |flow_veh_h, link: road::LinkIndex| Count { link: link.number(), flow_veh_h };
        rows.filter_map(|one| Some(count(one.flow_veh_h?, one.link))).collect()
    }
}

/// The assignment's junction of each road junction.
fn numbers(roads: &road::Network) -> Result<Vec<u32>, NetworkError> {
    let blocked = roads.junctions().iter().filter(|junction| !junction.is_passable()).count();
    let (mut centroid, mut other) = (roads.zones().len(), roads.zones().len() + blocked);
    let mut numbers = Vec::with_capacity(roads.junctions().len());
    for junction in roads.junctions() {
        let next = if junction.is_passable() { &mut other } else { &mut centroid };
        numbers.push(small(*next)?);
        *next += 1;
    }
    Ok(numbers)
}

fn small(number: usize) -> Result<u32, NetworkError> {
    u32::try_from(number).map_err(|_over| NetworkError::TooMany(number))
}
