//! The road network as the link transmission model wants it: the same links with the same numbers,
//! behind them one link to or from each connector of a zone that has several.
//!
//! Backward waves run at 5 m/s (18 km/h; congested roads the world over have 15 to 20 km/h: Treiber
//! & Kesting, Traffic Flow Dynamics, Springer 2013, section 8.5), faster where the link's capacity
//! needs it. So the capacity is at or below the peak of the diagram, and an edit may raise it up
//! to there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::demand::Flow;
use crate::road::{self, ZoneIndex};
use crate::traffic::ltm;

/// Speed of backward waves, m/s.
const WAVE_MPS: f64 = 5.0;

/// Length of a link that has none, metres: a connector stands for driveways.
const CONNECTOR_M: f64 = 50.0;

/// Length in metres and speed in m/s of a way between a zone and its connector: a step of 4 s.
const ACCESS: (f64, f64) = (100.0, 25.0);

/// A link of the road network, for the model.
pub(in crate::scenario) fn link(link: &road::Link) -> ltm::Link {
    let free = link.free_speed().get();
    let lanes = link.lanes().count();
    let jam = link.jam_density_per_lane().get() * lanes / 1_000.0;
    let capacity = link.capacity_veh_h() / 3_600.0;
    let peak = |wave: f64| jam * free * wave / (free + wave);
    // k·u·w/(u+w) = q solved for w; where even w = u does not carry q, that is all there is.
    let wave = match capacity * free / (jam * free - capacity) {
        _ if peak(WAVE_MPS) >= capacity => WAVE_MPS,
        wave if wave > 0.0 && wave < free => wave,
        _ => free.max(WAVE_MPS),
    };
    let length = link.length().get();
    ltm::Link {
        from: link.from().number(),
        to: link.to().number(),
        length_m: if length > 0.0 { length } else { CONNECTOR_M },
        free_speed_mps: free,
        wave_speed_mps: wave,
        jam_density_pcu_m: jam,
        capacity_pcu_s: Some(capacity.min(peak(wave))),
    }
}

/// Where the trips of each zone enter and leave.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    pub(super) origins: BTreeMap<ZoneIndex, u32>,
    pub(super) destinations: BTreeMap<ZoneIndex, u32>,
}

/// A network under construction.
struct Builder<'a> {
    network: &'a road::Network,
    junctions: u32,
    links: Vec<ltm::Link>,
    movements: Vec<(u32, u32)>,
    /// Ways from zones by the connector they end at, ways to zones by where they start.
    entering: Vec<(u32, u32, ZoneIndex)>,
    leaving: Vec<(u32, u32, ZoneIndex)>,
}

impl<'a> Builder<'a> {
    fn new(network: &'a road::Network) -> Builder<'a> {
        let movements = network.movements().iter();
        Builder {
            network,
            junctions: count(network.junctions().len()),
            links: network.links().iter().map(link).collect(),
            movements: movements.map(|one| (one.from.number(), one.to.number())).collect(),
            entering: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// The junction at which the trips of a zone enter: its connector, or one with ways to all.
    fn gate(&mut self, zone: ZoneIndex, entering: bool) -> u32 {
        let connectors = self.network.zone(zone).connectors();
        if let [only] = connectors {
            return only.number();
        }
        let gate = self.junctions;
        self.junctions += 1;
        for connector in connectors {
            let roads = if entering {
                self.network.outgoing(*connector)
            } else {
                self.network.incoming(*connector)
            };
            let capacity: f64 =
                roads.iter().map(|road| self.links[road.slot()].capacity_pcu_s()).sum();
            if capacity <= 0.0 {
                continue;
            }
            let number = count(self.links.len());
            let at = connector.number();
            let (from, to) = if entering { (gate, at) } else { (at, gate) };
            self.links.push(ltm::Link {
                from,
                to,
                length_m: ACCESS.0,
                free_speed_mps: ACCESS.1,
                wave_speed_mps: ACCESS.1,
                jam_density_pcu_m: capacity * 2.0 / ACCESS.1,
                capacity_pcu_s: None,
            });
            for road in roads {
                let pair = if entering { (number, road.number()) } else { (road.number(), number) };
                self.movements.push(pair);
            }
            let ways = if entering { &mut self.entering } else { &mut self.leaving };
            ways.push((number, at, zone));
        }
        gate
    }

    fn build(
        mut self,
        origins: Vec<ltm::Origin>,
        destinations: Vec<ltm::Destination>,
    ) -> Result<ltm::Network, ltm::NetworkError> {
        // Neighbours that share a connector need no road to each other.
        for (way, at, zone) in &self.entering {
            let others = self.leaving.iter().filter(|(_, to, other)| to == at && other != zone);
            self.movements.extend(others.map(|(other, ..)| (*way, *other)));
        }
        let Builder { junctions, links, movements, .. } = self;
        ltm::Network::with_movements(junctions, links, origins, destinations, &movements)
    }
}

/// A network for trips between zones.
pub(super) fn between_zones(
    network: &road::Network,
    flows: &[Flow],
) -> Result<(ltm::Network, Gates), ltm::NetworkError> {
    let mut builder = Builder::new(network);
    let mut gates = Gates::default();
    let (mut origins, mut destinations) = (Vec::new(), Vec::new());
    for zone in flows.iter().map(|flow| flow.origin).collect::<BTreeSet<_>>() {
        gates.origins.insert(zone, count(origins.len()));
        let junction = builder.gate(zone, true);
        origins.push(ltm::Origin { junction, capacity_pcu_s: None });
    }
    for zone in flows.iter().map(|flow| flow.destination).collect::<BTreeSet<_>>() {
        gates.destinations.insert(zone, count(destinations.len()));
        let junction = builder.gate(zone, false);
        destinations.push(ltm::Destination { junction, capacity_pcu_s: None });
    }
    Ok((builder.build(origins, destinations)?, gates))
}

/// A network for flows that enter and leave at junctions.
pub(super) fn with_ends(
    network: &road::Network,
    origins: &[u32],
    destinations: &[u32],
) -> Result<ltm::Network, ltm::NetworkError> {
    let origin = |junction: &u32| ltm::Origin { junction: *junction, capacity_pcu_s: None };
    let destination =
        |junction: &u32| ltm::Destination { junction: *junction, capacity_pcu_s: None };
    let origins = origins.iter().map(origin).collect();
    Builder::new(network).build(origins, destinations.iter().map(destination).collect())
}

pub(in crate::scenario) fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a network counts in u32")
}

#[cfg(test)]
mod tests {
    use crate::road::{Control, Draft, DraftJunction, DraftLink, RoadClass};

    #[test]
    fn every_class_makes_a_link_that_carries_its_capacity() {
        let junction = |key: &str, latitude| DraftJunction {
            key: key.to_owned(),
            point: (latitude, 106.7),
            control: Control::None,
            passable: true,
        };
        for class in RoadClass::all() {
            let draft = Draft {
                junctions: vec![junction("a", 10.77), junction("b", 10.78)],
                links: vec![DraftLink::new("1", "a", "b", class)],
                ..Draft::default()
            };
            let network = draft.build().network;
            let (given, link) = (&network.links()[0], super::link(&network.links()[0]));
            let most = link.jam_density_pcu_m * link.free_speed_mps / 2.0;
            let expected = (given.capacity_veh_h() / 3_600.0).min(most);
            assert!((link.capacity_pcu_s() - expected).abs() < 1e-9, "{class:?} {link:?}");
            assert!(link.wave_speed_mps >= 4.9, "{class:?} {link:?}");
        }
    }
}
