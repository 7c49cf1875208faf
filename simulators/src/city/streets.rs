//! Junctions and links: the street pattern laid on the ground, bent, taken apart by the rivers
//! and bridged where the city has bridges. What is not connected with the rest is left out.

use std::collections::BTreeMap;

use super::bridges;
use super::lattice::{Knot, Lattice, SIZE, grow};
use super::names::ARTERIALS;
use super::plane::Spot;
use super::signals::Plan;
use super::water::Waterway;
use super::{Junction, Link, Place, StreetClass, slug};
use crate::chance::{below, draw, hill, unit};

/// Kilometres in a step of the lattice.
const STEP_KM: f64 = 0.1875;
/// The lattice is turned so that streets run as in the old town, cosine and sine of 38 degrees.
const TURN: (f64, f64) = (0.788, 0.616);
/// Length of longest side in steps within a distance of the centre in km.
const DENSITY: [(f64, f64); 6] =
    [(3.5, 1.0), (8.5, 2.0), (16.0, 4.0), (28.0, 8.0), (45.0, 16.0), (f64::MAX, 32.0)];
/// The same around the middles of smaller towns.
const TOWN_DENSITY: [(f64, f64); 3] = [(1.5, 2.0), (3.0, 4.0), (6.0, 8.0)];
/// Thủ Đức, Thủ Dầu Một, Dĩ An, Củ Chi, Hóc Môn, Bình Dương, Nhà Bè, Cần Giờ, Bến Cát.
const TOWNS: [(f64, f64); 9] = [
    (10.848, 106.760),
    (10.975, 106.660),
    (10.905, 106.765),
    (10.970, 106.490),
    (10.888, 106.593),
    (11.055, 106.685),
    (10.690, 106.735),
    (10.440, 106.930),
    (11.115, 106.605),
];

/// The streets of a city.
pub(super) fn streets(
    seed: u64,
    waters: &[Waterway],
    zones: &[Place],
) -> (Vec<Junction>, Vec<Link>) {
    let lattice = grow(&|x, y| wanted(laid(x, y), zones));
    let spots = place(seed, &lattice, waters);
    let laid = lattice.sides.iter().filter_map(|side| {
        let (a, b) = (spots.get(&side.0)?, spots.get(&side.1)?);
        Some((*side, *a, *b))
    });
    let (mut sides, mut wet, mut shores) = (Vec::new(), Vec::new(), Vec::new());
    for (side, a, b) in laid {
        let class = class_of(side.0, side.1);
        if !waters.iter().any(|w| w.is_river() && w.is_crossed(a, b)) {
            sides.push(side);
        } else if class.is_arterial() {
            wet.push(side);
            shores.push((a.toward(b, 0.5), class));
        }
    }
    let bridges: BTreeMap<Side, &'static str> =
        bridges::chosen(&shores).into_iter().map(|(n, name)| (wet[n], name)).collect();
    sides.extend(bridges.keys());
    sides.sort_unstable();
    let sides = largest_part(&sides);
    number(seed, &sides, &spots, &bridges)
}

/// A street of the lattice, from its smaller end.
type Side = (Knot, Knot);

/// How long a block's side may be around a spot, in steps.
fn wanted(spot: Spot, zones: &[Place]) -> f64 {
    let step = |table: &[(f64, f64)], distance: f64| {
        table.iter().find(|(reach, _)| distance < *reach).map_or(f64::MAX, |(_, side)| *side)
    };
    let mut side = step(&DENSITY, spot.distance_km(Spot::new(0.0, 0.0)));
    for (lat, lon) in TOWNS {
        side = side.min(step(&TOWN_DENSITY, spot.distance_km(Spot::at(lat, lon))));
    }
    for zone in zones {
        side = side.min(step(&TOWN_DENSITY[1..], spot.distance_km(zone.middle)));
    }
    side
}

