//! Configuration: the one place that reads flags, environment (`CITYTWIN_…`) and the TOML file,
//! once, in two steps: [`raw`] gathers and remembers who said what, [`Config::check`] makes plain
//! structs, one for each room. Nothing else in the house reads any of the three.
//!
//! A wrong key, value or unit is an error that names it and what is allowed, before anything
//! starts.

pub mod error;
pub mod keys;
pub mod raw;
pub mod value;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use citytwin_core::time::TimeMode;
use citytwin_ingest::archive::{Retention, StoreSettings};

pub use error::{ConfigError, Mistake};
pub use raw::{Environment, Flags, Origin, Raw, Setting};
use value::Value;

/// Least time that files stay on disk before they are in the store only.
const LEAST_LOCAL_MS: u64 = 2 * 86_400_000;

/// Everything the engine is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folder of log, checkpoints and archive.
    pub data: PathBuf,
    /// Files of sensors to register at the start.
    pub sensors: Vec<PathBuf>,
    /// The places file.
    pub places: Option<PathBuf>,
    /// The road network: a GMNS folder or an OpenStreetMap extract.
    pub network: Option<PathBuf>,
    /// Our own MQTT endpoint; `None`: off.
    pub endpoint: Option<EndpointConfig>,
    /// A foreign broker; `None`: none. At least one of the two doors is open.
    pub broker: Option<BrokerConfig>,
    /// Where the gRPC API listens.
    pub grpc_listen: SocketAddr,
    /// Where Prometheus text is served; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The log.
    pub log: LogConfig,
    /// The archive.
    pub archive: ArchiveConfig,
    /// Admission and dataflow.
    pub twin: TwinConfig,
    /// Questions about the past.
    pub history: HistoryConfig,
    /// What-if.
    pub planner: PlannerConfig,
    /// Our own log lines.
    pub telemetry: TelemetryConfig,
}

/// The MQTT endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Connections held at once.
    pub max_connections: u32,
    /// File of `name:password` lines; `None`: anybody.
    pub users: Option<PathBuf>,
    /// Certificate chain and key; `None`: no TLS.
    pub tls: Option<TlsFiles>,
    /// Messages a sensor may have unacknowledged.
    pub receive_maximum: u16,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// MQTT as spoken to a foreign broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1
    V3,
    /// 5
    V5,
}

/// The broker door.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// `mqtt[s]://[user:password@]host[:port]`.
    pub url: String,
    /// MQTT version.
    pub version: MqttVersion,
    /// Group of the shared subscription.
    pub group: String,
    /// Connections.
    pub connections: u32,
    /// Prefix of the client ids.
    pub client_id: String,
    /// Trusted certificate authority.
    pub ca: Option<PathBuf>,
    /// Messages the broker may have unacknowledged on one connection.
    pub receive_maximum: u16,
}

impl std::fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerConfig")
            .field("url", &value::without_password(&self.url))
            .field("version", &self.version)
            .field("group", &self.group)
            .field("connections", &self.connections)
            .field("client_id", &self.client_id)
            .field("ca", &self.ca)
            .field("receive_maximum", &self.receive_maximum)
            .finish()
    }
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Longest wait for company before a commit.
    pub commit_interval: Duration,
    /// Size of one file.
    pub segment_bytes: u64,
    /// Commits that may wait for the dataflow.
    pub queue: usize,
}

/// The archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveConfig {
    /// How often files are written.
    pub every: Duration,
    /// Readings after which they are written even earlier.
    pub readings: u64,
    /// Whether the files of days that are over are merged.
    pub compact: bool,
    /// How long files stay on disk that are not of the archive any more.
    pub removal_delay: Duration,
    /// Where its files are carried to; `None`: nowhere.
    pub store: Option<StoreSettings>,
    /// How long files that are in the store stay here, in milliseconds; `None`: for ever.
    pub local_for_ms: Option<u64>,
    /// How long what is kept.
    pub kept: Retention,
}

/// Admission and dataflow; milliseconds as the engine counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinConfig {
    /// Whose time the engine lives by.
    pub time: TimeMode,
    /// Length of a window.
    pub window_ms: i64,
    /// Wait for late readings.
    pub lateness_ms: i64,
    /// Silence after which windows close without readings.
    pub idle_after_ms: i64,
    /// How long a closed window may be revised.
    pub revision_horizon_ms: i64,
    /// How far back repeats are told.
    pub dedupe_horizon_ms: i64,
    /// How long a value may stand still.
    pub stuck_after_ms: i64,
    /// How far ahead of arrival a reading may be.
    pub max_clock_lead_ms: i64,
    /// How old a reading may be on arrival.
    pub max_age_ms: i64,
    /// Threads of the dataflow.
    pub workers: usize,
}

