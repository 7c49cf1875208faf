//! One client: connects, takes from its feed what is due, writes it in one go per slice, reads
//! acknowledgements, and when the connection breaks comes back and sends again what was not
//! acknowledged. One task each; an idle one holds no buffers.
//!
//! Bounded: nothing is taken from the feed while the window is full or bytes are unwritten, so a
//! server that acknowledges nothing makes readings late, never many.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::codec::{self, CodecError, ConnAck, Heard, Hello};
use super::pulse::{Pulse, Silent, pause};
use super::session::{Offered, Session, Settled};
use super::wire::Wire;
use super::{Feed, Shared};
use crate::fleet::{Action, Outgoing};

/// Bytes encoded before they are written.
const OUTBOX_BYTES: usize = 64 * 1_024;
/// A buffer above this is given back once it is empty.
const KEEP_BYTES: usize = 4 * 1_024;
/// How often the lag of a connection that cannot send is noted.
const LAG_EVERY: Duration = Duration::from_secs(1);
/// When nothing is due.
const FAR: Duration = Duration::from_hours(1);

/// Why a connection was not established or broke.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// Of the socket.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Of the protocol.
    #[error("{0}")]
    Codec(#[from] CodecError),
    /// The server said no.
    #[error("the server refused the connection: {0}")]
    Refused(String),
    /// The server said goodbye.
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// It was silent where it must answer.
    #[error("the server did not answer within {0:?}")]
    Silent(Duration),
}

/// How a connection ended that did not break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// Everything is sent and acknowledged, or the time to wait for it is over.
    Finished,
    /// The plan says so: drop it and come back.
    Dropped,
}

