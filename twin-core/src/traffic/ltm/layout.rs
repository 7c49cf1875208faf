//! Steps and rings: how finely each junction is stepped, and where each curve lies.
//!
//! A junction may look ahead no further than vehicles take to reach it and waves to leave it: its
//! step must not exceed L/u of any link into it nor L/w of any link out of it. So junctions at
//! short links are stepped finer, by halves: 2, 4 … 64 times in a step of the plan, and all others
//! are not. Each curve is written at its own junction's pace. Travel times and storage stay as
//! they are, whatever the length; only a link shorter than u·Δ/64 (a metre, at city speed and
//! Δ = 4 s) gets the travel time of one finest step, less than Δ/64 too long.

use super::batch::Batch;
use super::change::Factors;
use super::curve::{Curve, Lag};
use super::network::Network;

/// Finest: 2^6 steps in a step of the plan.
const FINEST: u32 = 6;

/// How the network is stepped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    /// Ticks in a step of the plan: 2^levels.
    pub(super) levels: u32,
    /// Seconds in a tick.
    pub(super) tick_s: f64,
    /// Junctions by the ticks between their steps, coarse first.
    pub(super) paces: Vec<(u64, Vec<Batch>)>,
    /// Per link, the curve at its entrance.
    pub(super) up: Vec<Curve>,
    /// Per link, the curve at its exit.
    pub(super) down: Vec<Curve>,
    lengths: (usize, usize),
}

/// The fastest and slowest a link will ever be: factors of its free speed.
pub(super) type Range = (f64, f64);

/// A factor range grown by one more edit.
pub(super) fn widen((slow, fast): Range, factors: Factors) -> Range {
    (slow * factors.speed.min(1.0), fast * factors.speed.max(1.0))
}

impl Layout {
    /// For a step, and the speeds each link will have.
    pub(super) fn new(network: &Network, step_s: f64, ranges: &[Range]) -> Layout {
        let levels = finenesses(network, step_s, ranges);
        let finest = levels.iter().copied().max().unwrap_or(0);
        let tick_s = step_s / f64::from(1_u32 << finest);
        let mut paces: Vec<(u64, Vec<u32>)> =
            (0..=finest).map(|level| (1 << (finest - level), Vec::new())).collect();
        for (junction, level) in (0_u32..).zip(&levels) {
            paces[*level as usize].1.push(junction);
        }
        let paces = paces.into_iter().filter(|(_, junctions)| !junctions.is_empty());
        let paces = paces.map(|(pace, junctions)| (pace, Batch::all(network, &junctions)));
        let mut layout = Layout {
            levels: finest,
            tick_s,
            paces: paces.collect(),
            up: vec![Curve::default(); ranges.len()],
            down: vec![Curve::default(); ranges.len()],
            lengths: (0, 0),
        };
        layout.place(network, ranges, &levels);
        layout
    }

    /// Gives each curve its ring: in the order in which they are read, because it is reading that
    /// has to wait.
    fn place(&mut self, network: &Network, ranges: &[Range], levels: &[u32]) {
        let (finest, tick_s, step) = (self.levels, self.tick_s, self.step());
        let (mut up_end, mut down_end) = (0, 0);
        // The writer may be a step of the plan ahead of the reader, who looks from a tick ahead.
        for (number, (link, range)) in network.inside().iter().zip(ranges).enumerate() {
            let reach = Lag::new(link.length_m / (link.free_speed_mps * range.0) / tick_s).whole;
            let up = Curve::new(up_end, finest - levels[link.from as usize], reach + step - 1);
            (self.up[number], up_end) = (up, up.end());
        }
        for junction in 0..network.junctions() {
            for out in network.outs_by_kind(junction).0 {
                let link = &network.inside()[*out as usize];
                let room = Lag::new(link.length_m / link.wave_speed_mps / tick_s).whole;
                let down = Curve::new(down_end, finest - levels[link.to as usize], room + step - 1);
                (self.down[*out as usize], down_end) = (down, down.end());
            }
        }
        self.lengths = (up_end as usize, down_end as usize);
    }

    /// The most ways in and out of a batch.
    pub(super) fn widest(&self) -> (usize, usize) {
        let sizes = self.paces.iter().flat_map(|(_, batches)| batches).map(Batch::size);
        sizes.fold((0, 0), |most, size| (most.0.max(size.0), most.1.max(size.1)))
    }

    /// Ticks in a step of the plan.
    pub(super) fn step(&self) -> u64 {
        1 << self.levels
    }

    /// Lengths of the tables of rings: entrances, exits.
    pub(super) fn lengths(&self) -> (usize, usize) {
        self.lengths
    }
}

/// Per junction, how many times its step is halved.
fn finenesses(network: &Network, step_s: f64, ranges: &[Range]) -> Vec<u32> {
    let halvings = |longest_s: f64| {
        (0..FINEST)
            .find(|level| step_s / f64::from(1_u32 << level) <= longest_s * (1.0 + 1e-9))
            .unwrap_or(FINEST)
    };
    let mut levels = vec![0; network.junctions()];
    for (link, range) in network.inside().iter().zip(ranges) {
        let reach = halvings(link.length_m / (link.free_speed_mps * range.1));
        let room = halvings(link.length_m / link.wave_speed_mps);
        let (from, to) = (link.from as usize, link.to as usize);
        levels[to] = reach.max(levels[to]);
        levels[from] = room.max(levels[from]);
    }
    levels
}
