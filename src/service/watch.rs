//! `Watch`: first everything in the area, then what changed, by the query's own code and filter.
//!
//! There is no queue. A message is made when the reader is ready for it and holds all epochs since
//! the one before: a slow reader gets fewer and larger messages, never an old state, and costs the
//! engine nothing while it is slow. A message names the epochs it covers, (from, as of]; the next
//! one begins where it ended, and a resume token is nothing but that end.
//!
//! Where nothing changes, an empty message a second says that the engine lives and how far it is.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use citytwin_core::time::Epoch;
use citytwin_core::twin::{AreaAnswer, AreaQuery, Snapshot};
use citytwin_proto::v1;
use prost::Message as _;
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::city::{City, Published, Watcher};
use super::request::{invalid, watch_query};
use super::token::{Fingerprint, ResumeToken};
use super::wire;

/// Most watchers at once.
pub const MAX_WATCHERS: u32 = 1_000;
/// Epochs without a change after which an empty message is sent: a second.
const QUIET_EPOCHS: u64 = 10;
/// How far a token may be ahead of the clock: clocks are set back now and then.
const AHEAD_EPOCHS: u64 = 100;
/// How long a watch waits for an engine that has restarted and is not yet where the token is.
const CATCH_UP: Duration = Duration::from_secs(30);

/// One reader's place in the life of an area.
#[derive(Debug)]
pub(super) struct Watch {
    city: Arc<City>,
    query: AreaQuery,
    fingerprint: u32,
    newest: watch::Receiver<Published>,
    /// The end of the message before; `None`: nothing was sent yet.
    since: Option<Epoch>,
    /// The last publication that was looked at.
    seen: Option<u64>,
    /// Publications that went by unseen since the last message.
    folded: u64,
    shutdown: CancellationToken,
    /// Counts this reader.
    _watcher: Watcher,
}

impl Watch {
    /// Checks the request and finds where to begin.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a wrong request, `OUT_OF_RANGE` for a token from which it cannot go
    /// on, `RESOURCE_EXHAUSTED` when there are too many watchers, `UNAVAILABLE` at shutdown.
    pub(super) async fn begin(
        city: Arc<City>,
        request: v1::WatchRequest,
        shutdown: CancellationToken,
    ) -> Result<Watch, Status> {
        let token = request.resume_token.clone();
        let fingerprint = fingerprint(&request, &city);
        let query = watch_query(request, city.places())?;
        let watcher = city.watcher(MAX_WATCHERS).ok_or_else(|| {
            Status::resource_exhausted(format!("there are {MAX_WATCHERS} watchers already"))
        })?;
        let mut watch = Watch {
            newest: city.newest(),
            city,
            query,
            fingerprint,
            since: None,
            seen: None,
            folded: 0,
            shutdown,
            _watcher: watcher,
        };
        if !token.is_empty() {
            watch.resume(&token).await?;
        }
        Ok(watch)
    }

    /// Goes on after a token.
    async fn resume(&mut self, token: &str) -> Result<(), Status> {
        let anew = "begin anew, without a resume_token";
        let token = ResumeToken::decode(token).map_err(|error| invalid("resume_token", error))?;
        if token.folder != self.city.folder() {
            return Err(Status::out_of_range(format!(
                "resume_token: is of another data folder, whose epochs are not ours; {anew}"
            )));
        }
        if token.watch != self.fingerprint {
            return Err(invalid(
                "resume_token",
                "is of another watch; allowed: the same area, resolution, quantities and kinds as \
                 in the watch that gave it",
            ));
        }
        let clock = Epoch::of(self.city.now()).max(self.city.snapshot().epoch);
        if token.epoch.number() > clock.number().saturating_add(AHEAD_EPOCHS) {
            return Err(Status::out_of_range(format!(
                "resume_token: its epoch {} is not yet, now is {clock}; {anew}",
                token.epoch
            )));
        }
        let caught_up = self.newest.wait_for(|newest| newest.snapshot.epoch >= token.epoch);
        let caught_up = tokio::select! {
            found = caught_up => found.is_ok(),
            () = self.shutdown.cancelled() => return Err(ending()),
            () = tokio::time::sleep(CATCH_UP) => false,
        };
        let snapshot = self.city.snapshot();
        if !caught_up {
            return Err(Status::unavailable(format!(
                "the engine has not caught up with epoch {} of the resume_token, it is at {}; \
                 try again with the same token",
                token.epoch, snapshot.epoch
            )));
        }
        let oldest = snapshot.sensors.deltas_from();
        if token.epoch < oldest {
            return Err(Status::out_of_range(format!(
                "resume_token: its epoch {} is too old, changes are known from {oldest}; {anew}",
                token.epoch
            )));
        }
        self.since = Some(token.epoch);
        Ok(())
    }

