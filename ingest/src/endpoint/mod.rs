//! The MQTT endpoint: sensors publish straight to the engine, and are acknowledged when their
//! reading is on disk. It is not a broker: it takes PUBLISH of QoS 0, 1 and 2, answers pings,
//! refuses subscriptions with the proper code, and publishes nothing (so wills are ignored).
//!
//! Promises: no acknowledgement before the message is durable, none out of order, none twice; a
//! packet that breaks the protocol ends that one connection, in MQTT 5 with the reason; memory is
//! bounded whatever the other side sends, and a connection between messages holds a few KiB.
//!
//! `wire` is a connection's socket, `handshake` lets it in, `connection` is its task, `ear` turns
//! bytes into messages: `framing` cuts packets, `protocol` and `hello` know MQTT, `strict` what
//! the library lets pass. `session` knows who is connected.

mod closing;
mod connection;
mod counters;
mod ear;
mod files;
mod framing;
mod handshake;
mod hello;
mod protocol;
mod session;
mod settings;
mod strict;
mod timing;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub use counters::{ClosedReason, EndpointCounters, RefusedReason};
pub use files::raise_file_limit;
pub use settings::{EndpointSettings, TlsFiles};

use crate::intake::Intake;
use session::{Kick, Link, Sessions};
use settings::Users;

/// Connections over the limit that are told so at once; any more are closed without a word.
const TURNED_AWAY: u32 = 128;
/// Room for topic and properties in the longest packet.
const HEADER_BYTES: usize = 8 << 10;
/// How often the pace of reading is set anew.
const PACE_EVERY: Duration = Duration::from_millis(250);
/// How often the same complaint about accepting is repeated.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);
/// First and longest wait after a connection could not be accepted.
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Why the endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file could not be read.
    #[error("cannot read {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of the users file.
    #[error("{path}, line {line}: not `name:password`", path = path.display())]
    Users {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A certificate or key file.
    #[error("{path}: no certificate or key in PEM", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not make a TLS server.
    #[error("certificate and key do not go together")]
    Tls(#[source] rustls::Error),
}

/// The endpoint, listening.
#[derive(Debug)]
pub struct Endpoint {
    listener: TcpListener,
    addr: SocketAddr,
    tls: Option<TlsWrap>,
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct TlsWrap(TlsAcceptor);

impl std::fmt::Debug for TlsWrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    settings: EndpointSettings,
    users: Option<Users>,
    counters: Arc<EndpointCounters>,
    sessions: Arc<Sessions>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    intake: Intake,
    next_number: AtomicU64,
    /// How long to let messages gather before the next read, in milliseconds; 0 when little goes
    /// on.
    pace_ms: AtomicU32,
    /// Bytes of packets that have not wholly arrived, where they are many.
    part_bytes: Arc<AtomicUsize>,
    /// Bytes of messages that were read and not yet handed over.
    waiting_bytes: Arc<AtomicUsize>,
    will_said: AtomicBool,
    /// Told whenever a connection is gone.
    gone: Notify,
}

impl Shared {
    /// Longest packet taken: the longest payload, its topic and its properties.
    fn packet_bytes(&self) -> u32 {
        u32::try_from(self.intake.max_payload_bytes() + HEADER_BYTES).unwrap_or(u32::MAX)
    }
}

impl Endpoint {
    /// Listens; nothing is accepted before [`Endpoint::run`]. Raises the limit of open files as
    /// far as allowed, and says so when that is not enough for the connections wanted.
    ///
    /// # Errors
    /// When the address is taken, or the files named in the settings do not serve.
    pub async fn bind(
        settings: EndpointSettings,
        intake: Intake,
    ) -> Result<Endpoint, EndpointError> {
        files::room_for(settings.max_connections);
        let tls = settings.tls.as_ref().map(settings::acceptor).transpose()?.map(TlsWrap);
        let users = settings.users.as_deref().map(Users::read).transpose()?;
        let failed = |source| EndpointError::Listen { addr: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let most_kept = usize::try_from(settings.max_connections).unwrap_or(usize::MAX);
        let shared = Arc::new(Shared {
            users,
            counters: Arc::default(),
            sessions: Arc::new(Sessions::new(most_kept.saturating_mul(2))),
            links: Mutex::default(),
            intake,
            next_number: AtomicU64::new(0),
            pace_ms: AtomicU32::new(0),
            part_bytes: Arc::default(),
            waiting_bytes: Arc::default(),
            will_said: AtomicBool::new(false),
            gone: Notify::new(),
            settings,
        });
        Ok(Endpoint { listener, addr, tls, shared })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> u32 {
        self.shared.counters.connections()
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<EndpointCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves until `shutdown`; then accepts nothing more, sends what is owed for messages that
    /// become durable within [`EndpointSettings::drain_timeout`], says goodbye, and returns when
    /// every connection is closed. The log must run until this returns.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut pace = Pace::new(Arc::clone(&self.shared));
        let mut complained = None;
        let mut backoff = ACCEPT_BACKOFF.0;
        let mut ticks = tokio::time::interval(PACE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                _ = ticks.tick() => pace.set(),
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        backoff = ACCEPT_BACKOFF.0;
                        self.welcome(stream, from);
                    }
                    Err(error) => {
                        self.complain(&error, &mut complained);
                        tokio::select! {
                            () = tokio::time::sleep(backoff) => {}
                            () = shutdown.cancelled() => break,
                        }
                        backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
                    }
                },
            }
        }
        self.stop().await;
    }

    /// Starts the task of a connection.
    fn welcome(&self, stream: TcpStream, from: SocketAddr) {
        let counters = &self.shared.counters;
        let now_open = counters.opened();
        let most = self.shared.settings.max_connections;
        if now_open > most.saturating_add(TURNED_AWAY) {
            counters.refuse(RefusedReason::TooMany);
            counters.gone();
            return;
        }
        files::prepare(&stream);
        let link = Arc::new(Link::default());
        let number = self.shared.next_number.fetch_add(1, Ordering::Relaxed);
        self.shared.links.lock().insert(number, Arc::clone(&link));
        let guest = Guest { shared: Arc::clone(&self.shared), link, number, busy: now_open > most };
        tracing::trace!(%from, number, "connection");
        match &self.tls {
            None => drop(tokio::spawn(connection::serve(guest, stream))),
            Some(TlsWrap(acceptor)) => {
                drop(tokio::spawn(serve_tls(acceptor.clone(), guest, stream)));
            }
        }
    }

    fn complain(&self, error: &io::Error, complained: &mut Option<Instant>) {
        let out_of_files = files::is_out_of_files(error);
        if out_of_files {
            self.shared.counters.no_files();
        }
        let now = Instant::now();
        if complained.is_some_and(|at| now < at + COMPLAIN_EVERY) {
            return;
        }
        *complained = Some(now);
        let open = self.connections();
        if out_of_files {
            tracing::warn!(open, "no file descriptors left: new connections wait; raise `nofile`");
        } else {
            tracing::warn!(open, %error, "a connection could not be accepted");
        }
    }

    async fn stop(&self) {
        for link in self.shared.links.lock().values() {
            link.kick(Kick::ShuttingDown);
        }
        loop {
            // Registered before looking, so that no departure is missed.
            let gone = self.shared.gone.notified();
            if self.shared.links.lock().is_empty() {
                return;
            }
            gone.await;
        }
    }
}

