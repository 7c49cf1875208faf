//! Views against a plain list of all rows: whatever was cut, written early, tried again on a full
//! disk or replayed after a crash, every row of the epochs through a view is in it once.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::city_tests::{City, START, Step};
use super::plain_tests::{keyframes, lines, rows};
use super::tables::Limit;
use super::tests::{life, open, read, run, temporary};
use super::*;

/// Rows of files that were read, by path: reading them takes most of the time.
pub(super) type Known = BTreeMap<PathBuf, Vec<String>>;

fn rows_of_file(file: &ArchiveFile) -> Vec<String> {
    let open = fs::File::open(file.path()).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(open).unwrap();
    assert_eq!(*reader.schema(), file.table().schema());
    let rows: Vec<_> = read(file.path()).iter().flat_map(lines).collect();
    assert_eq!(file.bounds().unwrap().rows, rows.len() as u64);
    assert_eq!(file.bytes(), fs::metadata(file.path()).unwrap().len());
    rows
}

/// Holds a view against the steps that were taken.
pub(super) fn check(view: &View, taken: &[Step], known: &mut Known) {
    assert_eq!(view.through(), taken.last().map_or(Epoch::ZERO, |(c, _)| c.snapshot.epoch));
    for table in Table::ALL {
        let mut found = Vec::new();
        for file in view.files(table) {
            let rows = known.entry(file.path().to_owned()).or_insert_with(|| rows_of_file(file));
            found.extend(rows.iter().cloned());
        }
        for batch in view.waiting(table).unwrap() {
            assert_eq!(batch.schema(), table.schema());
            assert!((1..=65_536).contains(&batch.num_rows()));
            found.extend(lines(&batch));
        }
        let mut expected: Vec<_> =
            taken.iter().flat_map(|(closed, _)| rows(closed, table)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{table:?} through {}", view.through());
        let ranges: Vec<_> = view.files(table).iter().flat_map(|f| [f.first(), f.last()]).collect();
        assert!(ranges.is_sorted(), "{ranges:?}");
    }
}

/// An archive that lives and dies over a list of steps.
struct Lives<'a> {
    dir: TempDir,
    steps: &'a [Step],
    archive: Option<Archive>,
    /// How many steps it has taken.
    taken: usize,
    known: Known,
    held: Vec<(Arc<View>, usize)>,
}