/// Lattice to ground: turned about the centre and gently bent.
fn laid(x: f64, y: f64) -> Spot {
    let half = f64::from(SIZE) / 2.0;
    let (x, y) = ((x - half) * STEP_KM, (y - half) * STEP_KM);
    let east = x.mul_add(TURN.0, -(y * TURN.1));
    let north = x.mul_add(TURN.1, y * TURN.0);
    Spot::new(
        (north / 4.1 + 1.0).sin().mul_add(0.45, east),
        (east / 4.7 + 2.0).sin().mul_add(0.45, north),
    )
}

/// Where each knot comes to lie; knots out of bounds, and those of local streets that fall into
/// a river, are left out. Knots of arterials move to the bank.
fn place(seed: u64, lattice: &Lattice, waters: &[Waterway]) -> BTreeMap<Knot, Spot> {
    let mut shortest: BTreeMap<Knot, u32> = BTreeMap::new();
    let mut arterial: BTreeMap<Knot, bool> = BTreeMap::new();
    for (from, to) in &lattice.sides {
        let length = (to.0 - from.0) + (to.1 - from.1);
        for knot in [*from, *to] {
            let least = shortest.entry(knot).or_insert(length);
            *least = (*least).min(length);
            *arterial.entry(knot).or_default() |= class_of(*from, *to).is_arterial();
        }
    }
    let mut spots = BTreeMap::new();
    for knot in &lattice.knots {
        let which = u64::from(knot.0) << 32 | u64::from(knot.1);
        let reach = f64::from(shortest.get(knot).copied().unwrap_or(1)).min(4.0) * STEP_KM * 0.2;
        let mut spot = laid(f64::from(knot.0), f64::from(knot.1)).moved(
            hill(draw(seed ^ 0x5eed_0001, which)) * reach,
            hill(draw(seed ^ 0x5eed_0002, which)) * reach,
        );
        let river = waters
            .iter()
            .find(|w| w.is_river() && w.nearest(spot).distance_km(spot) < w.half_width_km + 0.04);
        if let Some(river) = river {
            if arterial.get(knot) != Some(&true) {
                continue;
            }
            spot = ashore(spot, river);
        }
        if spot.within_bounds(1.0) && !is_sea(spot) {
            spots.insert(*knot, spot);
        }
    }
    spots
}

/// The spot moved straight away from the middle of a river onto its bank.
fn ashore(spot: Spot, river: &Waterway) -> Spot {
    let middle = river.nearest(spot);
    let distance = middle.distance_km(spot);
    if distance < 1e-6 {
        return spot.moved(river.half_width_km + 0.06, 0.0);
    }
    middle.toward(spot, (river.half_width_km + 0.06) / distance)
}

/// The sea off Cần Giờ and the bay of Gành Rái.
fn is_sea(spot: Spot) -> bool {
    let (latitude, longitude) = spot.degrees();
    latitude < 10.40 || (latitude < 10.56 && longitude > 106.98)
}

/// The class of the street along a lattice line: the rounder its number, the greater.
fn class_of(from: Knot, to: Knot) -> StreetClass {
    let line = if from.0 == to.0 { from.0 } else { from.1 };
    match line.trailing_zeros() {
        0 | 1 => StreetClass::Residential,
        2 => StreetClass::Tertiary,
        3 => StreetClass::Secondary,
        4 => StreetClass::Primary,
        _ => StreetClass::Trunk,
    }
}

/// The sides of the largest connected part (union-find with path halving).
fn largest_part(sides: &[(Knot, Knot)]) -> Vec<(Knot, Knot)> {
    let mut places: BTreeMap<Knot, usize> = BTreeMap::new();
    for (from, to) in sides {
        for knot in [from, to] {
            let next = places.len();
            places.entry(*knot).or_insert(next);
        }
    }
    let mut roots: Vec<usize> = (0..places.len()).collect();
    let find = |roots: &mut Vec<usize>, mut place: usize| {
        while roots[place] != place {
            roots[place] = roots[roots[place]];
            place = roots[place];
        }
        place
    };
    for (from, to) in sides {
        let (a, b) = (find(&mut roots, places[from]), find(&mut roots, places[to]));
        roots[a.max(b)] = a.min(b);
    }
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (from, _) in sides {
        *counts.entry(find(&mut roots, places[from])).or_default() += 1;
    }
    let largest = counts.iter().max_by_key(|(root, size)| (**size, usize::MAX - **root));
    let largest = largest.map(|(root, _)| *root);
    sides
        .iter()
        .filter(|(from, _)| Some(find(&mut roots, places[from])) == largest)
        .copied()
        .collect()
}