async fn serve_tls(acceptor: TlsAcceptor, guest: Guest, stream: TcpStream) {
    let handshake = acceptor.accept(stream);
    let timeout = guest.shared.settings.connect_timeout;
    let link = Arc::clone(&guest.link);
    let done = tokio::select! {
        _ = std::future::poll_fn(|context| link.poll_kicked(context)) => return,
        done = tokio::time::timeout(timeout, handshake) => done,
    };
    match done {
        Ok(Ok(stream)) => connection::serve(guest, stream).await,
        Ok(Err(error)) => {
            guest.shared.counters.refuse(RefusedReason::Tls);
            tracing::debug!(%error, "TLS handshake failed");
        }
        Err(_late) => guest.shared.counters.refuse(RefusedReason::Tls),
    }
}

/// A connection's place in the house; given back when dropped.
#[derive(Debug)]
struct Guest {
    shared: Arc<Shared>,
    link: Arc<Link>,
    number: u64,
    /// Only let in to be told that there is no room.
    busy: bool,
}

/// One connection's share of what all may hold; given back when dropped.
#[derive(Debug)]
struct Share {
    total: Arc<AtomicUsize>,
    mine: usize,
}

impl Share {
    fn of(total: &Arc<AtomicUsize>) -> Share {
        Share { total: Arc::clone(total), mine: 0 }
    }

    fn set(&mut self, mine: usize) {
        if mine > self.mine {
            self.total.fetch_add(mine - self.mine, Ordering::Relaxed);
        } else if mine < self.mine {
            self.total.fetch_sub(self.mine - mine, Ordering::Relaxed);
        }
        self.mine = mine;
    }

    fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.links.lock().remove(&self.number);
        self.shared.counters.gone();
        self.shared.gone.notify_waiters();
    }
}

/// Sets how long messages may gather before a read. Under load a read and a write of the kernel
/// cost several times what a message costs, so they are shared by more messages; the wait is
/// short beside an epoch, and none when little goes on.
#[derive(Debug)]
struct Pace {
    shared: Arc<Shared>,
    at: Instant,
    messages: u64,
}

impl Pace {
    fn new(shared: Arc<Shared>) -> Pace {
        Pace { at: Instant::now(), messages: shared.counters.messages(), shared }
    }

    fn set(&mut self) {
        let now = Instant::now();
        let messages = self.shared.counters.messages();
        let millis = u64::try_from((now - self.at).as_millis()).unwrap_or(u64::MAX).max(1);
        let per_s = (messages - self.messages).saturating_mul(1_000) / millis;
        (self.at, self.messages) = (now, messages);
        let pace_ms = match per_s {
            0..8_000 => 0,
            8_000..20_000 => 10,
            20_000.. => 20,
        };
        self.shared.pace_ms.store(pace_ms, Ordering::Relaxed);
    }
}
