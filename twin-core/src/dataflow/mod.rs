//! The dataflow: frames of the log in, closed epochs out. A pure fold: no clock, no chance; equal
//! frames give equal bytes, whatever the number of workers.
//!
//! In the order a reading travels:
//!
//! ```text
//! frames ─► feeder    worker 0: log order, watermark, epochs          feeder.rs
//!             │ exchange by home shard
//!             ▼
//!           dedupe    repeats, lateness; rows for the archive         dedupe.rs, times.rs
//!             ▼
//!           latest    ledger and latest values into shards            latest.rs
//!             ▼
//!           windows   sums per series; per home shard and cell        windows.rs, cells.rs, row.rs
//!             │ exchange by resolution 5 cell
//!             ▼
//!           rollup    cells 9 → 5, quantiles                          rollup.rs, sketch.rs
//!             ▼ frontier passes the epoch
//!           publisher worker 0: one ClosedEpoch                       publish.rs, closed.rs
//! ```
//!
//! [`Epoch`] is the timestamp of the graph (`epoch.rs`); the state at a cut is in `state.rs`.

mod cells;
mod closed;
mod column;
mod dedupe;
mod epoch;
mod feeder;
mod latest;
mod packet;
mod publish;
mod rollup;
mod row;
mod series;
mod settings;
mod sketch;
mod state;
mod times;
mod windows;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use timely::Config;
use timely::dataflow::ProbeHandle;
use timely::dataflow::operators::{Input as _, Probe as _};
use timely::worker::Worker;

use crate::frame::Frame;
use crate::time::{Epoch, EventTime};
use crate::twin::Snapshot;

pub use closed::{AppliedReading, ClosedEpoch, Lateness, RefusedReading};
pub use settings::{EngineError, Settings};
pub use state::EngineState;

use dedupe::Dedupe;
use feeder::{Feeder, Input};
use latest::Latest;
use packet::worker_of;
use publish::{Publisher, Tray};
use rollup::Rollup;
use state::{Ordered, Share};

/// Operators a packet passes; a worker's step moves it one further.
const OPERATORS: usize = 6;

/// Closed epochs that may be on their way at once; then frames wait.
const MAX_IN_FLIGHT: usize = 4;

/// Longest sleep of worker 0 while epochs are on their way, and of the others always. They are
/// woken by messages; this only bounds how late they notice that another worker panicked.
const NAP: Duration = Duration::from_millis(100);

/// Folds frames until `frames` hangs up, sending every closed epoch to `closed`; blocks. An epoch
/// that is still open then stays unpublished: its frames come again after the restart (see
/// `feeder.rs`). Give the `state` of a cut, and behind it only frames of later epochs, to go on
/// from there.
///
/// While no frames come it sleeps. While nobody takes closed epochs it waits, and so do frames.
///
/// # Errors
/// [`EngineError`]: a setting is not allowed, the frames break the order of the log, the receiver
/// of closed epochs is gone, or a worker panicked.
pub fn run(
    settings: &Settings,
    state: Option<EngineState>,
    frames: Receiver<Frame>,
    closed: SyncSender<ClosedEpoch>,
) -> Result<(), EngineError> {
    start(settings, state, Ends { frames, closed, at_end: AtEnd::LeaveOpen })
}

/// Folds a finished list of frames. The last epoch is closed too: nothing more will come.
///
/// # Panics
/// When [`run`] would give an error.
pub fn fold(
    settings: &Settings,
    state: Option<EngineState>,
    frames: Vec<Frame>,
) -> Vec<ClosedEpoch> {
    let (frame_sender, frame_receiver) = sync_channel(frames.len().max(1));
    for frame in frames {
        frame_sender.send(frame).expect("the channel has room for all and its receiver lives");
    }
    drop(frame_sender);
    let (closed, results) = sync_channel(MAX_IN_FLIGHT);
    thread::scope(|scope| {
        let ends = Ends { frames: frame_receiver, closed, at_end: AtEnd::Close };
        let folding = scope.spawn(|| start(settings, state, ends));
        let all = results.iter().collect();
        match folding.join() {
            Ok(result) => result.expect("the frames keep the order of the log"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    })
}

/// What happens to an epoch that is open when the frames end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AtEnd {
    LeaveOpen,
    Close,
}

/// Both ends of the dataflow.
#[derive(Debug)]
struct Ends {
    frames: Receiver<Frame>,
    closed: SyncSender<ClosedEpoch>,
    at_end: AtEnd,
}

/// What the workers share while they start and run.
#[derive(Debug)]
struct Job {
    settings: Settings,
    /// For worker 0.
    ends: Mutex<Option<Ends>>,
    /// One for each worker, taken when it starts.
    origins: Mutex<Vec<Origin>>,
    tray: Tray,
    panicked: AtomicBool,
}

/// From where the fold goes on.
#[derive(Clone, Debug)]
struct Origin {
    snapshot: Arc<Snapshot>,
    newest: EventTime,
    closed: Option<Epoch>,
    state: Option<Arc<Ordered>>,
}

impl Origin {
    fn of(settings: &Settings, state: Option<&EngineState>) -> Origin {
        let (mode, lateness_ms) = (settings.mode, settings.lateness_ms);
        let mut snapshot = state.map_or_else(
            || Snapshot::empty(mode, lateness_ms, settings.stuck_after_ms),
            |state| state.snapshot().fork(),
        );
        snapshot.mode = mode;
        snapshot.lateness_ms = lateness_ms;
        snapshot.stuck_after_ms = settings.stuck_after_ms;
        Origin {
            snapshot: Arc::new(snapshot),
            newest: state.map_or(EventTime::MIN, EngineState::newest),
            closed: state.map(|state| state.epoch),
            state: state.map(EngineState::ordered),
        }
    }

    fn share(&self, settings: &Settings, worker: usize) -> Share {
        let none = Ordered::default();
        let ordered = self.state.as_deref().unwrap_or(&none);
        ordered.share(settings, &self.snapshot, worker as u64)
    }
}

fn start(settings: &Settings, state: Option<EngineState>, ends: Ends) -> Result<(), EngineError> {
    settings.check()?;
    if let Some(changed) = state.as_ref().map(EngineState::window_ms)
        && changed != settings.window_ms
    {
        let settings = settings.window_ms;
        return Err(EngineError::WindowChanged { state: changed, settings });
    }
    let origin = Origin::of(settings, state.as_ref());
    drop(state);
    let job = Job {
        settings: settings.clone(),
        ends: Mutex::new(Some(ends)),
        origins: Mutex::new(vec![origin; settings.workers]),
        tray: Tray::default(),
        panicked: AtomicBool::new(false),
    };
    let config = match settings.workers {
        1 => Config::thread(),
        workers => Config::process(workers),
    };
    let guards =
        timely::execute(config, move |worker| work(worker, &job)).map_err(EngineError::Start)?;
    let mut outcome = Ok(());
    for result in guards.join() {
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => outcome = Err(error),
            Err(_panic) => return Err(EngineError::Panicked),
        }
    }
    outcome
}

