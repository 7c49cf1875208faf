//! The publisher against a small server that follows a script: how many publishes it takes on
//! each connection, how many of them it acknowledges, and when it hangs up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use citytwin_proto::ingest::v1::Quantity;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::Event;
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait as _, Packet, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, ConnectReturnCode};
use mqtt_protocol_core::mqtt::{self, Version, packet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::fleet::{Action, Expectation, Planned};
use crate::ledger::{ClosedLedger, Keep};

/// What the server does on one connection.
#[derive(Clone, Copy, Debug)]
struct Act {
    /// Hangs up after this many publishes.
    takes: usize,
    /// Acknowledges only the first of them.
    acks: usize,
    /// Holds acknowledgements back until it owes this many.
    at_once: usize,
}

const WILLING: Act = Act { takes: usize::MAX, acks: usize::MAX, at_once: 1 };

#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    connection: usize,
    dup: bool,
    id: Option<u16>,
    number: usize,
}

#[derive(Debug)]
struct Server {
    url: ServerUrl,
    got: Arc<Mutex<Vec<Got>>>,
    /// Connections it has taken.
    greeted: Arc<AtomicI64>,
    /// One message per publish received.
    counted: mpsc::Receiver<()>,
}

impl Server {
    async fn start(acts: Vec<Act>, refuse: bool) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&got);
        let (count, counted) = mpsc::channel(100_000);
        let greeted = Arc::new(AtomicI64::new(0));
        let greetings = Arc::clone(&greeted);
        tokio::spawn(async move {
            for connection in 0.. {
                let act = *acts.get(connection).or(acts.last()).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let got = Arc::clone(&shared);
                let greeted = Arc::clone(&greetings);
                let play = Play { connection, act, refuse, got, greeted, count: count.clone() };
                play.run(stream).await;
            }
        });
        Server { url: format!("mqtt://127.0.0.1:{port}").parse().unwrap(), got, greeted, counted }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Numbers in order of first arrival.
    fn numbers(&self) -> Vec<usize> {
        let mut seen = BTreeSet::new();
        self.got().iter().filter(|got| seen.insert(got.number)).map(|got| got.number).collect()
    }
}

struct Play {
    connection: usize,
    act: Act,
    refuse: bool,
    got: Arc<Mutex<Vec<Got>>>,
    greeted: Arc<AtomicI64>,
    count: mpsc::Sender<()>,
}

type Core = mqtt::Connection<mqtt::role::Server>;

impl Play {
    async fn run(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut core = Core::new(Version::Undetermined);
        core.set_auto_pub_response(true);
        core.set_auto_ping_response(true);
        let mut taken = 0;
        let mut owed = Vec::new();
        let mut bytes = vec![0; 65_536];
        loop {
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            let mut cursor = Cursor::new(&bytes[..read]);
            while cursor.position() < read as u64 {
                let mut out = Vec::new();
                for event in core.recv(&mut cursor) {
                    match event {
                        Event::NotifyPacketReceived(packet) => {
                            taken += usize::from(self.note(&packet));
                            out.extend(self.greet(&mut core, &packet));
                        }
                        Event::RequestSendPacket { packet, .. } if is_ack(&packet) => {
                            if taken <= self.act.acks {
                                owed.extend(packet.to_continuous_buffer());
                            }
                        }
                        Event::RequestSendPacket { packet, .. } => {
                            out.extend(packet.to_continuous_buffer());
                        }
                        Event::NotifyError(error) => panic!("the client broke a rule: {error:?}"),
                        Event::RequestClose => return,
                        Event::NotifyPacketIdReleased(_)
                        | Event::RequestTimerReset { .. }
                        | Event::RequestTimerCancel(_) => {}
                    }
                }
                // an acknowledgement takes 4 bytes in both versions
                if owed.len() / 4 >= self.act.at_once {
                    out.append(&mut owed);
                }
                let written = stream.write_all(&out).await;
                if written.is_err() || taken >= self.act.takes {
                    return;
                }
            }
        }
    }

