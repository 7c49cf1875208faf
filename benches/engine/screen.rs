//! From a sensor's publish to a watching client, and from a kill to serving again. Units:
//! milliseconds after the event time, seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_proto::v1;
use citytwin_proto::v1::operator_client::OperatorClient;
use citytwin_simulators::simulate::Register;

use crate::fleets;
use crate::machine::{peak_mib, quantile};
use crate::process::Server;
use crate::report::Report;

/// 5,000 messages a second, each reading stamped when it is due; how old it is when a client that
/// watches the whole city has it. Includes the fleet's own delay.
pub(crate) async fn watch(seconds: u64, data: &Path, report: &mut Report) {
    let server = Server::start(data, &[]);
    let fleet = fleets::meters(5_000, 1_000, fleets::one_by_one(200, 5));
    fleets::run(&fleet, &server.mqtt, Register::About, 1).await;
    let watching = tokio::spawn(ages(server.grpc.clone()));
    let run = fleets::run(&fleet, &server.mqtt, Register::None, seconds).await;
    drop(server);
    let mut ages = watching.await.expect("the watcher ends");
    let (p50, p99) = (quantile(&mut ages, 0.5), quantile(&mut ages, 0.99));
    report.row("publish to a watching client", &format!("p50 {p50:.0} ms, p99 {p99:.0} ms"));
    let rate = run.acknowledged.messages as f64 / run.duration_s;
    report.note(&format!("{} readings seen at {rate:.0} messages/s", ages.len()));
}

async fn ages(grpc: String) -> Vec<f64> {
    let client = OperatorClient::connect(grpc).await.expect("the engine answers");
    let mut client = client.max_decoding_message_size(64 << 20);
    let everywhere = v1::area::Shape::Everywhere(v1::Everywhere {});
    let request = v1::WatchRequest {
        area: Some(v1::Area { shape: Some(everywhere) }),
        ..v1::WatchRequest::default()
    };
    let mut messages = client.watch(request).await.expect("a stream").into_inner();
    let (clock, mut ages) = (SystemClock::new(), Vec::new());
    while let Ok(Some(message)) = messages.message().await {
        let now_ms = clock.now().ms();
        if message.full {
            continue;
        }
        for reading in message.sensors.iter().flat_map(|sensor| &sensor.latest) {
            let at = reading.event_time.expect("every reading has one");
            ages.push((now_ms - at.seconds * 1_000 - i64::from(at.nanos) / 1_000_000) as f64);
        }
    }
    ages
}

/// 50,000 sensors, 10,000 readings a second, everything still in the log when the server is killed.
pub(crate) async fn restart(seconds: u64, data: &Path, report: &mut Report) {
    let never_cut = ["--set", "archive.every=1h", "--set", "archive.readings=100000000"];
    let mut server = Server::start(data, &never_cut);
    let connections = citytwin_simulators::spec::ConnectionSpec::default();
    let fleet = fleets::meters(50_000, 5_000, connections);
    let run = fleets::run(&fleet, &server.mqtt, Register::About, seconds).await;
    let peak = peak_mib(Some(server.pid()));
    server.kill();
    let began = Instant::now();
    server.restart();
    let took: Duration = began.elapsed();
    report.row("restart after a kill, until serving", &format!("{:.2} s", took.as_secs_f64()));
    report.row("peak memory before the kill", &format!("{peak:.0} MiB"));
    report
        .row("peak memory after the restart", &format!("{:.0} MiB", peak_mib(Some(server.pid()))));
    report.note(&format!(
        "{} readings in {:.0} s, none of them archived before the kill",
        run.acknowledged.readings, run.duration_s
    ));
}
