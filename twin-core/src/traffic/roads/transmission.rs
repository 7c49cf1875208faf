//! The road network as the link transmission model wants it: the same links with the same numbers,
//! the same movements, and behind the roads one link to or from each connector of a zone that has
//! several. The diagram of a link is [`Diagram::of`] its road.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::Diagram;
use super::edited::Raised;
use crate::road::{self, JunctionIndex, LinkIndex, ZoneIndex};
use crate::traffic::ltm;

/// Length of a link that has none, metres: a connector stands for driveways.
const CONNECTOR_M: f64 = 50.0;

/// Least length of a link in a model, metres: a shorter one costs steps and holds nobody.
const LEAST_M: f64 = 10.0;

/// Length in metres and speed in m/s of a way between a zone and its connector: a step of 4 s.
const ACCESS: (f64, f64) = (100.0, 25.0);

/// Length of a road in the models, metres.
pub fn length_m(link: &road::Link) -> f64 {
    let length = link.length().get();
    if length > 0.0 { length.max(LEAST_M) } else { CONNECTOR_M }
}

impl Diagram {
    /// A road link as the transmission model has it, whose capacity edits raise to so many times
    /// what it is (see [`Diagram::raised`]). It has its own capacity until they do.
    pub fn model_link(&self, link: &road::Link, raised: f64) -> ltm::Link {
        let capacity_pcu_s = (raised > 1.0).then_some(self.capacity_veh_h / 3_600.0);
        ltm::Link {
            from: link.from().number(),
            to: link.to().number(),
            length_m: length_m(link),
            free_speed_mps: self.free_speed_kmh / 3.6,
            wave_speed_mps: self.raised(raised).wave_speed_kmh / 3.6,
            jam_density_pcu_m: self.jam_density_veh_km / 1_000.0,
            capacity_pcu_s,
        }
    }
}

/// Where the trips of each zone enter and leave: numbers of origins and destinations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    /// Origins.
    pub origins: BTreeMap<ZoneIndex, u32>,
    /// Destinations of the first group of vehicles; those of the next follow in the same order.
    pub destinations: BTreeMap<ZoneIndex, u32>,
}

/// A network under construction.
struct Builder<'a> {
    network: &'a road::Network,
    raised: &'a BTreeMap<LinkIndex, Raised>,
    junctions: u32,
    links: Vec<ltm::Link>,
    movements: Vec<(u32, u32)>,
    /// Ways from zones by the connector they end at, ways to zones by where they start.
    entering: Vec<(u32, u32, ZoneIndex)>,
    leaving: Vec<(u32, u32, ZoneIndex)>,
}

impl<'a> Builder<'a> {
    fn new(network: &'a road::Network, raised: &'a BTreeMap<LinkIndex, Raised>) -> Builder<'a> {
        let movements = network.movements().iter();
        let link = |(index, link): (LinkIndex, &road::Link)| {
            let raised = raised.get(&index).copied().unwrap_or(Raised::NONE);
            Diagram::of(link).model_link(link, raised.capacity)
        };
        Builder {
            network,
            raised,
            junctions: count(network.junctions().len()),
            links: network.link_indexes().zip(network.links()).map(link).collect(),
            movements: movements.map(|one| (one.from.number(), one.to.number())).collect(),
            entering: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// The most that some roads ever let through together, pcu/s.
    fn most_pcu_s(&self, roads: &[LinkIndex]) -> f64 {
        let most = |road: &LinkIndex| {
            let raised = self.raised.get(road).copied().unwrap_or(Raised::NONE);
            self.links[road.slot()].capacity_pcu_s() * raised.capacity * raised.lanes
        };
        roads.iter().map(most).sum()
    }

    /// An origin at a junction, that lets in what the roads behind it ever take.
    fn origin(&self, junction: u32) -> ltm::Origin {
        let known = self.network.junctions().len() > junction as usize;
        let outgoing = known.then(|| self.network.outgoing(JunctionIndex::new(junction)));
        let raised =
            outgoing.filter(|roads| roads.iter().any(|road| self.raised.contains_key(road)));
        ltm::Origin { junction, capacity_pcu_s: raised.map(|roads| self.most_pcu_s(roads)) }
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
            let capacity = self.most_pcu_s(roads);
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

/// A network for trips between zones: from some, to some. With several groups of vehicles, each
/// has destinations of its own, in the same places.
///
/// # Errors
/// When it is too large for the model.
pub fn between_zones(
    network: &road::Network,
    raised: &BTreeMap<LinkIndex, Raised>,
    (from, to): (&BTreeSet<ZoneIndex>, &BTreeSet<ZoneIndex>),
    groups: usize,
) -> Result<(ltm::Network, Gates), ltm::NetworkError> {
    let mut builder = Builder::new(network, raised);
    let mut gates = Gates::default();
    let (mut origins, mut destinations) = (Vec::new(), Vec::new());
    for zone in from {
        gates.origins.insert(*zone, count(origins.len()));
        let junction = builder.gate(*zone, true);
        origins.push(builder.origin(junction));
    }
    for zone in to {
        gates.destinations.insert(*zone, count(destinations.len()));
        let junction = builder.gate(*zone, false);
        destinations.push(ltm::Destination { junction, capacity_pcu_s: None });
    }
    Ok((builder.build(origins, destinations.repeat(groups))?, gates))
}

/// A network for flows that enter and leave at junctions.
///
/// # Errors
/// When it is too large for the model.
pub fn with_ends(
    network: &road::Network,
    raised: &BTreeMap<LinkIndex, Raised>,
    origins: &[u32],
    destinations: &[u32],
) -> Result<ltm::Network, ltm::NetworkError> {
    let builder = Builder::new(network, raised);
    let destination =
        |junction: &u32| ltm::Destination { junction: *junction, capacity_pcu_s: None };
    let origins = origins.iter().map(|junction| builder.origin(*junction)).collect();
    builder.build(origins, destinations.iter().map(destination).collect())
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).expect("a network counts in u32")
}
