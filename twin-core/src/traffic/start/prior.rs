//! What is expected of a link without sensors, before flows are balanced: the load of its class,
//! raised or lowered as the measured links near it are against theirs.
//!
//! Load is flow over capacity. The load of a class is the mean of its measured links, drawn towards
//! the mean of all classes as if [`PSEUDO_LINKS`] more links had that. The level of a link is its
//! load over its class's: 1 is usual. Levels of measured links are known, the others are those with
//! the least sum of
//!
//! ```text
//! PULL · (level - 1)²              over links, and
//! weight · (level - next level)²   over movements
//! ```
//!
//! where the weight of a movement is its exit's share of the capacity of all exits of the link,
//! counting [`STRAIGHT`] times as much straight on: most traffic stays on its street.
//!
//! What must not live here: balance, density.

use std::ops::ControlFlow;

use super::conjugate::{HELD, Laplacian};
use crate::pace::Pace;
use crate::road::{
    Link, LinkIndex, Movement, Network, RoadClass, bearing_between, bearing_difference,
};

/// Links of the mean load that every class is thought to have measured besides its own.
const PSEUDO_LINKS: f64 = 3.0;

/// How strongly a link is drawn to the load of its class, against 1 for its ways on. Chosen with
/// [`STRAIGHT`] on the equilibrium flows of Chicago-Sketch (Transportation Networks for Research) with
/// 10, 30 and 60 % of links measured: the error of the flows is 0.89, 0.82 and 0.77 of that of the
/// mean of the class. Pulls from 0.03 to 0.3 are within 0.03 of that.
const PULL: f64 = 0.1;

/// How much more likely it is to go straight on.
const STRAIGHT: f64 = 10.0;

/// A turn by less than this is straight on, degrees.
const STRAIGHT_DEG: f64 = 45.0;

/// No measured link can be reached.
pub(super) const FAR: u32 = u32::MAX;

/// What is expected, by link.
#[derive(Debug)]
pub(super) struct Prior {
    /// Flow, veh/h.
    pub(super) flow: Vec<f64>,
    /// Hops to the nearest measured link, 0 for those themselves; [`FAR`] where none is reached.
    pub(super) hops: Vec<u32>,
}

impl Prior {
    /// From measured flows by link, veh/h. A few dozen passes over the movements; breaks off where
    /// whoever watches says stop.
    pub(super) fn of(
        network: &Network,
        measured: &[Option<f64>],
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Prior> {
        let loads = class_loads(network, measured);
        let levels = levels(network, &loads, measured, pace)?;
        let rows = network.links().iter().zip(measured).zip(levels);
        let flow = rows.map(|((link, measured), level)| {
            let load = loads[link.class() as usize] * level;
            measured.unwrap_or(load.clamp(0.0, 1.0) * link.capacity_veh_h())
        });
        ControlFlow::Continue(Prior { flow: flow.collect(), hops: hops(network, measured) })
    }
}

/// Load by class; 0 throughout where nothing is measured.
fn class_loads(network: &Network, measured: &[Option<f64>]) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); RoadClass::all().count()];
    let (mut all, mut count) = (0.0, 0.0);
    for (link, flow) in network.links().iter().zip(measured) {
        if let Some(flow) = flow {
            let load = flow / link.capacity_veh_h();
            let (sum, links) = &mut sums[link.class() as usize];
            *sum += load;
            *links += 1.0;
            all += load;
            count += 1.0;
        }
    }
    let mean: f64 = if count > 0.0 { all / count } else { 0.0 };
    let drawn = |(sum, links): &(f64, f64)| (sum + PSEUDO_LINKS * mean) / (links + PSEUDO_LINKS);
    sums.iter().map(drawn).collect()
}

