//! Balancing one bush: at each junction where paths meet again, vehicles move from the costliest
//! used path to the cheapest one, over the stretch where the two differ, by one Newton step (Dial
//! 2006, section 4; Nie 2010, TR-B 44:73).

use std::ops::ControlFlow;

use super::bush::{Bush, Labels};
use super::loads::Loads;
use super::network::Network;
use super::paths::NONE;
use crate::pace::{Pace, walked};

/// A slope that explains less of a difference than this says nothing of where the move ends.
const FLAT: f64 = 0.5;

/// Halvings of a move that went too far: the rest is less than a millionth of it.
const DRAWN_BACK: usize = 20;

/// The two stretches between a meeting point and where they parted, as ways in. Room used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Stretches {
    costly: Vec<u32>,
    cheap: Vec<u32>,
}

/// What balancing works on and with.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pub(super) network: &'a Network,
    pub(super) loads: &'a mut Loads,
    pub(super) labels: &'a mut Labels,
    pub(super) stretches: &'a mut Stretches,
}

/// One pass over a bush from the last junction to the first. Differences up to `tolerance` of the
/// cost are left alone. The largest difference found, as a share of the cost; where it is broken
/// off, flows and loads agree all the same.
pub(super) fn balance(
    bush: &mut Bush,
    room: &mut Room<'_>,
    tolerance: f64,
    pace: &mut Pace<'_>,
) -> ControlFlow<(), f64> {
    let Room { network, loads, labels, stretches } = room;
    pace.worked(bush.link.len())?;
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
            let passes = stretches.shift(bush, network, loads);
            pace.worked(passes * stretches.len())?;
        }
    }
    ControlFlow::Continue(worst)
}

impl Stretches {
    /// Ways of both.
    fn len(&self) -> usize {
        self.costly.len() + self.cheap.len()
    }

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
        walked(self.len());
    }

    /// Moves vehicles so that, by the slopes as they are now, both stretches cost the same. Costs
    /// are those of this moment: shifts further on may have changed them since the labels were
    /// made. How often it went over both.
    fn shift(&self, bush: &mut Bush, network: &Network, loads: &mut Loads) -> usize {
        let (difference, slope) = self.compare(bush, loads);
        let flows = self.costly.iter().map(|way| bush.flow[*way as usize]);
        let movable = flows.fold(f64::INFINITY, f64::min);
        if difference <= 0.0 || movable <= 0.0 {
            return 2;
        }
        let vehicles = if slope * movable > difference { difference / slope } else { movable };
        self.carry(bush, network, loads, vehicles);
        if slope * vehicles < FLAT * difference {
            return 3 + 2 * self.draw_back(bush, network, loads, (difference, vehicles));
        }
        3
    }

    /// Where slopes said little (a road that is flat while it is empty), too many may have gone:
    /// then some go back, until what is left of the difference is smaller than it was. Without
    /// this such a road fills and empties for ever. How often it looked.
    fn draw_back(
        &self,
        bush: &mut Bush,
        network: &Network,
        loads: &mut Loads,
        (before, mut gone): (f64, f64),
    ) -> usize {
        for looks in 1..=DRAWN_BACK {
            let (difference, _) = self.compare(bush, loads);
            if difference >= -before {
                return looks;
            }
            self.carry(bush, network, loads, -gone / 2.0);
            gone /= 2.0;
        }
        DRAWN_BACK
    }

    /// How much costlier the costly stretch is, and by how much less for each vehicle moved.
    fn compare(&self, bush: &Bush, loads: &Loads) -> (f64, f64) {
        walked(self.len());
        let (mut difference, mut slope) = (0.0, 0.0);
        for &way in &self.costly {
            let link = bush.link[way as usize] as usize;
            difference += loads.cost[link];
            slope += loads.slope[link];
        }
        for &way in &self.cheap {
            let link = bush.link[way as usize] as usize;
            difference -= loads.cost[link];
            slope += loads.slope[link];
        }
        (difference, slope)
    }

    /// Moves vehicles from the costly to the cheap stretch, or back.
    fn carry(&self, bush: &mut Bush, network: &Network, loads: &mut Loads, vehicles: f64) {
        walked(self.len());
        for (ways, vehicles) in [(&self.costly, -vehicles), (&self.cheap, vehicles)] {
            for &way in ways {
                bush.flow[way as usize] += vehicles;
                loads.add(network, bush.link[way as usize], vehicles);
            }
        }
    }
}