    /// The next message: waits for a newer snapshot with something to say.
    ///
    /// # Errors
    /// `UNAVAILABLE` at shutdown.
    async fn next(&mut self) -> Result<v1::WatchResponse, Status> {
        loop {
            if self.shutdown.is_cancelled() {
                return Err(ending());
            }
            let published = self.newest.borrow_and_update().clone();
            if let Some(message) = self.look(&published) {
                return Ok(message);
            }
            let more = tokio::select! {
                more = self.newest.changed() => more.is_ok(),
                () = self.shutdown.cancelled() => false,
            };
            if !more {
                return Err(ending());
            }
        }
    }

    /// What a publication has to say to this reader, if anything.
    fn look(&mut self, published: &Published) -> Option<v1::WatchResponse> {
        let number = published.number;
        if let Some(seen) = self.seen.replace(number) {
            self.folded += number.saturating_sub(seen).saturating_sub(1);
        }
        let snapshot = &published.snapshot;
        if self.since.is_some_and(|since| snapshot.epoch <= since) {
            return None;
        }
        let answer = snapshot.area(&self.query, self.since);
        let quiet = self.since.is_some_and(|since| {
            is_empty(&answer) && snapshot.epoch.number() < since.number() + QUIET_EPOCHS
        });
        (!quiet).then(|| self.message(snapshot, &answer))
    }

    fn message(&mut self, snapshot: &Snapshot, answer: &AreaAnswer) -> v1::WatchResponse {
        let from = self.since.replace(snapshot.epoch).filter(|_| !answer.full);
        let folded = std::mem::take(&mut self.folded);
        let token = ResumeToken {
            folder: self.city.folder(),
            watch: self.fingerprint,
            epoch: snapshot.epoch,
        };
        v1::WatchResponse {
            as_of: Some(wire::as_of(snapshot)),
            full: answer.full,
            from_epoch: from.map_or(0, Epoch::number),
            sensors: answer.sensors.iter().map(wire::sensor).collect(),
            cells: answer.cells.iter().map(wire::cell).collect(),
            removed_sensors: answer.removed_sensors.iter().map(ToString::to_string).collect(),
            removed_cells: answer.removed_cells.iter().map(ToString::to_string).collect(),
            resume_token: token.encode(),
            lag_ms: self.city.now().ms() - snapshot.epoch.end().ms(),
            conflated_epochs: u32::try_from(folded).unwrap_or(u32::MAX),
        }
    }
}

fn ending() -> Status {
    Status::unavailable("the engine is shutting down; go on later with the last resume_token")
}

fn is_empty(answer: &AreaAnswer) -> bool {
    !answer.full
        && answer.sensors.is_empty()
        && answer.cells.is_empty()
        && answer.removed_sensors.is_empty()
        && answer.removed_cells.is_empty()
}

/// Of everything that a resumed watch must have in common with the first: the request but for its
/// token and, where it names a place, the places file.
fn fingerprint(request: &v1::WatchRequest, city: &City) -> u32 {
    let question = v1::WatchRequest { resume_token: String::new(), ..request.clone() };
    let mut bytes = question.encode_to_vec();
    let shape = question.area.and_then(|area| area.shape);
    if matches!(shape, Some(v1::area::Shape::Place(_))) {
        bytes.extend(city.places().fingerprint().to_be_bytes());
    }
    let hash = Fingerprint::of(&bytes);
    u32::try_from((hash >> 32) ^ (hash & u64::from(u32::MAX))).expect("both halves have 32 bits")
}

type Step = Pin<Box<dyn Future<Output = (Watch, Result<v1::WatchResponse, Status>)> + Send>>;

/// The messages of a watch, each made when it is asked for. Ends after an error.
pub struct Messages(Option<Step>);

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Messages").field(&self.0.is_some()).finish()
    }
}

impl Messages {
    pub(super) fn of(watch: Watch) -> Messages {
        Messages(Some(step(watch)))
    }
}

fn step(mut watch: Watch) -> Step {
    Box::pin(async move {
        let message = watch.next().await;
        (watch, message)
    })
}

impl Stream for Messages {
    type Item = Result<v1::WatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(next) = self.0.as_mut() else { return Poll::Ready(None) };
        let Poll::Ready((watch, message)) = next.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.0 = message.is_ok().then(|| step(watch));
        Poll::Ready(Some(message))
    }
}
