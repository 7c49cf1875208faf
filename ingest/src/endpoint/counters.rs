//! What the endpoint counts, for metrics and status. Every label is one of a closed list; nothing
//! is counted per sensor. Counters are added to once per read or connection, never per message.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RefusedReason {
    /// As many connections as allowed are open.
    TooMany,
    /// User name or password missing or wrong.
    BadCredentials,
    /// Neither MQTT 3.1.1 nor 5.
    Version,
    /// MQTT 3.1.1 without a client id, yet asking for a session.
    ClientId,
    /// Enhanced authentication, which is not offered.
    AuthMethod,
    /// The CONNECT packet broke the protocol, or something else came first.
    Malformed,
    /// No CONNECT packet in time.
    NoConnect,
    /// The TLS handshake failed.
    Tls,
}

impl RefusedReason {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// All of them.
    pub const ALL: [RefusedReason; RefusedReason::COUNT] = [
        RefusedReason::TooMany,
        RefusedReason::BadCredentials,
        RefusedReason::Version,
        RefusedReason::ClientId,
        RefusedReason::AuthMethod,
        RefusedReason::Malformed,
        RefusedReason::NoConnect,
        RefusedReason::Tls,
    ];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            RefusedReason::TooMany => "too_many",
            RefusedReason::BadCredentials => "bad_credentials",
            RefusedReason::Version => "version",
            RefusedReason::ClientId => "client_id",
            RefusedReason::AuthMethod => "auth_method",
            RefusedReason::Malformed => "malformed",
            RefusedReason::NoConnect => "no_connect",
            RefusedReason::Tls => "tls",
        }
    }
}

/// Why the endpoint closed a connection that it had let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ClosedReason {
    /// A packet that cannot be parsed.
    Malformed,
    /// A packet that parses and is not allowed.
    Protocol,
    /// A packet longer than what was announced.
    TooLarge,
    /// A topic name with wildcards.
    TopicName,
    /// A topic alias that is zero, too high, or never given.
    TopicAlias,
    /// More messages in flight than allowed.
    ReceiveMaximum,
    /// Silent for one and a half times its keep-alive.
    KeepAlive,
    /// It did not read what it was sent.
    SlowReader,
    /// Half-received packets of all connections fill the memory set aside for them.
    Memory,
    /// The same client id connected anew.
    TakenOver,
    /// The endpoint is being stopped.
    ShuttingDown,
    /// The log takes nothing more.
    LogClosed,
}

impl ClosedReason {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// All of them.
    pub const ALL: [ClosedReason; ClosedReason::COUNT] = [
        ClosedReason::Malformed,
        ClosedReason::Protocol,
        ClosedReason::TooLarge,
        ClosedReason::TopicName,
        ClosedReason::TopicAlias,
        ClosedReason::ReceiveMaximum,
        ClosedReason::KeepAlive,
        ClosedReason::SlowReader,
        ClosedReason::Memory,
        ClosedReason::TakenOver,
        ClosedReason::ShuttingDown,
        ClosedReason::LogClosed,
    ];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            ClosedReason::Malformed => "malformed",
            ClosedReason::Protocol => "protocol",
            ClosedReason::TooLarge => "too_large",
            ClosedReason::TopicName => "topic_name",
            ClosedReason::TopicAlias => "topic_alias",
            ClosedReason::ReceiveMaximum => "receive_maximum",
            ClosedReason::KeepAlive => "keep_alive",
            ClosedReason::SlowReader => "slow_reader",
            ClosedReason::Memory => "memory",
            ClosedReason::TakenOver => "taken_over",
            ClosedReason::ShuttingDown => "shutting_down",
            ClosedReason::LogClosed => "log_closed",
        }
    }
}

/// Counts since the start. Shared by all connections.
#[derive(Debug, Default)]
pub struct EndpointCounters {
    connections: AtomicU32,
    accepted: AtomicU64,
    refused: [AtomicU64; RefusedReason::COUNT],
    closed: [AtomicU64; ClosedReason::COUNT],
    messages: AtomicU64,
    bytes: AtomicU64,
    oversize: AtomicU64,
    wills_ignored: AtomicU64,
    out_of_files: AtomicU64,
}

impl EndpointCounters {
    /// Connections that are open now, the ones still shaking hands included.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections that were let in.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that were not let in.
    pub fn refused(&self, reason: RefusedReason) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// Connections that the endpoint closed.
    pub fn closed(&self, reason: ClosedReason) -> u64 {
        self.closed[reason as usize].load(Ordering::Relaxed)
    }

    /// Messages received.
    pub fn messages(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Bytes received after TLS, MQTT headers included.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Messages that were too long and were set aside.
    pub fn oversize(&self) -> u64 {
        self.oversize.load(Ordering::Relaxed)
    }

    /// Wills that were announced and will not be published.
    pub fn wills_ignored(&self) -> u64 {
        self.wills_ignored.load(Ordering::Relaxed)
    }

    /// How often a connection could not be accepted for want of file descriptors.
    pub fn out_of_files(&self) -> u64 {
        self.out_of_files.load(Ordering::Relaxed)
    }

    /// One more connection; returns how many there are with it.
    pub(super) fn opened(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn gone(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn let_in(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refuse(&self, reason: RefusedReason) {
        self.refused[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn close(&self, reason: ClosedReason) {
        self.closed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, messages: u64, bytes: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn set_aside(&self) {
        self.oversize.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn will_ignored(&self) {
        self.wills_ignored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn no_files(&self) {
        self.out_of_files.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_slot_and_name() {
        let counters = EndpointCounters::default();
        for (slot, reason) in RefusedReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, slot);
            counters.refuse(reason);
            assert_eq!(counters.refused(reason), 1, "{}", reason.name());
        }
        for (slot, reason) in ClosedReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, slot);
            counters.close(reason);
            assert_eq!(counters.closed(reason), 1, "{}", reason.name());
        }
    }
}
