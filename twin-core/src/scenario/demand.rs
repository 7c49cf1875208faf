//! Who travels when: trips between zones with all changes of demand, as constant flows in time.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::Scenario;
use super::resolve::{DemandStep, Resolved, Step};
use crate::road::ZoneIndex;
use crate::traffic::start::Start;

/// A constant flow between two zones for a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) origin: ZoneIndex,
    pub(super) destination: ZoneIndex,
    pub(super) from_s: f64,
    pub(super) until_s: f64,
    pub(super) pcu_h: f64,
}

/// All flows, by zones and time; `None` where no trips between zones are known. Trips within a
/// zone, and between zones that share their only connector, use no road and are left out.
pub(super) fn flows(
    scenario: &Scenario,
    resolved: &Resolved<'_>,
    start: &Start,
) -> Option<Vec<Flow>> {
    let mut rows: BTreeMap<(ZoneIndex, ZoneIndex), f64> = BTreeMap::new();
    if resolved.trips.is_empty() {
        for row in &start.demand.as_ref()?.flows {
            *rows.entry((row.origin, row.destination)).or_default() += row.flow_veh_h;
        }
    } else {
        for trip in &resolved.trips {
            *rows.entry((trip.origin, trip.destination)).or_default() += trip.flow_pcu_h;
        }
    }
    for step in &resolved.demand {
        if let (Step::AddPcuH(_), Some(origin), Some(destination)) =
            (step.what, step.origin, step.destination)
        {
            rows.entry((origin, destination)).or_default();
        }
    }
    let connectors = |zone: ZoneIndex| resolved.network.zone(zone).connectors();
    rows.retain(|(origin, destination), _| {
        let (from, to) = (connectors(*origin), connectors(*destination));
        origin != destination && !(from.len() == 1 && from == to)
    });
    let mut flows = Vec::with_capacity(rows.len());
    for ((origin, destination), base) in rows {
        let steps = |step: &&DemandStep| {
            step.origin.is_none_or(|only| only == origin)
                && step.destination.is_none_or(|only| only == destination)
        };
        let steps: Vec<&DemandStep> = resolved.demand.iter().filter(steps).collect();
        for (from_s, until_s, pcu_h) in pieces(base * scenario.demand.factor, &steps) {
            flows.push(Flow { origin, destination, from_s, until_s, pcu_h });
        }
    }
    Some(flows)
}

/// A constant flow under changes, as pieces of time with equal neighbours joined.
pub(super) fn pieces(base: f64, steps: &[&DemandStep]) -> Vec<(f64, f64, f64)> {
    let cuts: BTreeSet<u64> =
        steps.iter().flat_map(|s| [s.times.0, s.times.1]).map(f64::to_bits).collect();
    // Times are 0 or more, so their bits are in their order.
    let mut cuts: Vec<f64> = cuts.into_iter().map(f64::from_bits).collect();
    cuts.insert(0, 0.0);
    cuts.push(f64::INFINITY);
    let mut pieces: Vec<(f64, f64, f64)> = Vec::new();
    for cut in cuts.windows(2).filter(|cut| cut[0] < cut[1]) {
        let holding = steps.iter().filter(|s| s.times.0 <= cut[0] && cut[1] <= s.times.1);
        let flow = holding.fold(base, |flow, step| match step.what {
            Step::Factor(factor) => flow * factor,
            Step::AddPcuH(more) => flow + more,
        });
        match pieces.last_mut() {
            Some(last) if last.2.to_bits() == flow.to_bits() => last.1 = cut[1],
            Some(_) | None => pieces.push((cut[0], cut[1], flow)),
        }
    }
    pieces
}
