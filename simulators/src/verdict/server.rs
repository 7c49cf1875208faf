//! The twin's ledger, asked over gRPC, held against ours. [`compare`] is the rule; the rest asks
//! until the twin has had the time to take what it acknowledged.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use citytwin_proto::v1::operator_client::OperatorClient;
use citytwin_proto::v1::{GetLedgerRequest, GetStatusRequest, LedgerEntry};
use tokio::time::{Instant, sleep};
use tonic::transport::{Channel, Endpoint};

use super::archive::{Completeness, verify_archive};
use super::{Delivery, Fault, Proof, Verdict, VerifyError, VerifyOptions, Violation};
use crate::fleet::Expectation;
use crate::ledger::{Account, Entry, REASONS, reason_slot};

/// Sensors per page of the ledger.
const PAGE: i32 = 5_000;
/// Between two questions.
const EVERY: Duration = Duration::from_millis(250);
/// Epochs that must pass without a change before the ledger counts as settled: half a second.
const SETTLED_EPOCHS: u64 = 5;

/// The twin's ledger at one epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerLedger {
    epoch: u64,
    total: LedgerEntry,
    sensors: BTreeMap<String, LedgerEntry>,
    dead_letters: BTreeMap<String, u64>,
}

impl ServerLedger {
    /// The epoch as of which it holds.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Made by hand, for tests: entries by sensor and dead letters by reason.
    pub fn new(
        epoch: u64,
        sensors: BTreeMap<String, LedgerEntry>,
        dead_letters: BTreeMap<String, u64>,
    ) -> ServerLedger {
        ServerLedger { epoch, total: LedgerEntry::default(), sensors, dead_letters }
    }
}

struct Api {
    client: OperatorClient<Channel>,
    address: String,
}

