//! The model's own numbers of links and junctions: neighbours on the ground are near in number,
//! whatever the order they were given in, so that a step finds what it needs in a processor's
//! cache. Junctions are numbered breadth first (Cuthill & McKee 1969), links by the junction they
//! lead to; links into one junction keep their order.

use std::sync::Arc;

use super::link::Link;
use super::rows::Rows;

/// Both ways between given numbers and the model's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// The model's number of each given link.
    inner: Arc<[u32]>,
    /// The given number of each of the model's links.
    given: Vec<u32>,
    /// The model's number of each given junction.
    junctions: Vec<u32>,
}

impl Order {
    /// Of links that were checked.
    pub(super) fn new(junctions: u32, links: &[Link]) -> Order {
        let junctions = breadth_first(junctions, links);
        let mut given: Vec<u32> = (0_u32..).take(links.len()).collect();
        given.sort_by_key(|link| junctions[links[*link as usize].to as usize]);
        let mut inner = vec![0; links.len()];
        for (link, place) in given.iter().zip(0..) {
            inner[*link as usize] = place;
        }
        Order { inner: inner.into(), given, junctions }
    }

    /// The links in the model's order, between the model's junctions.
    pub(super) fn links(&self, links: &[Link]) -> Vec<Link> {
        let link = |given: &u32| {
            let link = links[*given as usize];
            let place = |junction: u32| self.junctions[junction as usize];
            Link { from: place(link.from), to: place(link.to), ..link }
        };
        self.given.iter().map(link).collect()
    }

    /// The model's number of each given link.
    pub(super) fn table(&self) -> Arc<[u32]> {
        Arc::clone(&self.inner)
    }

    /// The model's number of a given link, if there is one.
    pub(super) fn inner(&self, given: u32) -> Option<usize> {
        self.inner.get(given as usize).map(|inner| *inner as usize)
    }

    /// The model's numbers of all links as they were given.
    pub(super) fn inners(&self) -> impl Iterator<Item = usize> + '_ {
        self.inner.iter().map(|inner| *inner as usize)
    }

    /// The given number of a link of the model.
    pub(super) fn given(&self, inner: usize) -> u32 {
        self.given[inner]
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
