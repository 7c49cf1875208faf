//! What a run did, in numbers: sent, acknowledged, latency from publish to acknowledgement, what
//! was injected, what it cost. As text for people and, through serde, as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use serde::Serialize;

use crate::fleet::Tally as Unsent;
use crate::ledger::{REASONS, Spoiled, Totals};
use crate::publish::{Glance, Latency};
use crate::replay::Source;
use crate::verdict::Verdict;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Everything there was to send is sent.
    Finished,
    /// It was asked to stop.
    Stopped,
    /// The ledger could keep no more identities.
    LedgerFull,
}

/// Messages and the readings in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Readings.
    pub readings: u64,
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// From the first message due to the last acknowledgement, seconds.
    pub duration_s: f64,
    /// Sensors that were described.
    pub sensors: usize,
    /// MQTT clients.
    pub connections: usize,
    /// Descriptions acknowledged before the first reading.
    pub described: u64,
    /// Sent at least once.
    pub sent: Amount,
    /// Acknowledged by the server.
    pub acknowledged: Amount,
    /// Sent and not acknowledged: they may have arrived or not. All of them at `QoS` 0.
    pub unacknowledged: Amount,
    /// Messages sent again after a reconnect.
    pub resent_messages: u64,
    /// Messages answered with a reason code that says they were not taken.
    pub refused_messages: u64,
    /// Messages never sent because the server takes none so large.
    pub too_large_messages: u64,
    /// Acknowledged readings per second.
    pub readings_per_s: f64,
    /// From publish to acknowledgement.
    pub latency: Latency,
    /// The longest a reading waited to be sent after it was due, milliseconds.
    pub max_lag_ms: i64,
    /// Times a connection was established anew.
    pub reconnects: u64,
    /// Tries to connect that failed.
    pub failed_connects: u64,
    /// The newest reason for which a connection broke or failed.
    pub last_error: Option<String>,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_heard: u64,
    /// What was done on purpose, and how often.
    pub injected: BTreeMap<String, u64>,
    /// Of this whole process during the run, if the system says it.
    pub cpu_s: Option<f64>,
    /// What was found in the file, if recorded data was sent.
    pub recording: Option<Source>,
    /// What was found wrong, if it was asked.
    pub verdict: Option<Verdict>,
}

/// The parts a report is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) ending: Ending,
    pub(crate) duration_s: f64,
    pub(crate) sensors: usize,
    pub(crate) connections: usize,
    pub(crate) described: u64,
    pub(crate) glance: Glance,
    pub(crate) latency: Latency,
    pub(crate) totals: Totals,
    pub(crate) spoiled: BTreeMap<&'static str, Spoiled>,
    pub(crate) unsent: Unsent,
    pub(crate) cpu_s: Option<f64>,
}

impl Report {
    pub(crate) fn new(parts: &Parts) -> Report {
        let Parts { glance, totals, .. } = parts;
        let sent = Amount { messages: glance.messages_sent, readings: glance.readings_sent };
        let acknowledged =
            Amount { messages: glance.messages_acked, readings: glance.readings_acked };
        Report {
            ending: parts.ending,
            duration_s: parts.duration_s,
            sensors: parts.sensors,
            connections: parts.connections,
            described: parts.described,
            sent,
            acknowledged,
            unacknowledged: Amount {
                messages: sent.messages.saturating_sub(acknowledged.messages),
                readings: sent.readings.saturating_sub(acknowledged.readings),
            },
            resent_messages: glance.messages_resent,
            refused_messages: glance.messages_refused,
            too_large_messages: glance.messages_too_large,
            readings_per_s: acknowledged.readings as f64 / parts.duration_s.max(1e-3),
            latency: parts.latency,
            max_lag_ms: glance.max_lag_ms,
            reconnects: glance.reconnects,
            failed_connects: glance.connects_failed,
            last_error: glance.last_error.clone(),
            bytes_sent: glance.bytes_sent,
            bytes_heard: glance.bytes_heard,
            injected: injected(totals, parts),
            cpu_s: parts.cpu_s,
            recording: None,
            verdict: None,
        }
    }
}

