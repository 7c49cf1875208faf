//! The way into the log: a queue bounded in bytes. When it is full, [`LogHandle::submit`] waits,
//! and with it the door and the sensor behind it: nothing is dropped.
//!
//! Order is the promise here: submissions become durable in the order in which `submit` returned,
//! so whoever holds a durable one knows that everything submitted before is durable too.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use citytwin_core::frame::Records;
use citytwin_core::time::Epoch;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Semaphore, oneshot, watch};

use super::stats::Rate;
use super::{LogError, LogState, LogStats};
use crate::clock::Clock;

/// What an entry in the queue costs beside its contents, in bytes.
const ENTRY_BYTES: usize = 128;
/// What one sensor or dead letter costs beside its texts, in bytes.
const RECORD_BYTES: usize = 160;
/// Most bytes of one submission: half of what a frame may hold.
pub(super) const MAX_SUBMISSION_BYTES: u64 = super::frame::MAX_BODY_BYTES as u64 / 2;

/// The way into the log. Clones share it.
#[derive(Clone, Debug)]
pub struct LogHandle {
    queue: Arc<Queue>,
}

/// Resolves when what was submitted, and everything submitted before, is on disk: with the epoch
/// of the frame, or with the reason why it never will be.
#[derive(Debug)]
pub struct Durable {
    done: oneshot::Receiver<Result<Epoch, LogError>>,
}

impl Future for Durable {
    type Output = Result<Epoch, LogError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.done).poll(context)).unwrap_or(Err(LogError::Closed)))
    }
}

impl LogHandle {
    pub(super) fn new(queue: Arc<Queue>) -> LogHandle {
        LogHandle { queue }
    }

    /// Hands over records to be logged; waits while the queue is full. An empty submission writes
    /// nothing but its `Durable` still speaks for everything before it. Dropping this future
    /// before it resolves submits nothing.
    ///
    /// # Errors
    /// When the log has failed or is shut down, or the submission is larger than half a frame.
    pub async fn submit(&self, records: Records) -> Result<Durable, LogError> {
        let bytes = weight(&records);
        if bytes > MAX_SUBMISSION_BYTES {
            return Err(LogError::TooLarge { bytes, limit: MAX_SUBMISSION_BYTES });
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.queue.capacity_bytes);
        match self.queue.room.acquire_many(permits).await {
            Ok(room) => room.forget(),
            Err(_closed) => return Err(self.queue.refusal()),
        }
        let (sender, done) = oneshot::channel();
        let at = self.queue.clock.monotonic();
        self.queue.push(Waiting { records, permits, at, done: sender })?;
        Ok(Durable { done })
    }

    /// Lets the log forget every segment that holds nothing after `epoch`. Done by the writer at
    /// its next turn.
    pub fn truncate_through(&self, epoch: Epoch) {
        let mut inner = self.queue.inner.lock();
        inner.truncate = inner.truncate.max(Some(epoch));
    }

    /// A look at the log.
    pub fn stats(&self) -> LogStats {
        let now = self.queue.clock.monotonic();
        let inner = self.queue.inner.lock();
        let oldest = inner.in_flight_since.or(inner.waiting.front().map(|waiting| waiting.at));
        LogStats {
            state: inner.state,
            bytes: inner.shape.0,
            segments: inner.shape.1,
            durable_epoch: inner.durable,
            durable_lag: oldest.map_or(Duration::ZERO, |at| now.saturating_sub(at)),
            readings_total: inner.readings_total,
            readings_per_s: inner.rate.per_s(now),
            commits_total: inner.commits_total,
        }
    }

    /// Takes nothing more, commits what waits with a final cut, and ends the thread. Returns when
    /// it has ended, with the last durable epoch.
    ///
    /// # Errors
    /// When the log had failed, or what waited could not be made durable.
    pub async fn shut_down(&self) -> Result<Epoch, LogError> {
        self.queue.close();
        let mut ended = self.queue.ended.subscribe();
        // An error here means that the sender is gone, which cannot be while `self` holds it.
        drop(ended.wait_for(|ended| *ended).await);
        let inner = self.queue.inner.lock();
        inner.failure.clone().map_or(Ok(inner.durable), Err)
    }
}

/// Shared between the handles and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// Free bytes.
    room: Semaphore,
    capacity_bytes: u32,
    clock: Arc<dyn Clock>,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inner {
    waiting: VecDeque<Waiting>,
    state: LogState,
    failure: Option<LogError>,
    closing: bool,
    truncate: Option<Epoch>,
    /// The writer sleeps until something is pushed.
    idle: bool,
    in_flight_since: Option<Duration>,
    durable: Epoch,
    /// Bytes and number of segments.
    shape: (u64, usize),
    readings_total: u64,
    commits_total: u64,
    rate: Rate,
}

/// One submission.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) records: Records,
    pub(super) permits: u32,
    pub(super) at: Duration,
    pub(super) done: oneshot::Sender<Result<Epoch, LogError>>,
}

