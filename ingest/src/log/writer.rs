//! The thread that writes. A turn is one look at the queue and the clock, and at most one commit:
//! take what waits, make one frame of it, write and flush, hand the frame to the dataflow, resolve
//! the `Durable`s in order.
//!
//! The queue to the dataflow is bounded; while it is full the writer waits there, nothing more is
//! acknowledged, the queue before it fills, and the doors stop reading.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use citytwin_core::frame::{Frame, Records};
use citytwin_core::time::Epoch;
use tokio::sync::oneshot;

use super::pace::{Pace, Times};
use super::queue::{MAX_SUBMISSION_BYTES, Orders, Queue};
use super::store::AppendError;
use super::{Log, LogError, LogHandle};
use crate::clock::Clock;

/// The thread that writes.
#[derive(Debug)]
pub struct LogThread {
    thread: JoinHandle<Result<(), LogError>>,
}

impl LogThread {
    /// Waits for its end.
    ///
    /// # Errors
    /// Why it ended, unless it was told to.
    ///
    /// # Panics
    /// When the thread did.
    pub fn join(self) -> Result<(), LogError> {
        self.thread.join().expect("the log's writer keeps its promises")
    }
}

/// Starts the writer. `frames` leads to the dataflow; a full queue there holds up the commits,
/// and with them everything before.
///
/// # Errors
/// When the system has no thread to give.
pub fn spawn(
    log: Log,
    clock: Arc<dyn Clock>,
    frames: SyncSender<Frame>,
) -> Result<(LogHandle, LogThread), LogError> {
    let path = log.path();
    let (mut writer, handle) = Writer::new(log, clock, frames);
    let thread = std::thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || writer.run())
        .map_err(|error| LogError::disk("start the thread that writes", &path, error))?;
    Ok((handle, LogThread { thread }))
}

/// What was taken from the queue and is not yet durable.
#[derive(Debug, Default)]
struct Batch {
    records: Records,
    done: Vec<oneshot::Sender<Result<Epoch, LogError>>>,
    permits: usize,
}

/// What to do after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Take another one at once.
    Again,
    /// Nothing waits: sleep until something is pushed, or this long.
    Idle(Duration),
    /// Something waits, but it is not yet time.
    Hold(Duration),
    /// The last frame is written.
    End,
}

/// The writer without its thread: tests take its turns by hand.
#[derive(Debug)]
pub(super) struct Writer {
    log: Log,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    frames: SyncSender<Frame>,
    pace: Pace,
    batch: Batch,
    last_began: Option<Duration>,
    /// The disk is full; not to be tried again before then.
    full_until: Option<Duration>,
    warned_behind: bool,
}

/// However the writer ends, nobody waits for it in vain.
struct Ending<'a> {
    queue: &'a Queue,
    why: Option<LogError>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.queue.end(self.why.take());
    }
}

impl Writer {
    pub(super) fn new(
        log: Log,
        clock: Arc<dyn Clock>,
        frames: SyncSender<Frame>,
    ) -> (Writer, LogHandle) {
        let queue =
            Arc::new(Queue::new(log.settings.queue_bytes, Arc::clone(&clock), log.last_epoch()));
        queue.reshaped(log.shape());
        let handle = LogHandle::new(Arc::clone(&queue));
        let pace = Pace::new(&log.settings, log.standing());
        let writer = Writer {
            log,
            queue,
            clock,
            frames,
            pace,
            batch: Batch::default(),
            last_began: None,
            full_until: None,
            warned_behind: false,
        };
        (writer, handle)
    }

