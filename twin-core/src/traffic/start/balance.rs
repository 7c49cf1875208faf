//! Flows that balance at junctions: the weighted least change of prior flows such that what enters
//! a junction leaves it, with no flow below 0 or above capacity.
//!
//! ```text
//! least  Σ_links (x - prior)² / variance + Σ_junctions e² / slack
//! with   Σ_in x - Σ_out x + e = 0 at every junction,   0 ≤ x ≤ capacity
//! ```
//!
//! Solved in its dual, one price λ per junction: `x = clip(prior - variance·(λ_to - λ_from))`. Its
//! equations are a Laplacian of the street network; clipping is found by Newton's method with a line
//! search on the concave dual (a semismooth Newton method; Qi & Sun 1993), which ends after a few
//! rounds. A link of variance 0 keeps its prior. At a free junction nothing has to balance.
//!
//! Where fixed flows cannot be balanced at all, the remainder is spread over the junctions between
//! them, in proportion to the flow that could change there: the least slack that there is.

use super::conjugate::{HELD, Laplacian, dot};
use crate::road::Network;

/// Least slack of a junction, as a share of the variances that meet there: it decides where a
/// contradiction goes and moves what can be balanced by this share only.
const LEAST_SLACK: f64 = 1e-6;

/// Rounds at most. A hundred thousand links of which a third are measured take 12 when measurements
/// are off by 10 %; when they are off tenfold, what is left after these becomes ends of trips.
const ROUNDS: usize = 30;

/// Balanced when no junction is off by more than this share of the greatest flow.
const BALANCED: f64 = 1e-8;

/// How exact each step's direction is: a rough one costs little and the next round makes up for it.
const DIRECTION: f64 = 1e-4;

/// Halvings of a step at most.
const HALVINGS: usize = 30;

/// What has to balance.
#[derive(Debug)]
pub(super) struct Balance<'a> {
    pub(super) network: &'a Network,
    /// By link, veh/h.
    pub(super) prior: &'a [f64],
    /// By link, (veh/h)²; 0: fixed.
    pub(super) variance: &'a [f64],
    /// By link, veh/h.
    pub(super) most: &'a [f64],
    /// By junction, (veh/h)²; infinite: free.
    pub(super) slack: &'a [f64],
}

impl Balance<'_> {
    /// The flows, by link.
    pub(super) fn solve(&self) -> Vec<f64> {
        let slack = self.slacks();
        let mut price = vec![0.0; slack.len()];
        let (mut flow, mut rest) = self.rest(&price, &slack);
        let typical = self.prior.iter().fold(1.0, |most: f64, flow| most.max(*flow));
        for _ in 0..ROUNDS {
            if rest.iter().all(|rest| rest.abs() <= BALANCED * typical) {
                break;
            }
            let step = self.laplacian(&price, &slack).solve(&rest, DIRECTION);
            let slope = dot(&rest, &step);
            if slope <= 0.0 {
                break;
            }
            let mut length = 1.0;
            for _ in 0..HALVINGS {
                let tried: Vec<f64> =
                    price.iter().zip(&step).map(|(price, step)| price + length * step).collect();
                let after = self.rest(&tried, &slack);
                // The dual still rises, or has just passed its highest point on this line.
                if dot(&after.1, &step) >= -0.5 * slope {
                    price = tried;
                    (flow, rest) = after;
                    break;
                }
                length *= 0.5;
            }
        }
        flow
    }

    /// Slack by junction, never 0 where some flow can change.
    fn slacks(&self) -> Vec<f64> {
        let mut meeting = vec![0.0; self.slack.len()];
        for (link, variance) in self.network.links().iter().zip(self.variance) {
            meeting[link.from().slot()] += variance;
            meeting[link.to().slot()] += variance;
        }
        let pairs = self.slack.iter().zip(&meeting);
        pairs.map(|(slack, meeting)| slack.max(LEAST_SLACK * meeting)).collect()
    }

    /// Flow of a link at prices, before clipping.
    fn wanted(&self, at: usize, price: &[f64]) -> f64 {
        let link = &self.network.links()[at];
        let rise = price[link.to().slot()] - price[link.from().slot()];
        self.prior[at] - self.variance[at] * rise
    }

    /// Flows at prices, and what does not balance with them.
    fn rest(&self, price: &[f64], slack: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut rest: Vec<f64> =
            price.iter().zip(slack).map(|(p, s)| if *p == 0.0 { 0.0 } else { -s * p }).collect();
        let mut flows = Vec::with_capacity(self.prior.len());
        for (at, link) in self.network.links().iter().enumerate() {
            let flow = self.wanted(at, price).clamp(0.0, self.most[at]);
            rest[link.to().slot()] += flow;
            rest[link.from().slot()] -= flow;
            flows.push(flow);
        }
        for (rest, slack) in rest.iter_mut().zip(slack) {
            if slack.is_infinite() || *slack <= 0.0 {
                *rest = 0.0;
            }
        }
        (flows, rest)
    }

    /// How the rest falls as prices rise: over the links that are not at a bound.
    fn laplacian(&self, price: &[f64], slack: &[f64]) -> Laplacian {
        let held = |at: usize| slack[at].is_infinite() || slack[at] <= 0.0;
        let mut diagonal: Vec<f64> =
            (0..slack.len()).map(|at| if held(at) { HELD } else { slack[at] }).collect();
        let mut springs = Vec::new();
        for (at, link) in self.network.links().iter().enumerate() {
            let (from, to, weight) = (link.from(), link.to(), self.variance[at]);
            let wanted = self.wanted(at, price);
            if weight <= 0.0 || from == to || !(0.0..=self.most[at]).contains(&wanted) {
                continue;
            }
            for end in [from, to] {
                if !held(end.slot()) {
                    diagonal[end.slot()] += weight;
                }
            }
            if !held(from.slot()) && !held(to.slot()) {
                springs.push((from.number(), to.number(), weight));
            }
        }
        Laplacian { springs, diagonal }
    }
}
