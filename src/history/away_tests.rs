//! Files that are in the store only: the same answers, and names for what is not to be had.

use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{Carrier, Credentials, StoreSettings, Table};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::tests::{Past, a_past, wait};
use super::*;

const QUESTIONS: [&str; 6] = [
    "SELECT epoch, sensor, quantity, event_time, value, lateness FROM readings ORDER BY 1, 2, 3, 4",
    "SELECT count(*), min(event_time), max(event_time), sum(value) FROM readings",
    "SELECT epoch, sensor, event_time FROM refusals ORDER BY 1, 2, 3",
    "SELECT sensor, window_start, revision, count, sum FROM windows ORDER BY 1, 2, 3",
    "SELECT sensor, value FROM readings WHERE epoch % 7 = 3 ORDER BY event_time, sensor LIMIT 11",
    "SELECT table_name, first_epoch, bytes, rows, first_time FROM files ORDER BY 1, 2",
];

/// A past of which all that may is in the store only; and the store.
struct Away {
    past: Past,
    store: TempDir,
    /// Who drives its requests.
    _runtime: Runtime,
}

fn texts(past: &Past, sql: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in past.ask(Question::new(sql)) {
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| arrow::util::display::array_value_to_string(column, row).unwrap());
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows
}

impl Away {
    fn of(mut past: Past) -> Away {
        let store = tempfile::tempdir().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let address = format!("file://{}", store.path().display()).parse().unwrap();
        let settings = StoreSettings { address, credentials: Credentials::default() };
        let way = (settings.open().unwrap(), runtime.handle().clone());
        let mut carrier = Carrier::new(way, "0123".to_owned(), 0, CancellationToken::new());
        carrier.carry(&past.archive.catalogue().view()).unwrap();
        let done = past.archive.keeper().send_away(Epoch::new(u64::MAX), 0).unwrap();
        assert!(done.files > 3, "{done:?}");
        let room = past.history.settings().clone();
        let way = Some(settings.open().unwrap());
        past.history = History::open(past.archive.catalogue(), way, room).unwrap();
        Away { past, store, _runtime: runtime }
    }

    fn sum(&self, partial: bool) -> Result<(String, Vec<String>), HistoryError> {
        // What a footer cannot answer.
        let sql = "SELECT sum(value) FROM readings";
        let question = Question { allow_partial: partial, ..Question::new(sql) };
        wait(async {
            let answer = self.past.history.ask(question).await?;
            let left_out = answer.left_out().to_vec();
            let batches = answer.collect().await?;
            let sum = arrow::util::display::array_value_to_string(batches[0].column(0), 0);
            Ok((sum.unwrap(), left_out))
        })
    }
}

#[test]
fn what_is_away_answers_the_same() {
    let past = a_past();
    let before = QUESTIONS.map(|sql| texts(&past, sql));
    let away = Away::of(past);
    for (sql, before) in QUESTIONS.iter().zip(before) {
        assert_eq!(texts(&away.past, sql), before, "{sql}");
    }
    let places = texts(&away.past, "SELECT DISTINCT place FROM files ORDER BY 1");
    assert!(places.contains(&"store".to_owned()), "{places:?}");
}

#[test]
fn what_the_store_lost_is_named_or_left_out() {
    let away = Away::of(a_past());
    let (all, left_out) = away.sum(true).unwrap();
    assert!(left_out.is_empty(), "{left_out:?}");
    let view = away.past.history.view();
    let file = view.files(Table::Readings).iter().find(|file| file.is_away()).unwrap();
    std::fs::remove_file(away.store.path().join(file.relative())).unwrap();
    let error = away.sum(false).unwrap_err();
    assert!(matches!(error, HistoryError::Damaged { .. }), "{error:?}");
    let name = file.relative().file_name().unwrap().to_string_lossy().into_owned();
    assert!(error.to_string().contains(&name), "{error}");
    let (fewer, left_out) = away.sum(true).unwrap();
    assert_eq!(left_out, [file.path().display().to_string()]);
    assert_ne!(fewer, all);
}

#[test]
fn without_a_store_it_says_where_they_are() {
    let mut away = Away::of(a_past());
    let room = away.past.history.settings().clone();
    away.past.history = History::open(away.past.archive.catalogue(), None, room).unwrap();
    let error = away.sum(false).unwrap_err().to_string();
    assert!(error.ends_with("it is in a store, and archive.store is not set"), "{error}");
    let (_, left_out) = away.sum(true).unwrap();
    assert!(!left_out.is_empty());
}