pub(crate) struct Connection {
    shared: Arc<Shared>,
    feed: Box<dyn Feed>,
    session: Session,
    /// Taken from the feed, not yet sent.
    due: VecDeque<Outgoing>,
    taken: Vec<Outgoing>,
    settled: Vec<Settled>,
    outbox: BytesMut,
    inbox: BytesMut,
    keep_alive: Duration,
    /// No more is taken before this.
    next_take: Instant,
    /// Set when the run is being ended: wait for acknowledgements until then.
    drain_until: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, feed: Box<dyn Feed>) -> Connection {
        let options = &shared.options;
        Connection {
            session: Session::new(options.version, options.window),
            keep_alive: Duration::from_secs(options.keep_alive_s.into()),
            next_take: Instant::now(),
            due: VecDeque::new(),
            taken: Vec::new(),
            settled: Vec::new(),
            outbox: BytesMut::new(),
            inbox: BytesMut::new(),
            drain_until: None,
            shared,
            feed,
        }
    }

    /// Runs to the end of the feed or of the run. Returns the feed, which knows what it injected.
    pub(crate) async fn run(mut self) -> Box<dyn Feed> {
        let shared = Arc::clone(&self.shared);
        let mut attempt = 0;
        let mut established = 0_u64;
        while !self.is_finished() {
            let wire = match self.connect_or_stop(attempt).await {
                Some(Ok(wire)) => wire,
                Some(Err(error)) => {
                    shared.progress.connects_failed.fetch_add(1, Relaxed);
                    self.note("cannot connect", &error);
                    attempt += 1;
                    continue;
                }
                None => continue,
            };
            attempt = 0;
            established += 1;
            shared.progress.reconnects.fetch_add(u64::from(established > 1), Relaxed);
            shared.progress.connected.fetch_add(1, Relaxed);
            let ended = self.talk(wire).await;
            shared.progress.connected.fetch_sub(1, Relaxed);
            self.outbox = BytesMut::new();
            self.inbox = BytesMut::new();
            match ended {
                Ok(Ended::Finished) => break,
                Ok(Ended::Dropped) => {
                    shared.progress.disconnects_injected.fetch_add(1, Relaxed);
                }
                Err(error) => {
                    self.note("connection lost", &error);
                    attempt = 1;
                }
            }
        }
        self.settled = self.session.abandon();
        let lost = i64::try_from(self.settled.len()).unwrap_or(i64::MAX);
        self.book();
        shared.progress.in_flight.fetch_sub(lost, Relaxed);
        self.feed
    }

    fn note(&self, what: &str, error: &ConnectionError) {
        tracing::debug!(client = self.feed.client_id(), %error, "{what}");
        self.shared.progress.error(format!("{what}: {error}"));
    }

    /// Whether there is nothing left to send or to wait for.
    fn is_finished(&self) -> bool {
        match self.drain_until {
            Some(until) => self.session.is_idle() || Instant::now() >= until,
            None => self.session.is_idle() && self.due.is_empty() && self.is_exhausted(),
        }
    }

    /// Whether the feed has nothing more to give within this run. A connection whose sensor has
    /// nothing to say before the end is held to the end all the same, as a real one would be.
    fn is_exhausted(&self) -> bool {
        let (due_ms, until_ms) = (self.feed.next_due_ms(), self.shared.until_ms);
        self.drain_until.is_some()
            || due_ms == i64::MAX
            || (due_ms >= until_ms && self.shared.clock.now_ms() >= until_ms)
    }

    /// A pause, then a connection; `None` when the run was ended meanwhile.
    async fn connect_or_stop(&mut self, attempt: u32) -> Option<Result<Wire, ConnectionError>> {
        let shared = Arc::clone(&self.shared);
        let stopping = self.drain_until;
        let stopped = async {
            match stopping {
                Some(until) => sleep_until(until).await,
                None => shared.stop.cancelled().await,
            }
        };
        let wire = tokio::select! {
            wire = self.connect(attempt) => Some(wire),
            () = stopped => None,
        };
        if wire.is_none() {
            self.end();
        }
        wire
    }

    /// From now on nothing new is sent.
    fn end(&mut self) {
        self.drain_until.get_or_insert_with(|| Instant::now() + self.shared.options.drain);
        self.due.clear();
    }

    async fn connect(&mut self, attempt: u32) -> Result<Wire, ConnectionError> {
        let shared = Arc::clone(&self.shared);
        let options = &shared.options;
        if attempt > 0 {
            sleep(pause(options.backoff, options.backoff_cap, attempt, self.feed.client_id()))
                .await;
        }
        let _turn = shared.connecting.acquire().await.expect("it is never closed");
        let (wire, ack) =
            timeout(options.connect_timeout, shared.greet(self.feed.client_id(), &mut self.inbox))
                .await
                .unwrap_or(Err(ConnectionError::Silent(options.connect_timeout)))?;
        self.session.connected(&ack);
        if let Some(seconds) = ack.keep_alive_s {
            self.keep_alive = Duration::from_secs(seconds.into());
        }
        self.outbox.clear();
        let again = self.session.again(Instant::now(), &mut self.outbox)?;
        shared.progress.messages_resent.fetch_add(again as u64, Relaxed);
        Ok(wire)
    }

    /// Sends and listens until the connection ends.
    async fn talk(&mut self, mut wire: Wire) -> Result<Ended, ConnectionError> {
        let shared = Arc::clone(&self.shared);
        let mut timer: Pin<Box<Sleep>> = Box::pin(sleep(FAR));
        let mut stop = std::pin::pin!(shared.stop.cancelled());
        let mut pulse = Pulse::new(Instant::now());
        loop {
            let now = Instant::now();
            if self.send_due(now)? == Some(Ended::Dropped) {
                // what is already encoded goes first, so that the plan's order is kept
                flush(&mut wire, &mut self.outbox, &mut self.inbox, self.keep_alive).await?;
                return Ok(Ended::Dropped);
            }
            if self.is_finished() && self.outbox.is_empty() {
                codec::disconnect(shared.options.version, &mut self.outbox)?;
                flush(&mut wire, &mut self.outbox, &mut self.inbox, FAREWELL).await?;
                return Ok(Ended::Finished);
            }
            if pulse
                .is_due(now, self.keep_alive)
                .map_err(|Silent(waited)| ConnectionError::Silent(waited))?
            {
                codec::ping(shared.options.version, &mut self.outbox)?;
            }
            let wake = self.wake_at(now).min(pulse.next(self.keep_alive));
            if timer.deadline() != wake {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                () = &mut stop, if self.drain_until.is_none() => self.end(),
                exchanged = wire.exchange(&mut self.outbox, &mut self.inbox) => {
                    let exchanged = exchanged?;
                    let now = Instant::now();
                    pulse.beat(now, &exchanged);
                    shared.progress.bytes_sent.fetch_add(exchanged.written as u64, Relaxed);
                    shared.progress.bytes_heard.fetch_add(exchanged.read as u64, Relaxed);
                    let heard = self.hear(now);
                    heard?;
                    if exchanged.closed {
                        return Err(ConnectionError::Closed("no reason given".to_owned()));
                    }
                    self.shrink();
                }
                () = &mut timer => {}
            }
        }
    }

    /// Takes what is due and encodes as much as the window and the buffer hold.
    fn send_due(&mut self, now: Instant) -> Result<Option<Ended>, ConnectionError> {
        if self.drain_until.is_some() || !self.outbox.is_empty() {
            return Ok(None);
        }
        if self.is_gated() {
            let oldest = self.due.front().map_or_else(|| self.feed.next_due_ms(), |m| m.due_ms);
            self.shared.progress.lag(self.shared.clock.lag_ms(oldest));
            return Ok(None);
        }
        if self.due.is_empty() && now >= self.next_take {
            self.take_due(self.session.room());
        }
        let progress = &self.shared.progress;
        let mut sent = 0;
        let mut ended = None;
        while self.session.room() > 0 && self.outbox.len() < OUTBOX_BYTES {
            let Some(message) = self.due.pop_front() else { break };
            if message.action == Action::Disconnect {
                ended = Some(Ended::Dropped);
                break;
            }
            progress.lag(self.shared.clock.lag_ms(message.due_ms));
            let readings = message.readings.len() as u64;
            match self.session.offer(message, now, &mut self.outbox)? {
                Offered::Sent => {
                    progress.in_flight.fetch_add(1, Relaxed);
                }
                Offered::Forgotten(settled) => self.settled.push(settled),
                Offered::TooLarge => {
                    progress.messages_too_large.fetch_add(1, Relaxed);
                    continue;
                }
            }
            progress.messages_sent.fetch_add(1, Relaxed);
            progress.readings_sent.fetch_add(readings, Relaxed);
            sent += 1;
        }
        if sent > 0 && !self.is_behind() {
            self.next_take = now + self.shared.options.slice;
        }
        self.book();
        Ok(ended)
    }

    /// Whether more is due than could be sent: then nothing waits for the slice to be over.
    fn is_behind(&self) -> bool {
        !self.due.is_empty() || self.feed.next_due_ms() <= self.shared.clock.now_ms()
    }

    /// A nearly full window waits until a quarter of it is free: fewer, larger writes.
    fn is_gated(&self) -> bool {
        let room = self.session.room();
        room == 0 || (room < self.session.window() / 4 && !self.session.is_idle())
    }

    /// Takes from the feed what is due, one time after the other, until it fills the room.
    fn take_due(&mut self, room: usize) {
        let now_ms = self.shared.clock.now_ms().min(self.shared.until_ms.saturating_sub(1));
        while self.due.len() < room {
            let due_ms = self.feed.next_due_ms();
            if due_ms > now_ms || due_ms == i64::MAX {
                break;
            }
            self.feed.take_until(due_ms + 1, &mut self.taken);
            self.due.extend(self.taken.drain(..));
        }
        if self.taken.capacity() > 64 {
            self.taken = Vec::new();
        }
    }

    /// When there may be something to send without anything being heard before.
    fn wake_at(&self, now: Instant) -> Instant {
        if let Some(until) = self.drain_until {
            return until;
        }
        if !self.outbox.is_empty() || !self.due.is_empty() || self.is_gated() {
            // an acknowledgement or a written byte wakes it; this only keeps the lag up to date
            return now + LAG_EVERY;
        }
        let due_ms = self.feed.next_due_ms().min(self.shared.until_ms);
        let wait = self.shared.clock.wait_until(due_ms).min(FAR);
        (now + wait).max(self.next_take)
    }

    /// Takes every whole packet that was read.
    fn hear(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let version = self.shared.options.version;
        let mut result = Ok(());
        loop {
            match codec::hear(version, &mut self.inbox) {
                Ok(None) => break,
                Ok(Some(Heard::Disconnect(why))) => {
                    result = Err(ConnectionError::Closed(why));
                    break;
                }
                Ok(Some(heard)) => {
                    self.session.heard(&heard, now, &mut self.outbox, &mut self.settled)?;
                }
                Err(error) => {
                    result = Err(error.into());
                    break;
                }
            }
        }
        let settled = i64::try_from(self.settled.len()).unwrap_or(i64::MAX);
        self.shared.progress.in_flight.fetch_sub(settled, Relaxed);
        self.book();
        result
    }

    /// Enters what is settled into the ledger, the counters and the histogram.
    fn book(&mut self) {
        if self.settled.is_empty() {
            return;
        }
        let progress = &self.shared.progress;
        let (mut messages, mut readings, mut refused) = (0, 0, 0);
        for settled in &self.settled {
            self.shared.ledger.enter(&settled.message, settled.acked, settled.resent);
            if settled.acked {
                messages += 1;
                readings += settled.message.readings.len() as u64;
            } else if settled.latency.is_some() {
                refused += 1;
            }
        }
        progress.messages_acked.fetch_add(messages, Relaxed);
        progress.readings_acked.fetch_add(readings, Relaxed);
        progress.messages_refused.fetch_add(refused, Relaxed);
        progress.latencies(self.settled.iter().filter_map(|settled| settled.latency));
        self.settled.clear();
        if self.shared.ledger.is_full() {
            self.shared.stop.cancel();
        }
    }

    /// Gives large buffers back once they are empty.
    fn shrink(&mut self) {
        for buffer in [&mut self.outbox, &mut self.inbox] {
            if buffer.is_empty() && buffer.capacity() > KEEP_BYTES {
                *buffer = BytesMut::new();
            }
        }
        if self.due.is_empty() && self.due.capacity() > 64 {
            self.due = VecDeque::new();
        }
        if self.settled.capacity() > 64 {
            self.settled = Vec::new();
        }
    }
}

