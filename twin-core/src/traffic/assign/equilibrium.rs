//! The equilibrium of a network and its demand, and the rounds that lead to it. It can be solved,
//! copied, changed and solved again from where it stands.

use std::cell::Cell;
use std::ops::ControlFlow;

use thiserror::Error;

use super::bush::{Bush, Labels};
use super::demand::Demand;
use super::improve::Improver;
use super::loads::Loads;
use super::network::Network;
use super::shift::{self, Stretches};
use crate::pace::{Pace, unwatched};

/// Times that all bushes are balanced in one round. Measured on Chicago-Sketch, to 1e-10: 3 take
/// 1.9 times as long, 6 1.2 times; 14 do not pay to 1e-6, nor after a closure.
const SWEEPS: usize = 10;

/// Differences of path costs that a round leaves alone, as a share of the relative gap. Measured:
/// 1 takes 1.4 times as long, 0 a little longer too.
const TOLERATED: f64 = 0.01;

/// Passes over the links that a search for least costs is taken for.
pub(super) const TREE: usize = 3;

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Relative gap to reach: (TSTT − SPTT) / TSTT, where SPTT is what the trips would cost on
    /// cheapest paths at the same link costs. Rounding ends at about 1e-14.
    pub target_gap: f64,
    /// Rounds at most.
    pub max_iterations: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { target_gap: 1e-6, max_iterations: 1000 }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Rounds done.
    pub iterations: u32,
    /// Relative gap when it was measured last; 1 before it was.
    pub relative_gap: f64,
}

impl Progress {
    /// Nothing is done yet.
    pub(crate) const BEGUN: Progress = Progress { iterations: 0, relative_gap: 1.0 };
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The target gap is reached.
    Converged,
    /// The rounds are used up.
    OutOfIterations,
    /// Whoever watched said stop.
    Cancelled,
}

/// Result of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Why it ended.
    pub ended: Ended,
    /// Rounds done.
    pub iterations: u32,
    /// (TSTT − SPTT) / TSTT.
    pub relative_gap: f64,
    /// The objective of Beckmann, McGuire & Winsten (1956).
    pub objective: f64,
    /// Cost of all assigned trips together, TSTT.
    pub total_cost: f64,
    /// Trips that are assigned.
    pub trips: f64,
    /// Trips that no path can take.
    pub unserved: f64,
}

/// Demand that names a junction the network does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the demand names junction {junction}, of {junctions}")]
pub struct UnknownJunction {
    /// The junction.
    pub junction: u32,
    /// How many there are.
    pub junctions: u32,
}

/// A pair whose trips no path can take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unserved {
    /// From here.
    pub origin: u32,
    /// To there.
    pub destination: u32,
    /// So many.
    pub trips: f64,
}

/// A network, its demand, and the flows that are the best known so far.
#[derive(Clone, Debug)]
pub struct Equilibrium {
    pub(super) network: Network,
    pub(super) demand: Demand,
    /// By row of the demand.
    pub(super) bushes: Vec<Bush>,
    pub(super) loads: Loads,
    pub(super) room: Room,
}

/// Room for all passes, used again in every round.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) improver: Improver,
    labels: Labels,
    stretches: Stretches,
    through: Vec<f64>,
    /// Flows by link while they are summed.
    flow: Vec<f64>,
    /// By row: nothing was left to shift.
    idle: Vec<bool>,
}

impl Equilibrium {
    /// All trips on the cheapest paths of the empty network.
    ///
    /// # Errors
    /// When the demand names a junction that is none.
    pub fn new(network: Network, demand: Demand) -> Result<Equilibrium, UnknownJunction> {
        unwatched(|pace| Equilibrium::begun((network, demand), pace))
    }

