//! The table of all configuration keys: name, kind, bounds, default and what it is for. Every
//! limit of the program that a city may want to change stands here and nowhere else; the example
//! file, `config show`, the environment names and the errors are all made from this table.

/// One key.
#[derive(Debug)]
pub struct Key {
    /// Dotted name as in the TOML file, `twin.window`.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// The default as it would be written; empty: not set.
    pub default: &'static str,
    /// What it is for, one or two sentences.
    pub help: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or folder; may be left out.
    Path,
    /// A list of files.
    Paths,
    /// `true` or `false`.
    Flag,
    /// `address:port` to listen on; may be left out.
    Address,
    /// `mqtt://` or `mqtts://`, then optionally user and password, host, optionally port.
    BrokerUrl,
    /// `s3://bucket/prefix` or `file:///folder`; may be left out.
    StoreUrl,
    /// A name of 1 to 64 of `A-Z a-z 0-9 . _ -`.
    Name,
    /// Any text; may be left out.
    Text,
    /// A duration with its unit, within bounds in milliseconds.
    Duration(u64, u64),
    /// A size with its unit, within bounds in bytes.
    Size(u64, u64),
    /// A whole number within bounds.
    Count(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;
const GIB: u64 = 1_024 * MIB;

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key { name, kind, default, help }
}

/// All keys, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "data",
        Kind::Path,
        "citytwin-data",
        "Folder of the log, the checkpoints and the archive. Made if missing; one engine at a time.",
    ),
    key(
        "sensors",
        Kind::Paths,
        "",
        "Files of sensors to register at the start (.csv or .geojson).",
    ),
    key("places", Kind::Path, "", "GeoJSON file of the places an area may name."),
    key(
        "network",
        Kind::Path,
        "",
        "Roads for scenarios: a folder of GMNS tables, or an OpenStreetMap extract (.osm.pbf).",
    ),
    key(
        "endpoint.enabled",
        Kind::Flag,
        "true",
        "Whether sensors may connect here by MQTT; they are acknowledged when their reading is on disk.",
    ),
    key("endpoint.listen", Kind::Address, "127.0.0.1:1883", "Where the MQTT endpoint listens."),
    key(
        "endpoint.max_connections",
        Kind::Count(1, 1_000_000),
        "20000",
        "Connections held at once; one more is refused with \"server busy\".",
    ),
    key(
        "endpoint.users",
        Kind::Path,
        "",
        "File of users, one `name:password` a line. Not set: anybody may connect.",
    ),
    key(
        "endpoint.tls_cert",
        Kind::Path,
        "",
        "Certificate chain (PEM). With it and the key the endpoint speaks TLS only.",
    ),
    key("endpoint.tls_key", Kind::Path, "", "Private key of the certificate (PEM)."),
    key(
        "endpoint.receive_maximum",
        Kind::Count(1, 65_535),
        "1000",
        "Messages a sensor may have unacknowledged (MQTT 5 Receive Maximum).",
    ),
    key(
        "broker.url",
        Kind::BrokerUrl,
        "",
        "Broker to take readings from, mqtt[s]://[user:password@]host[:port]. Not set: none.",
    ),
    key("broker.version", Kind::Choice(&["5", "3.1.1"]), "5", "MQTT version spoken to the broker."),
    key(
        "broker.group",
        Kind::Name,
        "citytwin",
        "Group of the shared subscription; engines of one group share the readings.",
    ),
    key(
        "broker.connections",
        Kind::Count(1, 64),
        "2",
        "Connections to the broker, sharing the subscription.",
    ),
    key(
        "broker.client_id",
        Kind::Name,
        "citytwin",
        "Client id; connection n is named `{client_id}-{n}`. Fixed, so that the broker keeps the session.",
    ),
    key(
        "broker.ca",
        Kind::Path,
        "",
        "Certificate authority (PEM) to trust for mqtts. Not set: the system's.",
    ),
    key(
        "broker.receive_maximum",
        Kind::Count(1, 65_535),
        "1000",
        "Messages the broker may have unacknowledged on one connection.",
    ),
    key("grpc.listen", Kind::Address, "127.0.0.1:50051", "Where the gRPC API listens."),
    key(
        "metrics.listen",
        Kind::Address,
        "127.0.0.1:9464",
        "Where Prometheus fetches /metrics. Empty: nowhere.",
    ),
    key(
        "log.commit_interval",
        Kind::Duration(0, 100),
        "5ms",
        "Least time between two commits; a message that comes alone is committed at once.",
    ),
    key(
        "log.segment",
        Kind::Size(MIB, 4 * GIB),
        "64 MiB",
        "Size at which the log begins a new file.",
    ),
    key(
        "log.queue",
        Kind::Count(1, 100_000),
        "32",
        "Commits that may wait for the dataflow; when full, nothing more is acknowledged.",
    ),
    key(
        "archive.every",
        Kind::Duration(SECOND, DAY),
        "5m",
        "How often Parquet files and a checkpoint are written.",
    ),
    key(
        "archive.readings",
        Kind::Count(1_000, 100_000_000),
        "1000000",
        "Readings after which files are written even earlier, though never twice in 10 s.",
    ),
    key(
        "archive.compact",
        Kind::Flag,
        "true",
        "Whether the files of days that are over are merged into few.",
    ),
    key(
        "archive.removal_delay",
        Kind::Duration(0, DAY),
        "10m",
        "How long files that were merged or let go stay, for readers of older Delta versions.",
    ),
    key(
        "archive.store",
        Kind::StoreUrl,
        "",
        "Store that the archive's files are carried to; AWS_… in the environment opens it. Not set: none.",
    ),
    key(
        "archive.local_for",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long files that are in the store stay here, too, at least 2 days; 0s: for ever.",
    ),
    key(
        "archive.keep_readings",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long readings are kept; 0s: for ever.",
    ),
    key(
        "archive.keep_refusals",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long readings that do not count are kept; 0s: for ever.",
    ),
    key(
        "archive.keep_windows",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long windows of sensors are kept; 0s: for ever.",
    ),
    key(
        "archive.keep_cell_windows",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long windows of cells are kept; 0s: for ever.",
    ),
    key(
        "archive.keep_dead_letters",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long messages that could not be taken are kept; 0s: for ever.",
    ),
    key(
        "archive.keep_keyframes",
        Kind::Duration(0, 36_500 * DAY),
        "0s",
        "How long snapshots of each quarter hour, which make questions of any second quick are kept; 0s: for ever.",
    ),
    key(
        "twin.time",
        Kind::Choice(&["live", "event"]),
        "live",
        "live: a city as it is now. event: recorded data, whose own times alone move the watermark.",
    ),
    key("twin.window", Kind::Duration(SECOND, HOUR), "60s", "Length of the windows."),
    key(
        "twin.lateness",
        Kind::Duration(0, HOUR),
        "10s",
        "How long a window waits for late readings before it closes.",
    ),
    key(
        "twin.idle_after",
        Kind::Duration(SECOND, DAY),
        "30s",
        "Silence of the whole city after which windows close without it (live).",
    ),
    key(
        "twin.revision_horizon",
        Kind::Duration(0, DAY),
        "10m",
        "How long a closed window is held, so that a late reading may still revise it.",
    ),
    key(
        "twin.dedupe_horizon",
        Kind::Duration(MINUTE, 7 * DAY),
        "1h",
        "How far behind its newest one a sensor's reading may be and still be told from a repeat.",
    ),
    key(
        "twin.stuck_after",
        Kind::Duration(MINUTE, 7 * DAY),
        "30m",
        "A value that nature moves and that has not moved for this long makes a sensor stuck.",
    ),
    key(
        "twin.max_clock_lead",
        Kind::Duration(0, HOUR),
        "5s",
        "A reading further ahead of arrival than this is refused as clock_ahead (live).",
    ),
    key(
        "twin.max_age",
        Kind::Duration(MINUTE, 3_650 * DAY),
        "7d",
        "A reading older than this on arrival is refused as too_old (live).",
    ),
    key(
        "twin.workers",
        Kind::Count(1, 64),
        "1",
        "Threads of the dataflow. Answers do not depend on it.",
    ),
    key(
        "history.threads",
        Kind::Count(1, 64),
        "1",
        "Threads on which questions about the past are answered, apart from those of the dataflow.",
    ),
    key(
        "history.memory",
        Kind::Size(16 * MIB, 1_024 * GIB),
        "512MiB",
        "Memory of all queries together; past it they sort and group on disk.",
    ),
    key(
        "history.spill",
        Kind::Size(0, 1_024 * GIB),
        "8GiB",
        "Disk that queries may use for what does not fit into memory, below the data folder.",
    ),
    key(
        "history.queries",
        Kind::Count(1, 1_024),
        "4",
        "Queries that run at once; sixteen times as many may wait, more are refused.",
    ),
    key(
        "planner.threads",
        Kind::Count(1, 64),
        "2",
        "What-if runs that go on at once, behind everything else; others wait. Outcomes do not depend \
         on it.",
    ),
    key(
        "telemetry.level",
        Kind::Text,
        "info",
        "What is logged: error, warn, info, debug, trace, or per module as in `info,citytwin=debug`.",
    ),
    key(
        "telemetry.format",
        Kind::Choice(&["auto", "human", "json"]),
        "auto",
        "How it is logged. auto: human on a terminal, json otherwise.",
    ),
];

/// Environment names with our prefix that are no configuration keys.
pub const OTHER_ENVIRONMENT: &[&str] = &["CITYTWIN_CONFIG", "CITYTWIN_SERVER"];

/// What Kubernetes puts into the environment of every container beside a service of our name.
pub const KUBERNETES_PREFIXES: &[&str] = &["CITYTWIN_SERVICE_", "CITYTWIN_PORT"];

impl Key {
    /// The key with this name.
    pub fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its name in the environment, `CITYTWIN_TWIN_WINDOW`.
    pub fn environment_name(&self) -> String {
        format!("CITYTWIN_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// The name in `known` that `name` was most likely meant to be: the same last part in another
/// table, or few letters away.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .map(|candidate| {
            let full = edits(name, candidate);
            let distance = if last(name) == last(candidate) { full.min(1) } else { full };
            (distance, candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
