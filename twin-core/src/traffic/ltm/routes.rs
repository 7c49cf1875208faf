//! Routes: per destination, where each way in goes on, by the shortest current travel time.
//!
//! One search backwards from each destination over links, so that forbidden turns are kept. A way
//! in gets its route from the first of its links that the search settles, which is its shortest;
//! so every link enters the heap once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::network::Network;
use super::plan::{Plan, Way};
use super::state::State;

/// No route, or no column.
pub(super) const NONE: u8 = u8::MAX;

/// The slowest a queue is taken to move, as a part of capacity.
const CREEP: f64 = 0.01;

/// The routes to all destinations.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    destinations: usize,
    theta: Option<f32>,
    /// Per way in and destination, its best movement, counted from the way's first; or [`NONE`].
    best: Vec<u8>,
    /// With logit, per movement and destination, its share.
    weights: Vec<f32>,
    /// First movement of each way in.
    first: Vec<u32>,
    /// Per link, seconds to pass it.
    times: Vec<f32>,
    /// Per way in, seconds from its end to the destination.
    remaining: Vec<f32>,
    /// Per link, who had entered and left when routes were last chosen, and when that was.
    marks: Vec<(f64, f64)>,
    marked_s: f64,
    /// Seconds and link, in one number, nearest first.
    heap: BinaryHeap<Reverse<u64>>,
}

