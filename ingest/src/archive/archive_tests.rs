//! The archive against a plain model: every applied reading is in the files once and with its own
//! values, whatever is done to the process or the disk in between. Readings come back through the
//! parquet crate, file by file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMillisecondType};
use citytwin_core::dataflow::Lateness;
use citytwin_core::quantity::Quantity;
use citytwin_core::time::TimeMode;
use h3o::Resolution;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::city_tests::{City, START, Step};
use super::*;

/// A reading as it is in a file, the value by its bits.
type Row = (u64, String, String, String, u64, i64, u64, String);

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let text = |name: &str| {
        let texts = cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>();
        (0..texts.len()).map(|row| texts.value(row).to_owned()).collect::<Vec<_>>()
    };
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    let (epoch, cell) = (number("epoch"), number("cell"));
    let time = batch.column_by_name("event_time").unwrap();
    let time = time.as_primitive::<TimestampMillisecondType>();
    let value = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>();
    let (sensor, kind, quantity) = (text("sensor"), text("kind"), text("quantity"));
    let lateness = text("lateness");
    (0..batch.num_rows())
        .map(|row| {
            (
                epoch.value(row).cast_unsigned(),
                sensor[row].clone(),
                kind[row].clone(),
                quantity[row].clone(),
                cell.value(row).cast_unsigned(),
                time.value(row),
                value.value(row).to_bits(),
                lateness[row].clone(),
            )
        })
        .collect()
}

pub(super) fn read(path: &Path) -> Vec<RecordBatch> {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// Length and checksum of all files below a folder, by relative path.
pub(super) type Files = BTreeMap<String, (usize, u32)>;

/// Those that are a function of the closed epochs: not the Delta logs, which tell what was done.
pub(super) fn files(dir: &Path) -> Files {
    let mut files = all_files(dir);
    files.retain(|path, _| !path.contains("_delta_log"));
    files
}

pub(super) fn all_files(dir: &Path) -> Files {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                let bytes = fs::read(&path).unwrap();
                found.insert(name, (bytes.len(), crc32fast::hash(&bytes)));
            }
        }
    }
    found
}

pub(super) fn files_of<'a>(all: &'a Files, table: &str) -> Vec<&'a str> {
    all.keys().map(String::as_str).filter(|path| path.contains(&format!("/{table}-"))).collect()
}

/// What the files must hold, computed the plain way.
fn model(steps: &[Step]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (closed, _) in steps {
        for reading in &closed.readings {
            let sensor = closed.snapshot.sensors.get(reading.sensor).unwrap();
            let lateness = match reading.lateness {
                Lateness::OnTime => "on_time",
                Lateness::Revised => "revised",
                Lateness::ArchivedOnly => "archived_only",
            };
            rows.push((
                reading.epoch.number(),
                sensor.key.to_string(),
                sensor.description.kind.name().to_owned(),
                reading.quantity.name().to_owned(),
                u64::from(sensor.description.position.cell(Resolution::Nine)),
                reading.event_time.ms(),
                reading.value.to_bits(),
                lateness.to_owned(),
            ));
        }
    }
    rows.sort();
    rows
}

pub(super) fn run(archive: &mut Archive, steps: &[Step]) -> Result<Option<Epoch>, ArchiveError> {
    let mut truncated = None;
    for (closed, state) in steps {
        truncated = archive.take_with(closed, state.as_ref())?.or(truncated);
    }
    Ok(truncated)
}

/// In memory where the system has such a folder: these tests make thousands of files.
pub(super) fn temporary() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

pub(super) fn open(dir: &TempDir) -> Archive {
    Archive::open(dir.path(), ArchiveSettings::default()).unwrap()
}

/// The files of an undisturbed run.
fn expected(steps: &[Step]) -> Files {
    let dir = temporary();
    run(&mut open(&dir), steps).unwrap();
    files(dir.path())
}

