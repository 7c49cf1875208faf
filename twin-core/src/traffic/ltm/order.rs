//! The model's own numbers of junctions, links, origins and destinations: neighbours on the ground
//! are near in number, whatever the order they were given in, so that a step finds what it needs
//! in a processor's cache. Junctions are numbered breadth first (Cuthill & McKee 1969), links by
//! the junction they lead to, origins and destinations by their junction; those at one junction
//! keep their order.

use super::link::Link;
use super::network::{Destination, Origin};
use super::rows::Rows;

/// Both ways between numbers as they were given and the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The model's number of each as it was given.
    inner: Vec<u32>,
    /// The given number of each of the model's.
    given: Vec<u32>,
}

impl Names {
    /// In the order of these junctions, by the model's numbers; at one, in the order they were
    /// given.
    fn by(junctions: &[u32]) -> Names {
        let mut given: Vec<u32> = (0_u32..).take(junctions.len()).collect();
        given.sort_by_key(|number| junctions[*number as usize]);
        let mut inner = vec![0; given.len()];
        for (number, place) in given.iter().zip(0..) {
            inner[*number as usize] = place;
        }
        Names { inner, given }
    }

    /// The model's number of what was given, if there is such a thing.
    pub(super) fn inner(&self, given: u32) -> Option<usize> {
        self.inner.get(given as usize).map(|inner| *inner as usize)
    }

    /// The model's numbers of all, as they were given.
    pub(super) fn inners(&self) -> &[u32] {
        &self.inner
    }

    /// The given number of one of the model's.
    pub(super) fn given(&self, inner: usize) -> u32 {
        self.given[inner]
    }

    /// The given numbers of all of the model's.
    pub(super) fn givens(&self) -> &[u32] {
        &self.given
    }
}

/// Both ways between given numbers and the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) links: Names,
    pub(super) origins: Names,
    pub(super) destinations: Names,
    /// The model's number of each given junction.
    junctions: Vec<u32>,
}

impl Order {
    /// Of rows that were checked.
    pub(super) fn new(
        junctions: u32,
        links: &[Link],
        origins: &[Origin],
        destinations: &[Destination],
    ) -> Order {
        let junctions = breadth_first(junctions, links);
        let place = |junction: u32| junctions[junction as usize];
        let at_links: Vec<u32> = links.iter().map(|link| place(link.to)).collect();
        let at_origins: Vec<u32> = origins.iter().map(|origin| place(origin.junction)).collect();
        let at_ends: Vec<u32> = destinations.iter().map(|end| place(end.junction)).collect();
        Order {
            links: Names::by(&at_links),
            origins: Names::by(&at_origins),
            destinations: Names::by(&at_ends),
            junctions,
        }
    }

    /// The links in the model's order, between the model's junctions.
    pub(super) fn inside(&self, links: &[Link]) -> Vec<Link> {
        let link = |given: &u32| {
            let link = links[*given as usize];
            let place = |junction: u32| self.junctions[junction as usize];
            Link { from: place(link.from), to: place(link.to), ..link }
        };
        self.links.givens().iter().map(link).collect()
    }

    /// The model's number of a given junction.
    pub(super) fn junction(&self, given: u32) -> usize {
        self.junctions[given as usize] as usize
    }

    /// Number of junctions.
    pub(super) fn junctions(&self) -> usize {
        self.junctions.len()
    }
}

/// Numbers junctions as a search that spreads from the first of each part over links, either way.
fn breadth_first(junctions: u32, links: &[Link]) -> Vec<u32> {
    let ends = links.iter().flat_map(|link| [(link.from, link.to), (link.to, link.from)]);
    let neighbours = Rows::new(junctions as usize, &ends.collect::<Vec<_>>());
    let mut places = vec![u32::MAX; junctions as usize];
    let mut found: Vec<u32> = Vec::with_capacity(places.len());
    for start in 0..junctions {
        if places[start as usize] != u32::MAX {
            continue;
        }
        let mut next = found.len();
        let mut visit = |junction: u32, found: &mut Vec<u32>| {
            if places[junction as usize] == u32::MAX {
                places[junction as usize] = u32::try_from(found.len()).expect("counted in u32");
                found.push(junction);
            }
        };
        visit(start, &mut found);
        while next < found.len() {
            for junction in neighbours.row(found[next] as usize) {
                visit(*junction, &mut found);
            }
            next += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_near_in_number_and_those_at_one_junction_keep_their_order() {
        // A street 3 – 0 – 2 – 1, and what lies at its junctions.
        let pairs = [(3, 0), (0, 2), (2, 1)];
        let link = |(from, to)| Link {
            from,
            to,
            length_m: 100.0,
            free_speed_mps: 10.0,
            wave_speed_mps: 5.0,
            jam_density_pcu_m: 0.2,
            capacity_pcu_s: None,
        };
        let origins = [1, 3, 2, 3, 0].map(|junction| Origin { junction, capacity_pcu_s: None });
        let ends = [2, 1, 1].map(|junction| Destination { junction, capacity_pcu_s: None });
        let order = Order::new(4, &pairs.map(link), &origins, &ends);
        assert_eq!([0, 1, 2, 3].map(|junction| order.junction(junction)), [0, 3, 2, 1]);
        assert_eq!(order.origins.givens(), [4, 1, 3, 2, 0]);
        assert_eq!(order.destinations.givens(), [0, 1, 2]);
        for names in [&order.links, &order.origins, &order.destinations] {
            for (inner, given) in names.givens().iter().enumerate() {
                assert_eq!(names.inner(*given), Some(inner));
                assert_eq!(names.given(inner), *given);
            }
            assert_eq!(names.inner(5), None);
        }
    }
}