    fn run(&mut self) -> Result<(), LogError> {
        let queue = Arc::clone(&self.queue);
        // Stands until the end is known: a panic answers the waiters too.
        let mut ending = Ending { queue: &queue, why: Some(LogError::Died) };
        loop {
            match self.turn() {
                Ok(Turn::Again) => {}
                Ok(Turn::Idle(timeout)) => self.queue.wait(timeout, true),
                Ok(Turn::Hold(timeout)) => self.queue.wait(timeout, false),
                Ok(Turn::End) => {
                    ending.why = None;
                    return Ok(());
                }
                Err(error) => {
                    tracing::error!(%error, "the log has failed and takes nothing more");
                    self.answer(&Err(error.clone()));
                    ending.why = Some(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// One turn.
    pub(super) fn turn(&mut self) -> Result<Turn, LogError> {
        let orders = self.queue.orders();
        if let Some(epoch) = orders.truncate {
            self.truncate(epoch);
        }
        let times = Times { now: self.clock.now(), monotonic: self.clock.monotonic() };
        if let Some(wait) = self.not_yet(orders, times) {
            return Ok(wait);
        }
        self.last_began = Some(times.monotonic);
        self.gather();
        let last = orders.closing && self.queue.is_empty();
        if self.batch.records.is_empty() && !last && !self.pace.tick_due(times) {
            // All that was submitted before is durable, and here is nothing to write.
            let epoch = self.log.last_epoch();
            self.answer(&Ok(epoch));
            return Ok(Turn::Again);
        }
        self.warn_if_behind(times);
        match self.commit(times, last) {
            Ok(()) => Ok(if last { Turn::End } else { Turn::Again }),
            Err(AppendError::Failed(error)) => Err(error),
            Err(AppendError::Full(error)) => self.suffer_full(&error, orders, times),
        }
    }

    /// How long to wait before the next commit, if it is not time for it.
    fn not_yet(&self, orders: Orders, times: Times) -> Option<Turn> {
        if orders.closing {
            return None;
        }
        let still = |until: Duration| {
            until.checked_sub(times.monotonic).filter(|left| !left.is_zero()).map(Turn::Hold)
        };
        if let Some(hold) = self.full_until.and_then(still) {
            return Some(hold);
        }
        let pending = orders.waiting || !self.batch.done.is_empty();
        if !pending && !self.pace.tick_due(times) {
            return Some(Turn::Idle(self.pace.until_tick(times)));
        }
        still(self.last_began? + self.log.settings.commit_interval)
    }

    /// Moves submissions from the queue into the batch, as many as a frame should hold.
    fn gather(&mut self) {
        let most = self.log.settings.frame_readings;
        let mut bytes = self.batch.permits as u64;
        loop {
            let readings = self.batch.records.readings.len();
            let Some(mut next) = self.queue.pop(|records, weight| {
                readings + records.readings.len() <= most.max(records.readings.len())
                    && bytes + weight <= MAX_SUBMISSION_BYTES
            }) else {
                return;
            };
            bytes += u64::from(next.permits);
            self.batch.records.append(&mut next.records);
            self.batch.done.push(next.done);
            self.batch.permits += next.permits as usize;
        }
    }

    fn commit(&mut self, times: Times, last: bool) -> Result<(), AppendError> {
        let epoch = self.pace.epoch(times);
        let readings = self.batch.records.readings.len() as u64;
        let cut = last || self.pace.cuts(epoch, readings);
        let frame = Frame { epoch, cut, records: std::mem::take(&mut self.batch.records) };
        if let Err(error) = self.log.append(&frame) {
            self.batch.records = frame.records;
            return Err(error);
        }
        self.pace.wrote(epoch, cut, readings, times.monotonic);
        self.queue.committed(epoch, readings, self.log.shape());
        if self.full_until.take().is_some() {
            tracing::info!("the disk has space again: the log goes on");
        }
        let delivered = self.frames.send(frame);
        self.answer(&Ok(epoch));
        delivered.map_err(|_frame| AppendError::Failed(LogError::DataflowGone))
    }

    /// Answers everyone in the batch, in order.
    fn answer(&mut self, answer: &Result<Epoch, LogError>) {
        for done in self.batch.done.drain(..) {
            // Whoever no longer listens needs no answer.
            drop(done.send(answer.clone()));
        }
        self.queue.settled(std::mem::take(&mut self.batch.permits));
    }

    fn suffer_full(
        &mut self,
        error: &std::io::Error,
        orders: Orders,
        times: Times,
    ) -> Result<Turn, LogError> {
        if orders.closing {
            return Err(LogError::DiskFull);
        }
        if self.full_until.is_none() {
            tracing::error!(%error, "the disk is full: nothing is acknowledged until there is space");
        }
        self.queue.full();
        self.full_until = Some(times.monotonic + self.log.settings.full_retry);
        Ok(Turn::Again)
    }

    /// A segment that cannot be removed does no harm; it is tried again at the next truncation.
    fn truncate(&mut self, epoch: Epoch) {
        if let Err(error) = self.log.truncate_through(epoch) {
            tracing::warn!(%error, "the log could not be truncated");
        }
        self.queue.reshaped(self.log.shape());
    }

    fn warn_if_behind(&mut self, times: Times) {
        let behind = Epoch::of(times.now).number() + 20 < self.log.last_epoch().number();
        if behind && !self.warned_behind {
            tracing::warn!(
                clock = %Epoch::of(times.now), log = %self.log.last_epoch(),
                "the wall clock is behind the log: epochs go on by the monotonic clock"
            );
        }
        self.warned_behind = behind;
    }
}
