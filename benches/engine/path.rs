//! The engine alone: encoded batches of 50 → decode → admit → log with real fsync → dataflow →
//! snapshot → Parquet. Input: readings of a fleet of 50,000 sensors as gateways send them, made
//! beforehand. Unit: readings per CPU second of the whole process ("per core"), all threads.
//!
//! Baselines in the same run: decoding alone, and a plain loop over the decoded readings into a hash
//! map of latest values and minute sums.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use citytwin_proto::ingest::v1::ReadingBatch;
use citytwin_simulators::fleet::bulk::Bulk;
use prost::Message as _;

use crate::machine::cpu_time;
use crate::report::Report;
use crate::rig;

/// Prints one row for the engine and one for each baseline.
pub(crate) async fn run(readings: usize, data: &Path, report: &mut Report) {
    let fleet = rig::fleet(50_000);
    let messages = Bulk::new(&fleet, rig::MIDNIGHT_MS, 50).take(readings);
    let count: usize = messages.len() * 50;

    let (batches, decode_s) = timed(|| {
        let decode = |(_, payload): &(_, Vec<u8>)| {
            ReadingBatch::decode(payload.as_slice()).expect("our own batch")
        };
        messages.iter().map(decode).collect::<Vec<_>>()
    });
    let (entries, loop_s) = timed(|| hash_map_loop(&batches));
    drop(batches);

    let pipeline = rig::engine(data, &[("twin.time", "event")]).await;
    let intake = pipeline.rooms().intake.get().expect("the engine serves").clone();
    rig::register(&fleet, &intake).await;
    let (cpu, wall) = (cpu_time(None), Instant::now());
    rig::feed(&messages, &intake).await;
    let kept = pipeline.stop().await.expect("everything is kept");
    let (cpu, wall) = ((cpu_time(None) - cpu).as_secs_f64(), wall.elapsed().as_secs_f64());
    assert_eq!(kept.readings, count as u64, "every reading was logged");

    let per = |seconds: f64| format!("{:.2} M/s", count as f64 / seconds / 1e6);
    report.row("engine: bytes → durable → snapshot → Parquet, per CPU second", &per(cpu));
    report.row("the same, per wall second", &per(wall));
    report.row("baseline: decode alone (prost), per CPU second", &per(decode_s));
    let entries = format!("{} ({entries} entries)", per(loop_s));
    report.row("baseline: loop over decoded readings into a hash map", &entries);
    let files = bytes_below(&data.join("archive/readings"));
    report.row(
        "archive, readings tables",
        &format!("{:.2} bytes/reading", files as f64 / count as f64),
    );
    report.note(&format!("{count} readings of 50,000 sensors, {wall:.1} s wall, {cpu:.1} s CPU"));
}

/// Latest value and sum by sensor, quantity and minute, as one would write it in an afternoon.
fn hash_map_loop(batches: &[ReadingBatch]) -> usize {
    let mut latest: HashMap<(&str, i32), (i64, f64)> = HashMap::new();
    let mut windows: HashMap<(&str, i32, i64), (u32, f64)> = HashMap::new();
    for batch in batches {
        for reading in &batch.readings {
            let series = (reading.sensor.as_str(), reading.quantity);
            let entry = latest.entry(series).or_insert((i64::MIN, 0.0));
            if reading.event_time_ms > entry.0 {
                *entry = (reading.event_time_ms, reading.value);
            }
            let minute = reading.event_time_ms.div_euclid(60_000);
            let window = windows.entry((series.0, series.1, minute)).or_default();
            window.0 += 1;
            window.1 += reading.value;
        }
    }
    latest.len() + windows.len()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = cpu_time(None);
    let done = work();
    (done, (cpu_time(None) - began).as_secs_f64().max(0.01))
}

/// Size of all files below a folder.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
            Ok(_) => entry.metadata().map_or(0, |metadata| metadata.len()),
            Err(_) => 0,
        })
        .sum()
}
