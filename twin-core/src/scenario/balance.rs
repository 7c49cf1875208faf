//! A scenario by user equilibrium, on the roads as [`assignment`](crate::traffic::roads::assignment)
//! makes them.

use std::ops::ControlFlow;

use super::definition::Scenario;
use super::demand;
use super::fault::{Fault, What};
use super::outcome::{LinkFigures, Note, Totals};
use super::resolve::Resolved;
use super::run::{Figures, Given, Progress, ScenarioError, Stage};
use super::through;
use crate::pace::Pace;
use crate::road::LinkIndex;
use crate::traffic::assign::{self, Ended, Equilibrium, Settings};
use crate::traffic::roads::{Edited, assignment, length_m};

/// The gap at which a balance counts as found.
const TARGET_GAP: f64 = 1e-6;

/// Solves; `watch` hears of every round, and of every half a million links walked over.
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
        let what = What::Needs("trips between zones: here, in the start, or demand.estimate");
        let field = "demand.trips".to_owned();
        return Err(ScenarioError::Faults(vec![Fault { field, edit: None, what }]));
    };
    let edited = edited(resolved);
    let network = assignment(&resolved.network, &edited)?;
    let trips =
        flows.iter().map(|flow| (flow.origin.number(), flow.destination.number(), flow.pcu_h));
    let trips = assign::Demand::new(trips)?;
    let settings = Settings { target_gap: TARGET_GAP, ..Settings::default() };
    // From a gap of 1 to the target, in powers of ten.
    let mut tell = |relative_gap: f64| {
        let done = relative_gap.max(TARGET_GAP).log10() / TARGET_GAP.log10();
        watch(Progress { stage: Stage::Running, done: done.clamp(0.0, 1.0) })
    };
    let mut ask = || tell(1.0);
    let begun = Equilibrium::begun((network, trips), &mut Pace::new(&mut ask));
    let mut equilibrium = begun.continue_value().ok_or(ScenarioError::Cancelled)??;
    let summary = equilibrium.solve(settings, |progress| tell(progress.relative_gap));
    let mut notes = Vec::new();
    match summary.ended {
        Ended::Converged => {}
        Ended::Cancelled => return Err(ScenarioError::Cancelled),
        Ended::OutOfIterations => {
            notes.push(Note::NotConverged { relative_gap: summary.relative_gap });
        }
    }
    let hours = scenario.horizon_s / 3_600.0;
    let totals = Totals {
        demanded_veh: (summary.trips + summary.unserved) * hours,
        entered_veh: summary.trips * hours,
        unserved_veh: summary.unserved * hours,
        left_veh: summary.trips * hours,
        ..Totals::default()
    };
    let links = figures((scenario, resolved, &edited), &equilibrium);
    let mut ask = || tell(TARGET_GAP);
    let through = through::users(resolved, &equilibrium, &mut Pace::new(&mut ask));
    let through = through.continue_value().ok_or(ScenarioError::Cancelled)?;
    let intervals = vec![(0.0, scenario.horizon_s, links)];
    Ok(Figures { intervals, totals, notes, through })
}

/// The roads with their edits; the static model has one time.
fn edited(resolved: &Resolved<'_>) -> Edited {
    let links = resolved.links.iter();
    let now = links.map(|(link, line)| (*link, line.at(resolved.network.link(*link), 0.0)));
    let plans = resolved.signals.iter().map(|(_, junction, plan)| (*junction, plan.clone()));
    Edited {
        links: now.collect(),
        bans: resolved.bans.iter().map(|(_, ban)| *ban).collect(),
        plans: plans.collect(),
    }
}

fn figures(
    (scenario, resolved, edited): (&Scenario, &Resolved<'_>, &Edited),
    equilibrium: &Equilibrium,
) -> Vec<LinkFigures> {
    let hours = scenario.horizon_s / 3_600.0;
    let told = |(link, road): (LinkIndex, &crate::road::Link)| {
        let now = edited.link(link);
        let length_km = length_m(road) / 1_000.0;
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
