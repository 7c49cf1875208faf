//! Questions about the past, on 100 million archived readings of 50,000 sensors in one day and more
//! (`--long`; otherwise 10 million), merged files, warm. Unit:
//! milliseconds to the last row, median of seven. Baseline in the same run: DuckDB over the same
//! folder with as many threads, where a Python with it is found (`.venv/bin/python`, or `python3`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt as _};
use arrow_flight::{FlightClient, FlightDescriptor};
use citytwin::history::{History, Moment, Question, Settings};
use citytwin::pipeline::Pipeline;
use citytwin_core::area::Area;
use citytwin_core::time::EventTime;
use citytwin_core::twin::AreaQuery;
use citytwin_ingest::archive::Archive;
use citytwin_proto::v1;
use citytwin_proto::v1::history_client::HistoryClient;
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::fleet::bulk::Bulk;
use futures::StreamExt as _;
use prost::Message as _;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::machine::{peak_mib, quantile, resident_mib};
use crate::past::{self, Past};
use crate::report::Report;
use crate::rig;

const SENSORS: u32 = 50_000;
const THREADS: usize = 2;
/// Memory of the query that sorts everything.
const SMALL: usize = 256 << 20;
/// Readings fed while queries run, and while none do.
const FED: usize = 12_000_000;

/// A question that both understand, by name.
type Asked = Vec<(&'static str, String)>;

pub(crate) async fn run(readings: usize, data: &Path, report: &mut Report) {
    let fleet = past::fleet(SENSORS);
    let (archive, past) = past::write(&fleet, readings, data);
    written(&past, report);
    let asked = questions(&fleet, past.end_ms);
    let duckdb = duckdb(data, &asked);
    let history = history(&archive, data, 512 << 20);
    direct(&history, &asked, duckdb.as_ref(), report).await;
    as_of(&history, past.end_ms, report).await;
    drop(history);
    sorted(&archive, data, report).await;
    drop(archive);
    cold(data, past.end_ms, report).await;
    served(&fleet, data, &asked, &past, report).await;
    report.note(&format!(
        "{} readings of {SENSORS} sensors in {:.1} h, {THREADS} threads for queries here and in DuckDB.",
        past.readings,
        (past.end_ms - rig::MIDNIGHT_MS) as f64 / 3.6e6,
    ));
}

fn written(past: &Past, report: &mut Report) {
    let per = |bytes: u64| format!("{:.2}", bytes as f64 / past.readings as f64);
    report.row("bytes a reading, as cut every five minutes", &per(past.bytes.0));
    let merged = format!("{} ({} files of {})", per(past.bytes.1), past.files.1, past.files.0);
    report.row("bytes a reading after compaction", &merged);
    let rate = |seconds: f64| format!("{:.2} M readings/s", past.readings as f64 / seconds / 1e6);
    report.row("made, through dataflow and archive", &rate(past.write_s));
    report.row("compaction", &rate(past.compact_s));
}

fn iso(ms: i64) -> String {
    let time = Duration::from_millis(ms.unsigned_abs());
    humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + time).to_string()
}

fn questions(fleet: &Fleet, end_ms: i64) -> Asked {
    let sensor = fleet.sensors()[123].key();
    let noon = i64::midpoint(rig::MIDNIGHT_MS, end_ms);
    let (from, to, minutes) = (iso(noon - 3_600_000), iso(noon), iso(noon - 600_000));
    let ward = h3o::LatLng::new(10.776, 106.700).expect("a point").to_cell(h3o::Resolution::Nine);
    let ward: Vec<String> =
        ward.grid_disk::<Vec<_>>(4).into_iter().map(|cell| u64::from(cell).to_string()).collect();
    let cells = ward.join(", ");
    vec![
        (
            "one sensor, the whole period",
            format!(
                "SELECT quantity, value, event_time FROM readings WHERE sensor = '{sensor}' \
                 ORDER BY event_time"
            ),
        ),
        (
            "61 cells, one hour, means by minute",
            format!(
                "SELECT time_bucket(INTERVAL '1 minute', event_time) AS minute, quantity, \
                 count(*), avg(value) FROM readings WHERE event_time >= '{from}' \
                 AND event_time < '{to}' AND cell IN ({cells}) GROUP BY 1, 2"
            ),
        ),
        (
            "latest values of all sensors, of ten minutes",
            format!(
                "SELECT sensor, quantity, max(event_time) FROM readings \
                 WHERE event_time > '{minutes}' AND event_time <= '{to}' GROUP BY 1, 2"
            ),
        ),
        (
            "full scan by cell",
            "SELECT cell, count(*), avg(value) FROM readings GROUP BY cell".to_owned(),
        ),
    ]
}

