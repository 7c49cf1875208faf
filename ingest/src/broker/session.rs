//! The task of one connection to the broker. It polls rumqttc's event loop and never awaits
//! anything else beside it: messages that are already there become one submission, are handed
//! over by a future of ours that is polled in turn, and are acknowledged by a try-send when
//! durable. So the trap of rumqttc (awaiting room for an acknowledgement on the task that would
//! make the room) cannot spring.
//!
//! Acknowledgements belong to a connection: after it breaks, the broker sends again what was not
//! acknowledged, perhaps under packet ids that now mean other messages. What becomes durable
//! after the break is therefore not acknowledged; its repetition is, and the engine drops it as a
//! duplicate.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use citytwin_core::time::Epoch;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::line::{Letter, Line, Signal};
use super::{ABOUT, BrokerSettings, BrokerState, BrokerStatus, READINGS};
use crate::intake::{Intake, IntakeError, Message, Submission};
use crate::log::{Durable, LogError};

/// Messages of one submission.
const BATCH_MESSAGES: usize = 512;
/// Bytes of messages that are held before they are handed over.
const HELD_BYTES: usize = 64 << 20;
/// Messages under way beyond the Receive Maximum before the connection is no longer read: only
/// QoS 0, or a broker of MQTT 3.1.1, can get there.
const SLACK: usize = 1_024;
/// How long a goodbye may take.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// One connection's place in the house.
#[derive(Debug)]
pub(super) struct Place {
    pub settings: BrokerSettings,
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub number: usize,
    pub status: BrokerStatus,
    pub intake: Intake,
    pub shutdown: CancellationToken,
}

type Handing = Pin<Box<dyn Future<Output = Result<Durable, IntakeError>> + Send>>;

/// Packet ids that are owed an acknowledgement on one connection.
#[derive(Debug)]
struct Owed {
    connection: u64,
    ids: Vec<u16>,
    messages: usize,
}

/// Messages between the broker and the log.
struct Desk {
    intake: Intake,
    letters: Vec<Letter>,
    work: Option<(Handing, Owed)>,
    pending: VecDeque<(Durable, Owed)>,
    /// Messages in all three.
    in_flight: usize,
    /// Bytes of messages not yet handed over.
    held: usize,
    held_by_work: usize,
    /// Counts connections.
    connection: u64,
}

/// What the task turns to.
enum Turn {
    Signal(Result<Signal, String>),
    Owed(Owed),
    Failed(IntakeError),
    Retry,
    Stop,
    GiveUp,
}

struct Session<L: Line> {
    place: Place,
    client: L::Client,
    desk: Desk,
    /// No poll before; none: poll.
    retry: Option<Pin<Box<Sleep>>>,
    retry_after: Duration,
    stopping: Option<Pin<Box<Sleep>>>,
    standing: Standing,
    subscribed: bool,
}

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Away,
    Connected,
    /// The goodbye is on its way.
    Leaving,
}

/// Runs one connection until the shutdown.
pub(super) async fn run<L: Line>(place: Place) -> Result<(), IntakeError> {
    let client_id = format!("{}-{}", place.settings.client_id, place.number);
    let (client, mut events) = L::open(&place.settings, &client_id, place.tls.clone());
    let shutdown = place.shutdown.clone();
    let mut stop = pin!(shutdown.cancelled());
    let mut session = Session::<L>::new(place, client);
    loop {
        let turn = {
            let mut signal = pin!(L::poll(&mut events));
            loop {
                let turn = std::future::poll_fn(|context| {
                    session.poll(context, stop.as_mut(), signal.as_mut())
                })
                .await;
                // The poll of the event loop is kept across turns that are not its own: giving
                // up a poll would give up a connection that is being made.
                match turn {
                    Turn::Owed(owed) => session.acknowledge(&owed),
                    Turn::Retry => session.connecting(),
                    Turn::Stop => session.stop(),
                    Turn::Signal(_) | Turn::Failed(_) | Turn::GiveUp => break turn,
                }
                if session.is_done() {
                    break Turn::Retry;
                }
            }
        };
        match turn {
            Turn::Signal(signal) => {
                if matches!(signal, Ok(Signal::Subscribed(Err(_)))) {
                    L::hang_up(&mut events);
                }
                session.hear(signal);
            }
            Turn::Failed(error) => {
                session.report(|status| {
                    status.state = BrokerState::Stopped;
                    status.last_error = Some(error.to_string());
                });
                return Err(error);
            }
            Turn::GiveUp => session.standing = Standing::Away,
            Turn::Owed(_) | Turn::Retry | Turn::Stop => {}
        }
        if session.is_done() {
            session.report(|status| status.state = BrokerState::Stopped);
            return Ok(());
        }
    }
}

