//! The log on disk against a model: what was flushed is replayed, in order, whatever the disk did.

use proptest::prelude::*;

use citytwin_core::frame::{DeadLetter, DeadLetterReason, Frame, Records, SensorChange};
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{Epoch, EventTime};

use super::check::check_on;
use super::fake_disk::{Crash, FakeDisk, Faults};
use super::frame::{self, Place};
use super::store::AppendError;
use super::{Log, LogError, LogSettings};

fn settings() -> LogSettings {
    LogSettings { segment_bytes: 1_500, ..LogSettings::default() }
}

fn open(disk: &FakeDisk) -> Result<Log, LogError> {
    Log::open_on(disk.shared(), settings())
}

fn replayed(log: &mut Log, after: u64) -> Vec<Frame> {
    log.replay(Epoch::new(after)).unwrap().collect::<Result<_, _>>().unwrap()
}

pub(super) fn description(name: &str) -> SensorDescription {
    SensorDescription {
        kind: SensorKind::Radar,
        position: Position::new(10.77, 106.7).unwrap(),
        expected_interval_ms: 10_000,
        name: name.to_owned(),
        link: "L1".to_owned(),
        lane: 2,
        zone: "Quận 1".to_owned(),
        free_flow_speed_kmh: 60.0,
        lanes: 3,
    }
}

/// A frame that differs from every other with another `seed`, with all kinds of records.
fn frame(epoch: u64, cut: bool, seed: u32) -> Frame {
    let readings = (0..seed % 40)
        .map(|n| Reading {
            event_time: EventTime::from_ms(i64::from(seed) * 1_000 - i64::from(n)),
            value: f64::from(seed) / 7.0 + f64::from(n),
            sensor: SensorIndex::new(n),
            quantity: Quantity::from_number(u8::try_from(n % 24 + 1).unwrap()).unwrap(),
            verdict: match n % 3 {
                0 => Verdict::Refused(RefusalReason::OutOfRange),
                _ => Verdict::Admitted,
            },
        })
        .collect();
    let sensors = (0..seed % 3)
        .map(|n| SensorChange {
            index: SensorIndex::new(n),
            key: SensorKey::parse(&format!("hcmc/S{seed}-{n}")).unwrap(),
            description: description("Cầu Sài Gòn"),
        })
        .collect();
    let dead_letters = (0..seed % 2)
        .map(|_| DeadLetter {
            reason: DeadLetterReason::Undecodable,
            detail: format!("seed {seed}"),
            topic: "city/v1/a/b/readings".to_owned(),
            head: frame::MAGIC.repeat(3),
            payload_bytes: 12,
        })
        .collect();
    let records = Records { sensors, readings, dead_letters };
    Frame { epoch: Epoch::new(epoch), cut, records }
}

