//! Who uses a link, at balance: pairs of zones, and where else these vehicles drive (select-link).
//!
//! Path flows are those of [`Equilibrium::through`]: within one origin, all who meet at a junction
//! went the same shares of the ways there. So the flows of one origin are enough: behind the link,
//! the part of those who meet at a junction that has used it; before it, its vehicles by the shares
//! of the ways in.
//!
//! Cost: for each origin that uses one of the links, one loading of its trips; links asked for
//! together share it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::outcome::{LinkUse, LinkUsers, PairFlow};
use super::resolve::Resolved;
use crate::pace::{Pace, walked};
use crate::road::{LinkIndex, ZoneIndex};
use crate::traffic::assign::{Equilibrium, Through};

/// Less than this is nobody, pcu/h.
const NOBODY_PCU_H: f64 = 1e-9;

/// Passes over the links that the ways of one origin are taken for.
const WAYS: usize = 10;

/// The users of each link that was asked for; breaks off where whoever watches says stop.
pub(super) fn users(
    resolved: &Resolved<'_>,
    equilibrium: &Equilibrium,
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Vec<LinkUsers>> {
    let asked = &resolved.through;
    let mut pairs: Vec<Vec<Through>> = Vec::with_capacity(asked.len());
    for link in asked {
        pairs.push(equilibrium.through_at(link.number(), pace)?);
    }
    let roads = resolved.network.links().len();
    let mut flows = vec![vec![0.0; roads]; asked.len()];
    let mut origins: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, pairs) in pairs.iter().enumerate() {
        for pair in pairs {
            let rows = origins.entry(pair.origin).or_default();
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
    }
    for (origin, rows) in origins {
        pace.worked(WAYS * roads)?;
        let tree = Ways::of(equilibrium, origin);
        for row in rows {
            pace.worked(2 * roads)?;
            tree.add(equilibrium, asked[row].number() as usize, &mut flows[row]);
        }
    }
    let mut told = Vec::with_capacity(asked.len());
    for ((link, pairs), flows) in asked.iter().zip(pairs).zip(flows) {
        walked(pairs.len() + roads);
        pace.worked(pairs.len() + roads)?;
        told.push(link_users(resolved, *link, &pairs, &flows));
    }
    ControlFlow::Continue(told)
}

fn link_users(
    resolved: &Resolved<'_>,
    link: LinkIndex,
    pairs: &[Through],
    flows: &[f64],
) -> LinkUsers {
    let network = &resolved.network;
    let zone = |number: u32| network.zone(ZoneIndex::new(number)).key().clone();
    let rows = network.links().iter().zip(flows).filter(|(_, flow)| **flow > NOBODY_PCU_H);
    let mut links: Vec<LinkUse> =
        rows.map(|(road, flow)| LinkUse { key: road.key().clone(), flow_veh_h: *flow }).collect();
    links.sort_by(|a, b| b.flow_veh_h.total_cmp(&a.flow_veh_h).then_with(|| a.key.cmp(&b.key)));
    let pair = |pair: &Through| PairFlow {
        origin: zone(pair.origin),
        destination: zone(pair.destination),
        flow_veh_h: pair.trips,
    };
    LinkUsers {
        key: network.link(link).key().clone(),
        flow_veh_h: flows[link.slot()],
        links,
        pairs: pairs.iter().map(pair).collect(),
    }
}

/// The flows of one origin, and the junctions they pass in an order in which nobody drives back.
struct Ways {
    flow: Vec<f64>,
    /// Junctions with the links that lead to them and carry somebody.
    ins: Vec<(u32, Vec<usize>)>,
}

impl Ways {
    fn of(equilibrium: &Equilibrium, origin: u32) -> Ways {
        let flow = equilibrium.flows_from(origin);
        walked(flow.len());
        let links = equilibrium.network().links();
        let mut ins: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut outs: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, link) in links.iter().enumerate().filter(|(at, _)| flow[*at] > 0.0) {
            ins.entry(link.to).or_default().push(at);
            outs.entry(link.from).or_default().push(at);
        }
        let mut waiting: BTreeMap<u32, usize> =
            ins.iter().map(|(junction, ways)| (*junction, ways.len())).collect();
        let (mut ready, mut ordered) = (vec![origin], Vec::with_capacity(ins.len()));
        while let Some(junction) = ready.pop() {
            for at in outs.get(&junction).into_iter().flatten() {
                let to = links[*at].to;
                let left = waiting.get_mut(&to).expect("it is led to");
                *left -= 1;
                if *left == 0 {
                    ordered.extend(ins.remove(&to).map(|ways| (to, ways)));
                    ready.push(to);
                }
            }
        }
        Ways { flow, ins: ordered }
    }

    /// Adds the vehicles that use a link to the flows of all roads.
    fn add(&self, equilibrium: &Equilibrium, link: usize, roads: &mut [f64]) {
        let links = equilibrium.network().links();
        let junctions = equilibrium.network().junctions() as usize;
        walked(2 * links.len());
        let mut put = |at: usize, flow: f64| {
            if let Some(road) = roads.get_mut(at) {
                *road += flow;
            }
        };
        // The part of all who come to a junction that has used the link.
        let mut part = vec![0.0; junctions];
        for (junction, ways) in &self.ins {
            let (mut all, mut used) = (0.0, 0.0);
            for at in ways {
                let own = if *at == link { 1.0 } else { part[links[*at].from as usize] };
                put(*at, self.flow[*at] * own);
                all += self.flow[*at];
                used += self.flow[*at] * own;
            }
            part[*junction as usize] = used / all;
        }
        // Those of its vehicles that come through a junction before it.
        let mut before = vec![0.0; junctions];
        before[links[link].from as usize] = self.flow[link];
        for (junction, ways) in self.ins.iter().rev() {
            let through = before[*junction as usize];
            if through <= 0.0 {
                continue;
            }
            let all: f64 = ways.iter().map(|at| self.flow[*at]).sum();
            for at in ways {
                let own = through * self.flow[*at] / all;
                put(*at, own);
                before[links[*at].from as usize] += own;
            }
        }
    }
}
