//! The verdict: the simulator's own ledger held against the twin's ledger and the archive. Per
//! sensor: nothing acknowledged is missing, nothing is there twice, nothing is there that was
//! never sent, values are equal to the last bit, and every refused reading was refused for the
//! reason it was made for.
//!
//! What was sent and never acknowledged may be there or not, and what was sent again may have
//! arrived again: the allowed numbers are ranges then, and exact when every message was
//! acknowledged at its first sending.

mod archive;
mod server;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use citytwin_proto::ingest::v1::Quantity;
use serde::Serialize;
use thiserror::Error;

pub use self::archive::{ArchiveError, Completeness, verify_archive};
pub(crate) use self::server::wait_until_known;
pub use self::server::{ServerLedger, compare, ledger_of, verify};
use crate::ledger::ClosedLedger;

/// How many violations are listed; the rest is counted.
const LISTED: usize = 20;

/// How often the twin may see a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// As often as it was sent: straight to the twin's own endpoint.
    #[default]
    AsSent,
    /// At least as often: a broker in between sends again what a twin that was killed, or cut
    /// off, had not acknowledged. Applied once all the same; only repeats may be more.
    AtLeastOnce,
}

impl Delivery {
    /// The highest count of copies where at most `sent` were sent.
    const fn most(self, sent: u64) -> u64 {
        match self {
            Delivery::AsSent => sent,
            Delivery::AtLeastOnce => u64::MAX,
        }
    }
}

/// What to hold a run against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// The twin's API, such as `http://127.0.0.1:50051`.
    pub api: String,
    /// The twin's data folder, if its archive is to be read too.
    pub data_folder: Option<PathBuf>,
    /// What is between us and the twin.
    pub delivery: Delivery,
    /// How long the twin may take to have everything acknowledged in its ledger.
    pub patience: Duration,
    /// How long it may take to have that in its archive: it writes every few minutes.
    pub archive_patience: Duration,
}

impl VerifyOptions {
    /// Defaults: the API alone, a minute; seven for an archive.
    pub fn new(api: String) -> VerifyOptions {
        VerifyOptions {
            api,
            data_folder: None,
            delivery: Delivery::AsSent,
            patience: Duration::from_mins(1),
            archive_patience: Duration::from_mins(7),
        }
    }
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The address of the API.
    #[error("{api:?} is no address of an API; write http://host:port")]
    Address {
        /// As given.
        api: String,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// The API does not answer, or answers with an error.
    #[error("the twin's API at {api} does not answer: {source}")]
    Api {
        /// Its address.
        api: String,
        /// Why.
        #[source]
        source: Box<tonic::Status>,
    },
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The run kept counts only.
    #[error("this run kept no identities, so it cannot be verified")]
    NoIdentities,
}

/// What a run sent: all that a verdict needs of it.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// `agency/id` by the sensor's number.
    pub sensors: Vec<String>,
    /// What was sent and acknowledged.
    pub ledger: ClosedLedger,
    /// The twin's newest epoch before the run: what the archive holds through it is not ours.
    pub after_epoch: u64,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Acknowledged and not there.
    Missing,
    /// There more than once.
    Twice,
    /// There with another value.
    WrongValue,
    /// There and never sent.
    Invented,
    /// Archived although it was to be refused.
    NotRefused,
    /// The twin's ledger counts another number.
    WrongCount,
    /// The twin's ledger does not add up.
    DoesNotAddUp,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// What.
    pub fault: Fault,
    /// `agency/id`; empty where it concerns no single sensor.
    pub sensor: String,
    /// Name of the quantity, if it concerns one reading.
    pub quantity: Option<String>,
    /// Event time of that reading, RFC 3339.
    pub event_time: Option<String>,
    /// In words.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Missing => "missing",
            Fault::Twice => "twice",
            Fault::WrongValue => "wrong value",
            Fault::Invented => "invented",
            Fault::NotRefused => "not refused",
            Fault::WrongCount => "wrong count",
            Fault::DoesNotAddUp => "does not add up",
        };
        write!(f, "{fault}: {}", self.sensor)?;
        if let (Some(quantity), Some(event_time)) = (&self.quantity, &self.event_time) {
            write!(f, " {quantity} at {event_time}")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// What came of comparing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Sensors compared.
    pub sensors: usize,
    /// Distinct readings that had to be there.
    pub readings: u64,
    /// Rows of the archive that were held against them; `None`: the archive was not read.
    pub archive_rows: Option<u64>,
    /// How many things are wrong.
    pub violations: u64,
    /// The first of them.
    pub listed: Vec<Violation>,
    /// What could not be checked; not empty: no pass.
    pub unchecked: Vec<String>,
}

impl Verdict {
    /// Whether everything was checked and nothing is wrong.
    pub fn passed(&self) -> bool {
        self.violations == 0 && self.unchecked.is_empty()
    }

    fn violation(&mut self, violation: Violation) {
        self.violations += 1;
        if self.listed.len() < LISTED {
            self.listed.push(violation);
        }
    }

    /// Adds what another comparison found.
    fn merge(&mut self, other: Verdict) {
        self.sensors = self.sensors.max(other.sensors);
        self.readings = self.readings.max(other.readings);
        self.archive_rows = self.archive_rows.or(other.archive_rows);
        self.violations += other.violations;
        self.listed.extend(other.listed);
        self.listed.truncate(LISTED);
        self.unchecked.extend(other.unchecked);
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.passed() { "nothing lost, nothing twice" } else { "NOT PASSED" };
        write!(f, "verdict       {said}: {} sensors, {} readings", self.sensors, self.readings)?;
        match self.archive_rows {
            Some(rows) => writeln!(f, ", {rows} rows of the archive")?,
            None => writeln!(f, "; the archive was not read")?,
        }
        for unchecked in &self.unchecked {
            writeln!(f, "  not checked: {unchecked}")?;
        }
        for violation in &self.listed {
            writeln!(f, "  {violation}")?;
        }
        let more = self.violations.saturating_sub(self.listed.len() as u64);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        Ok(())
    }
}

/// A quantity's name with its unit, as the twin writes it: `speed_kmh`.
pub(crate) fn quantity_name(quantity: Quantity) -> String {
    let name = quantity.as_str_name();
    name.strip_prefix("QUANTITY_").unwrap_or(name).to_ascii_lowercase()
}

fn time_text(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms"),
        |time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    )
}