    fn note(&self, packet: &Packet) -> bool {
        let (dup, id, payload) = if let Packet::V3_1_1Publish(p) = packet {
            (p.dup(), p.packet_id(), p.payload().as_slice().to_vec())
        } else if let Packet::V5_0Publish(p) = packet {
            (p.dup(), p.packet_id(), p.payload().as_slice().to_vec())
        } else {
            return false;
        };
        let number = usize::from_le_bytes(payload.try_into().unwrap());
        self.got.lock().unwrap().push(Got { connection: self.connection, dup, id, number });
        self.count.try_send(()).unwrap();
        true
    }

    fn greet(&self, core: &mut Core, packet: &Packet) -> Vec<u8> {
        let events = if matches!(packet, Packet::V3_1_1Connect(_)) {
            let granted = if self.refuse {
                ConnectReturnCode::NotAuthorized
            } else {
                ConnectReturnCode::Accepted
            };
            let answer = v3_1_1::Connack::builder().session_present(false).return_code(granted);
            core.send(answer.build().unwrap().into())
        } else if matches!(packet, Packet::V5_0Connect(_)) {
            let granted = if self.refuse {
                ConnectReasonCode::NotAuthorized
            } else {
                ConnectReasonCode::Success
            };
            let max = packet::ReceiveMaximum::new(RECEIVE_MAX).unwrap();
            let answer = v5_0::Connack::builder()
                .session_present(false)
                .reason_code(granted)
                .props(vec![max.into()]);
            core.send(answer.build().unwrap().into())
        } else {
            return Vec::new();
        };
        self.greeted.fetch_add(1, Relaxed);
        let mut bytes = Vec::new();
        for event in events {
            if let Event::RequestSendPacket { packet, .. } = event {
                bytes.extend(packet.to_continuous_buffer());
            }
        }
        bytes
    }
}

/// What the server allows in version 5.
const RECEIVE_MAX: u16 = 12;

fn is_ack(packet: &Packet) -> bool {
    matches!(
        packet,
        Packet::V3_1_1Puback(_)
            | Packet::V5_0Puback(_)
            | Packet::V3_1_1Pubrec(_)
            | Packet::V5_0Pubrec(_)
    )
}

/// Messages 0 to `count`, all due at once, with a drop of the connection before some.
struct Numbers {
    next: usize,
    count: usize,
    qos: u8,
    drops: BTreeSet<usize>,
    taken: Arc<Mutex<usize>>,
}

impl Numbers {
    fn new(count: usize, qos: u8) -> Numbers {
        let taken = Arc::default();
        Numbers { next: 0, count, qos, drops: BTreeSet::new(), taken }
    }
}

fn outgoing(number: usize, qos: u8) -> Outgoing {
    let planned = Planned {
        sensor: 0,
        quantity: Quantity::SpeedKmh,
        event_time_ms: i64::try_from(number).unwrap(),
        value: 1.0,
        expect: Expectation::Taken,
    };
    Outgoing {
        due_ms: i64::try_from(number).unwrap(),
        action: Action::Publish,
        topic: Arc::from("city/v1/test/one/readings"),
        payload: number.to_le_bytes().to_vec(),
        qos,
        retain: false,
        readings: vec![planned],
        dead_letter: None,
    }
}

impl Feed for Numbers {
    fn client_id(&self) -> &'static str {
        "numbers"
    }

    fn next_due_ms(&self) -> i64 {
        if self.next < self.count { i64::try_from(self.next).unwrap() } else { i64::MAX }
    }

    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        while self.next_due_ms() < until_ms {
            if self.drops.remove(&self.next) {
                out.push(Outgoing { action: Action::Disconnect, ..outgoing(self.next, 0) });
            }
            out.push(outgoing(self.next, self.qos));
            self.next += 1;
            *self.taken.lock().unwrap() += 1;
        }
    }
}

struct Run {
    books: Books,
    stop: CancellationToken,
    options: PublishOptions,
}

impl Run {
    fn new(server: &Server, version: MqttVersion) -> Run {
        let mut options = PublishOptions::new(server.url.clone());
        options.version = version;
        options.window = 20;
        // everything is due: nothing may wait for a slice to be over
        options.slice = std::time::Duration::from_hours(1);
        options.backoff = std::time::Duration::from_millis(1);
        let books = Books {
            progress: Arc::new(Progress::new()),
            ledger: Arc::new(Ledger::new(Keep::Identities(1_000_000))),
        };
        Run { books, stop: CancellationToken::new(), options }
    }

