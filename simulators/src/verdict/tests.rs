//! Verdicts over ledgers and archives made by hand: each kind of fault is seen, and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    UInt64Array,
};
use arrow::datatypes::Int32Type;
use citytwin_proto::v1::{LedgerEntry, RefusedCount};
use parquet::arrow::ArrowWriter;

use super::archive::Completeness;
use super::*;
use crate::fleet::{Action, Expectation, Outgoing, Planned};
use crate::ledger::{Keep, Ledger};

const START: u64 = 100;

fn planned(sensor: u32, time: i64, value: f64, expect: Expectation) -> Planned {
    Planned { sensor, quantity: Quantity::Pm25UgM3, event_time_ms: time, value, expect }
}

fn message(planned: Planned) -> Outgoing {
    Outgoing {
        due_ms: 0,
        action: Action::Publish,
        topic: Arc::from("t"),
        payload: Vec::new(),
        qos: 1,
        retain: false,
        readings: vec![planned],
        dead_letter: None,
    }
}

/// Two sensors. `a/0`: readings at 1, 2, 3 acknowledged, 2 sent twice, 3 re-sent once, 4 never
/// acknowledged, 5 refused. `a/1`: one at 1.
fn proof() -> Proof {
    let ledger = Ledger::new(Keep::Identities(1_000));
    let refused = Expectation::Refused("out_of_range");
    for (planned, acked, resent) in [
        (planned(0, 1, 1.5, Expectation::Taken), true, 0),
        (planned(0, 2, 2.5, Expectation::Taken), true, 0),
        (planned(0, 2, 2.5, Expectation::Duplicate), true, 0),
        (planned(0, 3, 3.5, Expectation::Taken), true, 1),
        (planned(0, 4, 4.5, Expectation::Taken), false, 0),
        (planned(0, 5, -5.0, refused), true, 0),
        (planned(1, 1, 0.1, Expectation::Taken), true, 0),
    ] {
        ledger.enter(&message(planned), acked, resent);
    }
    let spoiled =
        Outgoing { dead_letter: Some("undecodable"), ..message(planned(0, 0, 0.0, refused)) };
    ledger.enter(&spoiled, true, 0);
    let sensors = vec!["a/0".to_owned(), "a/1".to_owned()];
    Proof { sensors, ledger: ledger.close(), after_epoch: START }
}

fn entry(applied: u64, duplicate: u64, late: u64, refused: u64) -> LedgerEntry {
    let counts = vec![RefusedCount { reason: "out_of_range".to_owned(), readings: refused }];
    LedgerEntry {
        received: applied + duplicate + late + refused,
        applied,
        duplicate,
        late_applied: late,
        refused: if refused > 0 { counts } else { Vec::new() },
    }
}

fn twin(first: LedgerEntry, second: LedgerEntry, dead_letters: u64) -> ServerLedger {
    let sensors = BTreeMap::from([("a/0".to_owned(), first), ("a/1".to_owned(), second)]);
    let dead = BTreeMap::from([("undecodable".to_owned(), dead_letters)]);
    ServerLedger::new(START, sensors, dead)
}

fn check_ledger(first: LedgerEntry, second: LedgerEntry, dead: u64, expected: &[&str]) {
    let verdict = compare(
        &proof(),
        &twin(entry(5, 0, 0, 0), entry(0, 0, 0, 0), 1),
        &twin(first, second, dead),
        Delivery::AsSent,
    );
    let found: Vec<String> = verdict.listed.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
    assert_eq!(verdict.violations, expected.len() as u64);
    assert_eq!((verdict.sensors, verdict.readings), (2, 4));
}

#[test]
fn the_ledger_of_a_twin_that_did_well_passes() {
    let one = || entry(1, 0, 0, 0);
    // five were there before the run
    check_ledger(entry(7, 1, 1, 1), one(), 2, &[]);
    // the one never acknowledged did arrive, and so did what was sent again
    check_ledger(entry(9, 2, 0, 1), one(), 2, &[]);
}

#[test]
fn the_ledger_of_a_twin_that_did_not_is_caught() {
    let one = || entry(1, 0, 0, 0);
    check_ledger(entry(7, 1, 0, 1), one(), 2, &["wrong count: a/0: applied is 2, expected 3 to 4"]);
    check_ledger(
        entry(10, 0, 0, 1),
        one(),
        2,
        &[
            "wrong count: a/0: applied is 5, expected 3 to 4",
            "wrong count: a/0: duplicate is 0, expected 1 to 2",
        ],
    );
    check_ledger(
        entry(8, 3, 0, 0),
        entry(0, 0, 0, 0),
        1,
        &[
            "wrong count: a/0: duplicate is 3, expected 1 to 2",
            "wrong count: a/0: refused out_of_range is 0, expected 1",
            "wrong count: a/1: applied is 0, expected 1",
            "wrong count: : dead letters undecodable is 0, expected 1",
        ],
    );
    let mut odd = entry(8, 1, 0, 1);
    odd.received += 1;
    check_ledger(odd, one(), 2, &["does not add up: a/0: received 11 but the parts sum to 10"]);
}

#[test]
fn a_broker_may_deliver_again_but_nothing_may_be_applied_again() {
    let check = |first, expected: &[&str]| {
        let before = twin(entry(5, 0, 0, 0), entry(0, 0, 0, 0), 1);
        let after = twin(first, entry(1, 0, 0, 0), 9);
        let verdict = compare(&proof(), &before, &after, Delivery::AtLeastOnce);
        let found: Vec<String> = verdict.listed.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    };
    check(entry(8, 70, 0, 3), &[]);
    check(
        entry(10, 0, 0, 0),
        &[
            "wrong count: a/0: applied is 5, expected 3 to 4",
            "wrong count: a/0: duplicate is 0, expected at least 1",
            "wrong count: a/0: refused out_of_range is 0, expected at least 1",
        ],
    );
}

