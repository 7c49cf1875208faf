//! `citytwin simulate`, and what every run of simulated or recorded sensors has: the flags, a line of
//! progress, the report at the end and the exit code of its verdict. The work is in
//! `citytwin_simulators`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_simulators::city::{City, files};
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::ledger::{DEFAULT_IDENTITIES, Keep};
use citytwin_simulators::publish::ServerUrl;
use citytwin_simulators::simulate::{
    Finished, Phase, Register, RunProgress, SimulateOptions, simulate,
};
use citytwin_simulators::spec::FleetSpec;
use citytwin_simulators::verdict::{Delivery, VerifyOptions};
use clap::{Args, ValueHint};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::args::key_value;
use super::failure::Failure;
use super::output::Screen;

/// How often the line of progress is renewed on a terminal.
const LINE_EVERY: Duration = Duration::from_millis(500);
/// How often it is written where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What every run has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run")]
pub struct RunArgs {
    /// MQTT endpoint or broker to publish to, mqtt://HOST:PORT or mqtts://USER:PASSWORD@HOST:PORT
    #[arg(long, value_name = "URL", default_value = "mqtt://127.0.0.1:1883")]
    mqtt: ServerUrl,
    /// Certificate authority (PEM) to trust for mqtts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca: Option<PathBuf>,
    /// Unacknowledged messages a connection may have
    #[arg(long, value_name = "N", default_value_t = 100)]
    window: u32,
    /// Stop after this long (of the simulated clock); left out: as long as the spec or file says
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// After the end, wait this long for what is not yet acknowledged
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    drain: Duration,
    /// The sensors are registered already: publish no descriptions
    #[arg(long)]
    registered: bool,
    /// Hold what was sent against the twin at this API address, and give a verdict
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:50051")]
    verify: Option<String>,
    /// Hold it against the archive in this data folder too
    #[arg(long, value_name = "DIR", requires = "verify", value_hint = ValueHint::DirPath)]
    archive: Option<PathBuf>,
    /// How often the twin may see a message: as-sent, or at-least-once through a broker, which
    /// delivers again what the twin had not acknowledged
    #[arg(long, value_name = "HOW", default_value = "as-sent", value_parser = delivery)]
    delivery: Delivery,
    /// How long the twin may take to have everything in its ledger
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    patience: Duration,
    /// How long it may take to have everything in its archive
    #[arg(long, value_name = "DURATION", default_value = "7m", value_parser = humantime::parse_duration)]
    archive_patience: Duration,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `citytwin simulate`
#[derive(Args, Clone, Debug)]
pub struct SimulateArgs {
    #[command(flatten)]
    run: RunArgs,
    /// TOML spec of the fleet; left out: the defaults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    spec: Option<PathBuf>,
    /// Set a key of the spec, such as faults.late=0.01 or connections.direct=500
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// How many sensors
    #[arg(long, value_name = "N")]
    sensors: Option<u32>,
    /// The same seed gives the same city and the same readings
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the city's open files (GMNS, GeoJSON) to this folder too
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    city: Option<PathBuf>,
}

fn delivery(text: &str) -> Result<Delivery, String> {
    match text {
        "as-sent" => Ok(Delivery::AsSent),
        "at-least-once" => Ok(Delivery::AtLeastOnce),
        _ => Err("allowed: as-sent, at-least-once".to_owned()),
    }
}

/// Runs a fleet of simulated sensors.
///
/// # Errors
/// When the spec is wrong, nobody can be reached, or the verdict is: failed.
pub async fn run_simulate(args: &SimulateArgs, screen: &mut Screen) -> Result<(), Failure> {
    let spec = spec(args)?;
    let city = City::generate(spec.seed);
    let fleet = Fleet::new(&spec, &city).map_err(usage)?;
    if let Some(folder) = &args.city {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        files::write(folder, &city, fleet.sensors()).map_err(anyhow::Error::from)?;
    }
    let options = options(&args.run)?;
    let shutdown = stopped_by_ctrl_c();
    let run = simulate(&fleet, &options, &shutdown);
    let finished = with_progress(run, &options.progress).await.map_err(anyhow::Error::from)?;
    report(&finished, args.run.json, screen)
}

pub(super) fn usage(error: impl std::error::Error) -> Failure {
    Failure::Usage(error.to_string())
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

/// The spec's file with the flags laid over it.
fn spec(args: &SimulateArgs) -> Result<FleetSpec, Failure> {
    let (text, name) = match &args.spec {
        Some(path) => (read(path)?, path.display().to_string()),
        None => (String::new(), "the spec".to_owned()),
    };
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{name}: {error}"));
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| wrong(&error))?;
    for (key, value) in &args.set {
        lay(&mut table, key, value)?;
    }
    if let Some(sensors) = args.sensors {
        table.insert("sensors".to_owned(), i64::from(sensors).into());
    }
    if let Some(seed) = args.seed {
        let seed = i64::try_from(seed).map_err(|_big| {
            Failure::Usage(format!("--seed {seed} is not allowed; allowed: up to {}", i64::MAX))
        })?;
        table.insert("seed".to_owned(), seed.into());
    }
    let text = toml::to_string(&table).map_err(|error| wrong(&error))?;
    FleetSpec::from_toml(&text).map_err(|error| wrong(&error))
}

/// Sets a dotted key; the value is TOML where it is TOML, and a text otherwise.
fn lay(table: &mut toml::Table, key: &str, value: &str) -> Result<(), Failure> {
    let (path, last) = key.rsplit_once('.').map_or((None, key), |(path, last)| (Some(path), last));
    let mut inner = table;
    for name in path.into_iter().flat_map(|path| path.split('.')) {
        let next = inner.entry(name).or_insert_with(|| toml::Table::new().into());
        inner = next.as_table_mut().ok_or_else(|| {
            Failure::Usage(format!("--set {key}={value} is not allowed: {name} is no table"))
        })?;
    }
    let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut parsed| parsed.remove("value"))
        .unwrap_or_else(|| value.into());
    inner.insert(last.to_owned(), value);
    Ok(())
}