/// Numbers junctions and links from 1, in lattice order; a link each way.
fn number(
    seed: u64,
    sides: &[Side],
    spots: &BTreeMap<Knot, Spot>,
    bridges: &BTreeMap<Side, &'static str>,
) -> (Vec<Junction>, Vec<Link>) {
    let mut ids: BTreeMap<Knot, u32> = BTreeMap::new();
    for (from, to) in sides {
        ids.insert(*from, 0);
        ids.insert(*to, 0);
    }
    let mut junctions = Vec::with_capacity(ids.len());
    for ((knot, id), number) in ids.iter_mut().zip(1..) {
        *id = number;
        junctions.push(Junction {
            id: number,
            grid: *knot,
            spot: spots[knot],
            arms: 0,
            signal: None,
        });
    }
    let mut names = Names { seed, ..Names::default() };
    let mut links: Vec<Link> = Vec::with_capacity(sides.len() * 2);
    let mut id = 0;
    for (from, to) in sides {
        let class = class_of(*from, *to);
        let bridge = bridges.get(&(*from, *to));
        let name = bridge.map_or_else(|| names.of(*from, *to, class), |name| (*name).to_owned());
        for (start, end) in [(from, to), (to, from)] {
            id += 1;
            let link = Link {
                id,
                key: format!("{}:{}-{}", slug(&name), grid_key(*start), grid_key(*end)),
                upright: from.0 == to.0,
                from: ids[start],
                to: ids[end],
                class,
                name: name.clone(),
                bridge: bridge.is_some(),
                start: spots[start],
                end: spots[end],
            };
            links.push(link);
        }
    }
    light(seed, &mut junctions, &links);
    (junctions, links)
}

/// A junction's name: column and row of the street grid.
pub(super) fn grid_key((column, row): Knot) -> String {
    format!("x{column}y{row}")
}

/// Counts the arms, and puts traffic lights where three or more meet and one is an arterial.
fn light(seed: u64, junctions: &mut [Junction], links: &[Link]) {
    let mut greatest = vec![[StreetClass::Residential; 2]; junctions.len()];
    for link in links {
        let to = usize::try_from(link.to - 1).expect("u32 fits usize");
        junctions[to].arms += 1;
        let along = &mut greatest[to][usize::from(!link.upright)];
        *along = (*along).max(link.class);
    }
    for (junction, classes) in junctions.iter_mut().zip(greatest) {
        if junction.arms >= 3 && classes.iter().any(|class| class.is_arterial()) {
            junction.signal = Some(Plan::of(seed, junction.id, classes));
        }
    }
}

/// Street names: a line of the lattice keeps its name for about 6 km.
#[derive(Debug, Default)]
struct Names {
    seed: u64,
    given: BTreeMap<(bool, u32, u32), String>,
    arterials: usize,
}

impl Names {
    fn of(&mut self, from: Knot, to: Knot, class: StreetClass) -> String {
        let upright = from.0 == to.0;
        let (line, along) = if upright { (from.0, from.1) } else { (from.1, from.0) };
        let stretch = if class.is_arterial() { along / 64 } else { along / 8 };
        let key = (upright, line, stretch);
        if let Some(name) = self.given.get(&key) {
            return name.clone();
        }
        let name = if class.is_arterial() {
            self.arterials += 1;
            ARTERIALS[self.arterials % ARTERIALS.len()].to_owned()
        } else {
            let which = u64::from(line) << 32 | u64::from(stretch) << 1 | u64::from(upright);
            let lot = draw(self.seed ^ 0x5eed_0003, which);
            if unit(lot) < 0.5 {
                format!("Đường số {}", below(lot, 60) + 1)
            } else {
                format!("Hẻm {}", below(lot, 900) + 1)
            }
        };
        self.given.insert(key, name.clone());
        name
    }
}
