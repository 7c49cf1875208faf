//! All registered sensors: by number, and in order of their ids; and which of them moved lately.
//!
//! A clone copies pointers: one per 256 sensors. A batch of changes copies the chunks it touches,
//! once, while a snapshot holds them. Nothing is ever removed: a sensor's number is for life.

use std::collections::VecDeque;
use std::sync::Arc;

use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};

use super::order::KeyOrder;
use crate::area::Spot;
use crate::frame::SensorChange;
use crate::position::Position;
use crate::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use crate::time::Epoch;

/// Sensors of a chunk.
const CHUNK: usize = 256;

/// One registered sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// Its id.
    pub key: SensorKey,
    /// What is known of it.
    pub description: SensorDescription,
    /// The shard it lives in: the cell of its first position, for life.
    pub home: CellIndex,
}

/// A sensor that moved, or changed its kind, and what it was before: those who watched it there
/// must be told that it left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Departure {
    pub(crate) epoch: Epoch,
    pub(crate) sensor: SensorIndex,
    pub(crate) position: Position,
    pub(crate) cell: u64,
    pub(crate) kind: SensorKind,
}

impl Departure {
    pub(crate) fn spot(&self) -> Spot {
        Spot { position: self.position, vector: self.position.unit_vector(), cell: self.cell }
    }
}

/// All registered sensors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Parts")]
pub struct SensorTable {
    chunks: Vec<Arc<Vec<Arc<Registered>>>>,
    len: usize,
    order: KeyOrder,
    departures: Arc<VecDeque<Departure>>,
    /// Departures of this epoch and before may be forgotten.
    forgotten: Epoch,
}

/// What is written of a table; the rest follows from it.
#[derive(Serialize, Deserialize)]
struct Parts {
    sensors: Vec<Arc<Registered>>,
    departures: Arc<VecDeque<Departure>>,
    forgotten: Epoch,
}

impl Serialize for SensorTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = Parts {
            sensors: self.chunks.iter().flat_map(|chunk| chunk.iter().map(Arc::clone)).collect(),
            departures: Arc::clone(&self.departures),
            forgotten: self.forgotten,
        };
        parts.serialize(serializer)
    }
}

impl From<Parts> for SensorTable {
    fn from(parts: Parts) -> SensorTable {
        let mut sorted: Vec<usize> = (0..parts.sensors.len()).collect();
        sorted.sort_unstable_by_key(|slot| &parts.sensors[*slot].key);
        let sorted: Vec<SensorIndex> = sorted.into_iter().map(index_of).collect();
        SensorTable {
            len: parts.sensors.len(),
            order: KeyOrder::of(&sorted),
            chunks: parts.sensors.chunks(CHUNK).map(|chunk| Arc::new(chunk.to_vec())).collect(),
            departures: parts.departures,
            forgotten: parts.forgotten,
        }
    }
}

impl PartialEq for SensorTable {
    fn eq(&self, other: &SensorTable) -> bool {
        self.chunks == other.chunks
            && self.departures == other.departures
            && self.forgotten == other.forgotten
    }
}

impl SensorTable {
    /// How many departures are remembered.
    pub const DEPARTURES_KEPT: usize = 4_096;

    /// How many sensors; the next new one gets this number.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes in registrations and new descriptions of one epoch, in log order.
    ///
    /// # Panics
    /// When a number leaves a gap or changes its key: the log gives numbers in order.
    pub fn apply(&mut self, changes: &[SensorChange], epoch: Epoch, shard_resolution: Resolution) {
        for change in changes {
            assert!(change.index.slot() <= self.len, "sensor numbers have no gaps");
            if change.index.slot() == self.len {
                self.register(change, shard_resolution);
            } else {
                self.describe(change, epoch);
            }
        }
    }

    /// What would have to be applied to an empty table to know the same sensors, in order.
    pub fn changes(&self) -> impl Iterator<Item = SensorChange> + '_ {
        let sensors = self.chunks.iter().flat_map(|chunk| chunk.iter());
        sensors.enumerate().map(|(slot, registered)| SensorChange {
            index: index_of(slot),
            key: registered.key.clone(),
            description: registered.description.clone(),
        })
    }

    /// The sensor with this number.
    pub fn get(&self, sensor: SensorIndex) -> Option<&Arc<Registered>> {
        self.chunks.get(sensor.slot() / CHUNK)?.get(sensor.slot() % CHUNK)
    }

    /// The number of a sensor; O(log n).
    pub fn find(&self, key: &SensorKey) -> Option<SensorIndex> {
        let first = self.iter_from(key.as_str()).next()?;
        (first.1.key == *key).then_some(first.0)
    }

    /// The shard of a sensor.
    pub fn home(&self, sensor: SensorIndex) -> Option<CellIndex> {
        self.get(sensor).map(|registered| registered.home)
    }

    /// All sensors in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (SensorIndex, &Arc<Registered>)> {
        self.iter_from("")
    }

    /// The sensors whose id does not come before `key`, in order.
    pub fn iter_from(&self, key: &str) -> impl Iterator<Item = (SensorIndex, &Arc<Registered>)> {
        let place = self.order.find(key, |sensor| &self.at(sensor).key);
        self.order.from(place).map(|sensor| (sensor, self.at(sensor)))
    }

    /// The first epoch from which changes are known without a gap: what departed at or before it
    /// may be forgotten. A delta since an older epoch cannot be given.
    pub fn deltas_from(&self) -> Epoch {
        self.forgotten
    }

    /// What departed after an epoch, in order.
    pub(crate) fn departures_after(&self, epoch: Epoch) -> impl Iterator<Item = &Departure> {
        let first = self.departures.partition_point(|departure| departure.epoch <= epoch);
        self.departures.range(first..)
    }

    fn at(&self, sensor: SensorIndex) -> &Arc<Registered> {
        self.get(sensor).expect("the order holds numbers of this table")
    }

    fn register(&mut self, change: &SensorChange, shard_resolution: Resolution) {
        let registered = Arc::new(Registered {
            key: change.key.clone(),
            description: change.description.clone(),
            home: change.description.position.cell(shard_resolution),
        });
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(registered),
            Some(_) | None => self.chunks.push(Arc::new(vec![registered])),
        }
        self.len += 1;
        let chunks = &self.chunks;
        let key_of =
            |sensor: SensorIndex| &chunks[sensor.slot() / CHUNK][sensor.slot() % CHUNK].key;
        self.order.insert(change.index, &change.key, key_of);
    }

    fn describe(&mut self, change: &SensorChange, epoch: Epoch) {
        let slot = change.index.slot();
        let known = &mut Arc::make_mut(&mut self.chunks[slot / CHUNK])[slot % CHUNK];
        assert!(known.key == change.key, "a number belongs to one sensor for life");
        let (old, new) = (&known.description, &change.description);
        let departed = (old.position != new.position || old.kind != new.kind).then(|| Departure {
            epoch,
            sensor: change.index,
            position: old.position,
            cell: old.position.cell(Resolution::Fifteen).into(),
            kind: old.kind,
        });
        *known = Arc::new(Registered {
            key: known.key.clone(),
            description: change.description.clone(),
            home: known.home,
        });
        if let Some(departure) = departed {
            let departures = Arc::make_mut(&mut self.departures);
            departures.push_back(departure);
            if departures.len() > Self::DEPARTURES_KEPT {
                let oldest = departures.pop_front().expect("it was just filled");
                self.forgotten = oldest.epoch;
            }
        }
    }
}

fn index_of(slot: usize) -> SensorIndex {
    SensorIndex::new(u32::try_from(slot).expect("sensor numbers are 32 bits wide"))
}
