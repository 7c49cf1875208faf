//! One connection's MQTT: packets in, meaning out, and the bytes of every answer. The state
//! machine of `mqtt-protocol-core` keeps the rules of 3.1.1 and 5 (QoS 2, topic aliases, Receive
//! Maximum); what it lets pass is in `strict.rs`. No sockets and no time here, and no answer to a
//! PUBLISH: that is made by [`Protocol::acknowledge`] once its message is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::role::Server;
use mqtt_protocol_core::mqtt::connection::{Connection, ConnectionOptions, Event, Version};
use mqtt_protocol_core::mqtt::packet::{
    GenericPacketTrait, Packet, Property, Qos, ReasonString, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    DisconnectReasonCode, MqttError, PubcompReasonCode, SubackReasonCode, SubackReturnCode,
    UnsubackReasonCode,
};

use super::counters::ClosedReason;
use super::strict::{self, Fault};

/// Messages of QoS 2 that an MQTT 3.1.1 client, which knows no Receive Maximum, may have between
/// PUBLISH and PUBREL.
const OPEN_QOS2: usize = 4_096;

/// What a packet meant.
#[derive(Debug)]
pub(super) enum Heard {
    /// A message. To be acknowledged with its [`Publish::ack`] when durable.
    Publish(Publish),
    /// Nothing for us: an answer that leaves in order behind the acknowledgements before it.
    Answer(Vec<u8>),
    /// A ping: an answer that may overtake.
    Pong(Vec<u8>),
    /// The client takes its leave, and may say anew how long its session is to be kept.
    Goodbye(Option<u32>),
}

/// A message as received.
#[derive(Debug)]
pub(super) enum Publish {
    /// MQTT 3.1.1.
    V3(v3_1_1::Publish),
    /// MQTT 5.
    V5(v5_0::Publish),
    /// MQTT 3.1.1 and too long: what is left is the head; the length is the whole payload's.
    Oversize(v3_1_1::Publish, u64),
}

/// What is owed to the client for a message, or another answer that waits its turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ack {
    /// QoS 1.
    Puback(u16),
    /// QoS 2.
    Pubrec(u16),
    /// An answer made already.
    Bytes(Vec<u8>),
}

impl Publish {
    pub(super) fn topic(&self) -> &str {
        match self {
            Publish::V3(publish) | Publish::Oversize(publish, _) => publish.topic_name(),
            Publish::V5(publish) => publish.topic_name(),
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Publish::V3(publish) | Publish::Oversize(publish, _) => publish.payload().as_slice(),
            Publish::V5(publish) => publish.payload().as_slice(),
        }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        let Publish::V5(publish) = self else { return None };
        publish.props().iter().find_map(|property| {
            if let Property::ContentType(value) = property { Some(value.val()) } else { None }
        })
    }

    /// What is owed for it.
    pub(super) fn ack(&self) -> Option<Ack> {
        let (qos, id) = match self {
            Publish::V3(publish) | Publish::Oversize(publish, _) => {
                (publish.qos(), publish.packet_id())
            }
            Publish::V5(publish) => (publish.qos(), publish.packet_id()),
        };
        match (qos, id) {
            (Qos::AtLeastOnce, Some(id)) => Some(Ack::Puback(id)),
            (Qos::ExactlyOnce, Some(id)) => Some(Ack::Pubrec(id)),
            (Qos::AtMostOnce | Qos::AtLeastOnce | Qos::ExactlyOnce, _) => None,
        }
    }
}

/// One connection's protocol state.
pub(super) struct Protocol {
    pub(super) machine: Connection<Server>,
    /// Packet ids of QoS 2 messages that were taken and not released.
    open: BTreeSet<u16>,
    /// Whether the client wants reason strings.
    pub(super) explain: bool,
    /// Longest packet the client takes.
    pub(super) client_packet_bytes: usize,
    /// After a fault the machine says nothing more; acknowledgements still leave.
    faulted: bool,
}

impl Protocol {
    /// Before CONNECT. No longer packets are handed to [`Protocol::hear`].
    pub(super) fn new(packet_bytes: u32) -> Protocol {
        let options = ConnectionOptions::new().maximum_packet_size_recv(packet_bytes);
        let mut machine = Connection::with_options(Version::Undetermined, options);
        machine.set_auto_pub_response(false);
        Protocol {
            machine,
            open: BTreeSet::new(),
            explain: true,
            client_packet_bytes: usize::MAX,
            faulted: false,
        }
    }

    /// Whether the client speaks MQTT 5.
    pub(super) fn is_v5(&self) -> bool {
        self.machine.get_protocol_version() == Version::V5_0
    }

    /// Takes over the QoS 2 state of the session.
    pub(super) fn restore(&mut self, open: BTreeSet<u16>) {
        self.machine.restore_qos2_publish_handled(open.iter().copied().collect());
        self.open = open;
    }

    /// The QoS 2 state for the session.
    pub(super) fn open(&self) -> &BTreeSet<u16> {
        &self.open
    }

