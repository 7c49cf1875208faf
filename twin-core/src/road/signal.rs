//! Fixed-time signals: who may go when, and a plan for junctions that have a signal and no plan.
//!
//! A plan has one or two rings of phases; the phases of a ring follow each other from the start of
//! the cycle, each with its green and the clearance (yellow and all-red) behind it, as in GMNS. The
//! cycle starts at `offset_s` after the seconds of the day that are a multiple of it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key::{JunctionIndex, LinkIndex};
use super::link::Control;
use super::network::Network;
use super::shape::bearing_between;

/// Longest cycle, seconds (GMNS).
pub const MAX_CYCLE_S: f64 = 600.0;

/// Time between two greens that nobody uses, seconds: HCM 6th edition, chapter 19, start-up lost
/// time 2 s and clearance lost time 2 s.
const LOST_TIME_S: f64 = 4.0;
/// Cycle of a default plan in seconds by its number of phases: pedestrian crossing, crossing of
/// two roads, three, four and more. Within 60 to 120 s, as the Signal Timing Manual, 2nd edition
/// (NCHRP report 812) has for urban streets.
const CYCLES_S: [f64; 4] = [60.0, 90.0, 105.0, 120.0];
/// What a pedestrian crossing takes of the cycle: 7 s walk and 14 s clearance, a road of 14 m at
/// 1 m/s (Manual on Uniform Traffic Control Devices, 4E.06).
const WALK_S: f64 = 21.0;
/// Least green of a phase in a default plan, seconds.
const LEAST_GREEN_S: f64 = 7.0;
/// Approaches within this angle of each other, or of the opposite, go together.
const AXIS_DEG: f64 = 45.0;

/// Whom a phase lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Release {
    /// The link that is left.
    pub from: LinkIndex,
    /// The link that is entered; `None`: any that is allowed.
    pub to: Option<LinkIndex>,
}

/// One green for some movements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The ring it belongs to; the phases of a ring follow each other.
    pub ring: u8,
    /// Green, seconds.
    pub green_s: f64,
    /// Yellow and all-red behind it, seconds.
    pub clearance_s: f64,
    /// Whom it lets go.
    pub releases: Vec<Release>,
}

/// A fixed-time plan. Only [`SignalPlan::new`] makes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalPlan {
    cycle_s: f64,
    offset_s: f64,
    phases: Vec<Phase>,
}

/// Why a plan cannot run.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum SignalError {
    #[error("cycle {0} s is not within 1 to {MAX_CYCLE_S}")]
    Cycle(f64),
    #[error("offset {0} s is not within 0 and the cycle")]
    Offset(f64),
    #[error("it has no phase")]
    NoPhase,
    #[error("a green or clearance of {0} s is not 0 or more")]
    Time(f64),
    #[error("ring {ring} takes {takes_s} s, more than its cycle")]
    Ring { ring: u8, takes_s: f64 },
}

impl SignalPlan {
    /// From its times, all in seconds.
    ///
    /// # Errors
    /// When the cycle, the offset or a time is out of range or a ring is longer than the cycle.
    pub fn new(cycle_s: f64, offset_s: f64, phases: Vec<Phase>) -> Result<SignalPlan, SignalError> {
        if !(1.0..=MAX_CYCLE_S).contains(&cycle_s) {
            return Err(SignalError::Cycle(cycle_s));
        }
        if !(0.0..cycle_s).contains(&offset_s) {
            return Err(SignalError::Offset(offset_s));
        }
        if phases.is_empty() {
            return Err(SignalError::NoPhase);
        }
        for phase in &phases {
            for time in [phase.green_s, phase.clearance_s] {
                if !(0.0..=MAX_CYCLE_S).contains(&time) {
                    return Err(SignalError::Time(time));
                }
            }
        }
        let mut rings: Vec<u8> = phases.iter().map(|phase| phase.ring).collect();
        rings.sort_unstable();
        rings.dedup();
        for ring in rings {
            let own = phases.iter().filter(|phase| phase.ring == ring);
            let takes_s: f64 = own.map(|phase| phase.green_s + phase.clearance_s).sum();
            // Sums of decimal seconds may miss the cycle by a rounding.
            if takes_s > cycle_s + 1e-6 {
                return Err(SignalError::Ring { ring, takes_s });
            }
        }
        Ok(SignalPlan { cycle_s, offset_s, phases })
    }

    /// Length of the cycle, seconds.
    pub fn cycle_s(&self) -> f64 {
        self.cycle_s
    }

    /// When a cycle starts, seconds after a multiple of the cycle.
    pub fn offset_s(&self) -> f64 {
        self.offset_s
    }

