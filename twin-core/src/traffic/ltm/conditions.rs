//! How links and movements are right now: the base with the edits that hold. Brought up to date
//! only when an edit or a turning piece begins or ends, and then only where it acts.

use super::change::{Change, Factors};
use super::charges::Charges;
use super::curve::Lag;
use super::network::Network;
use super::plan::{Plan, Way};
use super::turning::by_capacity;

/// A movement that somebody takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Turn {
    /// The part of its way in that takes it.
    pub(super) share: f64,
    /// The way out it leads to.
    pub(super) to: u32,
}

/// A link, now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Now {
    /// At both ends, in pcu a step.
    pub(super) most: f64,
    /// In a jam, in pcu.
    pub(super) storage: f64,
    /// From the entrance to the exit at free speed.
    pub(super) reach: Lag,
    /// From the exit to the entrance at wave speed.
    pub(super) room: Lag,
    /// Free speed in m/s, as stepped.
    pub(super) speed: f64,
    /// Whether anybody may enter.
    pub(super) open: bool,
}

/// Everything that edits change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conditions {
    pub(super) links: Vec<Now>,
    /// Per movement, the share of its way in that takes it. With routing by destination, those of
    /// who is first in the queue (see `mix.rs`).
    pub(super) shares: Vec<f64>,
    /// Those of each way in that have a share, the largest share first, in as much room as it has
    /// movements. Not kept with routing by destination.
    turns: Vec<Turn>,
    /// Per way in, where its turns begin and how many there are.
    spans: Vec<(u32, u32)>,
    /// Per movement, whether it is forbidden or leads to a closed link.
    pub(super) barred: Vec<bool>,
    pub(super) charges: Charges,
    /// How many of the plan's events have been.
    pub(super) events: usize,
}

impl Conditions {
    /// At a time.
    pub(super) fn at(plan: &Plan, time_s: f64) -> Conditions {
        let network = plan.network();
        let mut conditions = Conditions {
            links: (0..network.inside().len()).map(|link| now(plan, link, time_s)).collect(),
            shares: vec![0.0; network.movements()],
            turns: vec![Turn::default(); network.movements()],
            spans: vec![(0, 0); network.ways_in()],
            barred: vec![false; network.movements()],
            charges: Charges::at(plan, time_s),
            events: plan.events_by(time_s),
        };
        for way in 0..network.ways_in() {
            conditions.turn(plan, way, time_s);
        }
        conditions
    }

    /// The movements of a way in that somebody takes, the largest first; with turning shares.
    pub(super) fn turns(&self, way: usize) -> &[Turn] {
        let (start, count) = self.spans[way];
        &self.turns[start as usize..(start + count) as usize]
    }

    /// Brings a link up to date; gives it as it was.
    pub(super) fn renew(&mut self, plan: &Plan, link: usize, time_s: f64) -> Now {
        std::mem::replace(&mut self.links[link], now(plan, link, time_s))
    }

    /// Brings the movements that the plan's edits touch up to date, when links are. Gives whether
    /// others are barred now, or other charges hold.
    pub(super) fn refresh(&mut self, plan: &Plan, time_s: f64) -> bool {
        let before = std::mem::replace(&mut self.charges, Charges::at(plan, time_s));
        let mut changed = before != self.charges;
        self.events = plan.events_by(time_s);
        for way in plan.changed_ways() {
            changed |= self.turn(plan, *way as usize, time_s);
        }
        changed
    }

    /// Brings the movements of a way in up to date. Gives whether others are barred now.
    fn turn(&mut self, plan: &Plan, way: usize, time_s: f64) -> bool {
        let network = plan.network();
        let span = network.moves(way);
        let mut changed = false;
        for movement in span.clone() {
            let target = self.links.get(network.target(movement) as usize);
            let barred = plan.bans(movement, time_s) || target.is_some_and(|link| !link.open);
            changed |= std::mem::replace(&mut self.barred[movement], barred) != barred;
        }
        if let Way::Shares(shares) = plan.way() {
            let given = shares.at(network, way, time_s);
            let shares = &mut self.shares[span.clone()];
            redistribute(network, way, given, &self.barred[span.clone()], shares);
            let turns = &mut self.turns[span.clone()];
            let count = list(shares, span.clone().map(|movement| network.target(movement)), turns);
            self.spans[way] = (small(span.start), small(count));
        }
        changed
    }
}

/// Lists the movements that have a share, the first with the largest in front; gives how many.
fn list(shares: &[f64], targets: impl Iterator<Item = u32>, turns: &mut [Turn]) -> usize {
    let (mut count, mut largest) = (0, 0);
    for (share, to) in shares.iter().zip(targets).filter(|(share, _)| **share > 0.0) {
        turns[count] = Turn { share: *share, to };
        if *share > turns[largest].share {
            largest = count;
        }
        count += 1;
    }
    // Two states that are the same are the same to the last byte.
    turns[count..].fill(Turn::default());
    if count > 0 {
        turns.swap(0, largest);
    }
    count
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("movements are counted in u32")
}

/// Shares without what is barred, summing to 1, or all 0 when nothing remains.
fn redistribute(network: &Network, way: usize, given: &[f64], barred: &[bool], shares: &mut [f64]) {
    shares.copy_from_slice(given);
    if !barred.contains(&true) {
        return;
    }
    let clear = |shares: &mut [f64]| {
        for (share, barred) in shares.iter_mut().zip(barred) {
            *share = if *barred { 0.0 } else { *share };
        }
        shares.iter().sum::<f64>()
    };
    let mut sum = clear(shares);
    if sum <= 0.0 {
        shares.copy_from_slice(&by_capacity(network, way));
        sum = clear(shares);
    }
    if sum > 0.0 {
        for share in shares {
            *share /= sum;
        }
    }
}

/// A link with all edits that hold at a time.
fn now(plan: &Plan, number: usize, time_s: f64) -> Now {
    let link = &plan.network().inside()[number];
    let holding = plan.changes_of(number).filter(|change: &&Change| change.holds_at(time_s));
    let factors = holding.fold(Factors::NONE, |factors, change| factors.and(change.effect));
    let speed = link.free_speed_mps * factors.speed;
    let wave = link.wave_speed_mps;
    let peak = link.jam_density_pcu_m * speed * wave / (speed + wave);
    let step_s = plan.step_s();
    let reach = Lag::new(link.length_m / speed / step_s);
    Now {
        most: (link.capacity_pcu_s() * factors.capacity).min(peak) * factors.lanes * step_s,
        storage: super::grain::rounded(link.storage_pcu() * factors.lanes),
        reach,
        room: Lag::new(link.length_m / wave / step_s),
        speed: link.length_m / (reach.steps() * step_s),
        open: factors.open,
    }
}
