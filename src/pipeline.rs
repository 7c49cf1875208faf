//! The page to read first: the way of a reading, top to bottom, and the way down.
//!
//! ```text
//! doors ─► intake ─► log ══frames══► dataflow ══closed epochs══► publisher ─► city (snapshot)
//!                     ▲                                              ╚══════► archive ─┐
//!                     └─────────────────── truncate_through(e) ◄───────────────────────┤
//!                                                                    store ◄─ offload ◄┘
//! ```
//!
//! Double lines are bounded queues; when one is full its sender waits, and in the end the doors
//! acknowledge nothing more. A restart feeds the newest checkpoint and the rest of the log through
//! the same queues before the doors open; meanwhile the service says that it is recovering.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow};
use citytwin_core::dataflow::EngineState;
use citytwin_core::frame::{Frame, SensorChange};
use citytwin_core::time::Epoch;
use citytwin_core::twin::Snapshot;
use citytwin_ingest::archive::{Archive, StoreSettings};
use citytwin_ingest::clock::{Clock, SystemClock};
use citytwin_ingest::intake::Intake;
use citytwin_ingest::log::{self, Log, LogHandle, LogThread};
use citytwin_ingest::registry::Registry;
use citytwin_ingest::sensors_file;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::belt::Belt;
use crate::config::Config;
use crate::doors::Doors;
use crate::history::History;
use crate::metrics;
use crate::network;
use crate::offload::Offload;
use crate::planner::Planner;
use crate::rooms::{Reception, Rooms};
use crate::service::{self, City, FolderId, Foundations, Health, Places, Served};
use crate::upkeep::Upkeep;

/// Errors that may wait to be told; the first one ends the process.
const FAILURES: usize = 16;

/// A running engine.
#[derive(Debug)]
pub struct Pipeline {
    rooms: Arc<Rooms>,
    city: Arc<City>,
    planner: Arc<Planner>,
    log: LogHandle,
    log_thread: LogThread,
    /// Behind the log: dataflow, publisher, archive.
    belt: Vec<JoinHandle<()>>,
    doors: Doors,
    /// Behind the archive, if there is a store.
    offload: Option<Offload>,
    service: Background,
    failures: mpsc::Receiver<anyhow::Error>,
    addresses: Addresses,
}

/// Tasks that end when told to.
#[derive(Debug)]
pub(crate) struct Background {
    pub(crate) tasks: JoinSet<()>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) failing: mpsc::Sender<anyhow::Error>,
}

/// Where it listens.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Doors, `endpoint mqtt://127.0.0.1:1883`.
    pub doors: Vec<String>,
    /// The MQTT endpoint.
    pub mqtt: Option<SocketAddr>,
    /// gRPC.
    pub grpc: SocketAddr,
    /// Prometheus text.
    pub metrics: Option<SocketAddr>,
}

/// What is on disk after a clean stop.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Everything through this epoch is archived.
    pub through: Epoch,
    /// Size of the archive.
    pub archive_bytes: u64,
    /// Readings logged since the start.
    pub readings: u64,
}

