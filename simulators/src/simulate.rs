//! Runs a fleet against a server: checks that it is there, notes the twin's ledger if a verdict
//! is asked, describes the sensors, publishes their readings, waits for what is outstanding, and
//! reports. Recorded data takes the same road, see [`crate::replay`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use citytwin_proto::ingest::v1::SensorDescription;
use prost::Message as _;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fleet::{Action, Fleet, Outgoing, Tally};
use crate::ledger::{ClosedLedger, Keep, Ledger};
use crate::publish::{
    Books, Feed, Glance, MqttVersion, NowMs, Pace, Progress, PublishError, PublishOptions,
    ServerUrl, SimClock, Span, check_reachable, publish,
};
use crate::report::{Ending, Parts, Report, cpu_s};
use crate::spec::Protocol;
use crate::verdict::{self, Proof, VerifyError, VerifyOptions};

/// How sensors become known to the twin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Register {
    /// By their retained descriptions, acknowledged before the first reading.
    #[default]
    About,
    /// They are known already.
    None,
}

/// Connections over which descriptions are published.
const REGISTER_CONNECTIONS: usize = 4;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun, or finding the server.
    Starting,
    /// Describing the sensors: see [`RunProgress::describing`].
    Describing,
    /// Publishing readings: see [`RunProgress::publishing`].
    Publishing,
    /// Waiting for the twin and the archive, and comparing.
    Verifying,
}

/// What a status line reads while a run goes on.
#[derive(Debug, Default)]
pub struct RunProgress {
    phase: AtomicU8,
    /// Descriptions: messages only.
    pub describing: Arc<Progress>,
    /// Readings.
    pub publishing: Arc<Progress>,
}

impl RunProgress {
    /// What the run is doing.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Starting,
            1 => Phase::Describing,
            2 => Phase::Publishing,
            _ => Phase::Verifying,
        }
    }

    fn enter(&self, phase: Phase) {
        let number = match phase {
            Phase::Starting => 0,
            Phase::Describing => 1,
            Phase::Publishing => 2,
            Phase::Verifying => 3,
        };
        self.phase.store(number, Ordering::Relaxed);
    }

    /// The counters of readings now; see [`Progress::glance`].
    pub fn glance(&self) -> Glance {
        self.publishing.glance()
    }
}

/// How to run.
#[derive(Clone)]
pub struct SimulateOptions {
    /// Where to and how.
    pub publish: PublishOptions,
    /// The wall clock.
    pub now: NowMs,
    /// How sensors become known.
    pub register: Register,
    /// What the ledger keeps; a verdict needs [`Keep::Identities`].
    pub keep: Keep,
    /// How long, in time of the simulator; `None`: as long as the fleet's spec or the data says.
    pub duration: Option<Duration>,
    /// Whether to hold the result against the twin, and how.
    pub verify: Option<VerifyOptions>,
    /// Where the run can be watched.
    pub progress: Arc<RunProgress>,
}

impl std::fmt::Debug for SimulateOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulateOptions")
            .field("publish", &self.publish)
            .field("register", &self.register)
            .field("keep", &self.keep)
            .field("duration", &self.duration)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl SimulateOptions {
    /// Defaults for a server and a wall clock: describe the sensors, keep counts only, no verdict.
    pub fn new(server: ServerUrl, now: NowMs) -> SimulateOptions {
        SimulateOptions {
            publish: PublishOptions::new(server),
            now,
            register: Register::About,
            keep: Keep::Counts,
            duration: None,
            verify: None,
            progress: Arc::new(RunProgress::default()),
        }
    }
}

/// Why there is no report.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The server cannot be reached.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The twin cannot be asked.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Sensors could not all be described.
    #[error("{described} of {sensors} sensors are described; {why}")]
    Register {
        /// Acknowledged descriptions.
        described: u64,
        /// Sensors there are.
        sensors: usize,
        /// What came between.
        why: String,
    },
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// In numbers.
    pub report: Report,
    /// What the archive can be held against later, see [`verdict::verify_archive`].
    pub proof: Arc<Proof>,
}

