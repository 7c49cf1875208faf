//! Encoded batches for benchmarks, as fast as they can be made: a gateway for each agency,
//! every message full, no MQTT and no waiting. Event times advance with the city's clock, so a
//! run over many readings spans as much time as the fleet would take to measure them.

use std::sync::Arc;

use super::source::{Role, Source};
use super::{Action, Fleet};

/// How far the city's clock goes at a step.
const STEP_MS: i64 = 1_000;

/// A payload and the topic it would be published on.
pub type Message = (Arc<str>, Vec<u8>);

/// An endless stream of full messages.
#[derive(Clone, Debug)]
pub struct Bulk {
    sources: Vec<Source>,
    clock_ms: i64,
    ready: std::collections::VecDeque<Message>,
    readings_per_message: usize,
}

impl Bulk {
    /// Messages of `readings_per_message` readings of the fleet's sensors from `start_ms` of the
    /// city's clock on. Faults of the fleet's spec apply, but none that disconnects.
    ///
    /// # Panics
    /// When `readings_per_message` is 0.
    pub fn new(fleet: &Fleet, start_ms: i64, readings_per_message: usize) -> Bulk {
        assert!(readings_per_message > 0, "a message holds readings");
        let sources = fleet.by_agency().into_iter().map(|(agency, sensors)| {
            let role = Role {
                client_id: format!("bulk-{agency}"),
                topic: Some(Arc::from(format!("city/v1/{agency}/gateway-bulk/readings"))),
                agency,
                sensors,
                flush_ms: STEP_MS,
                readings_per_message,
                full_only: true,
            };
            Source::new(&fleet.roster, role, start_ms)
        });
        Bulk {
            sources: sources.collect(),
            clock_ms: start_ms,
            ready: std::collections::VecDeque::new(),
            readings_per_message,
        }
    }

    /// The city's clock: nothing that was handed out was measured after it.
    pub const fn clock_ms(&self) -> i64 {
        self.clock_ms
    }

    /// The next messages, with `readings` readings or up to a message more.
    pub fn take(&mut self, readings: usize) -> Vec<Message> {
        let wanted = readings.div_ceil(self.readings_per_message);
        let mut out = Vec::new();
        while self.ready.len() < wanted {
            self.clock_ms += STEP_MS;
            for source in &mut self.sources {
                source.take_until(self.clock_ms, &mut out);
            }
            let messages = out.drain(..).filter(|message| message.action == Action::Publish);
            self.ready.extend(messages.map(|message| (message.topic, message.payload)));
        }
        self.ready.drain(..wanted).collect()
    }
}