/// How long a DISCONNECT may take to be written.
const FAREWELL: Duration = Duration::from_secs(5);

/// Writes everything; what is read meanwhile stays in the inbox.
async fn flush(
    wire: &mut Wire,
    outbox: &mut BytesMut,
    inbox: &mut BytesMut,
    within: Duration,
) -> Result<(), ConnectionError> {
    let within = if within.is_zero() { FAR } else { within };
    timeout(within, async {
        while !outbox.is_empty() {
            if wire.exchange(outbox, inbox).await?.closed {
                break;
            }
        }
        Ok(())
    })
    .await
    .unwrap_or(Err(ConnectionError::Silent(within)))
}

impl Shared {
    /// CONNECT and the answer to it.
    pub(crate) async fn greet(
        &self,
        client_id: &str,
        inbox: &mut BytesMut,
    ) -> Result<(Wire, ConnAck), ConnectionError> {
        let mut wire = self.dialer.dial().await?;
        let mut outbox = BytesMut::new();
        inbox.clear();
        let hello = Hello {
            client_id,
            clean_start: self.options.clean_start,
            keep_alive_s: self.options.keep_alive_s,
            login: self.options.server.login.as_ref(),
        };
        codec::connect(self.options.version, &hello, &mut outbox)?;
        loop {
            let exchanged = wire.exchange(&mut outbox, inbox).await?;
            match codec::hear(self.options.version, inbox)? {
                Some(Heard::ConnAck(ConnAck { refused: Some(why), .. })) => {
                    return Err(ConnectionError::Refused(why));
                }
                Some(Heard::ConnAck(ack)) => return Ok((wire, ack)),
                Some(_) => return Err(CodecError::Unexpected("before CONNACK").into()),
                None if exchanged.closed => {
                    return Err(ConnectionError::Closed("before CONNACK".to_owned()));
                }
                None => {}
            }
        }
    }
}
