//! The road network as an assignment between its zones takes it. Times are seconds, capacities
//! pcu/h. Zone `z` is junction `z`, road link `l` is link `l`. Zones are centroids that nobody
//! drives through; a junction at which some turns are forbidden is taken apart into its ways in and
//! out, so that the ban holds. Turning back onto the road one came from is not looked after: who
//! dodges a ban by turning back one junction further is not kept from it.
//!
//! Delay has the form of the Bureau of Public Roads, `t = t0·(1 + b·(v/c)^p)`, with
//!
//! | class | b | p | where it comes from |
//! |---|---|---|---|
//! | motorway | 0.83 | 5.5 | our choice, after Horowitz (see below), freeways |
//! | trunk | 0.71 | 2.1 | the same, multilane highways |
//! | connector | 0 | 1 | nothing waits on it |
//! | all others | 0.15 | 4 | Traffic Assignment Manual, Bureau of Public Roads 1964 |
//!
//! Horowitz 1991, "Delay-Volume Relations for Travel Forecasting, Based on the 1985 Highway Capacity
//! Manual", FHWA, fits `b` and `p` by facility and design speed; these two were not held against its
//! tables.
//!
//! A signal at the end of a link takes of its capacity what is not green (the movement with the
//! longest green counts), and adds the uniform delay of an empty road, `C·(1 − g/C)²/2` (the first
//! term of Webster 1958, Road Research Technical Paper 39, at no flow).
//!
//! What must not live here: demand, counts, calibration.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::Diagram;
use super::edited::Edited;
use super::signals::green_share;
use super::transmission::{count, length_m};
use crate::road::{self, JunctionIndex, LinkIndex, MovementIndex, RoadClass};
use crate::traffic::assign::{CostFactors, Link, LinkChange, Network, NetworkError};

/// Delay at capacity in free-flow times, and its power, by class.
pub const fn delay(class: RoadClass) -> (f64, f64) {
    match class {
        RoadClass::Motorway => (0.83, 5.5),
        RoadClass::Trunk => (0.71, 2.1),
        RoadClass::Connector => (0.0, 1.0),
        RoadClass::Primary
        | RoadClass::Secondary
        | RoadClass::Tertiary
        | RoadClass::Unclassified
        | RoadClass::Residential
        | RoadClass::LivingStreet
        | RoadClass::MotorwayLink
        | RoadClass::TrunkLink
        | RoadClass::PrimaryLink
        | RoadClass::SecondaryLink
        | RoadClass::TertiaryLink => (0.15, 4.0),
    }
}

/// The assignment's network: the roads with their own numbers, then what joins them to zones and
/// turns. Links that edits close, or leave nothing of, are closed.
///
/// # Errors
/// When there are too many junctions or links together with the zones.
pub fn assignment(network: &road::Network, edited: &Edited) -> Result<Network, NetworkError> {
    let mut nodes = Nodes::new(network, &edited.bans);
    let mut links = Vec::with_capacity(network.links().len());
    for link in network.link_indexes() {
        links.push(curve(network, edited, link, &mut nodes));
    }
    for junction in nodes.apart.clone() {
        for from in network.incoming(junction) {
            for at in network.movement_range(*from) {
                if !edited.bans.contains(&MovementIndex::at(at)) {
                    let to = network.movements()[at].to;
                    links.push(free(nodes.end(network, *from), nodes.begin(network, to)));
                }
            }
        }
    }
    for (zone, centroid) in network.zones().iter().zip(0_u32..) {
        for connector in zone.connectors() {
            let outs = network.outgoing(*connector).iter().map(|link| nodes.begin(network, *link));
            let outs: BTreeSet<u32> = outs.collect();
            let ins = network.incoming(*connector).iter().map(|link| nodes.end(network, *link));
            let ins: BTreeSet<u32> = ins.collect();
            links.extend(outs.into_iter().map(|node| free(centroid, node)));
            links.extend(ins.into_iter().map(|node| free(node, centroid)));
        }
    }
    let zones = count(network.zones().len());
    let factors = CostFactors { toll: 1.0, distance: 0.0 };
    let mut roads = Network::new(nodes.count, zones, links, factors)?;
    for (link, now) in &edited.links {
        if !now.open || now.capacity <= 0.0 {
            roads.change(link.number(), LinkChange::Close)?;
        }
    }
    Ok(roads)
}

