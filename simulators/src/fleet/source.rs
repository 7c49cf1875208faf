//! What one MQTT connection has to send.

use super::Outgoing;

/// What became of measurements that are in no message as readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Readings measured, lost and malformed ones included; copies are not.
    pub measured: u64,
    /// Readings that were never sent.
    pub lost: u64,
    /// Readings that went out in a malformed message.
    pub malformed: u64,
}

/// What one MQTT connection has to send. `Send`; each runs by itself.
#[derive(Clone, Debug)]
pub struct Source {
    client_id: String,
    sensors: Vec<u32>,
    tally: Tally,
}

impl Source {
    /// MQTT client id; the same for every run of a spec.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The sensors behind this connection, as places in `Fleet::sensors`.
    pub fn sensors(&self) -> &[u32] {
        &self.sensors
    }

    /// What was measured and not sent so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Nothing is due before this time.
    pub fn next_due_ms(&self) -> i64 {
        i64::MAX
    }

    /// Appends everything due before `until_ms`, in the order it is to be sent. The result does
    /// not depend on how a span of time is cut into calls.
    pub fn take_until(&mut self, _until_ms: i64, _out: &mut Vec<Outgoing>) {}
}