/// A short life with everything in it: cuts, an hour border, a sensor that moves, dead letters.
pub(super) fn life() -> Vec<Step> {
    let mut city = City::new();
    city.close(START, &[(0, 10.70), (1, 10.75)], &[(0, 7_000, 1.5), (1, 7_001, 2.5)]);
    city.close(START + 1, &[], &[(1, 7_002, 3.5), (0, 7_005, -0.0)]);
    city.cut();
    city.close(START + 3, &[(1, 10.80)], &[(1, 8_000, 4.5)]);
    city.close(START + 5, &[(2, 10.60)], &[(2, 8_001, 5.5), (1, 8_002, 6.5), (0, 8_400, 7.5)]);
    city.cut();
    city.close(START + 6, &[], &[]);
    city.close(START + 7, &[], &[(0, 9_100, 8.5)]);
    city.cut();
    city.steps
}

#[test]
fn every_reading_is_in_its_hour_and_cut() {
    let all = expected(&life());
    let paths: Vec<&str> = all.keys().map(String::as_str).collect();
    let date = "date=2026-11-22";
    let (a, b) = (format!("{}-{}", START, START + 1), format!("{}-{}", START + 3, START + 3));
    let (c, d) = (format!("{0}-{0}", START + 5), format!("{}-{}", START + 6, START + 7));
    let mut listed = Vec::new();
    for table in ["cell_windows", "readings", "windows"] {
        for epochs in [&a, &b, &c, &d] {
            listed.push(format!("archive/{table}/{date}/{table}-{epochs}.parquet"));
        }
    }
    for epochs in [&a, &b, &c] {
        listed.push(format!("archive/sensors/{date}/sensors-{epochs}.parquet"));
    }
    for epochs in [&a, &c] {
        listed.push(format!("archive/refusals/{date}/refusals-{epochs}.parquet"));
    }
    for epochs in [&a, &c, &d] {
        listed.push(format!("dead-letters/{date}/dead-letters-{epochs}.parquet"));
    }
    for epoch in [START + 1, START + 5] {
        listed.push(format!("archive/keyframes/date=2026-11-22/keyframe-{epoch}.snapshot"));
    }
    listed.push(format!("checkpoint/{}.checkpoint", START + 5));
    listed.push(format!("checkpoint/{}.checkpoint", START + 7));
    listed.sort();
    assert_eq!(paths, listed);
}

#[test]
fn windows_sensors_refusals_and_dead_letters_come_back() {
    let dir = temporary();
    let steps = life();
    run(&mut open(&dir), &steps).unwrap();
    let all = files(dir.path());
    let batches = |table: &str| -> Vec<RecordBatch> {
        files_of(&all, table).iter().flat_map(|path| read(&dir.path().join(path))).collect()
    };
    let column = |table: &str, name: &str| -> Vec<String> {
        let mut texts: Vec<String> = batches(table)
            .iter()
            .flat_map(|batch| {
                let texts = cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
                texts.as_string::<i32>().iter().map(|t| t.unwrap().to_owned()).collect::<Vec<_>>()
            })
            .collect();
        texts.sort();
        texts
    };
    let sensors = ["hcmc/s0"; 4];
    assert_eq!(column("windows", "sensor")[..4], sensors);
    assert_eq!(column("windows", "sum").len(), 9);
    assert_eq!(column("windows", "window_ms"), ["60000"; 9]);
    assert_eq!(column("cell_windows", "resolution"), ["8"; 9]);
    assert_eq!(column("cell_windows", "p85"), column("cell_windows", "min"));
    assert_eq!(column("sensors", "sensor"), ["hcmc/s0", "hcmc/s1", "hcmc/s1", "hcmc/s2"]);
    assert_eq!(column("sensors", "zone"), ["Bến Nghé"; 4]);
    let reasons = ["clock_ahead", "clock_ahead", "duplicate", "duplicate"];
    assert_eq!(column("refusals", "reason"), reasons);
    assert_eq!(column("refusals", "sensor"), ["hcmc/s1", "hcmc/s1", "hcmc/s1", "hcmc/s2"]);
    assert_eq!(column("dead-letters", "reason"), ["undecodable"; 4]);
    let heads = batches("dead-letters");
    let heads = heads[0].column_by_name("head").unwrap().as_binary::<i32>();
    assert_eq!(heads.value(0), [0xff, 0x00]);
    let counts = batches("windows");
    let counts = counts[0].column_by_name("count").unwrap().as_primitive::<Int64Type>();
    assert_eq!(counts.value(0), 1);
}

