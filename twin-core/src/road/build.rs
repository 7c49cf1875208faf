//! From a draft to a network: every text and number is checked once, here. What is wrong is left
//! out with a fault that names it; what refers to something left out follows it.

use std::collections::BTreeMap;

use super::draft::{
    Draft, DraftJunction, DraftLink, DraftPoint, DraftSignal, DraftTurn, DraftZone,
};
use super::key::{JunctionIndex, JunctionKey, LinkIndex, LinkKey, ZoneKey};
use super::link::{Junction, Link, Turn, Zone};
use super::network::{Network, Tables};
use super::problem::{Problem, Subject, What};
use super::shape::line_length_m;
use super::signal::{Phase, Release, SignalPlan};
use super::unit::VehiclesPerKilometer;
use super::unit::{Lanes, Meters, MetersPerSecond, UnitError, VehiclesPerHour};
use crate::position::Position;

/// A built network and what was wrong with its draft.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// What is sound.
    pub network: Network,
    /// What was left out and why.
    pub faults: Vec<Problem>,
}

impl Draft {
    /// Checks everything and builds the network of what is sound. Of things with the same key the
    /// first is kept. O(n log n).
    ///
    /// # Panics
    /// With more than `u32::MAX` junctions, links or movements.
    pub fn build(self) -> Built {
        let mut faults = Vec::new();
        let junctions =
            sorted(self.junctions, &mut faults, |one| one.key.clone(), |one| junction(&one));
        let mut tables = Tables { junctions, ..Tables::default() };
        let junctions = numbers(tables.junctions.iter().map(|one| one.key.as_str()));
        let find = |key: &str| junctions.get(key).map(|at| JunctionIndex::at(*at));
        let places = &tables.junctions;
        tables.links = sorted(
            self.links,
            &mut faults,
            |one| one.key.clone(),
            |one| {
                let from = find(&one.from).ok_or_else(|| missing(&one, "from"))?;
                let to = find(&one.to).ok_or_else(|| missing(&one, "to"))?;
                link(&one, (from, to), places)
            },
        );
        let links = numbers(tables.links.iter().map(|one| one.key.as_str()));
        let names = Names { junctions: &junctions, links: &links, tables: &tables };
        let turns: Vec<Turn> = keep(self.turns.iter().map(|one| names.turn(one)), &mut faults);
        let plans: Vec<_> = keep(self.signals.iter().map(|one| names.plan(one)), &mut faults);
        let zones = sorted(self.zones, &mut faults, |one| one.key.clone(), |one| names.zone(&one));
        // Of two rules for one pair the stricter holds.
        let turns: BTreeMap<_, _> =
            turns.into_iter().rev().fold(BTreeMap::new(), |mut all: BTreeMap<_, Turn>, turn| {
                let rule = all.entry((turn.from, turn.to)).or_insert(turn);
                rule.rule = rule.rule.min(turn.rule);
                all
            });
        drop((junctions, links));
        tables.turns = turns.into_values().collect();
        tables.plans = plans.into_iter().collect();
        tables.zones = zones;
        Built { network: Network::of(tables), faults }
    }
}

/// Checks each, sorts them by key, keeps the first of equal keys.
fn sorted<D, T>(
    drafts: Vec<D>,
    faults: &mut Vec<Problem>,
    key: impl Fn(&D) -> String,
    check: impl Fn(D) -> Result<T, Problem>,
) -> Vec<T>
where
    T: Keyed,
{
    let mut kept = BTreeMap::new();
    for draft in drafts {
        let key = key(&draft);
        if kept.contains_key(&key) {
            faults.push(Problem::new(T::SUBJECT, key, "key", What::Duplicate));
            continue;
        }
        match check(draft) {
            Ok(one) => {
                kept.insert(key, one);
            }
            Err(fault) => faults.push(fault),
        }
    }
    kept.into_values().collect()
}

trait Keyed {
    const SUBJECT: Subject;
}

impl Keyed for Junction {
    const SUBJECT: Subject = Subject::Junction;
}

impl Keyed for Link {
    const SUBJECT: Subject = Subject::Link;
}

impl Keyed for Zone {
    const SUBJECT: Subject = Subject::Zone;
}

