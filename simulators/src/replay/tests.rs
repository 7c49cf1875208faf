//! Small recordings in both layouts and both formats, and real ones where they are at hand.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use citytwin_proto::ingest::v1::{Quantity, ReadingBatch};
use prost::Message as _;

use super::recording::read_positions;
use super::table::Table;
use super::*;
use crate::fleet::{Expectation, Outgoing};

const LONG: &str = r#"
    agency = "air"
    kind = "air_station"
    expected_interval_s = 3600
    [time]
    column = "date"
    format = "%d-%m-%Y %H:%M"
    utc_offset = "+07:00"
    [sensor]
    column = "station"
    prefix = "st-"
    [[column]]
    name = "PM2.5"
    quantity = "pm25_ug_m3"
    missing = ["-999"]
    [[column]]
    name = "RH"
    quantity = "humidity_ratio"
    convert = "percent->ratio"
    [[position]]
    sensor = "1"
    latitude_deg = 10.8
    longitude_deg = 106.7
    [[position]]
    sensor = "2"
    latitude_deg = 10.9
    longitude_deg = 106.7
"#;

const WIDE: &str = r#"
    agency = "la"
    kind = "traffic_loop"
    [time]
    start = "2012-03-01 00:00:00"
    step_s = 300
    utc_offset = "-08:00"
    [wide]
    quantity = "speed_kmh"
    convert = "mph->km/h"
"#;

/// 2012-03-01 00:00 at UTC-8.
const WIDE_START_MS: i64 = 1_330_588_800_000;

fn read_csv(text: &str, mapping: &str, positions: &str) -> Result<Recording, RecordingError> {
    let table = |text: &str| {
        Table::csv(Path::new("test.csv"), Box::new(std::io::Cursor::new(text.to_owned())))
    };
    let mapping = Mapping::from_toml(mapping, &[]).unwrap();
    let file = PositionsFile::new(PathBuf::from("p.csv"));
    let positions = if positions.is_empty() {
        HashMap::new()
    } else {
        read_positions(table(positions)?, &file)?
    };
    Recording::from_table(table(text)?, &mapping, &positions)
}

fn all(recording: Recording, how: ReplayOptions, now_ms: i64) -> Vec<Outgoing> {
    let recording = Arc::new(recording);
    let mut out = Vec::new();
    for part in 0..how.connections {
        RecordedFeed::new(&recording, how, part, now_ms).take_until(i64::MAX, &mut out);
    }
    out
}

#[test]
fn a_long_file_with_gaps_and_nonsense() {
    let csv = "\u{feff}date,station,PM2.5,RH,note\n\
               23-02-2021 21:00,2,15.5,63.2,a\n\
               23-02-2021 20:00,1,,99.0,out of order\n\
               23-02-2021 22:00,1,-999,104,too wet\n\
               23-13-2021 22:00,1,1,1,no such month\n\
               23-02-2021 23:00,1,abc,50,\n\
               23-02-2021 23:00,1,7,50,again\n\
               23-02-2021 23:00,two words,7,50,\n\
               23-02-2021 23:00,1,7\n\
               23-02-2021 23:30,1,inf,NA,x\n";
    let recording = read_csv(csv, LONG, "").unwrap();
    let source = &recording.source;
    assert_eq!((source.rows, source.readings, source.missing, source.unreadable), (9, 8, 3, 4));
    let problems: Vec<String> = source
        .problems
        .iter()
        .map(|problem| format!("{} {} {}", problem.line, problem.column, problem.what))
        .collect();
    assert_eq!(
        problems,
        [
            "5 date Text(\"23-13-2021 22:00\") is no time as the mapping says",
            "6 PM2.5 Text(\"abc\") is no number",
            "8 station Text(\"two words\") is no sensor id: 1 to 64 of A-Z a-z 0-9 . _ -",
            "9  3 cells, the header has 5",
        ]
    );
    assert_eq!(recording.ids, [Arc::from("st-2"), Arc::from("st-1")]);
    assert_eq!(recording.descriptions[1].expected_interval_ms, 3_600_000);
    assert!((recording.descriptions[1].latitude_deg - 10.8).abs() < 1e-9);

    let sent = all(recording, ReplayOptions::default(), 0);
    let planned: Vec<_> = sent
        .iter()
        .flat_map(|message| &message.readings)
        .map(|p| (p.event_time_ms / 60_000 % 1_440, p.sensor, p.quantity, p.value, p.expect))
        .collect();
    let (taken, again) = (Expectation::Taken, Expectation::Duplicate);
    let (out, endless) = (Expectation::Refused("out_of_range"), Expectation::Refused("not_finite"));
    let (dust, wet) = (Quantity::Pm25UgM3, Quantity::HumidityRatio);
    assert_eq!(
        planned,
        [
            (13 * 60, 1, wet, 99.0 * 0.01, taken),
            (14 * 60, 0, dust, 15.5, taken),
            (14 * 60, 0, wet, 63.2 * 0.01, taken),
            (15 * 60, 1, wet, 104.0 * 0.01, out),
            (16 * 60, 1, wet, 0.5, taken),
            (16 * 60, 1, dust, 7.0, taken),
            (16 * 60, 1, wet, 0.5, again),
            (16 * 60 + 30, 1, dust, f64::INFINITY, endless),
        ]
    );
}

