//! Sends what the sources of a fleet have due over MQTT and waits for the acknowledgements.
//!
//! [`publish`] runs one task per client. What is due comes from a [`Feed`], what became of it
//! goes into the [`Ledger`] and the [`Progress`]. The sending side is coalesced per slice so that
//! the fleet costs little beside the engine it drives; every acknowledgement is matched with its
//! message; what is unacknowledged when a connection breaks is sent again, marked DUP.
//!
//! Nothing here knows what a reading means.

mod codec;
mod connection;
mod options;
mod pace;
mod progress;
mod pulse;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;
use thiserror::Error;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use self::codec::CodecError;
use self::connection::Connection;
pub use self::connection::ConnectionError;
pub use self::options::{Login, MqttVersion, OptionError, PublishOptions, ServerUrl};
pub use self::pace::{NowMs, Pace, SimClock};
pub use self::progress::{Glance, Latency, Progress};
use self::wire::Dialer;
pub use self::wire::TlsError;
use crate::fleet::{Outgoing, Source, Tally};
use crate::ledger::Ledger;

/// What one client has to send, and when.
pub trait Feed: Send {
    /// The client's id; of no other feed of the run.
    fn client_id(&self) -> &str;
    /// Nothing is due before this time of the simulator; `i64::MAX`: never again.
    fn next_due_ms(&self) -> i64;
    /// Appends everything due before `until_ms`, in the order it is to be sent.
    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>);
    /// What was measured and is in no message as readings.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

impl fmt::Debug for dyn Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Feed({})", self.client_id())
    }
}

impl Feed for Source {
    fn client_id(&self) -> &str {
        Source::client_id(self)
    }

    fn next_due_ms(&self) -> i64 {
        Source::next_due_ms(self)
    }

    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        Source::take_until(self, until_ms, out);
    }

    fn tally(&self) -> Tally {
        Source::tally(self)
    }
}

/// Why nothing could be published at all. Once the first connection stood, trouble is no error:
/// connections come back, and the report says how often they had to.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The host has no address.
    #[error("cannot resolve {server}")]
    Resolve {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server cannot be reached, or refuses.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: ConnectionError,
    },
}

/// What the connections of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: PublishOptions,
    pub(crate) dialer: Dialer,
    pub(crate) clock: SimClock,
    pub(crate) progress: Arc<Progress>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) connecting: Semaphore,
    pub(crate) until_ms: i64,
    pub(crate) stop: CancellationToken,
}

/// Where a run's results go.
#[derive(Clone, Debug)]
pub struct Books {
    /// Counters and latencies.
    pub progress: Arc<Progress>,
    /// Readings.
    pub ledger: Arc<Ledger>,
}

/// Which part of time is published.
#[derive(Clone, Debug)]
pub struct Span {
    /// The simulator's time.
    pub clock: SimClock,
    /// What is due from then on is left out.
    pub until_ms: i64,
}

/// Checks that the server takes a connection, with its own client id, and leaves.
///
/// # Errors
/// When it cannot be reached or says no.
pub async fn check_reachable(
    options: &PublishOptions,
    client_id: &str,
) -> Result<(), PublishError> {
    let clock = SimClock::new(Arc::new(|| 0), Pace::Full, 0);
    let books = Books {
        progress: Arc::new(Progress::new()),
        ledger: Arc::new(Ledger::new(crate::ledger::Keep::Counts)),
    };
    let span = Span { clock, until_ms: 0 };
    let shared = shared(options, &books, span, CancellationToken::new()).await?;
    let failed = |source| PublishError::Connect { server: options.server.to_string(), source };
    let (mut wire, _) =
        timeout(options.connect_timeout, shared.greet(client_id, &mut BytesMut::new()))
            .await
            .unwrap_or(Err(ConnectionError::Silent(options.connect_timeout)))
            .map_err(failed)?;
    let mut farewell = BytesMut::new();
    codec::disconnect(options.version, &mut farewell).map_err(|e| failed(e.into()))?;
    while !farewell.is_empty() {
        wire.exchange(&mut farewell, &mut BytesMut::new()).await.map_err(|e| failed(e.into()))?;
    }
    Ok(())
}

/// Publishes everything the feeds have due in a span; returns when all of it is acknowledged, or
/// after `stop` when the options' drain time is over. Gives the feeds back.
///
/// # Errors
/// When the server's name or TLS cannot be set up.
pub async fn publish(
    options: &PublishOptions,
    feeds: Vec<Box<dyn Feed>>,
    books: &Books,
    span: Span,
    stop: &CancellationToken,
) -> Result<Vec<Box<dyn Feed>>, PublishError> {
    let stop = stop.child_token();
    let shared = Arc::new(shared(options, books, span, stop).await?);
    let count = u32::try_from(feeds.len()).unwrap_or(u32::MAX);
    shared.progress.connections.store(count, Relaxed);
    let mut tasks = JoinSet::new();
    let mut finished = Vec::with_capacity(feeds.len());
    for feed in feeds {
        tasks.spawn(Connection::new(Arc::clone(&shared), feed).run());
    }
    while let Some(done) = tasks.join_next().await {
        // a panic of a task is a broken promise of ours: it goes on up
        finished.push(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    shared.progress.connections.store(0, Relaxed);
    Ok(finished)
}

async fn shared(
    options: &PublishOptions,
    books: &Books,
    span: Span,
    stop: CancellationToken,
) -> Result<Shared, PublishError> {
    let place = (options.server.host.as_str(), options.server.port);
    let unknown = |source| PublishError::Resolve { server: options.server.to_string(), source };
    let address = lookup_host(place)
        .await
        .map_err(unknown)?
        .min_by_key(|address| !address.is_ipv4())
        .ok_or_else(|| unknown(std::io::ErrorKind::NotFound.into()))?;
    Ok(Shared {
        options: options.clone(),
        dialer: Dialer::new(options, address)?,
        clock: span.clock,
        progress: Arc::clone(&books.progress),
        ledger: Arc::clone(&books.ledger),
        connecting: Semaphore::new(options.connecting.max(1)),
        until_ms: span.until_ms,
        stop,
    })
}