    /// Takes a whole packet.
    pub(super) fn hear(&mut self, packet: &[u8]) -> Result<Heard, Fault> {
        strict::first_byte(packet.first().copied().unwrap_or(0))?;
        let (received, answer, error) = self.feed(packet);
        if let Some(error) = error {
            self.faulted = true;
            return Err(strict::minded(error, packet));
        }
        match received {
            Some(received) => self.understand(received, packet.len()),
            None => Ok(Heard::Answer(answer)),
        }
    }

    /// Takes the head of a PUBLISH that was too long (MQTT 3.1.1).
    pub(super) fn hear_swallowed(
        &mut self,
        head: &[u8],
        header: usize,
        len: usize,
    ) -> Result<Heard, Fault> {
        let first = head.first().copied().unwrap_or(0);
        strict::first_byte(first)?;
        let body: Arc<[u8]> = Arc::from(head.get(header..).unwrap_or_default());
        let kept = body.len();
        let Ok((publish, _)) = v3_1_1::Publish::parse(first & 0x0f, body) else {
            return Err(strict::malformed("a PUBLISH with a topic that does not end"));
        };
        strict::publish_v3(&publish)?;
        let payload = len - header - (kept - publish.payload().len());
        if let (Qos::ExactlyOnce, Some(id)) = (publish.qos(), publish.packet_id())
            && !self.open.insert(id)
        {
            let mut answer = Vec::new();
            self.acknowledge(&Ack::Pubrec(id), &mut answer);
            return Ok(Heard::Answer(answer));
        }
        Ok(Heard::Publish(Publish::Oversize(publish, payload as u64)))
    }

    /// Puts what is owed into `out`.
    pub(super) fn acknowledge(&mut self, ack: &Ack, out: &mut Vec<u8>) {
        let v5 = self.is_v5();
        let packet: Packet = match (ack, v5) {
            (Ack::Bytes(bytes), _) => {
                out.extend_from_slice(bytes);
                return;
            }
            (Ack::Puback(id), true) => built(v5_0::Puback::builder().packet_id(*id).build()).into(),
            (Ack::Puback(id), false) => {
                built(v3_1_1::Puback::builder().packet_id(*id).build()).into()
            }
            (Ack::Pubrec(id), true) => built(v5_0::Pubrec::builder().packet_id(*id).build()).into(),
            (Ack::Pubrec(id), false) => {
                built(v3_1_1::Pubrec::builder().packet_id(*id).build()).into()
            }
        };
        self.say(packet, out);
    }

    /// The last packet of a connection; nothing in MQTT 3.1.1.
    pub(super) fn farewell(&self, code: DisconnectReasonCode, text: &str) -> Vec<u8> {
        if !self.is_v5() {
            return Vec::new();
        }
        let explained = ReasonString::new(text).ok().and_then(|reason| {
            v5_0::Disconnect::builder().reason_code(code).props(vec![reason.into()]).build().ok()
        });
        match explained {
            Some(packet) if packet.size() <= self.client_packet_bytes => {
                packet.to_continuous_buffer()
            }
            Some(_) | None => {
                built(v5_0::Disconnect::builder().reason_code(code).build()).to_continuous_buffer()
            }
        }
    }

    /// Feeds the machine one packet: what it received, what it answers by itself, what it minds.
    pub(super) fn feed(&mut self, packet: &[u8]) -> (Option<Packet>, Vec<u8>, Option<MqttError>) {
        let (mut received, mut answer, mut error) = (None, Vec::new(), None);
        for event in self.machine.recv(&mut Cursor::new(packet)) {
            match event {
                Event::NotifyPacketReceived(packet) => received = Some(packet),
                Event::RequestSendPacket { packet, .. } => {
                    answer.extend_from_slice(&packet.to_continuous_buffer());
                }
                Event::NotifyError(what) => error = Some(what),
                // Keep-alive is watched by the connection, and an error closes it.
                Event::NotifyPacketIdReleased(_)
                | Event::RequestTimerReset { .. }
                | Event::RequestTimerCancel(_)
                | Event::RequestClose => {}
            }
        }
        (received, answer, error)
    }

