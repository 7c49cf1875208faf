//! Every file is read back by the library that others read it with.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use citytwin_proto::v1;
use geojson::{FeatureCollection, GeometryValue};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::bytes::Bytes;

use super::{
    LinkLines, LinkTable, PlaceKind, PlaceTable, RoadLinks, TableFormat, write_difference_lines,
    write_differences,
};

fn roads() -> Vec<v1::RoadLink> {
    let at = |longitude_deg| v1::Point { latitude_deg: 10.5, longitude_deg };
    let link = |key: &str, name: &str| v1::RoadLink {
        key: key.to_owned(),
        name: name.to_owned(),
        class: "primary".to_owned(),
        length_m: 120.0,
        lanes: 2,
        line: vec![at(106.5), at(106.75)],
        ..v1::RoadLink::default()
    };
    vec![link("a", "Điện Biên Phủ"), link("b", "Lê Lợi, \"cũ\"")]
}

/// Two intervals of five and fifteen minutes; the first comes in two parts. Link `new` is in no
/// network.
fn figures() -> Vec<v1::IntervalFigures> {
    let link = |key: &str, flow_veh_h: f64| v1::LinkFigures {
        link: key.to_owned(),
        flow_veh_h,
        entered_veh_h: flow_veh_h + 1.0,
        speed_kmh: 30.5,
        density_veh_km: 8.0,
        queue_veh: flow_veh_h / 100.0,
        delay_veh_h: 0.25,
        measured: key == "a",
        quality: 0.75,
    };
    let place = |key: &str, speed_kmh| v1::PlaceFigures {
        key: key.to_owned(),
        vehicle_km: 12.5,
        speed_kmh,
        ..v1::PlaceFigures::default()
    };
    let part = |from_s, until_s, links| v1::IntervalFigures {
        interval: Some(v1::TimeSpan { from_s, until_s }),
        links,
        ..v1::IntervalFigures::default()
    };
    let mut parts = vec![
        part(0.0, 300.0, vec![link("b", 400.0), link("a", 800.0)]),
        part(0.0, 300.0, vec![link("new", 0.0)]),
        part(300.0, 1_200.0, vec![link("b", 800.0), link("a", 400.0), link("new", -0.0)]),
    ];
    parts[0].zones = vec![place("quận 1", Some(20.0)), place("quận 2", None)];
    parts[2].cells = vec![place("8965b566183ffff", Some(25.0))];
    parts
}

fn comparison() -> v1::CompareOutcomesResponse {
    let link = |key: &str, found: &str, delay_veh_h| v1::LinkDifference {
        link: key.to_owned(),
        name: format!("Phố {key}"),
        found: found.to_owned(),
        delay_veh_h,
        speed_kmh: -3.5,
        ..v1::LinkDifference::default()
    };
    v1::CompareOutcomesResponse {
        links: vec![link("new", "second", 7.5), link("a", "both", f64::NAN)],
        ..v1::CompareOutcomesResponse::default()
    }
}

fn link_table(format: TableFormat) -> Vec<u8> {
    let roads = roads();
    let (mut out, roads) = (Vec::new(), RoadLinks::new(&roads));
    let mut table = LinkTable::new(&mut out, format, &roads).unwrap();
    for part in figures() {
        table.add(&part).unwrap();
    }
    table.finish().unwrap();
    out
}

fn place_table(format: TableFormat, kind: PlaceKind) -> Vec<u8> {
    let mut out = Vec::new();
    let mut table = PlaceTable::new(&mut out, format, kind).unwrap();
    for part in figures() {
        table.add(&part).unwrap();
    }
    table.finish().unwrap();
    out
}

fn csv_rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn parquet_rows(bytes: Vec<u8>) -> RecordBatch {
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    batch
}

fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

fn features(bytes: Vec<u8>) -> FeatureCollection {
    String::from_utf8(bytes).unwrap().parse().unwrap()
}

#[test]
fn links_as_csv() {
    let rows = csv_rows(&link_table(TableFormat::Csv));
    assert_eq!(rows.len(), 1 + 6);
    assert_eq!(rows[0][2..6], ["link", "name", "class", "flow_pcu_h"]);
    assert_eq!(
        rows[1],
        [
            "0",
            "300",
            "b",
            "Lê Lợi, \"cũ\"",
            "primary",
            "400",
            "401",
            "30.5",
            "8",
            "4",
            "0.25",
            "false",
            "0.75"
        ]
    );
    assert_eq!(rows[6][2..6], ["new", "", "", "0"]);
}

