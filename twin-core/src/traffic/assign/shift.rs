//! Balancing one bush: at each junction where paths meet again, vehicles move from the costliest
//! used path to the cheapest one, over the stretch where the two differ, by one Newton step (Dial
//! 2006, section 4; Nie 2010, TR-B 44:73).

use super::bush::{Bush, Labels};
use super::loads::Loads;
use super::network::Network;
use super::paths::NONE;

/// The two stretches between a meeting point and where they parted, as ways in. Room used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretches {
    costly: Vec<u32>,
    cheap: Vec<u32>,
}

/// One pass over a bush from the last junction to the first. Differences up to `tolerance` of the
/// cost are left alone. Returns the largest difference found, as a share of the cost.
pub(super) fn balance(
    bush: &mut Bush,
    network: &Network,
    loads: &mut Loads,
    room: (&mut Labels, &mut Stretches),
    tolerance: f64,
) -> f64 {
    let (labels, stretches) = room;
    bush.label_used(&loads.cost, labels);
    let mut worst: f64 = 0.0;
    for position in (1..bush.len()).rev() {
        let (most, least) = (labels.most_in[position], labels.least_in[position]);
        if most == least || most == NONE {
            continue;
        }
        let difference = 1.0 - labels.least[position] / labels.most[position];
        worst = worst.max(difference);
        if difference > tolerance {
            stretches.find(bush, labels, position);
            stretches.shift(bush, network, loads);
        }
    }
    worst
}

impl Stretches {
    /// Follows both paths back until they meet.
    fn find(&mut self, bush: &Bush, labels: &Labels, position: usize) {
        let (mut most, mut least) = (labels.most_in[position], labels.least_in[position]);
        self.costly.clear();
        self.cheap.clear();
        self.costly.push(most);
        self.cheap.push(least);
        let mut costly_at = bush.tail[most as usize] as usize;
        let mut cheap_at = bush.tail[least as usize] as usize;
        // Ways lead to later positions only, so the later of the two cannot be the meeting point.
        while costly_at != cheap_at {
            if costly_at > cheap_at {
                most = labels.most_in[costly_at];
                self.costly.push(most);
                costly_at = bush.tail[most as usize] as usize;
            } else {
                least = labels.least_in[cheap_at];
                self.cheap.push(least);
                cheap_at = bush.tail[least as usize] as usize;
            }
        }
    }

    /// Moves vehicles so that, by the slopes as they are now, both stretches cost the same. Costs
    /// are those of this moment: shifts further on may have changed them since the labels were
    /// made.
    fn shift(&self, bush: &mut Bush, network: &Network, loads: &mut Loads) {
        let (mut difference, mut slope, mut movable) = (0.0, 0.0, f64::INFINITY);
        for &way in &self.costly {
            let link = bush.link[way as usize] as usize;
            difference += loads.cost[link];
            slope += loads.slope[link];
            movable = bush.flow[way as usize].min(movable);
        }
        for &way in &self.cheap {
            let link = bush.link[way as usize] as usize;
            difference -= loads.cost[link];
            slope += loads.slope[link];
        }
        if difference <= 0.0 || movable <= 0.0 {
            return;
        }
        let vehicles = if slope * movable > difference { difference / slope } else { movable };
        for &way in &self.costly {
            bush.flow[way as usize] -= vehicles;
            loads.add(network, bush.link[way as usize], -vehicles);
        }
        for &way in &self.cheap {
            bush.flow[way as usize] += vehicles;
            loads.add(network, bush.link[way as usize], vehicles);
        }
    }
}