/// Questions about the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Threads of its own.
    pub threads: usize,
    /// Bytes of all queries together.
    pub memory: usize,
    /// Bytes on disk for what does not fit.
    pub spill: u64,
    /// Queries at once.
    pub queries: usize,
}

/// What-if.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannerConfig {
    /// Runs that go on at once.
    pub threads: usize,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// For machines.
    Json,
}

/// Our own log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Filter, `info` or `info,citytwin=debug`.
    pub level: String,
    /// How they look.
    pub format: LogFormat,
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Config, ConfigError> {
        Config::check(&Raw::gather(flags, environment)?)
    }

    /// The second step: from valid values to valid rooms.
    ///
    /// # Errors
    /// Values that do not go together.
    pub fn check(raw: &Raw) -> Result<Config, ConfigError> {
        let take = Take(raw);
        let config = Config {
            data: take.path("data").unwrap_or_else(|| PathBuf::from("citytwin-data")),
            sensors: take.paths("sensors"),
            places: take.path("places"),
            network: take.path("network"),
            endpoint: take.flag("endpoint.enabled").then(|| take.endpoint()),
            broker: take.broker(),
            grpc_listen: take.address("grpc.listen").unwrap_or(([127, 0, 0, 1], 50_051).into()),
            metrics_listen: take.address("metrics.listen"),
            log: LogConfig {
                commit_interval: Duration::from_millis(take.number("log.commit_interval")),
                segment_bytes: take.number("log.segment"),
                queue: take.count("log.queue"),
            },
            archive: ArchiveConfig {
                every: Duration::from_millis(take.number("archive.every")),
                readings: take.number("archive.readings"),
                compact: take.flag("archive.compact"),
                removal_delay: Duration::from_millis(take.number("archive.removal_delay")),
                store: take.store(),
                local_for_ms: Some(take.number("archive.local_for")).filter(|ms| *ms > 0),
                kept: take.retention(),
            },
            twin: take.twin(),
            history: HistoryConfig {
                threads: take.count("history.threads"),
                memory: take.count("history.memory"),
                spill: take.number("history.spill"),
                queries: take.count("history.queries"),
            },
            planner: PlannerConfig { threads: take.count("planner.threads") },
            telemetry: TelemetryConfig {
                level: take.text("telemetry.level"),
                format: match take.text("telemetry.format").as_str() {
                    "human" => LogFormat::Human,
                    "json" => LogFormat::Json,
                    _ => LogFormat::Auto,
                },
            },
        };
        ConfigError::of(conflicts(raw, &config))?;
        Ok(config)
    }
}

/// Typed access to gathered values. The key table fixes each key's kind, so a mismatch is a
/// mistake in this file, found by the test that loads the defaults.
struct Take<'a>(&'a Raw);

impl Take<'_> {
    fn path(&self, key: &str) -> Option<PathBuf> {
        let value = &self.0.setting(key).value;
        if let Value::Path(path) = value { Some(path.clone()) } else { None }
    }

    fn paths(&self, key: &str) -> Vec<PathBuf> {
        let value = &self.0.setting(key).value;
        if let Value::Paths(paths) = value { paths.clone() } else { Vec::new() }
    }

    fn retention(&self) -> Retention {
        let kept = |key| Some(self.number(key)).filter(|ms| *ms > 0);
        Retention {
            readings_ms: kept("archive.keep_readings"),
            windows_ms: kept("archive.keep_windows"),
            cell_windows_ms: kept("archive.keep_cell_windows"),
            refusals_ms: kept("archive.keep_refusals"),
            dead_letters_ms: kept("archive.keep_dead_letters"),
            keyframes_ms: kept("archive.keep_keyframes"),
        }
    }

    fn store(&self) -> Option<StoreSettings> {
        let address = self.text("archive.store").parse().ok()?;
        Some(StoreSettings { address, credentials: self.0.credentials().clone() })
    }

    fn flag(&self, key: &str) -> bool {
        self.0.setting(key).value == Value::Flag(true)
    }

    fn address(&self, key: &str) -> Option<SocketAddr> {
        let value = &self.0.setting(key).value;
        if let Value::Address(address) = value { Some(*address) } else { None }
    }

    fn text(&self, key: &str) -> String {
        let value = &self.0.setting(key).value;
        if let Value::Text(text) = value { text.clone() } else { String::new() }
    }

    fn number(&self, key: &str) -> u64 {
        let value = &self.0.setting(key).value;
        let number =
            if let Value::Count(number) | Value::Duration(number) | Value::Size(number) = value {
                Some(*number)
            } else {
                None
            };
        number.expect("the key table says that it is a number")
    }

    /// Numbers of the table fit the type that takes them; the bounds there say so.
    fn count<T: TryFrom<u64>>(&self, key: &str) -> T {
        let number = T::try_from(self.number(key)).ok();
        number.expect("the key table bounds it to what its room can hold")
    }

    fn endpoint(&self) -> EndpointConfig {
        EndpointConfig {
            listen: self.address("endpoint.listen").unwrap_or(([127, 0, 0, 1], 1883).into()),
            max_connections: self.count("endpoint.max_connections"),
            users: self.path("endpoint.users"),
            tls: self
                .path("endpoint.tls_cert")
                .zip(self.path("endpoint.tls_key"))
                .map(|(cert, key)| TlsFiles { cert, key }),
            receive_maximum: self.count("endpoint.receive_maximum"),
        }
    }

    fn broker(&self) -> Option<BrokerConfig> {
        let url = Some(self.text("broker.url")).filter(|url| !url.is_empty())?;
        Some(BrokerConfig {
            url,
            version: match self.text("broker.version").as_str() {
                "3.1.1" => MqttVersion::V3,
                _ => MqttVersion::V5,
            },
            group: self.text("broker.group"),
            connections: self.count("broker.connections"),
            client_id: self.text("broker.client_id"),
            ca: self.path("broker.ca"),
            receive_maximum: self.count("broker.receive_maximum"),
        })
    }

    fn twin(&self) -> TwinConfig {
        TwinConfig {
            time: match self.text("twin.time").as_str() {
                "event" => TimeMode::Event,
                _ => TimeMode::Live,
            },
            window_ms: self.count("twin.window"),
            lateness_ms: self.count("twin.lateness"),
            idle_after_ms: self.count("twin.idle_after"),
            revision_horizon_ms: self.count("twin.revision_horizon"),
            dedupe_horizon_ms: self.count("twin.dedupe_horizon"),
            stuck_after_ms: self.count("twin.stuck_after"),
            max_clock_lead_ms: self.count("twin.max_clock_lead"),
            max_age_ms: self.count("twin.max_age"),
            workers: self.count("twin.workers"),
        }
    }
}

