//! The writer, turn by turn, with a clock that stands still and a disk that misbehaves.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;

use citytwin_core::frame::{Frame, Records};
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, Verdict};
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::{ArrivalTime, Epoch, EventTime};

use super::fake_disk::{Crash, FakeDisk, Faults};
use super::writer::{Turn, Writer};
use super::{Durable, Log, LogError, LogHandle, LogSettings, LogState};
use crate::clock::{Clock, ManualClock};

fn reading(number: u32) -> Reading {
    Reading {
        event_time: EventTime::from_ms(i64::from(number)),
        value: 1.5,
        sensor: SensorIndex::new(number),
        quantity: Quantity::SpeedKmh,
        verdict: Verdict::Admitted,
    }
}

fn readings(numbers: impl IntoIterator<Item = u32>) -> Records {
    Records { readings: numbers.into_iter().map(reading).collect(), ..Records::default() }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

struct Bench {
    disk: FakeDisk,
    clock: Arc<ManualClock>,
    writer: Writer,
    handle: LogHandle,
    frames: Receiver<Frame>,
}

impl Bench {
    fn new(disk: FakeDisk, clock: Arc<ManualClock>, settings: LogSettings) -> Bench {
        let log = Log::open_on(disk.shared(), settings).unwrap();
        let (sender, frames) = sync_channel(1_000);
        let (writer, handle) = Writer::new(log, Arc::clone(&clock) as Arc<dyn Clock>, sender);
        Bench { disk, clock, writer, handle, frames }
    }

    fn start(settings: LogSettings) -> Bench {
        let clock = Arc::new(ManualClock::new(ArrivalTime::from_ms(100_000)));
        let mut bench = Bench::new(FakeDisk::default(), clock, settings);
        // The first turn says that time goes on.
        assert_eq!(bench.turn(), Turn::Again);
        assert_eq!(bench.taken(), [(1_000, 0)]);
        bench.clock.advance_ms(10);
        bench
    }

    fn turn(&mut self) -> Turn {
        self.writer.turn().unwrap()
    }

    fn submit(&self, records: Records) -> Durable {
        let mut submission = Box::pin(self.handle.submit(records));
        match poll(&mut submission) {
            Poll::Ready(durable) => durable.unwrap(),
            Poll::Pending => panic!("the queue is full"),
        }
    }

    /// Epoch and number of readings of the frames that reached the dataflow.
    fn taken(&self) -> Vec<(u64, usize)> {
        self.frames.try_iter().map(|f| (f.epoch.number(), f.records.readings.len())).collect()
    }
}

fn resolved(durable: &mut Durable) -> Option<Result<Epoch, LogError>> {
    match poll(durable) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

#[test]
fn one_commit_for_all_that_waits() {
    let mut bench = Bench::start(LogSettings::default());
    let mut first = bench.submit(readings(0..3));
    let mut second = bench.submit(readings(3..5));
    assert!(resolved(&mut first).is_none());
    bench.clock.advance_ms(4);
    assert_eq!(bench.handle.stats().durable_lag, Duration::from_millis(4));
    assert_eq!(bench.turn(), Turn::Again);
    assert_eq!(bench.taken(), [(1_000, 5)]);
    assert_eq!(resolved(&mut first).unwrap().unwrap().number(), 1_000);
    assert_eq!(resolved(&mut second).unwrap().unwrap().number(), 1_000);
    let stats = bench.handle.stats();
    assert_eq!((stats.readings_total, stats.commits_total, stats.segments), (5, 2, 1));
    assert_eq!(stats.durable_lag, Duration::ZERO);
    // 14 ms into the slice; the next tick is due at its end.
    assert_eq!(bench.turn(), Turn::Idle(Duration::from_millis(86)));
    let _late = bench.submit(readings(5..6));
    assert_eq!(bench.turn(), Turn::Hold(Duration::from_millis(5)), "the commit interval");
}

#[test]
fn silence_is_written_too() {
    let mut bench = Bench::start(LogSettings::default());
    for _ in 0..3 {
        bench.clock.advance_ms(90);
        bench.turn();
        bench.clock.advance_ms(10);
        bench.turn();
    }
    assert_eq!(bench.taken(), [(1_001, 0), (1_002, 0), (1_003, 0)]);
    bench.clock.advance_ms(1_000);
    bench.turn();
    assert_eq!(bench.taken(), [(1_013, 0)], "one frame closes all slices that were slept through");
}

#[test]
fn an_empty_submission_writes_nothing_and_still_speaks_for_those_before() {
    let mut bench = Bench::start(LogSettings::default());
    let mut empty = bench.submit(Records::default());
    assert_eq!(bench.turn(), Turn::Again);
    assert_eq!(resolved(&mut empty).unwrap().unwrap().number(), 1_000);
    assert_eq!(bench.taken(), []);
    bench.clock.advance_ms(5);
    bench.disk.set(Faults { capacity: Some(0), ..Faults::default() });
    let mut some = bench.submit(readings(0..1));
    let mut empty = bench.submit(Records::default());
    bench.turn();
    assert!(resolved(&mut some).is_none() && resolved(&mut empty).is_none());
}

#[test]
fn frames_are_bounded() {
    let settings = LogSettings { frame_readings: 10, ..LogSettings::default() };
    let mut bench = Bench::start(settings);
    let sizes = [4, 5, 3, 25, 1, 10, 2];
    let mut durables: Vec<Durable> = sizes.iter().map(|n| bench.submit(readings(0..*n))).collect();
    for _ in 0..6 {
        bench.turn();
        bench.clock.advance_ms(5);
    }
    let taken: Vec<usize> = bench.taken().into_iter().map(|(_, readings)| readings).collect();
    assert_eq!(taken, [9, 3, 25, 1, 10, 2]);
    assert!(durables.iter_mut().all(|durable| resolved(durable).is_some()));
}

#[test]
fn a_full_queue_makes_the_door_wait() {
    let settings = LogSettings { queue_bytes: 4_000, ..LogSettings::default() };
    let mut bench = Bench::start(settings);
    let _first = bench.submit(readings(0..100));
    let mut second = Box::pin(bench.handle.submit(readings(0..100)));
    let handle = bench.handle.clone();
    assert!(matches!(poll(&mut second), Poll::Pending));
    // An impatient one goes away and takes nothing with it.
    let mut third = Box::pin(handle.submit(readings(0..1)));
    assert!(matches!(poll(&mut third), Poll::Pending), "not past those who came first");
    drop(third);
    assert_eq!(bench.writer.turn().unwrap(), Turn::Again);
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))));
    drop(second);
    bench.clock.advance_ms(5);
    bench.turn();
    assert_eq!(bench.taken(), [(1_000, 100), (1_000, 100)]);
}