fn numbers<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    keys.map(str::to_owned).zip(0..).collect()
}

fn keep<T>(all: impl Iterator<Item = Result<T, Problem>>, faults: &mut Vec<Problem>) -> Vec<T> {
    all.filter_map(|one| one.map_err(|fault| faults.push(fault)).ok()).collect()
}

fn missing(link: &DraftLink, field: &'static str) -> Problem {
    let key = if field == "from" { &link.from } else { &link.to };
    Problem::new(Subject::Link, &link.key, field, What::NoJunction(key.clone()))
}

fn position(point: DraftPoint) -> Result<Position, What> {
    Ok(Position::new(point.0, point.1)?)
}

fn junction(draft: &DraftJunction) -> Result<Junction, Problem> {
    let fault = |field, what| Problem::new(Subject::Junction, &draft.key, field, what);
    let key = JunctionKey::parse(&draft.key).map_err(|error| fault("key", error.into()))?;
    let position = position(draft.point).map_err(|what| fault("position", what))?;
    Ok(Junction { key, position, control: draft.control, passable: draft.passable })
}

fn link(
    draft: &DraftLink,
    (from, to): (JunctionIndex, JunctionIndex),
    junctions: &[Junction],
) -> Result<Link, Problem> {
    let fault = |field, what: What| Problem::new(Subject::Link, &draft.key, field, what);
    let unit = |field| move |error: UnitError| fault(field, error.into());
    let key = LinkKey::parse(&draft.key).map_err(|error| fault("key", error.into()))?;
    if from == to {
        return Err(fault("to", What::Loop));
    }
    let mut geometry: Vec<Position> = draft
        .geometry
        .iter()
        .copied()
        .map(position)
        .collect::<Result<_, _>>()
        .map_err(|what| fault("geometry", what))?;
    geometry.dedup();
    let ends = [junctions[from.slot()].position, junctions[to.slot()].position];
    if geometry.len() < 2 || geometry == ends {
        geometry.clear();
    }
    let drawn_m = || line_length_m(if geometry.is_empty() { &ends } else { &geometry });
    let length = Meters::new(draft.length_m.unwrap_or_else(drawn_m)).map_err(unit("length_m"))?;
    if length.get() <= 0.0 && draft.class != super::RoadClass::Connector {
        return Err(fault("length_m", What::ZeroLength));
    }
    let class = draft.class;
    let lanes = draft.lanes.map_or(Ok(class.lanes()), Lanes::new).map_err(unit("lanes"))?;
    let free_speed = draft.free_speed_mps.map_or(Ok(class.free_speed()), MetersPerSecond::new);
    let capacity = draft.capacity_veh_h_lane;
    let capacity = capacity.map_or(Ok(class.capacity_per_lane()), VehiclesPerHour::new);
    let jam = draft.jam_density_veh_km_lane;
    let jam = jam.map_or(Ok(class.jam_density_per_lane()), VehiclesPerKilometer::new);
    let originals = draft.originals.iter().map(|key| LinkKey::parse(key)).collect::<Result<_, _>>();
    Ok(Link {
        key,
        from,
        to,
        class,
        name: draft.name.clone(),
        length,
        lanes,
        free_speed: free_speed.map_err(unit("free_speed_mps"))?,
        capacity_per_lane: capacity.map_err(unit("capacity_veh_h_lane"))?,
        jam_density_per_lane: jam.map_err(unit("jam_density_veh_km_lane"))?,
        geometry,
        originals: originals.map_err(|error| fault("originals", error.into()))?,
    })
}

/// What turns, signals and zones refer to.
struct Names<'a> {
    junctions: &'a BTreeMap<String, usize>,
    links: &'a BTreeMap<String, usize>,
    tables: &'a Tables,
}