/// Sensors and what is to be sent for them.
pub(crate) struct Load {
    /// `agency/id` and description, by the sensor's number.
    pub(crate) sensors: Vec<(String, SensorDescription)>,
    /// First client id; others of the run are made from it.
    pub(crate) name: String,
    /// Called with the wall clock once the sensors are described.
    pub(crate) start: Box<dyn FnOnce(i64) -> Start + Send + Sync>,
}

/// The readings of a [`Load`].
pub(crate) struct Start {
    pub(crate) feeds: Vec<Box<dyn Feed>>,
    pub(crate) pace: Pace,
    /// The simulator's time at the beginning.
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
}

/// Runs a fleet until its duration is over or `shutdown`; then waits, not longer than the drain
/// time, for what is not acknowledged.
///
/// # Errors
/// When the server or the twin cannot be reached at all.
pub async fn simulate(
    fleet: &Fleet,
    options: &SimulateOptions,
    shutdown: &CancellationToken,
) -> Result<Finished, SimulateError> {
    let spec = fleet.spec().clone();
    let sensors =
        fleet.sensors().iter().map(|sensor| (sensor.key(), sensor.description())).collect();
    let mut options = options.clone();
    options.publish.version = match spec.connections.protocol {
        Protocol::V311 => MqttVersion::V311,
        Protocol::V5 => MqttVersion::V5,
    };
    let duration = options.duration.or(spec.duration_s.map(Duration::from_secs));
    let fleet = fleet.clone();
    let start = move |now_ms: i64| {
        let start_ms = spec.start_ms(now_ms);
        let feeds = fleet
            .sources(start_ms)
            .into_iter()
            .map(|source| Box::new(source) as Box<dyn Feed>)
            .collect();
        let as_lived = (spec.speed - 1.0).abs() < f64::EPSILON;
        let pace = if as_lived { Pace::RealTime } else { Pace::Times(spec.speed) };
        Start { feeds, pace, from_ms: start_ms, until_ms: end_of(start_ms, duration) }
    };
    let load = Load { sensors, name: "citytwin-simulate".to_owned(), start: Box::new(start) };
    drive(load, &options, shutdown).await
}

fn end_of(start_ms: i64, duration: Option<Duration>) -> i64 {
    duration.map_or(i64::MAX, |duration| {
        start_ms.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    })
}

/// The road of every run.
pub(crate) async fn drive(
    load: Load,
    options: &SimulateOptions,
    shutdown: &CancellationToken,
) -> Result<Finished, SimulateError> {
    let progress = &options.progress;
    check_reachable(&options.publish, &format!("{}-probe", load.name)).await?;
    let before = match &options.verify {
        Some(verify) => Some(verdict::ledger_of(verify).await?),
        None => None,
    };
    progress.enter(Phase::Describing);
    let described = match options.register {
        Register::About => describe(&load, options, shutdown).await?,
        Register::None => 0,
    };
    if let (Some(verify), Register::About) = (&options.verify, options.register) {
        verdict::wait_until_known(verify, load.sensors.iter().map(|(key, _)| key.as_str())).await?;
    }
    progress.enter(Phase::Publishing);
    let cpu_before = cpu_s();
    let began = Instant::now();
    let start = (load.start)((options.now)());
    let connections = start.feeds.len();
    let books = Books {
        progress: Arc::clone(&progress.publishing),
        ledger: Arc::new(Ledger::new(options.keep)),
    };
    let clock = SimClock::new(Arc::clone(&options.now), start.pace, start.from_ms);
    let span = Span { clock, until_ms: start.until_ms };
    let feeds = publish(&options.publish, start.feeds, &books, span, shutdown).await?;
    let totals = books.ledger.totals();
    let ending = match (books.ledger.is_full(), shutdown.is_cancelled()) {
        (true, _) => Ending::LedgerFull,
        (false, true) => Ending::Stopped,
        (false, false) => Ending::Finished,
    };
    let ledger = books.ledger.close();
    let mut report = Report::new(&Parts {
        ending,
        duration_s: began.elapsed().as_secs_f64(),
        sensors: load.sensors.len(),
        connections,
        described,
        glance: progress.glance(),
        latency: progress.publishing.latency(),
        totals,
        spoiled: ledger.spoiled.clone(),
        unsent: unsent(&feeds),
        cpu_s: cpu_before.and_then(|before| Some(cpu_s()? - before)),
    });
    let after_epoch = before.as_ref().map(verdict::ServerLedger::epoch);
    let proof = Arc::new(proof(load.sensors, ledger, after_epoch));
    if let (Some(verify), Some(before)) = (&options.verify, &before) {
        progress.enter(Phase::Verifying);
        report.verdict = Some(verdict::verify(verify, before, &proof).await?);
    }
    Ok(Finished { report, proof })
}

