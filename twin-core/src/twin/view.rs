//! One sensor as it is shown, and sensors a page at a time.

use std::sync::Arc;

use super::filter::{KindSet, QuantitySet};
use super::health::{Health, Judge};
use super::shard::Shard;
use super::{Registered, Snapshot};
use crate::ledger::LedgerEntry;
use crate::quantity::Quantity;
use crate::sensor::{SensorIndex, SensorKey};
use crate::time::{Epoch, EventTime};

/// A sensor as of a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorView {
    /// Its number.
    pub index: SensorIndex,
    /// Its id, description and home.
    pub registered: Arc<Registered>,
    /// How far it can be believed.
    pub health: Health,
    /// The epoch of its newest reading, even a refused one.
    pub last_arrival: Option<Epoch>,
    /// Its latest values, in order of quantity.
    pub latest: Vec<LatestReading>,
    /// What became of its readings.
    pub ledger: LedgerEntry,
}

/// The reading of a series with the latest event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatestReading {
    /// Of what.
    pub quantity: Quantity,
    /// In the quantity's unit.
    pub value: f64,
    /// When it was measured.
    pub event_time: EventTime,
    /// The epoch in which it arrived.
    pub epoch: Epoch,
    /// Since when the value is the same (49 days back at most).
    pub still_since: EventTime,
    /// Whether that is too long to be believed.
    pub stuck: bool,
}

/// Which sensors a listing holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SensorFilter {
    /// Of these kinds.
    pub kinds: KindSet,
    /// With this health; `None`: any. Asking for live ones leaves out stuck ones.
    pub health: Option<Health>,
    /// Of this agency; `None`: any.
    pub agency: Option<String>,
}

impl Default for SensorFilter {
    fn default() -> SensorFilter {
        SensorFilter { kinds: KindSet::ALL, health: None, agency: None }
    }
}

/// Some sensors in order of id.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorPage {
    /// The sensors.
    pub sensors: Vec<SensorView>,
    /// With which id the next page begins; `None` if this is the last.
    pub next: Option<SensorKey>,
}

impl Snapshot {
    /// The sensor with this id; O(log n).
    pub fn sensor(&self, key: &SensorKey) -> Option<SensorView> {
        let index = self.sensors.find(key)?;
        self.view(index)
    }

    /// The sensor with this number.
    pub fn view(&self, index: SensorIndex) -> Option<SensorView> {
        let shard = self.shard(self.sensors.home(index)?)?;
        Some(self.view_at(&Judge::now(self), (shard, shard.position_of(index)?), QuantitySet::ALL))
    }

    /// At most `limit` sensors in order of id, from `from` on (empty: from the first).
    pub fn page(&self, filter: &SensorFilter, from: &str, limit: usize) -> SensorPage {
        let judge = Judge::now(self);
        let agency = filter.agency.as_ref().map(|agency| format!("{agency}/"));
        let prefix = agency.as_deref().unwrap_or("");
        let mut page = SensorPage { sensors: Vec::new(), next: None };
        for (index, registered) in self.sensors.iter_from(from.max(prefix)) {
            if !registered.key.as_str().starts_with(prefix) {
                break;
            }
            let Some(shard) = self.shard(registered.home) else { continue };
            let Some(row) = shard.position_of(index) else { continue };
            let profile = &shard.layout.profiles[row];
            let healthy = |health| {
                judge.health(shard.heard[row], profile.interval_ms, shard.values(row)) == health
            };
            if !filter.kinds.contains(profile.kind) || !filter.health.is_none_or(healthy) {
                continue;
            }
            if page.sensors.len() == limit {
                page.next = Some(registered.key.clone());
                break;
            }
            page.sensors.push(self.view_at(&judge, (shard, row), QuantitySet::ALL));
        }
        page
    }

    /// The sensor in a row of a shard, with those of its latest values that are wanted.
    pub(crate) fn view_at(
        &self,
        judge: &Judge,
        (shard, row): (&Shard, usize),
        wanted: QuantitySet,
    ) -> SensorView {
        let index = shard.layout.sensors[row];
        let registered = self.sensors.get(index).expect("who lives in a shard is registered");
        let latest = shard.latest(row).filter(|(quantity, ..)| wanted.contains(*quantity));
        let heard = shard.heard[row];
        SensorView {
            index,
            registered: Arc::clone(registered),
            health: judge.health(heard, shard.layout.profiles[row].interval_ms, shard.values(row)),
            last_arrival: (heard.arrival != Epoch::ZERO).then_some(heard.arrival),
            latest: latest
                .map(|(quantity, slot, stamp)| LatestReading {
                    quantity,
                    value: slot.value,
                    event_time: stamp.event_time,
                    epoch: stamp.updated,
                    still_since: stamp.event_time.plus_ms(-i64::from(slot.still_ms)),
                    stuck: judge.stuck(quantity, slot),
                })
                .collect(),
            ledger: shard.ledger[row],
        }
    }
}