fn injected(totals: &Totals, parts: &Parts) -> BTreeMap<String, u64> {
    let mut injected = BTreeMap::new();
    let mut note = |name: String, count: u64| {
        if count > 0 {
            injected.insert(name, count);
        }
    };
    note("lost".to_owned(), parts.unsent.lost);
    note("malformed_readings".to_owned(), parts.unsent.malformed);
    note("repeated".to_owned(), totals.acked.duplicate + totals.unacked.duplicate);
    note("disconnects".to_owned(), parts.glance.disconnects_injected);
    for (slot, reason) in REASONS.iter().enumerate() {
        let count = u64::from(totals.acked.refused[slot]) + u64::from(totals.unacked.refused[slot]);
        note(format!("to_be_refused.{reason}"), count);
    }
    for (reason, spoiled) in &parts.spoiled {
        note(format!("dead_letter.{reason}"), spoiled.acked + spoiled.maybe);
    }
    injected
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.ending {
            Ending::Finished => "finished",
            Ending::Stopped => "stopped",
            Ending::LedgerFull => "ended early: the ledger is full",
        };
        writeln!(
            f,
            "{how} after {:.1} s: {} sensors over {} connections",
            self.duration_s, self.sensors, self.connections
        )?;
        if let Some(recording) = &self.recording {
            writeln!(f, "recording     {recording}")?;
        }
        writeln!(
            f,
            "sent          {} readings in {} messages, {:.1} MB",
            self.sent.readings,
            self.sent.messages,
            self.bytes_sent as f64 / 1e6
        )?;
        writeln!(
            f,
            "acknowledged  {} readings in {} messages, {:.0} readings/s",
            self.acknowledged.readings, self.acknowledged.messages, self.readings_per_s
        )?;
        if self.unacknowledged.messages > 0 {
            writeln!(
                f,
                "open          {} readings in {} messages were sent and not acknowledged",
                self.unacknowledged.readings, self.unacknowledged.messages
            )?;
        }
        let latency = &self.latency;
        writeln!(
            f,
            "publish-ack   p50 {:.1}, p90 {:.1}, p99 {:.1}, p99.9 {:.1}, max {:.1} ms",
            latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.p999_ms, latency.max_ms
        )?;
        writeln!(
            f,
            "connections   {} reconnects, {} failed tries, {} messages sent again, lag up to {} ms",
            self.reconnects, self.failed_connects, self.resent_messages, self.max_lag_ms
        )?;
        if self.refused_messages + self.too_large_messages > 0 {
            writeln!(
                f,
                "not taken     {} messages answered with an error, {} too large to be sent",
                self.refused_messages, self.too_large_messages
            )?;
        }
        if !self.injected.is_empty() {
            let list: Vec<String> =
                self.injected.iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(f, "injected      {}", list.join(", "))?;
        }
        if let Some(cpu_s) = self.cpu_s {
            writeln!(f, "CPU           {cpu_s:.1} s of this process")?;
        }
        if let Some(error) = &self.last_error {
            writeln!(f, "last trouble  {error}")?;
        }
        match &self.verdict {
            Some(verdict) => write!(f, "{verdict}"),
            None => Ok(()),
        }
    }
}

/// CPU seconds this process has used, where `/proc` says it. Linux counts in hundredths for
/// every program, whatever the kernel's own tick is.
pub(crate) fn cpu_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the name in parentheses may hold spaces; user and system time are fields 14 and 15
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Tally;

    fn parts() -> Parts {
        let mut refused = [0; REASONS.len()];
        refused[2] = 4;
        Parts {
            ending: Ending::Finished,
            duration_s: 2.0,
            sensors: 3,
            connections: 1,
            described: 3,
            glance: Glance {
                messages_sent: 10,
                readings_sent: 100,
                messages_acked: 9,
                readings_acked: 90,
                ..Glance::default()
            },
            latency: Latency::default(),
            totals: Totals {
                acked: Tally { taken: 80, duplicate: 6, refused },
                ..Totals::default()
            },
            spoiled: BTreeMap::from([("undecodable", Spoiled { acked: 2, maybe: 1 })]),
            unsent: Unsent { measured: 0, lost: 7, malformed: 0 },
            cpu_s: cpu_s(),
        }
    }

    #[test]
    fn a_report_says_what_was_sent_and_injected() {
        let report = Report::new(&parts());
        let text = report.to_string();
        for part in [
            "finished after 2.0 s: 3 sensors over 1 connections",
            "100 readings in 10 messages",
            "45 readings/s",
            "10 readings in 1 messages were sent and not acknowledged",
            "dead_letter.undecodable 3, lost 7, repeated 6, to_be_refused.clock_ahead 4",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["injected"]["lost"], 7);
        assert_eq!(json["ending"], "finished");
    }
}
