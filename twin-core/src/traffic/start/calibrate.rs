//! Trips that reproduce counts: from a prior, along the gradient of the weighted squared error at
//! counted links, at user equilibrium (Spiess 1990, "A gradient approach for the O-D matrix
//! adjustment problem", CRT 693, Montréal).
//!
//! Each iteration solves the equilibrium, takes the proportions in which pairs use links from it and
//! multiplies the trips of every pair by `1 - λ·gradient`, with the λ that is best if the
//! proportions stayed. A pair without trips gets none: the pattern of the prior is kept as far as
//! counts allow. Unlike Spiess, an error is weighted with one over the count, as the GEH statistic
//! weighs it, so that side streets count too.
//!
//! Some counts are held out: the fit there is what the demand is worth.
//!
//! What must not live here: where counts come from.

use std::cell::Cell;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::pace::Pace;
use crate::traffic::assign::{Demand, Equilibrium, Network, Progress, Settings, UnknownJunction};

/// GEH below this is a good fit (UK DMRB 12.2.1; FHWA Traffic Analysis Toolbox III).
const GOOD_GEH: f64 = 5.0;

/// Least count in the weight of an error, veh/h.
const LEAST_COUNT: f64 = 50.0;

/// No pair shrinks to less than this share in one iteration.
const LEAST_FACTOR: f64 = 0.1;

/// What was counted on one link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Count {
    /// Number of the link in the assignment's network.
    pub link: u32,
    /// Vehicles (passenger-car equivalents) an hour.
    pub flow_veh_h: f64,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationSettings {
    /// Share of the counts that is held out, from 0 to 1.
    pub held_out_share: f64,
    /// Which ones: the same seed holds out the same.
    pub seed: u64,
    /// Iterations at most; it ends earlier when the error falls by less than 0.1 % in one.
    pub iterations: u32,
    /// Relative gap of each equilibrium.
    pub gap: f64,
}

impl Default for CalibrationSettings {
    fn default() -> CalibrationSettings {
        CalibrationSettings { held_out_share: 0.2, seed: 0, iterations: 30, gap: 1e-4 }
    }
}

/// How well flows agree with counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// How many counts.
    pub counts: usize,
    /// Share of them with a GEH below 5, `GEH = √(2 (m - c)² / (m + c))`; 0 without counts.
    pub geh_under_5_share: f64,
    /// Root of the mean squared difference, veh/h.
    pub rms_error_veh_h: f64,
    /// Mean absolute difference over mean count.
    pub relative_error: f64,
}

/// Trips that reproduce counts, and how well.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// At equilibrium with the calibrated trips: the demand, its flows, ready to be changed.
    pub equilibrium: Equilibrium,
    /// Share of the counts used whose GEH is below 5; as `used` has it.
    pub geh_under_5_share: f64,
    /// At the counts that were used.
    pub used: Fit,
    /// At those held out.
    pub held_out: Fit,
    /// What the prior had at the counts used, scaled to their level.
    pub prior_used: Fit,
    /// What it had at those held out.
    pub prior_held_out: Fit,
    /// Iterations done.
    pub iterations: u32,
}

/// Calibrates. Counts of links that the network does not have, and those that are no number from 0,
/// are left out. `watch` hears of the iterations done and the least error so far (infinite before the
/// first) before each iteration, after every round of every equilibrium and within all of them after
/// every half a million links walked over; it ends it by breaking, and `None` comes of it. Cost of
/// an iteration: an equilibrium and two passes over its bushes.
///
/// # Errors
/// When the prior names a junction that is none.
pub fn calibrate(
    network: &Network,
    prior: &Demand,
    counts: &[Count],
    settings: CalibrationSettings,
    mut watch: impl FnMut(u32, f64) -> ControlFlow<()>,
) -> Result<Option<Calibration>, UnknownJunction> {
    let (used, held_out) = split(network, counts, settings);
    let told = Cell::new((0, f64::INFINITY));
    let mut ask = || {
        let (iterations, error) = told.get();
        watch(iterations, error)
    };
    let work = Work { network, settings, used: &used, held_out: &held_out };
    match work.calibrate(prior, &told, &mut Pace::new(&mut ask)) {
        ControlFlow::Continue(found) => found.map(Some),
        ControlFlow::Break(()) => Ok(None),
    }
}