    async fn publish(&self, feed: Numbers) -> (Glance, ClosedLedger) {
        let clock = SimClock::new(Arc::new(|| 0), Pace::Full, 0);
        let span = Span { clock, until_ms: i64::MAX };
        publish(&self.options, vec![Box::new(feed)], &self.books, span, &self.stop).await.unwrap();
        (self.books.progress.glance(), self.books.ledger.close())
    }
}

/// A message that comes again is the same, under the same id, and says so; on each connection
/// messages come in order.
fn check_repeats(got: &[Got]) {
    let mut first: BTreeMap<usize, &Got> = BTreeMap::new();
    let mut last: BTreeMap<usize, usize> = BTreeMap::new();
    for got in got {
        if let Some(earlier) = first.get(&got.number) {
            assert!(got.dup, "{got:?} came before: {earlier:?}");
            assert_eq!(got.id, earlier.id);
            assert!(got.connection > earlier.connection);
        } else {
            first.insert(got.number, got);
        }
        if let Some(before) = last.insert(got.connection, got.number) {
            assert!(before < got.number, "out of order on {}", got.connection);
        }
    }
}

async fn check_drops(version: MqttVersion, qos: u8, acts: Vec<Act>) {
    const COUNT: usize = 500;
    let server = Server::start(acts.clone(), false).await;
    let run = Run::new(&server, version);
    let (glance, ledger) = run.publish(Numbers::new(COUNT, qos)).await;
    let got = server.got();
    assert_eq!(server.numbers(), (0..COUNT).collect::<Vec<_>>());
    check_repeats(&got);
    assert_eq!((glance.messages_sent, glance.messages_acked), (500, 500));
    assert_eq!((glance.in_flight, glance.connected), (0, 0));
    assert_eq!(glance.reconnects, acts.len() as u64 - 1);
    assert!(got.len() > COUNT && glance.messages_resent > 0);
    let account = &ledger.sensors[&0];
    assert_eq!((account.acked.taken, account.unacked.taken), (500, 0));
    assert_eq!(account.resent.taken, glance.messages_resent);
    assert_eq!(account.entries.len(), COUNT);
    assert_eq!(run.books.progress.latency().messages, 500);
}

fn dropping() -> Vec<Act> {
    vec![
        Act { takes: 7, acks: 3, at_once: 1 },
        Act { takes: 40, acks: 39, at_once: 1 },
        Act { takes: 1, acks: 0, at_once: 1 },
        // a client leaves up to a quarter of its window unused: fewer than that can be awaited
        Act { takes: 9, acks: 0, at_once: 1 },
        WILLING,
    ]
}

#[tokio::test]
async fn nothing_is_lost_when_connections_break_v5() {
    check_drops(MqttVersion::V5, 1, dropping()).await;
}

#[tokio::test]
async fn nothing_is_lost_when_connections_break_v311() {
    check_drops(MqttVersion::V311, 1, dropping()).await;
}

#[tokio::test]
async fn nothing_is_lost_at_qos_2() {
    check_drops(MqttVersion::V5, 2, dropping()).await;
    check_drops(MqttVersion::V311, 2, dropping()).await;
}