/// Median milliseconds and rows of DuckDB, by question.
fn duckdb(data: &Path, asked: &Asked) -> Option<Map<String, Value>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join(".venv/bin/python");
    let python = if own.exists() { own } else { "python3".into() };
    let script = root.join("benches/peers/duckdb_history.py");
    let mut child = Command::new(python)
        .arg(script)
        .arg(data)
        .arg(THREADS.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let questions: Map<String, Value> =
        asked.iter().map(|(name, sql)| ((*name).to_owned(), Value::from(sql.as_str()))).collect();
    let text = Value::from(questions).to_string();
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let told = child.wait_with_output().ok()?;
    serde_json::from_slice(&told.stdout).ok()
}

fn history(archive: &Archive, data: &Path, memory: usize) -> History {
    let settings = Settings {
        threads: THREADS,
        memory,
        queries: 4,
        spill: data.join("spill"),
        spill_bytes: 64 << 30,
        window_ms: 600_000,
        idle_after_ms: 30_000,
        shard_resolution: h3o::Resolution::Six,
    };
    History::open(archive.catalogue(), None, settings).expect("threads can be started")
}

/// Milliseconds to the first and to the last row of one question asked again and again.
#[derive(Debug, Default)]
struct Times {
    first: Vec<f64>,
    last: Vec<f64>,
    rows: usize,
}

/// Of these the first two warm the caches.
const ASKED: usize = 9;

impl Times {
    fn push(&mut self, (first, last, rows): (f64, f64, usize)) {
        self.first.push(first);
        self.last.push(last);
        self.rows = rows;
    }

    fn median(all: &[f64]) -> f64 {
        quantile(&mut all[2..].to_vec(), 0.5)
    }
}

/// Asked in this process.
async fn ask(history: &History, sql: &str) -> (f64, f64, usize) {
    let began = Instant::now();
    let ms = || began.elapsed().as_secs_f64() * 1e3;
    let mut answer = history.ask(Question::new(sql)).await.expect("a question that can be");
    let (mut first, mut rows) = (0.0, 0);
    while let Some(batch) = answer.next().await.expect("an answer") {
        first = if rows == 0 { ms() } else { first };
        rows += batch.num_rows();
    }
    (first, ms(), rows)
}

/// Asked through Arrow Flight SQL.
async fn fly(client: &mut FlightClient, sql: &str) -> (f64, f64, usize) {
    let began = Instant::now();
    let ms = || began.elapsed().as_secs_f64() * 1e3;
    let query = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(query.as_any().encode_to_vec());
    let info = client.get_flight_info(descriptor).await.expect("a question that can be");
    let ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket).expect("rows");
    let mut batches = client.do_get(ticket).await.expect("rows");
    let (mut first, mut rows) = (0.0, 0);
    while let Some(batch) = batches.next().await {
        first = if rows == 0 { ms() } else { first };
        rows += batch.expect("an answer").num_rows();
    }
    (first, ms(), rows)
}

async fn direct(
    history: &History,
    asked: &Asked,
    duckdb: Option<&Map<String, Value>>,
    report: &mut Report,
) {
    for (name, sql) in asked {
        let mut times = Times::default();
        for _ in 0..ASKED {
            times.push(ask(history, sql).await);
        }
        let ours = Times::median(&times.last);
        let beside = duckdb.and_then(|all| {
            let (seconds, rows) = (all[*name][0].as_f64()?, all[*name][1].as_u64()?);
            assert_eq!(rows, times.rows as u64, "{name}: DuckDB has as many rows");
            Some(format!(
                "; DuckDB {:.1}: {:.2} times as long",
                seconds * 1e3,
                ours / seconds / 1e3
            ))
        });
        let beside = beside.unwrap_or_else(|| "; no DuckDB".to_owned());
        report.row(name, &format!("{ours:.1} ms, {} rows{beside}", times.rows));
    }
}

