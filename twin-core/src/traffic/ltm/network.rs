//! The network, checked once and never changed: links, junctions, and which movement leads from
//! which way into a junction to which way out. Flat tables, so that a step reads memory in order.
//!
//! Within the model all of them have numbers of their own, near for neighbours on the
//! ground (`order.rs`): it is what keeps a large network as fast, per link, as a small one. They
//! are the ones of all `pub(super)` functions here; the public ones take and give numbers as they
//! were given. Ways in are numbered links first, then origins; ways out links first, then
//! destinations.

use std::sync::Arc;

use super::error::{LinkProblem, NetworkError};
use super::link::Link;
use super::order::{Names, Order};
use super::rows::Rows;

/// Where vehicles come from: a queue without length, before a junction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Origin {
    /// The junction it feeds.
    pub junction: u32,
    /// The most it lets in, in pcu/s; `None` for as much as all links out of the junction take.
    pub capacity_pcu_s: Option<f64>,
}

/// Where vehicles leave the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Destination {
    /// The junction it drains.
    pub junction: u32,
    /// The most it takes, in pcu/s; `None` for no limit.
    pub capacity_pcu_s: Option<f64>,
}

/// A way into a junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The end of this link.
    Link(u32),
    /// This origin.
    Origin(u32),
}

/// A way out of a junction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The beginning of this link.
    Link(u32),
    /// This destination.
    Destination(u32),
}

/// Links, junctions and movements.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    links: Vec<Link>,
    order: Arc<Order>,
    /// In the order of the model, between junctions as the model numbers them.
    inside: Vec<Link>,
    origins: Vec<Origin>,
    destinations: Vec<Destination>,
    ins: Rows<u32>,
    outs: Rows<u32>,
    /// Per junction, how many of its ways in and out are links; they come first.
    roads: Vec<(u32, u32)>,
    /// Per way in, the place of each way out among those of its junction.
    movements: Rows<u16>,
    /// Per movement, the way out it leads to.
    targets: Vec<u32>,
    /// Per way out, the movements that lead to it: way in, movement.
    feeders: Rows<(u32, u32)>,
}

/// Which movements there are from link to link: all but these, or only these. Sorted.
enum Turns {
    But(Vec<(u32, u32)>),
    Only(Vec<(u32, u32)>),
}

impl Network {
    /// Checks and joins. Every movement is allowed but the `banned` (link, link) and turning back
    /// into the junction a link came from, where there is another way. Origins lead to links only.
    ///
    /// # Errors
    /// When a row is not allowed; see [`NetworkError`].
    pub fn new(
        junctions: u32,
        links: Vec<Link>,
        origins: Vec<Origin>,
        destinations: Vec<Destination>,
        banned: &[(u32, u32)],
    ) -> Result<Network, NetworkError> {
        Network::joined(junctions, (links, origins, destinations), Turns::But(banned.to_vec()))
    }

    /// As [`Network::new`], but movements from link to link are these and no others, turning back
    /// included where it is named: for networks that know their turns.
    ///
    /// # Errors
    /// When a row is not allowed; a movement between links that do not meet is a
    /// [`NetworkError::Ban`] by its row.
    pub fn with_movements(
        junctions: u32,
        links: Vec<Link>,
        origins: Vec<Origin>,
        destinations: Vec<Destination>,
        movements: &[(u32, u32)],
    ) -> Result<Network, NetworkError> {
        Network::joined(junctions, (links, origins, destinations), Turns::Only(movements.to_vec()))
    }

    fn joined(
        junctions: u32,
        (links, origins, destinations): (Vec<Link>, Vec<Origin>, Vec<Destination>),
        mut turns: Turns,
    ) -> Result<Network, NetworkError> {
        let allowed = |junction: u32, capacity: Option<f64>| {
            junction < junctions && capacity.is_none_or(|q| q.is_finite() && q > 0.0)
        };
        for (number, link) in links.iter().enumerate() {
            link.check(junctions)
                .map_err(|problem: LinkProblem| NetworkError::Link { link: number, problem })?;
        }
        if let Some(row) = origins.iter().position(|row| !allowed(row.junction, row.capacity_pcu_s))
        {
            return Err(NetworkError::Origin(row));
        }
        if let Some(row) =
            destinations.iter().position(|row| !allowed(row.junction, row.capacity_pcu_s))
        {
            return Err(NetworkError::Destination(row));
        }
        let meet = |(from, to): &(u32, u32)| {
            let (from, to) = (links.get(*from as usize), links.get(*to as usize));
            from.zip(to).is_some_and(|(from, to)| from.to == to.from)
        };
        let (Turns::But(pairs) | Turns::Only(pairs)) = &mut turns;
        if let Some(row) = pairs.iter().position(|pair| !meet(pair)) {
            return Err(NetworkError::Ban(row));
        }
        pairs.sort_unstable();
        small(links.len() + origins.len().max(destinations.len()))?;
        let order = Order::new(junctions, &links, &origins, &destinations);
        let order_count = order.junctions();
        let (ins, outs) = arms(&order, &links, &origins, &destinations);
        let mut network = Network {
            movements: Rows::new(0, &[]),
            targets: Vec::new(),
            feeders: Rows::new(0, &[]),
            inside: order.inside(&links),
            links,
            roads: Vec::new(),
            order: Arc::new(order),
            origins,
            destinations,
            ins,
            outs,
        };
        network.roads = (0..order_count).map(|junction| network.count_roads(junction)).collect();
        network.join(&turns)?;
        Ok(network)
    }

