//! One client's MQTT session, without a socket: which messages are sent and not acknowledged, in
//! which order they must be sent again, and what each acknowledgement settles. Lives on across
//! connections.
//!
//! Promise: a message stays here until its acknowledgement (PUBACK, or PUBCOMP at `QoS` 2) is
//! heard; after a reconnect all of them go out again in the first order with the same bytes,
//! marked DUP. At most the window is held.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::codec::{self, CodecError, ConnAck, Heard, Letter};
use super::options::MqttVersion;
use crate::fleet::Outgoing;

/// Highest packet id.
const LAST_ID: u16 = u16::MAX;

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// PUBACK, or at `QoS` 2 PUBREC, is awaited.
    Sent,
    /// PUBREC is here, PUBCOMP is awaited.
    Released,
    /// Settled, but an older one is not.
    Done,
}

#[derive(Debug)]
struct InFlight {
    id: u16,
    stage: Stage,
    letter: Letter,
    /// The plan behind the message; its payload has moved into the letter. Gone once settled.
    message: Option<Outgoing>,
    sent_at: Instant,
    resent: u32,
}

/// A message whose fate is known.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) message: Outgoing,
    /// Acknowledged, and not with a reason that says it was not taken.
    pub(crate) acked: bool,
    /// How often it was sent again.
    pub(crate) resent: u32,
    /// From its last sending to its acknowledgement; `None`: there is none (`QoS` 0, the end).
    pub(crate) latency: Option<Duration>,
}

/// What came of offering a message.
#[derive(Debug)]
pub(crate) enum Offered {
    /// Encoded; its acknowledgement will settle it.
    Sent,
    /// Encoded; nothing will be heard of it.
    Forgotten(Settled),
    /// Larger than the server takes: never sent.
    TooLarge,
}

/// See the file's head.
#[derive(Debug)]
pub(crate) struct Session {
    version: MqttVersion,
    /// As configured.
    own_window: u16,
    /// As the server allows, too.
    window: u16,
    max_qos: u8,
    max_packet_bytes: u32,
    /// In order of sending; ids follow each other without a gap.
    in_flight: VecDeque<InFlight>,
    next_id: u16,
}

impl Session {
    pub(crate) fn new(version: MqttVersion, window: u16) -> Session {
        Session {
            version,
            own_window: window,
            window,
            max_qos: 2,
            max_packet_bytes: u32::MAX,
            in_flight: VecDeque::new(),
            next_id: 1,
        }
    }

