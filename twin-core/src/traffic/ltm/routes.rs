//! Routes: per destination, where each way in goes on, by the shortest current travel time.
//!
//! Times to all destinations are found together, one row of them a link: sweeps over the links, up
//! and down, in which a link takes the shortest of what follows it, until none gets shorter
//! (Bellman 1958; a link is looked at only when one that follows has changed). A row is a few
//! vector instructions, where a search by destination would be a heap of its own. Over links, not
//! junctions, so that forbidden turns are kept. The result is the one of the shortest ways, in
//! whatever order they are found; of ways that are equal the first counts.

use super::network::Network;
use super::plan::{Plan, Way};
use super::state::State;

/// No route, or no column.
pub(super) const NONE: u8 = u8::MAX;

/// From how many on, in pcu, those who wait are a queue that routes heed.
const QUEUE: f64 = 1e-3;

/// The slowest a queue is taken to move, as a part of capacity.
const CREEP: f64 = 0.01;

/// The routes to all destinations.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Routes {
    destinations: usize,
    theta: Option<f32>,
    /// Per way in and destination, its best movement, counted from the way's first; or [`NONE`].
    best: Vec<u8>,
    /// Per link, seconds to pass it.
    times: Vec<f32>,
    /// Per way in and destination, seconds from its end to there.
    remaining: Vec<f32>,
    /// Forbidden movements when routes were last chosen.
    barred: Vec<bool>,
    /// Per link, whether one that follows it has become nearer since it was looked at.
    open: Vec<bool>,
    /// Seconds of one way in.
    row: Vec<f32>,
    /// Per link, who had entered and left when routes were last chosen, and when that was.
    marks: Vec<(f64, f64)>,
    marked_s: f64,
}

impl Routes {
    /// None yet.
    pub(super) fn new(plan: &Plan) -> Routes {
        let network = plan.network();
        let destinations = network.destinations().len();
        let links = network.links().len();
        let theta = match plan.way() {
            Way::Routes(choice) => choice.theta_per_s,
            Way::Shares(_) => None,
        };
        Routes {
            destinations,
            theta: theta.map(single),
            best: vec![NONE; network.ways_in() * destinations],
            times: vec![0.0; links],
            remaining: vec![f32::INFINITY; network.ways_in() * destinations],
            barred: vec![false; network.movements()],
            open: vec![false; links],
            row: vec![0.0; destinations],
            marks: vec![(0.0, 0.0); links],
            marked_s: 0.0,
        }
    }

    /// Whether there is a route.
    pub(super) fn leads(&self, way: usize, to: usize) -> bool {
        self.best[way * self.destinations + to] != NONE
    }

