//! The doors, with a real server as a process of its own and the fleet on the same processors.
//! Units: CPU microseconds of the server per message, KiB of its memory per connection.
//!
//! Baseline of the broker door, in the same run: a bare rumqttc subscriber that acknowledges and
//! throws away (this program, started as `bare-subscriber`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use citytwin_simulators::simulate::Register;
use citytwin_simulators::spec::ConnectionSpec;

use crate::fleets;
use crate::machine::{cpu_time, peak_mib, resident_mib};
use crate::process::{self, Server};
use crate::report::Report;

/// When the memory of connections is compared.
const MINUTE_S: u64 = 60;

/// QoS 1, one reading a message, 200 connections, 51,000 messages a second offered.
pub(crate) async fn endpoint(seconds: u64, data: &Path, report: &mut Report) {
    let server = Server::start(data, &[]);
    // A little over 50,000, since a run takes its first and last moments to fill and to drain.
    let fleet = fleets::meters(51_000, 1_000, fleets::one_by_one(200, 100));
    fleets::run(&fleet, &server.mqtt, Register::About, 1).await;
    let (before, ours) = (cpu_time(Some(server.pid())), cpu_time(None));
    let run = fleets::run(&fleet, &server.mqtt, Register::None, seconds).await;
    let messages = run.acknowledged.messages as f64;
    let us = (cpu_time(Some(server.pid())) - before).as_secs_f64() * 1e6 / messages;
    let client_us = (cpu_time(None) - ours).as_secs_f64() * 1e6 / messages;
    report.row("endpoint, server's CPU per message", &format!("{us:.2} µs"));
    report.row("the fleet's CPU per message", &format!("{client_us:.2} µs"));
    report.row("messages acknowledged per second", &format!("{:.0}", messages / run.duration_s));
    let latency = format!("p50 {:.1} ms, p99 {:.1} ms", run.latency.p50_ms, run.latency.p99_ms);
    report.row("publish to acknowledgement", &latency);
    report.row("server's peak memory", &format!("{:.0} MiB", peak_mib(Some(server.pid()))));
    report.note(&format!(
        "{} messages in {:.0} s, {} unacknowledged at the end, largest lag of the fleet {} ms",
        run.acknowledged.messages, run.duration_s, run.unacknowledged.messages, run.max_lag_ms
    ));
}

/// 18,000 connections of one sensor each, a reading every 10 s; 32,000 sensors behind gateways.
/// Memory per connection is the difference to the same sensors all behind gateways, both after a
/// minute: later, windows and readings that wait for the archive come to it.
pub(crate) async fn connections(seconds: u64, data: &Path, report: &mut Report) {
    let direct = 18_000;
    let without = held(0, MINUTE_S + 5, &data.join("without")).await;
    let with = held(direct, seconds.max(MINUTE_S + 5), &data.join("with")).await;
    let kib = (with.minute_mib - without.minute_mib) * 1024.0 / f64::from(direct);
    report.row("memory a connection", &format!("{kib:.1} KiB"));
    let mib = |mib: f64| format!("{mib:.0} MiB");
    report.row("18,000 connections, 50,000 sensors, after a minute", &mib(with.minute_mib));
    report.row("gateways only, 50,000 sensors, after a minute", &mib(without.minute_mib));
    report.row("18,000 connections, 50,000 sensors, at the end", &mib(with.end_mib));
    report.note(&with.text);
}

/// A run of a fleet, and what the server's memory was.
struct Held {
    minute_mib: f64,
    end_mib: f64,
    text: String,
}

async fn held(direct: u32, seconds: u64, data: &Path) -> Held {
    let server = Server::start(data, &[]);
    let pid = server.pid();
    let minute = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(MINUTE_S)).await;
        resident_mib(Some(pid))
    });
    let gateways = ConnectionSpec { direct, ..ConnectionSpec::default() };
    let fleet = fleets::meters(50_000, 10_000, gateways);
    let run = fleets::run(&fleet, &server.mqtt, Register::About, seconds).await;
    let text = format!(
        "{} connections for {:.0} s, {} reconnects, {} of {} readings acknowledged",
        run.connections,
        run.duration_s,
        run.reconnects,
        run.acknowledged.readings,
        run.sent.readings
    );
    let minute_mib = minute.await.expect("it waits and looks");
    Held { minute_mib, end_mib: resident_mib(Some(pid)), text }
}