/// One worker's life.
fn work(worker: &mut Worker, job: &Job) -> Result<(), EngineError> {
    let _alarm = Alarm(&job.panicked);
    let origin = lock(&job.origins).pop().expect("every worker has an origin");
    let (mut input, probe) = build(worker, job, &origin);
    let ends = if worker.index() == 0 { lock(&job.ends).take() } else { None };
    let done = if let Some(ends) = ends {
        Lead::new(job, origin, probe.clone()).run(worker, &mut input, &ends)
    } else {
        drop(origin);
        Ok(())
    };
    input.close();
    while !probe.done() && !job.panicked.load(Ordering::Acquire) {
        worker.step_or_park(Some(NAP));
    }
    if job.panicked.load(Ordering::Acquire) {
        for dataflow in worker.installed_dataflows() {
            worker.drop_dataflow(dataflow);
        }
    }
    done
}

/// The graph: the same on every worker.
fn build(worker: &mut Worker, job: &Job, origin: &Origin) -> (Input, ProbeHandle<Epoch>) {
    let settings = &job.settings;
    let number = worker.index();
    let Share { index, times, windows, held } = origin.share(settings, number);
    let mine = |home| worker_of(home, settings.workers) == number as u64;
    let shards = origin.snapshot.shards.iter().filter(|shard| mine(shard.id())).map(Arc::clone);
    let latest = Latest::new(shards);
    let dedupe = Dedupe::new(settings, origin.snapshot.watermark, index, times);
    let rollup = Rollup::new(settings, held);
    worker.dataflow::<Epoch, _, _>(|scope| {
        let (input, packets) = scope.new_input();
        let judged = dedupe::dedupe(packets, dedupe);
        let recorded = latest::latest(judged, latest);
        let partials = windows::windows(recorded, windows, job.tray.clone(), number);
        let (probe, _) = rollup::rollup(partials, rollup, job.tray.clone()).probe();
        (input, probe)
    })
}

/// Worker 0: feeds frames and publishes epochs.
#[derive(Debug)]
struct Lead<'a> {
    feeder: Feeder,
    publisher: Publisher,
    probe: ProbeHandle<Epoch>,
    panicked: &'a AtomicBool,
}

impl Lead<'_> {
    fn new(job: &Job, origin: Origin, probe: ProbeHandle<Epoch>) -> Lead<'_> {
        let Origin { snapshot, newest, closed, state: _ } = origin;
        let feeder = Feeder::new(&job.settings, &snapshot, newest, closed);
        let snapshot = Arc::unwrap_or_clone(snapshot);
        let publisher = Publisher::new(job.tray.clone(), job.settings.window_ms, snapshot);
        Lead { feeder, publisher, probe, panicked: &job.panicked }
    }

    fn run(
        mut self,
        worker: &mut Worker,
        input: &mut Input,
        ends: &Ends,
    ) -> Result<(), EngineError> {
        let mut ended = false;
        loop {
            self.publish(&ends.closed)?;
            if self.panicked.load(Ordering::Acquire) {
                return Err(EngineError::Panicked);
            }
            let next = match self.feeder.in_flight() {
                0 if ended => return Ok(()),
                0 => ends.frames.recv().map_err(TryRecvError::from),
                MAX_IN_FLIGHT.. => Err(TryRecvError::Empty),
                _ if ended => Err(TryRecvError::Empty),
                _ => ends.frames.try_recv(),
            };
            match next {
                Ok(frame) => {
                    self.feeder.take(frame, input)?;
                    for _ in 0..OPERATORS {
                        worker.step();
                    }
                }
                Err(TryRecvError::Empty) => {
                    worker.step_or_park(Some(NAP));
                }
                Err(TryRecvError::Disconnected) => {
                    ended = true;
                    if ends.at_end == AtEnd::Close {
                        self.feeder.finish(input);
                    }
                }
            }
        }
    }

    /// Sends every epoch the frontier has passed.
    fn publish(&mut self, closed: &SyncSender<ClosedEpoch>) -> Result<(), EngineError> {
        while self.feeder.oldest().is_some_and(|epoch| !self.probe.less_equal(&epoch)) {
            let header = self.feeder.take_header().expect("there is an oldest");
            if closed.send(self.publisher.assemble(header)).is_err() {
                return Err(EngineError::ReceiverGone);
            }
        }
        Ok(())
    }
}

/// Tells the other workers when this one panics: they would wait for it for ever.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
