//! What the service stands on: the newest snapshot, the places, and what the other rooms say of
//! themselves. The pipeline publishes; readers take the newest by pointer and never lock.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use citytwin_core::sensor::{SensorDescription, SensorKey};
use citytwin_core::time::{ArrivalTime, Epoch};
use citytwin_core::twin::Snapshot;
use citytwin_ingest::clock::Clock;
use citytwin_ingest::intake::Intake;
use thiserror::Error;
use tokio::sync::watch;

use super::places::Places;
use super::token::FolderId;

/// How the engine is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Reading checkpoint and log; answers are of the past.
    #[default]
    Recovering,
    /// All is well.
    Serving,
    /// No space: nothing is acknowledged until there is; then it goes on by itself.
    DiskFull,
    /// The log failed; the process is about to stop.
    Failed,
}

impl State {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            State::Recovering => "RECOVERING",
            State::Serving => "SERVING",
            State::DiskFull => "DISK_FULL",
            State::Failed => "FAILED",
        }
    }
}

/// What the other rooms say of themselves, for `GetStatus` and health.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vitals {
    /// How the engine is doing.
    pub state: State,
    /// Readings logged per second over the last ten seconds.
    pub readings_per_second: f64,
    /// From the end of an epoch to the publication of its snapshot.
    pub frontier_lag_s: f64,
    /// From the arrival of a message to its being durable.
    pub durable_lag_s: f64,
    /// Through which epoch the archive holds everything.
    pub archived_through: Epoch,
    /// Size of the archive.
    pub archive_bytes: u64,
    /// Size of the log.
    pub log_bytes: u64,
    /// MQTT connections at the endpoint.
    pub connections: u32,
    /// Memory of the process.
    pub resident_bytes: u64,
    /// Doors and where they listen or connect, `endpoint mqtt://127.0.0.1:1883`.
    pub doors: Vec<String>,
}

/// Gathers the vitals; called for each `GetStatus` and once a second, so cheap.
pub type VitalsSource = Box<dyn Fn() -> Vitals + Send + Sync>;

/// Where new descriptions go.
#[tonic::async_trait]
pub trait Registrar: Send + Sync {
    /// Makes a description durable.
    ///
    /// # Errors
    /// When nothing is taken any more.
    async fn register(
        &self,
        sensor: SensorKey,
        description: SensorDescription,
    ) -> Result<Epoch, RegisterError>;
}

/// Why a description could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RegisterError(pub String);

#[tonic::async_trait]
impl Registrar for Intake {
    async fn register(
        &self,
        sensor: SensorKey,
        description: SensorDescription,
    ) -> Result<Epoch, RegisterError> {
        let told = |error: &dyn fmt::Display| RegisterError(error.to_string());
        let durable =
            Intake::register(self, vec![(sensor, description)]).await.map_err(|e| told(&e))?;
        durable.await.map_err(|error| told(&error))
    }
}

/// A publication.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// What was published.
    pub(super) snapshot: Arc<Snapshot>,
    /// Its number since the start, without gaps.
    pub(super) number: u64,
}

/// What is given to a city once, at its start.
pub struct Foundations {
    /// The snapshot to begin with.
    pub snapshot: Arc<Snapshot>,
    /// Named places.
    pub places: Places,
    /// Whose epochs these are.
    pub folder: FolderId,
    /// The clock, for lag.
    pub clock: Arc<dyn Clock>,
    /// What the other rooms say of themselves.
    pub vitals: VitalsSource,
    /// Where new descriptions go.
    pub registrar: Box<dyn Registrar>,
}

impl fmt::Debug for Foundations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foundations").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The living city, as the service sees it.
pub struct City {
    snapshot: ArcSwap<Snapshot>,
    newest: watch::Sender<Published>,
    places: Places,
    folder: FolderId,
    clock: Arc<dyn Clock>,
    vitals: VitalsSource,
    registrar: Box<dyn Registrar>,
    watchers: Arc<AtomicU32>,
    started: ArrivalTime,
}

impl fmt::Debug for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = self.newest.borrow().snapshot.epoch;
        f.debug_struct("City").field("epoch", &epoch).finish_non_exhaustive()
    }
}

impl City {
    /// A city that begins with a snapshot.
    pub fn new(foundations: Foundations) -> City {
        let newest = Published { snapshot: Arc::clone(&foundations.snapshot), number: 0 };
        City {
            newest: watch::Sender::new(newest),
            started: foundations.clock.now(),
            snapshot: ArcSwap::new(foundations.snapshot),
            places: foundations.places,
            folder: foundations.folder,
            clock: foundations.clock,
            vitals: foundations.vitals,
            registrar: foundations.registrar,
            watchers: Arc::default(),
        }
    }

    /// Makes a snapshot the newest and wakes the watchers. Epochs never go back.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.snapshot.store(Arc::clone(&snapshot));
        self.newest.send_modify(|newest| {
            *newest = Published { snapshot, number: newest.number + 1 };
        });
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Tells of new snapshots.
    pub(super) fn newest(&self) -> watch::Receiver<Published> {
        self.newest.subscribe()
    }

    /// Waits until the newest snapshot is of this epoch or a later one.
    pub async fn reach(&self, epoch: Epoch) {
        let reached = |newest: &Published| newest.snapshot.epoch >= epoch;
        // The sender lives as long as `self`.
        drop(self.newest.subscribe().wait_for(reached).await);
    }

    /// Named places.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whose epochs these are.
    pub fn folder(&self) -> FolderId {
        self.folder
    }

    /// The time.
    pub fn now(&self) -> ArrivalTime {
        self.clock.now()
    }

    /// When it started.
    pub fn started(&self) -> ArrivalTime {
        self.started
    }

    /// What the other rooms say of themselves.
    pub fn vitals(&self) -> Vitals {
        (self.vitals)()
    }

    /// Where new descriptions go.
    pub fn registrar(&self) -> &dyn Registrar {
        &*self.registrar
    }

    /// How many watch.
    pub fn watchers(&self) -> u32 {
        self.watchers.load(Ordering::Relaxed)
    }

    /// Counts one watcher more while the answer lives; `None` when there are `limit` already.
    pub(super) fn watcher(&self, limit: u32) -> Option<Watcher> {
        let more = |count| (count < limit).then_some(count + 1);
        self.watchers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Watcher(Arc::clone(&self.watchers)))
    }
}

/// One watcher, counted while it lives.
#[derive(Debug)]
pub(super) struct Watcher(Arc<AtomicU32>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
