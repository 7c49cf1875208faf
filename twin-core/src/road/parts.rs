//! How a network hangs together: islands (links joined without regard to direction) and strong
//! parts (links each of which can be driven to from every other, by allowed movements).

use super::key::LinkIndex;
use super::network::Network;

/// The parts of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Part of each link; parts are numbered by the first link in them.
    part_of: Vec<u32>,
    /// Links of each part.
    sizes: Vec<usize>,
}

impl Parts {
    fn of(part_of: &[u32]) -> Parts {
        let mut new: Vec<Option<u32>> = vec![None; part_of.len()];
        let mut sizes = Vec::new();
        let renumbered = part_of.iter().map(|old| {
            let part = *new[*old as usize].get_or_insert_with(|| {
                sizes.push(0);
                u32::try_from(sizes.len() - 1).expect("a network counts in u32")
            });
            sizes[part as usize] += 1;
            part
        });
        Parts { part_of: renumbered.collect(), sizes }
    }

    /// The part of a link.
    pub fn part(&self, link: LinkIndex) -> usize {
        self.part_of[link.slot()] as usize
    }

    /// Links of each part.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The part with most links, of equals the first; `None` without links.
    pub fn largest(&self) -> Option<usize> {
        (0..self.sizes.len()).max_by_key(|part| (self.sizes[*part], usize::MAX - part))
    }

    /// The first link of a part.
    pub fn first(&self, part: usize) -> Option<LinkIndex> {
        self.part_of.iter().position(|own| *own as usize == part).map(LinkIndex::at)
    }
}

impl Network {
    /// Links that touch each other, in whatever direction: more than one part means that some roads
    /// are not connected at all. O(links), union-find with path halving.
    pub fn islands(&self) -> Parts {
        let mut roots: Vec<u32> = (0..).take(self.links().len()).collect();
        for junction in self.junction_indexes() {
            let mut touching = self.incoming(junction).iter().chain(self.outgoing(junction));
            let Some(first) = touching.next() else { continue };
            for other in touching {
                let (a, b) = (root(&mut roots, first.number()), root(&mut roots, other.number()));
                roots[a.max(b) as usize] = a.min(b);
            }
        }
        let all: Vec<u32> = (0..).take(roots.len()).map(|link| root(&mut roots, link)).collect();
        Parts::of(&all)
    }

    /// Links that can be driven from each to each by allowed movements (Tarjan 1972, SIAM Journal
    /// on Computing 1:146, without recursion). O(links + movements).
    pub fn strong_parts(&self) -> Parts {
        Tarjan::new(self).run()
    }

    /// Links that can be driven to from some links, those included. O(links + movements).
    pub fn reached_from(&self, starts: impl IntoIterator<Item = LinkIndex>) -> Vec<bool> {
        let mut reached = vec![false; self.links().len()];
        let mut waiting: Vec<LinkIndex> = starts.into_iter().collect();
        while let Some(link) = waiting.pop() {
            if !std::mem::replace(&mut reached[link.slot()], true) {
                waiting.extend(self.movements_from(link).iter().map(|movement| movement.to));
            }
        }
        reached
    }
}

fn root(roots: &mut [u32], mut link: u32) -> u32 {
    while roots[link as usize] != link {
        roots[link as usize] = roots[roots[link as usize] as usize];
        link = roots[link as usize];
    }
    link
}

const UNSEEN: u32 = u32::MAX;

struct Tarjan<'a> {
    network: &'a Network,
    seen: Vec<u32>,
    low: Vec<u32>,
    part_of: Vec<u32>,
    open: Vec<u32>,
    next: u32,
}

impl<'a> Tarjan<'a> {
    fn new(network: &'a Network) -> Tarjan<'a> {
        let unseen = vec![UNSEEN; network.links().len()];
        Tarjan {
            network,
            seen: unseen.clone(),
            low: unseen.clone(),
            part_of: unseen,
            open: Vec::new(),
            next: 0,
        }
    }

    fn run(mut self) -> Parts {
        for start in self.network.link_indexes() {
            if self.seen[start.slot()] == UNSEEN {
                self.visit(start);
            }
        }
        Parts::of(&self.part_of)
    }

    fn enter(&mut self, link: LinkIndex) {
        self.seen[link.slot()] = self.next;
        self.low[link.slot()] = self.next;
        self.next += 1;
        self.open.push(link.number());
    }

    fn visit(&mut self, start: LinkIndex) {
        self.enter(start);
        let mut path = vec![(start, self.network.movement_range(start))];
        while let Some((link, rest)) = path.last_mut() {
            let link = *link;
            if let Some(at) = rest.next() {
                let to = self.network.movements()[at].to;
                if self.seen[to.slot()] == UNSEEN {
                    self.enter(to);
                    path.push((to, self.network.movement_range(to)));
                } else if self.part_of[to.slot()] == UNSEEN {
                    self.low[link.slot()] = self.low[link.slot()].min(self.seen[to.slot()]);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                self.low[before.slot()] = self.low[before.slot()].min(self.low[link.slot()]);
            }
            if self.low[link.slot()] == self.seen[link.slot()] {
                self.close(link);
            }
        }
    }

    /// A part is complete: everything opened since its first link. It is named by that link.
    fn close(&mut self, first: LinkIndex) {
        while let Some(link) = self.open.pop() {
            self.part_of[link as usize] = first.number();
            if link == first.number() {
                return;
            }
        }
    }
}