impl Names<'_> {
    fn link(&self, key: &str) -> Result<LinkIndex, What> {
        let found = self.links.get(key).map(|at| LinkIndex::at(*at));
        found.ok_or_else(|| What::NoLink(key.to_owned()))
    }

    fn junction(&self, key: &str) -> Result<JunctionIndex, What> {
        let found = self.junctions.get(key).map(|at| JunctionIndex::at(*at));
        found.ok_or_else(|| What::NoJunction(key.to_owned()))
    }

    fn of(&self, link: LinkIndex) -> &Link {
        &self.tables.links[link.slot()]
    }

    fn turn(&self, draft: &DraftTurn) -> Result<Turn, Problem> {
        let key = format!("{} > {}", draft.from, draft.to);
        let fault = |field, what: What| Problem::new(Subject::Turn, &key, field, what);
        let from = self.link(&draft.from).map_err(|what| fault("from", what))?;
        let to = self.link(&draft.to).map_err(|what| fault("to", what))?;
        if self.of(from).to != self.of(to).from {
            let apart = What::Apart { from: draft.from.clone(), to: draft.to.clone() };
            return Err(fault("to", apart));
        }
        Ok(Turn { from, to, rule: draft.rule })
    }

    fn plan(&self, draft: &DraftSignal) -> Result<(JunctionIndex, SignalPlan), Problem> {
        let fault = |field, what: What| Problem::new(Subject::Signal, &draft.junction, field, what);
        let junction = self.junction(&draft.junction).map_err(|what| fault("junction", what))?;
        let mut phases = Vec::with_capacity(draft.phases.len());
        for phase in &draft.phases {
            let release =
                |(from, to): &(String, Option<String>)| self.release(junction, from, to.as_deref());
            let releases = phase.releases.iter().map(release).collect::<Result<_, _>>();
            phases.push(Phase {
                ring: phase.ring,
                green_s: phase.green_s,
                clearance_s: phase.clearance_s,
                releases: releases.map_err(|what| fault("phases", what))?,
            });
        }
        let plan = SignalPlan::new(draft.cycle_s, draft.offset_s, phases);
        Ok((junction, plan.map_err(|error| fault("phases", error.into()))?))
    }

    fn release(
        &self,
        junction: JunctionIndex,
        from: &str,
        to: Option<&str>,
    ) -> Result<Release, What> {
        let here = self.link(from)?;
        if self.of(here).to != junction {
            return Err(What::Foreign { link: from.to_owned() });
        }
        let to = match to {
            None => None,
            Some(key) => {
                let onto = self.link(key)?;
                if self.of(onto).from != junction {
                    return Err(What::Foreign { link: key.to_owned() });
                }
                Some(onto)
            }
        };
        Ok(Release { from: here, to })
    }

    fn zone(&self, draft: &DraftZone) -> Result<Zone, Problem> {
        let fault = |field, what: What| Problem::new(Subject::Zone, &draft.key, field, what);
        let key = ZoneKey::parse(&draft.key).map_err(|error| fault("key", error.into()))?;
        let ring = draft.ring.iter().copied().map(position).collect::<Result<Vec<_>, _>>();
        let mut ring = ring.map_err(|what| fault("ring", what))?;
        if ring.len() > 1 && ring.first() == ring.last() {
            ring.pop();
        }
        if (1..3).contains(&ring.len()) {
            return Err(fault("ring", What::Outline(ring.len())));
        }
        let connectors = draft.connectors.iter().map(|key| self.junction(key));
        let mut connectors: Vec<JunctionIndex> =
            connectors.collect::<Result<_, _>>().map_err(|what| fault("connectors", what))?;
        connectors.sort_unstable();
        connectors.dedup();
        let own = draft.point.map(position).transpose().map_err(|what| fault("position", what))?;
        let place = |at: &JunctionIndex| self.tables.junctions[at.slot()].position;
        let gates: Vec<Position> = connectors.iter().map(place).collect();
        let position = own.or_else(|| middle(&ring)).or_else(|| middle(&gates));
        let position = position.ok_or_else(|| fault("position", What::Nowhere))?;
        Ok(Zone { key, name: draft.name.clone(), position, ring, connectors })
    }
}

/// Mean of some points that do not lie across the anti-meridian.
fn middle(points: &[Position]) -> Option<Position> {
    let count = points.len() as f64;
    let latitude: f64 = points.iter().map(|point| point.latitude_deg()).sum();
    let longitude: f64 = points.iter().map(|point| point.longitude_deg()).sum();
    Position::new(latitude / count, longitude / count).ok()
}