/// The same fleet through Mosquitto, first to the bare subscriber, then to the engine.
pub(crate) async fn broker(seconds: u64, data: &Path, report: &mut Report) {
    for offered in [5_000_u32, 10_000, 20_000, 30_000, 40_000] {
        let fleet = fleets::meters(offered, 1_000, fleets::one_by_one(50, 50));
        let mosquitto = Mosquitto::start(&data.join(format!("mosquitto-{offered}")));
        let mut bare = bare_child(&mosquitto.url);
        let (bare_us, bare_rate) = consumed(bare.id(), &fleet, &mosquitto.url, seconds).await;
        bare.kill().expect("it is ours");
        bare.wait().expect("it is ours");
        drop(mosquitto);

        let mosquitto = Mosquitto::start(&data.join(format!("again-{offered}")));
        let folder = data.join(format!("engine-{offered}"));
        let server = Server::start(&folder, &["--broker", &mosquitto.url]);
        let (us, rate) = consumed(server.pid(), &fleet, &mosquitto.url, seconds).await;
        let ratio = us / bare_us;
        report.row(
            &format!("{offered} messages/s offered: engine against bare subscriber"),
            &format!("{us:.1} µs against {bare_us:.1} µs a message, ratio {ratio:.2}; {rate:.0} against {bare_rate:.0} messages/s"),
        );
    }
    report.note("Mosquitto on the same processors, QoS 1, 2 shared-subscription connections");
}

async fn consumed(
    pid: u32,
    fleet: &citytwin_simulators::fleet::Fleet,
    url: &str,
    seconds: u64,
) -> (f64, f64) {
    fleets::run(fleet, url, Register::About, 2).await;
    let before = cpu_time(Some(pid));
    let run = fleets::run(fleet, url, Register::None, seconds).await;
    let messages = run.acknowledged.messages as f64;
    let us = (cpu_time(Some(pid)) - before).as_secs_f64() * 1e6 / messages;
    (us, messages / run.duration_s)
}

fn bare_child(url: &str) -> Child {
    let ourselves = std::env::current_exe().expect("we have a path");
    Command::new(ourselves).args(["bare-subscriber", url]).spawn().expect("it starts")
}

/// Subscribes as the broker door does, acknowledges, throws away; never returns.
pub(crate) async fn bare_subscriber(url: &str) {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    let address = url.strip_prefix("mqtt://").expect("a plain address");
    let (host, port) = address.split_once(':').expect("host and port");
    let port: u16 = port.parse().expect("a port");
    let mut sessions = tokio::task::JoinSet::new();
    for number in 0..2 {
        let mut options = MqttOptions::new(format!("bare-{number}"), host, port);
        options.set_manual_acks(true).set_clean_start(false).set_receive_maximum(Some(1_000));
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut events) = AsyncClient::new(options, 2_000);
        client
            .subscribe("$share/bare/city/v1/+/+/readings", QoS::AtLeastOnce)
            .await
            .expect("the request channel has room");
        sessions.spawn(async move {
            loop {
                if let Ok(Event::Incoming(Packet::Publish(publish))) = events.poll().await {
                    client.try_ack(&publish).expect("the request channel has room");
                }
            }
        });
    }
    while sessions.join_next().await.is_some() {}
}

/// A broker of our own on a free port, ended when dropped.
struct Mosquitto {
    child: Child,
    url: String,
}

impl Mosquitto {
    fn start(folder: &Path) -> Mosquitto {
        std::fs::create_dir_all(folder).expect("the folder can be made");
        let address = process::free_address();
        let port = address.rsplit(':').next().expect("a port");
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        );
        let file = folder.join("mosquitto.conf");
        std::fs::write(&file, settings).expect("the file can be written");
        let program = PathBuf::from("/usr/sbin/mosquitto");
        let child = Command::new(program)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        while std::net::TcpStream::connect(&address).is_err() {
            std::thread::yield_now();
        }
        Mosquitto { child, url: format!("mqtt://{address}") }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
