//! Flows that balance at junctions: the weighted least change of prior flows such that what enters
//! a junction leaves it, with no flow below 0 or above capacity.
//!
//! ```text
//! least  Σ_links (x - prior)² / variance + Σ_junctions e² / slack
//! with   Σ_in x - Σ_out x + e = 0 at every junction,   0 ≤ x ≤ capacity
//! ```
//!
//! Solved in its dual, one price λ per junction: `x = clip(prior - variance·(λ_to - λ_from))`. Its
//! equations are a Laplacian of the street network, solved by [`elimination`](super::elimination);
//! clipping is found by Newton's method with a line search on the concave dual (a semismooth Newton
//! method; Qi & Sun 1993), which ends after a few dozen rounds. A link of variance 0 keeps its prior. At a free junction nothing has to balance.
//!
//! Where fixed flows cannot be balanced at all, the remainder is spread over the junctions between
//! them, in proportion to the flow that could change there: the least slack that there is.

use std::ops::ControlFlow;

use super::conjugate::dot;
use super::elimination::{Elimination, Factors};
use crate::pace::{Pace, walked};
use crate::road::{JunctionIndex, Network};

/// Least slack of a junction, as a share of the variances that meet there: it decides where a
/// contradiction goes and moves what can be balanced by this share only.
const LEAST_SLACK: f64 = 1e-6;

/// The least slack is come to in these multiples of it, each balanced until no junction is off by
/// more than this share of the greatest flow: measured flows that contradict each other have prices
/// of one over the slack, and all at once the rounds would not find which flows are at a bound
/// (streets of central Ho Chi Minh City with a tenth measured: not in 300, now in 70).
const EASED: [(f64, f64); 5] = [(1e4, 0.1), (1e3, 0.1), (1e2, 0.1), (1e1, 0.1), (1.0, 1e-8)];

/// Rounds at most. 22,000 links of which a tenth are measured take 30; what is left after these
/// becomes ends of trips.
const ROUNDS: usize = 100;

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

/// The junctions that have to balance, numbered anew, and what holds them together.
struct Springs {
    /// By number: the slack.
    slack: Vec<f64>,
    /// By number: what was asked, and the variances that meet.
    given: Vec<(f64, f64)>,
    /// By link: the numbers of its ends, and the spring between them; [`NONE`] where one is held.
    links: Vec<([u32; 2], u32)>,
    /// Each pair with links between them once.
    pairs: Vec<(u32, u32)>,
}

impl Springs {
    /// Slack is never 0 where some flow can change.
    fn ease(&mut self, eased: f64) {
        for (slack, (given, meeting)) in self.slack.iter_mut().zip(&self.given) {
            *slack = given.max(eased * LEAST_SLACK * meeting);
        }
    }
}

/// No junction that has to balance, no spring.
const NONE: u32 = u32::MAX;