#[test]
fn a_submission_has_a_limit() {
    let bench = Bench::start(LogSettings::default());
    let mut huge = Box::pin(bench.handle.submit(readings(0..1_500_000)));
    assert!(matches!(poll(&mut huge), Poll::Ready(Err(LogError::TooLarge { .. }))));
}

#[test]
fn a_full_disk_stops_acknowledgements_until_there_is_space() {
    let mut bench = Bench::start(LogSettings::default());
    let before = bench.handle.stats().bytes;
    bench
        .disk
        .set(Faults { capacity: Some(usize::try_from(before).unwrap() + 50), ..Faults::default() });
    let mut first = bench.submit(readings(0..3));
    assert_eq!(bench.turn(), Turn::Again);
    assert_eq!(bench.handle.stats().state, LogState::DiskFull);
    assert!(resolved(&mut first).is_none());
    let mut second = bench.submit(readings(3..6));
    for _ in 0..4 {
        assert!(matches!(bench.turn(), Turn::Hold(_)));
        bench.clock.advance_ms(1_000);
        assert_eq!(bench.turn(), Turn::Again, "it tries again");
        assert!(resolved(&mut first).is_none());
    }
    assert_eq!(bench.taken(), []);
    assert_eq!(bench.handle.stats().durable_lag.as_secs(), 4);
    assert_eq!(bench.handle.stats().bytes, before);
    bench.disk.set(Faults::default());
    bench.clock.advance_ms(1_000);
    bench.turn();
    assert_eq!(bench.taken(), [(1_050, 6)]);
    assert!(resolved(&mut first).unwrap().is_ok() && resolved(&mut second).unwrap().is_ok());
    assert_eq!(bench.handle.stats().state, LogState::Running);
}