/// Files of past days are merged here, and only a bucket says when it has something for good.
fn local_for_conflict(archive: &ArchiveConfig) -> Option<&'static str> {
    let local_for_ms = archive.local_for_ms?;
    let is_bucket = archive.store.as_ref().is_some_and(|store| store.address.is_bucket());
    if !is_bucket {
        return Some("files may only leave for a bucket; allowed: with archive.store = \"s3://…\"");
    }
    let is_short = local_for_ms < LEAST_LOCAL_MS;
    is_short.then_some("files of past days are merged first; allowed: 2days or more, or 0s")
}

fn conflicts(raw: &Raw, config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut conflict = |key: &str, conflict: &str| {
        let setting = raw.setting(key);
        let given = match setting.value.to_string() {
            empty if empty.is_empty() => "(not set)".to_owned(),
            given => given,
        };
        let (key, origin) = (setting.name, setting.origin.clone());
        mistakes.push(Mistake::Conflict { key, given, origin, conflict: conflict.to_owned() });
    };
    let set = |key: &str| raw.setting(key).value != Value::Unset;
    if config.endpoint.is_none() && config.broker.is_none() {
        conflict(
            "endpoint.enabled",
            "no door is open; allowed: true, or false with broker.url set",
        );
    }
    if set("endpoint.tls_cert") != set("endpoint.tls_key") {
        let missing =
            if set("endpoint.tls_cert") { "endpoint.tls_key" } else { "endpoint.tls_cert" };
        conflict(missing, "TLS needs both endpoint.tls_cert and endpoint.tls_key, or neither");
    }
    if set("broker.ca") && !raw.setting("broker.url").value.to_string().starts_with("mqtts://") {
        conflict("broker.ca", "is for TLS only; allowed: with a broker.url of mqtts://");
    }
    if !set("grpc.listen") {
        conflict("grpc.listen", "the API is always on; allowed: an IP address and a port");
    }
    if config.endpoint.is_some() && !set("endpoint.listen") {
        conflict(
            "endpoint.listen",
            "allowed: an IP address and a port, or endpoint.enabled = false",
        );
    }
    if let Some(wrong) = local_for_conflict(&config.archive) {
        conflict("archive.local_for", wrong);
    }
    if config.twin.dedupe_horizon_ms < config.twin.window_ms + config.twin.lateness_ms {
        conflict(
            "twin.dedupe_horizon",
            "is shorter than twin.window + twin.lateness; allowed: at least that, \
             or late readings could not be told from repeats",
        );
    }
    let listens = [
        ("endpoint.listen", config.endpoint.as_ref().map(|endpoint| endpoint.listen)),
        ("grpc.listen", Some(config.grpc_listen)),
        ("metrics.listen", config.metrics_listen),
    ];
    for (slot, (key, listen)) in listens.iter().enumerate() {
        let taken = listens[..slot].iter().find(|(_, other)| {
            listen.is_some() && other == listen && listen.is_some_and(|a| a.port() != 0)
        });
        if let Some((other, _)) = taken {
            conflict(key, &format!("is also {other}; allowed: different ports"));
        }
    }
    mistakes
}
