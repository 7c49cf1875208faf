//! The network itself: tables in the order of their keys and the indexes over them. It cannot be
//! changed; a new one is built ([`Draft::build`](super::Draft::build)).
//!
//! Two drafts that tell the same things in another order build the same network, number for number
//! and byte for byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::hash::{ContentHash, content_hash};
use super::key::{JunctionIndex, LinkIndex, MovementIndex, ZoneIndex};
use super::link::{Junction, Link, Movement, Turn, TurnRule, Zone};
use super::movement;
use super::problem::Problem;
use super::shape::line_length_m;
use super::signal::{self, SignalPlan};
use crate::position::Position;

/// What is stored of a network; everything else follows from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tables {
    pub(super) junctions: Vec<Junction>,
    pub(super) links: Vec<Link>,
    pub(super) turns: Vec<Turn>,
    pub(super) zones: Vec<Zone>,
    pub(super) plans: BTreeMap<JunctionIndex, SignalPlan>,
}

/// A checked road network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Tables", try_from = "Tables")]
pub struct Network {
    tables: Tables,
    incoming: Lists,
    outgoing: Lists,
    movements: Vec<Movement>,
    /// Where the movements of each link begin, and the end of the last.
    first_movement: Vec<u32>,
    /// Merged-away keys, in order.
    merged: Vec<(super::LinkKey, LinkIndex)>,
}

/// Why stored tables are no network.
#[derive(Debug, Error)]
#[error("{}", first(.0))]
pub struct NetworkError(pub Vec<Problem>);

fn first(problems: &[Problem]) -> String {
    let more = problems.len().saturating_sub(1);
    let first = problems.first().map_or_else(|| "out of order".to_owned(), ToString::to_string);
    if more == 0 { first } else { format!("{first} (and {more} more)") }
}

/// Links of each junction, one behind the other.
#[derive(Clone, Debug, PartialEq)]
struct Lists {
    starts: Vec<u32>,
    links: Vec<LinkIndex>,
}