/// Levels of all links.
fn levels(
    network: &Network,
    loads: &[f64],
    measured: &[Option<f64>],
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Vec<f64>> {
    // Above the usual, by link, where it is known.
    let above: Vec<Option<f64>> = network
        .links()
        .iter()
        .zip(measured)
        .map(|(link, flow)| {
            let load = loads[link.class() as usize];
            flow.filter(|_| load > 0.0).map(|flow| flow / link.capacity_veh_h() / load - 1.0)
        })
        .collect();
    let mut diagonal: Vec<f64> =
        above.iter().map(|known| if known.is_some() { HELD } else { PULL }).collect();
    let (mut springs, mut pulls, mut right) = (Vec::new(), Vec::new(), vec![0.0; above.len()]);
    let bearings: Vec<Option<(f64, f64)>> =
        network.link_indexes().map(|link| bearings(network, link)).collect();
    let mut weights = Vec::new();
    for link in network.link_indexes() {
        let onwards = network.movements_from(link);
        weights.clear();
        weights.extend(onwards.iter().map(|one| weight(network, &bearings, *one)));
        let sum: f64 = weights.iter().sum();
        for (movement, weight) in onwards.iter().zip(&weights) {
            let weight = weight / sum;
            let ends = [movement.from, movement.to];
            for (end, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
                if above[end.slot()].is_none() && movement.from != movement.to {
                    diagonal[end.slot()] += weight;
                    right[end.slot()] += weight * above[other.slot()].unwrap_or(0.0);
                }
            }
            let unknown = ends.iter().all(|end| above[end.slot()].is_none());
            if unknown && movement.from != movement.to {
                springs.push((movement.from.number(), movement.to.number()));
                pulls.push(weight);
            }
        }
    }
    let matrix = Laplacian { springs: &springs, weights: &pulls, diagonal: &diagonal };
    let found = matrix.solve(&right, 1e-8, pace)?;
    let levels = found.iter().zip(&above).map(|(found, known)| 1.0 + known.unwrap_or(*found));
    ControlFlow::Continue(levels.collect())
}

/// How likely a movement is, against others from the same link.
fn weight(network: &Network, bearings: &[Option<(f64, f64)>], movement: Movement) -> f64 {
    let capacity = network.link(movement.to).capacity_veh_h();
    let ends = bearings[movement.from.slot()].zip(bearings[movement.to.slot()]);
    let Some(((_, before), (after, _))) = ends else { return capacity };
    let turn = bearing_difference(before, after);
    if turn < STRAIGHT_DEG { STRAIGHT * capacity } else { capacity }
}

/// The bearings in which a link begins and ends, where it has a shape.
fn bearings(network: &Network, link: LinkIndex) -> Option<(f64, f64)> {
    let shape = network.line(link);
    let ([a, b], [c, d]) = (shape.first_chunk::<2>()?, shape.last_chunk::<2>()?);
    Some((bearing_between(*a, *b), bearing_between(*c, *d)))
}

/// Hops of every link, in waves from the junctions at measured links outwards.
pub(super) fn hops(network: &Network, measured: &[Option<f64>]) -> Vec<u32> {
    let mut near = vec![FAR; network.junctions().len()];
    let mut wave: Vec<usize> = Vec::new();
    for (link, flow) in network.links().iter().zip(measured) {
        if flow.is_some() {
            wave.extend([link.from().slot(), link.to().slot()]);
        }
    }
    let mut hops = 0;
    while !wave.is_empty() {
        wave.retain(|junction| {
            let first = near[*junction] == FAR;
            near[*junction] = near[*junction].min(hops);
            first
        });
        let next = wave.iter().flat_map(|junction| neighbours(network, *junction));
        wave = next.filter(|other| near[*other] == FAR).collect();
        hops += 1;
    }
    let of = |(link, measured): (&Link, &Option<f64>)| match measured {
        Some(_) => 0,
        None => near[link.from().slot()].min(near[link.to().slot()]).saturating_add(1),
    };
    network.links().iter().zip(measured).map(of).collect()
}

/// The junctions at the other ends of all links of a junction, with repeats.
pub(super) fn neighbours(network: &Network, junction: usize) -> impl Iterator<Item = usize> + '_ {
    let junction = crate::road::JunctionIndex::at(junction);
    let from = |link: &LinkIndex| network.link(*link).from().slot();
    let to = |link: &LinkIndex| network.link(*link).to().slot();
    let before = network.incoming(junction).iter().map(from);
    before.chain(network.outgoing(junction).iter().map(to))
}
