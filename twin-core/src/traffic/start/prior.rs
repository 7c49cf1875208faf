//! What is expected of a link without sensors, before flows are balanced: the load of its class,
//! raised or lowered as the nearest measured links are against theirs.
//!
//! Load is flow over capacity. The load of a class is the mean of its measured links, drawn towards
//! the mean of all classes as if [`PSEUDO_LINKS`] more links had that. The level of a measured link
//! is its load over its class's. A link h hops from the nearest measured ones expects
//! `class load · (1 + NEARNESS^h · (their mean level - 1))`.
//!
//! What must not live here: balance, density.

use crate::road::{Link, LinkIndex, Network, RoadClass};

/// Links of the mean load that every class is thought to have measured besides its own.
const PSEUDO_LINKS: f64 = 3.0;

/// What is left of a level after one hop.
const NEARNESS: f64 = 0.7;

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
    /// From measured flows by link, veh/h. O(links).
    pub(super) fn of(network: &Network, measured: &[Option<f64>]) -> Prior {
        let loads = class_loads(network, measured);
        let near = Near::of(network, &loads, measured);
        let (mut flow, mut hops) = (Vec::new(), Vec::new());
        for (at, link) in network.links().iter().enumerate() {
            if let Some(measured) = measured[at] {
                flow.push(measured);
                hops.push(0);
                continue;
            }
            let ends = [link.from().slot(), link.to().slot()];
            let least = near.hops[ends[0]].min(near.hops[ends[1]]);
            let nearest = ends.iter().filter(|end| near.hops[**end] == least);
            let count = nearest.clone().count() as f64;
            let level = nearest.map(|end| near.level[*end]).sum::<f64>() / count;
            let link_hops = least.saturating_add(1);
            let weight = if least == FAR { 0.0 } else { NEARNESS.powf(f64::from(link_hops)) };
            let load = loads[link.class() as usize] * (1.0 + weight * (level - 1.0));
            flow.push(load.clamp(0.0, 1.0) * link.capacity_veh_h());
            hops.push(link_hops);
        }
        Prior { flow, hops }
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

/// Junctions by how near they are to measured links, and the level found there.
struct Near {
    hops: Vec<u32>,
    level: Vec<f64>,
}

impl Near {
    /// In waves, from the junctions at measured links outwards: the level of a junction is the mean
    /// over its neighbours one hop nearer.
    fn of(network: &Network, loads: &[f64], measured: &[Option<f64>]) -> Near {
        let junctions = network.junctions().len();
        let mut sums = vec![(0.0, 0.0); junctions];
        for (link, flow) in network.links().iter().zip(measured) {
            let load = loads[link.class() as usize];
            let Some(flow) = flow.filter(|_| load > 0.0) else { continue };
            for end in [link.from(), link.to()] {
                let (sum, count) = &mut sums[end.slot()];
                *sum += flow / link.capacity_veh_h() / load;
                *count += 1.0;
            }
        }
        let mut near = Near { hops: vec![FAR; junctions], level: vec![1.0; junctions] };
        let mut wave: Vec<usize> = (0..junctions).filter(|at| sums[*at].1 > 0.0).collect();
        for hops in 0.. {
            for junction in &wave {
                near.hops[*junction] = hops;
                near.level[*junction] = sums[*junction].0 / sums[*junction].1;
            }
            let mut next = Vec::new();
            for junction in &wave {
                for other in neighbours(network, *junction) {
                    if near.hops[other] == FAR {
                        sums[other].0 += near.level[*junction];
                        sums[other].1 += 1.0;
                        next.push(other);
                    }
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                break;
            }
            wave = next;
        }
        near
    }
}

/// The junctions at the other ends of all links of a junction, with repeats.
pub(super) fn neighbours(network: &Network, junction: usize) -> impl Iterator<Item = usize> + '_ {
    let junction = crate::road::JunctionIndex::at(junction);
    let far = move |links: &'_ [LinkIndex], end: fn(&Link) -> usize| -> Vec<usize> {
        links.iter().map(|link| end(network.link(*link))).collect()
    };
    let before = far(network.incoming(junction), |link| link.from().slot());
    let after = far(network.outgoing(junction), |link| link.to().slot());
    before.into_iter().chain(after)
}