impl Api {
    fn new(options: &VerifyOptions) -> Result<Api, VerifyError> {
        let channel = Endpoint::from_shared(options.api.clone())
            .map_err(|source| VerifyError::Address { api: options.api.clone(), source })?
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(1))
            .connect_lazy();
        let client = OperatorClient::new(channel).max_decoding_message_size(64 << 20);
        Ok(Api { client, address: options.api.clone() })
    }

    fn failed(&self, status: tonic::Status) -> VerifyError {
        VerifyError::Api { api: self.address.clone(), source: Box::new(status) }
    }

    /// The whole ledger. Pages are of one epoch or asked again: between two pages the city lives
    /// on.
    async fn ledger(&mut self) -> Result<ServerLedger, VerifyError> {
        let mut ledger = ServerLedger::default();
        let mut page_token = String::new();
        loop {
            let request = GetLedgerRequest { sensor: String::new(), page_size: PAGE, page_token };
            let page = self.client.get_ledger(request).await;
            let page = page.map_err(|status| self.failed(status))?.into_inner();
            ledger.epoch = page.as_of.map_or(0, |as_of| as_of.epoch);
            ledger.total = page.total.unwrap_or_default();
            ledger.dead_letters =
                page.dead_letters.into_iter().map(|d| (d.reason, d.messages)).collect();
            ledger
                .sensors
                .extend(page.sensors.into_iter().map(|s| (s.sensor, s.ledger.unwrap_or_default())));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(ledger);
            }
        }
    }

    /// Newest epoch, readings received, and what is archived.
    async fn status(&mut self) -> Result<Status, VerifyError> {
        let status = self.client.get_status(GetStatusRequest {}).await;
        let status = status.map_err(|status| self.failed(status))?.into_inner();
        Ok(Status {
            epoch: status.as_of.map_or(0, |as_of| as_of.epoch),
            received: status.ledger.map_or(0, |ledger| ledger.received),
            archived_through: status.archived_through_epoch,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    epoch: u64,
    received: u64,
    archived_through: u64,
}

/// The twin's ledger now.
///
/// # Errors
/// When the API does not answer.
pub async fn ledger_of(options: &VerifyOptions) -> Result<ServerLedger, VerifyError> {
    Api::new(options)?.ledger().await
}

/// Waits until the twin knows all these sensors (`agency/id`), not longer than the patience: a
/// broker acknowledges a description before the twin has it, and readings may overtake it.
///
/// # Errors
/// When the API does not answer.
pub(crate) async fn wait_until_known<'a>(
    options: &VerifyOptions,
    sensors: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), VerifyError> {
    let deadline = Instant::now() + options.patience;
    let mut api = Api::new(options)?;
    loop {
        let ledger = api.ledger().await?;
        let all = sensors.clone().all(|sensor| ledger.sensors.contains_key(sensor));
        if all || Instant::now() >= deadline {
            return Ok(());
        }
        sleep(EVERY).await;
    }
}

/// Waits until the twin has taken what it acknowledged, then compares its ledger, and the archive
/// if a folder is given.
///
/// # Errors
/// When the API does not answer, the archive cannot be read, or the run kept no identities.
pub async fn verify(
    options: &VerifyOptions,
    before: &ServerLedger,
    proof: &Arc<Proof>,
) -> Result<Verdict, VerifyError> {
    if !proof.ledger.identities {
        return Err(VerifyError::NoIdentities);
    }
    let mut api = Api::new(options)?;
    let acked: u64 = proof.ledger.sensors.values().map(|account| account.acked.total()).sum();
    let deadline = Instant::now() + options.patience;
    wait_until_taken(&mut api, before.total.received + acked, deadline).await?;
    let (mut verdict, epoch) = loop {
        let after = api.ledger().await?;
        let verdict = compare(proof, before, &after, options.delivery);
        // others may publish too: then the total says little, and only time can tell
        if verdict.passed() || Instant::now() >= deadline {
            break (verdict, after.epoch);
        }
        sleep(EVERY).await;
    };
    if let Some(folder) = &options.data_folder {
        let deadline = Instant::now() + options.archive_patience;
        let archived = wait_until_archived(&mut api, epoch, deadline).await?;
        let completeness = if archived >= epoch {
            Completeness::Whole
        } else {
            verdict.unchecked.push(format!(
                "the archive holds what arrived through epoch {archived}, the run went on to \
                 {epoch}: nothing is said of what may be missing from it"
            ));
            Completeness::Partial
        };
        let (folder, proof) = (folder.clone(), Arc::clone(proof));
        let archive =
            tokio::task::spawn_blocking(move || verify_archive(&folder, &proof, completeness))
                .await
                .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        verdict.merge(archive);
    }
    Ok(verdict)
}

/// Until so many readings are received and, half a second later, no more have come.
async fn wait_until_taken(
    api: &mut Api,
    received: u64,
    deadline: Instant,
) -> Result<(), VerifyError> {
    let mut still = api.status().await?;
    while Instant::now() < deadline {
        let status = api.status().await?;
        if status.received != still.received {
            still = status;
        } else if status.received >= received && status.epoch >= still.epoch + SETTLED_EPOCHS {
            break;
        }
        sleep(EVERY).await;
    }
    Ok(())
}

async fn wait_until_archived(
    api: &mut Api,
    epoch: u64,
    deadline: Instant,
) -> Result<u64, VerifyError> {
    loop {
        let archived = api.status().await?.archived_through;
        if archived >= epoch || Instant::now() >= deadline {
            return Ok(archived);
        }
        sleep(EVERY).await;
    }
}

/// Holds the run's ledger against the twin's before and after it.
pub fn compare(
    proof: &Proof,
    before: &ServerLedger,
    after: &ServerLedger,
    delivery: Delivery,
) -> Verdict {
    let mut verdict = Verdict::default();
    let nothing = LedgerEntry::default();
    for (number, account) in &proof.ledger.sensors {
        let unnamed = String::new();
        let key = usize::try_from(*number)
            .ok()
            .and_then(|number| proof.sensors.get(number))
            .unwrap_or(&unnamed);
        let entry = |ledger: &ServerLedger| ledger.sensors.get(key).cloned();
        let earlier = entry(before).unwrap_or_default();
        let later = entry(after);
        verdict.sensors += 1;
        let distinct = Distinct::of(account);
        verdict.readings += distinct.must;
        let mut sensor = Sensor { key, delivery, verdict: &mut verdict };
        sensor.check(account, distinct, &earlier, later.as_ref().unwrap_or(&nothing));
    }
    for (reason, spoiled) in &proof.ledger.spoiled {
        let count = |ledger: &ServerLedger| ledger.dead_letters.get(*reason).copied();
        let found = count(after).unwrap_or(0).saturating_sub(count(before).unwrap_or(0));
        let mut nobody = Sensor { key: "", delivery, verdict: &mut verdict };
        nobody.count(
            &format!("dead letters {reason}"),
            found,
            spoiled.acked..=delivery.most(spoiled.acked + spoiled.maybe),
        );
    }
    verdict
}

/// Distinct identities among the readings of a sensor that were not to be refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Distinct {
    /// At least one copy was acknowledged.
    must: u64,
    /// Sent, never acknowledged.
    may: u64,
}