#[tokio::test]
async fn the_window_is_kept() {
    // the server acknowledges only once it owes as many as the client may leave open
    for (version, window) in [(MqttVersion::V5, usize::from(RECEIVE_MAX)), (MqttVersion::V311, 20)]
    {
        let act = Act { at_once: window, ..WILLING };
        let server = Server::start(vec![act], false).await;
        let run = Run::new(&server, version);
        let (glance, _) = run.publish(Numbers::new(window * 10, 1)).await;
        assert_eq!(glance.messages_acked, (window * 10) as u64);
        assert_eq!(glance.messages_resent, 0);
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_waits_in_the_feed() {
    let mut server = Server::start(vec![Act { acks: 0, ..WILLING }], false).await;
    let mut run = Run::new(&server, MqttVersion::V5);
    run.options.drain = std::time::Duration::ZERO;
    let feed = Numbers::new(1_000, 1);
    let taken = Arc::clone(&feed.taken);
    let received = async {
        for _ in 0..RECEIVE_MAX {
            server.counted.recv().await.unwrap();
        }
        run.stop.cancel();
    };
    let ((glance, ledger), ()) = tokio::join!(run.publish(feed), received);
    assert_eq!(*taken.lock().unwrap(), usize::from(RECEIVE_MAX));
    assert_eq!((glance.messages_sent, glance.messages_acked), (12, 0));
    assert_eq!(ledger.sensors[&0].unacked.taken, 12);
    assert_eq!(glance.in_flight, 0);
}

#[tokio::test]
async fn qos_0_is_sent_and_forgotten() {
    let mut server = Server::start(vec![WILLING], false).await;
    let run = Run::new(&server, MqttVersion::V311);
    let (glance, ledger) = run.publish(Numbers::new(300, 0)).await;
    for _ in 0..300 {
        server.counted.recv().await.unwrap();
    }
    assert_eq!((glance.messages_sent, glance.messages_acked), (300, 0));
    assert_eq!(ledger.sensors[&0].unacked.taken, 300);
    assert_eq!(server.numbers().len(), 300);
}

#[tokio::test]
async fn a_planned_drop_loses_nothing_and_keeps_the_order() {
    let server = Server::start(vec![WILLING], false).await;
    let run = Run::new(&server, MqttVersion::V5);
    let mut feed = Numbers::new(100, 1);
    feed.drops = BTreeSet::from([10, 11, 60]);
    let (glance, ledger) = run.publish(feed).await;
    assert_eq!(server.numbers(), (0..100).collect::<Vec<_>>());
    check_repeats(&server.got());
    assert_eq!((glance.disconnects_injected, glance.reconnects), (3, 3));
    assert_eq!(ledger.sensors[&0].acked.taken, 100);
}

#[tokio::test]
async fn a_full_ledger_ends_the_run() {
    let server = Server::start(vec![WILLING], false).await;
    let mut run = Run::new(&server, MqttVersion::V5);
    run.books.ledger = Arc::new(Ledger::new(Keep::Identities(50)));
    let (glance, ledger) = run.publish(Numbers::new(100_000, 1)).await;
    assert!(!ledger.identities && run.books.ledger.is_full());
    assert!(glance.messages_sent < 200, "{}", glance.messages_sent);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_refuses_is_named() {
    for version in [MqttVersion::V311, MqttVersion::V5] {
        let server = Server::start(vec![WILLING], true).await;
        let run = Run::new(&server, version);
        let error = check_reachable(&run.options, "probe").await.unwrap_err().to_string();
        assert!(error.contains("NotAuthorized") && error.contains("127.0.0.1"), "{error}");
    }
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = PublishOptions::new(format!("mqtt://{free}").parse().unwrap());
    let error = check_reachable(&options, "probe").await.unwrap_err();
    assert!(matches!(error, PublishError::Connect { .. }), "{error}");
    let server = Server::start(vec![WILLING], false).await;
    let run = Run::new(&server, MqttVersion::V5);
    check_reachable(&run.options, "probe").await.unwrap();
}

#[tokio::test]
async fn a_connection_with_nothing_to_say_is_held_to_the_end() {
    let server = Server::start(vec![WILLING], false).await;
    let run = Run::new(&server, MqttVersion::V5);
    // time stands still until the server has been greeted, and is over then
    let greeted = Arc::clone(&server.greeted);
    let clock = SimClock::new(Arc::new(move || greeted.load(Relaxed)), Pace::Times(1e6), 0);
    let mut feed = Numbers::new(10, 1);
    feed.next = 5;
    let span = Span { clock, until_ms: 4 };
    let feeds: Vec<Box<dyn Feed>> = vec![Box::new(feed)];
    publish(&run.options, feeds, &run.books, span, &run.stop).await.unwrap();
    assert_eq!(server.greeted.load(Relaxed), 1);
    assert_eq!(run.books.progress.glance().messages_sent, 0);
}