/// Runs `steps` and stops before the disk does its step number `stop`, as kill -9 would. Returns
/// what the log was truncated through, and whether the run came to its end.
fn run_killed(dir: &TempDir, steps: &[Step], stop: usize) -> (Option<Epoch>, bool) {
    let mut archive = open(dir);
    let state: Option<u64> = checkpoint::newest(&archive.folder, None).unwrap();
    let checkpoint = state.map(|epoch| {
        let empty = Snapshot::empty(TimeMode::Live, 0, 0);
        Arc::new(Snapshot { epoch: Epoch::new(epoch), ..empty })
    });
    archive.begin(checkpoint.as_ref(), Some(Epoch::new(START))).unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    archive.folder.set_hook(Box::new(move |_, _| {
        if taken.fetch_add(1, Ordering::Relaxed) == stop {
            return Err(io::Error::other("killed"));
        }
        Ok(())
    }));
    let mut truncated = None;
    for (closed, state) in steps {
        match archive.take_with(closed, state.as_ref()) {
            Ok(through) => truncated = through.or(truncated),
            Err(error) => {
                assert!(!error.is_retryable(), "{error}");
                return (truncated, false);
            }
        }
    }
    (truncated, true)
}

/// What is left to replay after a start: everything behind the newest checkpoint.
fn rest<'a>(dir: &TempDir, steps: &'a [Step], truncated: Option<Epoch>) -> &'a [Step] {
    let archive = open(dir);
    let state: Option<u64> = checkpoint::newest(&archive.folder, None).unwrap();
    assert!(truncated.map(Epoch::number) <= state, "the log was truncated past the checkpoint");
    let behind = |(closed, _): &Step| Some(closed.snapshot.epoch.number()) > state;
    &steps[steps.iter().position(behind).unwrap_or(steps.len())..]
}

#[test]
fn kill_at_any_step_then_replay_gives_the_same_files() {
    let steps = life();
    let expected = expected(&steps);
    for stop in 0.. {
        let dir = temporary();
        let (truncated, ended) = run_killed(&dir, &steps, stop);
        let left = rest(&dir, &steps, truncated);
        assert!(files(dir.path()).keys().all(|path| !path.contains(".tmp")), "stop {stop}");
        // And once more while it replays.
        let (truncated, _) = run_killed(&dir, left, stop / 2);
        let left = rest(&dir, &steps, truncated);
        let (_, complete) = run_killed(&dir, left, usize::MAX);
        assert!(complete);
        assert_eq!(files(dir.path()), expected, "stop {stop}");
        if ended {
            assert!(stop > 60, "only {stop} steps");
            break;
        }
    }
}

#[test]
fn a_full_disk_loses_nothing_and_is_tried_again() {
    let steps = life();
    let expected = expected(&steps);
    for full_from in (0..150).step_by(3) {
        let dir = temporary();
        let mut archive = open(&dir);
        let taken = AtomicUsize::new(0);
        archive.folder.set_hook(Box::new(move |step, _| {
            let taken = taken.fetch_add(1, Ordering::Relaxed);
            let writes = !matches!(step, folder::Step::FlushFolder | folder::Step::Remove);
            if writes && (full_from..full_from + 4).contains(&taken) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }));
        for (closed, state) in &steps {
            while let Err(error) = archive.take_with(closed, state.as_ref()) {
                assert!(error.is_retryable(), "{error:?}");
                assert!(error.to_string().contains("no room left"), "{error}");
                assert!(files(dir.path()).keys().all(|path| !path.contains(".tmp")));
            }
        }
        assert_eq!(files(dir.path()), expected, "full from {full_from}");
    }
}

