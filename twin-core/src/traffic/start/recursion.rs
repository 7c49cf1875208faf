//! Turning shares learned from counts, interval by interval: recursive least squares with the
//! constraints kept after every step (Cremer & Keller 1987, Transportation Research B 21:117). What
//! leaves a junction by one exit is the shares of that exit times what came in; the shares are found
//! because the inflows do not rise and fall together.
//!
//! After each step shares are cut to 0 … 1 and those of a link are made to sum to 1. A junction is
//! learned from an interval only if every link into it that leads on and every link out of it was
//! counted; trips that end there are taken to leave evenly, by scaling the counts of the exits.
//! Travel through the junction must be short against the interval (theirs is a signal cycle; a
//! minute or more will do for a street).
//!
//! What must not live here: flows of links that are not counted.

use super::turning::{Turning, normalise};
use crate::road::{JunctionIndex, LinkIndex, Network};

/// Standard deviation of a share before anything was counted.
const PRIOR_DEVIATION: f64 = 0.3;

/// Standard deviation of the count of an exit, as a share of all that pass the junction.
const NOISE: f64 = 0.03;

/// What is left of an old interval's weight after one more: 0.98 forgets in about 50 intervals.
const FORGETTING: f64 = 0.98;

/// Most variance of a share, so that an inflow that stands still is not forgotten without end.
const MOST_VARIANCE: f64 = PRIOR_DEVIATION * PRIOR_DEVIATION;

/// Vehicles counted on links in one interval, in any one unit.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnCounts {
    /// By link; `None` where nobody counted.
    pub veh: Vec<Option<f64>>,
}

/// Turning shares that learn.
#[derive(Clone, Debug, PartialEq)]
pub struct Recursion {
    shares: Vec<f64>,
    exits: Vec<Learner>,
    /// By junction: where its exits begin, and one more; intervals learned from.
    first: Vec<usize>,
    intervals: Vec<u32>,
}

/// The shares of all links that lead onto one exit.
#[derive(Clone, Debug, PartialEq)]
struct Learner {
    to: LinkIndex,
    /// Movements onto it, and the links they leave.
    movements: Vec<(usize, LinkIndex)>,
    /// Their covariance, row by row.
    covariance: Vec<f64>,
}

impl Recursion {
    /// Begins with shares that are thought to hold.
    pub fn new(network: &Network, prior: &Turning) -> Recursion {
        let mut recursion = Recursion {
            shares: prior.shares.clone(),
            exits: Vec::new(),
            first: vec![0],
            intervals: vec![0; network.junctions().len()],
        };
        for junction in network.junction_indexes() {
            recursion.exits.extend(learners(network, junction));
            recursion.first.push(recursion.exits.len());
        }
        recursion
    }

    /// Takes in one interval. O(movements).
    ///
    /// # Panics
    /// When there are fewer counts than links.
    pub fn learn(&mut self, network: &Network, counts: &TurnCounts) {
        for junction in network.junction_indexes() {
            self.learn_junction(network, junction, counts);
        }
    }

    /// Writes what was learned over other shares. A junction counts as learned after as many
    /// intervals as links lead into it.
    pub fn teach(&self, network: &Network, turning: &mut Turning) {
        for junction in network.junction_indexes() {
            let incoming = network.incoming(junction);
            if (self.intervals[junction.slot()] as usize) < incoming.len().max(1) {
                continue;
            }
            for link in incoming {
                let range = network.movement_range(*link);
                turning.shares[range.clone()].copy_from_slice(&self.shares[range]);
                turning.learned[link.slot()] = true;
            }
        }
    }

    fn learn_junction(&mut self, network: &Network, junction: JunctionIndex, counts: &TurnCounts) {
        let count = |link: &LinkIndex| counts.veh[link.slot()].filter(|count| *count >= 0.0);
        let ways = network.incoming(junction).iter();
        let ways = ways.filter(|link| !network.movement_range(**link).is_empty());
        let came: Option<f64> = ways.map(count).sum();
        let went: Option<f64> = network.outgoing(junction).iter().map(count).sum();
        let (Some(came), Some(went)) = (came, went) else { return };
        if came <= 0.0 || went <= 0.0 {
            return;
        }
        self.intervals[junction.slot()] += 1;
        let exits = self.first[junction.slot()]..self.first[junction.slot() + 1];
        for exit in &mut self.exits[exits] {
            let arriving = |link: &LinkIndex| count(link).unwrap_or(0.0) / came;
            let shares_in: Vec<f64> =
                exit.movements.iter().map(|(_, link)| arriving(link)).collect();
            let share_out = count(&exit.to).unwrap_or(0.0) / went;
            exit.step(&mut self.shares, &shares_in, share_out);
        }
        for link in network.incoming(junction) {
            let shares = &mut self.shares[network.movement_range(*link)];
            for share in shares.iter_mut() {
                *share = share.clamp(0.0, 1.0);
            }
            normalise(shares);
        }
    }
}

impl Learner {
    /// One step of recursive least squares (a Kalman filter with fading memory).
    fn step(&mut self, shares: &mut [f64], inflows: &[f64], outflow: f64) {
        let count = inflows.len();
        let spread: Vec<f64> = self
            .covariance
            .chunks_exact(count)
            .map(|row| row.iter().zip(inflows).map(|(p, q)| p * q).sum())
            .collect();
        let expected: f64 =
            self.movements.iter().zip(inflows).map(|((at, _), q)| shares[*at] * q).sum();
        let variance: f64 = spread.iter().zip(inflows).map(|(p, q)| p * q).sum();
        let scale = 1.0 / (NOISE * NOISE + variance);
        for ((at, _), spread) in self.movements.iter().zip(&spread) {
            shares[*at] += spread * scale * (outflow - expected);
        }
        for row in 0..count {
            for column in 0..count {
                let p = &mut self.covariance[row * count + column];
                *p -= spread[row] * spread[column] * scale;
            }
        }
        let most = (0..count).map(|at| self.covariance[at * count + at]).fold(0.0, f64::max);
        if most < MOST_VARIANCE * FORGETTING {
            self.covariance.iter_mut().for_each(|p| *p /= FORGETTING);
        }
    }
}

/// One for each exit of a junction that somebody may take.
fn learners(network: &Network, junction: JunctionIndex) -> Vec<Learner> {
    let onto = |to: &LinkIndex| {
        let movements = network.incoming(junction).iter().filter_map(|from| {
            let at = network.find_movement(*from, *to)?;
            Some((at.slot(), *from))
        });
        let movements: Vec<_> = movements.collect();
        let count = movements.len();
        let mut covariance = vec![0.0; count * count];
        covariance.iter_mut().step_by(count + 1).for_each(|p| *p = MOST_VARIANCE);
        Learner { to: *to, movements, covariance }
    };
    let exits = network.outgoing(junction).iter().map(onto);
    exits.filter(|exit| !exit.movements.is_empty()).collect()
}
