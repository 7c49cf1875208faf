//! Where the trips of wards enter the streets and leave them.

use super::plane::Spot;
use super::{City, Junction, PlaceKind};

/// A ward has a connector for so many of its junctions.
const JUNCTIONS_PER_CONNECTOR: usize = 6;
/// And at most so many.
const MOST_CONNECTORS: usize = 10;

/// The connectors of every ward as places in the list of junctions; wards in order, those without a
/// street with none. No junction serves two wards.
pub(super) fn connectors(city: &City) -> Vec<Vec<usize>> {
    let wards = city.places_of(PlaceKind::Ward).zip(city.junctions_by_ward());
    wards.map(|(ward, own)| spread(city.junctions(), ward.middle, &own)).collect()
}

/// The crossing nearest to a ward's middle, then always the one furthest from those taken, so that
/// they lie spread over the ward.
fn spread(junctions: &[Junction], middle: Spot, own: &[usize]) -> Vec<usize> {
    let crossings: Vec<usize> = own.iter().filter(|n| junctions[**n].arms >= 3).copied().collect();
    let from = if crossings.is_empty() { own } else { &crossings };
    let wanted = (own.len() / JUNCTIONS_PER_CONNECTOR).clamp(1, MOST_CONNECTORS);
    let distance = |n: &usize| junctions[*n].spot.distance_km(middle);
    let first = from.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let mut taken: Vec<usize> = first.into_iter().copied().collect();
    while taken.len() < wanted.min(from.len()) {
        let apart = |n: &usize| {
            let spot = junctions[*n].spot;
            let others = taken.iter().map(|other| spot.distance_km(junctions[*other].spot));
            others.fold(f64::INFINITY, f64::min)
        };
        let next = from.iter().max_by(|a, b| apart(a).total_cmp(&apart(b)));
        taken.extend(next.copied());
    }
    taken
}