#[test]
fn bytes_are_the_bytes_on_disk() {
    let dir = temporary();
    let on_disk = |dir: &TempDir| -> u64 {
        let all = all_files(dir.path());
        let kept = all.iter().filter(|(path, _)| !path.starts_with("checkpoint"));
        kept.map(|(_, bytes)| bytes.0 as u64).sum()
    };
    let mut archive = open(&dir);
    assert_eq!(archive.bytes(), 0);
    run(&mut archive, &life()).unwrap();
    assert_eq!(archive.bytes(), on_disk(&dir));
    // Written over, not added.
    let mut archive = open(&dir);
    assert_eq!(archive.bytes(), on_disk(&dir));
    run(&mut archive, &life()).unwrap();
    assert_eq!(archive.bytes(), on_disk(&dir));
}

#[test]
fn a_disk_error_names_the_path() {
    let dir = temporary();
    fs::write(dir.path().join("archive"), b"a file where a folder belongs").unwrap();
    let error = Archive::open(dir.path(), ArchiveSettings::default()).unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.to_string().ends_with("/archive"), "{error}");
}

#[test]
#[should_panic(expected = "was closed twice")]
fn an_older_epoch_is_a_broken_promise() {
    let dir = temporary();
    let mut steps = life();
    steps.swap(0, 1);
    run(&mut open(&dir), &steps).ok();
}

fn sorted_and_in_range(path: &str, rows: &[Row]) {
    let name = path.rsplit_once('/').unwrap().1;
    let mut numbers = name.trim_end_matches(".parquet").split('-').skip(1);
    let (first, last): (u64, u64) =
        (numbers.next().unwrap().parse().unwrap(), numbers.next().unwrap().parse().unwrap());
    assert!(rows.iter().all(|row| (first..=last).contains(&row.0)), "{path}");
    let order = |row: &Row| {
        let quantity = Quantity::from_name(&row.3).unwrap().number();
        (row.4, row.1.clone(), row.5, quantity)
    };
    assert!(rows.is_sorted_by_key(order), "{path}");
}

#[test]
fn a_sensor_that_leaves_and_comes_back_is_in_order() {
    let mut city = City::new();
    city.close(START, &[(0, 10.7)], &[(0, 9_000, 1.0)]);
    city.close(START + 1, &[(0, 10.8)], &[(0, 8_000, 2.0)]);
    city.close(START + 2, &[(0, 10.7)], &[(0, 7_000, 3.0)]);
    city.cut();
    let dir = temporary();
    run(&mut open(&dir), &city.steps).unwrap();
    let all = files(dir.path());
    let path = files_of(&all, "readings")[0];
    let rows: Vec<Row> = read(&dir.path().join(path)).iter().flat_map(rows_of).collect();
    assert_eq!(rows.len(), 3);
    sorted_and_in_range(path, &rows);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_archive_is_the_multiset_of_applied_readings(
        epochs in prop::collection::vec(
            (1_u64..20_000, prop::collection::vec((0_u32..9, 0_i64..1_000_000, any::<f64>()), 0..40),
             prop::collection::vec((0_u32..9, 10.0..11.0_f64), 0..3), prop::bool::weighted(0.2)),
            1..40,
        ),
    ) {
        let mut city = City::new();
        let mut epoch = START;
        let all: Vec<_> = (0..9).map(|sensor| (sensor, 10.5 + f64::from(sensor) / 100.0)).collect();
        city.close(epoch, &all, &[]);
        for (later, mut readings, mut moved, cut) in epochs {
            epoch += later;
            readings.sort_by_key(|(sensor, time, _)| (*sensor, *time));
            readings.dedup_by_key(|(sensor, time, _)| (*sensor, *time));
            moved.sort_by_key(|(sensor, _)| *sensor);
            moved.dedup_by_key(|(sensor, _)| *sensor);
            city.close(epoch, &moved, &readings);
            if cut {
                city.cut();
            }
        }
        city.cut();
        let dir = temporary();
        let through = run(&mut open(&dir), &city.steps).unwrap();
        prop_assert_eq!(through, Some(Epoch::new(epoch)));
        let all = files(dir.path());
        let mut rows = Vec::new();
        for path in files_of(&all, "readings") {
            let file: Vec<Row> = read(&dir.path().join(path)).iter().flat_map(rows_of).collect();
            prop_assert!(!file.is_empty());
            sorted_and_in_range(path, &file);
            rows.extend(file);
        }
        rows.sort();
        prop_assert_eq!(rows, model(&city.steps));
    }
}
