//! A network taken apart again: what merging changes and what reading stored tables checks.

use super::draft::{
    Draft, DraftJunction, DraftLink, DraftPhase, DraftPoint, DraftSignal, DraftTurn, DraftZone,
};
use super::key::{JunctionIndex, LinkIndex};
use super::link::{Junction, Link, Zone};
use super::network::{Network, Tables};
use super::signal::SignalPlan;
use crate::position::Position;

impl Network {
    /// The draft that builds this network.
    ///
    /// # Panics
    /// Never: the tables of a network refer to themselves only.
    pub fn to_draft(&self) -> Draft {
        redraft(self.tables()).expect("a network refers to its own junctions and links")
    }
}

/// The draft of tables; `None` where they refer to what they do not have.
pub(super) fn redraft(tables: &Tables) -> Option<Draft> {
    let plan = |(junction, plan): (&JunctionIndex, &SignalPlan)| signal(tables, *junction, plan);
    let turn = |turn: &super::Turn| {
        let (from, to) = (link_key(tables, turn.from)?, link_key(tables, turn.to)?);
        Some(DraftTurn { from, to, rule: turn.rule })
    };
    Some(Draft {
        junctions: tables.junctions.iter().map(junction).collect(),
        links: tables.links.iter().map(|one| link(tables, one)).collect::<Option<_>>()?,
        turns: tables.turns.iter().map(turn).collect::<Option<_>>()?,
        zones: tables.zones.iter().map(|one| zone(tables, one)).collect::<Option<_>>()?,
        signals: tables.plans.iter().map(plan).collect::<Option<_>>()?,
    })
}

fn point(position: Position) -> DraftPoint {
    (position.latitude_deg(), position.longitude_deg())
}

fn points(line: &[Position]) -> Vec<DraftPoint> {
    line.iter().map(|position| point(*position)).collect()
}

fn junction_key(tables: &Tables, index: JunctionIndex) -> Option<String> {
    tables.junctions.get(index.slot()).map(|junction| junction.key.as_str().to_owned())
}

fn link_key(tables: &Tables, index: LinkIndex) -> Option<String> {
    tables.links.get(index.slot()).map(|link| link.key.as_str().to_owned())
}

fn junction(junction: &Junction) -> DraftJunction {
    DraftJunction {
        key: junction.key.as_str().to_owned(),
        point: point(junction.position),
        control: junction.control,
        passable: junction.passable,
    }
}

fn link(tables: &Tables, link: &Link) -> Option<DraftLink> {
    Some(DraftLink {
        key: link.key.as_str().to_owned(),
        from: junction_key(tables, link.from)?,
        to: junction_key(tables, link.to)?,
        class: link.class,
        name: link.name.clone(),
        length_m: Some(link.length.get()),
        lanes: Some(i64::from(link.lanes.get())),
        free_speed_mps: Some(link.free_speed.get()),
        capacity_veh_h_lane: Some(link.capacity_per_lane.get()),
        jam_density_veh_km_lane: Some(link.jam_density_per_lane.get()),
        geometry: points(&link.geometry),
        originals: link.originals.iter().map(|key| key.as_str().to_owned()).collect(),
    })
}

fn zone(tables: &Tables, zone: &Zone) -> Option<DraftZone> {
    let connector = |index: &JunctionIndex| junction_key(tables, *index);
    Some(DraftZone {
        key: zone.key.as_str().to_owned(),
        name: zone.name.clone(),
        point: Some(point(zone.position)),
        ring: points(&zone.ring),
        connectors: zone.connectors.iter().map(connector).collect::<Option<_>>()?,
    })
}

fn signal(tables: &Tables, junction: JunctionIndex, plan: &SignalPlan) -> Option<DraftSignal> {
    let mut phases = Vec::with_capacity(plan.phases().len());
    for phase in plan.phases() {
        let mut releases = Vec::with_capacity(phase.releases.len());
        for release in &phase.releases {
            let to = match release.to {
                None => None,
                Some(to) => Some(link_key(tables, to)?),
            };
            releases.push((link_key(tables, release.from)?, to));
        }
        let (green_s, clearance_s) = (phase.green_s, phase.clearance_s);
        phases.push(DraftPhase { ring: phase.ring, green_s, clearance_s, releases });
    }
    Some(DraftSignal {
        junction: junction_key(tables, junction)?,
        cycle_s: plan.cycle_s(),
        offset_s: plan.offset_s(),
        phases,
    })
}
