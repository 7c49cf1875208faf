//! Columns over all sensors, in order of their ids, as the table of sensors is walked: what tables are
//! made of.

use super::Snapshot;
use crate::ledger::LedgerEntry;
use crate::time::{Epoch, EventTime};

impl Snapshot {
    /// When each sensor was last heard, in order of ids. One walk over all sensors.
    pub fn last_arrivals(&self) -> Vec<Option<Epoch>> {
        let mut all = vec![None; self.sensors.len()];
        for shard in self.shards.iter() {
            for (row, heard) in shard.heard.iter().enumerate() {
                let slot = shard.resident(row).sensor.slot();
                all[slot] = (heard.arrival != Epoch::ZERO).then_some(heard.arrival);
            }
        }
        self.by_id(&all)
    }

    /// What became of each sensor's readings, in order of ids. One walk over all sensors.
    pub fn ledgers(&self) -> Vec<LedgerEntry> {
        let mut all = vec![LedgerEntry::default(); self.sensors.len()];
        for shard in self.shards.iter() {
            for (row, entry) in shard.ledger.iter().enumerate() {
                all[shard.resident(row).sensor.slot()] = *entry;
            }
        }
        self.by_id(&all)
    }

    /// The newest event time of an applied reading; [`EventTime::MIN`] when there is none. One walk
    /// over all sensors.
    pub fn newest_event_time(&self) -> EventTime {
        let heard = self.shards.iter().flat_map(|shard| &shard.heard);
        heard.map(|heard| heard.newest).max().unwrap_or(EventTime::MIN)
    }

    /// From the order of numbers to that of ids.
    fn by_id<T: Copy>(&self, by_number: &[T]) -> Vec<T> {
        self.sensors.iter().map(|(sensor, _)| by_number[sensor.slot()]).collect()
    }
}
