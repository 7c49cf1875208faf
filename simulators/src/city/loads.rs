//! What the trips of the peak hour put on the streets: flows that balance at every junction but
//! for the trips that begin and end there.
//!
//! Routes are the cheapest ways at the costs of the flow so far, averaged over `ROUNDS` rounds of
//! which each weighs as much as its number (the method of successive weighted averages, Liu, He and
//! He 2009). A link costs `t0·(1 + b·(v/c)^p)`, where `c` is what its green lets through, and `t0`
//! holds the uniform delay of an empty street, `C·(1 − g/C)²/2` (Webster 1958). `b` and `p` are 0.15
//! and 4 (Bureau of Public Roads 1964), on trunk roads 0.71 and 2.1 (Horowitz 1991, multilane
//! highways). Within a ward people start nearer to one connector or to another.
//!
//! Who would meet a full link travels at another hour: trips whose way is fuller than `WELL_USED`
//! grow fewer from round to round, and at the end no link is fuller than `MOST`. So fewer trips
//! are made than were wanted, and [`Loads::trips`] are those that were made.
//!
//! Besides, every street has a little local traffic, as much one way as the other.

use std::ops::Range;

use super::connectors::connectors;
use super::trips::{Wanted, wanted};
use super::ways::{Found, Ways};
use super::{City, Link, PlaceKind, StreetClass};
use crate::chance::{draw, unit};

/// Rounds of route choice.
const ROUNDS: u32 = 14;
/// Share of what green lets through above which trips grow fewer.
const WELL_USED: f64 = 0.87;
/// And that no link exceeds.
const MOST: f64 = 0.94;
/// How much fewer or more trips of a pair may become in a round.
const CHANGE: Range<f64> = 0.4..1.1;
/// Longest way from a door to a connector, in seconds.
const ACCESS_S: f64 = 30.0;
/// Local traffic of a street, one way, in passenger-car units an hour.
const LOCAL_PCU_H: Range<f64> = 4.0..12.0;
/// Pairs of wards with fewer trips an hour have none.
const LEAST_PCU_H: f64 = 0.05;

/// The traffic of the peak hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Loads {
    flow_pcu_h: Vec<f64>,
    begin_pcu_h: Vec<f64>,
    end_pcu_h: Vec<f64>,
    trips: Vec<Trips>,
}

/// Trips from one ward to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Trips {
    /// Id of the ward where they begin.
    pub origin: String,
    /// Id of the ward where they end.
    pub destination: String,
    /// Passenger-car units an hour.
    pub flow_pcu_h: f64,
}

impl Loads {
    /// By link, all lanes together, in passenger-car units an hour, local traffic included.
    pub fn flow_pcu_h(&self) -> &[f64] {
        &self.flow_pcu_h
    }

    /// By junction: trips that begin there, in passenger-car units an hour.
    pub fn begin_pcu_h(&self) -> &[f64] {
        &self.begin_pcu_h
    }

    /// By junction: trips that end there, in passenger-car units an hour.
    pub fn end_pcu_h(&self) -> &[f64] {
        &self.end_pcu_h
    }

    /// In order of the wards they begin in, then of those they end in.
    pub fn trips(&self) -> &[Trips] {
        &self.trips
    }
}

/// One way from ward to ward, with the trips that take it.
struct Route {
    /// Which pair of wards.
    pair: usize,
    /// Connectors at both ends.
    ends: [usize; 2],
    /// Its links, as a range of those of all routes.
    links: Range<usize>,
    flow_pcu_h: f64,
}

/// What does not change from round to round.
struct Streets {
    seed: u64,
    ways: Ways,
    connectors: Vec<Vec<usize>>,
    capacity_pcu_h: Vec<f64>,
    empty_s: Vec<f64>,
    /// Delay at capacity in times of the empty link, and its power.
    delay: Vec<(f64, f64)>,
}

/// What the rounds add up to.
#[derive(Default)]
struct Rounds {
    links: Vec<u32>,
    routes: Vec<Route>,
    flow_pcu_h: Vec<f64>,
}

/// The traffic of a city.
pub(super) fn loads(city: &City) -> Loads {
    let wanted = wanted(city);
    let streets = Streets::of(city);
    let mut rounds = streets.rounds(&wanted);
    let local: Vec<f64> = city.links().iter().map(|link| local_pcu_h(city.seed(), link)).collect();
    let room = local.iter().zip(&streets.capacity_pcu_h).map(|(local, c)| c * MOST - local);
    rounds.cut(&room.collect::<Vec<f64>>());
    let mut loads = Loads {
        flow_pcu_h: local,
        begin_pcu_h: vec![0.0; city.junctions().len()],
        end_pcu_h: vec![0.0; city.junctions().len()],
        trips: Vec::new(),
    };
    let mut made = vec![0.0; wanted.flow_pcu_h.len()];
    for route in &rounds.routes {
        made[route.pair] += route.flow_pcu_h;
        loads.begin_pcu_h[route.ends[0]] += route.flow_pcu_h;
        loads.end_pcu_h[route.ends[1]] += route.flow_pcu_h;
        for link in &rounds.links[route.links.clone()] {
            loads.flow_pcu_h[*link as usize] += route.flow_pcu_h;
        }
    }
    let wards: Vec<&str> = city.places_of(PlaceKind::Ward).map(|ward| ward.id.as_str()).collect();
    let of = |(pair, flow_pcu_h): (usize, f64)| Trips {
        origin: wards[pair / wards.len()].to_owned(),
        destination: wards[pair % wards.len()].to_owned(),
        flow_pcu_h,
    };
    loads.trips = made.into_iter().enumerate().filter(|(_, flow)| *flow > 0.0).map(of).collect();
    loads
}

