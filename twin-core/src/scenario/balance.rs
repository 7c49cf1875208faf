//! A scenario by user equilibrium. Zones are centroids that nobody drives through; a junction at
//! which some turns are forbidden is taken apart into its ways in and out, so that the ban holds.
//!
//! Delay is that of the Bureau of Public Roads, `t = t0·(1 + b·(v/c)^p)`, with
//!
//! | class | b | p | source |
//! |---|---|---|---|
//! | motorway | 0.83 | 5.5 | Horowitz 1991, freeways of 60 mph (NCHRP report 365, chapter 9) |
//! | trunk | 0.71 | 2.1 | the same, multilane highways of 50 mph |
//! | connector | 0 | 1 | nothing waits on it |
//! | all others | 0.15 | 4 | Traffic Assignment Manual, Bureau of Public Roads 1964 |
//!
//! A signal at the end of a link takes of its capacity what is not green (the movement with the
//! longest green counts), and adds the uniform delay of an empty road, `C·(1 − g/C)²/2` (Webster
//! 1958, Road Research Technical Paper 39, at no flow).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::definition::Scenario;
use super::demand;
use super::dynamic;
use super::fault::{Fault, What};
use super::outcome::{LinkFigures, Note, Totals};
use super::resolve::Resolved;
use super::run::{Figures, Given, Progress, ScenarioError};
use super::signals::green_share;
use super::timeline::Now;
use crate::road::{JunctionIndex, LinkIndex, MovementIndex, Network, RoadClass, SignalPlan};
use crate::traffic::assign::{self, CostFactors, Ended, Equilibrium, LinkChange, Settings};

/// The gap at which a balance counts as found.
const TARGET_GAP: f64 = 1e-6;

