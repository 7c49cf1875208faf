//! Questions: what is refused and how, where rows are looked for, what memory and readers cost.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use citytwin_core::position::Position;
use citytwin_core::time::Epoch;
use h3o::Resolution;

use super::tests::{a_past, described, texts, wait, whole};
use super::*;

#[test]
fn what_cannot_be_is_told() {
    let past = a_past();
    let told = |sql: &str| -> String {
        let answer = wait(async { past.history.ask(Question::new(sql)).await?.collect().await });
        let error = answer.unwrap_err();
        assert!(matches!(error, HistoryError::Question(_)), "{error:?}");
        error.to_string()
    };
    let check = |sql: &str, part: &str| {
        let told = told(sql);
        assert!(told.contains(part), "{sql}: {told}");
    };
    check("SELEC 1", "SELEC");
    check("SELECT * FROM reading", "reading");
    check("SELECT valu FROM readings", "valu");
    check("DROP TABLE readings", "DDL");
    check("INSERT INTO readings SELECT * FROM readings", "DML");
    check("COPY readings TO '/tmp/x.parquet'", "DML");
    check("SET datafusion.execution.batch_size = 1", "not supported");
    check("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc'", "DDL");
    check("SELECT h3_cell(10.7, 106.7, 16)", "16");
    check("SELECT h3_parent(7, 5)", "7 is no H3 cell");
    check("SELECT st_within(10.7, 106.7, 'CIRCLE')", "CIRCLE");
    check("SELECT 1 / (count(*) - count(*)) FROM readings", "ivide");
}

#[test]
fn a_question_for_a_sensor_looks_into_its_cells() {
    let past = a_past();
    let cell = u64::from(described(2, false).description.position.cell(Resolution::Nine));
    let plan = |filter: &str| {
        let sql = format!("EXPLAIN SELECT value FROM readings WHERE {filter}");
        past.ask(Question::new(sql)).iter().flat_map(|batch| texts(batch, 1)).collect::<String>()
    };
    let looks = |filter: &str| plan(filter).contains(&cell.to_string());
    assert!(looks("sensor = 'town/s2'"), "{}", plan("sensor = 'town/s2'"));
    assert!(looks("value > 1 AND sensor IN ('town/s1', 'town/s2')"));
    assert!(looks("sensor = 'town/s1' OR 'town/s2' = sensor"));
    assert!(!looks("sensor = 'town/s2' OR value > 1"));
    assert!(!looks("NOT sensor = 'town/s2'"));
    assert!(!looks("sensor = 'town/unknown'"));
}

#[test]
fn texts_are_grouped_as_views_and_leave_as_they_were() {
    let past = a_past();
    let sql = |groups: &str| {
        format!("SELECT {groups}, count(*) AS n, max(value) FROM readings GROUP BY {groups}")
    };
    let plan = past.ask(Question::new(format!("EXPLAIN {}", sql("sensor, quantity"))));
    let plan: String = plan.iter().flat_map(|batch| texts(batch, 1)).collect();
    assert!(plan.contains("Utf8View"), "{plan}");
    let sensors: BTreeMap<String, i64> = counted(&past.ask(Question::new(sql("sensor"))));
    let mut told = BTreeMap::new();
    for batch in past.ask(Question::new("SELECT sensor FROM readings")) {
        for sensor in texts(&batch, 0) {
            *told.entry(sensor).or_default() += 1;
        }
    }
    assert_eq!(sensors, told);
    let stored = past.ask(Question::new("SELECT sensor, quantity FROM readings"))[0].schema();
    for batch in past.ask(Question::new(sql("sensor, quantity"))) {
        let schema = batch.schema();
        for (column, name) in ["sensor", "quantity", "n"].iter().enumerate() {
            assert_eq!(schema.field(column).name(), name);
        }
        assert_eq!(schema.field(0).data_type(), stored.field(0).data_type());
        assert_eq!(schema.field(1).data_type(), stored.field(1).data_type());
    }
    let one = |sql: &str| whole(&past.ask(Question::new(sql))[0], 0)[0];
    let all = i64::try_from(told.len()).unwrap();
    assert_eq!(one("SELECT count(*) FROM (SELECT DISTINCT sensor, quantity FROM readings)"), all);
    assert_eq!(one("SELECT count(DISTINCT sensor) FROM readings"), all);
    let rolled = "SELECT count(*) FROM (SELECT count(*) FROM readings GROUP BY ROLLUP (sensor))";
    assert_eq!(one(rolled), all + 1);
    let some = "SELECT count(*) FROM (SELECT sensor FROM readings GROUP BY sensor, quantity \
                HAVING sensor <> 'town/s1' AND count(*) > 0)";
    assert_eq!(one(some), all - 1);
}

/// The texts of the first column with the numbers of the second.
fn counted(batches: &[RecordBatch]) -> BTreeMap<String, i64> {
    batches.iter().flat_map(|batch| texts(batch, 0).into_iter().zip(whole(batch, 1))).collect()
}

#[test]
fn a_ward_of_cells_rules_out_row_groups() {
    let past = a_past();
    let cell = described(2, false).description.position.cell(Resolution::Nine);
    let ward: Vec<_> = cell.grid_disk(4);
    let ward: Vec<String> = ward.into_iter().map(|cell| u64::from(cell).to_string()).collect();
    let sql = format!("EXPLAIN SELECT value FROM readings WHERE cell IN ({})", ward.join(", "));
    let plan = past.ask(Question::new(sql));
    let plan: String = plan.iter().flat_map(|batch| texts(batch, 1)).collect();
    assert!(plan.contains("cell_min"), "{plan}");
}