#[test]
fn links_as_parquet() {
    let rows = parquet_rows(link_table(TableFormat::Parquet));
    assert_eq!((rows.num_rows(), rows.num_columns()), (6, 13));
    assert_eq!(texts(&rows, "name")[1], "Điện Biên Phủ");
    assert_eq!(numbers(&rows, "flow_pcu_h")[1], Some(800.0));
    assert_eq!(numbers(&rows, "interval_until_s")[5], Some(1_200.0));
    let measured = rows.column_by_name("measured").unwrap().as_boolean().clone();
    assert!(measured.value(1) && !measured.value(0));
}

#[test]
fn links_as_lines_have_means_by_time() {
    let mut lines = LinkLines::new();
    for part in figures() {
        lines.add(&part);
    }
    let roads = roads();
    let mut out = Vec::new();
    lines.write(&mut out, &RoadLinks::new(&roads)).unwrap();
    let collection = features(out);
    assert_eq!(collection.features.len(), 3);
    let first = &collection.features[0];
    // 5 minutes of 800 and 15 of 400
    assert_eq!(first.property("flow_pcu_h").unwrap(), 500.0);
    assert_eq!(first.property("queue_max_pcu").unwrap(), 8.0);
    assert_eq!(first.property("delay_pcu_h").unwrap(), 0.5);
    let GeometryValue::LineString { coordinates } = &first.geometry.as_ref().unwrap().value else {
        panic!("a line")
    };
    assert_eq!(coordinates[1].as_slice(), [106.75, 10.5]);
    assert!(collection.features[2].geometry.is_none());
}

#[test]
fn differences_in_all_formats() {
    let roads = roads();
    let roads = RoadLinks::new(&roads);
    let table = |format| {
        let mut out = Vec::new();
        write_differences(&mut out, format, &comparison(), &roads).unwrap();
        out
    };
    let rows = csv_rows(&table(TableFormat::Csv));
    assert_eq!(rows[1], ["new", "Phố new", "", "second", "0", "-3.5", "0", "0", "7.5"]);
    assert_eq!(rows[2][8], "");
    let rows = parquet_rows(table(TableFormat::Parquet));
    assert_eq!(numbers(&rows, "delay_change_pcu_h"), [Some(7.5), None]);
    assert_eq!(texts(&rows, "name"), ["Phố new", "Điện Biên Phủ"]);

    let mut out = Vec::new();
    write_difference_lines(&mut out, &comparison(), &roads).unwrap();
    let collection = features(out);
    assert_eq!(collection.features.len(), 2);
    assert_eq!(collection.features[0].property("delay_change_pcu_h").unwrap(), 7.5);
    assert!(collection.features[1].property("delay_change_pcu_h").unwrap().is_null());
    assert!(collection.features[1].geometry.is_some());
}

#[test]
fn places_by_interval() {
    let zones = csv_rows(&place_table(TableFormat::Csv, PlaceKind::Zones));
    assert_eq!(zones[0][2], "zone");
    assert_eq!(zones[1], ["0", "300", "quận 1", "12.5", "0", "0", "0", "20"]);
    assert_eq!(zones[2][7], "");
    let cells = parquet_rows(place_table(TableFormat::Parquet, PlaceKind::Cells));
    assert_eq!(texts(&cells, "cell"), ["8965b566183ffff"]);
    assert_eq!(numbers(&cells, "interval_from_s"), [Some(300.0)]);
}

#[test]
fn an_outcome_without_links_makes_readable_files() {
    let none = v1::CompareOutcomesResponse::default();
    let roads = RoadLinks::default();
    let mut out = Vec::new();
    write_difference_lines(&mut out, &none, &roads).unwrap();
    assert!(features(out).features.is_empty());
    let mut out = Vec::new();
    write_differences(&mut out, TableFormat::Parquet, &none, &roads).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(out)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[test]
fn many_rows_go_out_in_row_groups() {
    let row = figures()[0].links[0].clone();
    let part = v1::IntervalFigures {
        interval: Some(v1::TimeSpan { from_s: 0.0, until_s: 1.0 }),
        links: vec![row; 100_000],
        ..v1::IntervalFigures::default()
    };
    let roads = RoadLinks::default();
    let mut out = Vec::new();
    let mut table = LinkTable::new(&mut out, TableFormat::Parquet, &roads).unwrap();
    for _ in 0..3 {
        table.add(&part).unwrap();
    }
    table.finish().unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(out)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 300_000);
    assert_eq!(reader.metadata().num_row_groups(), 2);
}

#[test]
fn the_same_figures_make_the_same_bytes() {
    for format in [TableFormat::Csv, TableFormat::Parquet] {
        assert_eq!(link_table(format), link_table(format));
        let cells = || place_table(format, PlaceKind::Cells);
        assert_eq!(cells(), cells(), "cells.{}", format.extension());
    }
}
