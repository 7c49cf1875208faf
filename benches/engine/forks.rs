//! What a planner costs the living city. Input: 10,000 readings a second of a fleet of 20,000
//! sensors, by event time, and the generated city's roads (22,000 links). Unit: CPU of the engine a reading,
//! the runs' own threads left out; milliseconds from asking to the first word of a run.
//!
//! Baseline in the same run: the same engine with nobody asking, turn by turn. A machine that others
//! use drifts within a minute, so turns are short, each is held against the one beside it, and which
//! of a pair comes first changes from pair to pair.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use citytwin::planner::{CreateOptions, Planner, Run, Step};
use citytwin_core::scenario::{Base, Demand, Model, Scenario, Vehicles};
use citytwin_ingest::intake::Intake;
use citytwin_simulators::city::{City, files};
use citytwin_simulators::fleet::bulk::Bulk;
use rustix::time::{ClockId, clock_gettime};

use crate::machine::{cpu_time, quantile};
use crate::report::Report;
use crate::rig;

const SENSORS: u32 = 20_000;
const READINGS_PER_S: usize = 10_000;
/// Readings of one message.
const BATCH: usize = 50;
/// Length of a turn, seconds.
const TURN_S: usize = 3;
/// Of turns, one without and one with a planner.
const PAIRS: usize = 40;
/// Between two forks.
const PAUSE: Duration = Duration::from_millis(100);

/// Prints one row for each figure.
pub(crate) async fn run(data: &Path, report: &mut Report) {
    let fleet = rig::fleet(SENSORS);
    let city = City::generate(1);
    let folder = data.join("city");
    std::fs::create_dir_all(&folder).expect("a folder");
    files::write(&folder, &city, fleet.sensors()).expect("the city is written");
    let network = folder.join("network");
    let network = network.to_str().expect("a UTF-8 path");
    let pipeline =
        rig::engine(&data.join("engine"), &[("network", network), ("twin.time", "event")]).await;
    let intake = pipeline.rooms().intake.get().expect("the engine serves").clone();
    rig::register(&fleet, &intake).await;
    let planner = Arc::clone(pipeline.planner());
    let mut bulk = Bulk::new(&fleet, rig::MIDNIGHT_MS, BATCH);
    // Warm: every sensor has been heard.
    turn(&mut bulk, &intake, 5 * TURN_S).await;

    first_word(&planner, report).await;
    let (mut alone, mut asked, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut forks = 0;
    for pair in 0..PAIRS {
        let mut cpu_s = [0.0; 2];
        for with in [pair % 2 == 1, pair % 2 == 0] {
            let asking = with.then(|| Asking::start(Arc::clone(&planner)));
            cpu_s[usize::from(with)] = turn(&mut bulk, &intake, TURN_S).await;
            if let Some(asking) = asking {
                let (own_s, count) = asking.end();
                forks += count;
                cpu_s[1] -= own_s;
            }
        }
        alone.push(cpu_s[0]);
        asked.push(cpu_s[1]);
        ratios.push(cpu_s[1] / cpu_s[0]);
    }
    let per = |seconds: f64| seconds * 1e6 / (TURN_S * READINGS_PER_S) as f64;
    let [alone, asked] = [&mut alone, &mut asked].map(|all| per(quantile(all, 0.5)));
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&mut ratios, share));
    report.row("engine alone, CPU a reading", &format!("{alone:.2} µs"));
    report.row("while a base is forked ten times a second", &format!("{asked:.2} µs"));
    report.row("ratio within a pair", &format!("{middle:.3} (quarters: {low:.3}, {high:.3})"));
    report.note(&format!(
        "{READINGS_PER_S} readings/s of {SENSORS} sensors; {PAIRS} pairs of turns of {TURN_S} s, \
         medians; {forks} forks. Asked: at most 5 % more."
    ));
    pipeline.stop().await.expect("everything is kept");
}

/// Feeds at the wanted rate; CPU seconds of the whole process.
async fn turn(bulk: &mut Bulk, intake: &Intake, seconds: usize) -> f64 {
    let before = cpu_time(None);
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..seconds * 10 {
        tick.tick().await;
        let messages = bulk.take(READINGS_PER_S / 10);
        rig::feed(&messages, intake).await;
    }
    (cpu_time(None) - before).as_secs_f64()
}

/// From asking to the first word of a run.
async fn first_word(planner: &Arc<Planner>, report: &mut Report) {
    let mut times: Vec<f64> = Vec::new();
    for seed in 0..9 {
        let begin = Instant::now();
        let laid = planner.create(scenario(seed), CreateOptions::default()).expect("it fits");
        let Run::Running(mut running) = planner.run(laid.id.as_str(), false).expect("it starts")
        else {
            unreachable!("it was never run")
        };
        let Step::Progress(_) = running.step().await else { unreachable!("it has begun") };
        times.push(begin.elapsed().as_secs_f64() * 1_000.0);
    }
    let text = format!("{:.0} ms", quantile(&mut times, 0.5));
    report.row("fork, measurements of 22,000 links, check, kept on disk, first progress", &text);
}

fn scenario(seed: u64) -> Scenario {
    Scenario {
        name: String::new(),
        model: Model::Dynamic,
        horizon_s: 600.0,
        interval_s: 300.0,
        seed,
        base: Base::default(),
        demand: Demand::default(),
        vehicles: Vehicles::default(),
        journeys: Vec::new(),
        through: Vec::new(),
        edits: Vec::new(),
    }
}

/// A thread that forks ten times a second, and knows what that costs itself.
struct Asking {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<f64>,
}

impl Asking {
    fn start(planner: Arc<Planner>) -> Asking {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&count));
        let thread = std::thread::spawn(move || {
            let look = CreateOptions { validate_only: true, skip_unfit: false };
            while !stopped.load(Ordering::Relaxed) {
                planner.create(scenario(0), look).expect("it fits");
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(PAUSE);
            }
            let spent = clock_gettime(ClockId::ThreadCPUTime);
            spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
        });
        Asking { stop, count, thread }
    }

    /// CPU seconds of the thread, and how often it forked.
    fn end(self) -> (f64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let spent = self.thread.join().expect("it ends");
        (spent, self.count.load(Ordering::Relaxed))
    }
}