fn moment(end_ms: i64, share: f64) -> Moment {
    let ms = rig::MIDNIGHT_MS + ((end_ms - rig::MIDNIGHT_MS) as f64 * share) as i64;
    Moment { event_time: Some(EventTime::from_ms(ms)), known_at: None, allow_partial: false }
}

/// The whole city as of seconds of the period, each other than the ones before.
async fn as_of(history: &History, end_ms: i64, report: &mut Report) {
    let mut times = Times::default();
    for step in 0..ASKED {
        let began = Instant::now();
        let moment = moment(end_ms, 0.1 + 0.09 * step as f64);
        let city = history.as_of(moment).await.expect("a second of the archive").snapshot;
        let folded = began.elapsed().as_secs_f64() * 1e3;
        let answer = city.area(&AreaQuery::new(Area::everywhere()), None);
        times.push((folded, began.elapsed().as_secs_f64() * 1e3, answer.cells.len()));
    }
    let (folded, told) = (Times::median(&times.first), Times::median(&times.last));
    report.row("latest values of all sensors as of a second, warm", &format!("{folded:.1} ms"));
    report.row("the same with the answer of the whole city", &format!("{told:.1} ms"));
}

/// Sorts everything in little memory.
async fn sorted(archive: &Archive, data: &Path, report: &mut Report) {
    let history = history(archive, data, SMALL);
    // What was used so far is not ours.
    let reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = resident_mib(None);
    let began = Instant::now();
    let sql = "SELECT sensor, event_time, value FROM readings ORDER BY value, event_time";
    let (_, _, rows) = ask(&history, sql).await;
    let more = peak_mib(None) - before;
    let note = if reset { "" } else { " (peak of the process: it could not be reset)" };
    report.row(
        "sorts everything within 256 MiB: resident memory grows by",
        &format!("{more:.0} MiB{note}; {rows} rows, {:.0} s", began.elapsed().as_secs_f64()),
    );
}

/// An engine that was started just now, and whose files nobody has read.
async fn cold(data: &Path, end_ms: i64, report: &mut Report) {
    let dropped = std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
    let archive = Archive::open(data, past::archive_settings()).map(|mut archive| {
        archive.newest_checkpoint(None).expect("our own checkpoint");
        archive
    });
    let history = history(&archive.expect("our own archive"), data, 512 << 20);
    let began = Instant::now();
    history.as_of(moment(end_ms, 0.5)).await.expect("a second of the archive");
    let ms = began.elapsed().as_secs_f64() * 1e3;
    let how = if dropped { "the system's cache dropped" } else { "the system's cache kept" };
    report.row("as of a second, cold", &format!("{ms:.0} ms ({how})"));
}

/// Through the wire, and ingestion beside it.
async fn served(fleet: &Fleet, data: &Path, asked: &Asked, past: &Past, report: &mut Report) {
    let threads = THREADS.to_string();
    let pipeline = rig::engine(
        data,
        &[
            ("twin.time", "event"),
            ("twin.window", past::WINDOW),
            ("archive.compact", "false"),
            ("history.threads", &threads),
        ],
    )
    .await;
    let address = format!("http://{}", pipeline.addresses().grpc);
    let channel = Channel::from_shared(address).expect("an address").connect().await;
    let channel = channel.expect("the engine listens");
    let mut client = FlightClient::new(channel.clone());
    for (name, sql) in asked {
        let mut times = Times::default();
        for _ in 0..ASKED {
            times.push(fly(&mut client, sql).await);
        }
        let (first, last) = (Times::median(&times.first), Times::median(&times.last));
        report.row(
            &format!("Flight SQL: {name}"),
            &format!("first row {first:.1} ms, last {last:.1} ms"),
        );
    }
    through_grpc(channel.clone(), fleet, past.end_ms, report).await;
    beside(&pipeline, (fleet, past.end_ms), channel, asked, report).await;
    pipeline.stop().await.expect("everything is kept");
}

