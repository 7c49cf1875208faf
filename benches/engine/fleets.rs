//! Fleets of one kind with one reading a message, and their runs against a server.

use std::sync::Arc;
use std::time::Duration;

use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_proto::ingest::v1::SensorKind;
use citytwin_simulators::city::City;
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::report::Report as RunReport;
use citytwin_simulators::simulate::{Register, SimulateOptions, simulate};
use citytwin_simulators::spec::{ConnectionSpec, FleetSpec, KindSpec, KindsSpec};
use tokio_util::sync::CancellationToken;

/// Noise meters, one reading a message: `sensors` of them, each every `interval_ms`.
pub(crate) fn meters(sensors: u32, interval_ms: u32, connections: ConnectionSpec) -> Fleet {
    let mut kinds = KindsSpec::only(SensorKind::Noise);
    kinds.noise = KindSpec { interval_ms: Some(interval_ms), ..kinds.noise };
    let spec = FleetSpec { sensors, kinds, connections, ..FleetSpec::default() };
    Fleet::new(&spec, &City::generate(1)).expect("the fleet can be")
}

/// One reading a message over so many connections, written every `flush_ms`.
pub(crate) fn one_by_one(connections: u32, flush_ms: u32) -> ConnectionSpec {
    ConnectionSpec {
        direct: 0,
        gateways: Some(connections),
        readings_per_message: 1,
        flush_ms,
        ..ConnectionSpec::default()
    }
}

/// Runs a fleet for so long.
pub(crate) async fn run(
    fleet: &Fleet,
    server: &str,
    register: Register,
    seconds: u64,
) -> RunReport {
    let clock = SystemClock::new();
    let url = server.parse().expect("our own address");
    let mut options = SimulateOptions::new(url, Arc::new(move || clock.now().ms()));
    options.register = register;
    options.duration = Some(Duration::from_secs(seconds));
    simulate(fleet, &options, &CancellationToken::new()).await.expect("the run is reported").report
}