/// The same both ways, so that it balances at every junction.
fn local_pcu_h(seed: u64, link: &Link) -> f64 {
    let (less, more) = (link.from.min(link.to), link.from.max(link.to));
    let part = unit(draw(seed ^ 0x5eed_0006, u64::from(less) << 32 | u64::from(more)));
    LOCAL_PCU_H.start + part * (LOCAL_PCU_H.end - LOCAL_PCU_H.start)
}

/// Delay at capacity in times of the empty link, and its power.
const fn delay(class: StreetClass) -> (f64, f64) {
    match class {
        StreetClass::Trunk => (0.71, 2.1),
        StreetClass::Residential
        | StreetClass::Tertiary
        | StreetClass::Secondary
        | StreetClass::Primary => (0.15, 4.0),
    }
}

impl Streets {
    fn of(city: &City) -> Streets {
        let empty_s = |link: &Link| {
            let wait_s = city.light(link).map_or(0.0, |light| {
                light.cycle_s * (1.0 - light.share()) * (1.0 - light.share()) / 2.0
            });
            link.length_m() * 3.6 / link.class.free_flow_speed_kmh() + wait_s
        };
        Streets {
            seed: city.seed(),
            ways: Ways::of(city),
            connectors: connectors(city),
            capacity_pcu_h: city.links().iter().map(|link| city.capacity_pcu_h(link)).collect(),
            empty_s: city.links().iter().map(empty_s).collect(),
            delay: city.links().iter().map(|link| delay(link.class)).collect(),
        }
    }

    /// All routes of all rounds with their weighted trips.
    fn rounds(&self, wanted: &Wanted) -> Rounds {
        let mut kept = vec![1.0; wanted.flow_pcu_h.len()];
        let mut all = Rounds { flow_pcu_h: vec![0.0; self.empty_s.len()], ..Rounds::default() };
        for round in 1..=ROUNDS {
            let fullness: Vec<f64> =
                all.flow_pcu_h.iter().zip(&self.capacity_pcu_h).map(|(v, c)| v / c).collect();
            let first = all.routes.len();
            self.choose(round, &fullness, wanted, &mut all);
            let part = 2.0 / f64::from(round + 1);
            for route in &mut all.routes[..first] {
                route.flow_pcu_h *= 1.0 - part;
            }
            for flow in &mut all.flow_pcu_h {
                *flow *= 1.0 - part;
            }
            for route in &mut all.routes[first..] {
                let links = &all.links[route.links.clone()];
                let fullest =
                    links.iter().map(|link| fullness[*link as usize]).fold(0.01, f64::max);
                let change = (WELL_USED / fullest).clamp(CHANGE.start, CHANGE.end);
                let kept = &mut kept[route.pair];
                *kept = (*kept * change).min(1.0);
                route.flow_pcu_h *= *kept * part;
                for link in links {
                    all.flow_pcu_h[*link as usize] += route.flow_pcu_h;
                }
            }
        }
        all
    }

    /// The cheapest way of every pair at the costs of a round, with the trips that are wanted.
    fn choose(&self, round: u32, fullness: &[f64], wanted: &Wanted, all: &mut Rounds) {
        let cost = |((full, empty_s), (b, power)): ((&f64, &f64), &(f64, f64))| {
            empty_s * (1.0 + b * full.powf(*power))
        };
        let links = fullness.iter().zip(&self.empty_s).zip(&self.delay);
        let costs: Vec<f64> = links.map(cost).collect();
        let mut found = Found::default();
        for origin in 0..wanted.wards {
            let lot = draw(self.seed ^ 0x5eed_0007, u64::from(round) << 32 | origin as u64);
            let access_s =
                |junction: usize, end: u64| ACCESS_S * unit(draw(lot ^ end, junction as u64));
            let starts = self.connectors[origin].iter().map(|n| (*n, access_s(*n, 0)));
            self.ways.search(&costs, starts, &mut found);
            for (destination, flow_pcu_h) in wanted.row(origin).iter().copied().enumerate() {
                if flow_pcu_h < LEAST_PCU_H {
                    continue;
                }
                let pair = origin * wanted.wards + destination;
                let cost = |n: &usize| found.costs[*n] + access_s(*n, 1);
                let last = self.connectors[destination].iter().copied();
                let Some(to) = last.min_by(|a, b| cost(a).total_cmp(&cost(b))) else { continue };
                let first = all.links.len();
                let from = self.ways.trace(&found, to, &mut all.links);
                let links = first..all.links.len();
                all.routes.push(Route { pair, ends: [from, to], links, flow_pcu_h });
            }
        }
    }
}

