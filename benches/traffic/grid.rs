//! Grids of two-way streets as the link transmission model takes them: any size, always the same.

use citytwin_core::traffic::ltm::{
    Demand, Destination, Entrance, Exit, Link, Network, Origin, Turning, TurningPiece,
};

use crate::city::Chance;

/// Length of a street in metres, shortest and longest: none is passed within a step of 4 s.
const LENGTH_M: (f64, f64) = (80.0, 250.0);

/// Of all who come to a destination, the part that ends there, against 1 for each other way.
const ENDING: f64 = 0.7;

/// A grid of so many streets each way, given in random order. With `ends` destinations, or one at
/// each third junction.
pub(crate) fn network(side: u32, ends: Option<u32>) -> Network {
    let mut chance = Chance(12_345);
    let count = side * side;
    let names = shuffled((0..count).collect(), &mut chance);
    let mut links = Vec::new();
    for junction in 0..count {
        let right = (junction % side + 1 < side).then_some(junction + 1);
        let down = (junction / side + 1 < side).then_some(junction + side);
        for other in right.into_iter().chain(down) {
            let length_m = LENGTH_M.0 + (LENGTH_M.1 - LENGTH_M.0) * chance.part();
            let street = |from: u32, to: u32| Link {
                from: names[from as usize],
                to: names[to as usize],
                length_m,
                free_speed_mps: 13.9,
                wave_speed_mps: 5.0,
                jam_density_pcu_m: 0.26,
                capacity_pcu_s: None,
            };
            links.extend([street(junction, other), street(other, junction)]);
        }
    }
    let links = shuffled(links, &mut chance);
    let origin = |junction| Origin { junction, capacity_pcu_s: None };
    let end = |junction| Destination { junction, capacity_pcu_s: None };
    let ends = match ends {
        Some(ends) => (0..ends).map(|row| end(row * (count / ends))).collect(),
        None => (0..count).step_by(3).map(end).collect(),
    };
    Network::new(count, links, (0..count).map(origin).collect(), ends, &[]).expect("a sound grid")
}

fn shuffled<T>(mut items: Vec<T>, chance: &mut Chance) -> Vec<T> {
    for last in (1..items.len()).rev() {
        items.swap(last, chance.below(last + 1));
    }
    items
}

/// At every origin the same flow for an hour, to each destination a part of it.
pub(crate) fn demand(network: &Network, flow_pcu_s: f64, by_destination: bool) -> Vec<Demand> {
    let ends = network.destinations().len() as u32;
    let ends: Vec<Option<u32>> =
        if by_destination { (0..ends).map(Some).collect() } else { vec![None] };
    let part = flow_pcu_s / ends.len() as f64;
    let row = |origin: u32, destination: &Option<u32>| Demand {
        origin,
        destination: *destination,
        from_s: 0.0,
        until_s: crate::city::HOUR_S,
        flow_pcu_s: part,
    };
    let origins = 0..network.origins().len() as u32;
    origins.flat_map(|origin| ends.iter().map(move |end| row(origin, end))).collect()
}

/// Everybody turns evenly, and some end where they can.
pub(crate) fn turning(network: &Network) -> Turning {
    let share = |exit| match exit {
        Exit::Link(_) => 1.0,
        Exit::Destination(_) => ENDING,
    };
    let piece = |link| {
        let from = Entrance::Link(link);
        TurningPiece { from, from_s: 0.0, shares: network.exits(from).map(share).collect() }
    };
    Turning { pieces: (0..network.links().len() as u32).map(piece).collect() }
}