const WIDE_CSV: &str = "773869,767541\n64.375,67.625\n,66.0\n62.5,bad\n";
const WIDE_POSITIONS: &str =
    "index,sensor_id,latitude,longitude\n0,773869,34.15,-118.31\n1,767541,34.11,-118.23\n";

#[test]
fn a_wide_file_has_a_sensor_in_each_column() {
    let recording = read_csv(WIDE_CSV, WIDE, WIDE_POSITIONS).unwrap();
    let source = &recording.source;
    assert_eq!((source.rows, source.readings, source.missing, source.unreadable), (3, 4, 1, 1));
    assert_eq!(source.problems[0].line, 4);
    assert_eq!(recording.span_ms(), (WIDE_START_MS, WIDE_START_MS + 600_000));
    let sent = all(recording, ReplayOptions::default(), 0);
    let batches: Vec<ReadingBatch> =
        sent.iter().map(|m| ReadingBatch::decode(&*m.payload).unwrap()).collect();
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.readings.len()).collect();
    assert_eq!(sizes, [2, 1, 1], "one message a time");
    let first = &batches[0].readings[0];
    assert_eq!((first.sensor.as_str(), first.event_time_ms), ("773869", WIDE_START_MS));
    assert_eq!(first.value.to_bits(), (64.375_f64 * 1.609_344).to_bits());
    assert_eq!(&*sent[0].topic, "city/v1/la/replay/readings");
    assert_eq!(batches[1].readings[0].event_time_ms, WIDE_START_MS + 300_000);
}

#[test]
fn messages_hold_as_much_as_they_may() {
    let how = ReplayOptions { pace: Pace::Full, ..ReplayOptions::default() };
    let read = || read_csv(WIDE_CSV, WIDE, WIDE_POSITIONS).unwrap();
    assert_eq!(all(read(), how, 0).len(), 1, "at full pace times do not part messages");
    let alone = all(read(), ReplayOptions { readings_per_message: 1, ..how }, 0);
    assert_eq!(alone.len(), 4);
    assert_eq!(&*alone[1].topic, "city/v1/la/767541/readings");
    assert_eq!(ReadingBatch::decode(&*alone[1].payload).unwrap().readings[0].sensor, "");
    let shared = all(read(), ReplayOptions { connections: 2, ..how }, 0);
    let sensors: Vec<BTreeSet<u32>> =
        shared.iter().map(|m| m.readings.iter().map(|p| p.sensor).collect()).collect();
    assert_eq!(sensors, [BTreeSet::from([0]), BTreeSet::from([1])]);
}