impl<L: Line> Session<L> {
    fn new(place: Place, client: L::Client) -> Session<L> {
        Session {
            client,
            desk: Desk {
                intake: place.intake.clone(),
                letters: Vec::new(),
                work: None,
                pending: VecDeque::new(),
                in_flight: 0,
                held: 0,
                held_by_work: 0,
                connection: 0,
            },
            retry: None,
            retry_after: place.settings.retry.0,
            stopping: None,
            standing: Standing::Away,
            subscribed: false,
            place,
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        stop: Pin<&mut impl Future<Output = ()>>,
        signal: Pin<&mut impl Future<Output = Result<Signal, String>>>,
    ) -> Poll<Turn> {
        if self.stopping.is_none() && stop.poll(context).is_ready() {
            return Poll::Ready(Turn::Stop);
        }
        if let Some(patience) = &mut self.stopping
            && patience.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Turn::GiveUp);
        }
        if let Poll::Ready(done) = self.desk.poll(context) {
            return Poll::Ready(done.map_or_else(Turn::Failed, Turn::Owed));
        }
        if let Some(retry) = &mut self.retry {
            if retry.as_mut().poll(context).is_pending() {
                return self.desk.idle(context);
            }
            self.retry = None;
            return Poll::Ready(Turn::Retry);
        }
        let most = usize::from(self.place.settings.receive_maximum) + SLACK;
        if (self.desk.in_flight <= most && self.desk.held + self.desk.held_by_work < HELD_BYTES)
            && let Poll::Ready(signal) = signal.poll(context)
        {
            return Poll::Ready(Turn::Signal(signal));
        }
        self.desk.idle(context)
    }

    fn hear(&mut self, signal: Result<Signal, String>) {
        match signal {
            Ok(Signal::Letter(letter)) if self.stopping.is_none() => {
                let bytes = letter.payload().len();
                self.desk.take(letter);
                self.report(|status| {
                    status.messages += 1;
                    status.bytes += bytes as u64;
                });
            }
            Ok(Signal::Connected { session_present }) => self.connected(session_present),
            Ok(Signal::Left) => self.standing = Standing::Away,
            // What comes while we leave is not acknowledged, so it comes again.
            Ok(Signal::Letter(_) | Signal::Other) => {}
            Ok(Signal::Subscribed(Err(why))) | Err(why) => self.broken(&why),
            Ok(Signal::Subscribed(Ok(()))) => {
                self.subscribed = true;
                self.report(|status| status.state = BrokerState::Connected);
            }
        }
    }

    fn connected(&mut self, session_present: bool) {
        self.retry_after = self.place.settings.retry.0;
        self.standing = Standing::Connected;
        self.report(|status| status.connects += 1);
        tracing::info!(broker = %self.place.settings.url, session_present, "connected");
        // Even to a kept session: Mosquitto 2.0 keeps one across its own restart and forgets that
        // its subscription was shared, after which nothing comes any more. The retained
        // descriptions are asked for once a start, for the folder may be a new one.
        let retained = !session_present || !self.subscribed;
        let readings = format!("$share/{}/{READINGS}", self.place.settings.group);
        let about = (self.place.number == 0).then_some(ABOUT);
        // There is room: the channel has just been emptied by the new connection.
        assert!(
            L::subscribe(&self.client, &readings, about, retained),
            "no room for a subscription"
        );
    }

    fn connecting(&self) {
        self.report(|status| status.state = BrokerState::Connecting);
    }

    /// The connection is lost, or could not be made.
    fn broken(&mut self, why: &str) {
        self.desk.connection += 1;
        self.standing = Standing::Away;
        let wait = self.retry_after;
        self.retry_after = (wait * 2).min(self.place.settings.retry.1);
        self.retry = Some(Box::pin(tokio::time::sleep_until(Instant::now() + wait)));
        self.report(|status| {
            status.state = BrokerState::Waiting;
            status.last_error = Some(why.to_owned());
        });
        tracing::warn!(broker = %self.place.settings.url, why, ?wait, "broker lost; trying again");
    }

    fn acknowledge(&mut self, owed: &Owed) {
        if owed.connection != self.desk.connection {
            return;
        }
        for id in &owed.ids {
            // The channel has room for every packet id there is.
            assert!(L::acknowledge(&self.client, *id), "no room for an acknowledgement");
        }
        let paid = owed.ids.len() as u64;
        self.report(|status| status.acknowledged += paid);
    }

    fn stop(&mut self) {
        let patience = self.place.settings.drain_timeout + LEAVE_PATIENCE;
        self.stopping = Some(Box::pin(tokio::time::sleep(patience)));
        // Not handed over, so not acknowledged, so it comes again.
        self.desk.put_back();
    }

    /// Whether everything owed was paid and the goodbye said, as far as there is somebody to say
    /// it to.
    fn is_done(&mut self) -> bool {
        if self.stopping.is_none() {
            return false;
        }
        if self.standing == Standing::Connected && self.desk.is_clear() {
            let said = L::leave(&self.client);
            self.standing = if said { Standing::Leaving } else { Standing::Away };
        }
        self.standing == Standing::Away
    }

    fn report(&self, change: impl FnOnce(&mut super::ConnectionStatus)) {
        self.place.status.update(self.place.number, change);
    }
}

