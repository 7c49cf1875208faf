//! Which sensors are known: id → number and description. Numbers are given in the order of the
//! log, so whoever registers holds `Registry::change_of`'s answer back until it is in the log's
//! queue, and only then makes it visible with [`Registry::apply`] ([`crate::intake`] does).
//!
//! Rebuilt at a start from the checkpoint's sensors and the replayed log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
    order: Order,
}

/// Gateways name the same sensors in the same order again and again. So the sensor that was asked
/// for after another is remembered, and tried first the next time; the names lie side by side for
/// it. Of 50,000 sensors, a look-up by hash waits for memory twice, about 150 ns; this, 20.
#[derive(Debug, Default)]
struct Order {
    /// All ids, one after the other.
    text: String,
    /// Where each one ends.
    ends: Vec<usize>,
    /// The number of the sensor that was asked for after each one.
    next: Vec<AtomicU32>,
}

impl Order {
    fn push(&mut self, key: &SensorKey) {
        let next = u32::try_from(self.next.len() + 1).unwrap_or(0);
        self.text.push_str(key.as_str());
        self.ends.push(self.text.len());
        self.next.push(AtomicU32::new(next));
    }

    fn key(&self, slot: usize) -> Option<&str> {
        let end = *self.ends.get(slot)?;
        let begin = if slot == 0 { 0 } else { self.ends[slot - 1] };
        self.text.get(begin..end)
    }

    /// The sensor that followed this one the last time, and its id.
    fn guess(&self, before: SensorIndex) -> Option<(SensorIndex, &str)> {
        let guess = SensorIndex::new(self.next.get(before.slot())?.load(Ordering::Relaxed));
        Some((guess, self.key(guess.slot())?))
    }

    fn remember(&self, before: Option<SensorIndex>, found: SensorIndex) {
        if let Some(next) = before.and_then(|before| self.next.get(before.slot())) {
            next.store(found.number(), Ordering::Relaxed);
        }
    }
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

    /// The number of the sensor with this id, asked for after another one was found; quick when
    /// both were asked for in this order before.
    pub fn find_after(&self, before: Option<SensorIndex>, key: &str) -> Option<SensorIndex> {
        let order = &self.table.order;
        if let Some((guess, its_key)) = before.and_then(|before| order.guess(before))
            && its_key == key
        {
            return Some(guess);
        }
        let found = self.find(key)?;
        order.remember(before, found);
        Some(found)
    }

    /// The same for the sensor `agency/name`; `key` is room to work in.
    pub fn find_of_agency_after(
        &self,
        before: Option<SensorIndex>,
        (agency, name): (&str, &str),
        key: &mut String,
    ) -> Option<SensorIndex> {
        let order = &self.table.order;
        if let Some((guess, its_key)) = before.and_then(|before| order.guess(before))
            && its_key.strip_prefix(agency).and_then(|rest| rest.strip_prefix('/')) == Some(name)
        {
            return Some(guess);
        }
        key.clear();
        key.extend([agency, "/", name]);
        let found = self.find(key)?;
        order.remember(before, found);
        Some(found)
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
                table.order.push(key);
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

#[cfg(test)]
mod tests {
    use citytwin_core::position::Position;
    use citytwin_core::sensor::SensorKind;

    use super::*;

    fn change(number: u32, key: &str) -> SensorChange {
        let description = SensorDescription {
            kind: SensorKind::Rain,
            position: Position::new(10.0, 106.0).unwrap(),
            expected_interval_ms: 1_000,
            name: String::new(),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 0.0,
            lanes: 0,
        };
        let key = SensorKey::parse(key).unwrap();
        SensorChange { index: SensorIndex::new(number), key, description }
    }

    #[test]
    fn asked_in_any_order_it_finds_the_same() {
        let ids = ["a/x", "a/xy", "b/x", "a/y", "ab/x", "a/z"];
        let registry: Registry =
            ids.iter().zip(0..).map(|(id, n)| change(n, id)).collect::<Vec<_>>().iter().collect();
        let known = registry.known();
        let mut key = String::new();
        let mut before = None;
        // Every pair of sensors, and unknown ones in between, three times over.
        for turn in 0..3 {
            for first in ids.iter().chain(["a/no", "no/x", "a/xyz"].iter()) {
                for second in ids {
                    for id in [*first, second] {
                        let parts = id.split_once('/').unwrap();
                        let found = known.find_of_agency_after(before, parts, &mut key);
                        assert_eq!(found, known.find(id), "{id} in turn {turn}");
                        assert_eq!(known.find_after(before, id), found, "{id} in turn {turn}");
                        before = found;
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "has another number")]
    fn a_number_that_is_not_its_own_stops_the_process() {
        let registry: Registry = [change(0, "a/x"), change(1, "a/y")].iter().collect();
        registry.apply(&[change(0, "a/y")]);
    }
}