/// What a calibration has to go by.
struct Work<'a> {
    network: &'a Network,
    settings: CalibrationSettings,
    used: &'a [Count],
    held_out: &'a [Count],
}

/// What comes of equilibria that somebody watches.
type Watched<T> = ControlFlow<(), Result<T, UnknownJunction>>;

impl Work<'_> {
    fn calibrate(
        &self,
        prior: &Demand,
        told: &Cell<(u32, f64)>,
        pace: &mut Pace<'_>,
    ) -> Watched<Calibration> {
        pace.ask()?;
        let mut best = match self.level(prior, pace)? {
            Ok(first) => first,
            Err(unknown) => return ControlFlow::Continue(Err(unknown)),
        };
        let (prior_used, prior_held_out) = (fit(&best, self.used), fit(&best, self.held_out));
        let mut best_error = error(&best, self.used);
        let mut iterations = 0;
        while iterations < self.settings.iterations {
            told.set((iterations, best_error));
            pace.ask()?;
            let Some(trips) = improved(&best, self.used, pace)? else { break };
            let next = match self.solved(best.demand().scaled(&trips), pace)? {
                Ok(next) => next,
                Err(unknown) => return ControlFlow::Continue(Err(unknown)),
            };
            let next_error = error(&next, self.used);
            iterations += 1;
            let small = next_error >= best_error * 0.999;
            if next_error < best_error {
                (best, best_error) = (next, next_error);
            }
            if small {
                break;
            }
        }
        let used = fit(&best, self.used);
        ControlFlow::Continue(Ok(Calibration {
            held_out: fit(&best, self.held_out),
            geh_under_5_share: used.geh_under_5_share,
            equilibrium: best,
            used,
            prior_used,
            prior_held_out,
            iterations,
        }))
    }

    /// The prior, scaled as a whole to the level of the counts.
    fn level(&self, prior: &Demand, pace: &mut Pace<'_>) -> Watched<Equilibrium> {
        let mut level = self.solved(prior.clone(), pace)?;
        // Where it is congested, twice the trips are not twice the flow on each link.
        for _ in 0..3 {
            let Ok(equilibrium) = &level else { break };
            let flows = equilibrium.flows();
            let (mut both, mut own) = (0.0, 0.0);
            for count in self.used {
                let flow = flows[count.link as usize];
                both += weight(count) * flow * count.flow_veh_h;
                own += weight(count) * flow * flow;
            }
            if both <= 0.0 || own <= 0.0 {
                break;
            }
            let trips: Vec<f64> =
                equilibrium.demand().pairs().map(|(.., trips)| trips * both / own).collect();
            level = self.solved(equilibrium.demand().scaled(&trips), pace)?;
        }
        ControlFlow::Continue(level)
    }

    fn solved(&self, demand: Demand, pace: &mut Pace<'_>) -> Watched<Equilibrium> {
        let mut equilibrium = match Equilibrium::begun((self.network.clone(), demand), pace)? {
            Ok(equilibrium) => equilibrium,
            Err(unknown) => return ControlFlow::Continue(Err(unknown)),
        };
        let settings = Settings { target_gap: self.settings.gap, max_iterations: 200 };
        equilibrium.rounds(settings, &Cell::new(Progress::BEGUN), pace)?;
        if pace.is_stopped() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(Ok(equilibrium))
    }
}

