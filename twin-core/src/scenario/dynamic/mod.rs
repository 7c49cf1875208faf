//! A scenario by the link transmission model. With trips between zones vehicles look for their
//! way anew every minute (`trips.rs`); without, they turn as at the start (`turning.rs`).
//!
//! Signals cannot change within a plan of the model: the run is cut where one does, and the next
//! stretch adopts the state of the last.

mod groups;
mod trips;
mod turning;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::demand;
use super::edit::{self, Edit};
use super::fault::{Fault, What};
use super::outcome::{LinkFigures, Note, Totals};
use super::resolve::{DemandStep, Resolved, Step};
use super::run::{Figures, Given, Progress, ScenarioError, Stage};
use crate::pace::Pace;
use crate::road::{JunctionIndex, LinkIndex, Network, SignalPlan};
use crate::traffic::ltm::{
    self, Change, Effect, Entrance, Exit, Plan, PlanError, PlanInputs, Routing, State, Turning,
};
use crate::traffic::roads;

/// The longest step, seconds.
const STEP_S: f64 = 4.0;

/// Whoever watches is asked after so many steps at the latest, and before so many links have taken
/// one (0.1 µs each); after every step where vehicles have destinations: such a step is as long as
/// twenty others (30 ms on 10,000 links, 100 zones).
const UNASKED: (f64, f64) = (20.0, 200_000.0);

/// Everything of a plan but its signals.
struct Model {
    network: Arc<ltm::Network>,
    inputs: PlanInputs,
    notes: Vec<Note>,
}

/// Runs; `watch` is asked every few steps, and within them where they are long.
pub(super) fn run(
    given: &Given<'_>,
    mut watch: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Figures, ScenarioError> {
    let Given { scenario, resolved, start } = given;
    let mut asked = |time_s: f64| {
        let done = (time_s / scenario.horizon_s).min(1.0);
        match watch(Progress { stage: Stage::Running, done }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ScenarioError::Cancelled),
        }
    };
    asked(0.0)?;
    let Model { network, inputs, notes } = model(given)?;
    let steps = match inputs.routing {
        Routing::Turning(_) => {
            (UNASKED.1 / network.links().len() as f64).floor().clamp(1.0, UNASKED.0)
        }
        Routing::Destinations(_) => 1.0,
    };
    asked(0.0)?;
    let mut stretches = stretches(given, &network, &inputs, || asked(0.0))?.into_iter();
    let (mut until_s, mut plan) = stretches.next().expect("a horizon has a stretch");
    let starts = start.link_starts(network.links());
    let state = paced(&mut asked, 0.0, |pace| State::begun(&plan, &starts, pace))?;
    let mut state = state?;
    let mut figures = Figures { notes, ..Figures::default() };
    let roads = resolved.network.links().len();
    loop {
        // In pieces, so that a watcher waits for no interval: the steps are the same.
        let from_s = state.time_s(&plan);
        let piece_s = (from_s + steps * plan.step_s()).min(until_s);
        let each = |interval: &ltm::Interval| {
            let hours = (interval.until_s - interval.from_s) / 3_600.0;
            let links = interval.links[..roads].iter().map(|link| told(link, hours));
            figures.intervals.push((interval.from_s, interval.until_s, links.collect()));
        };
        let run = |pace: &mut Pace<'_>| ltm::watched(&plan, state, piece_s, pace, each);
        state = paced(&mut asked, from_s, run)?;
        asked(piece_s)?;
        if piece_s < until_s {
            continue;
        }
        let Some((next_s, next)) = stretches.next() else { break };
        state = state.adopted(&plan, &next)?;
        (until_s, plan) = (next_s, next);
    }
    let totals = state.totals();
    figures.totals = Totals {
        initial_veh: totals.initial_pcu,
        demanded_veh: totals.demanded_pcu,
        entered_veh: totals.entered_pcu,
        unserved_veh: totals.waiting_pcu,
        left_veh: totals.left_pcu,
        present_veh: totals.present_pcu,
        waited_veh_h: totals.waited_pcu_s / 3_600.0,
        ..Totals::default()
    };
    Ok(figures)
}

/// Does some of the work at a time of the run, and asks meanwhile.
fn paced<T>(
    asked: &mut impl FnMut(f64) -> Result<(), ScenarioError>,
    time_s: f64,
    work: impl FnOnce(&mut Pace<'_>) -> ControlFlow<(), T>,
) -> Result<T, ScenarioError> {
    let mut ask = || match asked(time_s) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_cancelled) => ControlFlow::Break(()),
    };
    work(&mut Pace::new(&mut ask)).continue_value().ok_or(ScenarioError::Cancelled)
}