    /// Puts a packet into `out` and lets the machine know.
    pub(super) fn say(&mut self, packet: Packet, out: &mut Vec<u8>) {
        out.extend_from_slice(&packet.to_continuous_buffer());
        if !self.faulted {
            // What the machine asks for in return is to send this very packet.
            drop(self.machine.send(packet));
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a server receives nothing else")]
    fn understand(&mut self, received: Packet, len: usize) -> Result<Heard, Fault> {
        match received {
            Packet::V3_1_1Publish(publish) => {
                strict::publish_v3(&publish)?;
                self.opened(publish.qos(), publish.packet_id())?;
                Ok(Heard::Publish(Publish::V3(publish)))
            }
            Packet::V5_0Publish(publish) => {
                strict::publish_v5(&publish, len)?;
                self.opened(publish.qos(), publish.packet_id())?;
                Ok(Heard::Publish(Publish::V5(publish)))
            }
            Packet::V3_1_1Pubrel(pubrel) => self.released(pubrel.packet_id()),
            Packet::V5_0Pubrel(pubrel) => self.released(pubrel.packet_id()),
            Packet::V3_1_1Pingreq(_) => {
                let pong = built(v3_1_1::Pingresp::builder().build());
                Ok(Heard::Pong(pong.to_continuous_buffer()))
            }
            Packet::V5_0Pingreq(_) => {
                let pong = built(v5_0::Pingresp::builder().build());
                Ok(Heard::Pong(pong.to_continuous_buffer()))
            }
            Packet::V3_1_1Disconnect(_) => Ok(Heard::Goodbye(None)),
            Packet::V5_0Disconnect(packet) => {
                let props = packet.props().as_deref().unwrap_or_default();
                Ok(Heard::Goodbye(session_expiry(props)))
            }
            Packet::V3_1_1Subscribe(packet) => {
                strict::packet_id(packet.packet_id())?;
                let codes = vec![SubackReturnCode::Failure; packet.entries().len()];
                let id = packet.packet_id();
                let builder = v3_1_1::Suback::builder().packet_id(id).return_codes(codes);
                Ok(self.answer(built(builder.build()).into()))
            }
            Packet::V5_0Subscribe(packet) => {
                strict::packet_id(packet.packet_id())?;
                Ok(self.refuse_subscription(packet.packet_id(), packet.entries().len()))
            }
            Packet::V3_1_1Unsubscribe(packet) => {
                strict::packet_id(packet.packet_id())?;
                let builder = v3_1_1::Unsuback::builder().packet_id(packet.packet_id());
                Ok(self.answer(built(builder.build()).into()))
            }
            Packet::V5_0Unsubscribe(packet) => {
                strict::packet_id(packet.packet_id())?;
                let codes = vec![UnsubackReasonCode::NoSubscriptionExisted; packet.entries().len()];
                let id = packet.packet_id();
                let builder = v5_0::Unsuback::builder().packet_id(id).reason_codes(codes);
                Ok(self.answer(built(builder.build()).into()))
            }
            Packet::V5_0Auth(_) => Err(strict::protocol("no authentication is under way")),
            _ => Err(strict::protocol("a packet that only a server sends")),
        }
    }

    fn opened(&mut self, qos: Qos, id: Option<u16>) -> Result<(), Fault> {
        if let (Qos::ExactlyOnce, Some(id)) = (qos, id) {
            self.open.insert(id);
        }
        if self.open.len() > OPEN_QOS2 && !self.is_v5() {
            return Err(Fault {
                reason: ClosedReason::ReceiveMaximum,
                code: DisconnectReasonCode::ReceiveMaximumExceeded,
                text: "too many QoS 2 messages wait for their PUBREL",
            });
        }
        Ok(())
    }

    fn released(&mut self, id: u16) -> Result<Heard, Fault> {
        strict::packet_id(id)?;
        let known = self.open.remove(&id);
        if !self.is_v5() {
            return Ok(self.answer(built(v3_1_1::Pubcomp::builder().packet_id(id).build()).into()));
        }
        let builder = v5_0::Pubcomp::builder().packet_id(id);
        let builder = if known {
            builder
        } else {
            builder.reason_code(PubcompReasonCode::PacketIdentifierNotFound)
        };
        Ok(self.answer(built(builder.build()).into()))
    }

    fn refuse_subscription(&mut self, id: u16, filters: usize) -> Heard {
        let codes = vec![SubackReasonCode::NotAuthorized; filters];
        let plain = || v5_0::Suback::builder().packet_id(id).reason_codes(codes.clone());
        let reason = ReasonString::new("this endpoint takes readings; it is not a broker");
        let explained = reason
            .ok()
            .filter(|_| self.explain)
            .and_then(|reason| plain().props(vec![reason.into()]).build().ok())
            .filter(|packet| packet.size() <= self.client_packet_bytes);
        let packet = explained.unwrap_or_else(|| built(plain().build()));
        self.answer(packet.into())
    }

    fn answer(&mut self, packet: Packet) -> Heard {
        let mut bytes = Vec::new();
        self.say(packet, &mut bytes);
        Heard::Answer(bytes)
    }
}

/// The Session Expiry Interval of a DISCONNECT.
fn session_expiry(props: &[Property]) -> Option<u32> {
    props.iter().find_map(|property| {
        if let Property::SessionExpiryInterval(value) = property { Some(value.val()) } else { None }
    })
}

/// The library builds every packet that has its fields.
pub(super) fn built<T>(packet: Result<T, MqttError>) -> T {
    packet.expect("every field that the packet needs was given")
}

impl std::fmt::Debug for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protocol")
            .field("v5", &self.is_v5())
            .field("open", &self.open.len())
            .field("faulted", &self.faulted)
            .finish_non_exhaustive()
    }
}