impl Desk {
    fn take(&mut self, letter: Letter) {
        self.held += letter.payload().len();
        self.in_flight += 1;
        self.letters.push(letter);
        if self.letters.len() >= BATCH_MESSAGES {
            self.hand_over();
        }
    }

    /// Starts to hand over what has come, unless that is being done.
    fn hand_over(&mut self) -> bool {
        if self.work.is_some() || self.letters.is_empty() {
            return false;
        }
        let letters = std::mem::take(&mut self.letters);
        let owed = Owed {
            connection: self.connection,
            ids: letters.iter().filter_map(Letter::packet_id).collect(),
            messages: letters.len(),
        };
        self.held_by_work = std::mem::take(&mut self.held);
        self.work = Some((Box::pin(hand_over(self.intake.clone(), letters)), owed));
        true
    }

    /// Ready when something is owed.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Owed, IntakeError>> {
        loop {
            if let Some((durable, _)) = self.pending.front_mut()
                && let Poll::Ready(done) = Pin::new(durable).poll(context)
            {
                return Poll::Ready(self.durable(done));
            }
            let Some((work, _)) = &mut self.work else { return Poll::Pending };
            let Poll::Ready(done) = work.as_mut().poll(context) else { return Poll::Pending };
            let Some((_, owed)) = self.work.take() else { return Poll::Pending };
            self.held_by_work = 0;
            match done {
                Ok(durable) => self.pending.push_back((durable, owed)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn durable(&mut self, done: Result<Epoch, LogError>) -> Result<Owed, IntakeError> {
        let (_, owed) = self.pending.pop_front().expect("its front has just been polled");
        done?;
        self.in_flight -= owed.messages;
        Ok(owed)
    }

    /// Nothing more is there at once: what has come is handed over.
    fn idle(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        if self.hand_over()
            && let Poll::Ready(done) = self.poll(context)
        {
            return Poll::Ready(done.map_or_else(Turn::Failed, Turn::Owed));
        }
        Poll::Pending
    }

    fn put_back(&mut self) {
        self.in_flight -= self.letters.len();
        self.letters.clear();
        self.held = 0;
    }

    fn is_clear(&self) -> bool {
        self.work.is_none() && self.pending.is_empty()
    }
}

/// Takes messages into submissions and hands these over. One `Durable` speaks for all.
async fn hand_over(intake: Intake, letters: Vec<Letter>) -> Result<Durable, IntakeError> {
    let mut submission = Submission::default();
    for letter in letters {
        let (topic, payload) = (letter.topic(), letter.payload());
        if payload.len() > intake.max_payload_bytes() {
            intake.oversize(topic, payload, payload.len() as u64, &mut submission);
        } else {
            let content_type = letter.content_type();
            intake.take(Message { topic, payload, content_type }, &mut submission).await?;
        }
        if submission.is_large() {
            drop(intake.submit(std::mem::take(&mut submission)).await?);
        }
    }
    intake.submit(submission).await
}
