//! Turning shares, and where traffic enters and leaves when no trips are known.
//!
//! The traffic of the start is taken to go on: what leaves a junction and has not come in has
//! entered there, what came in and does not leave has ended there. So a junction either lets
//! vehicles in, at the difference of its flows, or takes the same part of all that come in. Where
//! nothing may go on, everybody leaves.

use std::collections::BTreeMap;

use crate::road::{LinkIndex, Movement, Network};
use crate::traffic::ltm::VehicleClass;

use super::super::definition::Vehicles;
use super::super::resolve::ClassBan;
use super::super::start::Start;

/// A start told of an edited network.
pub(super) struct Shares {
    /// Per movement; those of a link sum to 1.
    pub(super) turning: Vec<f64>,
    /// Per junction, the flow that enters there, pcu/h.
    pub(super) entering: Vec<f64>,
    /// Per junction, the part of what comes in that ends there.
    pub(super) ending: Vec<f64>,
    /// Per link, its flow at the start, pcu/h.
    pub(super) flows: Vec<f64>,
}

impl Shares {
    /// Of a start on `base`, for `network`: the same, or the same with new links.
    pub(super) fn new(base: &Network, start: &Start, network: &Network) -> Shares {
        let flows: Vec<f64> = network
            .links()
            .iter()
            .map(|link| {
                let old = base.find_link(link.key().as_str());
                old.map_or(0.0, |old| start.links[old.slot()].flow_veh_h)
            })
            .collect();
        let mut turning = vec![0.0; network.movements().len()];
        for link in network.link_indexes() {
            let range = network.movement_range(link);
            turn(network, link, (base, start), &mut turning[range]);
        }
        let mut shares = Shares {
            turning,
            entering: vec![0.0; network.junctions().len()],
            ending: vec![0.0; network.junctions().len()],
            flows,
        };
        for junction in network.junction_indexes() {
            let sum = |links: &[LinkIndex]| {
                links.iter().map(|link| shares.flows[link.slot()]).sum::<f64>()
            };
            let (incoming, outgoing) =
                (sum(network.incoming(junction)), sum(network.outgoing(junction)));
            // Rounding is no traffic.
            let slack = 1e-9 * incoming.max(outgoing);
            if outgoing > incoming + slack {
                shares.entering[junction.slot()] = outgoing - incoming;
            } else if incoming > outgoing + slack {
                shares.ending[junction.slot()] = (incoming - outgoing) / incoming;
            }
        }
        shares
    }

    /// How what enters at a junction turns into its links: as much as they lack, else by capacity.
    pub(super) fn entering(&self, network: &Network, outgoing: &[LinkIndex]) -> Vec<f64> {
        let lacks = |link: &LinkIndex| {
            let junction = network.link(*link).from();
            let given = network.incoming(junction).iter().map(|from| {
                let movement = network.find_movement(*from, *link);
                movement.map_or(0.0, |at| self.turning[at.slot()] * self.flows[from.slot()])
            });
            (self.flows[link.slot()] - given.sum::<f64>()).max(0.0)
        };
        let lacking: Vec<f64> = outgoing.iter().map(lacks).collect();
        if lacking.iter().sum::<f64>() > 0.0 {
            return lacking;
        }
        outgoing.iter().map(|link| network.link(*link).capacity_veh_h()).collect()
    }
}

/// Shares of the movements of one link: as at the start; movements that are new have their part by
/// capacity, the others share the rest as before.
fn turn(network: &Network, link: LinkIndex, (base, start): (&Network, &Start), shares: &mut [f64]) {
    let movements = network.movements_from(link);
    let capacity = |one: &Movement| network.link(one.to).capacity_veh_h();
    let all: f64 = movements.iter().map(capacity).sum();
    let known = |one: &Movement| {
        let index = |link| base.find_link(network.link(link).key().as_str());
        let old = base.find_movement(index(one.from)?, index(one.to)?)?;
        start.turning.get(old.slot()).copied()
    };
    let old: f64 = movements.iter().filter_map(known).sum();
    let new: f64 = movements.iter().filter(|one| known(one).is_none()).map(capacity).sum();
    for (share, one) in shares.iter_mut().zip(movements) {
        *share = match known(one) {
            Some(given) if old > 0.0 => given / old * (1.0 - new / all),
            Some(_) | None => capacity(one) / all,
        };
    }
    let sum: f64 = shares.iter().sum();
    for share in shares {
        *share /= sum;
    }
}

/// Parts of the flow that bans of classes keep off each link, at a time.
pub(super) fn kept_off(bans: &[ClassBan], vehicles: &Vehicles, time_s: f64) -> BTreeMap<u32, f64> {
    let mut classes: BTreeMap<u32, Vec<VehicleClass>> = BTreeMap::new();
    for ban in bans.iter().filter(|ban| ban.times.0 <= time_s && time_s < ban.times.1) {
        for link in &ban.links {
            classes.entry(link.number()).or_default().extend(&ban.classes);
        }
    }
    let part = |mut classes: Vec<VehicleClass>| {
        classes.sort_unstable();
        classes.dedup();
        classes.into_iter().map(|class| vehicles.pcu_share(class)).sum::<f64>().min(1.0)
    };
    classes.into_iter().map(|(link, classes)| (link, part(classes))).collect()
}

/// Shares with a part of each taken off and given to the others in proportion to what those let
/// in; as they were where nobody lets them in.
pub(super) fn turned_away(shares: &[f64], off: &[f64]) -> Vec<f64> {
    let left: Vec<f64> = shares.iter().zip(off).map(|(share, off)| share * (1.0 - off)).collect();
    let mut result = left.clone();
    for (at, (share, off)) in shares.iter().zip(off).enumerate() {
        let away = share * off;
        let others: f64 = left.iter().sum::<f64>() - left[at];
        if away <= 0.0 {
            continue;
        }
        if others <= 1e-12 {
            result[at] += away;
            continue;
        }
        for (other, part) in left.iter().enumerate().filter(|(other, _)| *other != at) {
            result[other] += away * part / others;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shares: &[f64], off: &[f64], expected: &[f64]) {
        let found = turned_away(shares, off);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn who_may_not_enter_goes_where_the_others_go() {
        check(&[0.5, 0.3, 0.2], &[0.0, 0.0, 0.0], &[0.5, 0.3, 0.2]);
        check(&[0.5, 0.3, 0.2], &[1.0, 0.0, 0.0], &[0.0, 0.6, 0.4]);
        check(&[0.5, 0.3, 0.2], &[0.4, 0.0, 0.0], &[0.3, 0.42, 0.28]);
        // Nowhere else to go: the ban cannot be kept.
        check(&[1.0], &[0.7], &[1.0]);
        check(&[0.5, 0.5], &[1.0, 1.0], &[0.5, 0.5]);
    }
}
