//! What is away is answered from the store, what is here from the disk, and nothing from both or
//! neither, wherever a crash comes.

use std::io;

use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::city_tests::Step as Life;
use super::super::compact::tests::{days, on_disk, start, written};
use super::super::delta::tests::{expected, leave};
use super::super::plain_tests::lines;
use super::super::store::tests::{RUNTIME, carry, check_all, get, named, to};
use super::super::tests::{all_files, read as read_here};
use super::super::{Archive, Carrier, Retention, verify};
use super::*;

const NEVER: Epoch = Epoch::new(u64::MAX);

/// The rows of a view, each file read where it is.
fn everything(archive: &Archive, memory: &InMemory, table: Table) -> Vec<String> {
    let view = archive.catalogue().view();
    let mut rows = Vec::new();
    for file in view.files(table) {
        let before = rows.len();
        if file.is_away() {
            let path = file.relative().display().to_string();
            let bytes = RUNTIME.block_on(get(memory, &path)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes());
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
            rows.extend(reader.flat_map(|batch| lines(&batch.unwrap())));
        } else {
            rows.extend(read_here(file.path()).iter().flat_map(lines));
        }
        assert_eq!(file.bounds().unwrap().rows, (rows.len() - before) as u64);
        file.check().unwrap();
    }
    rows.extend(view.waiting(table).unwrap().iter().flat_map(lines));
    rows.sort();
    rows
}

/// Every row is in the view once, wherever it is.
pub(in super::super) fn check_everything(archive: &Archive, memory: &InMemory, life: &[Life]) {
    let through = archive.catalogue().view().through().number();
    for table in Table::ALL {
        let found = everything(archive, memory, table);
        assert_eq!(found, expected(life, table, through), "{table:?}");
    }
}

fn stored(life: &[Life]) -> (tempfile::TempDir, Archive, Arc<InMemory>, Carrier) {
    let (dir, archive) = written(life);
    let memory = Arc::new(InMemory::new());
    let mut carrier = to(Arc::clone(&memory) as _, "0123", 0);
    carry(&mut carrier, &archive).unwrap();
    (dir, archive, memory, carrier)
}

fn away(archive: &Archive) -> usize {
    let view = archive.catalogue().view();
    let files = Table::ALL.into_iter().flat_map(|table| view.files(table));
    files.filter(|file| file.is_away()).count()
}

#[test]
fn away_it_is_the_same_archive() {
    let life = days();
    let (dir, archive, memory, mut carrier) = stored(&life);
    let bounds = |archive: &Archive| -> Vec<Bounds> {
        let view = archive.catalogue().view();
        let files = Table::ALL.into_iter().flat_map(|table| view.files(table));
        files.map(|file| *file.bounds().unwrap()).collect()
    };
    let before = bounds(&archive);
    let held = archive.catalogue().view();
    let done = archive.keeper().send_away(NEVER, 0).unwrap();
    assert_eq!(done.files, away(&archive) as u64);
    assert!(done.files > 20 && done.bytes > 0, "{done:?}");
    assert!(held.files(Table::Readings).iter().all(|file| file.path().exists()));
    drop(held);
    check_everything(&archive, &memory, &life);
    // The store goes on naming them, and then they go.
    carry(&mut carrier, &archive).unwrap();
    check_all(&memory, &life);
    let readings = archive.catalogue().view();
    assert!(
        readings.files(Table::Readings).iter().all(|file| file.is_away() != file.path().exists())
    );
    assert_eq!(bounds(&archive), before);
    assert!(archive.catalogue().view().files(Table::Sensors).iter().all(|file| !file.is_away()));
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    assert_eq!(archive.keeper().send_away(NEVER, 0).unwrap(), SentAway::default());
    // And whoever goes on from there.
    drop(archive);
    let archive = start(dir.path(), &life);
    assert_eq!(away(&archive) as u64, done.files);
    check_everything(&archive, &memory, &life);
    assert_eq!(bounds(&archive), before);
    assert_eq!(archive.bytes(), on_disk(dir.path()));
    carry(&mut to(Arc::clone(&memory) as _, "0123", 0), &archive).unwrap();
    check_all(&memory, &life);
}

#[test]
fn killed_anywhere_nothing_is_lost_or_twice() {
    let life: Vec<_> = days().into_iter().take(4).collect();
    for stop in 0.. {
        let (dir, archive, memory, _) = stored(&life);
        let mut taken = 0;
        archive.keeper().folder.lock().set_hook(Box::new(move |_, _| {
            taken += 1;
            if taken > stop { Err(io::Error::other("killed")) } else { Ok(()) }
        }));
        let is_done = archive.keeper().send_away(NEVER, 0).is_ok();
        check_everything(&archive, &memory, &life);
        leave(archive);
        let archive = start(dir.path(), &life);
        check_everything(&archive, &memory, &life);
        let all = all_files(dir.path());
        let markers = all.keys().filter_map(|path| stands_for(Path::new(path)));
        for file in markers {
            assert!(!all.contains_key(file.to_str().unwrap()), "{file:?} is in two places");
        }
        assert_eq!(archive.bytes(), on_disk(dir.path()));
        carry(&mut to(Arc::clone(&memory) as _, "0123", 0), &archive).unwrap();
        archive.keeper().send_away(NEVER, 0).unwrap();
        assert!(away(&archive) > 5);
        check_everything(&archive, &memory, &life);
        check_all(&memory, &life);
        if is_done && stop > 20 {
            return;
        }
    }
}

