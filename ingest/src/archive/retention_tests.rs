//! What goes, what stays, and what a restart knows of it.

use std::fs;
use std::io;

use super::super::compact::tests::{MIDNIGHT, days, on_disk, start, written};
use super::super::tests::{all_files, files, files_of};
use super::super::{Archive, Table};
use super::*;

const HOUR_MS: u64 = 3_600_000;
/// Noon of the second day: the files of the first are more than twelve hours old.
const NOON: Epoch = Epoch::new(MIDNIGHT + 432_000);

fn all_for(ms: u64) -> Retention {
    let ms = Some(ms);
    Retention {
        readings_ms: ms,
        windows_ms: ms,
        cell_windows_ms: ms,
        refusals_ms: ms,
        dead_letters_ms: ms,
        keyframes_ms: ms,
    }
}

fn firsts(archive: &Archive, table: Table) -> Vec<Epoch> {
    archive.catalogue().view().files(table).iter().map(|file| file.first()).collect()
}

fn keyframes(archive: &Archive) -> Vec<u64> {
    let view = archive.catalogue().view();
    view.keyframes().iter().map(|one| one.epoch().number() + 8_000 - MIDNIGHT).collect()
}

#[test]
fn nothing_goes_when_nothing_is_asked() {
    let (dir, archive) = written(&days());
    let before = files(dir.path());
    let far = Epoch::new(u64::MAX);
    assert_eq!(
        archive.keeper().retire_older(far, Retention::default()).unwrap(),
        Expiry::default()
    );
    assert_eq!(files(dir.path()), before);
    assert_eq!(archive.catalogue().view().complete_from(), Epoch::ZERO);
}

/// Bytes of the Delta logs.
fn delta(dir: &Path) -> u64 {
    let logs = all_files(dir).into_iter().filter(|(path, _)| path.contains("_delta_log"));
    logs.map(|(_, (bytes, _))| bytes as u64).sum()
}

#[test]
fn what_is_older_goes_and_a_restart_knows() {
    let steps = days();
    let (dir, archive) = written(&steps);
    assert_eq!(keyframes(&archive), [0, 864_000, 2_008_000]);
    let (view, bytes) = (archive.catalogue().view(), archive.bytes() - delta(dir.path()));
    let done = archive.keeper().retire_older(NOON, all_for(12 * HOUR_MS)).unwrap();
    assert!(view.files(Table::Readings).iter().all(|file| file.path().exists()));
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    drop(view);
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    let marker = 12;
    assert_eq!(archive.bytes() - delta(dir.path()), bytes + marker - done.bytes);
    for table in [Table::Readings, Table::Windows, Table::CellWindows, Table::Refusals] {
        let firsts = firsts(&archive, table);
        assert!(!firsts.is_empty() && firsts.iter().all(|first| first.number() > MIDNIGHT));
    }
    assert_eq!(firsts(&archive, Table::Sensors).len(), 1);
    // The second is of the first epoch that has readings left.
    assert_eq!(keyframes(&archive), [864_000, 2_008_000]);
    let complete_from = Epoch::new(MIDNIGHT - 5_000 + 1);
    assert_eq!(archive.catalogue().view().complete_from(), complete_from);
    drop(archive);
    let archive = start(dir.path(), &steps);
    assert_eq!(archive.catalogue().view().complete_from(), complete_from);
    assert_eq!(firsts(&archive, Table::Readings).len(), 4);
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    // Asked again for longer, it does not come back.
    archive.keeper().retire_older(NOON, all_for(1_000 * HOUR_MS)).unwrap();
    assert_eq!(archive.catalogue().view().complete_from(), complete_from);
}

#[test]
fn keyframes_go_with_their_readings() {
    let (_dir, archive) = written(&days());
    let readings = Retention { readings_ms: Some(HOUR_MS), ..Retention::default() };
    let late = Epoch::new(MIDNIGHT + 1_900_000);
    archive.keeper().retire_older(late, readings).unwrap();
    assert_eq!(firsts(&archive, Table::Readings), []);
    // What is written next is laid on the newest.
    assert_eq!(keyframes(&archive), [2_008_000]);
    assert_eq!(archive.catalogue().view().files(Table::Windows).len(), 8);
}

#[test]
fn keyframes_may_go_before_their_readings() {
    let (_dir, archive) = written(&days());
    let short = Retention { keyframes_ms: Some(HOUR_MS), ..Retention::default() };
    let late = Epoch::new(MIDNIGHT + 1_900_000);
    let done = archive.keeper().retire_older(late, short).unwrap();
    assert_eq!((done.files, done.keyframes), (0, 1));
    // The oldest is what all the readings are laid on; the newest could be written again.
    assert_eq!(keyframes(&archive), [0, 2_008_000]);
    assert_eq!(archive.catalogue().view().complete_from(), Epoch::ZERO);
}

#[test]
fn what_a_replay_writes_again_stays() {
    let (_dir, archive) = written(&days());
    archive.keeper().retire_older(Epoch::new(u64::MAX), all_for(0)).unwrap();
    let settled = archive.log_truncatable_through();
    assert_eq!(firsts(&archive, Table::Readings), []);
    let view = archive.catalogue().view();
    assert!(view.keyframes().iter().all(|keyframe| keyframe.epoch() > settled));
}

#[test]
fn killed_in_between_it_says_no_more_than_is_there() {
    let steps = days();
    for stop in 0..8 {
        let (dir, archive) = written(&steps);
        let before = files(dir.path());
        let mut taken = 0;
        archive.keeper().folder.lock().set_hook(Box::new(move |_, _| {
            taken += 1;
            if taken > stop { Err(io::Error::other("killed")) } else { Ok(()) }
        }));
        let done = archive.keeper().retire_older(NOON, all_for(12 * HOUR_MS));
        drop(archive);
        let is_done = done.is_ok();
        let left = files_of(&files(dir.path()), "readings").len();
        assert_eq!(left, if is_done { 4 } else { 8 }, "stop {stop}");
        assert!(is_done || before.keys().all(|path| dir.path().join(path).exists()));
        let archive = start(dir.path(), &steps);
        let view = archive.catalogue().view();
        let oldest = view.files(Table::Readings)[0].first();
        assert!(
            is_done != (oldest.number() < MIDNIGHT) && (!is_done || oldest >= view.complete_from())
        );
        archive.keeper().retire_older(NOON, all_for(12 * HOUR_MS)).unwrap();
        assert_eq!(firsts(&archive, Table::Readings).len(), 4);
        assert_eq!(is_done, stop >= 6, "{stop}");
    }
}

#[test]
fn a_damaged_mark_is_named() {
    let steps = days();
    let (dir, archive) = written(&steps);
    archive.keeper().retire_older(NOON, all_for(12 * HOUR_MS)).unwrap();
    drop(archive);
    fs::write(dir.path().join(MARKER), "17953").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let error = complete_from(&folder).unwrap_err().to_string();
    assert!(error.ends_with("/archive/retained-from"), "{error}");
}