/// What the writer must know at the beginning of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders {
    pub(super) closing: bool,
    pub(super) truncate: Option<Epoch>,
    pub(super) waiting: bool,
}

impl Queue {
    pub(super) fn new(queue_bytes: u32, clock: Arc<dyn Clock>, durable: Epoch) -> Queue {
        let inner = Inner {
            waiting: VecDeque::new(),
            state: LogState::Running,
            failure: None,
            closing: false,
            truncate: None,
            idle: false,
            in_flight_since: None,
            durable,
            shape: (0, 0),
            readings_total: 0,
            commits_total: 0,
            rate: Rate::default(),
        };
        Queue {
            inner: Mutex::new(inner),
            wake: Condvar::new(),
            room: Semaphore::new(usize::try_from(queue_bytes).unwrap_or(usize::MAX >> 3)),
            capacity_bytes: queue_bytes,
            clock,
            ended: watch::Sender::new(false),
        }
    }

    fn push(&self, waiting: Waiting) -> Result<(), LogError> {
        let mut inner = self.inner.lock();
        if inner.closing || inner.failure.is_some() {
            drop(inner);
            return Err(self.refusal());
        }
        inner.waiting.push_back(waiting);
        if inner.idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    fn refusal(&self) -> LogError {
        self.inner.lock().failure.clone().unwrap_or(LogError::Closed)
    }

    fn close(&self) {
        self.inner.lock().closing = true;
        self.room.close();
        self.wake.notify_one();
    }

    pub(super) fn orders(&self) -> Orders {
        let mut inner = self.inner.lock();
        Orders {
            closing: inner.closing,
            truncate: inner.truncate.take(),
            waiting: !inner.waiting.is_empty(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner.lock().waiting.is_empty()
    }

    /// The next submission, if `fits` says so of its records and weight.
    pub(super) fn pop(&self, fits: impl Fn(&Records, u64) -> bool) -> Option<Waiting> {
        let mut inner = self.inner.lock();
        let next = inner.waiting.front();
        if !next.is_some_and(|waiting| fits(&waiting.records, u64::from(waiting.permits))) {
            return None;
        }
        let waiting = inner.waiting.pop_front()?;
        inner.in_flight_since.get_or_insert(waiting.at);
        Some(waiting)
    }

    /// Sleeps, at most for `timeout`: until something is pushed (if `until_pushed`) or the log is
    /// to be closed.
    pub(super) fn wait(&self, timeout: Duration, until_pushed: bool) {
        let mut inner = self.inner.lock();
        if inner.closing || (until_pushed && !inner.waiting.is_empty()) {
            return;
        }
        inner.idle = until_pushed;
        self.wake.wait_for(&mut inner, timeout);
        inner.idle = false;
    }

    /// A commit is durable.
    pub(super) fn committed(&self, epoch: Epoch, readings: u64, shape: (u64, usize)) {
        let now = self.clock.monotonic();
        let mut inner = self.inner.lock();
        inner.state = LogState::Running;
        inner.durable = epoch;
        inner.in_flight_since = None;
        inner.shape = shape;
        inner.readings_total += readings;
        inner.commits_total += 1;
        inner.rate.add(now, readings);
    }

    /// What was taken from the queue is done with.
    pub(super) fn settled(&self, permits: usize) {
        self.inner.lock().in_flight_since = None;
        self.room.add_permits(permits);
    }

    pub(super) fn reshaped(&self, shape: (u64, usize)) {
        self.inner.lock().shape = shape;
    }

    pub(super) fn full(&self) {
        self.inner.lock().state = LogState::DiskFull;
    }

    /// The writer has ended, for `failure` or because it was told to. Everything that still waits
    /// is answered.
    pub(super) fn end(&self, failure: Option<LogError>) {
        let mut inner = self.inner.lock();
        inner.state = if failure.is_some() { LogState::Failed } else { LogState::Closed };
        inner.closing = true;
        inner.failure = failure;
        inner.in_flight_since = None;
        let waiting = std::mem::take(&mut inner.waiting);
        let answer = inner.failure.clone().unwrap_or(LogError::Closed);
        drop(inner);
        self.room.close();
        for waiting in waiting {
            // Whoever no longer listens needs no answer.
            drop(waiting.done.send(Err(answer.clone())));
        }
        self.ended.send_replace(true);
    }
}

/// Bytes a submission is counted as while it waits: about what it holds in memory.
fn weight(records: &Records) -> u64 {
    let sensors: usize = records
        .sensors
        .iter()
        .map(|change| {
            let about = &change.description;
            let texts = about.name.len() + about.link.len() + about.zone.len();
            RECORD_BYTES + change.key.as_str().len() + texts
        })
        .sum();
    let dead: usize = records
        .dead_letters
        .iter()
        .map(|dead| RECORD_BYTES + dead.detail.len() + dead.topic.len() + dead.head.len())
        .sum();
    let readings = records.readings.len() * super::frame::READING_BYTES;
    (ENTRY_BYTES + sensors + dead + readings) as u64
}