async fn through_grpc(channel: Channel, fleet: &Fleet, end_ms: i64, report: &mut Report) {
    let mut client = HistoryClient::new(channel).max_decoding_message_size(256 << 20);
    let mut times = Times::default();
    for _ in 0..ASKED {
        let began = Instant::now();
        let ms = || began.elapsed().as_secs_f64() * 1e3;
        let sensor = fleet.sensors()[123].key();
        let request = v1::ReadSensorRequest { sensor, ..v1::ReadSensorRequest::default() };
        let mut stream = client.read_sensor(request).await.expect("a sensor").into_inner();
        let (mut first, mut rows) = (0.0, 0);
        while let Some(message) = stream.next().await {
            first = if rows == 0 { ms() } else { first };
            rows += message.expect("readings").readings.len();
        }
        times.push((first, ms(), rows));
    }
    let (first, last) = (Times::median(&times.first), Times::median(&times.last));
    report.row(
        "gRPC: one sensor, the whole period",
        &format!("first row {first:.1} ms, last {last:.1} ms, {} rows", times.rows),
    );
    let mut times = Times::default();
    for step in 0..ASKED {
        let began = Instant::now();
        let moment = moment(end_ms, 0.1 + 0.09 * step as f64).event_time.expect("a second");
        let event_time =
            prost_types::Timestamp { seconds: moment.ms().div_euclid(1_000), nanos: 0 };
        let area = v1::Area {
            shape: Some(v1::area::Shape::Circle(v1::Circle {
                center: Some(v1::Point { latitude_deg: 10.776, longitude_deg: 106.7 }),
                radius_m: 1_500.0,
            })),
        };
        let request = v1::QueryAreaAtRequest {
            area: Some(area),
            event_time: Some(event_time),
            include_sensors: true,
            ..v1::QueryAreaAtRequest::default()
        };
        let answer = client.query_area_at(request).await.expect("a second").into_inner();
        let ms = began.elapsed().as_secs_f64() * 1e3;
        times.push((ms, ms, answer.state.map_or(0, |state| state.sensors.len())));
    }
    let (ms, sensors) = (Times::median(&times.last), times.rows);
    report
        .row("gRPC: a circle of 1.5 km as of a second", &format!("{ms:.1} ms, {sensors} sensors"));
}

/// How fast readings are taken while two questions are asked without pause, and while none is.
async fn beside(
    pipeline: &Pipeline,
    (fleet, end_ms): (&Fleet, i64),
    channel: Channel,
    asked: &Asked,
    report: &mut Report,
) {
    let intake = pipeline.rooms().intake.get().expect("the engine serves").clone();
    let mut bulk = Bulk::new(fleet, end_ms + 60_000, 50);
    let mut rates = [0.0, 0.0];
    // Alone, beside queries, and once more each.
    for round in 0..4 {
        let messages = bulk.take(FED);
        let stop = CancellationToken::new();
        let mut tasks = Vec::new();
        for (_, sql) in asked.iter().skip(2).take(if round % 2 == 1 { 2 } else { 0 }) {
            let (mut client, sql) = (FlightClient::new(channel.clone()), sql.clone());
            let stop = stop.clone();
            tasks.push(tokio::spawn(async move {
                let mut answers = 0_u32;
                while !stop.is_cancelled() {
                    fly(&mut client, &sql).await;
                    answers += 1;
                }
                answers
            }));
        }
        let began = Instant::now();
        rig::feed(&messages, &intake).await;
        rates[round % 2] += FED as f64 / began.elapsed().as_secs_f64() / 2.0;
        stop.cancel();
        for task in tasks {
            assert!(task.await.expect("the task ends") > 0, "a question was answered");
        }
    }
    let [alone, beside] = rates.map(|rate| rate / 1e6);
    report.row("ingestion to durable, alone", &format!("{alone:.2} M readings/s"));
    report.row(
        "the same beside two queries without pause",
        &format!("{beside:.2} M readings/s, {:.0} %", beside / alone * 100.0),
    );
}
