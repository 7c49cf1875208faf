//! From a new socket to a client that is let in: its first packet, whether it may come in, the
//! client id it holds from then on, and the answer.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::counters::RefusedReason;
use super::framing::{Framed, Framer, Limits};
use super::hello::{Denied, Hello, Refusal, Welcome};
use super::protocol::Protocol;
use super::session::Lease;
use super::settings::EndpointSettings;
use super::wire::Wire;
use super::{Guest, Shared};

/// Longest CONNECT packet; its will is thrown away.
const LIMITS: Limits = Limits { packet_bytes: 68 << 10, swallow: false };

/// First byte of a CONNECT packet.
const CONNECT: u8 = 0x10;

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Entered {
    pub protocol: Protocol,
    pub lease: Lease,
    /// Longest silence it promised.
    pub keep_alive: Option<Duration>,
    /// How long its session outlives the connection.
    pub expiry: Duration,
    /// What came in the same breath as its first packet.
    pub rest: Vec<u8>,
}

enum First {
    Packet { packet: Vec<u8>, rest: Vec<u8> },
    Left,
    Stopping,
    Malformed,
}

/// Lets a client in; its CONNACK waits in the wire to be written. `None`: it is refused, and the
/// wire holds the answer, if one is due.
pub(super) async fn enter<S: AsyncRead + AsyncWrite + Unpin>(
    guest: &Guest,
    wire: &mut Wire<S>,
) -> Option<Entered> {
    let shared = &guest.shared;
    let timeout = shared.settings.connect_timeout;
    let refuse = |reason| shared.counters.refuse(reason);
    let mut framer = Framer::default();
    let first = poll_fn(|context| poll_first(guest, wire, &mut framer, context));
    let (packet, rest) = match tokio::time::timeout(timeout, first).await {
        Ok(Ok(First::Packet { packet, rest })) => (packet, rest),
        Ok(Ok(First::Malformed)) => {
            refuse(RefusedReason::Malformed);
            return None;
        }
        Ok(Ok(First::Left) | Err(_)) | Err(_) => {
            refuse(RefusedReason::NoConnect);
            return None;
        }
        Ok(Ok(First::Stopping)) => return None,
    };
    let mut protocol = Protocol::new(shared.packet_bytes());
    match admit(guest, &mut protocol, &packet) {
        Ok(hello) => Some(let_in(guest, wire, protocol, hello).await.with(rest)),
        Err(denied) => {
            refuse(denied.reason);
            tracing::debug!(why = denied.text, "connection refused");
            wire.out().extend_from_slice(&denied.connack);
            None
        }
    }
}

fn poll_first<S: AsyncRead + AsyncWrite + Unpin>(
    guest: &Guest,
    wire: &mut Wire<S>,
    framer: &mut Framer,
    context: &mut Context<'_>,
) -> Poll<io::Result<First>> {
    if guest.link.poll_kicked(context).is_ready() {
        return Poll::Ready(Ok(First::Stopping));
    }
    loop {
        let read = wire.poll_read(context, |mut chunk| {
            guest.shared.counters.read(0, chunk.len() as u64);
            // Who begins with something else is not waited for.
            if framer.is_empty() && chunk.first() != Some(&CONNECT) {
                return Some(First::Malformed);
            }
            match framer.next(&mut chunk, LIMITS) {
                Framed::Packet(packet) => {
                    Some(First::Packet { packet: packet.into_owned(), rest: chunk.to_vec() })
                }
                Framed::More => None,
                Framed::Swallowed { .. } | Framed::BadLength | Framed::TooLong => {
                    Some(First::Malformed)
                }
            }
        });
        match std::task::ready!(read)? {
            None => return Poll::Ready(Ok(First::Left)),
            Some(Some(first)) => return Poll::Ready(Ok(first)),
            Some(None) => {}
        }
    }
}

/// Whether the client may come in.
fn admit(guest: &Guest, protocol: &mut Protocol, packet: &[u8]) -> Result<Hello, Denied> {
    let hello = protocol.hello(packet)?;
    if guest.link.kicked().is_some() {
        return Err(protocol.refuse(Refusal::Stopping));
    }
    if guest.busy {
        return Err(protocol.refuse(Refusal::TooMany));
    }
    let Some(users) = &guest.shared.users else { return Ok(hello) };
    match &hello.user {
        Some((name, password)) if users.allow(name, password) => Ok(hello),
        Some(_) => Err(protocol.refuse(Refusal::WrongCredentials)),
        None => Err(protocol.refuse(Refusal::NoCredentials)),
    }
}

async fn let_in<S: AsyncRead + AsyncWrite + Unpin>(
    guest: &Guest,
    wire: &mut Wire<S>,
    mut protocol: Protocol,
    hello: Hello,
) -> Entered {
    let shared = &guest.shared;
    let settings = &shared.settings;
    let assigned = hello
        .client_id
        .is_empty()
        .then(|| format!("citytwin-{:x}-{:x}", settings.instance, guest.number));
    let client_id = assigned.as_deref().unwrap_or(&hello.client_id);
    let found = shared.sessions.take(client_id, &guest.link, hello.clean_start).await;
    let (expiry, told_expiry_s) = expiry(settings, hello.session_expiry_s);
    let told_keep_alive_s = keep_alive(settings, protocol.is_v5(), hello.keep_alive_s);
    let keep_alive_s = told_keep_alive_s.unwrap_or(hello.keep_alive_s);
    if hello.will {
        ignore_will(shared, client_id);
    }
    let welcome = Welcome {
        session_present: found.open.is_some(),
        assigned_id: assigned.as_deref(),
        session_expiry_s: told_expiry_s,
        keep_alive_s: told_keep_alive_s,
        receive_maximum: settings.receive_maximum,
        packet_bytes: shared.packet_bytes(),
        will_ignored: hello.will,
    };
    let open: BTreeSet<u16> = found.open.unwrap_or_default();
    let connack = protocol.welcome(&welcome, open);
    wire.out().extend_from_slice(&connack);
    Entered {
        protocol,
        lease: found.lease,
        keep_alive: (keep_alive_s > 0).then(|| Duration::from_secs(keep_alive_s.into())),
        expiry,
        rest: Vec::new(),
    }
}

impl Entered {
    fn with(mut self, rest: Vec<u8>) -> Entered {
        self.rest = rest;
        self
    }
}

/// How long a session is kept, and what the client is told of it when that is less than it asked.
pub(super) fn expiry(settings: &EndpointSettings, asked_s: u32) -> (Duration, Option<u32>) {
    let most = settings.session_expiry_max;
    let asked = Duration::from_secs(asked_s.into());
    if asked <= most {
        return (asked, None);
    }
    (most, Some(u32::try_from(most.as_secs()).unwrap_or(u32::MAX - 1)))
}

/// The keep-alive that an MQTT 5 client must keep instead of its own.
fn keep_alive(settings: &EndpointSettings, v5: bool, asked_s: u16) -> Option<u16> {
    let most = settings.keep_alive_max_s;
    (v5 && most > 0 && (asked_s == 0 || asked_s > most)).then_some(most)
}

fn ignore_will(shared: &Arc<Shared>, client_id: &str) {
    shared.counters.will_ignored();
    if shared.will_said.swap(true, Ordering::Relaxed) {
        tracing::debug!(client = client_id, "its will is ignored");
    } else {
        tracing::info!(
            client = client_id,
            "its will is ignored: this endpoint publishes nothing (said once)"
        );
    }
}
