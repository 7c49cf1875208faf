//! Area queries and forks with 50,000 sensors and 10,000 updates a second going on, in the engine
//! and through gRPC. Unit: milliseconds (fork: microseconds) per call, p50 and p99. Baseline in the
//! same run: a loop that asks every sensor.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use citytwin::pipeline::Pipeline;
use citytwin_core::area::{Area, Point};
use citytwin_core::twin::{AreaQuery, Snapshot};
use citytwin_ingest::intake::Intake;
use citytwin_proto::v1;
use citytwin_proto::v1::operator_client::OperatorClient;
use citytwin_simulators::fleet::bulk::Bulk;
use h3o::Resolution;
use tokio_util::sync::CancellationToken;

use crate::machine::{quantile, resident_mib};
use crate::report::Report;
use crate::rig;

const CALLS: usize = 2_000;
const UPDATES_PER_S: usize = 10_000;
/// The heart of the city.
const CENTRE: (f64, f64) = (10.776, 106.700);

pub(crate) async fn run(data: &Path, report: &mut Report) {
    let fleet = rig::fleet(50_000);
    let pipeline = rig::engine(data, &[("twin.time", "event")]).await;
    let intake = pipeline.rooms().intake.get().expect("the engine serves").clone();
    rig::register(&fleet, &intake).await;
    let mut bulk = Bulk::new(&fleet, rig::MIDNIGHT_MS, 50);
    rig::feed(&bulk.take(600_000), &intake).await;
    let stop = CancellationToken::new();
    let updates = tokio::spawn(keep_feeding(bulk, intake, stop.clone()));

    in_engine(&pipeline, report);
    through_grpc(&pipeline, report).await;
    report.row(
        "resident memory, this process (engine and generator)",
        &format!("{:.0} MiB", resident_mib(None)),
    );

    stop.cancel();
    let rate = updates.await.expect("the feeder ends");
    report.note(&format!(
        "{CALLS} calls each, on the newest snapshot; {rate:.0} updates/s meanwhile"
    ));
    pipeline.stop().await.expect("everything is kept");
}

async fn keep_feeding(mut bulk: Bulk, intake: Intake, stop: CancellationToken) -> f64 {
    let (began, mut fed) = (Instant::now(), 0_usize);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !stop.is_cancelled() {
        tick.tick().await;
        let due = (began.elapsed().as_secs_f64() * UPDATES_PER_S as f64) as usize;
        if due > fed {
            let messages = bulk.take(due - fed);
            fed += messages.len() * 50;
            rig::feed(&messages, &intake).await;
        }
    }
    fed as f64 / began.elapsed().as_secs_f64()
}

fn in_engine(pipeline: &Pipeline, report: &mut Report) {
    let ring = ward()
        .into_iter()
        .map(|(latitude_deg, longitude_deg)| Point { latitude_deg, longitude_deg });
    let area = Area::polygon(&[vec![ring.collect()]]).expect("a star-shaped ring");
    let ward = AreaQuery { include_sensors: true, ..AreaQuery::new(area.clone()) };
    let totals = AreaQuery::new(area.clone());
    let city =
        AreaQuery { resolution: Some(Resolution::Eight), ..AreaQuery::new(Area::everywhere()) };
    let ask = |query: &AreaQuery| {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let snapshot = pipeline.city().snapshot();
            let began = Instant::now();
            std::hint::black_box(snapshot.area(query, None));
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times
    };
    ms_row(report, "engine, ward polygon (2 km, 60 vertices), totals", ask(&totals));
    ms_row(report, "engine, ward polygon, with its sensors", ask(&ward));
    ms_row(report, "engine, whole city at resolution 8", ask(&city));
    let brute = (0..CALLS / 20).map(|_| {
        let (snapshot, began) = (pipeline.city().snapshot(), Instant::now());
        std::hint::black_box(ask_every_sensor(&snapshot, &area));
        began.elapsed().as_secs_f64() * 1e3
    });
    ms_row(report, "baseline: ward polygon by asking every sensor", brute.collect());
    let mut forks: Vec<f64> = (0..CALLS)
        .map(|_| {
            let (snapshot, began) = (pipeline.city().snapshot(), Instant::now());
            std::hint::black_box(snapshot.fork());
            began.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let (p50, p99) = (quantile(&mut forks, 0.5), quantile(&mut forks, 0.99));
    report.row("fork of the snapshot", &format!("p50 {p50:.1} µs, p99 {p99:.1} µs"));
}

fn ask_every_sensor(snapshot: &Arc<Snapshot>, area: &Area) -> usize {
    let inside = snapshot.sensors.iter().filter(|(_, one)| area.contains(one.description.position));
    inside.count()
}

async fn through_grpc(pipeline: &Pipeline, report: &mut Report) {
    let address = format!("http://{}", pipeline.addresses().grpc);
    let client = OperatorClient::connect(address).await.expect("the engine answers");
    let mut client = client.max_decoding_message_size(64 << 20);
    let points = ward()
        .into_iter()
        .map(|(latitude_deg, longitude_deg)| v1::Point { latitude_deg, longitude_deg });
    let ring = v1::Ring { points: points.collect() };
    let polygon = v1::Polygon { parts: vec![v1::PolygonPart { rings: vec![ring] }] };
    let ward = v1::QueryAreaRequest {
        area: Some(v1::Area { shape: Some(v1::area::Shape::Polygon(polygon)) }),
        ..v1::QueryAreaRequest::default()
    };
    let city = v1::QueryAreaRequest {
        area: Some(v1::Area { shape: Some(v1::area::Shape::Everywhere(v1::Everywhere {})) }),
        resolution: 8,
        ..v1::QueryAreaRequest::default()
    };
    for (what, request) in
        [("gRPC, ward polygon, totals", ward), ("gRPC, whole city at resolution 8", city)]
    {
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let began = Instant::now();
            client.query_area(request.clone()).await.expect("an answer");
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        ms_row(report, what, times);
    }
}

/// A concave ring of 60 vertices, 2 km across.
fn ward() -> Vec<(f64, f64)> {
    (0..60_u32)
        .map(|n| {
            let angle = f64::from(n) / 60.0 * std::f64::consts::TAU;
            let radius_deg = if n % 2 == 0 { 0.0090 } else { 0.0075 };
            (CENTRE.0 + radius_deg * angle.sin(), CENTRE.1 + radius_deg * angle.cos())
        })
        .collect()
}

fn ms_row(report: &mut Report, what: &str, mut times: Vec<f64>) {
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    report.row(what, &format!("p50 {p50:.3} ms, p99 {p99:.3} ms"));
}