    /// How many more messages may be sent before one must be acknowledged.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.window).saturating_sub(self.in_flight.len())
    }

    /// How many may be unacknowledged.
    pub(crate) fn window(&self) -> usize {
        usize::from(self.window)
    }

    /// Whether everything sent is acknowledged.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// A connection stands: from now on keeps to its limits.
    pub(crate) fn connected(&mut self, ack: &ConnAck) {
        self.window = self.own_window.min(ack.receive_max.unwrap_or(u16::MAX)).max(1);
        self.max_qos = ack.max_qos.unwrap_or(2);
        self.max_packet_bytes = ack.max_packet_bytes.unwrap_or(u32::MAX);
    }

    /// Encodes everything unacknowledged again, in its first order; returns how many messages.
    /// That is at most the window of the connection before; a server whose Receive Maximum has
    /// shrunk meanwhile may refuse the surplus.
    pub(crate) fn again(&mut self, now: Instant, out: &mut BytesMut) -> Result<usize, CodecError> {
        let mut again = 0;
        for held in &mut self.in_flight {
            match held.stage {
                Stage::Sent => {
                    codec::publish(self.version, &held.letter, held.id, true, out)?;
                    held.resent = held.resent.saturating_add(1);
                    held.sent_at = now;
                    again += 1;
                }
                Stage::Released => codec::release(self.version, held.id, out)?,
                Stage::Done => {}
            }
        }
        Ok(again)
    }

    /// Encodes a message. The caller has seen that there is [`Session::room`].
    pub(crate) fn offer(
        &mut self,
        mut message: Outgoing,
        now: Instant,
        out: &mut BytesMut,
    ) -> Result<Offered, CodecError> {
        let letter = Letter {
            topic: std::sync::Arc::clone(&message.topic),
            payload: Bytes::from(std::mem::take(&mut message.payload)),
            qos: message.qos.min(self.max_qos),
            retain: message.retain,
        };
        // fixed header, lengths and properties take less than 16 bytes
        let bound = letter.payload.len() + letter.topic.len() + 16;
        if u32::try_from(bound).map_or(true, |bound| bound > self.max_packet_bytes) {
            return Ok(Offered::TooLarge);
        }
        if letter.qos == 0 {
            codec::publish(self.version, &letter, 0, false, out)?;
            let settled = Settled { message, acked: false, resent: 0, latency: None };
            return Ok(Offered::Forgotten(settled));
        }
        let id = self.next_id;
        codec::publish(self.version, &letter, id, false, out)?;
        self.next_id = if id == LAST_ID { 1 } else { id + 1 };
        let held = InFlight {
            id,
            stage: Stage::Sent,
            letter,
            message: Some(message),
            sent_at: now,
            resent: 0,
        };
        self.in_flight.push_back(held);
        Ok(Offered::Sent)
    }

    /// Takes an acknowledgement; what it settles goes into `settled`, in order. One that fits
    /// nothing is ignored: after a reconnect an answer may come twice.
    pub(crate) fn heard(
        &mut self,
        heard: &Heard,
        now: Instant,
        out: &mut BytesMut,
        settled: &mut Vec<Settled>,
    ) -> Result<(), CodecError> {
        match *heard {
            Heard::PubAck(id, taken) => {
                if self.qos_of(id) == Some(1) {
                    self.settle(id, taken, now, settled);
                }
            }
            Heard::PubRec(id, taken) if self.qos_of(id) == Some(2) => {
                if taken {
                    if let Some(held) = self.find(id) {
                        held.stage = Stage::Released;
                    }
                    codec::release(self.version, id, out)?;
                } else {
                    self.settle(id, false, now, settled);
                }
            }
            // a repeat of one already settled: the release is owed all the same (MQTT 5, 4.3.3)
            Heard::PubRec(id, true) => codec::release(self.version, id, out)?,
            Heard::PubComp(id) => {
                if self.qos_of(id) == Some(2) {
                    self.settle(id, true, now, settled);
                }
            }
            Heard::PubRec(_, false) | Heard::ConnAck(_) | Heard::Pong | Heard::Disconnect(_) => {}
        }
        Ok(())
    }

    /// The end: hands out everything that was never acknowledged.
    pub(crate) fn abandon(&mut self) -> Vec<Settled> {
        self.in_flight
            .drain(..)
            .filter_map(|held| {
                let resent = held.resent;
                held.message.map(|message| Settled { message, acked: false, resent, latency: None })
            })
            .collect()
    }

    fn find(&mut self, id: u16) -> Option<&mut InFlight> {
        let first = self.in_flight.front()?.id;
        // ids run from 1 to LAST_ID and on from 1
        let ahead = if id >= first { id - first } else { LAST_ID - first + id };
        let held = self.in_flight.get_mut(usize::from(ahead))?;
        (held.id == id && held.stage != Stage::Done).then_some(held)
    }

    fn qos_of(&mut self, id: u16) -> Option<u8> {
        self.find(id).map(|held| held.letter.qos)
    }

    fn settle(&mut self, id: u16, acked: bool, now: Instant, settled: &mut Vec<Settled>) {
        let Some(held) = self.find(id) else { return };
        held.stage = Stage::Done;
        let latency = Some(now.saturating_duration_since(held.sent_at));
        let resent = held.resent;
        held.letter.payload = Bytes::new();
        if let Some(message) = held.message.take() {
            settled.push(Settled { message, acked, resent, latency });
        }
        while self.in_flight.front().is_some_and(|held| held.stage == Stage::Done) {
            self.in_flight.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Action;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn message(number: usize, qos: u8) -> Outgoing {
        Outgoing {
            due_ms: i64::try_from(number).unwrap(),
            action: Action::Publish,
            topic: Arc::from("city/v1/a/b/readings"),
            payload: number.to_le_bytes().to_vec(),
            qos,
            retain: false,
            readings: Vec::new(),
            dead_letter: None,
        }
    }

    fn limits(receive_max: Option<u16>) -> ConnAck {
        ConnAck {
            refused: None,
            session_present: false,
            receive_max,
            max_qos: Some(1),
            max_packet_bytes: Some(100),
            keep_alive_s: None,
        }
    }

    proptest! {
        /// Acknowledgements in any order, some twice, some of nothing: each message is settled
        /// once, and the room is what is not settled, across the wrap of packet ids.
        #[test]
        fn each_message_is_settled_once(picks in prop::collection::vec(0usize..8, 1..400)) {
            let mut session = Session::new(MqttVersion::V5, 8);
            session.next_id = u16::MAX - 100;
            let now = Instant::now();
            let (mut out, mut settled) = (BytesMut::new(), Vec::new());
            let (mut sent, mut open, mut done) = (0, Vec::new(), BTreeSet::new());
            for pick in picks {
                while session.room() > 0 {
                    let id = session.next_id;
                    session.offer(message(sent, 1), now, &mut out).unwrap();
                    open.push((id, sent));
                    sent += 1;
                }
                let (id, number) = open.remove(pick.min(open.len() - 1));
                for _ in 0..2 {
                    session.heard(&Heard::PubAck(id, true), now, &mut out, &mut settled).unwrap();
                }
                session.heard(&Heard::PubComp(id), now, &mut out, &mut settled).unwrap();
                prop_assert_eq!(settled.len(), 1);
                let got = settled.pop().unwrap();
                prop_assert_eq!(got.message.due_ms, i64::try_from(number).unwrap());
                prop_assert!(done.insert(number));
            }
            let left = session.abandon();
            prop_assert_eq!(left.len() + done.len(), sent);
        }
    }

    #[test]
    fn limits_of_the_server_are_kept() {
        let mut session = Session::new(MqttVersion::V5, 8);
        session.connected(&limits(Some(3)));
        assert_eq!((session.room(), session.window()), (3, 3));
        let (mut out, now) = (BytesMut::new(), Instant::now());
        let mut large = message(0, 1);
        large.payload = vec![0; 100];
        assert!(matches!(session.offer(large, now, &mut out), Ok(Offered::TooLarge)));
        assert!(out.is_empty());
        // QoS 2 is not to be had: it goes as QoS 1
        assert!(matches!(session.offer(message(1, 2), now, &mut out), Ok(Offered::Sent)));
        let mut settled = Vec::new();
        session.heard(&Heard::PubAck(1, false), now, &mut out, &mut settled).unwrap();
        assert!(!settled[0].acked && settled[0].latency.is_some());
        session.connected(&limits(None));
        assert_eq!(session.room(), 8);
    }

    #[test]
    fn after_a_release_only_the_release_goes_again() {
        let mut session = Session::new(MqttVersion::V311, 8);
        let (mut out, now, mut settled) = (BytesMut::new(), Instant::now(), Vec::new());
        session.offer(message(0, 2), now, &mut out).unwrap();
        session.offer(message(1, 2), now, &mut out).unwrap();
        session.heard(&Heard::PubRec(1, true), now, &mut out, &mut settled).unwrap();
        assert!(settled.is_empty());
        out.clear();
        assert_eq!(session.again(now, &mut out).unwrap(), 1);
        let mut expected = BytesMut::new();
        codec::release(MqttVersion::V311, 1, &mut expected).unwrap();
        assert!(out.starts_with(&expected));
        session.heard(&Heard::PubComp(1), now, &mut out, &mut settled).unwrap();
        assert!(settled[0].acked && settled[0].resent == 0);
        assert_eq!(session.abandon()[0].resent, 1);
    }
}
