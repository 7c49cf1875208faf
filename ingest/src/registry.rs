//! Which sensors are known: id → number and description. Numbers are given in the order of the
//! log, so whoever registers holds [`Registry::change_of`]'s answer back until it is in the log's
//! queue, and only then makes it visible with [`Registry::apply`] ([`crate::intake`] does).
//!
//! Rebuilt at a start from the checkpoint's sensors and the replayed log.

use std::collections::HashMap;
use std::sync::Arc;

use citytwin_core::frame::SensorChange;
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey};
use parking_lot::{RwLock, RwLockReadGuard};

/// All known sensors. Readers share it; a writer is rare and quick.
#[derive(Debug, Default)]
pub struct Registry {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    numbers: HashMap<SensorKey, SensorIndex>,
    descriptions: Vec<Arc<SensorDescription>>,
}

/// The registry at one moment, for many questions under one lock. Never hold it across an await.
#[derive(Debug)]
pub struct Known<'a> {
    table: RwLockReadGuard<'a, Table>,
}

impl Known<'_> {
    /// The number of the sensor with this id.
    pub fn find(&self, key: &str) -> Option<SensorIndex> {
        self.table.numbers.get(key).copied()
    }
}

impl Registry {
    /// Nobody is known.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Everything that the registry says, at one moment.
    pub fn known(&self) -> Known<'_> {
        Known { table: self.table.read() }
    }

    /// What is known of a sensor.
    pub fn description(&self, key: &str) -> Option<(SensorIndex, Arc<SensorDescription>)> {
        let table = self.table.read();
        let index = *table.numbers.get(key)?;
        Some((index, Arc::clone(&table.descriptions[index.slot()])))
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.table.read().descriptions.len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What would have to be logged for this description; `None` if it says nothing new.
    ///
    /// # Panics
    /// When there are more than four thousand million sensors.
    pub(crate) fn change_of(
        &self,
        key: &SensorKey,
        description: &SensorDescription,
        ahead: usize,
    ) -> Option<SensorChange> {
        let table = self.table.read();
        let index = match table.numbers.get(key) {
            Some(index) if *table.descriptions[index.slot()] == *description => return None,
            Some(index) => *index,
            None => {
                let number = table.descriptions.len() + ahead;
                SensorIndex::new(u32::try_from(number).expect("fewer sensors than numbers"))
            }
        };
        Some(SensorChange { index, key: key.clone(), description: description.clone() })
    }

    /// Takes changes that are in the log, in its order.
    ///
    /// # Panics
    /// When a number is neither the next free one nor that sensor's own: then log and registry
    /// are not of the same city, and every reading from now on would go to the wrong sensor.
    pub fn apply<'a>(&self, changes: impl IntoIterator<Item = &'a SensorChange>) {
        let mut table = self.table.write();
        for SensorChange { index, key, description } in changes {
            let description = Arc::new(description.clone());
            if index.slot() == table.descriptions.len() {
                let before = table.numbers.insert(key.clone(), *index);
                assert!(before.is_none(), "sensor {key} was registered twice");
                table.descriptions.push(description);
            } else {
                let known = table.numbers.get(key);
                assert_eq!(known, Some(index), "sensor {key} has another number");
                table.descriptions[index.slot()] = description;
            }
        }
    }
}

impl<'a> FromIterator<&'a SensorChange> for Registry {
    fn from_iter<I: IntoIterator<Item = &'a SensorChange>>(changes: I) -> Registry {
        let registry = Registry::new();
        registry.apply(changes);
        registry
    }
}
