//! Carrying the archive's files to a store beside everything else: a thread that follows the newest
//! view. Nobody waits for it, whatever becomes of the store; what is missing there is made up for as
//! soon as it answers, or at the next start.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use citytwin_core::time::{EPOCH_MS, Epoch};
use citytwin_ingest::archive::{Archive, Carried, Carrier, Catalogue, View};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::rooms::Rooms;
use crate::service::FolderId;

/// How often the newest view is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long a store that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How long a stop waits for the store.
const LAST_TRY: Duration = Duration::from_secs(10);

/// The thread, and how it is told to end.
#[derive(Debug)]
pub(crate) struct Offload {
    thread: thread::JoinHandle<()>,
    /// Dropped, it has a last round begin.
    goes_on: SyncSender<()>,
    given_up: CancellationToken,
}

/// What the thread works with.
struct Rounds {
    carrier: Carrier,
    catalogue: Arc<Catalogue>,
    rooms: Arc<Rooms>,
    /// How far the store was when it was last heard of.
    through: Option<Epoch>,
    is_out: bool,
}

impl Offload {
    /// Begins if a store is configured. Does not wait for it.
    ///
    /// # Errors
    /// When the store's credentials do not make sense.
    pub(crate) fn start(
        config: &Config,
        archive: &Archive,
        rooms: &Arc<Rooms>,
        folder: FolderId,
    ) -> Result<Option<Offload>> {
        let Some(settings) = &config.archive.store else { return Ok(None) };
        let store = settings
            .open()
            .with_context(|| format!("archive.store = {:?}", settings.address.to_string()))?;
        let given_up = CancellationToken::new();
        let way = (store, Handle::current());
        let delay = config.archive_settings().removal_delay_ms;
        let rounds = Rounds {
            carrier: Carrier::new(way, folder.to_string(), delay, given_up.clone()),
            catalogue: archive.catalogue(),
            rooms: Arc::clone(rooms),
            through: None,
            is_out: false,
        };
        let (goes_on, ended) = sync_channel(1);
        let thread = thread::Builder::new().name("offload".to_owned());
        let thread = thread.spawn(move || rounds.run(&ended)).context("cannot start a thread")?;
        Ok(Some(Offload { thread, goes_on, given_up }))
    }

    /// One last round, for as long as a stop may take.
    pub(crate) async fn stop(self) {
        drop(self.goes_on);
        let mut ended: JoinHandle<_> = tokio::task::spawn_blocking(|| self.thread.join());
        let in_time = tokio::time::timeout(LAST_TRY, &mut ended).await;
        if in_time.is_err() {
            self.given_up.cancel();
            // A panic has been printed.
            drop(ended.await);
        }
    }
}

impl Rounds {
    fn run(mut self, ended: &Receiver<()>) {
        loop {
            let pause = if self.is_out { AFTER_FAILURE } else { EVERY };
            let goes_on = ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout);
            self.round();
            if !goes_on {
                return;
            }
        }
    }

    fn round(&mut self) {
        let view = self.catalogue.view();
        match self.carrier.carry(&view) {
            Ok(carried) => self.came(carried),
            Err(error) => {
                self.rooms.store.failures.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_out, true) {
                    let error = anyhow::Error::from(error);
                    tracing::warn!("the store is behind the archive until it answers: {error:#}");
                }
            }
        }
        self.rooms.store.lag_ms.store(self.lag_ms(&view), Ordering::Relaxed);
    }

    fn came(&mut self, carried: Carried) {
        if std::mem::replace(&mut self.is_out, false) {
            tracing::info!(through = carried.through.number(), "the store has caught up");
        }
        self.through = Some(carried.through);
        let report = &self.rooms.store;
        report.files.store(carried.files, Ordering::Relaxed);
        report.bytes.store(carried.bytes, Ordering::Relaxed);
    }

    /// What the files of a view are ahead of the store; all of them before it was heard of.
    fn lag_ms(&self, view: &View) -> u64 {
        let begin = self.through.unwrap_or_else(|| view.filed_from());
        view.filed_through().number().saturating_sub(begin.number()) * EPOCH_MS.unsigned_abs()
    }
}