impl Balance<'_> {
    /// The flows, by link. Whoever watches is asked every round, and ends it by saying stop.
    pub(super) fn solve(&self, pace: &mut Pace<'_>) -> ControlFlow<(), Vec<f64>> {
        ControlFlow::Continue(self.flows(pace)?.flow)
    }

    fn flows(&self, pace: &mut Pace<'_>) -> ControlFlow<(), Flows> {
        let mut springs = self.springs();
        let elimination = Elimination::of(springs.slack.len(), &springs.pairs);
        let mut factors = Factors::default();
        let (mut diagonal, mut weights) = (Vec::new(), Vec::new());
        let mut price = vec![0.0; springs.slack.len()];
        let mut step = price.clone();
        let mut now = Flows::default();
        let typical = self.prior.iter().fold(1.0, |most: f64, flow| most.max(*flow));
        let mut rounds = ROUNDS;
        for (eased, balanced) in EASED {
            springs.ease(eased);
            self.rest(&springs, &price, &mut now);
            while now.rest.iter().any(|rest| rest.abs() > balanced * typical) {
                if rounds == 0 {
                    return ControlFlow::Continue(now);
                }
                rounds -= 1;
                walked(self.network.links().len());
                pace.ask()?;
                self.weigh(&springs, &price, (&mut diagonal, &mut weights));
                elimination.factor(&diagonal, &weights, &mut factors);
                elimination.solve(&factors, &now.rest, &mut step);
                if !self.climb(&springs, &step, (&mut price, &mut now)) {
                    break;
                }
            }
        }
        ControlFlow::Continue(now)
    }

    /// Goes along a step, half as far until the dual still rises there or has just passed its
    /// highest point. Whether it goes anywhere.
    fn climb(
        &self,
        springs: &Springs,
        step: &[f64],
        (price, now): (&mut Vec<f64>, &mut Flows),
    ) -> bool {
        let slope = dot(&now.rest, step);
        let from = price.clone();
        let mut length = 1.0;
        for _ in 0..HALVINGS {
            for (price, (from, step)) in price.iter_mut().zip(from.iter().zip(step)) {
                *price = from + length * step;
            }
            self.rest(springs, price, now);
            if dot(&now.rest, step) >= -0.5 * slope {
                return slope > 0.0;
            }
            length *= 0.5;
        }
        false
    }

    /// What has to balance.
    fn springs(&self) -> Springs {
        let mut meeting = vec![0.0; self.slack.len()];
        for (link, variance) in self.network.links().iter().zip(self.variance) {
            meeting[link.from().slot()] += variance;
            meeting[link.to().slot()] += variance;
        }
        let (mut number, mut given) = (vec![NONE; self.slack.len()], Vec::new());
        for (at, (slack, meeting)) in self.slack.iter().zip(meeting).enumerate() {
            if slack.is_finite() && slack.max(meeting) > 0.0 {
                number[at] = u32::try_from(given.len()).expect("a network counts in u32");
                given.push((*slack, meeting));
            }
        }
        let of = |junction: JunctionIndex| number[junction.slot()];
        let links = self.network.links().iter();
        let mut links: Vec<([u32; 2], u32)> =
            links.map(|link| ([of(link.from()), of(link.to())], NONE)).collect();
        let mut joined: Vec<(u32, u32, usize)> = Vec::with_capacity(links.len());
        for (at, ([from, to], _)) in links.iter().enumerate() {
            if self.variance[at] > 0.0 && from != to && *from != NONE && *to != NONE {
                joined.push((*from.min(to), *from.max(to), at));
            }
        }
        joined.sort_unstable();
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(joined.len());
        for (a, b, at) in joined {
            if pairs.last() != Some(&(a, b)) {
                pairs.push((a, b));
            }
            links[at].1 = u32::try_from(pairs.len() - 1).expect("a network counts in u32");
        }
        Springs { slack: vec![0.0; given.len()], given, links, pairs }
    }

    /// Flow of a link at the prices of its ends, before clipping.
    fn wanted(&self, at: usize, [from, to]: [u32; 2], price: &[f64]) -> f64 {
        let of = |number: u32| if number == NONE { 0.0 } else { price[number as usize] };
        self.prior[at] - self.variance[at] * (of(to) - of(from))
    }

    /// Flows at prices, and what does not balance with them.
    fn rest(&self, springs: &Springs, price: &[f64], found: &mut Flows) {
        let Flows { flow, rest } = found;
        rest.clear();
        rest.extend(price.iter().zip(&springs.slack).map(|(price, slack)| -slack * price));
        flow.clear();
        for (at, (ends, _)) in springs.links.iter().enumerate() {
            let own = self.wanted(at, *ends, price).clamp(0.0, self.most[at]);
            if let Some(rest) = rest.get_mut(ends[1] as usize) {
                *rest += own;
            }
            if let Some(rest) = rest.get_mut(ends[0] as usize) {
                *rest -= own;
            }
            flow.push(own);
        }
    }

    /// How the rest falls as prices rise: over the links that are not at a bound.
    fn weigh(
        &self,
        springs: &Springs,
        price: &[f64],
        (diagonal, weights): (&mut Vec<f64>, &mut Vec<f64>),
    ) {
        diagonal.clone_from(&springs.slack);
        weights.clear();
        weights.resize(springs.pairs.len(), 0.0);
        for (at, (ends, spring)) in springs.links.iter().enumerate() {
            let (weight, wanted) = (self.variance[at], self.wanted(at, *ends, price));
            if weight <= 0.0 || ends[0] == ends[1] || !(0.0..=self.most[at]).contains(&wanted) {
                continue;
            }
            for end in ends {
                if let Some(diagonal) = diagonal.get_mut(*end as usize) {
                    *diagonal += weight;
                }
            }
            if let Some(sum) = weights.get_mut(*spring as usize) {
                *sum += weight;
            }
        }
    }
}

/// Flows by link, and by number of a junction what does not balance.
#[derive(Default)]
struct Flows {
    flow: Vec<f64>,
    rest: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::super::estimate::is_edge;
    use super::super::tests::random::{Chance, grid, hidden};
    use super::*;
    use crate::pace::unwatched;
    use crate::road::{Link, RoadClass};

    /// All at once, the rounds ended far from it.
    #[test]
    fn flows_that_contradict_each_other_are_balanced_to_the_last_junction() {
        let mut chance = Chance(11);
        for share in [0.1, 0.3, 0.6] {
            let class = |great| if great { RoadClass::Primary } else { RoadClass::Tertiary };
            let network = grid(16, class);
            let truth = hidden(&network, 400, &mut chance);
            let most: Vec<f64> = network.links().iter().map(Link::capacity_veh_h).collect();
            let (mut prior, mut variance) = (Vec::new(), Vec::new());
            for (flow, most) in truth.iter().zip(&most) {
                let measured = chance.share() < share;
                let wrong = if measured { 2.0 * chance.share() } else { chance.share() };
                prior.push((flow * wrong).min(*most));
                let deviation = 0.5 * flow * wrong + 0.1 * most;
                variance.push(if measured { 0.0 } else { deviation * deviation });
            }
            let free = |at| if is_edge(&network, at) { f64::INFINITY } else { 0.0 };
            let slack: Vec<f64> = network.junction_indexes().map(free).collect();
            let balance = Balance {
                network: &network,
                prior: &prior,
                variance: &variance,
                most: &most,
                slack: &slack,
            };
            let Flows { flow, rest } = unwatched(|pace| balance.flows(pace));
            let typical = prior.iter().fold(1.0, |most: f64, flow| most.max(*flow));
            let worst = rest.iter().fold(0.0, |most: f64, rest| most.max(rest.abs()));
            assert!(worst <= 1e-8 * typical, "{share}: {worst} of {typical}");
            assert!(flow.iter().zip(&most).all(|(flow, most)| (0.0..=*most).contains(flow)));
        }
    }
}
