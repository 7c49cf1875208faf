//! Which sensors a message is about: the topic's own, or those of the same agency that it names.

use citytwin_core::sensor::SensorIndex;

use crate::decode::Topic;
use crate::registry::Known;

/// Of one message, at most this many unknown sensors get a dead letter of their own; the last one
/// speaks for the rest. A quarter megabyte could name ten thousand.
const MAX_UNKNOWN: usize = 64;

/// Finds the sensors that a message names, and remembers the last one: most messages name one.
pub(super) struct Finder<'a> {
    known: Known<'a>,
    topic: Topic<'a>,
    /// The topic's own sensor, once it was found.
    own: Option<SensorIndex>,
    /// The last other one that was asked for.
    last: Option<(&'a str, Option<SensorIndex>)>,
    /// The last one that was found, in this message or the one before.
    before: Option<SensorIndex>,
}

impl<'a> Finder<'a> {
    /// `before` was found last in the message before.
    pub(super) fn new(
        known: Known<'a>,
        topic: Topic<'a>,
        before: Option<SensorIndex>,
    ) -> Finder<'a> {
        Finder { known, topic, own: None, last: None, before }
    }

    /// The last sensor that was found.
    pub(super) fn into_last_found(self) -> Option<SensorIndex> {
        self.before
    }

    /// `name` is a sensor of the topic's agency; empty: the topic's own. `key` is room to work in.
    pub(super) fn find(&mut self, name: &'a str, key: &mut String) -> Option<SensorIndex> {
        // Apart from the rest not only for clarity: comparing two empty texts took 200 ns here
        // (memcmp of glibc with AVX-512 reads, masked, at an address that is not mapped).
        if name.is_empty() {
            if self.own.is_none() {
                self.own = self.known.find_after(self.before, self.topic.key);
                self.before = self.own.or(self.before);
            }
            return self.own;
        }
        if let Some((last, index)) = self.last
            && last == name
        {
            return index;
        }
        let sensor = (self.topic.agency, name);
        let index = self.known.find_of_agency_after(self.before, sensor, key);
        self.last = Some((name, index));
        self.before = index.or(self.before);
        index
    }
}

/// Sensors that a message names and nobody knows, with how many readings.
#[derive(Default)]
pub(super) struct Unknown<'a> {
    sensors: Vec<(&'a str, u64)>,
    readings_of_others: u64,
}

impl<'a> Unknown<'a> {
    pub(super) fn add(&mut self, name: &'a str) {
        if let Some((_, readings)) = self.sensors.iter_mut().find(|(known, _)| *known == name) {
            *readings += 1;
        } else if self.sensors.len() < MAX_UNKNOWN {
            self.sensors.push((name, 1));
        } else {
            self.readings_of_others += 1;
        }
    }

    pub(super) fn details(&self, topic: Topic<'_>) -> impl Iterator<Item = String> {
        let last = self.sensors.len();
        self.sensors.iter().zip(1..).map(move |((name, readings), number)| {
            let shown: String = name.chars().take(100).collect();
            let key = match shown.as_str() {
                "" => topic.key.to_owned(),
                name => format!("{}/{name}", topic.agency),
            };
            let others = match self.readings_of_others {
                others if others > 0 && number == last => {
                    format!("; and {others} readings of further unknown sensors")
                }
                _ => String::new(),
            };
            format!(
                "sensor {key} was never described; {readings} readings set aside{others}. \
                 Publish its description to city/v1/{key}/about first"
            )
        })
    }
}
