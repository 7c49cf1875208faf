//! A city of roads as the link transmission model takes it, and trips on it that go the shortest
//! way without traffic. What a link becomes is what `scenario/dynamic/roads.rs` makes of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use citytwin::network;
use citytwin_core::road;
use citytwin_core::traffic::ltm::{Demand, Turning, TurningPiece};
use citytwin_core::traffic::ltm::{Destination, Entrance, Exit, Link, Network, Origin};

/// Speed of backward waves, m/s.
const WAVE_MPS: f64 = 5.0;

/// Trips begin evenly within it.
pub(crate) const HOUR_S: f64 = 3_600.0;

/// A trip.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) depart_s: f64,
    /// Junction where it begins.
    pub(crate) from: u32,
    /// Row of its destination.
    pub(crate) to: usize,
}

/// Roads and trips.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) roads: road::Network,
    pub(crate) links: Vec<Link>,
    /// Junctions where trips end.
    pub(crate) ends: Vec<u32>,
    pub(crate) trips: Vec<Trip>,
    /// Per destination and link, seconds from its entrance to there, and the next link.
    ways: Vec<Vec<(f64, u32)>>,
}

/// Numbers that look random and are the same every time (Knuth's MMIX generator).
#[derive(Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// From 0 up to 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1_u32 << 31)
    }

    /// From 0 up to `count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.part() * count as f64) as usize
    }
}

/// Reads roads of any format that is known.
pub(crate) fn read(path: &std::path::Path) -> Option<road::Network> {
    network::read(path, &mut |_| {}).ok().map(|import| import.network)
}

impl City {
    /// Trips between the junctions of the part of the network where one gets from each to each.
    pub(crate) fn new(roads: road::Network, trips: usize, ends: usize) -> City {
        let links: Vec<Link> = roads.links().iter().map(link).collect();
        let main = main_part(&roads);
        let mut chance = Chance(1);
        let mut junctions: Vec<u32> = main.iter().map(|link| links[*link].from).collect();
        junctions.sort_unstable();
        junctions.dedup();
        let mut chosen = Vec::new();
        while chosen.len() < ends.min(junctions.len() / 2) {
            let one = junctions[chance.below(junctions.len())];
            if !chosen.contains(&one) {
                chosen.push(one);
            }
        }
        let mut city = City { roads, links, ends: chosen, trips: Vec::new(), ways: Vec::new() };
        city.find_ways(None);
        while city.trips.len() < trips {
            let depart_s = city.trips.len() as f64 / trips as f64 * HOUR_S;
            let from = junctions[chance.below(junctions.len())];
            let trip = Trip { depart_s, from, to: chance.below(city.ends.len()) };
            if city.route(&trip).is_some_and(|route| !route.is_empty()) {
                city.trips.push(trip);
            }
        }
        city
    }

    /// Finds the shortest ways, with one link closed or none.
    pub(crate) fn find_ways(&mut self, closed: Option<u32>) {
        self.ways = (0..self.ends.len()).map(|to| self.ways_to(to, closed)).collect();
    }

    fn ways_to(&self, to: usize, closed: Option<u32>) -> Vec<(f64, u32)> {
        let mut ways = vec![(f64::INFINITY, u32::MAX); self.links.len()];
        let mut heap = BinaryHeap::new();
        let seconds = |link: u32| {
            self.links[link as usize].length_m / self.links[link as usize].free_speed_mps
        };
        let micro = |s: f64| (s * 1e6).round() as u64;
        for link in self.roads.incoming(road::JunctionIndex::new(self.ends[to])) {
            let link = link.number();
            if closed != Some(link) {
                ways[link as usize] = (seconds(link), u32::MAX);
                heap.push(Reverse((micro(seconds(link)), link)));
            }
        }
        while let Some(Reverse((key, link))) = heap.pop() {
            let here = ways[link as usize].0;
            if key > micro(here) {
                continue;
            }
            let at = road::JunctionIndex::new(self.links[link as usize].from);
            for before in self.roads.incoming(at) {
                let number = before.number();
                let turn = self.roads.find_movement(*before, road::LinkIndex::new(link)).is_some();
                let far = here + seconds(number);
                if turn && closed != Some(number) && far < ways[number as usize].0 {
                    ways[number as usize] = (far, link);
                    heap.push(Reverse((micro(far), number)));
                }
            }
        }
        ways
    }

    /// The links of a trip; empty where it ends where it begins, `None` where there is no way.
    pub(crate) fn route(&self, trip: &Trip) -> Option<Vec<u32>> {
        let ways = &self.ways[trip.to];
        if trip.from == self.ends[trip.to] {
            return Some(Vec::new());
        }
        let outs = self.roads.outgoing(road::JunctionIndex::new(trip.from)).iter();
        let first = outs
            .map(|link| link.number())
            .min_by(|a, b| ways[*a as usize].0.total_cmp(&ways[*b as usize].0))?;
        if ways[first as usize].0.is_infinite() {
            return None;
        }
        let next = |link: &u32| Some(ways[*link as usize].1).filter(|next| *next != u32::MAX);
        Some(std::iter::successors(Some(first), next).collect())
    }