    fn count_roads(&self, junction: usize) -> (u32, u32) {
        let links = |ways: &[u32]| {
            let roads = ways.iter().filter(|way| (**way as usize) < self.inside.len());
            u32::try_from(roads.count()).expect("ways are counted in u32")
        };
        (links(self.ins(junction)), links(self.outs(junction)))
    }

    /// Fills in the movements and their reverse.
    fn join(&mut self, turns: &Turns) -> Result<(), NetworkError> {
        let (mut forward, mut reverse) = (Vec::new(), Vec::new());
        for way in 0..self.ways_in() {
            let way_number = small(way)?;
            for (place, out) in self.outs.row(self.junction_of(way)).iter().enumerate() {
                if self.leads(way, *out, turns) {
                    let place = u16::try_from(place).map_err(|_over| NetworkError::TooLarge)?;
                    reverse.push((*out, (way_number, small(forward.len())?)));
                    forward.push((way_number, place));
                    self.targets.push(*out);
                }
            }
        }
        self.movements = Rows::new(self.ways_in(), &forward);
        self.feeders = Rows::new(self.ways_out(), &reverse);
        Ok(())
    }

    /// Whether there is a movement from a way in to a way out of the same junction.
    fn leads(&self, way: usize, out: u32, turns: &Turns) -> bool {
        let (from, to) = (self.inside.get(way), self.inside.get(out as usize));
        match (from, to) {
            (Some(from), Some(to)) => {
                let links = &self.order.links;
                let turn = (links.given(way), links.given(out as usize));
                let banned = match turns {
                    Turns::But(banned) => banned,
                    Turns::Only(movements) => return movements.binary_search(&turn).is_ok(),
                };
                let links = self.inside.len();
                let others = self.outs.row(from.to as usize);
                let only = others.iter().filter(|other| (**other as usize) < links).count() == 1;
                (only || to.to != from.from) && banned.binary_search(&turn).is_err()
            }
            (Some(_), None) | (None, Some(_)) => true,
            (None, None) => false,
        }
    }

    /// All links, as they were given.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// All origins.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// All destinations.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// Number of junctions.
    pub fn junctions(&self) -> usize {
        self.ins.rows()
    }

    /// Number of movements.
    pub fn movements(&self) -> usize {
        self.movements.len()
    }

    /// The number of the movement from one way to another, if it is allowed.
    pub fn movement(&self, from: Entrance, to: Exit) -> Option<u32> {
        let (way, out) = (self.way_in(from)?, self.way_out(to)?);
        let feeders = self.feeders.row(out);
        feeders.iter().find(|(feeder, _)| *feeder as usize == way).map(|(_, movement)| *movement)
    }