fn fails_for_good(faults: Faults) {
    let clock = Arc::new(ManualClock::new(ArrivalTime::from_ms(100_000)));
    let disk = FakeDisk::default();
    let log = Log::open_on(disk.shared(), LogSettings::default()).unwrap();
    let (sender, frames) = sync_channel(100);
    disk.set(faults);
    let (handle, thread) = super::spawn(log, clock, sender).unwrap();
    let error = thread.join().unwrap_err();
    assert!(matches!(error, LogError::Disk { .. }), "{error}");
    assert_eq!(handle.stats().state, LogState::Failed);
    let mut refused = Box::pin(handle.submit(readings(0..1)));
    assert!(matches!(poll(&mut refused), Poll::Ready(Err(LogError::Disk { .. }))));
    assert!(frames.recv().is_err(), "nothing reached the dataflow");
}

#[test]
fn after_a_failed_flush_or_write_nothing_more_is_accepted() {
    fails_for_good(Faults { flush_fails: true, ..Faults::default() });
    fails_for_good(Faults { write_fails: true, ..Faults::default() });
}

#[test]
fn everyone_who_waits_hears_of_a_failure() {
    let mut bench = Bench::start(LogSettings::default());
    let mut durable = bench.submit(readings(0..3));
    bench.disk.set(Faults { flush_fails: true, ..Faults::default() });
    assert!(bench.writer.turn().is_err());
    drop(bench);
    assert!(resolved(&mut durable).unwrap().is_err());
}

#[test]
fn cuts_end_their_epoch_and_their_segment() {
    let settings = LogSettings {
        cut_readings: 10,
        cut_gap_epochs: 0,
        cut_every_epochs: 10,
        ..LogSettings::default()
    };
    let mut bench = Bench::start(settings);
    let _first = bench.submit(readings(0..7));
    bench.turn();
    bench.clock.advance_ms(5);
    let _second = bench.submit(readings(0..7));
    bench.turn();
    bench.clock.advance_ms(5);
    let _third = bench.submit(readings(0..1));
    bench.turn();
    let frames: Vec<(u64, bool)> =
        bench.frames.try_iter().map(|f| (f.epoch.number(), f.cut)).collect();
    assert_eq!(frames, [(1_000, false), (1_000, true), (1_001, false)]);
    assert_eq!(bench.handle.stats().segments, 2);
    bench.handle.truncate_through(Epoch::new(1_000));
    bench.clock.advance_ms(5);
    bench.turn();
    assert_eq!(bench.handle.stats().segments, 1);
    bench.clock.advance_ms(1_000);
    bench.turn();
    assert!(bench.frames.try_iter().any(|f| f.cut), "after ten epochs");
}

#[tokio::test]
async fn shut_down_commits_what_waits_and_cuts() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(ArrivalTime::from_ms(100_000)));
    let disk = FakeDisk::default();
    let settings =
        LogSettings { commit_interval: Duration::from_secs(9), ..LogSettings::default() };
    let log = Log::open_on(disk.shared(), settings.clone()).unwrap();
    let (sender, frames) = sync_channel(100);
    let (handle, thread) = super::spawn(log, Arc::clone(&clock), sender).unwrap();
    let durable = handle.submit(readings(0..3)).await.unwrap();
    let last = handle.shut_down().await.unwrap();
    assert!(durable.await.unwrap() <= last);
    thread.join().unwrap();
    let frames: Vec<Frame> = frames.iter().collect();
    assert!(frames.last().unwrap().cut);
    assert_eq!(frames.iter().map(|frame| frame.records.readings.len()).sum::<usize>(), 3);
    assert!(matches!(handle.submit(readings(0..1)).await, Err(LogError::Closed)));
    assert_eq!(handle.stats().state, LogState::Closed);
    let mut log = Log::open_on(disk.shared(), settings).unwrap();
    let again: Vec<Frame> = log.replay(Epoch::ZERO).unwrap().map(Result::unwrap).collect();
    assert_eq!(again, frames, "what is replayed is what was live");
}

