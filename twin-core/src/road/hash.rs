//! The name of a network's content: SHA-256 over its tables, field by field in a fixed order, every
//! text and list with its length before it, numbers little-endian. Nothing of Rust's or serde's
//! layout is in it, so it stays the same on every machine and version; a change of the order below
//! is a change of [`FORMAT`].

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::key::LinkIndex;
use super::link::{Junction, Link, Zone};
use super::network::Tables;
use super::signal::SignalPlan;
use crate::position::Position;

/// What is hashed and in which order.
const FORMAT: &str = "citytwin road network 1";

/// SHA-256 of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Feed(Sha256);

impl Feed {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn number(&mut self, number: f64) {
        self.0.update(number.to_le_bytes());
    }

    fn index(&mut self, index: u32) {
        self.0.update(index.to_le_bytes());
    }

    fn position(&mut self, position: Position) {
        self.number(position.latitude_deg());
        self.number(position.longitude_deg());
    }

    fn line(&mut self, line: &[Position]) {
        self.count(line.len());
        for position in line {
            self.position(*position);
        }
    }

    fn junction(&mut self, junction: &Junction) {
        self.text(junction.key.as_str());
        self.position(junction.position);
        self.text(junction.control.name());
        self.0.update([u8::from(junction.passable)]);
    }

    fn link(&mut self, link: &Link) {
        self.text(link.key.as_str());
        self.index(link.from.number());
        self.index(link.to.number());
        self.text(link.class.name());
        self.text(&link.name);
        self.number(link.length.get());
        self.0.update([link.lanes.get()]);
        self.number(link.free_speed.get());
        self.number(link.capacity_per_lane.get());
        self.number(link.jam_density_per_lane.get());
        self.line(&link.geometry);
        self.count(link.originals.len());
        link.originals.iter().for_each(|key| self.text(key.as_str()));
    }

    fn zone(&mut self, zone: &Zone) {
        self.text(zone.key.as_str());
        self.text(&zone.name);
        self.position(zone.position);
        self.line(&zone.ring);
        self.count(zone.connectors.len());
        zone.connectors.iter().for_each(|junction| self.index(junction.number()));
    }

    fn plan(&mut self, plan: &SignalPlan) {
        self.number(plan.cycle_s());
        self.number(plan.offset_s());
        self.count(plan.phases().len());
        for phase in plan.phases() {
            self.0.update([phase.ring]);
            self.number(phase.green_s);
            self.number(phase.clearance_s);
            self.count(phase.releases.len());
            for release in &phase.releases {
                self.index(release.from.number());
                self.index(release.to.map_or(u32::MAX, LinkIndex::number));
            }
        }
    }
}

/// Hashes the tables.
pub(super) fn content_hash(tables: &Tables) -> ContentHash {
    let mut feed = Feed(Sha256::new());
    feed.text(FORMAT);
    feed.count(tables.junctions.len());
    tables.junctions.iter().for_each(|junction| feed.junction(junction));
    feed.count(tables.links.len());
    tables.links.iter().for_each(|link| feed.link(link));
    feed.count(tables.turns.len());
    for turn in &tables.turns {
        feed.index(turn.from.number());
        feed.index(turn.to.number());
        feed.0.update([turn.rule as u8]);
    }
    feed.count(tables.zones.len());
    tables.zones.iter().for_each(|zone| feed.zone(zone));
    feed.count(tables.plans.len());
    for (junction, plan) in &tables.plans {
        feed.index(junction.number());
        feed.plan(plan);
    }
    ContentHash(feed.0.finalize().into())
}
