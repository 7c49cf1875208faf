//! Signals as the link transmission model wants them: limits of movements with greens. Movements
//! of one junction with the same greens share one signal.

use std::collections::BTreeMap;

use super::super::signals::greens;
use crate::road::{Control, JunctionIndex, Network, SignalPlan};
use crate::traffic::ltm::{self, Entrance, Exit, MovementLimit, Signal, SignalMode};

/// Junctions with a signal, and their plans without edits.
pub(super) fn plans(network: &Network) -> BTreeMap<JunctionIndex, SignalPlan> {
    let signalled = network
        .junction_indexes()
        .filter(|junction| network.junction(*junction).control() == Control::Signal);
    signalled.filter_map(|junction| Some((junction, network.signal_plan(junction)?))).collect()
}

/// Limits and signals of some plans. `flow` is the saturation flow of a link in pcu/s, `day_s` the
/// seconds since midnight at the start.
pub(super) fn limits(
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
                let signal = Some(super::roads::count(signal));
                limits.push(MovementLimit {
                    movement: number,
                    flow_pcu_s: flow(from.slot()),
                    signal,
                });
            }
        }
    }
    (limits, signals)
}