#[derive(Clone, Debug)]
enum Step {
    Submit(u32),
    Turn(u32),
    MoveClock(i64),
    Squeeze(usize),
    Relax,
    Crash(Crash),
}

fn step() -> impl Strategy<Value = Step> {
    let crash = (any::<u8>(), 0..40_u8, any::<bool>())
        .prop_map(|(kept, garbled, forgets_names)| Crash { kept, garbled, forgets_names });
    prop_oneof![
        6 => (0..40_u32).prop_map(Step::Submit),
        8 => (0..150_u32).prop_map(Step::Turn),
        1 => (-5_000..5_000_i64).prop_map(Step::MoveClock),
        1 => (0..2_000_usize).prop_map(Step::Squeeze),
        1 => Just(Step::Relax),
        1 => crash.prop_map(Step::Crash),
    ]
}

fn small() -> LogSettings {
    LogSettings {
        cut_every_epochs: 20,
        cut_readings: 200,
        cut_gap_epochs: 2,
        segment_bytes: 3_000,
        frame_readings: 60,
        ..LogSettings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What was acknowledged is replayed in order and once; epochs never go back; what reached
    /// the dataflow is what is replayed.
    #[test]
    fn acknowledged_is_kept(steps in prop::collection::vec(step(), 1..80)) {
        let clock = Arc::new(ManualClock::new(ArrivalTime::from_ms(1_000_000)));
        let mut bench = Bench::new(FakeDisk::default(), Arc::clone(&clock), small());
        let mut next = 0;
        let mut waiting: Vec<(u32, Durable)> = Vec::new();
        let mut acknowledged = 0;
        let mut live: Vec<Frame> = Vec::new();
        for step in steps {
            match step {
                Step::Submit(count) => {
                    let durable = bench.submit(readings(next..next + count));
                    next += count;
                    waiting.push((next, durable));
                }
                Step::Turn(ms) => {
                    clock.advance_ms(ms);
                    bench.writer.turn().unwrap();
                    let mut all_before = true;
                    for (through, durable) in &mut waiting {
                        match resolved(durable) {
                            Some(answer) => {
                                prop_assert!(answer.is_ok() && all_before, "out of order");
                                acknowledged = *through;
                            }
                            None => all_before = false,
                        }
                    }
                    waiting.retain(|(through, _)| *through > acknowledged);
                    live.extend(bench.frames.try_iter());
                }
                Step::MoveClock(ms) => {
                    clock.step_to(ArrivalTime::from_ms(clock.now().ms() + ms));
                }
                Step::Squeeze(bytes) => {
                    let disk = &bench.disk;
                    let used: usize = disk.names().iter().map(|name| disk.length(name)).sum();
                    disk.set(Faults { capacity: Some(used + bytes), ..Faults::default() });
                }
                Step::Relax => bench.disk.set(Faults::default()),
                Step::Crash(how) => {
                    let disk = bench.disk.clone();
                    drop(bench);
                    disk.crash(how);
                    bench = Bench::new(disk.clone(), Arc::clone(&clock), small());
                    // What was not acknowledged is sent again.
                    waiting.clear();
                    let mut log = Log::open_on(disk.shared(), small()).unwrap();
                    let found: Vec<Frame> =
                        log.replay(Epoch::ZERO).unwrap().map(Result::unwrap).collect();
                    prop_assert_eq!(&found, &live, "replayed is what was live");
                    next = acknowledged;
                }
            }
            let pairs = live.iter().zip(live.iter().skip(1));
            for (one, two) in pairs {
                prop_assert!(one.epoch < two.epoch || (one.epoch == two.epoch && !one.cut));
            }
            let numbers: Vec<u32> = live
                .iter()
                .flat_map(|frame| &frame.records.readings)
                .map(|reading| reading.sensor.number())
                .collect();
            prop_assert!(numbers.len() >= acknowledged as usize);
            prop_assert!(numbers.into_iter().eq(0..u32::try_from(
                live.iter().map(|frame| frame.records.readings.len()).sum::<usize>()
            ).unwrap()));
        }
    }
}
