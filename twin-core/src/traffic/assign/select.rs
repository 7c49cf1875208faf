//! Select link: whose trips a link carries.

use std::ops::ControlFlow;

use super::equilibrium::Equilibrium;
use crate::pace::{Pace, unwatched, walked};

/// Trips of one pair that use the link in question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Through {
    /// From here.
    pub origin: u32,
    /// To there.
    pub destination: u32,
    /// So many of them use the link.
    pub trips: f64,
}

impl Equilibrium {
    /// Who uses a link: every pair with trips on it, in order. Together they are the link's flow.
    /// Of many path flows with the same link flows, this is the one where everybody who meets at a
    /// junction goes the same shares of the ways (within one origin). A link that is none has
    /// nobody. Cost: O(origins · bush links).
    pub fn through(&self, link: u32) -> Vec<Through> {
        unwatched(|pace| self.through_at(link, pace))
    }

    /// The same; breaks off where whoever watches says stop.
    pub(crate) fn through_at(
        &self,
        link: u32,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Vec<Through>> {
        let mut found = Vec::new();
        let mut share = Vec::new();
        for bush in &self.bushes {
            walked(2 * bush.link.len());
            pace.worked(2 * bush.link.len())?;
            if !bush.link.contains(&link) {
                continue;
            }
            // By position: the share of what comes through it that has used the link.
            share.clear();
            share.resize(bush.len(), 0.0);
            for position in 1..bush.len() {
                let (mut all, mut through) = (0.0, 0.0);
                for way in bush.ways_in(position) {
                    let flow = bush.flow[way];
                    let used = bush.link[way] == link;
                    all += flow;
                    through += if used { flow } else { flow * share[bush.tail[way] as usize] };
                }
                if all > 0.0 {
                    share[position] = through / all;
                }
            }
            let origin = bush.junction[0];
            let first = found.len();
            for ((&destination, &trips), &share) in
                bush.junction.iter().zip(&bush.trips).zip(&share)
            {
                if trips * share > 0.0 {
                    found.push(Through { origin, destination, trips: trips * share });
                }
            }
            found[first..].sort_unstable_by_key(|pair| pair.destination);
        }
        ControlFlow::Continue(found)
    }
}
