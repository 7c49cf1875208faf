//! Compaction against plain lists: the same rows, once, sorted, whatever is done to the process or
//! the disk in between.

use std::fs;
use std::io;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMillisecondType};
use citytwin_core::quantity::Quantity;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::statistics::Statistics;
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::city_tests::{City, START, Step};
use super::super::plain_tests::{lines, rows};
use super::super::tables::Limit;
use super::super::tests::{all_files, files, files_of, open, read, run, temporary};
use super::super::view_tests::{Known, check};
use super::super::{Archive, checkpoint};
use super::*;

/// Midnight behind the beginning.
pub(in super::super) const MIDNIGHT: u64 = (START / 864_000 + 1) * 864_000;
const NEVER: Epoch = Epoch::new(u64::MAX);

fn never() -> bool {
    false
}

fn quiet(_: &Compacted) {}

/// Epochs later, readings, whether it ends with a cut.
pub(in super::super) type Plan = (u64, Vec<(u32, i64)>, bool);

pub(in super::super) fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let later = prop_oneof![6 => 1_u64..50, 2 => 1_u64..20_000, 1 => 1_u64..900_000];
    let readings = prop::collection::vec((0_u32..12, 0_i64..1_000_000), 0..30);
    prop::collection::vec((later, readings, prop::bool::weighted(0.4)), 1..30)
}

/// Ends with two cuts, so that all but the last epoch is settled.
pub(in super::super) fn steps(plans: Vec<Plan>) -> Vec<Step> {
    let mut city = City::new();
    let mut epoch = START;
    // Four sensors in each cell.
    let all: Vec<_> = (0..12).map(|sensor| (sensor, 10.5 + f64::from(sensor % 3))).collect();
    city.close(epoch, &all, &[]);
    for (later, readings, cut) in plans {
        epoch += later;
        let readings: Vec<_> =
            readings.iter().map(|(who, when)| (*who, *when, f64::from(*who) / 2.0)).collect();
        let moved = if epoch.is_multiple_of(5) { vec![(3, 10.9)] } else { Vec::new() };
        city.close(epoch, &moved, &readings);
        if cut {
            city.cut();
        }
    }
    city.cut();
    city.close(epoch + 1, &[], &[]);
    city.cut();
    city.steps
}

/// Opened as after a start, with row groups and files of a few rows.
pub(in super::super) fn start(dir: &Path, steps: &[Step]) -> Archive {
    let mut archive = Archive::open(dir, super::super::ArchiveSettings::default()).unwrap();
    archive.tables.set_limits(Limit { rows: 60, bytes: 12_000 });
    let state: Option<u64> = checkpoint::newest(&archive.folder, None).unwrap();
    let cut = steps.iter().find(|(_, of)| of.is_some() && *of == state);
    archive.begin(cut.map(|(closed, _)| &closed.snapshot), Some(Epoch::new(START))).unwrap();
    archive
}

pub(in super::super) fn written(steps: &[Step]) -> (TempDir, Archive) {
    let dir = temporary();
    let mut archive = start(dir.path(), steps);
    run(&mut archive, steps).unwrap();
    (dir, archive)
}

/// What somebody who does not know us reads: every row of every file that is there.
fn check_plain(dir: &Path, steps: &[Step]) {
    let all = files(dir);
    for table in Table::ALL {
        let paths = files_of(&all, table.name());
        let mut found: Vec<_> =
            paths.iter().flat_map(|path| read(&dir.join(path))).flat_map(|b| lines(&b)).collect();
        let mut expected: Vec<_> = steps.iter().flat_map(|(c, _)| rows(c, table)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{table:?}");
    }
}

pub(in super::super) fn on_disk(dir: &Path) -> u64 {
    let all = all_files(dir);
    let kept = all.iter().filter(|(path, _)| !path.starts_with("checkpoint"));
    kept.map(|(_, bytes)| bytes.0 as u64).sum()
}

/// What rows are sorted by, the plain way.
fn keys(batch: &RecordBatch, table: Table) -> Vec<Vec<(i128, String)>> {
    let column = |name: &&str| -> Vec<(i128, String)> {
        let column = batch.column_by_name(name).unwrap();
        if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
            return numbers.values().iter().map(|n| (i128::from(*n), String::new())).collect();
        }
        if let Some(times) = column.as_primitive_opt::<TimestampMillisecondType>() {
            return times.values().iter().map(|n| (i128::from(*n), String::new())).collect();
        }
        let texts = cast(column, &DataType::Utf8).unwrap();
        let texts = texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned());
        if *name == "quantity" {
            let number = |text: String| Quantity::from_name(&text).unwrap().number();
            return texts.map(|text| (i128::from(number(text)), String::new())).collect();
        }
        texts.map(|text| (0, text)).collect()
    };
    let hours = batch.column_by_name("epoch").unwrap().as_primitive::<Int64Type>();
    let hours = hours.values().iter().map(|epoch| (i128::from(*epoch / 36_000), String::new()));
    let columns: Vec<Vec<_>> =
        [hours.collect()].into_iter().chain(table.order().iter().map(column)).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|c| c[row].clone()).collect()).collect()
}

