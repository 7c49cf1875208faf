//! The Delta tables as a stranger reads them, before every single step of the disk: every row
//! through the epoch that the table names, once.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value;

use super::super::city_tests::Step as Life;
use super::super::compact::tests::{MIDNIGHT, days, on_disk, plans, start, steps, written};
use super::super::folder::Hook;
use super::super::plain_tests::{lines, rows};
use super::super::tests::{read, run, temporary};
use super::super::{Archive, ArchiveSettings, Retention};
use super::*;

const NEVER: Epoch = Epoch::new(u64::MAX);

/// What the log of a table says, read from its beginning or from its newest checkpoint.
struct Told {
    through: u64,
    files: BTreeSet<PathBuf>,
    lines: Vec<Value>,
}

fn home(dir: &Path, table: Table) -> PathBuf {
    dir.join(table.folder())
}

fn told(dir: &Path, table: Table) -> Option<Told> {
    let home = home(dir, table);
    let log = home.join("_delta_log");
    let mut commits: Vec<PathBuf> = fs::read_dir(&log).ok()?.map(|e| e.unwrap().path()).collect();
    commits.sort();
    let mut text = Vec::new();
    let mut from = String::new();
    if let Ok(last) = fs::read(log.join("_last_checkpoint")) {
        let last: Value = serde_json::from_slice(&last).unwrap();
        from = format!("{:020}", last["version"].as_u64().unwrap());
        let file = fs::read(log.join(format!("{from}.checkpoint.parquet"))).unwrap();
        text.push(checkpoint::decode(file).unwrap());
    }
    for path in commits {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.strip_suffix(".json").is_some_and(|version| *version > *from) {
            text.push(fs::read(&path).unwrap());
        }
    }
    if text.is_empty() {
        return None;
    }
    let text = String::from_utf8(text.concat()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told = Told { through: 0, files: BTreeSet::new(), lines: Vec::new() };
    for line in &lines {
        if let Some(path) = line["add"]["path"].as_str() {
            told.files.insert(home.join(path));
        }
        if let Some(path) = line["remove"]["path"].as_str() {
            assert!(told.files.remove(&home.join(path)), "{path} was not there");
        }
        told.through = line["txn"]["version"].as_u64().unwrap_or(told.through);
    }
    told.lines = lines;
    Some(told)
}

/// The lines of a checkpoint.
pub(in super::super) fn decode(file: Vec<u8>) -> Vec<u8> {
    checkpoint::decode(file).unwrap()
}

/// The rows that somebody finds who reads the table now.
fn found(dir: &Path, table: Table) -> Option<(u64, Vec<String>)> {
    let told = told(dir, table)?;
    let batches = told.files.iter().flat_map(|path| read(path));
    let mut found: Vec<String> = batches.flat_map(|batch| lines(&batch)).collect();
    found.sort();
    Some((told.through, found))
}

pub(in super::super) fn expected(life: &[Life], table: Table, through: u64) -> Vec<String> {
    let closed = life.iter().map(|(closed, _)| closed);
    let known = closed.filter(|closed| closed.snapshot.epoch.number() <= through);
    let mut expected: Vec<String> = known.flat_map(|closed| rows(closed, table)).collect();
    expected.sort();
    expected
}

fn check(dir: &Path, life: &[Life]) {
    for table in Table::ALL {
        if let Some((through, found)) = found(dir, table) {
            assert_eq!(found, expected(life, table, through), "{table:?} through {through}");
        }
    }
}

/// Everything there is, is in the tables.
fn check_all(dir: &Path, life: &[Life]) {
    check(dir, life);
    for table in Table::ALL {
        let found = found(dir, table).map(|(_, found)| found).unwrap_or_default();
        assert_eq!(found, expected(life, table, u64::MAX), "{table:?}");
    }
}

/// Reads all tables before every `every`th step of the disk, and stops the process, so to speak,
/// before step number `stop`.
fn watching(dir: &Path, life: &[Life], every: usize, stop: usize) -> Hook {
    let (dir, life) = (dir.to_owned(), life.to_vec());
    let mut taken = 0;
    Box::new(move |_, _| {
        taken += 1;
        if taken % every == 0 {
            check(&dir, &life);
        }
        if taken > stop { Err(io::Error::other("killed")) } else { Ok(()) }
    })
}

fn watched(dir: &Path, life: &[Life], every: usize, stop: usize) -> Archive {
    let mut archive = start(dir, life);
    archive.folder.set_hook(watching(dir, life, every, stop));
    archive.keeper().folder.lock().set_hook(watching(dir, life, every, stop));
    archive
}

/// A process that is killed removes nothing any more.
#[expect(clippy::mem_forget, reason = "no destructor runs in a process that is killed")]
pub(in super::super) fn leave(archive: Archive) {
    std::mem::forget(archive);
}

/// What is replayed after a start.
pub(in super::super) fn rest(archive: &Archive, life: &[Life]) -> Vec<Life> {
    let begun = archive.catalogue().view().through();
    life.iter().filter(|(closed, _)| closed.snapshot.epoch > begun).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_row_once_at_every_moment(
        plans in plans(),
        at in 0_usize..30,
        stops in prop::collection::vec(0_usize..300, 0..3),
        every in 1_usize..9,
    ) {
        let life = steps(plans);
        let dir = temporary();
        for stop in stops {
            let mut archive = watched(dir.path(), &life, every, stop);
            let rest = rest(&archive, &life);
            if run(&mut archive, &rest[..at.min(rest.len())]).is_ok() {
                archive.keeper().compact_all(NEVER, || false, |_| ()).ok();
            }
            check(dir.path(), &life);
            leave(archive);
        }
        let mut archive = watched(dir.path(), &life, every, usize::MAX);
        let rest = rest(&archive, &life);
        run(&mut archive, &rest).unwrap();
        check_all(dir.path(), &life);
        archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
        check_all(dir.path(), &life);
        drop(archive);
        check_all(dir.path(), &life);
    }
}

#[test]
fn old_commits_go_behind_a_checkpoint() {
    let life = days();
    let (dir, archive) = written(&life);
    archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
    drop(archive);
    let log = home(dir.path(), Table::Readings).join("_delta_log");
    let names: BTreeSet<String> = fs::read_dir(&log)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains("_last_checkpoint"), "{names:?}");
    assert!(!names.contains("00000000000000000000.json"), "{names:?}");
    check_all(dir.path(), &life);
    // And whoever goes on from there changes nothing.
    drop(start(dir.path(), &life));
    assert_eq!(fs::read_dir(&log).unwrap().count(), names.len());
}