#[test]
fn a_frame_reads_back_and_only_at_its_place() {
    let place = Place { segment: Epoch::new(7), offset: 32 };
    for seed in 0..60 {
        let frame = frame(9, seed % 5 == 0, seed);
        let mut bytes = b"before".to_vec();
        frame::encode(&frame, place, &mut bytes).unwrap();
        let bytes = &bytes[6..];
        assert_eq!(frame::decode(bytes, place).as_ref(), Ok(&frame));
        let elsewhere = Place { offset: 33, ..place };
        assert!(frame::decode(bytes, elsewhere).is_err());
        for at in 0..bytes.len() {
            let mut bad = bytes.to_vec();
            bad[at] ^= 1;
            assert!(frame::decode(&bad, place).is_err(), "byte {at} of {}", bytes.len());
            assert!(frame::decode(&bytes[..at], place).is_err(), "cut at {at}");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        more: u64,
        cut: bool,
        seed: u32,
    },
    /// With only so much space left for the next frames.
    Squeeze(usize),
    Relax,
    Truncate(u64),
    /// The next append is written but not flushed, or half written, then the power fails.
    CrashInCommit {
        half: bool,
        seed: u32,
        how: Crash,
    },
    Crash(Crash),
    Kill,
}

fn crash() -> impl Strategy<Value = Crash> {
    (any::<u8>(), 0..40_u8, any::<bool>()).prop_map(|(kept, garbled, forgets_names)| Crash {
        kept,
        garbled,
        forgets_names,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u64, prop::bool::weighted(0.1), 0..10_000_u32)
            .prop_map(|(more, cut, seed)| Step::Append { more, cut, seed }),
        1 => (0..1_200_usize).prop_map(Step::Squeeze),
        1 => Just(Step::Relax),
        1 => (0..30_u64).prop_map(Step::Truncate),
        1 => (any::<bool>(), 0..10_000_u32, crash())
            .prop_map(|(half, seed, how)| Step::CrashInCommit { half, seed, how }),
        1 => crash().prop_map(Step::Crash),
        1 => Just(Step::Kill),
    ]
}

/// What must be so: the durable frames, and at most one more that was under way at the crash.
#[derive(Default)]
struct Model {
    durable: Vec<Frame>,
    last: u64,
    closed: bool,
    truncated: u64,
}

impl Model {
    fn next(&self, more: u64) -> u64 {
        (self.last + more).max(if self.closed { self.last + 1 } else { self.last }).max(1)
    }

    fn reopen(&mut self, disk: &FakeDisk, under_way: Option<&Frame>) -> Log {
        let mut log = open(disk).unwrap();
        let expected: Vec<&Frame> =
            self.durable.iter().filter(|f| f.epoch.number() > self.truncated).collect();
        let mut found = replayed(&mut log, self.truncated);
        if found.len() == expected.len() + 1 {
            let extra = found.pop().unwrap();
            assert_eq!(Some(&extra), under_way, "something was invented");
            self.durable.push(extra);
            let expected = &self.durable[..self.durable.len() - 1];
            let expected: Vec<_> =
                expected.iter().filter(|f| f.epoch.number() > self.truncated).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        } else {
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
        self.last = log.last_epoch().number();
        self.closed = true;
        log
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_flushed_is_replayed_after_any_crash(steps in prop::collection::vec(step(), 1..60)) {
        let disk = FakeDisk::default();
        let mut log = open(&disk).unwrap();
        let mut model = Model { closed: true, ..Model::default() };
        for step in steps {
            match step {
                Step::Append { more, cut, seed } => {
                    let frame = frame(model.next(more), cut, seed);
                    match log.append(&frame) {
                        Ok(()) => {
                            model.last = frame.epoch.number();
                            model.closed = cut;
                            model.durable.push(frame);
                        }
                        Err(AppendError::Full(_)) => {}
                        Err(AppendError::Failed(error)) => panic!("{error}"),
                    }
                }
                Step::Squeeze(bytes) => {
                    let used: usize = disk.names().iter().map(|name| disk.length(name)).sum();
                    disk.set(Faults { capacity: Some(used + bytes), ..Faults::default() });
                }
                Step::Relax => disk.set(Faults::default()),
                Step::Truncate(back) => {
                    let through = model.last.saturating_sub(back);
                    log.truncate_through(Epoch::new(through)).unwrap();
                    model.truncated = model.truncated.max(through);
                }
                Step::CrashInCommit { half, seed, how } => {
                    let frame = frame(model.next(1), false, seed);
                    disk.set(Faults { write_fails: half, flush_fails: !half, ..Faults::default() });
                    prop_assert!(matches!(log.append(&frame), Err(AppendError::Failed(_))));
                    drop(log);
                    disk.crash(how);
                    log = model.reopen(&disk, Some(&frame));
                }
                Step::Crash(how) => {
                    drop(log);
                    disk.crash(how);
                    log = model.reopen(&disk, None);
                }
                Step::Kill => {
                    drop(log);
                    disk.kill();
                    log = model.reopen(&disk, None);
                }
            }
        }
    }

    #[test]
    fn a_disk_that_lies_costs_a_tail_and_invents_nothing(
        seeds in prop::collection::vec(0..10_000_u32, 1..30),
        truth in 0..10_usize,
        how in crash(),
    ) {
        let disk = FakeDisk::default();
        // One segment: a disk that lies about several files may lose any of them.
        let settings = LogSettings { segment_bytes: 1 << 20, ..LogSettings::default() };
        let mut log = Log::open_on(disk.shared(), settings.clone()).unwrap();
        let frames: Vec<Frame> =
            seeds.iter().zip(1..).map(|(seed, epoch)| frame(epoch, false, *seed)).collect();
        for (n, frame) in frames.iter().enumerate() {
            disk.set(Faults { lies: n >= truth, ..Faults::default() });
            log.append(frame).unwrap();
        }
        drop(log);
        disk.crash(how);
        let mut log = Log::open_on(disk.shared(), settings).unwrap();
        let found = replayed(&mut log, 0);
        prop_assert!(found.len() >= truth.min(frames.len()));
        prop_assert_eq!(&found[..], &frames[..found.len()]);
    }
}

#[test]
fn a_torn_header_with_no_frame_behind_it_is_cut() {
    let disk = FakeDisk::default();
    let mut log = open(&disk).unwrap();
    log.append(&frame(1, false, 3)).unwrap();
    drop(log);
    let name = disk.names().remove(0);
    disk.cut(&name, 33);
    disk.flip(&name, 31);
    let mut log = open(&disk).unwrap();
    assert_eq!(replayed(&mut log, 0), []);
    log.append(&frame(1, true, 4)).unwrap();
    drop(log);
    assert_eq!(replayed(&mut open(&disk).unwrap(), 0), [frame(1, true, 4)]);
}

fn three_segments() -> FakeDisk {
    let disk = FakeDisk::default();
    let mut log = open(&disk).unwrap();
    for epoch in 1..=9 {
        log.append(&frame(epoch, epoch % 3 == 0, 20)).unwrap();
    }
    assert_eq!(disk.names().len(), 3);
    disk
}

#[test]
fn truncation_removes_whole_segments_and_never_the_newest() {
    let disk = three_segments();
    let mut log = open(&disk).unwrap();
    log.truncate_through(Epoch::new(5)).unwrap();
    assert_eq!(disk.names().len(), 2);
    log.truncate_through(Epoch::new(100)).unwrap();
    assert_eq!(disk.names().len(), 1);
    drop(log);
    let mut log = open(&disk).unwrap();
    assert_eq!(log.last_epoch().number(), 9);
    assert_eq!(replayed(&mut log, 8).len(), 1);
    let missing = log.replay(Epoch::new(5)).unwrap_err();
    assert!(missing.to_string().contains("begins after epoch 6"), "{missing}");
}

#[test]
fn a_checkpoint_newer_than_the_log_raises_its_epochs() {
    let disk = three_segments();
    let mut log = open(&disk).unwrap();
    assert_eq!(replayed(&mut log, 40), []);
    assert_eq!(log.last_epoch().number(), 40);
    log.append(&frame(41, true, 3)).unwrap();
    drop(log);
    assert_eq!(replayed(&mut open(&disk).unwrap(), 0).len(), 10);
}

#[test]
fn a_torn_tail_is_cut_and_damage_is_refused() {
    let names = three_segments().names();
    let newest = &names[2];
    let length = three_segments().length(newest);
    for at in 0..length {
        let disk = three_segments();
        disk.cut(newest, at);
        let found = replayed(&mut open(&disk).unwrap(), 0);
        assert!(found.len() < 9 || at == length, "cut at {at}");
        assert!(found.len() >= 6);
    }
    // Damage with a good frame behind it, in the newest file and in an older one.
    for (name, at) in [(newest, 3), (newest, 40), (newest, 600), (&names[0], 100), (&names[1], 3)] {
        let disk = three_segments();
        disk.flip(name, at);
        let error = open(&disk).unwrap_err();
        assert!(
            matches!(&error, LogError::Damaged { file, .. } if file.ends_with(name)),
            "{name} {at}: {error}"
        );
    }
    let disk = three_segments();
    disk.shared().remove(&names[1]).unwrap();
    let error = open(&disk).unwrap_err().to_string();
    assert!(error.contains("goes on after epoch 6, but the file before ends at 3"), "{error}");
    // What a crash leaves of a file that was just made.
    let disk = three_segments();
    disk.shared().create("segment-00000000000000000010.log").unwrap();
    assert_eq!(replayed(&mut open(&disk).unwrap(), 0).len(), 9);
    assert_eq!(disk.names().len(), 3);
}

#[test]
fn a_frame_smuggled_in_a_payload_is_not_taken_for_one() {
    let disk = three_segments();
    let newest = &disk.names()[2];
    let mut inner = Vec::new();
    let place = Place { segment: Epoch::new(7), offset: 5 };
    frame::encode(&frame(10, false, 5), place, &mut inner).unwrap();
    disk.add(newest, b"FRM1 half a frame, and in it: ");
    disk.add(newest, &inner);
    assert_eq!(replayed(&mut open(&disk).unwrap(), 0).len(), 9);
}

#[test]
fn repair_sets_aside_and_the_log_opens_again() {
    let disk = three_segments();
    let names = disk.names();
    let whole = check_on(&disk.shared(), true).unwrap();
    assert_eq!((whole.problem, whole.segments, whole.frames), (None, 3, 9));
    assert!(whole.set_aside.is_empty());

    disk.flip(&names[1], 700);
    let report = check_on(&disk.shared(), false).unwrap();
    let problem = report.problem.unwrap();
    assert!(!problem.torn_tail && problem.file.ends_with(&names[1]), "{problem:?}");
    assert_eq!(disk.names(), names, "without repair nothing is changed");

    let report = check_on(&disk.shared(), true).unwrap();
    assert_eq!(report.set_aside.len(), 2);
    let found = replayed(&mut open(&disk).unwrap(), 0);
    assert_eq!(u64::try_from(found.len()).unwrap(), report.frames);
    assert!((3..6).contains(&found.len()));
    assert_eq!(disk.names().len(), 4, "{:?}", disk.names());
    assert_eq!(check_on(&disk.shared(), false).unwrap().problem, None);
}

#[test]
fn a_folder_belongs_to_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = super::open(dir.path(), settings()).unwrap();
    log.append(&frame(1, false, 9)).unwrap();
    let error = super::open(dir.path(), settings()).unwrap_err();
    assert!(matches!(error, LogError::Locked(_)), "{error}");
    drop(log);
    let mut log = super::open(dir.path(), settings()).unwrap();
    assert_eq!(replayed(&mut log, 0), [frame(1, false, 9)]);
}