/// Stops the process, so to speak, before the disk does step number `stop`. Says whether it was.
fn compact_killed(archive: &Archive, stop: usize) -> bool {
    let mut taken = 0;
    archive.keeper().folder.lock().set_hook(Box::new(move |_, _| {
        taken += 1;
        if taken > stop { Err(io::Error::other("killed")) } else { Ok(()) }
    }));
    let done = archive.keeper().compact_all(NEVER, never, quiet);
    done.map_err(|error| assert!(!error.is_retryable(), "{error}")).is_err()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_rows_sorted(plans in plans(), at in 0_usize..30, whole_days in prop::bool::ANY) {
        let steps = steps(plans);
        let dir = temporary();
        let mut archive = start(dir.path(), &steps);
        let at = at.min(steps.len());
        run(&mut archive, &steps[..at]).unwrap();
        let (held, mut known) = (archive.catalogue().view(), Known::new());
        let compact = |archive: &Archive| if whole_days {
            archive.keeper().compact(NEVER, never, quiet).unwrap()
        } else {
            archive.keeper().compact_all(NEVER, never, quiet).unwrap()
        };
        compact(&archive);
        check(&archive.catalogue().view(), &steps[..at], &mut known);
        run(&mut archive, &steps[at..]).unwrap();
        compact(&archive);
        check(&archive.catalogue().view(), &steps, &mut Known::new());
        // Held since before the first.
        check(&held, &steps[..at], &mut known);
        drop(held);
        check_plain(dir.path(), &steps);
        prop_assert_eq!(archive.bytes(), on_disk(dir.path()));
        let again = compact(&archive);
        prop_assert_eq!(again.files_before, 0);
        for table in Table::ALL {
            for file in archive.catalogue().view().files(table) {
                let batches = read(file.path());
                let sorted: Vec<_> = batches.iter().flat_map(|b| keys(b, table)).collect();
                prop_assert!(!is_compacted(file.path()) || sorted.is_sorted(), "{file:?}");
            }
        }
        // And whoever goes on from there.
        drop(archive);
        let archive = start(dir.path(), &steps);
        check(&archive.catalogue().view(), &steps, &mut Known::new());
        prop_assert_eq!(archive.bytes(), on_disk(dir.path()));
    }

    #[test]
    fn killed_at_any_step(plans in plans(), stop in 0_usize..120, again in 0_usize..60) {
        let steps = steps(plans);
        let (dir, archive) = written(&steps);
        for stop in [stop, again] {
            compact_killed(&archive, stop);
            check(&archive.catalogue().view(), &steps, &mut Known::new());
        }
        drop(archive);
        let archive = start(dir.path(), &steps);
        check(&archive.catalogue().view(), &steps, &mut Known::new());
        check_plain(dir.path(), &steps);
        prop_assert_eq!(archive.bytes(), on_disk(dir.path()));
    }
}

/// Two days with four cuts each, and one more.
pub(in super::super) fn days() -> Vec<Step> {
    let mut city = City::new();
    city.close(MIDNIGHT - 9_000, &[(0, 10.7), (1, 10.8)], &[]);
    for day in [0, 1] {
        for cut in 0..4 {
            let epoch = MIDNIGHT - 8_000 + day * 864_000 + cut * 1_000;
            let time = (epoch * 100).cast_signed();
            let readings: Vec<_> =
                (0..40).map(|n| (n % 2, time + i64::from(n) * 17, 0.5)).collect();
            city.close(epoch, &[], &readings);
            city.cut();
        }
    }
    city.close(MIDNIGHT + 2_000_000, &[], &[]);
    city.cut();
    city.steps
}

