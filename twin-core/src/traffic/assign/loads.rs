//! What is on every link at this moment: its flow, and the cost and slope that follow from it. Kept
//! in step by every shift, and summed anew from the bushes in every round so that rounding cannot
//! pile up.

use super::network::Network;

/// By link.
#[derive(Clone, Debug)]
pub(super) struct Loads {
    pub(super) flow: Vec<f64>,
    /// Infinite where closed.
    pub(super) cost: Vec<f64>,
    pub(super) slope: Vec<f64>,
}

impl Loads {
    /// An empty network.
    pub(super) fn empty(network: &Network) -> Loads {
        let links = network.links().len();
        let mut loads =
            Loads { flow: vec![0.0; links], cost: vec![0.0; links], slope: vec![0.0; links] };
        loads.refresh(network);
        loads
    }

    /// Costs of all links from their flows.
    pub(super) fn refresh(&mut self, network: &Network) {
        for (at, link) in (0_u32..).enumerate().take(self.flow.len()) {
            let (cost, slope) = if network.is_closed(link) {
                (f64::INFINITY, 0.0)
            } else {
                network.curves[at].cost_and_slope(self.flow[at])
            };
            self.cost[at] = cost;
            self.slope[at] = slope;
        }
    }

    /// Puts vehicles on a link, or takes them off.
    pub(super) fn add(&mut self, network: &Network, link: u32, vehicles: f64) {
        let at = link as usize;
        // Rounding may leave less than nothing, which has no power.
        let flow = (self.flow[at] + vehicles).max(0.0);
        self.flow[at] = flow;
        (self.cost[at], self.slope[at]) = network.curves[at].cost_and_slope(flow);
    }

    /// All vehicles' cost together, TSTT.
    pub(super) fn total(&self) -> f64 {
        let used = self.flow.iter().zip(&self.cost).filter(|(flow, _)| **flow > 0.0);
        used.map(|(flow, cost)| flow * cost).sum()
    }

    /// The objective whose least value is the equilibrium.
    pub(super) fn objective(&self, network: &Network) -> f64 {
        self.flow.iter().zip(&network.curves).map(|(flow, curve)| curve.integral(*flow)).sum()
    }
}