#[test]
fn times_are_shifted_to_now() {
    let check = |pace, expected: &[i64]| {
        let recording = read_csv(WIDE_CSV, WIDE, WIDE_POSITIONS).unwrap();
        let how = ReplayOptions { pace, shift: Shift::ToNow, ..ReplayOptions::default() };
        let sent = all(recording, how, 1_000_000);
        let times: BTreeSet<i64> =
            sent.iter().flat_map(|m| &m.readings).map(|p| p.event_time_ms).collect();
        assert_eq!(times.into_iter().collect::<Vec<_>>(), expected);
    };
    check(Pace::RealTime, &[1_000_000, 1_300_000, 1_600_000]);
    check(Pace::Times(100.0), &[1_000_000, 1_003_000, 1_006_000]);
    check(Pace::Full, &[400_000, 700_000, 1_000_000]);
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let error =
        |csv, mapping, positions| read_csv(csv, mapping, positions).unwrap_err().to_string();
    let unplaced = error(WIDE_CSV, WIDE, "sensor_id,latitude,longitude\n773869,34.15,-118.31\n");
    assert!(unplaced.contains("1 of 2 sensors") && unplaced.contains("767541"), "{unplaced}");
    let column = error("date,PM2.5\n", LONG, "");
    assert!(column.contains("station") || column.contains("RH"), "{column}");
    assert!(column.contains("it has date, PM2.5"), "{column}");
    assert!(error("773869\nx\n", WIDE, WIDE_POSITIONS).contains("1 unreadable"));
    let missing = Recording::read(
        Path::new("/nowhere/x.csv"),
        &Mapping::from_toml(WIDE, &[]).unwrap(),
        Path::new("."),
    );
    assert!(missing.unwrap_err().to_string().contains("/nowhere/x.csv"));
    assert!(matches!(Table::open(Path::new("x.xlsx")), Err(TableError::Unknown(_))));
    let how = ReplayOptions { pace: Pace::Times(0.0), ..ReplayOptions::default() };
    assert_eq!(how.check(), Err(ReplayOptionError::Speed(0.0)));
    let how = ReplayOptions { qos: 3, ..ReplayOptions::default() };
    assert_eq!(how.check(), Err(ReplayOptionError::Qos(3)));
}

#[test]
fn parquet_is_read_like_csv() {
    use arrow::array::{
        ArrayRef, Float32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("air.parquet");
    let hour = 3_600_000_000;
    let batch = RecordBatch::try_from_iter([
        // without a zone: local time by the mapping
        (
            "date",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(7 * hour), Some(8 * hour), None]))
                as ArrayRef,
        ),
        ("station", Arc::new(Int64Array::from(vec![1, 2, 1]))),
        ("PM2.5", Arc::new(Float32Array::from(vec![Some(1.5), Some(-999.0), Some(2.5)]))),
        ("RH", Arc::new(Int64Array::from(vec![Some(50), None, Some(50)]))),
    ])
    .unwrap();
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mapping = Mapping::from_toml(LONG, &[]).unwrap();
    let recording = Recording::read(&path, &mapping, folder.path());
    // the second station's only row holds nothing, but it is a sensor all the same
    let recording = recording.unwrap();
    let source = &recording.source;
    assert_eq!((source.rows, source.readings, source.missing, source.unreadable), (3, 2, 2, 1));
    assert_eq!(recording.span_ms(), (0, 0));
    let values: Vec<f64> = recording.readings.iter().map(|recorded| recorded.value).collect();
    assert_eq!(values, [1.5, 0.5]);
}

/// The recorded week of 207 loop detectors, if it is there.
#[test]
fn the_recorded_week_is_read_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/forecast");
    let path = folder.join("tgcn_los_speed.csv");
    if !path.exists() {
        let mut stderr = std::io::stderr();
        std::io::Write::write_all(&mut stderr, b"SKIPPED: no recorded week at ../shared/data\n")
            .unwrap();
        return;
    }
    let text = include_str!("../../../deploy/replay/metr-la.toml");
    let mapping = Mapping::from_toml(text, &[]).unwrap();
    let recording = Recording::read(&path, &mapping, &folder).unwrap();
    assert_eq!(recording.source.readings, 417_312);
    assert_eq!((recording.source.missing, recording.source.unreadable), (0, 0));
    assert_eq!(recording.span_ms().0, WIDE_START_MS);
    let how = ReplayOptions { pace: Pace::Full, ..ReplayOptions::default() };
    let sent = all(recording, how, 0);
    let planned = sent.iter().flat_map(|message| &message.readings);
    assert!(planned.clone().all(|planned| planned.expect == Expectation::Taken));
    assert_eq!(planned.count(), 417_312);
}