impl Pipeline {
    /// Opens everything from the far end to the doors. Returns when readings are taken.
    ///
    /// # Errors
    /// When the folder, a file, a port or the log is not to be had.
    pub async fn start(config: &Config) -> Result<Pipeline> {
        let (failing, failures) = mpsc::channel(FAILURES);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let rooms = Arc::new(Rooms::default());
        let mut service = Background::new(failing.clone());

        // The far end first: what is on disk, and the twin as it was.
        let mut log = log::open(&config.data.join("log"), config.log_settings())?;
        let mut archive = Archive::open(&config.data, config.archive_settings())?;
        let state = archive.newest_checkpoint(log.oldest_epoch())?;
        let after = state.as_ref().map_or(Epoch::ZERO, |state| state.epoch);
        let registry = known_sensors(state.as_ref());
        let folder = FolderId::of_folder(&config.data, clock.now())
            .with_context(|| format!("cannot mark the folder {}", config.data.display()))?;
        let city = found_city(config, state.as_ref(), &rooms, (&clock, folder))?;
        let health = Health::new(Arc::clone(&city));
        let upkeep = Upkeep {
            keeper: archive.keeper(),
            compacts: config.archive.compact,
            local_for_ms: config.archive.local_for_ms,
            kept: config.archive.kept,
        };
        let offload = Offload::start(config, &archive, &rooms, folder)?;
        let history = past(config, &archive)?;
        let planner = planning(config, &city, &history)?;
        let served = Served {
            health: health.clone(),
            planner: Arc::clone(&planner),
            history: Some(history),
        };
        let grpc = service.serve_city(config, served).await?;

        // The belt, and what the log still holds on it.
        let (forgettable, truncations) = watch::channel(Epoch::ZERO);
        let (frames, belt) =
            Belt { config, rooms: &rooms, city: &city, clock: &clock, failing: &failing }.start(
                state,
                archive,
                forgettable,
            )?;
        replay(&mut log, after, &registry, &frames, &city).await?;

        // The log, and the doors to it.
        let (log, log_thread) = log::spawn(log, Arc::clone(&clock), frames)?;
        service.truncate(truncations, log.clone());
        service.tasks.spawn(upkeep.run(Arc::clone(&clock), service.shutdown.clone()));
        let intake =
            Intake::new(log.clone(), registry, Arc::clone(&clock), config.intake_settings());
        register_files(config, &intake).await?;
        let instance = city.started().ms().unsigned_abs();
        let doors = Doors::open(config, &intake, &rooms, instance, failing).await?;
        rooms.open(&log, &intake);
        health.tell().await;

        metrics::serve(config.metrics_listen, &city, &rooms, &mut service)?;
        let metrics = config.metrics_listen;
        let addresses = Addresses { doors: rooms.doors(), mqtt: rooms.mqtt(), grpc, metrics };
        Ok(Pipeline {
            rooms,
            city,
            planner,
            log,
            log_thread,
            belt,
            doors,
            offload,
            service,
            failures,
            addresses,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The twin.
    pub fn city(&self) -> &Arc<City> {
        &self.city
    }

    /// What if.
    pub fn planner(&self) -> &Arc<Planner> {
        &self.planner
    }

    /// What each room says of itself.
    pub fn rooms(&self) -> &Arc<Rooms> {
        &self.rooms
    }

    /// Waits until something fails for good: the process is meant to stop then.
    pub async fn failed(&mut self) -> anyhow::Error {
        self.failures.recv().await.unwrap_or_else(|| anyhow!("every thread has ended"))
    }

    /// Drains: the doors stop taking and finish their acknowledgements; the log commits a last cut;
    /// dataflow and archive work off what is on the way; the service ends.
    ///
    /// # Errors
    /// When the last commit, file or checkpoint could not be written.
    pub async fn stop(mut self) -> Result<Kept> {
        self.doors.close().await;
        self.rooms.is_stopping.store(true, Ordering::Relaxed);
        let last = self.log.shut_down().await;
        let readings = self.log.stats().readings_total;
        let (log_thread, belt) = (self.log_thread, self.belt);
        tokio::task::spawn_blocking(move || {
            let ended = log_thread.join();
            // Their errors have been told through `failures`; a panic has been printed.
            for thread in belt {
                drop(thread.join());
            }
            ended
        })
        .await
        .context("the threads could not be waited for")??;
        if let Some(offload) = self.offload {
            offload.stop().await;
        }
        self.service.close().await;
        if let Ok(failure) = self.failures.try_recv() {
            return Err(failure);
        }
        let through = last?;
        let archive = &self.rooms.archive;
        let archived = archive.through.load(Ordering::Relaxed);
        if archived != through.number() {
            return Err(anyhow!("the archive ends at epoch {archived}, the log at {through}"));
        }
        Ok(Kept { through, archive_bytes: archive.bytes.load(Ordering::Relaxed), readings })
    }
}

impl Background {
    pub(crate) fn new(failing: mpsc::Sender<anyhow::Error>) -> Background {
        Background { tasks: JoinSet::new(), shutdown: CancellationToken::new(), failing }
    }

    /// Tells all tasks to end, and waits.
    pub(crate) async fn close(&mut self) {
        self.shutdown.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn serve_city(&mut self, config: &Config, served: Served) -> Result<SocketAddr> {
        let wanted = config.grpc_listen;
        let listener = TcpListener::bind(wanted)
            .await
            .with_context(|| format!("grpc.listen: cannot listen on {wanted}"))?;
        let address = listener.local_addr()?;
        let shutdown = self.shutdown.clone();
        let failing = self.failing.clone();
        self.tasks.spawn(async move {
            if let Err(error) = service::serve(served, listener, shutdown).await {
                drop(failing.try_send(error.into()));
            }
        });
        Ok(address)
    }

    /// The log forgets what the archive has and no checkpoint needs.
    fn truncate(&mut self, mut forgettable: watch::Receiver<Epoch>, log: LogHandle) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            loop {
                let epoch = *forgettable.borrow_and_update();
                log.truncate_through(epoch);
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    changed = forgettable.changed() => if changed.is_err() { return },
                }
            }
        });
    }
}