    /// The same; breaks off where whoever watches says stop.
    pub(crate) fn begun(
        (network, demand): (Network, Demand),
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Result<Equilibrium, UnknownJunction>> {
        let junctions = network.junctions();
        if let Some(junction) = demand.highest().filter(|junction| *junction >= junctions) {
            return ControlFlow::Continue(Err(UnknownJunction { junction, junctions }));
        }
        let room = Room {
            improver: Improver::new(&network),
            labels: Labels::new(&network),
            stretches: Stretches::default(),
            through: Vec::new(),
            flow: Vec::new(),
            idle: Vec::new(),
        };
        let loads = Loads::empty(&network);
        let bushes = Vec::with_capacity(demand.origins().len());
        let mut equilibrium = Equilibrium { network, demand, bushes, loads, room };
        for row in 0..equilibrium.demand.origins().len() {
            let seed = Bush::seed(equilibrium.demand.origins()[row]);
            let bush = equilibrium.grown(row, &seed);
            equilibrium.bushes.push(bush);
            pace.worked(TREE * equilibrium.network.links().len())?;
        }
        equilibrium.reload(pace)?;
        ControlFlow::Continue(Ok(equilibrium))
    }

    /// The network, as changed.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The demand.
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Vehicles by link.
    pub fn flows(&self) -> &[f64] {
        &self.loads.flow
    }

    /// Cost by link; infinite where closed.
    pub fn costs(&self) -> &[f64] {
        &self.loads.cost
    }

    /// Runs rounds until the target is reached, the rounds are used up or `watch` says stop; it is
    /// asked after every round, and within one after every half a million links walked over. The
    /// same input gives the same bytes. What is reached so far stays, and a later run goes on from
    /// there.
    ///
    /// Cost of a round: O(origins · links), with a factor of about ten.
    pub fn solve(
        &mut self,
        settings: Settings,
        mut watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Summary {
        let told = Cell::new(Progress::BEGUN);
        let mut ask = || watch(told.get());
        let ended = self.rounds(settings, &told, &mut Pace::new(&mut ask));
        let ended = ended.continue_value().unwrap_or(Ended::Cancelled);
        let Progress { iterations, relative_gap } = told.get();
        self.summary(ended, iterations, relative_gap)
    }

    /// The same without figures: how far it is goes to `told`. Breaks off where whoever watches
    /// says stop.
    pub(crate) fn rounds(
        &mut self,
        settings: Settings,
        told: &Cell<Progress>,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Ended> {
        let mut iterations = 0;
        loop {
            self.reload(pace)?;
            let relative_gap = self.improve(pace)?;
            told.set(Progress { iterations, relative_gap });
            let heard = pace.ask();
            if relative_gap <= settings.target_gap {
                return ControlFlow::Continue(Ended::Converged);
            }
            heard?;
            if iterations >= settings.max_iterations {
                return ControlFlow::Continue(Ended::OutOfIterations);
            }
            self.balance(relative_gap, pace)?;
            iterations += 1;
            told.set(Progress { iterations, relative_gap });
        }
    }

    /// Flows of all links from the bushes, and their costs. Where it is broken off they are as they
    /// were.
    fn reload(&mut self, pace: &mut Pace<'_>) -> ControlFlow<()> {
        let Room { through, flow, .. } = &mut self.room;
        flow.clear();
        flow.resize(self.network.links().len(), 0.0);
        for bush in &mut self.bushes {
            bush.reload(through);
            bush.add_to(flow);
            pace.worked(2 * bush.link.len())?;
        }
        std::mem::swap(flow, &mut self.loads.flow);
        self.loads.refresh(&self.network);
        ControlFlow::Continue(())
    }

    /// Improves all bushes at the costs of this moment; the relative gap.
    fn improve(&mut self, pace: &mut Pace<'_>) -> ControlFlow<(), f64> {
        let mut cheapest = 0.0;
        for bush in &mut self.bushes {
            cheapest += self.room.improver.improve(bush, &self.network, &self.loads.cost);
            pace.worked(bush.link.len() + TREE * self.network.links().len())?;
        }
        let total = self.loads.total();
        let gap = if total > 0.0 { ((total - cheapest) / total).max(0.0) } else { 0.0 };
        ControlFlow::Continue(gap)
    }

    /// Balances all bushes, one after the other, several times; from the second time on only
    /// those that still had something to shift.
    fn balance(&mut self, gap: f64, pace: &mut Pace<'_>) -> ControlFlow<()> {
        let tolerance = gap * TOLERATED;
        self.room.idle.clear();
        self.room.idle.resize(self.bushes.len(), false);
        for _ in 0..SWEEPS {
            for (bush, idle) in self.bushes.iter_mut().zip(&mut self.room.idle) {
                if !*idle {
                    let mut room = shift::Room {
                        network: &self.network,
                        loads: &mut self.loads,
                        labels: &mut self.room.labels,
                        stretches: &mut self.room.stretches,
                    };
                    let worst = shift::balance(bush, &mut room, tolerance, pace)?;
                    *idle = worst <= tolerance;
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// A bush for a row that reaches all that can be reached, from one that may not, with the
    /// row's trips.
    pub(super) fn grown(&mut self, row: usize, bush: &Bush) -> Bush {
        let Improver { labels, paths, place, .. } = &mut self.room.improver;
        bush.label_kept(&self.loads.cost, labels);
        let mut bush = bush.graft(&self.network, &self.loads.cost, labels, paths);
        bush.places(place);
        for (destination, trips) in self.demand.row(row) {
            if let Some(end) = bush.trips.get_mut(place[destination as usize] as usize) {
                *end = trips;
            }
        }
        bush
    }

    fn summary(&self, ended: Ended, iterations: u32, relative_gap: f64) -> Summary {
        let trips =
            self.bushes.iter().flat_map(|bush| &bush.trips).fold(0.0, |sum, trips| sum + trips);
        Summary {
            ended,
            iterations,
            relative_gap,
            objective: self.loads.objective(&self.network),
            total_cost: self.loads.total(),
            trips,
            unserved: self.unserved().fold(0.0, |sum, pair| sum + pair.trips),
        }
    }
}
