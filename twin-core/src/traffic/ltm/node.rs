//! The node model: who passes a junction in one step. Tampère, Corthout, Cattrysse & Immers 2011,
//! TR-B 45:289, section 5: the general first-order node model with demand and supply constraints,
//! exact first-in-first-out diverging, and supply shared in proportion to capacity.
//!
//! Every way in sends all it may, or is held by exactly one full way out; a way in that is held
//! passes the same when it wants more, so a step may be split without changing the flows (the
//! invariance principle, Lebacque & Khoshyaran 2005).

/// The ways into one junction. A way's movements are one slice of `places` and `shares`.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaysIn<'a> {
    /// What each would send, in pcu.
    pub(super) sending: &'a [f64],
    /// What each could send, in pcu: its part when supply is shared.
    pub(super) priority: &'a [f64],
    /// Per way, its first movement; one more at the end.
    pub(super) first: &'a [usize],
    /// Per movement, the way out.
    pub(super) places: &'a [u16],
    /// Per movement, its share of the way's flow; they sum to 1.
    pub(super) shares: &'a [f64],
}

impl WaysIn<'_> {
    fn moves(&self, way: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let span = self.first[way]..self.first[way + 1];
        let places = self.places[span.clone()].iter().map(|place| usize::from(*place));
        places.zip(self.shares[span].iter().copied())
    }

    fn uses(&self, way: usize, place: usize) -> bool {
        self.moves(way).any(|(to, share)| to == place && share > 0.0)
    }
}

/// A flow that is not known yet.
const PENDING: f64 = -1.0;

/// What passes from each way in, in pcu. `rooms` is what each way out takes, and ends as what is
/// left of it; `weights` is scratch of the same length. At most one round per way in.
pub(super) fn solve(ways: &WaysIn<'_>, rooms: &mut [f64], weights: &mut [f64], flows: &mut [f64]) {
    for (flow, sending) in flows.iter_mut().zip(ways.sending) {
        *flow = if *sending > 0.0 { PENDING } else { 0.0 };
    }
    while let Some((place, level)) = tightest(ways, rooms, weights, flows) {
        let mut sent_all = false;
        for way in 0..flows.len() {
            let wanted = ways.sending[way] <= level * ways.priority[way];
            if flows[way] < 0.0 && wanted && ways.uses(way, place) {
                pass(ways, way, ways.sending[way], rooms, flows);
                sent_all = true;
            }
        }
        if sent_all {
            continue;
        }
        for way in 0..flows.len() {
            if flows[way] < 0.0 && ways.uses(way, place) {
                pass(ways, way, level * ways.priority[way], rooms, flows);
            }
        }
    }
    for flow in flows {
        *flow = flow.max(0.0);
    }
}

/// The way out that fills first when all pending ways in are opened in proportion to their
/// priority, and how far they are open then.
fn tightest(
    ways: &WaysIn<'_>,
    rooms: &[f64],
    weights: &mut [f64],
    flows: &[f64],
) -> Option<(usize, f64)> {
    weights.fill(0.0);
    for (way, flow) in flows.iter().enumerate() {
        if *flow < 0.0 {
            for (place, share) in ways.moves(way) {
                weights[place] += ways.priority[way] * share;
            }
        }
    }
    let mut tightest: Option<(usize, f64)> = None;
    for (place, (room, weight)) in rooms.iter().zip(&*weights).enumerate() {
        if *weight > 0.0 {
            let level = room.max(0.0) / weight;
            if tightest.is_none_or(|(_, least)| level < least) {
                tightest = Some((place, level));
            }
        }
    }
    tightest
}

fn pass(ways: &WaysIn<'_>, way: usize, flow: f64, rooms: &mut [f64], flows: &mut [f64]) {
    flows[way] = flow;
    for (place, share) in ways.moves(way) {
        rooms[place] -= flow * share;
    }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
