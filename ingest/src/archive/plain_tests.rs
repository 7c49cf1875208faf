//! The tables the plain way: every row of closed epochs, and every row of a batch, as one line of
//! text with all its columns, so that lists of them can be compared.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimestampMillisecondType};
use citytwin_core::dataflow::{ClosedEpoch, Lateness};
use citytwin_core::sensor::SensorIndex;
use citytwin_core::window::Aggregate;
use h3o::Resolution;

use super::city_tests::Step;
use super::*;

/// The rows of a batch.
pub(super) fn lines(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<Vec<String>> = batch.columns().iter().map(texts).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join("|"))
        .collect()
}

fn texts(column: &ArrayRef) -> Vec<String> {
    fn all<T: std::fmt::Debug>(values: &[T]) -> Vec<String> {
        values.iter().map(|value| format!("{value:?}")).collect()
    }
    assert_eq!(column.null_count(), 0);
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        all(numbers.values())
    } else if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        all(numbers.values())
    } else if let Some(numbers) = column.as_primitive_opt::<Float32Type>() {
        all(numbers.values())
    } else if let Some(times) = column.as_primitive_opt::<TimestampMillisecondType>() {
        all(times.values())
    } else if let Some(heads) = column.as_binary_opt::<i32>() {
        heads.iter().map(|bytes| format!("{:?}", bytes.unwrap())).collect()
    } else {
        let texts = cast(column, &DataType::Utf8).unwrap();
        texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
    }
}

/// The rows of one closed epoch, by table.
pub(super) fn rows(closed: &ClosedEpoch, table: Table) -> Vec<String> {
    let epoch = closed.snapshot.epoch.number();
    match table {
        Table::Readings => closed.readings.iter().map(|row| {
            let lateness = match row.lateness {
                Lateness::OnTime => "on_time",
                Lateness::Revised => "revised",
                Lateness::ArchivedOnly => "archived_only",
            };
            let (key, kind, cell) = place(closed, row.sensor);
            let (quantity, time) = (row.quantity.name(), row.event_time.ms());
            format!("{epoch}|{key}|{kind}|{quantity}|{cell}|{time}|{:?}|{lateness}", row.value)
        }).collect(),
        Table::Refusals => closed.refusals.iter().map(|row| {
            let (key, kind, cell) = place(closed, row.sensor);
            let (quantity, time) = (row.quantity.name(), row.event_time.ms());
            format!("{epoch}|{key}|{kind}|{quantity}|{cell}|{time}|{}", row.outcome.name())
        }).collect(),
        Table::Windows => closed.windows.iter().map(|row| {
            let (key, kind, cell) = place(closed, row.sensor);
            let (quantity, start, revision) = (row.quantity.name(), row.start.ms(), row.revision);
            let sums = sums(&row.aggregate);
            let time = row.aggregate.last_time.ms();
            format!("{key}|{kind}|{quantity}|{cell}|{start}|60000|{revision}|{epoch}|{sums}|{time}")
        }).collect(),
        Table::CellWindows => closed.cell_windows.iter().map(|row| {
            let (cell, resolution) = (u64::from(row.cell), row.cell.resolution());
            let (quantity, start, revision) = (row.quantity.name(), row.start.ms(), row.revision);
            let (sensors, sums) = (row.sensors, sums(&row.aggregate));
            #[expect(clippy::cast_possible_truncation, reason = "as the column is")]
            let quantiles = row.quantiles.map(|value| format!("{:?}", value as f32)).join("|");
            format!(
                "{cell}|{resolution}|{quantity}|{start}|60000|{revision}|{epoch}|{sensors}|{sums}|{quantiles}"
            )
        }).collect(),
        Table::Sensors => closed.sensors.iter().map(|row| {
            let about = &row.description;
            let (latitude, longitude) = (about.position.latitude_deg(), about.position.longitude_deg());
            let cell = u64::from(about.position.cell(Resolution::Nine));
            format!(
                "{epoch}|{}|{}|{latitude:?}|{longitude:?}|{cell}|{}|{}|{}|{}|{}|{:?}|{}",
                row.key, about.kind.name(), about.expected_interval_ms, about.name, about.link,
                about.lane, about.zone, about.free_flow_speed_kmh, about.lanes
            )
        }).collect(),
        Table::DeadLetters => closed.dead_letters.iter().map(|row| {
            let (reason, detail, topic) = (row.reason.name(), &row.detail, &row.topic);
            format!("{epoch}|{reason}|{detail}|{topic}|{:?}|{}", row.head, row.payload_bytes)
        }).collect(),
    }
}

/// Epochs that have a keyframe, with their newest event time.
pub(super) fn keyframes(steps: &[Step]) -> Vec<(Epoch, EventTime)> {
    let mut last = None;
    let mut keyframes = Vec::new();
    for (closed, state) in steps {
        let Some(state) = state else { continue };
        let epoch = closed.snapshot.epoch;
        // 900 seconds.
        let quarter = epoch.number() * 100 / 900_000;
        if last != Some(quarter) {
            keyframes.push((epoch, state.newest_event_time()));
        }
        last = Some(quarter);
    }
    keyframes
}

/// Key, kind and cell of a sensor as of an epoch.
fn place(closed: &ClosedEpoch, sensor: SensorIndex) -> (String, &'static str, u64) {
    let registered = Arc::clone(closed.snapshot.sensors.get(sensor).unwrap());
    let about = &registered.description;
    let cell = u64::from(about.position.cell(Resolution::Nine));
    (registered.key.to_string(), about.kind.name(), cell)
}

fn sums(aggregate: &Aggregate) -> String {
    let Aggregate { count, sum, min, max, last, .. } = aggregate;
    format!("{count}|{sum:?}|{min:?}|{max:?}|{last:?}")
}