/// A link that costs nothing.
const fn free(from: u32, to: u32) -> Link {
    let (capacity, power) = (1.0, 1.0);
    Link { from, to, capacity, length: 0.0, free_flow_time: 0.0, b: 0.0, power, toll: 0.0 }
}

/// A link as it costs.
fn curve(network: &road::Network, edited: &Edited, link: LinkIndex, nodes: &mut Nodes) -> Link {
    let (road, now) = (network.link(link), edited.link(link));
    let diagram = Diagram::of(road).raised(now.capacity);
    let capacity = road.capacity_veh_h() * now.capacity;
    // Slow roads carry less, as in the dynamic model; raised capacity is not cut.
    let slow = diagram.peak_veh_h(diagram.free_speed_kmh * now.speed);
    let capacity = if now.speed < 1.0 { capacity.min(slow) } else { capacity } * now.lanes;
    let (share, signal_s) = held(network, edited, link);
    let (b, power) = delay(road.class());
    Link {
        from: nodes.begin(network, link),
        to: nodes.end(network, link),
        // A link that carries nothing is closed; its curve still has to be one.
        capacity: (capacity * share).max(1e-3),
        length: length_m(road),
        free_flow_time: length_m(road) / (road.free_speed().get() * now.speed) + signal_s,
        b,
        power,
        toll: now.toll_s,
    }
}

/// What the signal at the end of a link leaves of the time, and adds to it in seconds.
fn held(network: &road::Network, edited: &Edited, link: LinkIndex) -> (f64, f64) {
    let Some(plan) = edited.plan(network, network.link(link).to()) else { return (1.0, 0.0) };
    let shares = network.movements_from(link).iter().map(|one| green_share(&plan, *one));
    let Some(green) = shares.reduce(f64::max) else { return (1.0, 0.0) };
    // A light that is always red lets a thousandth through: a link that leads nowhere is closed
    // by its edit, not by its plan.
    (green.max(1e-3), plan.cycle_s() * (1.0 - green).powi(2) / 2.0)
}

/// The nodes of the model: zones, junctions, then the ways in and out of junctions apart.
struct Nodes {
    zones: u32,
    count: u32,
    apart: Vec<JunctionIndex>,
    ends: BTreeMap<LinkIndex, u32>,
    begins: BTreeMap<LinkIndex, u32>,
}

impl Nodes {
    fn new(network: &road::Network, bans: &BTreeSet<MovementIndex>) -> Nodes {
        let zones = count(network.zones().len());
        let mut nodes = Nodes {
            zones,
            count: zones + count(network.junctions().len()),
            apart: network.junction_indexes().filter(|one| is_apart(network, bans, *one)).collect(),
            ends: BTreeMap::new(),
            begins: BTreeMap::new(),
        };
        for junction in nodes.apart.clone() {
            for link in network.incoming(junction) {
                nodes.ends.insert(*link, nodes.count);
                nodes.count += 1;
            }
            for link in network.outgoing(junction) {
                nodes.begins.insert(*link, nodes.count);
                nodes.count += 1;
            }
        }
        nodes
    }

    fn end(&self, network: &road::Network, link: LinkIndex) -> u32 {
        let plain = || self.zones + network.link(link).to().number();
        self.ends.get(&link).copied().unwrap_or_else(plain)
    }

    fn begin(&self, network: &road::Network, link: LinkIndex) -> u32 {
        let plain = || self.zones + network.link(link).from().number();
        self.begins.get(&link).copied().unwrap_or_else(plain)
    }
}

/// Whether some turn at a junction is forbidden that somebody might want: nobody turns back on the
/// cheapest way.
fn is_apart(
    network: &road::Network,
    bans: &BTreeSet<MovementIndex>,
    junction: JunctionIndex,
) -> bool {
    network.incoming(junction).iter().any(|from| {
        network.outgoing(junction).iter().any(|to| {
            let back = network.link(*to).to() == network.link(*from).from();
            let movement = network.find_movement(*from, *to);
            !back && movement.is_none_or(|one| bans.contains(&one))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_never_shrinks_and_connectors_have_none() {
        for class in RoadClass::all() {
            let (b, power) = delay(class);
            assert!(b >= 0.0 && power >= 1.0, "{class:?}");
        }
        assert!(delay(RoadClass::Connector).0.abs() < 1e-12);
    }
}
