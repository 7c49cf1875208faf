//! Vehicles with destinations: who wants where, in groups that may enter the same links.

use std::collections::BTreeSet;

use super::super::definition::Scenario;
use super::super::demand::Flow;
use super::super::outcome::Note;
use super::super::resolve::Resolved;
use super::super::run::ScenarioError;
use super::{Parts, groups};
use crate::traffic::ltm::{self, RouteChoice, Routing, Turning};
use crate::traffic::roads;

/// Seconds between looks for a better way.
const REROUTE_S: f64 = 60.0;

/// Of ways to the same place, one that takes half a minute longer is taken by e times fewer: our
/// choice, until routes are counted.
const THETA_PER_S: f64 = 1.0 / 30.0;

/// The network between the zones, and who travels on it.
pub(super) fn parts(
    scenario: &Scenario,
    resolved: &Resolved<'_>,
    flows: &[Flow],
    step_s: f64,
) -> Result<Parts, ScenarioError> {
    let raised = resolved.raised(scenario.horizon_s);
    let from: BTreeSet<_> = flows.iter().map(|flow| flow.origin).collect();
    let to: BTreeSet<_> = flows.iter().map(|flow| flow.destination).collect();
    let groups = groups::of(scenario, resolved, to.len())?;
    let ends = (&from, &to);
    let (network, gates) = roads::between_zones(&resolved.network, &raised, ends, groups.len())?;
    let mut demand = Vec::new();
    for flow in flows.iter().filter(|flow| flow.from_s < scenario.horizon_s) {
        demand.extend(groups.iter().map(|group| ltm::Demand {
            origin: gates.origins[&flow.origin],
            destination: Some(group.first + gates.destinations[&flow.destination]),
            from_s: flow.from_s,
            until_s: flow.until_s,
            flow_pcu_s: flow.pcu_h * group.share / 3_600.0,
        }));
    }
    // Without anybody to guide there are no destinations, which routes need.
    let routing = if flows.is_empty() {
        Routing::Turning(Turning::default())
    } else {
        let every_s = step_s * (REROUTE_S / step_s).round().max(1.0);
        Routing::Destinations(RouteChoice { every_s, theta_per_s: Some(THETA_PER_S) })
    };
    let notes = if groups.len() > 1 { vec![Note::ClassesByShare] } else { Vec::new() };
    let changes = groups::changes(&groups, resolved);
    Ok(Parts { network, demand, routing, changes, notes })
}