impl Lives<'_> {
    /// Opens the archive and goes on from the newest checkpoint.
    fn start(&mut self, disk_full_every: usize) {
        self.archive = None;
        self.known.clear();
        let mut archive = open(&self.dir);
        archive.tables.set_limits(Limit { rows: 60, bytes: 12_000 });
        let state: Option<u64> = checkpoint::newest(&archive.folder, None).unwrap();
        let of = |state| self.steps.iter().position(|(_, of)| *of == Some(state)).unwrap();
        self.taken = state.map_or(0, |state| of(state) + 1);
        let snapshot = self.steps[..self.taken].last().map(|(closed, _)| &closed.snapshot);
        archive.begin(snapshot, Some(self.steps[0].0.snapshot.epoch)).unwrap();
        let mut creations = 0;
        archive.folder.set_hook(Box::new(move |step, _| {
            creations += usize::from(step == folder::Step::Create);
            if step == folder::Step::Create && creations % disk_full_every == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }));
        check(&archive.catalogue().view(), &self.steps[..self.taken], &mut self.known);
        self.archive = Some(archive);
    }

    /// Takes steps up to this many; looks at every view on the way.
    fn reach(&mut self, end: usize) {
        let archive = self.archive.as_mut().unwrap();
        while self.taken < end {
            let (closed, state) = &self.steps[self.taken];
            let done = archive.take_with(closed, state.as_ref());
            let view = archive.catalogue().view();
            check(&view, &self.steps[..=self.taken], &mut self.known);
            match done {
                Ok(_) => {
                    self.taken += 1;
                    let keyframe = view.keyframe(view.through(), None).unwrap();
                    let expected = keyframes(&self.steps[..self.taken]).last().copied();
                    assert_eq!(keyframe.map(|(epoch, _)| epoch), expected.map(|(epoch, _)| epoch));
                    self.held.push((view, self.taken));
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    }
}

/// Epochs later, readings, sensors that move, whether it ends with a cut.
type Plan = (u64, Vec<(u32, i64, i32)>, Vec<(u32, f64)>, bool);

fn plan() -> impl Strategy<Value = Plan> {
    (
        prop_oneof![4 => 1_u64..50, 1 => 1_u64..20_000],
        prop::collection::vec((0_u32..9, 0_i64..1_000_000, -99..99_i32), 0..40),
        prop::collection::vec((0_u32..9, 10.0..11.0_f64), 0..3),
        prop::bool::weighted(0.2),
    )
}

fn steps(plans: Vec<Plan>) -> Vec<Step> {
    let mut city = City::new();
    let mut epoch = START;
    let all: Vec<_> = (0..9).map(|sensor| (sensor, 10.5 + f64::from(sensor) / 100.0)).collect();
    city.close(epoch, &all, &[]);
    for (later, readings, moved, cut) in plans {
        epoch += later;
        let readings: Vec<_> = readings
            .iter()
            .map(|(who, when, halves)| (*who, *when, f64::from(*halves) / 2.0))
            .collect();
        city.close(epoch, &moved, &readings);
        if cut {
            city.cut();
        }
    }
    city.steps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_row_is_in_a_view_once(
        plans in prop::collection::vec(plan(), 1..30),
        crashes in prop::collection::vec(0_usize..30, 0..3),
        disk_full_every in 2_usize..9,
    ) {
        let steps = steps(plans);
        let mut lives = Lives {
            dir: temporary(), steps: &steps, archive: None, taken: 0,
            known: Known::new(), held: Vec::new(),
        };
        lives.start(disk_full_every);
        for crash in crashes {
            lives.reach(crash.min(steps.len()));
            lives.start(disk_full_every);
        }
        lives.reach(steps.len());
        // What was given out does not change, whatever came after it.
        let mut known = Known::new();
        for (view, taken) in &lives.held {
            check(view, &steps[..*taken], &mut known);
        }
    }
}

#[test]
fn bounds_are_those_of_the_rows() {
    let dir = temporary();
    let mut archive = open(&dir);
    archive.begin(None, None).unwrap();
    run(&mut archive, &life()).unwrap();
    let view = archive.catalogue().view();
    let span = |table: Table| -> Vec<_> {
        let bounds = view.files(table).iter().map(|file| *file.bounds().unwrap());
        let times = |one: Bounds| one.event_times.map(|(first, last)| (first.ms(), last.ms()));
        bounds.map(|bounds| (bounds.rows, times(bounds))).collect()
    };
    let readings = [
        (4, Some((7_000, 7_005))),
        (1, Some((8_000, 8_000))),
        (3, Some((8_001, 8_400))),
        (1, Some((9_100, 9_100))),
    ];
    assert_eq!(span(Table::Readings), readings);
    assert_eq!(span(Table::Windows), readings);
    assert_eq!(span(Table::CellWindows), readings);
    assert_eq!(span(Table::Refusals), [(2, Some((7_001, 7_002))), (2, Some((8_001, 8_002)))]);
    assert_eq!(span(Table::Sensors), [(2, None), (1, None), (1, None)]);
}

#[test]
fn a_file_without_a_footer_is_named() {
    let dir = temporary();
    let mut archive = open(&dir);
    archive.begin(None, None).unwrap();
    run(&mut archive, &life()).unwrap();
    drop(archive);
    let mut archive = open(&dir);
    archive.begin(None, None).unwrap();
    let file = Arc::clone(&archive.catalogue().view().files(Table::Readings)[0]);
    let whole = fs::read(file.path()).unwrap();
    fs::write(file.path(), b"PAR1 and no more PAR2").unwrap();
    let error = file.bounds().unwrap_err().to_string();
    assert!(error.starts_with("cannot read the footer of /"), "{error}");
    fs::write(file.path(), whole).unwrap();
    assert_eq!(file.bounds().unwrap().rows, 4);
}

#[test]
fn a_retired_file_stays_while_a_view_names_it() {
    let dir = temporary();
    let mut archive = open(&dir);
    archive.begin(None, None).unwrap();
    run(&mut archive, &life()).unwrap();
    let view = archive.catalogue().view();
    drop(archive);
    let path = view.files(Table::Readings)[1].path().to_owned();
    let other = view.files(Table::Readings)[0].path().to_owned();
    view.files(Table::Readings)[1].retire();
    assert!(path.is_absolute() && path.exists());
    drop(view);
    assert!(!path.exists());
    assert!(other.exists());
}