fn proof(
    sensors: Vec<(String, SensorDescription)>,
    ledger: ClosedLedger,
    after_epoch: Option<u64>,
) -> Proof {
    let sensors = sensors.into_iter().map(|(key, _)| key).collect();
    Proof { sensors, ledger, after_epoch: after_epoch.unwrap_or(0) }
}

fn unsent(feeds: &[Box<dyn Feed>]) -> Tally {
    feeds.iter().map(|feed| feed.tally()).fold(Tally::default(), |sum, one| Tally {
        measured: sum.measured + one.measured,
        lost: sum.lost + one.lost,
        malformed: sum.malformed + one.malformed,
    })
}

/// Publishes all descriptions, retained, and waits until each is acknowledged.
async fn describe(
    load: &Load,
    options: &SimulateOptions,
    shutdown: &CancellationToken,
) -> Result<u64, SimulateError> {
    let books = Books {
        progress: Arc::clone(&options.progress.describing),
        ledger: Arc::new(Ledger::new(Keep::Counts)),
    };
    let share = load.sensors.len().div_ceil(REGISTER_CONNECTIONS).max(1);
    let feeds = load
        .sensors
        .chunks(share)
        .enumerate()
        .map(|(number, sensors)| {
            let messages = sensors.iter().map(|(key, about)| description(key, about)).collect();
            let client_id = format!("{}-describe-{number}", load.name);
            Box::new(Descriptions { client_id, messages }) as Box<dyn Feed>
        })
        .collect();
    let mut publish_options = options.publish.clone();
    publish_options.slice = Duration::ZERO;
    let clock = SimClock::new(Arc::clone(&options.now), Pace::Full, 0);
    let span = Span { clock, until_ms: i64::MAX };
    publish(&publish_options, feeds, &books, span, shutdown).await?;
    let glance = books.progress.glance();
    if glance.messages_acked == load.sensors.len() as u64 {
        return Ok(glance.messages_acked);
    }
    Err(SimulateError::Register {
        described: glance.messages_acked,
        sensors: load.sensors.len(),
        why: match glance.last_error {
            _ if shutdown.is_cancelled() => "the run was stopped".to_owned(),
            Some(error) => error,
            None => "the server did not take the others".to_owned(),
        },
    })
}

fn description(key: &str, about: &SensorDescription) -> Outgoing {
    Outgoing {
        due_ms: 0,
        action: Action::Publish,
        topic: Arc::from(format!("city/v1/{key}/about")),
        payload: about.encode_to_vec(),
        qos: 1,
        retain: true,
        readings: Vec::new(),
        dead_letter: None,
    }
}

/// Messages that are due at once.
struct Descriptions {
    client_id: String,
    messages: VecDeque<Outgoing>,
}

impl Feed for Descriptions {
    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn next_due_ms(&self) -> i64 {
        if self.messages.is_empty() { i64::MAX } else { 0 }
    }

    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        if until_ms > 0 {
            // one by one: the caller takes as many as it has room for
            out.extend(self.messages.pop_front());
        }
    }
}
