//! Each kind of damage is found and named; an archive without any has no finding.

use std::fs;

use arrow::compute::{concat_batches, take};
use citytwin_core::dataflow::{Settings, fold};
use tempfile::TempDir;

use super::super::columns;
use super::super::ledger_tests::frames;
use super::super::tests::{read, temporary};
use super::super::{Archive, ArchiveSettings, Retention};
use super::*;

/// An hour with a cut every minute and three sensors.
fn city() -> (TempDir, Archive) {
    let acts = |n: i64| (0..30).map(|k| (k % 3, n % 4 + i64::from(k) / 9, None)).collect();
    let epochs = (0..60).map(|n| (600, acts(n), n % 2 == 0)).collect();
    let settings = Settings { revision_horizon_ms: 20_000, ..Settings::default() };
    let dir = temporary();
    let mut archive = Archive::open(dir.path(), ArchiveSettings::default()).unwrap();
    archive.newest_checkpoint(None).unwrap();
    for epoch in fold(&settings, None, frames(epochs)) {
        archive.take(&epoch).unwrap();
    }
    (dir, archive)
}

fn readings(archive: &Archive, at: usize) -> PathBuf {
    archive.catalogue().view().files(Table::Readings)[at].path().to_owned()
}

/// That exactly one finding names the file and says so.
fn check(dir: &TempDir, path: &Path, problem: &str) -> Verification {
    let done = verify(dir.path(), |_| ()).unwrap();
    let [finding] = done.findings.as_slice() else { panic!("{done:?}") };
    assert_eq!(finding.path, path);
    assert!(finding.problem.contains(problem), "{finding:?}");
    done
}

#[test]
fn a_sound_archive_has_no_findings() {
    let (dir, archive) = city();
    let mut told = 0;
    let done = verify(dir.path(), |done| told = done.files).unwrap();
    assert_eq!((done.findings.as_slice(), done.files), (&[][..], told));
    let ledger = done.ledger.unwrap();
    assert_eq!((ledger.after, ledger.matched, ledger.mismatched.len()), (None, 6, 0));
    let view = archive.catalogue().view();
    let files = Table::ALL.iter().flat_map(|table| view.files(*table));
    assert_eq!(done.rows, files.map(|file| file.bounds().unwrap().rows).sum::<u64>());
}

#[test]
fn a_damaged_page_is_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..60].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let done = check(&dir, &path, "row group 0: ");
    // Its rows are missing.
    assert!(!done.ledger.unwrap().mismatched.is_empty());
}

#[test]
fn a_torn_file_is_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    check(&dir, &path, "footer");
}

#[test]
fn a_file_of_another_table_is_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    fs::copy(archive.catalogue().view().files(Table::Windows)[3].path(), &path).unwrap();
    check(&dir, &path, "other columns");
}

#[test]
fn epochs_outside_of_the_name_are_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    fs::copy(readings(&archive, 4), &path).unwrap();
    check(&dir, &path, "outside of its name");
}

/// Writes the rows of a file again, those with the given numbers.
fn rewrite(path: &Path, numbers: impl Fn(u32) -> Vec<u32>) {
    let batch = concat_batches(&Table::Readings.schema(), &read(path)).unwrap();
    let numbers = numbers(u32::try_from(batch.num_rows()).unwrap());
    let numbers = arrow::array::UInt32Array::from(numbers);
    let columns = batch.columns().iter().map(|column| take(column, &numbers, None).unwrap());
    let mut file = columns::File::new(Table::Readings.columns());
    file.push(columns.collect()).unwrap();
    fs::write(path, file.finish().unwrap().unwrap()).unwrap();
}

#[test]
fn rows_out_of_order_are_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    rewrite(&path, |rows| (0..rows).rev().collect());
    check(&dir, &path, "row 1 is out of order");
}

#[test]
fn a_reading_that_is_there_twice_is_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    rewrite(&path, |rows| (0..rows).chain([rows - 1]).collect());
    let done = check(&dir, &path, "1 readings are there twice, such as hcmc/s");
    assert_eq!(done.ledger.unwrap().mismatched.len(), 1);
}

#[test]
fn ranges_that_overlap_are_found() {
    let (dir, archive) = city();
    let path = readings(&archive, 3);
    let file = Arc::clone(&archive.catalogue().view().files(Table::Readings)[3]);
    // Neither of the two lies within the other.
    let (first, last) = (file.first().next(), file.last().next());
    let copy = path.with_file_name(format!("readings-{first}-{last}.parquet"));
    fs::copy(&path, &copy).unwrap();
    let done = verify(dir.path(), |_| ()).unwrap();
    let problem = format!("overlaps the epochs of {}", path.display());
    assert!(done.findings.contains(&Finding { path: copy, problem }), "{:?}", done.findings);
}

#[test]
fn a_missing_file_is_found_by_the_ledger() {
    let (dir, archive) = city();
    fs::remove_file(readings(&archive, 3)).unwrap();
    let done = verify(dir.path(), |_| ()).unwrap();
    assert_eq!(done.findings, []);
    let ledger = done.ledger.unwrap();
    assert_eq!(ledger.matched + ledger.mismatched.len() as u64, 6);
    let short = |one: &Mismatch| one.counted.applied < one.ledger.applied;
    assert!(!ledger.mismatched.is_empty() && ledger.mismatched.iter().all(short), "{ledger:?}");
}

#[test]
fn what_retention_left_adds_up_from_a_keyframe_on() {
    let (dir, archive) = city();
    let half = Some(40 * 60_000);
    let kept = Retention { readings_ms: half, refusals_ms: half, ..Retention::default() };
    let now = archive.catalogue().view().through();
    assert!(archive.keeper().retire_older(now, kept).unwrap().files > 0);
    let done = verify(dir.path(), |_| ()).unwrap();
    assert_eq!(done.findings, []);
    let ledger = done.ledger.unwrap();
    assert!(ledger.after.is_some());
    assert_eq!((ledger.matched, ledger.mismatched.len()), (6, 0));
}
