//! A simulated fleet in a thread of its own, with a verdict at its end. The fleet knows nothing of
//! the engine but its addresses.

use std::fmt::Write as _;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_simulators::city::City;
use citytwin_simulators::faults::FaultRates;
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::ledger::Keep;
use citytwin_simulators::publish::NowMs;
use citytwin_simulators::simulate::{Finished, SimulateOptions, simulate};
use citytwin_simulators::spec::{FleetSpec, defaults_of};
use citytwin_simulators::verdict::{Verdict, VerifyOptions};
use tokio_util::sync::CancellationToken;

/// Identities that a run of a test may have.
const IDENTITIES: u64 = 2_000_000;

/// Sensors of every kind that all report twice a second, a few on connections of their own, and
/// some of everything going wrong: often enough for a run of seconds.
pub(crate) fn spec(sensors: u32, seconds: u64) -> FleetSpec {
    let mut text = format!("sensors = {sensors}\nduration_s = {seconds}\n");
    let kinds = citytwin_proto::ingest::v1::SensorKind::Vibration as i32;
    for kind in (1..=kinds).filter_map(|number| number.try_into().ok().and_then(defaults_of)) {
        writeln!(text, "[kinds.{}]\ninterval_ms = 500", kind.name).expect("a text takes text");
    }
    let connections = "[connections]\ndirect = 20\nsensors_per_gateway = 25\nflush_ms = 200\n";
    text.push_str(connections);
    let mut spec = FleetSpec::from_toml(&text).expect("a valid spec");
    spec.faults = FaultRates {
        late: 0.1,
        clock_ahead: 0.003,
        malformed: 0.02,
        unknown_sensor: 0.02,
        disconnect_storms_per_hour: 60.0,
        bursts_per_hour: 60.0,
        ..FaultRates::some_of_everything()
    };
    spec
}

/// To be verified against the twin at `api`.
pub(crate) fn options(mqtt: &str, api: &str) -> SimulateOptions {
    let mut options = SimulateOptions::new(mqtt.parse().expect("an address"), now());
    options.publish.backoff_cap = Duration::from_secs(1);
    options.publish.drain = Duration::from_secs(30);
    options.keep = Keep::Identities(IDENTITIES);
    options.verify = Some(VerifyOptions::new(api.to_owned()));
    options
}

/// The wall clock, as simulators want it.
pub(crate) fn now() -> NowMs {
    let clock = SystemClock::new();
    Arc::new(move || clock.now().ms())
}

/// A run under way.
pub(crate) struct Running(JoinHandle<Finished>);

/// Starts it.
pub(crate) fn start(spec: &FleetSpec, options: SimulateOptions) -> Running {
    let spec = spec.clone();
    Running(std::thread::spawn(move || {
        let fleet = Fleet::new(&spec, &City::generate(spec.seed)).expect("a valid spec");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let run = runtime.expect("threads can be started").block_on(simulate(
            &fleet,
            &options,
            &CancellationToken::new(),
        ));
        run.expect("the server and the twin can be reached")
    }))
}

impl Running {
    /// Waits for its end. Everything that was sent must have been acknowledged.
    pub(crate) fn finish(self) -> Finished {
        let finished = self.0.join().expect("a run does not panic");
        let report = &finished.report;
        assert_eq!(report.unacknowledged.messages, 0, "{report}");
        assert!(report.acknowledged.readings > 0, "{report}");
        finished
    }
}

/// The verdict of a run must be: nothing lost, nothing twice.
pub(crate) fn passed(finished: &Finished) -> &Verdict {
    let report = &finished.report;
    let verdict = report.verdict.as_ref().expect("a verdict was asked");
    assert!(verdict.passed(), "{report}");
    assert!(verdict.readings > 0, "{report}");
    verdict
}
