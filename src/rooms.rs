//! What each room says of itself, in one place: filled while the pipeline starts, read by
//! `GetStatus`, health, the metrics and the status line. No decisions here.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use citytwin_core::sensor::{SensorDescription, SensorKey};
use citytwin_core::time::Epoch;
use citytwin_ingest::broker::{BrokerState, BrokerStatus, BrokerUrl};
use citytwin_ingest::endpoint::Endpoint;
use citytwin_ingest::intake::Intake;
use citytwin_ingest::log::{LogHandle, LogState};

use crate::service::{RegisterError, Registrar, State, Vitals};

/// The rooms, as far as they are open yet.
#[derive(Debug, Default)]
pub struct Rooms {
    /// Open when recovery is over.
    pub log: OnceLock<LogHandle>,
    /// Open when recovery is over.
    pub intake: OnceLock<Intake>,
    /// Our MQTT door, if it is asked for.
    pub endpoint: OnceLock<Arc<Endpoint>>,
    /// The session on a foreign broker, if it is asked for.
    pub broker: OnceLock<(BrokerUrl, BrokerStatus)>,
    /// The archive's report.
    pub archive: ArchiveReport,
    /// The store's report.
    pub store: StoreReport,
    /// Milliseconds from the end of the newest epoch to its publication.
    pub frontier_lag_ms: AtomicU64,
    /// Told to stop: nothing is waited for that may never come.
    pub is_stopping: AtomicBool,
}

/// What the archive says of itself.
#[derive(Debug, Default)]
pub struct ArchiveReport {
    /// Everything through this epoch is in the archive.
    pub through: AtomicU64,
    /// Size on disk.
    pub bytes: AtomicU64,
    /// No space: it waits and tries again.
    pub is_full: AtomicBool,
}

/// What is known of the store, if there is one.
#[derive(Debug, Default)]
pub struct StoreReport {
    /// What the archive's files are ahead of it, in milliseconds of arrival time.
    pub lag_ms: AtomicU64,
    /// Files that its tables name.
    pub files: AtomicU64,
    /// Bytes of those.
    pub bytes: AtomicU64,
    /// Rounds that failed since the start.
    pub failures: AtomicU64,
}

impl Rooms {
    /// Recovery is over: readings are taken.
    pub(crate) fn open(&self, log: &LogHandle, intake: &Intake) {
        // Set once, by the one pipeline that owns these rooms.
        drop(self.log.set(log.clone()));
        drop(self.intake.set(intake.clone()));
    }

    /// Where our MQTT door listens.
    pub(crate) fn mqtt(&self) -> Option<SocketAddr> {
        self.endpoint.get().map(|endpoint| endpoint.local_addr())
    }

    /// How everything is doing, at this moment. Cheap but for one small read of `/proc`.
    pub fn vitals(&self) -> Vitals {
        let log = self.log.get().map(LogHandle::stats);
        let (rate, durable_lag, log_bytes) = log.as_ref().map_or((0.0, 0.0, 0), |log| {
            (log.readings_per_s, log.durable_lag.as_secs_f64(), log.bytes)
        });
        Vitals {
            state: self.state(log.map(|log| log.state)),
            readings_per_second: rate,
            frontier_lag_s: self.frontier_lag_ms.load(Ordering::Relaxed) as f64 / 1_000.0,
            durable_lag_s: durable_lag,
            archived_through: Epoch::new(self.archive.through.load(Ordering::Relaxed)),
            archive_bytes: self.archive.bytes.load(Ordering::Relaxed),
            log_bytes,
            connections: self.endpoint.get().map_or(0, |endpoint| endpoint.connections()),
            resident_bytes: resident_bytes(),
            doors: self.doors(),
        }
    }

    fn state(&self, log: Option<LogState>) -> State {
        match log {
            None => State::Recovering,
            Some(LogState::DiskFull) => State::DiskFull,
            Some(LogState::Failed | LogState::Closed) => State::Failed,
            Some(LogState::Running) if self.archive.is_full.load(Ordering::Relaxed) => {
                State::DiskFull
            }
            Some(LogState::Running) => State::Serving,
        }
    }

    /// Where readings come in, for people.
    pub fn doors(&self) -> Vec<String> {
        let endpoint = self.endpoint.get().map(|endpoint| {
            let scheme = if endpoint.is_tls() { "mqtts" } else { "mqtt" };
            format!("endpoint {scheme}://{}", endpoint.local_addr())
        });
        let broker = self.broker.get().map(|(url, broker)| {
            let sessions = broker.connections();
            let connected =
                sessions.iter().filter(|one| one.state == BrokerState::Connected).count();
            format!("broker {} ({connected} of {} connected)", url, sessions.len())
        });
        endpoint.into_iter().chain(broker).collect()
    }
}

/// Registers through the intake once there is one.
#[derive(Debug)]
pub struct Reception(pub Arc<Rooms>);

#[tonic::async_trait]
impl Registrar for Reception {
    async fn register(
        &self,
        sensor: SensorKey,
        description: SensorDescription,
    ) -> Result<Epoch, RegisterError> {
        match self.0.intake.get() {
            Some(intake) => Registrar::register(intake, sensor, description).await,
            None => Err(RegisterError("the engine is still reading its log; try again".into())),
        }
    }
}

/// Of `statm`; the same on every processor this is built for today but some arm64 kernels.
const PAGE_BYTES: u64 = 4_096;

/// Resident memory of this process; 0 where `/proc` does not say.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * PAGE_BYTES
}