pub(super) fn options(args: &RunArgs) -> Result<SimulateOptions, Failure> {
    let clock = SystemClock::new();
    let mut options = SimulateOptions::new(args.mqtt.clone(), Arc::new(move || clock.now().ms()));
    options.publish.set_window(args.window).map_err(usage)?;
    options.publish.ca_file.clone_from(&args.ca);
    options.publish.drain = args.drain;
    options.duration = args.duration;
    if args.registered {
        options.register = Register::None;
    }
    if let Some(api) = &args.verify {
        options.keep = Keep::Identities(DEFAULT_IDENTITIES);
        options.verify = Some(VerifyOptions {
            data_folder: args.archive.clone(),
            delivery: args.delivery,
            patience: args.patience,
            archive_patience: args.archive_patience,
            ..VerifyOptions::new(api.clone())
        });
    }
    Ok(options)
}

/// Cancelled at the first Ctrl-C; the run then drains and reports.
pub(super) fn stopped_by_ctrl_c() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    shutdown
}

/// Waits for a run while one line on standard error says how it goes.
pub(super) async fn with_progress<T>(run: impl Future<Output = T>, progress: &RunProgress) -> T {
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
    let every = if bar.is_hidden() { LOG_EVERY } else { LINE_EVERY };
    let mut tick = tokio::time::interval(every);
    tokio::pin!(run);
    let finished = loop {
        tokio::select! {
            finished = &mut run => break finished,
            _ = tick.tick() => {
                let line = progress_line(progress);
                if bar.is_hidden() { tracing::info!("{line}") } else { bar.set_message(line) }
                bar.tick();
            }
        }
    };
    bar.finish_and_clear();
    finished
}

fn progress_line(progress: &RunProgress) -> String {
    match progress.phase() {
        Phase::Starting => "finding the server".to_owned(),
        Phase::Describing => {
            let glance = progress.describing.glance();
            format!("describing sensors: {} acknowledged", HumanCount(glance.messages_acked))
        }
        Phase::Publishing => {
            let glance = progress.glance();
            format!(
                "{}/{} connections, {} readings sent, {} acknowledged, {} messages open, \
                 ack p50 {:.1} ms p99 {:.1} ms, lag {} ms",
                glance.connected,
                glance.connections,
                HumanCount(glance.readings_sent),
                HumanCount(glance.readings_acked),
                HumanCount(glance.in_flight),
                glance.latency.p50_ms,
                glance.latency.p99_ms,
                glance.lag_ms
            )
        }
        Phase::Verifying => "comparing with the twin's ledger and archive".to_owned(),
    }
}

pub(super) fn report(finished: &Finished, json: bool, screen: &mut Screen) -> Result<(), Failure> {
    let report = &finished.report;
    if json {
        let text = serde_json::to_string_pretty(report).map_err(anyhow::Error::from)?;
        screen.line(text)?;
    } else {
        screen.line(report)?;
    }
    match &report.verdict {
        Some(verdict) if !verdict.passed() => Err(Failure::Verdict),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_laid_over_the_spec() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.toml");
        std::fs::write(&path, "sensors = 10\nseed = 3\n[connections]\ndirect = 2\n").unwrap();
        let args = |set: &[(&str, &str)]| SimulateArgs {
            run: RunArgs {
                mqtt: "mqtt://h".parse().unwrap(),
                ca: None,
                window: 1,
                duration: None,
                drain: Duration::ZERO,
                registered: false,
                verify: None,
                archive: None,
                delivery: Delivery::AsSent,
                patience: Duration::ZERO,
                archive_patience: Duration::ZERO,
                json: false,
            },
            spec: Some(path.clone()),
            set: set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            sensors: Some(20),
            seed: None,
            city: None,
        };
        let set = [("faults.late", "0.25"), ("connections.qos", "0"), ("encoding", "json")];
        let merged = spec(&args(&set)).unwrap();
        assert_eq!((merged.sensors, merged.seed, merged.connections.direct), (20, 3, 2));
        assert_eq!((merged.connections.qos, merged.faults.late.to_bits()), (0, 0.25_f64.to_bits()));
        assert_eq!(merged.encoding, citytwin_simulators::spec::Encoding::Json);
        let table = [
            (("faults.lat", "1"), "fleet.toml"),
            (("seed.x", "1"), "seed is no table"),
            (("connections.qos", "3"), "connections.qos"),
        ];
        for (wrong, expected) in table {
            let error = spec(&args(&[wrong])).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