impl Lists {
    fn of(junctions: usize, links: &[Link], end: impl Fn(&Link) -> JunctionIndex) -> Lists {
        let mut starts = vec![0_u32; junctions + 1];
        for link in links {
            starts[end(link).slot() + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut list = vec![LinkIndex::new(0); links.len()];
        for (slot, link) in links.iter().enumerate() {
            let place = &mut next[end(link).slot()];
            list[*place as usize] = LinkIndex::at(slot);
            *place += 1;
        }
        Lists { starts, links: list }
    }

    fn of_junction(&self, junction: JunctionIndex) -> &[LinkIndex] {
        let (start, end) = (self.starts[junction.slot()], self.starts[junction.slot() + 1]);
        &self.links[start as usize..end as usize]
    }
}

impl Network {
    /// Of checked tables in the order of their keys.
    pub(super) fn of(tables: Tables) -> Network {
        let count = tables.junctions.len();
        let incoming = Lists::of(count, &tables.links, Link::to);
        let outgoing = Lists::of(count, &tables.links, Link::from);
        let originals = |(slot, link): (usize, &Link)| {
            let keys = link.originals.clone();
            keys.into_iter().map(move |key| (key, LinkIndex::at(slot)))
        };
        let mut merged: Vec<_> = tables.links.iter().enumerate().flat_map(originals).collect();
        merged.sort();
        let mut network = Network {
            tables,
            incoming,
            outgoing,
            movements: Vec::new(),
            first_movement: Vec::new(),
            merged,
        };
        (network.movements, network.first_movement) = movement::all(&network);
        network.tables.turns = movement::least_turns(&network);
        network.join_releases();
        network
    }

    /// In plans, a link whose movements are all let go together is let go as a whole.
    fn join_releases(&mut self) {
        let mut plans = std::mem::take(&mut self.tables.plans);
        for plan in plans.values_mut() {
            plan.join_releases(|link| self.movements_from(link));
        }
        self.tables.plans = plans;
    }

    /// The links, in the order of their numbers.
    pub fn links(&self) -> &[Link] {
        &self.tables.links
    }

    /// The junctions, in the order of their numbers.
    pub fn junctions(&self) -> &[Junction] {
        &self.tables.junctions
    }

    /// The zones, in the order of their numbers.
    pub fn zones(&self) -> &[Zone] {
        &self.tables.zones
    }

    /// The numbers of all links.
    pub fn link_indexes(&self) -> impl ExactSizeIterator<Item = LinkIndex> + use<> {
        (0..self.tables.links.len()).map(LinkIndex::at)
    }

    /// The numbers of all junctions.
    pub fn junction_indexes(&self) -> impl ExactSizeIterator<Item = JunctionIndex> + use<> {
        (0..self.tables.junctions.len()).map(JunctionIndex::at)
    }

    /// A link.
    ///
    /// # Panics
    /// When the number is of another network.
    pub fn link(&self, index: LinkIndex) -> &Link {
        &self.tables.links[index.slot()]
    }

    /// A junction.
    ///
    /// # Panics
    /// When the number is of another network.
    pub fn junction(&self, index: JunctionIndex) -> &Junction {
        &self.tables.junctions[index.slot()]
    }

    /// A zone.
    ///
    /// # Panics
    /// When the number is of another network.
    pub fn zone(&self, index: ZoneIndex) -> &Zone {
        &self.tables.zones[index.slot()]
    }

    /// The link with this key, also the one it was merged into.
    pub fn find_link(&self, key: &str) -> Option<LinkIndex> {
        let own = self.tables.links.binary_search_by(|link| link.key.as_str().cmp(key));
        own.ok().map(LinkIndex::at).or_else(|| {
            let at = self.merged.binary_search_by(|(merged, _)| merged.as_str().cmp(key)).ok()?;
            Some(self.merged[at].1)
        })
    }

    /// The junction with this key.
    pub fn find_junction(&self, key: &str) -> Option<JunctionIndex> {
        let found = self.tables.junctions.binary_search_by(|one| one.key.as_str().cmp(key));
        found.ok().map(JunctionIndex::at)
    }

    /// The zone with this key.
    pub fn find_zone(&self, key: &str) -> Option<ZoneIndex> {
        let found = self.tables.zones.binary_search_by(|zone| zone.key.as_str().cmp(key));
        found.ok().map(ZoneIndex::at)
    }

    /// Links that end at a junction, in order of number.
    pub fn incoming(&self, junction: JunctionIndex) -> &[LinkIndex] {
        self.incoming.of_junction(junction)
    }

    /// Links that start at a junction, in order of number.
    pub fn outgoing(&self, junction: JunctionIndex) -> &[LinkIndex] {
        self.outgoing.of_junction(junction)
    }

    /// All movements, by the link left, then the link entered.
    pub fn movements(&self) -> &[Movement] {
        &self.movements
    }

    /// The numbers of the movements that leave a link, as a range of [`Network::movements`].
    pub fn movement_range(&self, link: LinkIndex) -> std::ops::Range<usize> {
        self.first_movement[link.slot()] as usize..self.first_movement[link.slot() + 1] as usize
    }

    /// The movements that leave a link.
    pub fn movements_from(&self, link: LinkIndex) -> &[Movement] {
        &self.movements[self.movement_range(link)]
    }

    /// The number of the movement from one link onto another, if it is allowed.
    pub fn find_movement(&self, from: LinkIndex, to: LinkIndex) -> Option<MovementIndex> {
        let range = self.movement_range(from);
        let at = self.movements[range.clone()].binary_search(&Movement { from, to }).ok()?;
        Some(MovementIndex::at(range.start + at))
    }

    /// What the file said of pairs of links, against the general rule; by the link left, then the
    /// link entered.
    pub fn turns(&self) -> &[Turn] {
        &self.tables.turns
    }

    /// What the file said of one pair of links.
    pub fn turn_rule(&self, from: LinkIndex, to: LinkIndex) -> Option<TurnRule> {
        let turns = &self.tables.turns;
        let at = turns.binary_search_by_key(&(from, to), |turn| (turn.from, turn.to)).ok()?;
        Some(turns[at].rule)
    }

    /// The plans that came with the network.
    pub fn signal_plans(&self) -> &BTreeMap<JunctionIndex, SignalPlan> {
        &self.tables.plans
    }

    /// The plan of a junction: its own, else one made up from the classes of its approaches; `None`
    /// where there is no signal.
    pub fn signal_plan(&self, junction: JunctionIndex) -> Option<SignalPlan> {
        let own = self.tables.plans.get(&junction).cloned();
        own.or_else(|| signal::default_plan(self, junction))
    }

    /// A link's line from its start to its end: its shape, else the straight line.
    pub fn line(&self, index: LinkIndex) -> Vec<Position> {
        let link = self.link(index);
        if link.geometry.is_empty() {
            return vec![self.junction(link.from).position, self.junction(link.to).position];
        }
        link.geometry.clone()
    }

    /// Length of a link's line in metres, which need not be the length the file gives it.
    pub fn line_length_m(&self, index: LinkIndex) -> f64 {
        line_length_m(&self.line(index))
    }

    /// The name of this content: equal networks have equal hashes, on any machine.
    pub fn content_hash(&self) -> ContentHash {
        content_hash(&self.tables)
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }
}

/// Equal tables: the rest follows from them.
impl PartialEq for Network {
    fn eq(&self, other: &Network) -> bool {
        self.tables == other.tables
    }
}

impl From<Network> for Tables {
    fn from(network: Network) -> Tables {
        network.tables
    }
}

/// Stored tables are taken apart and built again: what was changed on the way is found.
impl TryFrom<Tables> for Network {
    type Error = NetworkError;

    fn try_from(tables: Tables) -> Result<Network, NetworkError> {
        let draft = super::redraft::redraft(&tables).ok_or_else(|| NetworkError(Vec::new()))?;
        let built = draft.build();
        if !built.faults.is_empty() {
            return Err(NetworkError(built.faults));
        }
        if built.network.tables != tables {
            return Err(NetworkError(Vec::new()));
        }
        Ok(built.network)
    }
}