#[test]
fn what_is_not_known_to_be_stored_stays() {
    let life = days();
    let (_dir, archive) = written(&life);
    assert_eq!(archive.keeper().send_away(NEVER, 0).unwrap(), SentAway::default());
    let (_dir, archive, _, _) = stored(&life);
    let last = archive.catalogue().view().filed_through();
    assert_eq!(archive.keeper().send_away(last, 1 << 40).unwrap(), SentAway::default());
}

#[test]
fn what_is_away_is_not_merged_and_is_let_go() {
    let life = days();
    let (dir, archive, memory, mut carrier) = stored(&life);
    archive.keeper().send_away(NEVER, 0).unwrap();
    carry(&mut carrier, &archive).unwrap();
    let before = archive.catalogue().view().files(Table::Readings).len();
    archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
    check_everything(&archive, &memory, &life);
    assert_eq!(archive.catalogue().view().files(Table::Readings).len(), before);
    let kept = Retention { readings_ms: Some(1), ..Retention::default() };
    archive.keeper().retire_older(NEVER, kept).unwrap();
    let view = archive.catalogue().view();
    let left: Vec<_> = view.files(Table::Readings).iter().map(|file| file.relative()).collect();
    assert!(left.len() < before);
    carry(&mut carrier, &archive).unwrap();
    let readings = |paths: Vec<String>| {
        paths.iter().filter(|path| path.starts_with("archive/readings/")).count()
    };
    assert_eq!(readings(named(&memory).into_iter().collect()), left.len());
    let here = all_files(dir.path()).into_keys().filter(|path| !path.contains("_delta_log"));
    assert_eq!(readings(here.collect()), left.len());
    assert_eq!(archive.bytes(), on_disk(dir.path()));
}

#[test]
fn no_merged_file_takes_in_one_that_is_away() {
    let life = days();
    let (dir, archive, memory, _) = stored(&life);
    drop(archive);
    let archive = start(dir.path(), &life);
    archive.catalogue().view().files(Table::Readings)[1].set_stored();
    assert_eq!(archive.keeper().send_away(NEVER, 0).unwrap().files, 1);
    let done = archive.keeper().compact_all(NEVER, || false, |_| ()).unwrap();
    assert!(done.unreadable.is_empty(), "{done:?}");
    check_everything(&archive, &memory, &life);
    let view = archive.catalogue().view();
    let files = view.files(Table::Readings);
    assert!(files.windows(2).all(|two| two[0].last() < two[1].first()), "{files:?}");
    // The other day was merged all the same.
    assert_eq!(files.len(), 5);
}

#[test]
fn verification_says_what_it_did_not_look_at() {
    let life = days();
    let (dir, archive, _, _) = stored(&life);
    let done = archive.keeper().send_away(NEVER, 0).unwrap();
    drop(archive);
    fs::remove_dir_all(dir.path().join("checkpoint")).unwrap();
    let found = verify(dir.path(), |_| ()).unwrap();
    assert_eq!(found.away, done.files);
    assert!(found.findings.is_empty(), "{found:?}");
}

#[test]
fn a_damaged_marker_is_named() {
    let life = days();
    let (dir, archive, _, _) = stored(&life);
    archive.keeper().send_away(NEVER, 0).unwrap();
    let file = archive.catalogue().view().files(Table::Readings)[0].path().with_extension(ENDING);
    drop(archive);
    fs::write(&file, "{").unwrap();
    let mut archive = Archive::open(dir.path(), super::super::ArchiveSettings::default()).unwrap();
    let error = archive.begin(None, Some(Epoch::new(u64::MAX))).unwrap_err().to_string();
    assert_eq!(error, format!("cannot read {}", file.display()));
}

#[test]
fn what_is_nowhere_is_left_out() {
    let life = days();
    let (_dir, archive, _, _) = stored(&life);
    let done = archive.keeper().send_away(NEVER, 0).unwrap();
    let other = Arc::new(InMemory::new());
    let carried = carry(&mut to(Arc::clone(&other) as _, "0123", 0), &archive).unwrap();
    assert_eq!(carried.left_out, done.files);
    assert_eq!(carried.files, named(&other).len() as u64);
}