impl Distinct {
    fn of(account: &Account) -> Distinct {
        let mut distinct = Distinct::default();
        for group in account.entries.chunk_by(|a, b| a.identity() == b.identity()) {
            let counted = || group.iter().map(|entry: &Entry| entry.fate()).filter(is_counted);
            if counted().any(|fate| fate.acked) {
                distinct.must += 1;
            } else if counted().next().is_some() {
                distinct.may += 1;
            }
        }
        distinct
    }
}

fn is_counted(fate: &crate::ledger::Fate) -> bool {
    match fate.expect {
        Expectation::Taken | Expectation::Duplicate => true,
        Expectation::Refused(_) => false,
    }
}

struct Sensor<'a> {
    key: &'a str,
    delivery: Delivery,
    verdict: &'a mut Verdict,
}

impl Sensor<'_> {
    fn check(
        &mut self,
        account: &Account,
        distinct: Distinct,
        earlier: &LedgerEntry,
        later: &LedgerEntry,
    ) {
        let refused_sum: u64 = later.refused.iter().map(|refused| refused.readings).sum();
        let sum = later.applied + later.duplicate + later.late_applied + refused_sum;
        if sum != later.received {
            let detail = format!("received {} but the parts sum to {sum}", later.received);
            self.violation(Fault::DoesNotAddUp, detail);
        }
        let new = |of: fn(&LedgerEntry) -> u64| of(later).saturating_sub(of(earlier));
        let (acked, again) = (&account.acked, &account.resent);
        let applied = new(|entry| entry.applied + entry.late_applied);
        self.count("applied", applied, distinct.must..=distinct.must + distinct.may);
        // copies of what must be there, and at most all further sendings
        let copies = |tally: &crate::ledger::Tally| tally.taken + tally.duplicate;
        let least = copies(acked) - distinct.must;
        let most = copies(acked) + copies(&account.unacked) + copies(again)
            - (distinct.must + distinct.may);
        let allowed = least..=self.delivery.most(most);
        self.count("duplicate", new(|entry| entry.duplicate), allowed);
        for (slot, reason) in REASONS.iter().enumerate() {
            let of = |entry: &LedgerEntry| -> u64 {
                let named = |r: &&citytwin_proto::v1::RefusedCount| reason_slot(&r.reason) == slot;
                entry.refused.iter().filter(named).map(|r| r.readings).sum()
            };
            let found = of(later).saturating_sub(of(earlier));
            let least = u64::from(acked.refused[slot]);
            let most =
                least + u64::from(account.unacked.refused[slot]) + u64::from(again.refused[slot]);
            let allowed = least..=self.delivery.most(most);
            self.count(&format!("refused {reason}"), found, allowed);
        }
    }

    fn count(&mut self, what: &str, found: u64, allowed: RangeInclusive<u64>) {
        if allowed.contains(&found) {
            return;
        }
        let (least, most) = allowed.into_inner();
        let expected = match most {
            u64::MAX => format!("at least {least}"),
            _ if least == most => format!("{least}"),
            _ => format!("{least} to {most}"),
        };
        let detail = format!("{what} is {found}, expected {expected}");
        self.violation(Fault::WrongCount, detail);
    }

    fn violation(&mut self, fault: Fault, detail: String) {
        let sensor = self.key.to_owned();
        self.verdict.violation(Violation {
            fault,
            sensor,
            quantity: None,
            event_time: None,
            detail,
        });
    }
}
