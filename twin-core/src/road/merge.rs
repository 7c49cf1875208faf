//! Fewer and longer links: runs through junctions at which nothing is decided become one link.
//!
//! A junction goes if trips can only pass straight through it (one road, one or two directions, no
//! signal, no zone, no rule of turns, no U-turn), and if in each direction the two links are alike
//! or one of them is shorter than the threshold. A merged link is as long as its parts, takes as
//! long to drive without traffic, and holds as many vehicles; it takes as many an hour as its
//! narrowest part; class, name and lanes are those of its longest part; it has the key of its first
//! part, and the keys of all its parts still find it. What the merging does not keep is where on it a bottleneck was, which
//! is why unlike links are merged only where one of them is short.
//!
//! Short links between real junctions stay: to remove them would change who meets whom.

use std::collections::{BTreeMap, BTreeSet};

use super::class::RoadClass;
use super::draft::{Draft, DraftLink, DraftPoint};
use super::key::{JunctionIndex, LinkIndex};
use super::link::{Control, Link};
use super::network::Network;
use super::unit::{MetersPerSecond, VehiclesPerHour, VehiclesPerKilometer};

/// A merged network and what became of the old one.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// The new network.
    pub network: Network,
    /// Junctions that went.
    pub junctions_gone: usize,
    /// Links fewer than before.
    pub links_gone: usize,
    /// Links that are still shorter than the threshold.
    pub still_short: usize,
}

impl Network {
    /// Merges runs of links; see the head of the file. O(n log n).
    ///
    /// # Panics
    /// Never: what is merged of checked links passes the checks again.
    pub fn merge_below(&self, threshold_m: f64) -> Merged {
        let mut gone: BTreeSet<JunctionIndex> = self
            .junction_indexes()
            .filter(|junction| !self.pairs_through(*junction, threshold_m).is_empty())
            .collect();
        for junction in self.zones().iter().flat_map(super::Zone::connectors) {
            gone.remove(junction);
        }
        let mut runs = self.runs(&gone, threshold_m);
        // A run that comes back to its start would be a loop: one junction of it stays.
        let loops = runs.iter().filter(|run| self.is_loop(run));
        let stay: Vec<JunctionIndex> = loops
            .filter_map(|run| run[1..].iter().map(|link| self.link(*link).from()).min())
            .collect();
        if !stay.is_empty() {
            for junction in &stay {
                gone.remove(junction);
            }
            runs = self.runs(&gone, threshold_m);
        }
        let built = self.merged_draft(&runs, &gone).build();
        assert!(built.faults.is_empty(), "a merged network is sound: {:?}", built.faults);
        let short = |link: &&Link| link.length().get() < threshold_m;
        Merged {
            // A ring of nothing but junctions that could go keeps them.
            junctions_gone: self.junctions().len() - built.network.junctions().len(),
            links_gone: self.links().len() - built.network.links().len(),
            still_short: built.network.links().iter().filter(short).count(),
            network: built.network,
        }
    }

    fn is_loop(&self, run: &[LinkIndex]) -> bool {
        let ends = run.first().zip(run.last());
        run.len() > 1 && ends.is_some_and(|(a, b)| self.link(*a).from() == self.link(*b).to())
    }

    /// The pairs of links that would become one if this junction went; empty if it must stay.
    fn pairs_through(
        &self,
        junction: JunctionIndex,
        threshold_m: f64,
    ) -> Vec<(LinkIndex, LinkIndex)> {
        let own = self.junction(junction);
        let (incoming, outgoing) = (self.incoming(junction), self.outgoing(junction));
        let plain = own.is_passable()
            && own.control() == Control::None
            && incoming.len() == outgoing.len()
            && (1..=2).contains(&incoming.len())
            && !self.signal_plans().contains_key(&junction);
        if !plain {
            return Vec::new();
        }
        let mut pairs = Vec::with_capacity(2);
        let mut neighbours = BTreeSet::new();
        for from in incoming {
            neighbours.insert(self.link(*from).from());
            let [only] = self.movements_from(*from) else { return Vec::new() };
            let ruled = outgoing.iter().any(|to| self.turn_rule(*from, *to).is_some());
            let back = self.link(only.to).to() == self.link(*from).from();
            if ruled || back || !self.may_join(*from, only.to, threshold_m) {
                return Vec::new();
            }
            pairs.push((*from, only.to));
        }
        let onto: BTreeSet<_> = outgoing.iter().map(|link| self.link(*link).to()).collect();
        let straight = if pairs.len() == 1 {
            neighbours.is_disjoint(&onto)
        } else {
            neighbours == onto && neighbours.len() == 2 && pairs[0].1 != pairs[1].1
        };
        if straight { pairs } else { Vec::new() }
    }

    fn may_join(&self, one: LinkIndex, other: LinkIndex, threshold_m: f64) -> bool {
        let (a, b) = (self.link(one), self.link(other));
        if a.class() == RoadClass::Connector || b.class() == RoadClass::Connector {
            return false;
        }
        let alike = a.class() == b.class()
            && a.name() == b.name()
            && a.lanes() == b.lanes()
            && a.free_speed() == b.free_speed()
            && a.capacity_per_lane() == b.capacity_per_lane()
            && a.jam_density_per_lane() == b.jam_density_per_lane();
        alike || a.length().get().min(b.length().get()) < threshold_m
    }

