//! The broker door: readings from any MQTT 5 or 3.1.1 broker. Several connections share one
//! subscription, `$share/{group}/city/v1/+/+/readings`, which is how one process takes more than
//! one connection's rate; the first of them also subscribes to the retained descriptions,
//! `city/v1/+/+/about` (not shared: a broker sends retained messages to plain subscriptions only).
//!
//! Promises: a message is acknowledged to the broker when it is durable here, in the order
//! received, and only on the connection that brought it; the session is kept by the broker while
//! we are away, so what was not acknowledged comes again. The promise to the sensor begins at the
//! broker: it must be set to lose nothing behind its own PUBACK.
//!
//! `line` is rumqttc in either version, `session` the task of one connection, `url` and `tls` how
//! to get there.

mod line;
mod session;
mod tls;
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::intake::Intake;
pub use url::BrokerUrl;

/// Readings, one topic a sensor; shared by the connections of a group.
const READINGS: &str = "city/v1/+/+/readings";
/// Descriptions, retained.
const ABOUT: &str = "city/v1/+/+/about";

/// MQTT as spoken to the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrokerVersion {
    /// 3.1.1
    V3,
    /// 5
    #[default]
    V5,
}

/// How to reach the broker and what to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// Where it is, and who we are there.
    pub url: BrokerUrl,
    /// MQTT version.
    pub version: BrokerVersion,
    /// Group of the shared subscription.
    pub group: String,
    /// Connections.
    pub connections: u32,
    /// Client ids are this and the connection's number: fixed, so that the broker finds the
    /// session again.
    pub client_id: String,
    /// Certificates (PEM) to trust for `mqtts`; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// Messages the broker may have unacknowledged on one connection (told in MQTT 5).
    pub receive_maximum: u16,
    /// How long the broker keeps a session without its connection (MQTT 5).
    pub session_expiry: Duration,
    /// First and longest wait before the next try to connect; it doubles in between.
    pub retry: (Duration, Duration),
    /// How long a stop waits for the last messages to become durable.
    pub drain_timeout: Duration,
}

impl BrokerSettings {
    /// The defaults for the broker at `url`.
    pub fn new(url: BrokerUrl) -> BrokerSettings {
        BrokerSettings {
            url,
            version: BrokerVersion::V5,
            group: "citytwin".to_owned(),
            connections: 2,
            client_id: "citytwin".to_owned(),
            ca: None,
            receive_maximum: 1_000,
            session_expiry: Duration::from_secs(7 * 86_400),
            retry: (Duration::from_millis(250), Duration::from_secs(15)),
            drain_timeout: Duration::from_secs(2),
        }
    }
}

/// Why the door cannot be opened, or closed by itself. A broker that is away is no error: it is
/// tried again and again, and [`BrokerStatus`] says so.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Not a broker's address.
    #[error("not mqtt[s]://[user:password@]host[:port]")]
    Url,
    /// The certificates to trust could not be read.
    #[error("cannot read certificates from {path}", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// There is nothing to trust.
    #[error("no trusted certificates: name them in a file")]
    NoCertificates,
    /// They make no TLS client.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The log takes nothing more.
    #[error(transparent)]
    Intake(#[from] crate::intake::IntakeError),
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    /// Trying.
    Connecting,
    /// Connected and subscribed.
    Connected,
    /// Waiting before the next try.
    Waiting,
    /// Stopped.
    Stopped,
}

/// One connection, as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// Its client id.
    pub client_id: String,
    /// Where it stands.
    pub state: BrokerState,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// How often the connection was made.
    pub connects: u64,
    /// Messages received.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Messages acknowledged.
    pub acknowledged: u64,
}

/// All connections, as seen from outside. Clones share it.
#[derive(Clone, Debug)]
pub struct BrokerStatus {
    connections: Arc<Vec<Mutex<ConnectionStatus>>>,
}

impl BrokerStatus {
    fn new(settings: &BrokerSettings) -> BrokerStatus {
        let connections = (0..settings.connections)
            .map(|number| {
                Mutex::new(ConnectionStatus {
                    client_id: format!("{}-{number}", settings.client_id),
                    state: BrokerState::Connecting,
                    last_error: None,
                    connects: 0,
                    messages: 0,
                    bytes: 0,
                    acknowledged: 0,
                })
            })
            .collect();
        BrokerStatus { connections: Arc::new(connections) }
    }

    /// A look at every connection.
    pub fn connections(&self) -> Vec<ConnectionStatus> {
        self.connections.iter().map(|connection| connection.lock().clone()).collect()
    }

    fn update(&self, number: usize, change: impl FnOnce(&mut ConnectionStatus)) {
        if let Some(connection) = self.connections.get(number) {
            change(&mut connection.lock());
        }
    }
}

/// The door, closed.
#[derive(Debug)]
pub struct Broker {
    settings: BrokerSettings,
    intake: Intake,
    tls: Option<Arc<rustls::ClientConfig>>,
    status: BrokerStatus,
}

impl Broker {
    /// Prepares the door; nothing is connected before [`Broker::run`].
    ///
    /// # Errors
    /// When the certificates to trust cannot be had.
    pub fn new(settings: BrokerSettings, intake: Intake) -> Result<Broker, BrokerError> {
        let tls = settings.url.is_tls().then(|| tls::config(settings.ca.as_deref())).transpose()?;
        let status = BrokerStatus::new(&settings);
        Ok(Broker { settings, intake, tls, status })
    }

    /// Where the connections stand.
    pub fn status(&self) -> BrokerStatus {
        self.status.clone()
    }

    /// Takes messages until `shutdown`, then sends what is owed for those that become durable
    /// within the drain time-out, and leaves; the broker keeps the sessions. The log must run
    /// until this returns.
    ///
    /// # Errors
    /// When the log takes nothing more.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BrokerError> {
        let stop = shutdown.child_token();
        let mut sessions = tokio::task::JoinSet::new();
        for number in 0..usize::try_from(self.settings.connections).unwrap_or(usize::MAX) {
            let place = session::Place {
                settings: self.settings.clone(),
                tls: self.tls.clone(),
                number,
                status: self.status.clone(),
                intake: self.intake.clone(),
                shutdown: stop.clone(),
            };
            match self.settings.version {
                BrokerVersion::V3 => sessions.spawn(session::run::<line::V3>(place)),
                BrokerVersion::V5 => sessions.spawn(session::run::<line::V5>(place)),
            };
        }
        let mut result = Ok(());
        while let Some(ended) = sessions.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    stop.cancel();
                    result = Err(error.into());
                }
                // A broken promise of ours stops the process, not one connection.
                Err(failed) => {
                    if let Ok(panic) = failed.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
        result
    }
}

/// [`Broker::new`] and [`Broker::run`] in one.
///
/// # Errors
/// As theirs.
pub async fn run(
    settings: BrokerSettings,
    intake: Intake,
    shutdown: CancellationToken,
) -> Result<(), BrokerError> {
    Broker::new(settings, intake)?.run(shutdown).await
}