impl PartialEq for Routes {
    // The heap is empty between searches.
    fn eq(&self, other: &Routes) -> bool {
        (self.destinations, self.theta, &self.best, &self.weights, &self.times, &self.marks)
            == (
                other.destinations,
                other.theta,
                &other.best,
                &other.weights,
                &other.times,
                &other.marks,
            )
    }
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
        let weights = if theta.is_some() { network.movements() * destinations } else { 0 };
        let first = (0..=network.ways_in()).map(|way| match way {
            _ if way < network.ways_in() => network.moves(way).start,
            _ => network.movements(),
        });
        let first = first.map(|start| u32::try_from(start).expect("movements fit 32 bits"));
        Routes {
            destinations,
            theta: theta.map(single),
            best: vec![NONE; network.ways_in() * destinations],
            weights: vec![0.0; weights],
            first: first.collect(),
            times: vec![0.0; links],
            remaining: vec![f32::INFINITY; network.ways_in()],
            marks: vec![(0.0, 0.0); links],
            marked_s: 0.0,
            heap: BinaryHeap::with_capacity(links),
        }
    }

    /// Whether there is a route.
    pub(super) fn leads(&self, way: usize, to: usize) -> bool {
        self.best[way * self.destinations + to] != NONE
    }

    /// The part of those to a destination that takes a movement, which is number `place` of its
    /// way in; the parts sum to 1, or to 0 where there is no route.
    pub(super) fn part(&self, way: usize, (place, movement): (usize, usize), to: u8) -> f32 {
        let to = usize::from(to);
        match self.theta {
            Some(_) => self.weights[movement * self.destinations + to],
            None => {
                f32::from(u8::from(usize::from(self.best[way * self.destinations + to]) == place))
            }
        }
    }

    /// Chooses anew, from the travel times of now.
    pub(super) fn choose(&mut self, plan: &Plan, state: &State) {
        let now_s = state.time_s(plan);
        self.look(plan, state, now_s - self.marked_s);
        self.marked_s = now_s;
        for to in 0..self.destinations {
            self.search(plan.network(), &state.conditions.barred, to);
            if let Some(theta) = self.theta {
                self.weigh(plan.network(), &state.conditions.barred, (to, theta));
            }
        }
    }

    /// Times to pass each link, for who turns into it now.
    fn look(&mut self, plan: &Plan, state: &State, elapsed_s: f64) {
        let network = plan.network();
        for (link, now) in state.conditions.links.iter().enumerate() {
            let (exit, entrance) = (&state.exits[link], &state.entrances[link]);
            let mark = &mut self.marks[link];
            // Who comes now passes when all before have passed, at the rate of late.
            let wait = |before: f64, passed: f64| {
                let rate = if elapsed_s > 0.0 { passed / elapsed_s } else { now.capacity };
                before / rate.max(CREEP * now.capacity).max(1e-6)
            };
            let mut time_s = network.inside()[link].length_m / now.speed;
            if exit.arrived - exit.count > 1e-6 {
                time_s = time_s.max(wait(entrance.count - exit.count, exit.count - mark.1));
            }
            // A link that takes too few makes them wait before it. They stand on the links before,
            // but it is this one that is slow.
            if entrance.held {
                let queued = |(way, movement): &(u32, u32)| {
                    let end = state.exits.get(*way as usize)?;
                    let share = state.conditions.shares[*movement as usize];
                    Some((end.arrived - end.count).max(0.0) * share)
                };
                let before = network.feeders(link).iter().filter_map(queued).sum();
                time_s += wait(before, entrance.count - mark.0);
            }
            self.times[link] = single(time_s);
            *mark = (entrance.count, exit.count);
        }
    }

    /// Shortest ways to one destination (Dijkstra 1959).
    fn search(&mut self, network: &Network, barred: &[bool], to: usize) {
        self.remaining.fill(f32::INFINITY);
        for way in 0..self.remaining.len() {
            self.best[way * self.destinations + to] = NONE;
        }
        self.settle(network, barred, (network.links().len() + to, to), 0.0);
        while let Some(Reverse(key)) = self.heap.pop() {
            let (link, seconds) = unpack(key);
            self.settle(network, barred, (link, to), seconds);
        }
    }

    /// All ways in that lead to a way out and have no route yet, get one through it.
    fn settle(&mut self, network: &Network, barred: &[bool], (out, to): (usize, usize), s: f32) {
        for (way, movement) in network.feeders(out) {
            let number = *way as usize;
            if self.remaining[number].is_finite() || barred[*movement as usize] {
                continue;
            }
            self.remaining[number] = s;
            let place = *movement - self.first[number];
            self.best[number * self.destinations + to] =
                u8::try_from(place).expect("checked by the plan: at most 254 ways out");
            if let Some(time) = self.times.get(number) {
                self.heap.push(Reverse(pack(*way, s + time)));
            }
        }
    }

    /// Logit shares among the movements that bring one nearer (Dial 1971): no loops.
    fn weigh(&mut self, network: &Network, barred: &[bool], (to, theta): (usize, f32)) {
        let links = network.links().len();
        for way in 0..network.ways_in() {
            let mut sum = 0.0;
            for (movement, place) in network.moves(way).zip(0..) {
                let out = network.target(movement) as usize;
                let weight = if out < links {
                    let (after, here) = (self.remaining[out], self.remaining[way]);
                    let longer = self.times[out] + after - here;
                    // In seven digits, the best may seem no nearer.
                    let nearer = after < here || self.best[way * self.destinations + to] == place;
                    if nearer && here.is_finite() { (-theta * longer).exp() } else { 0.0 }
                } else {
                    f32::from(u8::from(out == links + to))
                };
                let weight = if barred[movement] { 0.0 } else { weight };
                self.weights[movement * self.destinations + to] = weight;
                sum += weight;
            }
            if sum > 0.0 {
                for movement in network.moves(way) {
                    self.weights[movement * self.destinations + to] /= sum;
                }
            }
        }
    }
}

/// Seconds in the high half, the link in the low: the bits of numbers from 0 on are in their order.
fn pack(link: u32, seconds: f32) -> u64 {
    (u64::from(seconds.to_bits()) << 32) | u64::from(link)
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
fn unpack(key: u64) -> (usize, f32) {
    (key as u32 as usize, f32::from_bits((key >> 32) as u32))
}

#[expect(clippy::cast_possible_truncation, reason = "seconds and weights need seven digits")]
fn single(x: f64) -> f32 {
    x as f32
}