    /// All links in runs, each link in one run, in driving order. A ring of nothing but junctions
    /// that could go stays as it is.
    fn runs(&self, gone: &BTreeSet<JunctionIndex>, threshold_m: f64) -> Vec<Vec<LinkIndex>> {
        let next: BTreeMap<LinkIndex, LinkIndex> =
            gone.iter().flat_map(|junction| self.pairs_through(*junction, threshold_m)).collect();
        let mut taken = vec![false; self.links().len()];
        let mut runs = Vec::new();
        for start in self.link_indexes() {
            if gone.contains(&self.link(start).from()) {
                continue;
            }
            let mut run = vec![start];
            let mut at = start;
            while let Some(to) = next.get(&at) {
                run.push(*to);
                at = *to;
            }
            for link in &run {
                taken[link.slot()] = true;
            }
            runs.push(run);
        }
        let left = self.link_indexes().filter(|link| !taken[link.slot()]);
        runs.extend(left.map(|link| vec![link]));
        runs
    }

    fn merged_draft(&self, runs: &[Vec<LinkIndex>], gone: &BTreeSet<JunctionIndex>) -> Draft {
        let mut draft = self.to_draft();
        let mut renamed: BTreeMap<String, String> = BTreeMap::new();
        let mut links = Vec::with_capacity(runs.len());
        for run in runs {
            let link = self.joined(run, &draft);
            for part in run {
                let key = draft.links[part.slot()].key.clone();
                renamed.insert(key, link.key.clone());
            }
            links.push(link);
        }
        let ends: BTreeSet<String> =
            links.iter().flat_map(|link| [link.from.clone(), link.to.clone()]).collect();
        let gone: BTreeSet<&str> =
            gone.iter().map(|junction| self.junction(*junction).key().as_str()).collect();
        draft.junctions.retain(|one| !gone.contains(one.key.as_str()) || ends.contains(&one.key));
        draft.links = links;
        let name = |key: &mut String| {
            if let Some(new) = renamed.get(key.as_str()) {
                key.clone_from(new);
            }
        };
        for turn in &mut draft.turns {
            name(&mut turn.from);
            name(&mut turn.to);
        }
        let phases = draft.signals.iter_mut().flat_map(|signal| &mut signal.phases);
        for (from, to) in phases.flat_map(|phase| &mut phase.releases) {
            name(from);
            to.iter_mut().for_each(name);
        }
        draft
    }

    fn joined(&self, run: &[LinkIndex], draft: &Draft) -> DraftLink {
        let parts: Vec<&Link> = run.iter().map(|link| self.link(*link)).collect();
        let longest = (0..run.len())
            .max_by(|a, b| {
                let (one, other) = (parts[*a].length().get(), parts[*b].length().get());
                one.total_cmp(&other).then(b.cmp(a))
            })
            .unwrap_or_default();
        let mut link = draft.links[run[longest].slot()].clone();
        if run.len() == 1 {
            return link;
        }
        let last = run.len() - 1;
        link.key.clone_from(&draft.links[run[0].slot()].key);
        link.from.clone_from(&draft.links[run[0].slot()].from);
        link.to.clone_from(&draft.links[run[last].slot()].to);
        let length_m: f64 = parts.iter().map(|part| part.length().get()).sum();
        let lanes = parts[longest].lanes().count();
        link.length_m = Some(length_m);
        if parts.iter().any(|part| part.free_speed() != parts[0].free_speed()) {
            let time_s: f64 = parts.iter().map(|part| part.travel_time_s()).sum();
            let speed = (length_m / time_s).clamp(MetersPerSecond::LEAST, MetersPerSecond::MOST);
            link.free_speed_mps = Some(speed);
        }
        let unlike = |part: &&Link| {
            part.lanes() != parts[0].lanes()
                || part.capacity_per_lane() != parts[0].capacity_per_lane()
                || part.jam_density_per_lane() != parts[0].jam_density_per_lane()
        };
        if parts.iter().any(unlike) {
            let narrowest =
                parts.iter().map(|part| part.capacity_veh_h()).fold(f64::INFINITY, f64::min);
            let storage: f64 = parts.iter().map(|part| part.storage_veh()).sum();
            let flow = narrowest / lanes;
            link.capacity_veh_h_lane =
                Some(flow.clamp(VehiclesPerHour::LEAST, VehiclesPerHour::MOST));
            let density = storage * 1_000.0 / (length_m * lanes);
            link.jam_density_veh_km_lane =
                Some(density.clamp(VehiclesPerKilometer::LEAST, VehiclesPerKilometer::MOST));
        }
        link.geometry = self.joined_line(run);
        link.originals = run.iter().flat_map(|part| originals(&draft.links[part.slot()])).collect();
        link
    }

    fn joined_line(&self, run: &[LinkIndex]) -> Vec<DraftPoint> {
        let line = run.iter().flat_map(|link| self.line(*link));
        line.map(|position| (position.latitude_deg(), position.longitude_deg())).collect()
    }
}

fn originals(link: &DraftLink) -> Vec<String> {
    if link.originals.is_empty() { vec![link.key.clone()] } else { link.originals.clone() }
}