#[test]
fn days_that_are_over_become_one_file_each() {
    let steps = days();
    let (dir, archive) = written(&steps);
    let keeper = archive.keeper();
    let done = keeper.compact(Epoch::new(MIDNIGHT - 1), never, quiet).unwrap();
    assert_eq!(done.files_before, 0, "{done:?}");
    let mut told = 0;
    let done = keeper.compact(Epoch::new(MIDNIGHT), never, |done| told = done.files_after).unwrap();
    assert_eq!(done.files_after, told);
    assert!(done.bytes_after < done.bytes_before && done.unreadable.is_empty(), "{done:?}");
    let all = files(dir.path());
    let (first, last) = (MIDNIGHT - 9_000, MIDNIGHT - 5_000);
    let path = format!("archive/readings/date=2026-11-22/readings-{first}-{last}.merged.parquet");
    assert!(all.contains_key(&path), "{all:?}");
    assert_eq!(files_of(&all, "readings").len(), 5);
    // The second day ends behind the older checkpoint only when it is over in the log, too.
    keeper.compact(NEVER, never, quiet).unwrap();
    assert_eq!(files_of(&files(dir.path()), "readings").len(), 5);
    keeper.compact_all(NEVER, never, quiet).unwrap();
    assert_eq!(files_of(&files(dir.path()), "readings").len(), 2);
    check(&archive.catalogue().view(), &steps, &mut Known::new());
}

#[test]
fn no_row_group_holds_two_hours() {
    let mut city = City::new();
    city.close(MIDNIGHT + 1, &[(0, 10.7), (1, 10.8)], &[]);
    for hour in 0..4_u64 {
        for cut in 0..3 {
            let epoch = MIDNIGHT + 100 + hour * 36_000 + cut * 9_000;
            let time = (epoch * 100).cast_signed();
            let readings: Vec<_> =
                (0..30).map(|n| (n % 2, time + i64::from(n) * 17, 0.5)).collect();
            city.close(epoch, &[], &readings);
            city.cut();
        }
    }
    city.close(MIDNIGHT + 200_000, &[], &[]);
    city.cut();
    let (_dir, archive) = written(&city.steps);
    archive.keeper().compact_all(NEVER, never, quiet).unwrap();
    let file = Arc::clone(&archive.catalogue().view().files(Table::Readings)[0]);
    let footer = ParquetMetaDataReader::new();
    let footer = footer.parse_and_finish(&fs::File::open(file.path()).unwrap()).unwrap();
    assert!(is_compacted(file.path()) && footer.num_row_groups() >= 3, "{file:?}");
    for group in footer.row_groups() {
        let Some(Statistics::Int64(epochs)) = group.column(0).statistics() else { panic!() };
        let hour = |epoch: Option<&i64>| epoch.unwrap() / 36_000;
        assert_eq!(hour(epochs.min_opt()), hour(epochs.max_opt()));
    }
}

#[test]
fn what_a_replay_writes_again_is_left_alone() {
    let mut city = City::new();
    for epoch in START..START + 3 {
        city.close(epoch, &[(0, 10.7)], &[(0, 1_000, 1.5)]);
        city.cut();
    }
    let (_dir, archive) = written(&city.steps);
    let done = archive.keeper().compact_all(NEVER, never, quiet).unwrap();
    // The third is behind the older checkpoint.
    let readings = &archive.catalogue().view();
    let lasts: Vec<_> = readings.files(Table::Readings).iter().map(|file| file.last()).collect();
    assert_eq!(lasts, [START + 1, START + 2].map(Epoch::new), "{done:?}");
}

#[test]
fn stopped_it_leaves_all_as_it_was() {
    let steps = days();
    let (dir, archive) = written(&steps);
    let before = files(dir.path());
    let done = archive.keeper().compact(NEVER, || true, quiet).unwrap();
    assert!(done.is_stopped);
    assert_eq!(files(dir.path()), before);
}