/// Delay at capacity in free-flow times, and its power, by class.
pub(super) const fn delay(class: RoadClass) -> (f64, f64) {
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

/// Solves; `watch` hears of every round.
pub(super) fn run(
    given: &Given<'_>,
    mut watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Figures, ScenarioError> {
    let Given { scenario, resolved, start, .. } = given;
    if let Some(ban) = resolved.class_bans.first() {
        let what = What::Needs("the dynamic model: the static one has one class");
        let field = format!("edits[{}].ban_classes", ban.edit);
        return Err(ScenarioError::Faults(vec![Fault { field, edit: Some(ban.edit), what }]));
    }
    let Some(flows) = demand::flows(scenario, resolved, start) else {
        let what = What::Needs("trips between zones, here or in the start");
        let field = "demand.trips".to_owned();
        return Err(ScenarioError::Faults(vec![Fault { field, edit: None, what }]));
    };
    let network = roads(resolved)?;
    let trips =
        flows.iter().map(|flow| (flow.origin.number(), flow.destination.number(), flow.pcu_h));
    let mut equilibrium = Equilibrium::new(network, assign::Demand::new(trips)?)?;
    let settings = Settings { target_gap: TARGET_GAP, ..Settings::default() };
    let summary = equilibrium.solve(settings, |progress| {
        // From a gap of 1 to the target, in powers of ten.
        let done = progress.relative_gap.max(TARGET_GAP).log10() / TARGET_GAP.log10();
        watch(Progress { done: done.clamp(0.0, 1.0) })
    });
    let mut notes = Vec::new();
    match summary.ended {
        Ended::Converged => {}
        Ended::Cancelled => return Err(ScenarioError::Cancelled),
        Ended::OutOfIterations => {
            notes.push(Note::NotConverged { relative_gap: summary.relative_gap });
        }
    }
    let links = figures(scenario, resolved, &equilibrium);
    let hours = scenario.horizon_s / 3_600.0;
    let totals = Totals {
        demanded_veh: (summary.trips + summary.unserved) * hours,
        entered_veh: summary.trips * hours,
        unserved_veh: summary.unserved * hours,
        left_veh: summary.trips * hours,
        ..Totals::default()
    };
    let intervals = vec![(0.0, scenario.horizon_s, links)];
    Ok(Figures { intervals, totals, notes })
}

fn figures(
    scenario: &Scenario,
    resolved: &Resolved<'_>,
    equilibrium: &Equilibrium,
) -> Vec<LinkFigures> {
    let hours = scenario.horizon_s / 3_600.0;
    let told = |(link, road): (LinkIndex, &crate::road::Link)| {
        let now = now(resolved, link);
        let length_km = dynamic::link(road).length_m / 1_000.0;
        let free_kmh = road.free_speed().kmh() * now.speed;
        let flow = equilibrium.flows()[link.slot()];
        if flow <= 0.0 {
            return LinkFigures { speed_kmh: free_kmh, ..LinkFigures::default() };
        }
        let time_h = (equilibrium.costs()[link.slot()] - now.toll_s) / 3_600.0;
        LinkFigures {
            entered_veh_h: flow,
            flow_veh_h: flow,
            speed_kmh: length_km / time_h,
            density_veh_km: flow * time_h / length_km,
            queue_veh: 0.0,
            delay_veh_h: flow * (time_h - length_km / free_kmh).max(0.0) * hours,
        }
    };
    let network = &resolved.network;
    network.link_indexes().zip(network.links()).map(told).collect()
}

/// A link with its edits; the static model has one time.
fn now(resolved: &Resolved<'_>, link: LinkIndex) -> Now {
    let timeline = resolved.links.get(&link);
    timeline.map_or(Now::BASE, |line| line.at(resolved.network.link(link), 0.0))
}

/// The network: the roads with their own numbers, then what joins them to zones and turns.
fn roads(resolved: &Resolved<'_>) -> Result<assign::Network, ScenarioError> {
    let network: &Network = &resolved.network;
    let bans: BTreeSet<MovementIndex> = resolved.bans.iter().map(|(_, ban)| *ban).collect();
    let mut nodes = Nodes::new(network, &bans);
    let mut links = Vec::with_capacity(network.links().len());
    let mut closed = Vec::new();
    for link in network.link_indexes() {
        let now = now(resolved, link);
        if !now.open || now.capacity <= 0.0 {
            closed.push(link.number());
        }
        links.push(curve(resolved, link, now, &mut nodes));
    }
    let free = |from: u32, to: u32| assign::Link {
        from,
        to,
        capacity: 1.0,
        length: 0.0,
        free_flow_time: 0.0,
        b: 0.0,
        power: 1.0,
        toll: 0.0,
    };
    for junction in nodes.apart.clone() {
        for from in network.incoming(junction) {
            for at in network.movement_range(*from) {
                if !bans.contains(&MovementIndex::at(at)) {
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
    let zones = dynamic::count(network.zones().len());
    let factors = CostFactors { toll: 1.0, distance: 0.0 };
    let mut roads = assign::Network::new(nodes.count, zones, links, factors)?;
    for link in closed {
        roads.change(link, LinkChange::Close)?;
    }
    Ok(roads)
}

/// A link as it costs: times in seconds, flows in pcu/h.
fn curve(resolved: &Resolved<'_>, link: LinkIndex, now: Now, nodes: &mut Nodes) -> assign::Link {
    let network: &Network = &resolved.network;
    let road = network.link(link);
    let given = dynamic::link(road);
    let (u, w) = (given.free_speed_mps * now.speed, given.wave_speed_mps);
    let peak = given.jam_density_pcu_m * u * w / (u + w);
    // Slow roads carry less, as in the dynamic model; raised capacity is not cut.
    let slow = now.speed < 1.0;
    let capacity = road.capacity_veh_h() * now.capacity;
    let capacity = if slow { capacity.min(peak * 3_600.0) } else { capacity } * now.lanes;
    let (share, signal_s) = held(resolved, link);
    let (b, power) = delay(road.class());
    assign::Link {
        from: nodes.begin(network, link),
        to: nodes.end(network, link),
        // A link that carries nothing is closed; its curve still has to be one.
        capacity: (capacity * share).max(1e-3),
        length: given.length_m,
        free_flow_time: given.length_m / u + signal_s,
        b,
        power,
        toll: now.toll_s,
    }
}

/// What the signal at the end of a link leaves of the time, and adds to it in seconds.
fn held(resolved: &Resolved<'_>, link: LinkIndex) -> (f64, f64) {
    let network: &Network = &resolved.network;
    let junction = network.link(link).to();
    let edited = resolved.signals.iter().rev().find(|(_, other, _)| *other == junction);
    let own = match edited {
        Some((.., plan)) => Some(plan.clone()),
        None if network.junction(junction).control() == crate::road::Control::Signal => {
            network.signal_plan(junction)
        }
        None => None,
    };
    let Some(plan) = own else { return (1.0, 0.0) };
    let share = |plan: &SignalPlan| {
        let shares = network.movements_from(link).iter().map(|one| green_share(plan, *one));
        shares.fold(None, |most: Option<f64>, share| Some(most.map_or(share, |m| m.max(share))))
    };
    let Some(green) = share(&plan) else { return (1.0, 0.0) };
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
    fn new(network: &Network, bans: &BTreeSet<MovementIndex>) -> Nodes {
        let zones = dynamic::count(network.zones().len());
        let mut nodes = Nodes {
            zones,
            count: zones + dynamic::count(network.junctions().len()),
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

    fn end(&self, network: &Network, link: LinkIndex) -> u32 {
        let plain = || self.zones + network.link(link).to().number();
        self.ends.get(&link).copied().unwrap_or_else(plain)
    }

    fn begin(&self, network: &Network, link: LinkIndex) -> u32 {
        let plain = || self.zones + network.link(link).from().number();
        self.begins.get(&link).copied().unwrap_or_else(plain)
    }
}

/// Whether some turn at a junction is forbidden that somebody might want: nobody turns back on the
/// cheapest way.
fn is_apart(network: &Network, bans: &BTreeSet<MovementIndex>, junction: JunctionIndex) -> bool {
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
