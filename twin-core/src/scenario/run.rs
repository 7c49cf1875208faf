//! A scenario from question to outcome.

use std::borrow::Cow;
use std::ops::ControlFlow;

use thiserror::Error;

use super::balance;
use super::definition::{Model, Scenario};
use super::dynamic;
use super::edit::Change;
use super::fault::{Fault, What};
use super::frame::ZONES;
use super::identity::OutcomeId;
use super::journey;
use super::outcome::{
    ByClass, Interval, LinkFigures, LinkUsers, Note, Outcome, OutcomeLink, Totals,
};
use super::places::{Places, mean_speed};
use super::resolve::Resolved;
use crate::pace::{Pace, walked};
use crate::road::Network;
use crate::traffic::roads::length_m;
use crate::traffic::start::{CalibrationSettings, DemandError, Start, StartError};
use crate::traffic::{assign, ltm};

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Trips are estimated.
    Estimating,
    /// The model runs.
    Running,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// At what.
    pub stage: Stage,
    /// How far with it, from 0 to 1; of the static model, by the gap that is left.
    pub done: f64,
}

/// Why there is no outcome.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The scenario does not fit the network, the start or its model; see
    /// [`Scenario::without`] to run what fits.
    #[error("{}", told(.0))]
    Faults(Vec<Fault>),
    /// The start is none of this network.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Whoever watched said stop.
    #[error("the run was cancelled")]
    Cancelled,
    /// No trips can be estimated.
    #[error("no trips can be estimated")]
    Estimate(#[source] DemandError),
    /// The dynamic model refuses the roads.
    #[error("the dynamic model refuses the roads")]
    Roads(#[from] ltm::NetworkError),
    /// The dynamic model refuses its inputs.
    #[error("the dynamic model refuses its inputs")]
    Plan(#[from] ltm::PlanError),
    /// The dynamic model refuses how the roads are at the start.
    #[error("the dynamic model refuses the start")]
    Beginning(#[from] ltm::StartError),
    /// The static model refuses the roads.
    #[error("the static model refuses the roads")]
    Curves(#[from] assign::NetworkError),
    /// The static model refuses the trips.
    #[error("the static model refuses the trips")]
    Trips(#[from] assign::DemandError),
    /// The static model does not know a junction of the trips.
    #[error("the static model refuses the trips")]
    Junction(#[from] assign::UnknownJunction),
}

fn told(faults: &[Fault]) -> String {
    let more = faults.len().saturating_sub(1);
    let first =
        faults.first().map_or_else(|| "the scenario does not fit".to_owned(), ToString::to_string);
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}

/// What a model works on.
pub(super) struct Given<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) resolved: &'a Resolved<'a>,
    /// On the network with new links.
    pub(super) start: &'a Start,
}

/// What a model tells: begin, end and figures by link of each interval; totals but distance, time
/// and delay on the roads.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) intervals: Vec<(f64, f64, Vec<LinkFigures>)>,
    pub(super) totals: Totals,
    pub(super) notes: Vec<Note>,
    pub(super) through: Vec<LinkUsers>,
}

impl Scenario {
    /// Everything in this scenario that does not fit a network or its own model, in the order of
    /// the edits; each names its field and what is allowed. Some of what an edit needs shows only
    /// with the start: [`run`] tells that.
    pub fn check(&self, network: &Network) -> Vec<Fault> {
        self.resolve(network).1
    }

    /// The same without the edits that faults are about. Faults that are about no edit stay.
    #[must_use]
    pub fn without(&self, faults: &[Fault]) -> Scenario {
        let mut scenario = self.clone();
        let mut row = 0;
        scenario.edits.retain(|_| {
            row += 1;
            faults.iter().all(|fault| fault.edit != Some(row - 1))
        });
        scenario
    }

    /// Edits that would make people choose other ways, by their places.
    pub(super) fn rerouting_edits(&self) -> Vec<usize> {
        let edits = self.edits.iter().enumerate();
        let local = edits.filter(|(_, edit)| match &edit.change {
            Change::DemandChange(_) | Change::SignalTimes(_) => false,
            Change::Close(_)
            | Change::LaneCount(_)
            | Change::Capacity(_)
            | Change::SpeedLimit(_)
            | Change::Incident(_)
            | Change::MovementBan(_)
            | Change::ClassBan(_)
            | Change::Flood(_)
            | Change::NewLink(_)
            | Change::Toll(_) => true,
        });
        local.map(|(row, _)| row).collect()
    }
}

/// Runs a scenario on a network from a start, whose trips it estimates first where it is asked to
/// (a caller who asks again estimates them once, by
/// [`Start::with_estimated_demand`], and hands in that start: the outcome is the same to the bit).
/// `watch` is first asked once the scenario is known to fit; then at least every twenty steps of the
/// dynamic model (every one, with trips), every round of the static one, and wherever half a million
/// links were walked over since. It ends the run by breaking. The same input gives the same bytes.
///
/// Cost: dynamic, one step of the model for each 4 s of the horizon; static, some rounds of
/// [`assign::Equilibrium::solve`].
///
/// # Errors
/// When something does not fit, or the run was cancelled.
pub fn run(
    network: &Network,
    start: &Start,
    scenario: &Scenario,
    mut watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Outcome, ScenarioError> {
    start.check(network)?;
    let (resolved, faults) = scenario.resolve(network);
    if !faults.is_empty() {
        return Err(ScenarioError::Faults(faults));
    }
    let estimating =
        scenario.demand.estimate && scenario.demand.trips.is_empty() && start.demand.is_none();
    let stage = if estimating { Stage::Estimating } else { Stage::Running };
    if watch(Progress { stage, done: 0.0 }).is_break() {
        return Err(ScenarioError::Cancelled);
    }
    let id = OutcomeId::of(network, start, scenario);
    let quality = start.quality(network);
    let mut start = Cow::Borrowed(start);
    if estimating {
        let settings = CalibrationSettings::default();
        let found = start.with_estimated_demand(network, settings, |done| {
            watch(Progress { stage: Stage::Estimating, done })
        });
        start = Cow::Owned(found.map_err(unestimated)?.0);
    }
    if let Cow::Owned(with_new_links) = &resolved.network {
        start = Cow::Owned(start.moved(network, with_new_links));
    }
    let given = Given { scenario, resolved: &resolved, start: &start };
    let figures = match scenario.model {
        Model::Dynamic => dynamic::run(&given, &mut watch)?,
        Model::Static => balance::run(&given, &mut watch)?,
    };
    let mut ask = || watch(Progress { stage: Stage::Running, done: 1.0 });
    let outcome = outcome(&given, (id, quality), figures, &mut Pace::new(&mut ask));
    outcome.continue_value().ok_or(ScenarioError::Cancelled)
}

/// What is missing for an estimation is a fault of asking for it.
fn unestimated(error: DemandError) -> ScenarioError {
    let what = match error {
        DemandError::Zones(_) => ZONES,
        DemandError::NoCounts => "measured flows: no link of the start has live sensors",
        DemandError::NoWays => "zones that can be reached from each other",
        DemandError::Cancelled => return ScenarioError::Cancelled,
        DemandError::Roads(_)
        | DemandError::Gravity(_)
        | DemandError::Trips(_)
        | DemandError::Junction(_) => return ScenarioError::Estimate(error),
    };
    let field = "demand.estimate".to_owned();
    ScenarioError::Faults(vec![Fault { field, edit: None, what: What::Needs(what) }])
}

/// Figures as an outcome; breaks off where whoever watches says stop.
fn outcome(
    given: &Given<'_>,
    (id, quality): (OutcomeId, f64),
    figures: Figures,
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Outcome> {
    pace.ask()?;
    let Given { scenario, start, resolved } = given;
    let network: &Network = &resolved.network;
    let places = Places::new(network, pace)?;
    let rows = network.links().iter().zip(&start.links);
    let links: Vec<OutcomeLink> = rows
        .map(|(link, start)| OutcomeLink {
            key: link.key().clone(),
            length_km: length_m(link) / 1_000.0,
            source: start.source,
            quality: start.quality,
        })
        .collect();
    let Figures { intervals, mut totals, mut notes, through } = figures;
    let mut told = Vec::with_capacity(intervals.len());
    for (from_s, until_s, rows) in intervals {
        let hours = (until_s - from_s) / 3_600.0;
        walked(rows.len());
        pace.worked(rows.len() + places.len())?;
        for (row, link) in rows.iter().zip(&links) {
            let time = row.density_veh_km * link.length_km * hours;
            totals.vehicle_h += time;
            totals.vehicle_km += time * row.speed_kmh;
            totals.delay_veh_h += row.delay_veh_h;
        }
        let (cells, zones) = places.sum(&links, &rows, hours);
        told.push(Interval { from_s, until_s, links: rows, cells, zones });
    }
    totals.speed_kmh = mean_speed(totals.vehicle_km, totals.vehicle_h);
    totals.by_class = ByClass::of(&scenario.vehicles, totals.vehicle_km, totals.vehicle_h);
    if scenario.vehicles.is_mixed() {
        notes.push(Note::ClassesShareSpeed);
    }
    if totals.unserved_veh > 1e-6 {
        notes.push(Note::Unserved { vehicles: totals.unserved_veh });
    }
    let journeys = journey::times(resolved, &links, &told, pace)?;
    let own_trips = !scenario.demand.trips.is_empty();
    let demand = start.demand.as_ref().filter(|_| !own_trips);
    ControlFlow::Continue(Outcome {
        id,
        model: scenario.model,
        base: scenario.base,
        horizon_s: scenario.horizon_s,
        quality,
        demand_fit: demand.and_then(|demand| demand.fit),
        links,
        cells: places.cells,
        zones: network.zones().iter().map(|zone| zone.key().clone()).collect(),
        intervals: told,
        totals,
        journeys,
        through,
        notes,
    })
}