#[test]
fn a_full_disk_is_tried_again_later() {
    let steps = days();
    let (dir, archive) = written(&steps);
    for full_from in 0..40 {
        let mut taken = 0;
        let mut hook = move |step: super::super::folder::Step| {
            taken += 1;
            let writes = step != super::super::folder::Step::FlushFolder;
            let is_full = writes && taken > full_from;
            if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        };
        archive.keeper().folder.lock().set_hook(Box::new(move |step, _| hook(step)));
        if let Err(error) = archive.keeper().compact_all(NEVER, never, quiet) {
            assert!(error.is_retryable(), "{error}");
        }
        assert!(files(dir.path()).keys().all(|path| !path.contains(".tmp")));
        assert_eq!(archive.bytes(), on_disk(dir.path()));
    }
    check(&archive.catalogue().view(), &steps, &mut Known::new());
}

#[test]
fn killed_between_two_removals() {
    let steps = days();
    let (dir, archive) = written(&steps);
    let old: Vec<_> = Table::ALL
        .iter()
        .flat_map(|table| archive.catalogue().view().files(*table).to_vec())
        .map(|file| (file.path().to_owned(), fs::read(file.path()).unwrap()))
        .collect();
    archive.keeper().compact_all(NEVER, never, quiet).unwrap();
    drop(archive);
    let gone: Vec<_> = old.iter().filter(|(path, _)| !path.exists()).collect();
    assert!(gone.len() > 20);
    for left in 0..gone.len() {
        for (path, bytes) in &gone[left..] {
            fs::write(path, bytes).unwrap();
        }
        let archive = start(dir.path(), &steps);
        check(&archive.catalogue().view(), &steps, &mut Known::new());
        check_plain(dir.path(), &steps);
        assert_eq!(archive.bytes(), on_disk(dir.path()));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_the_rest_goes_on() {
    let steps = days();
    let (dir, archive) = written(&steps);
    let file = Arc::clone(&archive.catalogue().view().files(Table::Readings)[1]);
    let mut bytes = fs::read(file.path()).unwrap();
    bytes[4..60].fill(0xff);
    fs::write(file.path(), bytes).unwrap();
    let done = archive.keeper().compact_all(NEVER, never, quiet).unwrap();
    let problems: Vec<_> = done.unreadable.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(problems, [format!("cannot read the rows of {}", file.path().display())]);
    assert!(file.path().exists());
    let all = files(dir.path());
    assert_eq!(files_of(&all, "readings").len(), 5);
    assert_eq!(files_of(&all, "windows").len(), 2);
    assert!(all.keys().all(|path| !path.contains(".tmp")));
}

#[test]
fn a_merged_file_is_stored_as_others_are() {
    let (dir, archive) = written(&days());
    let footer = |path: &Path| {
        ParquetMetaDataReader::new().parse_and_finish(&fs::File::open(path).unwrap()).unwrap()
    };
    for table in Table::ALL {
        let Some(before) = archive.catalogue().view().files(table).first().cloned() else {
            continue;
        };
        let before = footer(before.path());
        archive.keeper().compact_all(NEVER, never, quiet).unwrap();
        let view = archive.catalogue().view();
        let after = footer(view.files(table)[0].path());
        let of = |footer: &parquet::file::metadata::ParquetMetaData| {
            let columns = footer.row_group(0).columns().iter();
            let file = footer.file_metadata();
            let about = (file.created_by().unwrap().to_owned(), file.schema().clone());
            let columns = columns.map(|column| {
                let has_index = column.column_index_offset().is_some();
                let has_statistics = column.statistics().is_some();
                (
                    column.compression(),
                    column.encodings().collect::<Vec<_>>(),
                    has_index,
                    has_statistics,
                )
            });
            (about, columns.collect::<Vec<_>>())
        };
        assert_eq!(of(&before), of(&after), "{table:?}");
    }
    assert_eq!(archive.bytes(), on_disk(dir.path()));
}

#[test]
fn an_archive_that_is_open_elsewhere_shows_the_same() {
    let steps = days();
    let (dir, archive) = written(&steps);
    drop(archive);
    let archive = open(&dir);
    archive.keeper().compact_all(NEVER, never, quiet).unwrap();
    // Nothing was begun with: there is nothing to merge.
    assert_eq!(files_of(&files(dir.path()), "readings").len(), 8);
}