#[test]
fn a_damaged_file_is_named_or_left_out() {
    let past = a_past();
    let view = past.history.view();
    let file = &view.files(citytwin_ingest::archive::Table::Readings)[0];
    let rows = |partial: bool| {
        let sql = "SELECT count(*) FROM readings";
        let question = Question { allow_partial: partial, ..Question::new(sql) };
        wait(async {
            let answer = past.history.ask(question).await?;
            let left_out = answer.left_out().to_vec();
            Ok::<_, HistoryError>((whole(&answer.collect().await?[0], 0)[0], left_out))
        })
    };
    let bytes = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), &bytes[..bytes.len() / 2]).unwrap();
    let error = rows(false).unwrap_err();
    let HistoryError::Damaged { path, .. } = &error else { panic!("{error:?}") };
    assert_eq!(path, file.path());
    let (fewer, left_out) = rows(true).unwrap();
    assert_eq!(left_out, [file.path().display().to_string()]);
    std::fs::write(file.path(), &bytes).unwrap();
    let (all, left_out) = rows(false).unwrap();
    assert!(left_out.is_empty() && fewer < all, "{fewer} of {all}");
}

#[test]
fn functions_agree_with_their_libraries() {
    let past = a_past();
    let one = |sql: &str| -> String {
        let batches = past.ask(Question::new(format!("SELECT {sql}")));
        arrow::util::display::array_value_to_string(batches[0].column(0), 0).unwrap()
    };
    let cell = Position::new(10.7, 106.7).unwrap().cell(Resolution::Nine);
    assert_eq!(one("h3_cell(10.7, 106.7, 9)"), u64::from(cell).to_string());
    assert_eq!(one("h3_to_string(h3_cell(10.7, 106.7, 9))"), cell.to_string());
    assert_eq!(one(&format!("h3_from_string('{cell}')")), u64::from(cell).to_string());
    let parent = cell.parent(Resolution::Six).unwrap();
    assert_eq!(one("h3_to_string(h3_parent(h3_cell(10.7, 106.7, 9), 6))"), parent.to_string());
    assert_eq!(one("array_length(h3_children(h3_cell(10.7, 106.7, 7), 9))"), "49");
    assert_eq!(one("array_length(h3_grid_disk(h3_cell(10.7, 106.7, 9), 1))"), "7");
    assert_eq!(one("h3_resolution(h3_cell(10.7, 106.7, 4))"), "4");
    assert!(one("h3_boundary_wkt(h3_cell(10.7, 106.7, 9))").starts_with("POLYGON((106."));
    let ring = "'POLYGON((106 10, 107 10, 107 11, 106 11, 106 10))'";
    assert_eq!(one(&format!("st_within(10.7, 106.7, {ring})")), "true");
    assert_eq!(one(&format!("st_within(10.7, 107.7, {ring})")), "false");
    let time = "arrow_cast('2026-11-20T07:52:30Z', 'Timestamp(Millisecond, Some(\"UTC\"))')";
    assert_eq!(one(&format!("time_bucket('15 minutes', {time})")), "2026-11-20T07:45:00Z");
    assert_eq!(one(&format!("epoch_time(epoch_of({time}))")), "2026-11-20T07:52:30.100Z");
}

#[test]
fn sorting_more_than_memory_goes_to_disk() {
    let mut past = a_past();
    let settings = Settings { memory: 32 << 20, ..past.history.settings().clone() };
    past.history = History::open(past.archive.catalogue(), None, settings).unwrap();
    let readings = past.closed.iter().map(|epoch| epoch.readings.len()).sum::<usize>();
    // Rows of some 100 bytes: far more than the memory holds.
    let sql = "SELECT count(*) FROM (SELECT repeat(h3_to_string(a.cell), 5) AS text, x.value AS n \
               FROM readings a CROSS JOIN unnest(range(40000)) AS x(value) ORDER BY text, n DESC)";
    let rows: Vec<RecordBatch> = past.ask(Question::new(sql));
    assert_eq!(whole(&rows[0], 0)[0], i64::try_from(readings * 40_000).unwrap());
}

#[test]
fn whoever_stops_reading_ends_the_query() {
    let past = a_past();
    let endless = "SELECT x.value FROM unnest(range(100000)) AS x(value) \
                   CROSS JOIN unnest(range(100000)) AS y(value)";
    for _ in 0..6 {
        // More than may run at once: each must have ended for the next to begin.
        let first = wait(async {
            let mut answer = past.history.ask(Question::new(endless)).await?;
            answer.next().await
        });
        assert!(first.unwrap().is_some());
    }
    assert_eq!(past.ask(Question::new("SELECT 1")).len(), 1);
    drop(past.dir);
}

#[test]
fn a_moment_before_the_archive_is_refused() {
    let past = a_past();
    let moment = Moment { known_at: Some(Epoch::new(5)), ..Moment::default() };
    let error = wait(past.history.as_of(moment)).unwrap_err();
    assert!(matches!(error, HistoryError::TooEarly(_)), "{error:?}");
    assert!(error.to_string().contains("2023-11-14T22:13:2"), "{error}");
}