fn told(link: &ltm::LinkFigures, hours: f64) -> LinkFigures {
    LinkFigures {
        entered_veh_h: link.inflow_pcu / hours,
        flow_veh_h: link.outflow_pcu / hours,
        speed_kmh: link.speed_mps * 3.6,
        density_veh_km: link.density_pcu_m * 1_000.0,
        queue_veh: link.queue_pcu,
        delay_veh_h: link.delay_pcu_s / 3_600.0,
    }
}

/// The network and all inputs but signals.
fn model(given: &Given<'_>) -> Result<Model, ScenarioError> {
    let Given { scenario, resolved, start, .. } = given;
    let flows = demand::flows(scenario, resolved, start);
    let step_s = scenario.interval_s / (scenario.interval_s / STEP_S).ceil();
    let parts = match flows {
        Some(flows) => trips::parts(scenario, resolved, &flows, step_s)?,
        None => by_turning(given)?,
    };
    let Parts { network, demand, routing, changes: others, notes } = parts;
    let network = Arc::new(network);
    let mut changes = changes(resolved, &network, scenario.horizon_s);
    changes.extend(others);
    let inputs = PlanInputs {
        step_s,
        interval_s: scenario.interval_s,
        demand,
        routing,
        limits: Vec::new(),
        signals: Vec::new(),
        changes,
    };
    Ok(Model { network, inputs, notes })
}

/// What hangs on how vehicles find their way.
struct Parts {
    network: ltm::Network,
    demand: Vec<ltm::Demand>,
    routing: Routing,
    /// Edits of who may go where.
    changes: Vec<Change>,
    notes: Vec<Note>,
}

/// Vehicles that turn as they did.
fn by_turning(given: &Given<'_>) -> Result<Parts, ScenarioError> {
    let Given { scenario, resolved, start } = given;
    let network: &Network = &resolved.network;
    for step in &resolved.demand {
        if step.destination.is_some() || matches!(step.what, Step::AddPcuH(_)) {
            let what = "trips between zones: no destinations are known";
            return Err(unfit(step.edit, "demand", what));
        }
    }
    let is_toll = |edit: &Edit| matches!(edit.change, edit::Change::Toll(_));
    if let Some(toll) = scenario.edits.iter().position(is_toll) {
        let what =
            "trips between zones: who turns by shares chooses no way that a toll could change";
        return Err(unfit(toll, "toll", what));
    }
    let ready = start.transmission(network, &resolved.raised(scenario.horizon_s))?;
    let roads = ready.network;
    let mut demand = Vec::new();
    for row in ready.demand {
        let junction = JunctionIndex::new(roads.origins()[row.origin as usize].junction);
        let here = |step: &&DemandStep| {
            let zone = step.origin.map(|zone| network.zone(zone));
            zone.is_none_or(|zone| zone.connectors().contains(&junction))
        };
        let steps: Vec<_> = resolved.demand.iter().filter(here).collect();
        let pieces = demand::pieces(row.flow_pcu_s * scenario.demand.factor, &steps);
        demand.extend(pieces.into_iter().map(|(from_s, until_s, flow_pcu_s)| ltm::Demand {
            from_s,
            until_s,
            flow_pcu_s,
            ..row
        }));
    }
    demand.retain(|row| row.from_s < scenario.horizon_s);
    let pieces = turning::banned(given, &roads, ready.turning.pieces);
    let mut notes = vec![Note::TurningOnly { edits: scenario.rerouting_edits() }];
    if !resolved.class_bans.is_empty() {
        notes.push(Note::ClassesByShare);
    }
    let routing = Routing::Turning(Turning { pieces });
    Ok(Parts { network: roads, demand, routing, changes: Vec::new(), notes })
}

fn unfit(edit: usize, kind: &str, what: &'static str) -> ScenarioError {
    let field = format!("edits[{edit}].{kind}");
    ScenarioError::Faults(vec![Fault { field, edit: Some(edit), what: What::Needs(what) }])
}

/// What the model cannot take is a fault of the scenario, where one can say of what.
fn unplanned(error: PlanError, model: &ltm::Network) -> ScenarioError {
    let (field, what) = match error {
        PlanError::Destinations(most) => {
            ("demand", What::Destinations { given: model.destinations().len(), most })
        }
        PlanError::TooWide(most) => ("model", What::WaysOut { most }),
        PlanError::Time(_)
        | PlanError::Demand(_)
        | PlanError::Turning(_)
        | PlanError::Change(_)
        | PlanError::Signal(_)
        | PlanError::Limit(_)
        | PlanError::OtherPlan => return ScenarioError::Plan(error),
    };
    ScenarioError::Faults(vec![Fault { field: field.to_owned(), edit: None, what }])
}