type Row = (u64, &'static str, i64, f64);

const GOOD: [Row; 4] =
    [(101, "a/0", 1, 1.5), (102, "a/0", 2, 2.5), (103, "a/0", 3, 3.5), (104, "a/1", 1, 0.1)];

fn write(path: &Path, rows: &[Row]) {
    let names = |of: fn(&Row) -> &'static str| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<DictionaryArray<Int32Type>>())
    };
    let quantities: StringArray = rows.iter().map(|_| Some("pm25_ug_m3")).collect();
    let times = TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.2));
    let batch = RecordBatch::try_from_iter([
        (
            "epoch",
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef,
        ),
        ("sensor", names(|row| row.1)),
        ("quantity", Arc::new(quantities)),
        ("event_time", Arc::new(times.with_timezone("UTC"))),
        ("value", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.3)))),
    ])
    .unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// The archive holds these rows, in two files.
fn check_archive(rows: &[Row], completeness: Completeness, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let readings = folder.path().join("archive/readings/date=2026-01-01");
    fs::create_dir_all(&readings).unwrap();
    let (first, second) = rows.split_at(rows.len() / 2);
    write(&readings.join("readings-101-102.parquet"), first);
    write(&readings.join("readings-103-109.parquet"), second);
    fs::write(readings.join(".readings-110-119.parquet.tmp"), "half").unwrap();
    // What was merged stays for a while, and so does what is said of it.
    write(&readings.join("readings-1-50.parquet"), first);
    write(&readings.join("readings-51-100.parquet"), second);
    write(&readings.join("readings-1-100.merged.parquet"), &[]);
    fs::create_dir(folder.path().join("archive/readings/_delta_log")).unwrap();
    fs::write(folder.path().join("archive/readings/_delta_log/1.checkpoint.parquet"), "").unwrap();
    let verdict = verify_archive(folder.path(), &proof(), completeness).unwrap();
    let found: Vec<String> = verdict.listed.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
    assert_eq!(verdict.passed(), expected.is_empty());
}

fn with(rows: &[Row]) -> Vec<Row> {
    GOOD.iter().chain(rows).copied().collect()
}

#[test]
fn an_archive_that_is_right_passes() {
    check_archive(&GOOD, Completeness::Whole, &[]);
    // never acknowledged, but arrived; of an earlier run; of another fleet
    let more = with(&[(105, "a/0", 4, 4.5), (100, "a/0", 77, 0.0), (105, "b/0", 1, 0.0)]);
    check_archive(&more, Completeness::Whole, &[]);
    check_archive(&GOOD[..1], Completeness::Partial, &[]);
}

#[test]
fn what_is_wrong_with_an_archive_is_named() {
    let whole = Completeness::Whole;
    check_archive(
        &[GOOD[0], GOOD[1], GOOD[3]],
        whole,
        &[
            "missing: a/0 pm25_ug_m3 at 1970-01-01T00:00:00.003Z: acknowledged, but not in the archive",
        ],
    );
    check_archive(
        &with(&[(109, "a/0", 2, 2.5)]),
        whole,
        &["twice: a/0 pm25_ug_m3 at 1970-01-01T00:00:00.002Z: once more with 2.5"],
    );
    check_archive(
        &with(&[(109, "a/1", 2, 0.1)]),
        whole,
        &["invented: a/1 pm25_ug_m3 at 1970-01-01T00:00:00.002Z: 0.1 was never sent"],
    );
    check_archive(
        &with(&[(109, "a/0", 5, -5.0)]),
        whole,
        &["not refused: a/0 pm25_ug_m3 at 1970-01-01T00:00:00.005Z: -5 was to be refused"],
    );
    let mut wrong = GOOD;
    wrong[3].3 = f64::from_bits(0.1_f64.to_bits() + 1);
    check_archive(
        &wrong,
        whole,
        &[
            "wrong value: a/1 pm25_ug_m3 at 1970-01-01T00:00:00.001Z: 0.10000000000000002 is not what was sent",
        ],
    );
}

#[test]
fn a_folder_without_an_archive_misses_everything() {
    let folder = tempfile::tempdir().unwrap();
    let verdict = verify_archive(folder.path(), &proof(), Completeness::Whole).unwrap();
    assert_eq!((verdict.violations, verdict.archive_rows), (4, Some(0)));
    let partial = verify_archive(folder.path(), &proof(), Completeness::Partial).unwrap();
    assert_eq!(partial.violations, 0);
}

#[test]
fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let readings = folder.path().join("archive/readings");
    fs::create_dir_all(&readings).unwrap();
    fs::write(readings.join("readings-1-2.parquet"), "no parquet").unwrap();
    let error = verify_archive(folder.path(), &proof(), Completeness::Whole).unwrap_err();
    assert!(error.to_string().contains("readings-1-2.parquet"), "{error}");
}

#[test]
fn only_the_first_violations_are_listed() {
    let mut verdict = Verdict::default();
    for _ in 0..50 {
        verdict.violation(Violation {
            fault: Fault::Missing,
            sensor: "a/0".to_owned(),
            quantity: None,
            event_time: None,
            detail: "x".to_owned(),
        });
    }
    assert_eq!((verdict.listed.len(), verdict.violations), (20, 50));
    assert!(verdict.to_string().contains("and 30 more"));
    assert!(verdict.to_string().contains("NOT PASSED"));
}