    /// The parts of those on a way to a destination that take each of its movements: they sum to
    /// 1, or to 0 where there is no route. All on the shortest, or logit shares among the movements
    /// that bring one nearer (Dial 1971): no loops.
    pub(super) fn parts(&self, network: &Network, way: usize, to: u8, parts: &mut [f32]) {
        let at = |way: usize| way * self.destinations + usize::from(to);
        let best = self.best[at(way)];
        parts.fill(0.0);
        if best == NONE {
            return;
        }
        parts[usize::from(best)] = 1.0;
        let (Some(theta), links) = (self.theta, self.times.len()) else { return };
        let (moves, here) = (network.moves(way), self.remaining[at(way)]);
        let nearer = |movement: usize| {
            let out = network.target(movement) as usize;
            out < links && !self.barred[movement] && self.remaining[at(out)] < here
        };
        let is_best = |place: usize| place == usize::from(best);
        if !moves.clone().enumerate().any(|(place, movement)| !is_best(place) && nearer(movement)) {
            return;
        }
        let mut sum = 0.0;
        for ((place, movement), part) in moves.enumerate().zip(parts.iter_mut()) {
            let out = network.target(movement) as usize;
            // In seven digits, the best may seem no nearer.
            if out < links && (nearer(movement) || is_best(place)) {
                let longer = self.times[out] + self.remaining[at(out)] - here;
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
    pub(super) fn choose(&mut self, plan: &Plan, state: &State) -> bool {
        let now_s = state.time_s(plan);
        let mut changed = self.look(plan, state, now_s - self.marked_s);
        changed |= self.barred != state.conditions.barred;
        self.marked_s = now_s;
        if changed {
            self.barred.clone_from(&state.conditions.barred);
            self.search(plan.network());
        }
        changed
    }

    /// Times to pass each link, for who turns into it now. Gives whether any has changed.
    fn look(&mut self, plan: &Plan, state: &State, elapsed_s: f64) -> bool {
        let network = plan.network();
        let mut changed = false;
        for (link, now) in state.conditions.links.iter().enumerate() {
            let road = &state.roads[link];
            let capacity = now.most / plan.step_s();
            let mark = &mut self.marks[link];
            // Who comes now passes when all before have passed, at the rate of late.
            let wait = |before: f64, passed: f64| {
                let rate = if elapsed_s > 0.0 { passed / elapsed_s } else { capacity };
                before / rate.max(CREEP * capacity).max(1e-6)
            };
            let mut time_s = network.inside()[link].length_m / now.speed;
            if road.arrived - road.left > QUEUE {
                time_s = time_s.max(wait(road.entered - road.left, road.left - mark.1));
            }
            // A link that takes too few makes them wait before it. They stand on the links before,
            // but it is this one that is slow.
            if state.held[link] {
                let queued = |(way, movement): &(u32, u32)| {
                    let end = state.roads.get(*way as usize)?;
                    let share = state.conditions.shares[*movement as usize];
                    Some((end.arrived - end.left).max(0.0) * share)
                };
                let before = network.feeders(link).iter().filter_map(queued).sum();
                time_s += wait(before, road.entered - mark.0);
            }
            let before = std::mem::replace(&mut self.times[link], single(time_s));
            changed |= before.to_bits() != self.times[link].to_bits();
            *mark = (road.entered, road.left);
        }
        changed
    }

    /// Shortest ways to all destinations.
    fn search(&mut self, network: &Network) {
        let links = self.times.len();
        self.remaining.fill(f32::INFINITY);
        self.open.fill(false);
        for to in 0..self.destinations {
            for (way, _) in network.feeders(links + to) {
                self.reopen(*way as usize);
            }
        }
        let mut upward = false;
        while self.open.contains(&true) {
            upward = !upward;
            for step in 0..links {
                let link = if upward { step } else { links - 1 - step };
                if std::mem::replace(&mut self.open[link], false) && self.shorten(network, link) {
                    for (way, _) in network.feeders(link) {
                        self.reopen(*way as usize);
                    }
                }
            }
        }
        for origin in links..network.ways_in() {
            self.shorten(network, origin);
        }
        for way in 0..network.ways_in() {
            self.point(network, way);
        }
    }

    fn reopen(&mut self, way: usize) {
        if let Some(open) = self.open.get_mut(way) {
            *open = true;
        }
    }

    /// Takes the shortest of what follows a way in: what follows only gets nearer in a search.
    /// Gives whether that is shorter than before.
    fn shorten(&mut self, network: &Network, way: usize) -> bool {
        let (links, count) = (self.times.len(), self.destinations);
        let Routes { row, remaining, .. } = self;
        row.copy_from_slice(&remaining[way * count..(way + 1) * count]);
        let mut shorter = false;
        for movement in network.moves(way).filter(|movement| !self.barred[*movement]) {
            let out = network.target(movement) as usize;
            let Some(time) = self.times.get(out) else {
                shorter |= row[out - links] > 0.0;
                row[out - links] = 0.0;
                continue;
            };
            let mut nearer = 0_u32;
            for (least, after) in row.iter_mut().zip(&remaining[out * count..(out + 1) * count]) {
                let seconds = after + time;
                nearer |= u32::from(seconds < *least);
                *least = if seconds < *least { seconds } else { *least };
            }
            shorter |= nearer != 0;
        }
        if shorter {
            remaining[way * count..(way + 1) * count].copy_from_slice(row);
        }
        shorter
    }

    /// Finds the movements that the times of a way in come from.
    fn point(&mut self, network: &Network, way: usize) {
        let (links, count) = (self.times.len(), self.destinations);
        let span = way * count..(way + 1) * count;
        let (best, here) = (&mut self.best[span.clone()], &self.remaining[span]);
        best.fill(NONE);
        for (movement, place) in network.moves(way).zip(0_u8..) {
            if self.barred[movement] {
                continue;
            }
            let out = network.target(movement) as usize;
            let Some(time) = self.times.get(out) else {
                best[out - links] = place;
                continue;
            };
            let after = &self.remaining[out * count..(out + 1) * count];
            for ((best, here), after) in best.iter_mut().zip(here).zip(after) {
                let through = here.is_finite() && (after + time).to_bits() == here.to_bits();
                *best = if through && *best == NONE { place } else { *best };
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds and weights need seven digits")]
pub(super) fn single(x: f64) -> f32 {
    x as f32
}