    /// The model's network: an origin at each junction where trips begin.
    pub(crate) fn network(&self) -> (Network, Vec<u32>) {
        let mut starts: Vec<u32> = self.trips.iter().map(|trip| trip.from).collect();
        starts.sort_unstable();
        starts.dedup();
        let origins = starts.iter().map(|at| Origin { junction: *at, capacity_pcu_s: None });
        let ends = self.ends.iter().map(|at| Destination { junction: *at, capacity_pcu_s: None });
        let movements: Vec<(u32, u32)> =
            self.roads.movements().iter().map(|one| (one.from.number(), one.to.number())).collect();
        let network = Network::with_movements(
            u32::try_from(self.roads.junctions().len()).expect("junctions are counted in u32"),
            self.links.clone(),
            origins.collect(),
            ends.collect(),
            &movements,
        );
        (network.expect("roads that were checked"), starts)
    }

    /// The trips as flows: those of one origin to one destination are spread over the hour.
    pub(crate) fn demand(&self, starts: &[u32]) -> Vec<Demand> {
        let mut pairs: Vec<(u32, u32)> = self
            .trips
            .iter()
            .map(|trip| {
                let origin = starts.binary_search(&trip.from).expect("all starts are listed");
                (origin as u32, trip.to as u32)
            })
            .collect();
        pairs.sort_unstable();
        let pairs = pairs.chunk_by(|a, b| a == b);
        let flow = |pair: &[(u32, u32)]| Demand {
            origin: pair[0].0,
            destination: Some(pair[0].1),
            from_s: 0.0,
            until_s: HOUR_S,
            flow_pcu_s: pair.len() as f64 / HOUR_S,
        };
        pairs.map(flow).collect()
    }

    /// How the trips turn at each junction, on their shortest ways.
    pub(crate) fn turning(&self, network: &Network, starts: &[u32]) -> Turning {
        let mut counts = std::collections::BTreeMap::<(bool, u32), Vec<(Exit, f64)>>::new();
        let mut count = |from: Entrance, to: Exit| {
            let key = match from {
                Entrance::Link(link) => (false, link),
                Entrance::Origin(origin) => (true, origin),
            };
            let exits = counts
                .entry(key)
                .or_insert_with(|| network.exits(from).map(|exit| (exit, 0.0)).collect());
            let exit = exits.iter_mut().find(|(exit, _)| *exit == to);
            exit.expect("a way of the network").1 += 1.0;
        };
        for trip in &self.trips {
            let route = self.route(trip).expect("trips that have a way");
            let origin = starts.binary_search(&trip.from).expect("all starts are listed");
            count(Entrance::Origin(origin as u32), Exit::Link(route[0]));
            for pair in route.windows(2) {
                count(Entrance::Link(pair[0]), Exit::Link(pair[1]));
            }
            let last = route.last().expect("trips have a link");
            count(Entrance::Link(*last), Exit::Destination(trip.to as u32));
        }
        let pieces = counts.into_iter().map(|((origin, number), exits)| TurningPiece {
            from: if origin { Entrance::Origin(number) } else { Entrance::Link(number) },
            from_s: 0.0,
            shares: exits.iter().map(|(_, count)| *count).collect(),
        });
        Turning { pieces: pieces.collect() }
    }
}

/// Links from which all others are reached and that are reached from all others.
fn main_part(roads: &road::Network) -> Vec<usize> {
    for root in roads.link_indexes() {
        let reached = |forward: bool| {
            let mut seen = vec![false; roads.links().len()];
            let mut open = vec![root];
            seen[root.slot()] = true;
            while let Some(link) = open.pop() {
                let next: Vec<road::LinkIndex> = if forward {
                    roads.movements_from(link).iter().map(|one| one.to).collect()
                } else {
                    let before = roads.incoming(roads.link(link).from()).iter().copied();
                    before.filter(|one| roads.find_movement(*one, link).is_some()).collect()
                };
                for one in next {
                    if !std::mem::replace(&mut seen[one.slot()], true) {
                        open.push(one);
                    }
                }
            }
            seen
        };
        let (ahead, behind) = (reached(true), reached(false));
        let both: Vec<usize> =
            (0..ahead.len()).filter(|link| ahead[*link] && behind[*link]).collect();
        if both.len() * 2 > ahead.len() {
            return both;
        }
    }
    Vec::new()
}

fn link(link: &road::Link) -> Link {
    let free = link.free_speed().get();
    let jam = link.jam_density_per_lane().get() * link.lanes().count() / 1_000.0;
    let capacity = link.capacity_veh_h() / 3_600.0;
    let peak = |wave: f64| jam * free * wave / (free + wave);
    let wave = match capacity * free / (jam * free - capacity) {
        _ if peak(WAVE_MPS) >= capacity => WAVE_MPS,
        wave if wave > 0.0 && wave < free => wave,
        _ => free.max(WAVE_MPS),
    };
    Link {
        from: link.from().number(),
        to: link.to().number(),
        length_m: link.length().get().max(1.0),
        free_speed_mps: free,
        wave_speed_mps: wave,
        jam_density_pcu_m: jam,
        capacity_pcu_s: Some(capacity.min(peak(wave))),
    }
}
