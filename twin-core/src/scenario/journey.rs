//! Travel times along the way that is quickest at the speeds of an outcome: who enters a link takes
//! as long as the mean speed of that interval says.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use super::outcome::{Interval, JourneyTimes, OutcomeLink};
use super::resolve::Resolved;
use crate::pace::{Pace, walked};
use crate::road::{JunctionIndex, LinkIndex, MovementIndex};

/// Links walked over that a movement of the search is taken for.
const SEARCH: usize = 5;

/// Travel times of all journeys for leaving at the begin of each interval; breaks off where whoever
/// watches says stop.
///
/// Cost: journeys · intervals · links · log links (Dijkstra 1959, over links so that bans hold).
pub(super) fn times(
    resolved: &Resolved<'_>,
    links: &[OutcomeLink],
    intervals: &[Interval],
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Vec<JourneyTimes>> {
    let network = &resolved.network;
    let roads = Roads { resolved, links, intervals };
    let mut told = Vec::with_capacity(resolved.journeys.len());
    for &(from, to) in &resolved.journeys {
        let mut seconds = Vec::with_capacity(intervals.len());
        for start in intervals {
            seconds.push(roads.quickest((from, to), start.from_s, pace)?);
        }
        let (from, to) = (network.junction(from).key().clone(), network.junction(to).key().clone());
        told.push(JourneyTimes { from, to, seconds });
    }
    ControlFlow::Continue(told)
}

struct Roads<'a> {
    resolved: &'a Resolved<'a>,
    links: &'a [OutcomeLink],
    intervals: &'a [Interval],
}

impl Roads<'_> {
    fn quickest(
        &self,
        (from, to): (JunctionIndex, JunctionIndex),
        leaving_s: f64,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Option<f64>> {
        if from == to {
            return ControlFlow::Continue(Some(0.0));
        }
        let network = &self.resolved.network;
        walked(network.links().len());
        pace.worked(network.links().len())?;
        let mut settled = vec![false; network.links().len()];
        let mut heap = BinaryHeap::new();
        for link in network.outgoing(from) {
            self.enter(*link, leaving_s, &mut heap);
        }
        while let Some(Reverse((bits, link))) = heap.pop() {
            if std::mem::replace(&mut settled[link.slot()], true) {
                continue;
            }
            // Times are above 0, so their bits are in their order.
            let left_s = f64::from_bits(bits);
            if network.link(link).to() == to {
                return ControlFlow::Continue(Some(left_s - leaving_s));
            }
            let onwards = network.movement_range(link);
            walked(onwards.len());
            pace.worked(SEARCH * onwards.len())?;
            for at in onwards {
                let next = network.movements()[at].to;
                if !settled[next.slot()] && !self.is_banned(MovementIndex::at(at), left_s) {
                    self.enter(next, left_s, &mut heap);
                }
            }
        }
        ControlFlow::Continue(None)
    }

    fn enter(
        &self,
        link: LinkIndex,
        time_s: f64,
        heap: &mut BinaryHeap<Reverse<(u64, LinkIndex)>>,
    ) {
        let now = self.resolved.links.get(&link);
        let now = now.map(|line| line.at(self.resolved.network.link(link), time_s));
        if now.is_some_and(|now| !now.open || now.capacity <= 0.0) {
            return;
        }
        let next = self.intervals.partition_point(|interval| interval.from_s <= time_s);
        let Some(interval) = self.intervals.get(next.saturating_sub(1)) else { return };
        let speed_kmh = interval.links[link.slot()].speed_kmh;
        let takes_s = self.links[link.slot()].length_km / speed_kmh * 3_600.0;
        if takes_s.is_finite() {
            heap.push(Reverse(((time_s + takes_s).to_bits(), link)));
        }
    }

    fn is_banned(&self, movement: MovementIndex, time_s: f64) -> bool {
        self.resolved
            .bans
            .iter()
            .any(|((from, until), ban)| *ban == movement && *from <= time_s && time_s < *until)
    }
}