impl Rounds {
    /// Takes so much from every route that no link carries more than there is room for.
    fn cut(&mut self, room_pcu_h: &[f64]) {
        for route in &mut self.routes {
            let over = |link: &u32| self.flow_pcu_h[*link as usize] / room_pcu_h[*link as usize];
            let most = self.links[route.links.clone()].iter().map(over).fold(1.0, f64::max);
            route.flow_pcu_h /= most;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::city::place;

    fn sum(values: &[f64]) -> f64 {
        values.iter().sum()
    }

    /// Flow over what green lets through, fullest first.
    fn fullness(city: &City) -> Vec<f64> {
        let rows = city.links().iter().zip(city.loads().flow_pcu_h());
        let mut fullness: Vec<f64> =
            rows.map(|(link, flow)| flow / city.capacity_pcu_h(link)).collect();
        fullness.sort_by(|a, b| b.total_cmp(a));
        fullness
    }

    #[test]
    fn what_comes_to_a_junction_leaves_it_or_ends_there() {
        let city = City::shared();
        let loads = city.loads();
        let mut within = loads.begin_pcu_h().to_vec();
        let mut beyond = loads.end_pcu_h().to_vec();
        for (link, flow) in city.links().iter().zip(loads.flow_pcu_h()) {
            within[place(link.to)] += flow;
            beyond[place(link.from)] += flow;
        }
        for (junction, (within, beyond)) in city.junctions().iter().zip(within.iter().zip(&beyond))
        {
            assert!(
                (within - beyond).abs() < 1e-6 * within.max(1.0),
                "{within} {beyond} {junction:?}"
            );
        }
        let connectors: Vec<usize> = connectors(city).into_iter().flatten().collect();
        for n in 0..city.junctions().len() {
            let ends = loads.begin_pcu_h()[n] + loads.end_pcu_h()[n];
            assert!(ends == 0.0 || connectors.contains(&n), "{:?}", city.junctions()[n]);
        }
        let used = connectors.iter().filter(|n| loads.begin_pcu_h()[**n] > 1.0).count();
        assert!(used * 10 > connectors.len() * 7, "{used} of {} are used", connectors.len());
    }

    #[test]
    fn all_trips_begin_and_end() {
        let city = City::shared();
        let loads = city.loads();
        let trips: f64 = loads.trips().iter().map(|trips| trips.flow_pcu_h).sum();
        assert!((250_000.0..400_000.0).contains(&trips), "{trips}");
        assert!((sum(loads.begin_pcu_h()) / trips - 1.0).abs() < 1e-9);
        assert!((sum(loads.end_pcu_h()) / trips - 1.0).abs() < 1e-9);
        let rows = city.links().iter().zip(loads.flow_pcu_h());
        let km: f64 = rows.map(|(link, flow)| flow * link.length_m() / 1_000.0).sum();
        assert!((6.0..8.0).contains(&(km / trips)), "{} km a trip", km / trips);
    }

    #[test]
    fn the_city_is_busy_and_nowhere_full() {
        for seed in [1, 2] {
            let fullness = fullness(&City::generate(seed));
            let among = |share: f64| {
                let first =
                    (0..fullness.len()).take_while(|n| (*n as f64) < share * fullness.len() as f64);
                sum(&fullness[..first.count()]) / (share * fullness.len() as f64)
            };
            assert!(fullness[0] < 0.95, "seed {seed}: {}", fullness[0]);
            assert!((0.8..0.95).contains(&among(0.01)), "seed {seed}: {}", among(0.01));
            assert!(among(0.1) > 0.4, "seed {seed}: {}", among(0.1));
        }
    }

    #[test]
    fn great_streets_and_bridges_carry_most() {
        let city = City::shared();
        let mean = |among: &dyn Fn(&Link) -> bool| {
            let rows = city.links().iter().zip(city.loads().flow_pcu_h());
            let flows: Vec<f64> = rows.filter(|(link, _)| among(link)).map(|row| *row.1).collect();
            sum(&flows) / flows.len() as f64
        };
        let side = mean(&|link| link.class == StreetClass::Residential);
        let great = mean(&|link| link.class == StreetClass::Trunk);
        assert!(great > 15.0 * side, "{great} {side}");
        for bridge in ["Cầu Sài Gòn", "Cầu Thủ Thiêm", "Cầu Phú Mỹ", "Cầu Bình Lợi"]
        {
            let flow = mean(&|link| link.name == bridge);
            assert!(flow > 800.0, "{flow} on {bridge}");
        }
    }

    #[test]
    fn the_same_city_has_the_same_loads_and_another_others() {
        let loads = |seed| City::generate(seed).loads().clone();
        let first = City::shared().loads();
        assert_eq!(*first, loads(1));
        assert_ne!(*first, loads(2));
    }
}