/// The edits of links and movements that hold before the horizon.
fn changes(resolved: &Resolved<'_>, roads: &ltm::Network, horizon_s: f64) -> Vec<Change> {
    let mut changes = Vec::new();
    for (link, timeline) in &resolved.links {
        let number = link.number();
        let pieces = timeline.pieces(resolved.network.link(*link));
        for piece in pieces.iter().filter(|piece| piece.from_s < horizon_s) {
            let mut put = |effect| {
                changes.push(Change { from_s: piece.from_s, until_s: piece.until_s, effect });
            };
            let differs = |part: f64| part.to_bits() != 1.0_f64.to_bits();
            if !piece.now.open {
                put(Effect::Close { link: number });
            }
            if differs(piece.now.lanes) {
                put(Effect::Lanes { link: number, factor: piece.now.lanes });
            }
            if differs(piece.now.capacity) {
                put(Effect::Capacity { link: number, factor: piece.now.capacity });
            }
            if differs(piece.now.speed) {
                put(Effect::Speed { link: number, factor: piece.now.speed });
            }
            if piece.now.toll_s > 0.0 {
                put(Effect::Toll { link: number, worth_s: piece.now.toll_s });
            }
        }
    }
    for ((from_s, until_s), ban) in &resolved.bans {
        let movement = resolved.network.movements()[ban.slot()];
        let (from, to) = (Entrance::Link(movement.from.number()), Exit::Link(movement.to.number()));
        let movement = roads.movement(from, to).expect("the same movements");
        let (from_s, until_s) = (*from_s, *until_s);
        changes.push(Change { from_s, until_s, effect: Effect::Ban { movement } });
    }
    changes.retain(|change| change.from_s < horizon_s);
    changes
}

/// Plans in order of time, each with its end: a new one where the signals, or links that lead to
/// one, change.
fn stretches(
    given: &Given<'_>,
    model: &Arc<ltm::Network>,
    inputs: &PlanInputs,
    mut asked: impl FnMut() -> Result<(), ScenarioError>,
) -> Result<Vec<(f64, Plan)>, ScenarioError> {
    let Given { scenario, resolved, .. } = given;
    let network: &Network = &resolved.network;
    let base = roads::plans(network);
    let held = |junction: &JunctionIndex| {
        base.contains_key(junction)
            || resolved.signals.iter().any(|(_, other, _)| other == junction)
    };
    let mut cuts: Vec<f64> =
        resolved.signals.iter().flat_map(|(times, ..)| [times.0, times.1]).collect();
    for (link, timeline) in &resolved.links {
        if held(&network.link(*link).to()) {
            let pieces = timeline.pieces(network.link(*link));
            cuts.extend(pieces.iter().flat_map(|piece| [piece.from_s, piece.until_s]));
        }
    }
    cuts.retain(|cut| *cut > 0.0 && *cut < scenario.horizon_s);
    cuts.push(scenario.horizon_s);
    cuts.sort_by(f64::total_cmp);
    cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let mut stretches: Vec<(f64, Plan)> = Vec::new();
    let mut last: Option<PlanInputs> = None;
    let mut from_s = 0.0;
    for until_s in cuts {
        let plans = plans_at(base.clone(), resolved, from_s);
        let flow = |slot: usize| {
            let given = network.link(LinkIndex::at(slot));
            let now = resolved.links.get(&LinkIndex::at(slot)).map(|line| line.at(given, from_s));
            let factor = now.map_or(1.0, |now| now.lanes * now.capacity);
            model.links()[slot].capacity_pcu_s() * factor
        };
        let (limits, signals) = roads::limits(network, model, &plans, flow, scenario.base.day_s());
        let inputs = PlanInputs { limits, signals, ..inputs.clone() };
        match stretches.last_mut() {
            Some(stretch) if last.as_ref() == Some(&inputs) => stretch.0 = until_s,
            Some(_) | None => {
                let plan = Plan::new(Arc::clone(model), inputs.clone());
                stretches.push((until_s, plan.map_err(|error| unplanned(error, model))?));
                asked()?;
                last = Some(inputs);
            }
        }
        from_s = until_s;
    }
    Ok(stretches)
}

/// The plans that hold at a time; of several edits the last counts.
fn plans_at(
    mut plans: BTreeMap<JunctionIndex, SignalPlan>,
    resolved: &Resolved<'_>,
    time_s: f64,
) -> BTreeMap<JunctionIndex, SignalPlan> {
    for ((from_s, until_s), junction, plan) in &resolved.signals {
        if *from_s <= time_s && time_s < *until_s {
            plans.insert(*junction, plan.clone());
        }
    }
    plans
}
