//! The task of one connection: read what is there, hand it to the intake, and send the
//! acknowledgements when it is durable. One thing at a time is decided here, by
//! [`Connection::poll_step`], so that nothing is ever awaited that would stop the rest.
//!
//! Messages go from the ear's batch (heard) through `work` (being handed over; waits while the
//! intake is full) to `pending` (waiting for the disk), in order, and their acknowledgements leave
//! in that order, in one write a commit. While something is under way the socket is left alone,
//! so that the next read finds more; unless the last read came back full (much is waiting), or
//! the disk takes long (pings must be answered). With `receive_maximum` messages under way, or
//! answers that the client does not take, it is not read from at all.

use std::collections::{BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::closing::{KEEP_ALIVE, LOG_CLOSED, NO_MEMORY, SLOW_READER, kicked};
use super::ear::{Ear, Ended};
use super::handshake::{self, Entered};
use super::protocol::{Ack, Publish};
use super::session::{Kick, Lease};
use super::strict::{self, Fault};
use super::timing::Timing;
use super::wire::{CHUNK_BYTES, Wire};
use super::{Guest, Share};
use crate::intake::{Intake, IntakeError, Message, Submission};
use crate::log::Durable;

/// How long the last words may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
/// A read with fewer messages is thin: under load the next one waits for company.
const THIN_READ: usize = 8;
/// Bytes of one connection's messages that are read and not yet handed over.
const BATCH_BYTES: usize = 512 << 10;
/// The same of all connections.
const ALL_BATCH_BYTES: usize = 256 << 20;
/// How long to wait for others to hand over when that much is waiting.
const ROOM_RETRY: Duration = Duration::from_millis(50);
/// A part of a packet that is larger counts against the memory set aside for such parts.
const SMALL_PART: usize = 16 << 10;
/// Parts of packets of all connections.
const ALL_PART_BYTES: usize = 256 << 20;

/// Messages being handed over.
struct Work {
    done: Pin<Box<dyn Future<Output = Result<Durable, IntakeError>> + Send>>,
    acks: Vec<Ack>,
    messages: usize,
    bytes: usize,
}

/// What is owed once something is durable.
struct Pending {
    durable: Durable,
    acks: Vec<Ack>,
    messages: usize,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// The other side went, with or without a word.
    Left,
    /// We close it.
    Closed(Fault),
}

/// What happened.
enum Step {
    Kicked(Kick),
    Durable(bool),
    HandedOver(Result<Durable, IntakeError>),
    Written(io::Result<()>),
    Read(io::Result<Option<Heard>>),
    Time,
}

/// What a read brought.
struct Heard {
    messages: usize,
    full: bool,
}

struct Connection<S> {
    guest: Guest,
    wire: Wire<S>,
    ear: Ear,
    work: Option<Work>,
    pending: VecDeque<Pending>,
    /// Messages in the ear's batch, in `work` and in `pending`.
    in_flight: usize,
    part: Share,
    waiting: Share,
    expiry: Duration,
    ending: Option<Ending>,
    timing: Timing,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(guest: Guest, stream: S) {
    let mut wire = Wire::new(stream);
    match handshake::enter(&guest, &mut wire).await {
        Some(entered) => {
            guest.shared.counters.let_in();
            let (lease, connection) = Connection::new(guest, wire, entered);
            connection.run(lease).await;
        }
        None => close(&mut wire).await,
    }
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut Wire<S>) {
    // Whoever does not take the last words in time does without.
    drop(tokio::time::timeout(CLOSE_PATIENCE, poll_fn(|context| wire.poll_close(context))).await);
}

/// Takes messages into submissions and hands these over. One `Durable` speaks for all.
async fn hand_over(intake: Intake, messages: Vec<Publish>) -> Result<Durable, IntakeError> {
    let mut submission = Submission::default();
    for message in messages {
        let (topic, payload) = (message.topic(), message.payload());
        match message {
            Publish::Oversize(_, len) => intake.oversize(topic, payload, len, &mut submission),
            Publish::V3(_) | Publish::V5(_) if payload.len() > intake.max_payload_bytes() => {
                intake.oversize(topic, payload, payload.len() as u64, &mut submission);
            }
            Publish::V3(_) | Publish::V5(_) => {
                let content_type = message.content_type();
                intake.take(Message { topic, payload, content_type }, &mut submission).await?;
            }
        }
        if submission.is_large() {
            drop(intake.submit(std::mem::take(&mut submission)).await?);
        }
    }
    intake.submit(submission).await
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(guest: Guest, wire: Wire<S>, entered: Entered) -> (Lease, Connection<S>) {
        let shared = &guest.shared;
        let mut connection = Connection {
            ear: Ear::new(entered.protocol, shared.packet_bytes()),
            work: None,
            pending: VecDeque::new(),
            in_flight: 0,
            part: Share::of(&shared.part_bytes),
            waiting: Share::of(&shared.waiting_bytes),
            expiry: entered.expiry,
            ending: None,
            timing: Timing::new(entered.keep_alive),
            wire,
            guest,
        };
        let Connection { ear, wire, guest, .. } = &mut connection;
        let messages = ear.listen(&entered.rest, wire.out(), &guest.shared.counters);
        connection.heard(&Heard { messages, full: false });
        (entered.lease, connection)
    }

    async fn run(mut self, lease: Lease) {
        while !self.is_over() {
            self.hand_over_batch();
            self.timing.writing(!self.wire.is_written());
            self.timing.arm(self.in_flight > 0);
            match poll_fn(|context| self.poll_step(context)).await {
                Step::Kicked(why) => self.end(Ending::Closed(kicked(why))),
                Step::Durable(true) => self.durable(),
                Step::Durable(false) => self.log_closed(),
                Step::HandedOver(done) => self.handed_over(done),
                Step::Written(Ok(())) => self.timing.wrote(),
                Step::Read(Ok(Some(heard))) => self.heard(&heard),
                Step::Read(Ok(None) | Err(_)) | Step::Written(Err(_)) => {
                    self.wire.give_up();
                    self.end(Ending::Left);
                }
                Step::Time => self.time(),
            }
        }
        self.leave(lease).await;
    }

    async fn leave(mut self, lease: Lease) {
        if let Some(Ending::Closed(fault)) = self.ending {
            let last_words = self.ear.protocol.farewell(fault.code, fault.text);
            self.wire.out().extend_from_slice(&last_words);
            self.guest.shared.counters.close(fault.reason);
            tracing::debug!(client = lease.client_id(), why = fault.text, "connection closed");
        }
        // What is not durable now was not acknowledged: the client sends it again, as new.
        let lost = self.not_durable();
        let open = self.ear.protocol.open().difference(&lost).copied().collect();
        // The client id is free before the last words are taken.
        lease.leave(open, self.expiry);
        close(&mut self.wire).await;
    }

    /// One thing that happened, the most urgent first.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if self.ending.is_none()
            && let Poll::Ready(why) = self.guest.link.poll_kicked(context)
        {
            return Poll::Ready(Step::Kicked(why));
        }
        if let Some(first) = self.pending.front_mut()
            && let Poll::Ready(done) = Pin::new(&mut first.durable).poll(context)
        {
            return Poll::Ready(Step::Durable(done.is_ok()));
        }
        if let Some(work) = &mut self.work
            && let Poll::Ready(done) = work.done.as_mut().poll(context)
        {
            return Poll::Ready(Step::HandedOver(done));
        }
        if !self.wire.is_written()
            && let Poll::Ready(done) = self.wire.poll_write(context)
        {
            return Poll::Ready(Step::Written(done));
        }
        if self.may_read()
            && let Poll::Ready(done) = self.poll_read(context)
        {
            return Poll::Ready(Step::Read(done));
        }
        self.timing.poll(context).map(|()| Step::Time)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Heard>>> {
        let Connection { wire, ear, guest, .. } = self;
        let mut pongs = Vec::new();
        let read = wire.poll_read(context, |chunk| {
            let messages = ear.listen(chunk, &mut pongs, &guest.shared.counters);
            Heard { messages, full: chunk.len() == CHUNK_BYTES }
        });
        wire.out().append(&mut pongs);
        read
    }

    fn may_read(&self) -> bool {
        let most = usize::from(self.guest.shared.settings.receive_maximum);
        self.ending.is_none()
            && self.wire.is_written()
            && self.timing.may_read(self.in_flight > 0)
            && (self.in_flight == 0 || self.in_flight < most)
            && self.waiting.mine < BATCH_BYTES
    }

    fn heard(&mut self, heard: &Heard) {
        self.in_flight += heard.messages;
        self.timing.heard(heard.full);
        self.weigh();
        match self.ear.ended {
            Some(Ended::Fault(fault)) => self.end(Ending::Closed(fault)),
            Some(Ended::Goodbye(expiry_s)) => self.goodbye(expiry_s),
            None => self.pause_reading(heard.messages),
        }
    }

    fn goodbye(&mut self, expiry_s: Option<u32>) {
        if let Some(expiry_s) = expiry_s {
            if self.expiry.is_zero() && expiry_s != 0 {
                let text = "a session that was not to be kept cannot be kept after all";
                return self.end(Ending::Closed(strict::protocol(text)));
            }
            self.expiry = handshake::expiry(&self.guest.shared.settings, expiry_s).0;
        }
        self.end(Ending::Left);
    }

    /// Counts what is held, and ends a connection that holds what is not there.
    fn weigh(&mut self) {
        let work = self.work.as_ref().map_or(0, |work| work.bytes);
        self.waiting.set(self.ear.batch.bytes + work);
        let part = self.ear.held();
        let grows = part > SMALL_PART && part > self.part.mine;
        self.part.set(if part > SMALL_PART { part } else { 0 });
        if grows && self.part.total() > ALL_PART_BYTES {
            self.end(Ending::Closed(NO_MEMORY));
        }
    }

    fn pause_reading(&mut self, messages: usize) {
        let pace_ms = self.guest.shared.pace_ms.load(Ordering::Relaxed);
        if self.waiting.total() > ALL_BATCH_BYTES {
            self.timing.pause(ROOM_RETRY);
        } else if pace_ms > 0 && messages < THIN_READ {
            self.timing.pause(Duration::from_millis(pace_ms.into()));
        }
    }

    /// Starts to hand over what was heard, unless that is being done.
    fn hand_over_batch(&mut self) {
        let batch = &mut self.ear.batch;
        if self.work.is_some() || (batch.messages.is_empty() && batch.acks.is_empty()) {
            return;
        }
        let batch = std::mem::take(batch);
        if batch.messages.is_empty() {
            // Answers only: behind what is owed already, or at once.
            match self.pending.back_mut() {
                Some(last) => last.acks.extend(batch.acks),
                None => self.pay(&batch.acks),
            }
            return;
        }
        let messages = batch.messages.len();
        let done = Box::pin(hand_over(self.guest.shared.intake.clone(), batch.messages));
        self.work = Some(Work { done, acks: batch.acks, messages, bytes: batch.bytes });
        self.timing.handed_over();
    }

    fn handed_over(&mut self, done: Result<Durable, IntakeError>) {
        let Some(work) = self.work.take() else { return };
        match done {
            Ok(durable) => {
                let Work { acks, messages, .. } = work;
                self.pending.push_back(Pending { durable, acks, messages });
                self.weigh();
            }
            Err(error) => {
                tracing::debug!(%error, "not taken");
                self.work = Some(Work { done: Box::pin(std::future::pending()), ..work });
                self.log_closed();
            }
        }
    }

    fn durable(&mut self) {
        let Some(first) = self.pending.pop_front() else { return };
        self.in_flight -= first.messages;
        self.pay(&first.acks);
        self.timing.durable();
    }

    /// Nothing more becomes durable: nothing more is acknowledged.
    fn log_closed(&mut self) {
        self.end(Ending::Closed(LOG_CLOSED));
        self.timing.give_up_now();
    }

    /// Sends what is owed.
    fn pay(&mut self, acks: &[Ack]) {
        for ack in acks {
            self.ear.protocol.acknowledge(ack, self.wire.out());
        }
    }

    fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.timing.give_up_in(self.guest.shared.settings.drain_timeout);
        }
    }

    /// Whether everything that can still be done for the other side is done.
    fn is_over(&self) -> bool {
        let quiet = self.in_flight == 0 && self.work.is_none() && self.wire.is_written();
        self.ending.is_some()
            && ((quiet && self.ear.batch.acks.is_empty()) || self.timing.has_given_up())
    }

    fn time(&mut self) {
        let due = self.timing.due(self.may_read());
        if due.slow_reader {
            self.wire.give_up();
            self.end(Ending::Closed(SLOW_READER));
        }
        if due.keep_alive {
            self.end(Ending::Closed(KEEP_ALIVE));
        }
    }

    /// Packet ids of QoS 2 messages that were taken and did not become durable in time.
    fn not_durable(&self) -> BTreeSet<u16> {
        let pending = self.pending.iter().flat_map(|pending| &pending.acks);
        let work = self.work.iter().flat_map(|work| &work.acks);
        let acks = pending.chain(work).chain(&self.ear.batch.acks);
        acks.filter_map(|ack| match ack {
            Ack::Pubrec(id) => Some(*id),
            Ack::Puback(_) | Ack::Bytes(_) => None,
        })
        .collect()
    }
}