#[test]
fn merged_files_change_no_data() {
    let life = days();
    let (dir, archive) = written(&life);
    archive.keeper().compact(Epoch::new(MIDNIGHT), || false, |_| ()).unwrap();
    let told = told(dir.path(), Table::Windows).unwrap();
    let merged = told.lines.iter().filter_map(|line| line.get("add"));
    let merged: Vec<_> =
        merged.filter(|add| add["path"].as_str().unwrap().contains(".merged.")).collect();
    let gone: Vec<_> = told.lines.iter().filter_map(|line| line.get("remove")).collect();
    assert!(!merged.is_empty() && !gone.is_empty());
    for line in merged.into_iter().chain(gone) {
        assert_eq!(line["dataChange"], false, "{line}");
    }
    let operations: Vec<_> =
        told.lines.iter().filter_map(|line| line["commitInfo"]["operation"].as_str()).collect();
    assert_eq!(operations.last(), Some(&"OPTIMIZE"));
}

#[test]
fn what_is_let_go_leaves_the_table() {
    let life = days();
    let (dir, archive) = written(&life);
    let kept = Retention { readings_ms: Some(1), ..Retention::default() };
    archive.keeper().retire_older(NEVER, kept).unwrap();
    let readings = told(dir.path(), Table::Readings).unwrap();
    assert!(readings.files.len() < told(dir.path(), Table::Windows).unwrap().files.len());
    assert!(readings.files.iter().all(|path| path.exists()));
    let last = readings.lines.iter().rfind(|line| line["commitInfo"].is_object()).unwrap();
    assert_eq!(last["commitInfo"]["operation"], "DELETE");
}

#[test]
fn files_stay_for_readers_of_older_versions() {
    let life = days();
    let dir = temporary();
    let settings = ArchiveSettings { removal_delay_ms: 100_000, ..ArchiveSettings::default() };
    let mut archive = Archive::open(dir.path(), settings).unwrap();
    archive.begin(None, Some(Epoch::new(1))).unwrap();
    let (before, after) = life.split_at(life.len() - 1);
    run(&mut archive, before).unwrap();
    let old = told(dir.path(), Table::Readings).unwrap().files;
    let done = archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
    assert!(done.files_after > 0);
    assert_ne!(told(dir.path(), Table::Readings).unwrap().files, old);
    assert!(old.iter().all(|path| path.exists()));
    run(&mut archive, after).unwrap();
    assert!(old.iter().any(|path| !path.exists()));
    check_all(dir.path(), &life);
}

#[test]
fn a_log_that_does_not_read_is_made_anew() {
    let life = days();
    let (dir, archive) = written(&life);
    drop(archive);
    let log = home(dir.path(), Table::Readings).join("_delta_log");
    for entry in fs::read_dir(&log).unwrap() {
        fs::write(entry.unwrap().path(), "{").unwrap();
    }
    let archive = start(dir.path(), &life);
    check_all(dir.path(), &life);
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    assert!(log.join("00000000000000000000.json").exists());
}

#[test]
fn what_somebody_else_commits_is_undone() {
    let life = days();
    let dir = temporary();
    let mut archive = start(dir.path(), &life);
    let (before, after) = life.split_at(4);
    run(&mut archive, before).unwrap();
    let log = home(dir.path(), Table::Readings).join("_delta_log");
    let count = fs::read_dir(&log).unwrap().count();
    let gone = told(dir.path(), Table::Readings).unwrap().files.pop_first().unwrap();
    let gone = gone.strip_prefix(home(dir.path(), Table::Readings)).unwrap().to_str().unwrap();
    let removal = serde_json::json!({"remove": {"path": gone, "dataChange": true}});
    fs::write(log.join(format!("{count:020}.json")), removal.to_string()).unwrap();
    run(&mut archive, after).unwrap();
    check_all(dir.path(), &life);
}