/// Counts to use and to hold out: those with the lowest hashes of seed and link.
fn split(
    network: &Network,
    counts: &[Count],
    settings: CalibrationSettings,
) -> (Vec<Count>, Vec<Count>) {
    let sound = |count: &&Count| {
        (count.link as usize) < network.links().len()
            && count.flow_veh_h >= 0.0
            && count.flow_veh_h.is_finite()
    };
    let mut counts: Vec<Count> = counts.iter().filter(sound).copied().collect();
    counts.sort_by_key(|count| (mixed(settings.seed, count.link), count.link));
    let share = settings.held_out_share.clamp(0.0, 1.0);
    let wanted = (share * counts.len() as f64).round();
    let held_out = (0..counts.len()).take_while(|at| (*at as f64) < wanted).count();
    let used = counts.split_off(held_out);
    (used, counts)
}

/// SplitMix64 (Steele, Lea & Flood 2014).
fn mixed(seed: u64, link: u32) -> u64 {
    let mut z =
        seed.wrapping_add(u64::from(link).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn weight(count: &Count) -> f64 {
    1.0 / count.flow_veh_h.max(LEAST_COUNT)
}

/// Half the weighted squared error.
fn error(equilibrium: &Equilibrium, counts: &[Count]) -> f64 {
    let flows = equilibrium.flows();
    let one = |count: &Count| {
        let off = flows[count.link as usize] - count.flow_veh_h;
        weight(count) * off * off
    };
    0.5 * counts.iter().map(one).sum::<f64>()
}

/// The trips one step down the gradient; `None` where there is no way down.
fn improved(
    equilibrium: &Equilibrium,
    counts: &[Count],
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Option<Vec<f64>>> {
    let flows = equilibrium.flows();
    let mut pull = vec![0.0; flows.len()];
    for count in counts {
        let off = flows[count.link as usize] - count.flow_veh_h;
        pull[count.link as usize] += weight(count) * off;
    }
    let gradient = equilibrium.path_sums_at(&pull, pace)?;
    let trips: Vec<f64> = equilibrium.demand().pairs().map(|(.., trips)| trips).collect();
    let down: Vec<f64> = trips.iter().zip(&gradient).map(|(trips, g)| -trips * g).collect();
    let change = equilibrium.load_at(&down, pace)?;
    let (mut gain, mut curve) = (0.0, 0.0);
    for count in counts {
        let (at, change) = (count.link as usize, change[count.link as usize]);
        gain += weight(count) * change * (count.flow_veh_h - flows[at]);
        curve += weight(count) * change * change;
    }
    if gain <= 0.0 || curve <= 0.0 {
        return ControlFlow::Continue(None);
    }
    let steepest = gradient.iter().fold(0.0, |most: f64, g| most.max(*g));
    let most = if steepest > 0.0 { (1.0 - LEAST_FACTOR) / steepest } else { f64::INFINITY };
    let step = (gain / curve).min(most);
    let next = trips.iter().zip(&gradient).map(|(trips, g)| trips * (1.0 - step * g));
    ControlFlow::Continue(Some(next.collect()))
}

/// How well flows agree with counts.
fn fit(equilibrium: &Equilibrium, counts: &[Count]) -> Fit {
    if counts.is_empty() {
        return Fit::default();
    }
    let flows = equilibrium.flows();
    let (mut good, mut squares, mut off_sum, mut sum) = (0.0, 0.0, 0.0, 0.0);
    for count in counts {
        let (flow, counted) = (flows[count.link as usize], count.flow_veh_h);
        let off = flow - counted;
        let geh_squared =
            if flow + counted > 0.0 { 2.0 * off * off / (flow + counted) } else { 0.0 };
        good += if geh_squared < GOOD_GEH * GOOD_GEH { 1.0 } else { 0.0 };
        squares += off * off;
        off_sum += off.abs();
        sum += counted;
    }
    let number = counts.len() as f64;
    Fit {
        counts: counts.len(),
        geh_under_5_share: good / number,
        rms_error_veh_h: (squares / number).sqrt(),
        relative_error: if sum > 0.0 { off_sum / sum } else { 0.0 },
    }
}
