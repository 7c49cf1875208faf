//! How long each link takes who turns into it now, as routes see it.

use super::plan::Plan;
use super::state::State;

/// From how many on, in pcu, those who wait are a queue that routes heed.
const QUEUE: f64 = 1e-3;

/// The slowest a queue is taken to move, as a part of capacity.
const CREEP: f64 = 0.01;

/// Seconds to pass each link.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Times {
    seconds: Vec<f32>,
    /// Per link, who had entered and left when this was last looked at, and when that was.
    marks: Vec<(f64, f64)>,
    marked_s: f64,
}

impl Times {
    /// Not looked at yet.
    pub(super) fn new(links: usize) -> Times {
        Times { seconds: vec![0.0; links], marks: vec![(0.0, 0.0); links], marked_s: 0.0 }
    }

    /// Per link, by the model's numbers.
    pub(super) fn seconds(&self) -> &[f32] {
        &self.seconds
    }

    /// Looks at the traffic. Gives whether any time has changed.
    pub(super) fn look(&mut self, plan: &Plan, state: &State) -> bool {
        let network = plan.network();
        let now_s = state.time_s(plan);
        let elapsed_s = now_s - std::mem::replace(&mut self.marked_s, now_s);
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
            let before = std::mem::replace(&mut self.seconds[link], single(time_s));
            changed |= before.to_bits() != self.seconds[link].to_bits();
            *mark = (road.entered, road.left);
        }
        changed
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds and weights need seven digits")]
pub(super) fn single(x: f64) -> f32 {
    x as f32
}