/// Who was registered by the epoch of the checkpoint.
fn known_sensors(state: Option<&EngineState>) -> Registry {
    let table = state.map(|state| &state.snapshot().sensors);
    let changes: Vec<SensorChange> = table.into_iter().flat_map(|table| table.changes()).collect();
    changes.iter().collect()
}

fn found_city(
    config: &Config,
    state: Option<&EngineState>,
    rooms: &Arc<Rooms>,
    (clock, folder): (&Arc<dyn Clock>, FolderId),
) -> Result<Arc<City>> {
    let twin = &config.twin;
    let snapshot = state.map_or_else(
        || Arc::new(Snapshot::empty(twin.time, twin.lateness_ms, twin.stuck_after_ms)),
        |state| Arc::clone(state.snapshot()),
    );
    let places = config.places.as_deref().map(Places::read).transpose()?.unwrap_or_default();
    let vitals = Arc::clone(rooms);
    Ok(Arc::new(City::new(Foundations {
        snapshot,
        places,
        folder,
        clock: Arc::clone(clock),
        vitals: Box::new(move || vitals.vitals()),
        registrar: Box::new(Reception(Arc::clone(rooms))),
    })))
}

/// The room of history, over what the archive shows.
fn past(config: &Config, archive: &Archive) -> Result<Arc<History>> {
    let store = config.archive.store.as_ref().map(StoreSettings::open).transpose()?;
    let history = History::open(archive.catalogue(), store, config.history_settings());
    Ok(Arc::new(history.context("history cannot be opened")?))
}

/// The planners' room, with the network that is configured or was current last.
fn planning(config: &Config, city: &Arc<City>, history: &Arc<History>) -> Result<Arc<Planner>> {
    let threads = config.planner.threads;
    let planner = tokio::task::block_in_place(|| {
        let network = config.network.as_deref().map(network::at_start).transpose()?;
        let planner = Planner::open(Arc::clone(city), &config.data, network, threads);
        planner.context("the planners' folder cannot be used")
    });
    Ok(Arc::new(planner?.with_history(Arc::clone(history))))
}

/// Puts what the log holds after the checkpoint on the belt, and waits until the twin shows it. The
/// last epoch of the log stays open until the first new frame closes it.
async fn replay(
    log: &mut Log,
    after: Epoch,
    registry: &Registry,
    frames: &SyncSender<Frame>,
    city: &City,
) -> Result<()> {
    let (mut count, mut closed, mut open) = (0_u64, after, after);
    for frame in log.replay(after)? {
        let frame = frame?;
        registry.apply(&frame.records.sensors);
        if frame.epoch > open {
            (closed, open) = (open, frame.epoch);
        }
        if frame.cut {
            closed = frame.epoch;
        }
        count += 1;
        tokio::task::block_in_place(|| frames.send(frame)).context("the dataflow has ended")?;
    }
    city.reach(closed).await;
    if count > 0 {
        tracing::info!(frames = count, through = open.number(), "replayed the log");
    }
    Ok(())
}

async fn register_files(config: &Config, intake: &Intake) -> Result<()> {
    for path in &config.sensors {
        let sensors = sensors_file::read(path)?;
        let count = sensors.len();
        intake.register(sensors).await?.await?;
        tracing::info!(sensors = count, file = %path.display(), "registered");
    }
    Ok(())
}
