//! Where models run: on threads of their own, behind all others, a few at a time, the rest in a
//! queue. Whoever lets go of a [`Running`] cancels it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::PlannerError;
use crate::background::step_back;

/// How often who waits is told of the queue.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a thread.
    Queued,
    /// Estimating demand.
    Estimating,
    /// The model runs.
    Running,
}

impl Stage {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Queued => "queued",
            Stage::Estimating => "estimating",
            Stage::Running => "running",
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// 0 to 1, within the stage.
    pub done: f64,
    /// Runs before it in the queue.
    pub waiting: usize,
}

/// Threads and the queue for them.
#[derive(Debug)]
pub(super) struct Desk {
    threads: Arc<Semaphore>,
    queue: Arc<Mutex<Queue>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<u64>,
}

/// A run that goes on as long as this is held.
#[derive(Debug)]
pub struct Running<T> {
    progress: watch::Receiver<Progress>,
    result: oneshot::Receiver<Result<T, PlannerError>>,
    _cancel: DropGuard,
}

/// What a run tells.
#[derive(Debug)]
pub enum Step<T> {
    /// It is so far.
    Progress(Progress),
    /// It has ended.
    Ended(Result<T, PlannerError>),
}

/// The side of the thread.
#[derive(Debug)]
pub(super) struct Job {
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
}

impl Job {
    /// Tells how far it is; breaks when nobody wants to know any more.
    pub(super) fn tell(&self, stage: Stage, done: f64) -> ControlFlow<()> {
        let now = Progress { stage, done, waiting: 0 };
        // Told far more often than anything changes.
        self.progress.send_if_modified(|told| std::mem::replace(told, now) != now);
        if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl<T> Running<T> {
    /// The next thing it tells. Slow listeners miss progress, never the end.
    pub async fn step(&mut self) -> Step<T> {
        let broke_off = |_gone| Err(PlannerError::BrokeOff("its thread ended early".to_owned()));
        tokio::select! {
            biased;
            result = &mut self.result => return Step::Ended(result.unwrap_or_else(broke_off)),
            changed = self.progress.changed() => {
                if changed.is_ok() {
                    return Step::Progress(*self.progress.borrow_and_update());
                }
            }
        }
        Step::Ended((&mut self.result).await.unwrap_or_else(broke_off))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it failed.
    pub async fn end(mut self) -> Result<T, PlannerError> {
        loop {
            if let Step::Ended(result) = self.step().await {
                return result;
            }
        }
    }
}

impl Desk {
    /// So many threads; so many may wait for one.
    pub(super) fn new(threads: usize, most: usize) -> Desk {
        Desk { threads: Arc::new(Semaphore::new(threads)), queue: Arc::default(), most }
    }

    /// Runs something once a thread is free.
    ///
    /// # Errors
    /// When too many wait.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Job) -> Result<T, PlannerError> + Send + 'static,
    ) -> Result<Running<T>, PlannerError> {
        let place = Place::take(&self.queue, self.most)?;
        let queued = Progress { stage: Stage::Queued, done: 0.0, waiting: place.before() };
        let (tell, mut progress) = watch::channel(queued);
        // The first step tells it.
        progress.mark_changed();
        let (ended, result) = oneshot::channel();
        let cancel = CancellationToken::new();
        let job = Job { progress: tell, cancel: cancel.clone() };
        let threads = Arc::clone(&self.threads);
        tokio::spawn(async move {
            let Some(permit) = place.wait(threads, &job).await else { return };
            let thread = std::thread::Builder::new().name("what-if".to_owned());
            let spawned = thread.spawn(move || {
                step_back();
                let result = work(&job);
                drop(permit);
                // Nobody waits for a cancelled run.
                drop(ended.send(result));
            });
            if let Err(error) = spawned {
                tracing::error!(%error, "cannot start a thread for a run");
            }
        });
        Ok(Running { progress, result, _cancel: cancel.drop_guard() })
    }
}

/// A place in the queue, given up when dropped.
#[derive(Debug)]
struct Place {
    queue: Arc<Mutex<Queue>>,
    number: u64,
}

impl Place {
    fn take(queue: &Arc<Mutex<Queue>>, most: usize) -> Result<Place, PlannerError> {
        let mut open = queue.lock();
        if open.waiting.len() >= most {
            return Err(PlannerError::Busy(open.waiting.len()));
        }
        let number = open.next;
        open.next += 1;
        open.waiting.push_back(number);
        drop(open);
        Ok(Place { queue: Arc::clone(queue), number })
    }

    fn before(&self) -> usize {
        self.queue.lock().waiting.iter().take_while(|other| **other < self.number).count()
    }

    /// Waits for a thread; `None` when cancelled meanwhile. Turns are first come, first served.
    async fn wait(self, threads: Arc<Semaphore>, job: &Job) -> Option<OwnedSemaphorePermit> {
        let turn = threads.acquire_owned();
        tokio::pin!(turn);
        let mut tick = tokio::time::interval(TELL_EVERY);
        loop {
            tokio::select! {
                biased;
                () = job.cancel.cancelled() => return None,
                permit = &mut turn => return permit.ok(),
                _ = tick.tick() => {
                    let waiting = self.before();
                    job.progress.send_if_modified(|told| {
                        let moved = told.waiting != waiting;
                        told.waiting = waiting;
                        moved
                    });
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.lock().waiting.retain(|other| *other != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn runs_wait_for_a_thread_in_turn_and_too_many_are_refused() {
        let desk = Desk::new(1, 2);
        let (go, gate) = mpsc::sync_channel::<()>(1);
        let mut first = desk
            .run(move |job| {
                assert!(job.tell(Stage::Running, 0.5).is_continue());
                gate.recv().unwrap();
                Ok(1)
            })
            .unwrap();
        // It has left the queue when it runs.
        loop {
            if let Step::Progress(Progress { stage: Stage::Running, .. }) = first.step().await {
                break;
            }
        }
        let second = desk.run(|_job| Ok(2)).unwrap();
        let mut third = desk.run(|_job| Ok(3)).unwrap();
        assert!(matches!(desk.run(|_job| Ok(4)), Err(PlannerError::Busy(2))));
        let Step::Progress(told) = third.step().await else { panic!("it waits") };
        assert_eq!((told.stage, told.waiting), (Stage::Queued, 1));
        go.send(()).unwrap();
        assert_eq!(first.end().await.unwrap(), 1);
        assert_eq!(second.end().await.unwrap(), 2);
        assert_eq!(third.end().await.unwrap(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn letting_go_cancels() {
        let desk = Desk::new(1, 2);
        let (tell, told) = oneshot::channel();
        let running: Running<()> = desk
            .run(move |job| {
                while job.tell(Stage::Running, 0.0).is_continue() {
                    std::thread::yield_now();
                }
                tell.send(()).unwrap();
                Err(PlannerError::Cancelled)
            })
            .unwrap();
        drop(running);
        // Either it was still queued and never ran, or it saw the cancellation.
        drop(told.await);
        let next = desk.run(|_job| Ok(7)).unwrap();
        assert_eq!(next.end().await.unwrap(), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_panic_of_a_run_ends_only_that_run() {
        let desk = Desk::new(1, 2);
        let broken: Running<()> = desk.run(|_job| panic!("a fault of the model")).unwrap();
        assert!(matches!(broken.end().await, Err(PlannerError::BrokeOff(_))));
        assert_eq!(desk.run(|_job| Ok(1)).unwrap().end().await.unwrap(), 1);
    }
}
