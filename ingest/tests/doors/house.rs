//! A log, an intake and an endpoint, as the program wires them, and the frames that come out.
//! Messages are sent to a topic that nobody knows: each becomes a dead letter that shows the
//! topic and the payload as they arrived, in order.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use citytwin_core::frame::{DeadLetter, Frame};
use citytwin_ingest::clock::SystemClock;
use citytwin_ingest::endpoint::{Endpoint, EndpointSettings};
use citytwin_ingest::intake::{Intake, IntakeSettings};
use citytwin_ingest::log::{self, LogSettings};
use citytwin_ingest::registry::Registry;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Nobody's topic.
pub(crate) const TOPIC: &str = "nowhere/at/all";

/// However slow the machine, nothing in these tests takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes in time")
}

/// Log and intake.
pub(crate) struct Road {
    pub(crate) intake: Intake,
    arrived: Arc<Mutex<Vec<DeadLetter>>>,
    count: watch::Receiver<usize>,
    frames: Arc<Mutex<Option<Receiver<Frame>>>>,
    counter: watch::Sender<usize>,
    _dir: Option<TempDir>,
}

impl Road {
    /// A road in a folder of its own that hands on what it commits.
    pub(crate) fn open() -> Road {
        let dir = tempfile::tempdir().unwrap();
        let road = Road { _dir: None, ..Road::held(dir.path()) };
        road.release();
        Road { _dir: Some(dir), ..road }
    }

    /// A road whose disk is held back: nothing becomes durable before [`Road::release`].
    pub(crate) fn held(dir: &Path) -> Road {
        let log = log::open(&dir.join("log"), LogSettings::default()).unwrap();
        let clock = Arc::new(SystemClock::new());
        // A rendezvous: the writer resolves nothing before its frame is taken.
        let (sender, frames) = sync_channel(0);
        let (log, _thread) = log::spawn(log, Arc::<SystemClock>::clone(&clock), sender).unwrap();
        let intake = Intake::new(log.clone(), Registry::new(), clock, IntakeSettings::default());
        let (counter, count) = watch::channel(0);
        Road {
            intake,
            arrived: Arc::default(),
            count,
            frames: Arc::new(Mutex::new(Some(frames))),
            counter,
            _dir: None,
        }
    }

    /// Lets the disk go.
    pub(crate) fn release(&self) {
        let frames = self.frames.lock().take().expect("released once");
        let (arrived, counter) = (Arc::clone(&self.arrived), self.counter.clone());
        std::thread::spawn(move || {
            for mut frame in frames {
                let mut arrived = arrived.lock();
                arrived.append(&mut frame.records.dead_letters);
                counter.send_replace(arrived.len());
            }
        });
    }

    /// Waits until so many messages are durable and says what they were.
    pub(crate) async fn letters(&self, count: usize) -> Vec<DeadLetter> {
        let mut arrived = self.count.clone();
        soon(arrived.wait_for(|arrived| *arrived >= count)).await.unwrap();
        self.arrived.lock().clone()
    }

    /// The payloads of [`Road::letters`], as text.
    pub(crate) async fn payloads(&self, count: usize) -> Vec<String> {
        let letters = self.letters(count).await;
        letters.into_iter().map(|letter| String::from_utf8(letter.head).unwrap()).collect()
    }
}

/// An endpoint on a [`Road`].
pub(crate) struct House {
    pub(crate) road: Road,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl House {
    pub(crate) async fn open() -> House {
        House::with(Road::open(), settings()).await
    }

    pub(crate) async fn with(road: Road, settings: EndpointSettings) -> House {
        let endpoint = Arc::new(Endpoint::bind(settings, road.intake.clone()).await.unwrap());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (endpoint, shutdown) = (Arc::clone(&endpoint), shutdown.clone());
            async move { endpoint.run(shutdown).await }
        });
        House { road, endpoint, shutdown, running }
    }

    /// Stops the endpoint and waits for it.
    pub(crate) async fn close(self) -> Road {
        self.shutdown.cancel();
        soon(self.running).await.unwrap();
        assert_eq!(self.endpoint.connections(), 0);
        self.road
    }
}

/// Any free port.
pub(crate) fn settings() -> EndpointSettings {
    EndpointSettings {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        ..EndpointSettings::default()
    }
}
