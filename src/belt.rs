//! The threads behind the log: dataflow, publisher, archive. Live and replayed frames enter at the
//! same queue; nothing here knows which they are.
//!
//! A failure of any of them ends the process: a twin that stands still, or an archive with a hole,
//! is worse than none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use citytwin_core::dataflow::{self, ClosedEpoch, EngineState};
use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{Archive, ArchiveError};
use citytwin_ingest::clock::Clock;
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::rooms::Rooms;
use crate::service::City;

/// Closed epochs between dataflow and publisher, and between publisher and archive.
const CLOSED_QUEUE: usize = 8;
/// How long a full disk is left alone before the archive tries again.
const ARCHIVE_RETRY: Duration = Duration::from_secs(1);

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Belt<'a> {
    pub(crate) config: &'a Config,
    pub(crate) rooms: &'a Arc<Rooms>,
    pub(crate) city: &'a Arc<City>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) failing: &'a mpsc::Sender<anyhow::Error>,
}

impl Belt<'_> {
    /// Starts the threads. They end when the sender of frames is dropped, each after the one before
    /// it; `forgettable` tells through which epoch the log is not needed any more.
    pub(crate) fn start(
        &self,
        state: Option<EngineState>,
        archive: Archive,
        forgettable: watch::Sender<Epoch>,
    ) -> Result<(SyncSender<Frame>, Vec<JoinHandle<()>>)> {
        let (frames, logged) = sync_channel(self.config.log.queue);
        let (closed, published) = sync_channel(CLOSED_QUEUE);
        let (passed_on, kept) = sync_channel(CLOSED_QUEUE);
        let settings = self.config.dataflow_settings();
        let threads = vec![
            self.thread("dataflow", move || {
                dataflow::run(&settings, state, logged, closed).context("the dataflow failed")
            })?,
            self.thread("publisher", {
                let (city, rooms) = (Arc::clone(self.city), Arc::clone(self.rooms));
                let clock = Arc::clone(self.clock);
                move || publish(&city, &rooms, &*clock, &Passage { published, passed_on })
            })?,
            self.thread("archive", {
                let rooms = Arc::clone(self.rooms);
                move || keep(archive, &kept, &rooms, &forgettable)
            })?,
        ];
        Ok((frames, threads))
    }

    fn thread(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let failing = self.failing.clone();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                if let Err(error) = work() {
                    tracing::error!("{error:#}");
                    // With the queue full, others have told of a failure already.
                    drop(failing.try_send(error));
                }
            })
            .with_context(|| format!("cannot start the {name} thread"))
    }
}

/// Both ends of the publisher.
struct Passage {
    published: Receiver<ClosedEpoch>,
    passed_on: SyncSender<ClosedEpoch>,
}

fn publish(city: &City, rooms: &Rooms, clock: &dyn Clock, passage: &Passage) -> Result<()> {
    for closed in &passage.published {
        let lag_ms = clock.now().ms() - closed.snapshot.epoch.end().ms();
        rooms.frontier_lag_ms.store(u64::try_from(lag_ms).unwrap_or(0), Ordering::Relaxed);
        city.publish(Arc::clone(&closed.snapshot));
        passage.passed_on.send(closed).context("the archive has ended")?;
    }
    Ok(())
}

fn keep(
    mut archive: Archive,
    kept: &Receiver<ClosedEpoch>,
    rooms: &Rooms,
    forgettable: &watch::Sender<Epoch>,
) -> Result<()> {
    let report = &rooms.archive;
    report.bytes.store(archive.bytes(), Ordering::Relaxed);
    for closed in kept {
        if let Some(epoch) = patiently(|| archive.take(&closed), rooms)? {
            report.through.store(epoch.number(), Ordering::Relaxed);
            report.bytes.store(archive.bytes(), Ordering::Relaxed);
            forgettable.send_replace(archive.log_truncatable_through());
        }
    }
    Ok(())
}

/// Tries again while the disk is full; meanwhile the queue behind fills up and everything waits.
/// Not while stopping: the log has it all, and the next start goes on from there.
fn patiently<T>(mut work: impl FnMut() -> Result<T, ArchiveError>, rooms: &Rooms) -> Result<T> {
    let is_full = &rooms.archive.is_full;
    loop {
        match work() {
            Ok(done) => {
                is_full.store(false, Ordering::Relaxed);
                return Ok(done);
            }
            Err(error) if error.is_retryable() && !rooms.is_stopping.load(Ordering::Relaxed) => {
                if !is_full.swap(true, Ordering::Relaxed) {
                    tracing::warn!("the archive waits for space: {error}");
                }
                thread::sleep(ARCHIVE_RETRY);
            }
            Err(error) => return Err(error).context("the archive failed"),
        }
    }
}