    /// Where a way in leads, in the order of its shares; none if there is no such way in.
    pub fn exits(&self, from: Entrance) -> impl Iterator<Item = Exit> + '_ {
        let way = self.way_in(from);
        let movements = way.map_or(0..0, |way| self.movements.span(way));
        movements.map(|movement| self.exit(self.target(movement)))
    }

    /// The number of a way in.
    pub(super) fn way_in(&self, from: Entrance) -> Option<usize> {
        match from {
            Entrance::Link(link) => self.inner(link),
            Entrance::Origin(origin) => {
                self.order.origins.inner(origin).map(|inner| self.inside.len() + inner)
            }
        }
    }

    fn way_out(&self, to: Exit) -> Option<usize> {
        match to {
            Exit::Link(link) => self.inner(link),
            Exit::Destination(row) => {
                self.order.destinations.inner(row).map(|inner| self.inside.len() + inner)
            }
        }
    }

    /// The model's number of a link as it was given.
    pub(super) fn inner(&self, link: u32) -> Option<usize> {
        self.order.links.inner(link)
    }

    /// The model's numbers.
    pub(super) fn order(&self) -> &Arc<Order> {
        &self.order
    }

    /// The links by the model's numbers, between junctions by the model's numbers.
    pub(super) fn inside(&self) -> &[Link] {
        &self.inside
    }

    fn exit(&self, out: u32) -> Exit {
        let links = u32::try_from(self.inside.len()).expect("counted when it was joined");
        if out < links {
            Exit::Link(self.order.links.given(out as usize))
        } else {
            Exit::Destination(self.order.destinations.given((out - links) as usize))
        }
    }

    /// The way out a movement leads to.
    pub(super) fn target(&self, movement: usize) -> u32 {
        self.targets[movement]
    }

    /// Where a way in leads to.
    pub(super) fn junction_of(&self, way: usize) -> usize {
        let link = self.inside.get(way).map(|link| link.to as usize);
        link.unwrap_or_else(|| self.order.junction(self.origin(way - self.inside.len()).junction))
    }

    /// Links and origins.
    pub(super) fn ways_in(&self) -> usize {
        self.inside.len() + self.origins.len()
    }

    /// Links and destinations.
    pub(super) fn ways_out(&self) -> usize {
        self.inside.len() + self.destinations.len()
    }

    /// Links into a junction, and origins there.
    pub(super) fn ins_by_kind(&self, junction: usize) -> (&[u32], &[u32]) {
        self.ins(junction).split_at(self.roads[junction].0 as usize)
    }

    /// Links out of a junction, and destinations there.
    pub(super) fn outs_by_kind(&self, junction: usize) -> (&[u32], &[u32]) {
        self.outs(junction).split_at(self.roads[junction].1 as usize)
    }

    /// Ways into a junction.
    pub(super) fn ins(&self, junction: usize) -> &[u32] {
        self.ins.row(junction)
    }

    /// Ways out of a junction.
    pub(super) fn outs(&self, junction: usize) -> &[u32] {
        self.outs.row(junction)
    }

    /// The most ways in and out of one junction.
    pub(super) fn widest(&self) -> (usize, usize) {
        (self.ins.longest(), self.outs.longest())
    }

    /// Movements of a way in.
    pub(super) fn moves(&self, way: usize) -> std::ops::Range<usize> {
        self.movements.span(way)
    }

    /// Their places among the ways out of the junction.
    pub(super) fn places(&self, way: usize) -> &[u16] {
        self.movements.row(way)
    }

    /// Movements that lead to a way out: way in, movement.
    pub(super) fn feeders(&self, out: usize) -> &[(u32, u32)] {
        self.feeders.row(out)
    }

    /// An origin by the model's number.
    fn origin(&self, origin: usize) -> &Origin {
        &self.origins[self.order.origins.given(origin) as usize]
    }

    /// The most an origin lets in, in pcu/s.
    pub(super) fn origin_capacity(&self, origin: usize) -> f64 {
        let origin = self.origin(origin);
        origin.capacity_pcu_s.unwrap_or_else(|| {
            let outs = self.outs(self.order.junction(origin.junction)).iter();
            outs.filter_map(|out| self.inside.get(*out as usize)).map(Link::capacity_pcu_s).sum()
        })
    }
}

fn small(number: usize) -> Result<u32, NetworkError> {
    let number = u32::try_from(number).map_err(|_over| NetworkError::TooLarge)?;
    if number > u32::MAX / 2 { Err(NetworkError::TooLarge) } else { Ok(number) }
}

/// Ways into and out of each junction, in the order they were given, links first.
fn arms(
    order: &Order,
    links: &[Link],
    origins: &[Origin],
    destinations: &[Destination],
) -> (Rows<u32>, Rows<u32>) {
    let place = |junction: u32| u32::try_from(order.junction(junction)).expect("it was a u32");
    let first = u32::try_from(links.len()).expect("checked before");
    let ways = |ends: &Names| {
        let ends = ends.inners().iter().map(|inner| first + inner);
        order.links.inners().iter().copied().chain(ends).collect::<Vec<u32>>()
    };
    let ends = links.iter().map(|link| link.to);
    let starts = links.iter().map(|link| link.from);
    let ins = ends.chain(origins.iter().map(|origin| origin.junction)).map(place);
    let outs = starts.chain(destinations.iter().map(|destination| destination.junction)).map(place);
    let ins: Vec<_> = ins.zip(ways(&order.origins)).collect();
    let outs: Vec<_> = outs.zip(ways(&order.destinations)).collect();
    (Rows::new(order.junctions(), &ins), Rows::new(order.junctions(), &outs))
}