    /// The phases; those of a ring in their order.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Every green with its start and end in seconds from the start of the cycle.
    pub fn greens(&self) -> impl Iterator<Item = (&Phase, f64, f64)> {
        self.phases.iter().enumerate().map(|(at, phase)| {
            let before = self.phases[..at].iter().filter(|other| other.ring == phase.ring);
            let start: f64 = before.map(|other| other.green_s + other.clearance_s).sum();
            (phase, start, (start + phase.green_s).min(self.cycle_s))
        })
    }

    /// Share of the cycle in which a movement has green; 0 where no phase names it.
    pub fn green_share(&self, from: LinkIndex, to: LinkIndex) -> f64 {
        let mut spans: Vec<(f64, f64)> = self
            .greens()
            .filter(|(phase, ..)| {
                let lets = |release: &Release| {
                    release.from == from && release.to.is_none_or(|only| only == to)
                };
                phase.releases.iter().any(lets)
            })
            .map(|(_, start, end)| (start, end))
            .collect();
        spans.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut green, mut reached) = (0.0, 0.0);
        for (start, end) in spans {
            green += (end - start.max(reached)).max(0.0);
            reached = end.max(reached);
        }
        green / self.cycle_s
    }

    /// Sorts the releases of each phase and joins those that are all movements of one link.
    pub(super) fn join_releases<'a>(
        &mut self,
        movements: impl Fn(LinkIndex) -> &'a [super::Movement],
    ) {
        for phase in &mut self.phases {
            let mut whole: Vec<LinkIndex> = Vec::new();
            for release in &phase.releases {
                let lets = |movement: &super::Movement| {
                    let one = Release { from: release.from, to: Some(movement.to) };
                    phase.releases.contains(&one)
                };
                let all = movements(release.from);
                if release.to.is_none() || !all.is_empty() && all.iter().all(lets) {
                    whole.push(release.from);
                }
            }
            phase.releases.retain(|release| !whole.contains(&release.from));
            phase.releases.extend(whole.iter().map(|from| Release { from: *from, to: None }));
            phase.releases.sort_unstable();
            phase.releases.dedup();
        }
    }
}

/// A plan for a junction that has a signal: approaches in line with each other go together, the
/// axis with the greatest road first, and green is shared by the heaviest approach of each axis
/// (class and lanes; there are no counts here). A signal with one axis is a pedestrian crossing.
/// `None` where there is no signal or nothing comes in.
pub(super) fn default_plan(network: &Network, junction: JunctionIndex) -> Option<SignalPlan> {
    if network.junction(junction).control() != Control::Signal {
        return None;
    }
    let axes = axes(network, junction);
    let cycle_s = CYCLES_S[axes.len().checked_sub(1)?.min(CYCLES_S.len() - 1)];
    let count = axes.len() as f64;
    let lost_s = LOST_TIME_S * count + if axes.len() == 1 { WALK_S } else { 0.0 };
    let least_s = LEAST_GREEN_S.min((cycle_s - lost_s) / count);
    let spare_s = cycle_s - lost_s - least_s * count;
    let total: f64 = axes.iter().map(|axis| axis.weight).sum();
    let phases = axes.iter().map(|axis| Phase {
        ring: 1,
        green_s: least_s + spare_s * axis.weight / total,
        clearance_s: LOST_TIME_S,
        releases: axis.links.iter().map(|from| Release { from: *from, to: None }).collect(),
    });
    SignalPlan::new(cycle_s, 0.0, phases.collect()).ok()
}

struct Axis {
    bearing_deg: f64,
    weight: f64,
    links: Vec<LinkIndex>,
}

/// The approaches by direction, the heaviest first.
fn axes(network: &Network, junction: JunctionIndex) -> Vec<Axis> {
    let mut approaches: Vec<(f64, LinkIndex)> = network
        .incoming(junction)
        .iter()
        .map(|link| {
            let class = network.link(*link).class();
            (class.green_weight() * network.link(*link).lanes().count(), *link)
        })
        .collect();
    approaches.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut axes: Vec<Axis> = Vec::new();
    for (weight, link) in approaches {
        let line = network.line(link);
        let bearing_deg =
            line.len().checked_sub(2).map_or(0.0, |at| bearing_between(line[at], line[at + 1]));
        match axes.iter_mut().find(|known| across(known.bearing_deg, bearing_deg) <= AXIS_DEG) {
            Some(known) => known.links.push(link),
            None => axes.push(Axis { bearing_deg, weight, links: vec![link] }),
        }
    }
    axes
}

/// Angle between two lines without direction, 0 to 90 degrees.
fn across(one_deg: f64, other_deg: f64) -> f64 {
    let turn = (one_deg - other_deg).rem_euclid(180.0);
    turn.min(180.0 - turn)
}
