//! Signal plans as the models want them: when a movement has green, and limits of movements for the
//! link transmission model. A movement that no phase names is not held by the signal (a slip lane,
//! or a plan that is not complete).

use std::collections::BTreeMap;

use super::transmission::count;
use crate::road::{Control, JunctionIndex, Movement, Network, Phase, SignalPlan};
use crate::traffic::ltm::{self, Entrance, Exit, MovementLimit, Signal, SignalMode};

/// When a movement has green, seconds from the start of the cycle, in order and apart; `None`
/// where no phase names it.
pub fn greens(plan: &SignalPlan, movement: Movement) -> Option<Vec<(f64, f64)>> {
    let named = |phase: &Phase| {
        phase.releases.iter().any(|release| {
            release.from == movement.from && release.to.is_none_or(|to| to == movement.to)
        })
    };
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut known = false;
    for (phase, start, end) in plan.greens() {
        if named(phase) {
            known = true;
            if start < end {
                spans.push((start, end));
            }
        }
    }
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f64, f64)> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            Some(_) | None => joined.push(span),
        }
    }
    known.then_some(joined)
}

/// The part of the time in which a movement has green.
pub(super) fn green_share(plan: &SignalPlan, movement: Movement) -> f64 {
    let Some(spans) = greens(plan, movement) else { return 1.0 };
    spans.iter().map(|(start, end)| end - start).sum::<f64>() / plan.cycle_s()
}

/// Junctions with a signal, and their plans without edits.
pub fn plans(network: &Network) -> BTreeMap<JunctionIndex, SignalPlan> {
    let signalled = network
        .junction_indexes()
        .filter(|junction| network.junction(*junction).control() == Control::Signal);
    signalled.filter_map(|junction| Some((junction, network.signal_plan(junction)?))).collect()
}

/// Limits and signals of some plans, for a model network whose movements are the road network's.
/// Movements of one junction with the same greens share one signal. `flow` is the saturation flow
/// of a link in pcu/s, `day_s` the seconds since midnight at the start.
///
/// # Panics
/// When the model network has other movements.
pub fn limits(
    network: &Network,
    roads: &ltm::Network,
    plans: &BTreeMap<JunctionIndex, SignalPlan>,
    flow: impl Fn(usize) -> f64,
    day_s: f64,
) -> (Vec<MovementLimit>, Vec<Signal>) {
    let (mut limits, mut signals) = (Vec::new(), Vec::new());
    for (junction, plan) in plans {
        let first = signals.len();
        for from in network.incoming(*junction) {
            for movement in network.movements_from(*from) {
                let Some(greens) = greens(plan, *movement) else { continue };
                let (entrance, exit) =
                    (Entrance::Link(from.number()), Exit::Link(movement.to.number()));
                let number = roads.movement(entrance, exit).expect("the same movements");
                let same = signals[first..].iter().position(|one: &Signal| one.greens == greens);
                let signal = first + same.unwrap_or(signals.len() - first);
                if signal == signals.len() {
                    let cycle_s = plan.cycle_s();
                    let offset_s = (plan.offset_s() - day_s).rem_euclid(cycle_s);
                    signals.push(Signal { cycle_s, offset_s, greens, mode: SignalMode::OnOff });
                }
                let (signal, flow_pcu_s) = (Some(count(signal)), flow(from.slot()));
                limits.push(MovementLimit { movement: number, flow_pcu_s, signal });
            }
        }
    }
    (limits, signals)
}
