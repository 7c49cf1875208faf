//! How a plan steps a network: in which order, and where the past of each link lies.
//!
//! All junctions take one step of the plan at a time, whatever the length of the links between
//! them. Travel times, wave times and storage stay as they are.

use super::change::Factors;
use super::curve::{Lag, Past};
use super::network::Network;
use super::sequence::Sequence;

/// How the network is stepped.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub(super) sequence: Sequence,
    /// Per link.
    pub(super) pasts: Vec<Past>,
    length: usize,
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
        let roads = || network.inside().iter().zip(ranges);
        let reach = |link: &super::Link, factor: f64| {
            Lag::new(link.length_m / (link.free_speed_mps * factor) / step_s)
        };
        let short: Vec<bool> =
            roads().map(|(link, range)| reach(link, range.1).gain() > 0.0).collect();
        let (mut pasts, mut end) = (Vec::with_capacity(ranges.len()), 0);
        for (link, range) in roads() {
            let room = Lag::new(link.length_m / link.wave_speed_mps / step_s);
            let past = Past::new(end, reach(link, range.0), room);
            end = past.end();
            pasts.push(past);
        }
        Layout { sequence: Sequence::new(network, &short), pasts, length: end as usize }
    }

    /// Length of the table of rings.
    pub(super) fn length(&self) -> usize {
        self.length
    }
}
