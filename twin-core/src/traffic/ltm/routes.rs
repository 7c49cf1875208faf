//! Routes: per destination, where those on each way in go on, by the shortest current travel time.

use std::ops::ControlFlow;

use super::charges::Charges;
use super::network::Network;
use super::plan::{Plan, Way};
use super::shortest::{NONE, Roads, Shortest};
use super::state::State;
use super::times::{Times, single};
use crate::pace::Pace;

/// The routes to all destinations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Routes {
    theta: Option<f32>,
    times: Times,
    shortest: Shortest,
    /// Forbidden movements and charges when routes were last chosen.
    barred: Vec<bool>,
    charges: Charges,
}

impl Routes {
    /// None yet.
    pub(super) fn new(plan: &Plan) -> Routes {
        let network = plan.network();
        let theta = match plan.way() {
            Way::Routes(choice) => choice.theta_per_s,
            Way::Shares(_) => None,
        };
        Routes {
            theta: theta.map(single),
            times: Times::new(network.links().len()),
            shortest: Shortest::new(network),
            barred: vec![false; network.movements()],
            charges: Charges::at(plan, f64::NEG_INFINITY),
        }
    }

    /// Whether there is a route.
    pub(super) fn leads(&self, way: usize, to: usize) -> bool {
        self.shortest.best(way, self.followed(way, to)) != NONE
    }

    /// Whose way those on a way go to a destination: their own, or, on the road, that of those who
    /// may enter all links.
    fn followed(&self, way: usize, to: usize) -> usize {
        let stranded = self.shortest.best(way, to) == NONE && way < self.times.seconds().len();
        let instead = if stranded { self.charges.instead(to) } else { None };
        instead.unwrap_or(to)
    }

    /// The parts of those on a way to a destination that take each of its movements: they sum to
    /// 1, or to 0 where there is no route. All on the shortest, or logit shares among the movements
    /// that bring one nearer (Dial 1971): no loops.
    pub(super) fn parts(&self, network: &Network, way: usize, to: u8, parts: &mut [f32]) {
        let to = self.followed(way, usize::from(to));
        let best = self.shortest.best(way, to);
        parts.fill(0.0);
        if best == NONE {
            return;
        }
        parts[usize::from(best)] = 1.0;
        let (Some(theta), times) = (self.theta, self.times.seconds()) else { return };
        let (moves, here) = (network.moves(way), self.shortest.remaining(way, to));
        let nearer = |movement: usize| {
            let out = network.target(movement) as usize;
            out < times.len()
                && !self.barred[movement]
                && self.charges.longer_s(out)[to].is_finite()
                && self.shortest.remaining(out, to) < here
        };
        let is_best = |place: usize| place == usize::from(best);
        if !moves.clone().enumerate().any(|(place, movement)| !is_best(place) && nearer(movement)) {
            return;
        }
        let mut sum = 0.0;
        for ((place, movement), part) in moves.enumerate().zip(parts.iter_mut()) {
            let out = network.target(movement) as usize;
            // In seven digits, the best may seem no nearer.
            if out < times.len() && (nearer(movement) || is_best(place)) {
                let after = times[out] + self.charges.longer_s(out)[to];
                let longer = after + self.shortest.remaining(out, to) - here;
                *part = (-theta * longer).exp();
            }
            sum += *part;
        }
        for part in parts {
            *part /= sum;
        }
    }

    /// Chooses anew, from the travel times of now. Gives whether there was a reason to: from the
    /// same times come the same routes.
    pub(super) fn choose(
        &mut self,
        plan: &Plan,
        state: &State,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), bool> {
        let mut changed = self.times.look(plan, state);
        let now = &state.conditions;
        changed |= self.barred != now.barred || self.charges != now.charges;
        if changed {
            self.barred.clone_from(&now.barred);
            self.charges.clone_from(&now.charges);
            let (network, times) = (plan.network(), self.times.seconds());
            let roads = Roads { network, times, barred: &self.barred, charges: &self.charges };
            self.shortest.search(roads, pace)?;
        }
        ControlFlow::Continue(changed)
    }
}
