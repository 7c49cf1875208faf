//! What a connection has to do at a time, and what the receiver is expected to make of it.

use std::sync::Arc;

use citytwin_proto::ingest::v1::Quantity;

/// One thing a connection has to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// When, by the city's clock, milliseconds since the Unix epoch.
    pub due_ms: i64,
    /// What to do; for a disconnect the rest is empty.
    pub action: Action,
    /// Where to publish.
    pub topic: Arc<str>,
    /// What to publish.
    pub payload: Vec<u8>,
    /// With which quality of service.
    pub qos: u8,
    /// Whether it is to be retained.
    pub retain: bool,
    /// The readings inside, in their order; empty when the message is a dead letter.
    pub readings: Vec<Planned>,
    /// The expected reason when the whole message cannot be taken.
    pub dead_letter: Option<&'static str>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish.
    Publish,
    /// Drop the connection without a farewell and come back.
    Disconnect,
}

/// One reading inside a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// Place in `Fleet::sensors`.
    pub sensor: u32,
    /// What was measured.
    pub quantity: Quantity,
    /// The sensor's time as it is sent.
    pub event_time_ms: i64,
    /// The value as it is sent.
    pub value: f64,
    /// What is to become of it.
    pub expect: Expectation,
}

/// What is to become of a reading that is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Applied, on time or late: exactly once in the archive.
    Taken,
    /// The same identity was sent before.
    Duplicate,
    /// Refused for this reason, as named in the ledger.
    Refused(&'static str),
}

impl Outgoing {
    pub(super) fn disconnect(due_ms: i64) -> Outgoing {
        Outgoing {
            due_ms,
            action: Action::Disconnect,
            topic: Arc::from(""),
            payload: Vec::new(),
            qos: 0,
            retain: false,
            readings: Vec::new(),
            dead_letter: None,
        }
    }

    /// The same message once more: what was taken is a duplicate now, what was refused is refused
    /// again for the same reason.
    pub(super) fn repeated(&self) -> Outgoing {
        let mut copy = self.clone();
        for reading in &mut copy.readings {
            if reading.expect == Expectation::Taken {
                reading.expect = Expectation::Duplicate;
            }
        }
        copy
    }
}
