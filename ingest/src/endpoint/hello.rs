//! The first packet of a connection and the answer to it: what a client asks for in CONNECT, why
//! it is refused, and what it is told in CONNACK.
//!
//! A will is a message that a broker would publish. This endpoint publishes nothing: it accepts
//! the connection, ignores the will, and says so in the log and, in MQTT 5, in CONNACK's reason
//! string.

use std::collections::BTreeSet;

use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, MaximumPacketSize, Packet, Property, ReasonString, ReceiveMaximum,
    ServerKeepAlive, SessionExpiryInterval, SharedSubscriptionAvailable,
    SubscriptionIdentifierAvailable, TopicAliasMaximum, WildcardSubscriptionAvailable, v3_1_1,
    v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{ConnectReasonCode, ConnectReturnCode, MqttError};

use super::counters::RefusedReason;
use super::framing;
use super::protocol::{Protocol, built};
use super::strict::{self, Fault};

/// Topic aliases a client may use on one connection.
pub(super) const TOPIC_ALIASES: u16 = 16;

/// Longest client id.
const CLIENT_ID_BYTES: usize = 1_024;

/// How CONNECT begins.
const NAME: &[u8] = b"\0\x04MQTT";

/// Where the flags of CONNECT are: behind the protocol name and level.
const FLAGS_AT: usize = 7;

/// What a client asks for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hello {
    /// Its id; empty: one is to be assigned.
    pub client_id: String,
    /// Whether it wants nothing of an earlier session.
    pub clean_start: bool,
    /// Longest silence in seconds; 0: any.
    pub keep_alive_s: u16,
    /// How long its session is to be kept, in seconds; `u32::MAX`: for ever.
    pub session_expiry_s: u32,
    /// Name and password.
    pub user: Option<(String, Vec<u8>)>,
    /// Whether it has a will.
    pub will: bool,
}

/// A connection that is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denied {
    /// For the counters.
    pub reason: RefusedReason,
    /// For people.
    pub text: &'static str,
    /// The CONNACK that says so; empty where the specification wants silence.
    pub connack: Vec<u8>,
}

/// Reasons to refuse a well-formed CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TooMany,
    NoCredentials,
    WrongCredentials,
    ClientId,
    AuthMethod,
    Stopping,
}

/// What a client is told.
#[derive(Debug)]
pub(super) struct Welcome<'a> {
    /// Whether its session was kept.
    pub session_present: bool,
    /// The id it was given, if it brought none.
    pub assigned_id: Option<&'a str>,
    /// How long its session is kept, if shorter than asked.
    pub session_expiry_s: Option<u32>,
    /// The keep-alive it must keep, if shorter than asked.
    pub keep_alive_s: Option<u16>,
    /// Messages it may have in flight.
    pub receive_maximum: u16,
    /// Longest packet it may send.
    pub packet_bytes: u32,
    /// Whether its will is ignored.
    pub will_ignored: bool,
}

impl Refusal {
    fn parts(self) -> (RefusedReason, &'static str, ConnectReasonCode, ConnectReturnCode) {
        match self {
            Refusal::TooMany => (
                RefusedReason::TooMany,
                "as many connections as allowed are open",
                ConnectReasonCode::ServerBusy,
                ConnectReturnCode::ServerUnavailable,
            ),
            Refusal::NoCredentials => (
                RefusedReason::BadCredentials,
                "user name and password are needed",
                ConnectReasonCode::NotAuthorized,
                ConnectReturnCode::NotAuthorized,
            ),
            Refusal::WrongCredentials => (
                RefusedReason::BadCredentials,
                "user name or password is wrong",
                ConnectReasonCode::BadUserNameOrPassword,
                ConnectReturnCode::BadUserNameOrPassword,
            ),
            Refusal::ClientId => (
                RefusedReason::ClientId,
                "the client id is too long, or empty without a clean session",
                ConnectReasonCode::ClientIdentifierNotValid,
                ConnectReturnCode::IdentifierRejected,
            ),
            Refusal::AuthMethod => (
                RefusedReason::AuthMethod,
                "enhanced authentication is not offered",
                ConnectReasonCode::BadAuthenticationMethod,
                ConnectReturnCode::NotAuthorized,
            ),
            Refusal::Stopping => (
                RefusedReason::TooMany,
                "the endpoint is being stopped",
                ConnectReasonCode::ServerUnavailable,
                ConnectReturnCode::ServerUnavailable,
            ),
        }
    }
}

impl Protocol {
    /// Takes the first packet.
    pub(super) fn hello(&mut self, packet: &[u8]) -> Result<Hello, Denied> {
        let first = packet.first().copied().unwrap_or(0);
        let body = framing::body(packet);
        if first >> 4 != 1 {
            return Err(silent("the first packet is not CONNECT"));
        }
        strict::first_byte(first).map_err(|fault| silent(fault.text))?;
        let (received, _, error) = self.feed(packet);
        if let Some(error) = error {
            return Err(self.denied(error, body));
        }
        let flags = body.get(FLAGS_AT).copied().unwrap_or(0);
        strict::connect_flags(flags).map_err(|fault| self.broken(fault))?;
        let hello = match received {
            Some(Packet::V3_1_1Connect(connect)) => self.hello_v3(&connect),
            Some(Packet::V5_0Connect(connect)) => self.hello_v5(&connect),
            Some(_) | None => return Err(silent("the first packet is not CONNECT")),
        }?;
        strict::text(&hello.client_id).map_err(|fault| self.broken(fault))?;
        if let Some((name, _)) = &hello.user {
            strict::text(name).map_err(|fault| self.broken(fault))?;
        }
        if hello.client_id.len() > CLIENT_ID_BYTES {
            return Err(self.refuse(Refusal::ClientId));
        }
        Ok(hello)
    }

    fn hello_v3(&self, connect: &v3_1_1::Connect) -> Result<Hello, Denied> {
        if connect.client_id().is_empty() && !connect.clean_session() {
            return Err(self.refuse(Refusal::ClientId));
        }
        Ok(Hello {
            client_id: connect.client_id().to_owned(),
            clean_start: connect.clean_session(),
            keep_alive_s: connect.keep_alive(),
            session_expiry_s: if connect.clean_session() { 0 } else { u32::MAX },
            user: user(connect.user_name(), connect.password()),
            will: connect.will_flag(),
        })
    }

    fn hello_v5(&mut self, connect: &v5_0::Connect) -> Result<Hello, Denied> {
        let mut session_expiry_s = 0;
        for property in connect.props() {
            self.read_property(property, &mut session_expiry_s)?;
        }
        Ok(Hello {
            client_id: connect.client_id().to_owned(),
            clean_start: connect.clean_start(),
            keep_alive_s: connect.keep_alive(),
            session_expiry_s,
            user: user(connect.user_name(), connect.password()),
            will: connect.will_flag(),
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest does not concern a server")]
    fn read_property(&mut self, property: &Property, expiry_s: &mut u32) -> Result<(), Denied> {
        match property {
            Property::SessionExpiryInterval(value) => *expiry_s = value.val(),
            Property::RequestProblemInformation(value) => self.explain = value.val() != 0,
            Property::MaximumPacketSize(value) => {
                self.client_packet_bytes = usize::try_from(value.val()).unwrap_or(usize::MAX);
            }
            Property::AuthenticationMethod(_) => return Err(self.refuse(Refusal::AuthMethod)),
            _ => {}
        }
        Ok(())
    }

    /// Lets the client in: the CONNACK, and the machine is connected. `open` are the packet ids
    /// of QoS 2 messages that the session still holds.
    pub(super) fn welcome(&mut self, welcome: &Welcome<'_>, open: BTreeSet<u16>) -> Vec<u8> {
        let mut out = Vec::new();
        self.restore(open);
        if self.is_v5() {
            let mut props = welcome.properties();
            let connack = |props| {
                built(
                    v5_0::Connack::builder()
                        .session_present(welcome.session_present)
                        .reason_code(ConnectReasonCode::Success)
                        .props(props)
                        .build(),
                )
            };
            let reason = ReasonString::new("the will is ignored: this endpoint publishes nothing");
            if let (true, Ok(reason)) = (welcome.will_ignored, reason) {
                props.push(reason.into());
            }
            if connack(props.clone()).size() > self.client_packet_bytes {
                props.retain(|property| !matches!(property, Property::ReasonString(_)));
            }
            self.say(connack(props).into(), &mut out);
        } else {
            let connack = v3_1_1::Connack::builder()
                .session_present(welcome.session_present)
                .return_code(ConnectReturnCode::Accepted)
                .build();
            self.say(built(connack).into(), &mut out);
        }
        out
    }

    /// Refuses a well-formed CONNECT.
    pub(super) fn refuse(&self, refusal: Refusal) -> Denied {
        let (reason, text, v5, v3) = refusal.parts();
        let connack = if self.is_v5() { connack_v5(v5) } else { connack_v3(v3) };
        Denied { reason, text, connack }
    }

    /// A CONNECT that breaks a rule which the library lets pass. MQTT 3.1.1 wants silence.
    fn broken(&self, fault: Fault) -> Denied {
        let code = ConnectReasonCode::MalformedPacket;
        let connack = if self.is_v5() { connack_v5(code) } else { Vec::new() };
        Denied { reason: RefusedReason::Malformed, text: fault.text, connack }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has no code of its own")]
    fn denied(&self, error: MqttError, body: &[u8]) -> Denied {
        let code = match error {
            MqttError::UnsupportedProtocolVersion => return wrong_version(body),
            // Somebody who says 5 under another name.
            MqttError::ProtocolError if !body.starts_with(NAME) => {
                ConnectReasonCode::UnsupportedProtocolVersion
            }
            MqttError::ProtocolError => ConnectReasonCode::ProtocolError,
            _ => ConnectReasonCode::MalformedPacket,
        };
        // MQTT 3.1.1 wants silence for what cannot be parsed [MQTT-3.1.4-1].
        let connack = if self.is_v5() { connack_v5(code) } else { Vec::new() };
        let reason = RefusedReason::Malformed;
        Denied { reason, text: "the CONNECT packet breaks the protocol", connack }
    }
}

impl Welcome<'_> {
    fn properties(&self) -> Vec<Property> {
        let mut props: Vec<Property> = vec![
            built(ReceiveMaximum::new(self.receive_maximum)).into(),
            built(MaximumPacketSize::new(self.packet_bytes)).into(),
            built(TopicAliasMaximum::new(TOPIC_ALIASES)).into(),
            built(WildcardSubscriptionAvailable::new(0)).into(),
            built(SubscriptionIdentifierAvailable::new(0)).into(),
            built(SharedSubscriptionAvailable::new(0)).into(),
        ];
        if let Some(seconds) = self.session_expiry_s {
            props.push(built(SessionExpiryInterval::new(seconds)).into());
        }
        if let Some(seconds) = self.keep_alive_s {
            props.push(built(ServerKeepAlive::new(seconds)).into());
        }
        if let Some(id) = self.assigned_id {
            props.push(built(AssignedClientIdentifier::new(id)).into());
        }
        props
    }
}

fn user(name: Option<&str>, password: Option<&[u8]>) -> Option<(String, Vec<u8>)> {
    Some((name?.to_owned(), password.unwrap_or_default().to_vec()))
}

fn silent(text: &'static str) -> Denied {
    Denied { reason: RefusedReason::Malformed, text, connack: Vec::new() }
}

/// Answers a client of another version in the words of the nearest one that is known
/// [MQTT-3.1.2-2]; somebody who does not speak MQTT gets silence.
fn wrong_version(body: &[u8]) -> Denied {
    let connack = match body {
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] if *level > 5 => {
            connack_v5(ConnectReasonCode::UnsupportedProtocolVersion)
        }
        [0, 4, b'M', b'Q', b'T', b'T', ..] | [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', ..] => {
            connack_v3(ConnectReturnCode::UnacceptableProtocolVersion)
        }
        _ => Vec::new(),
    };
    Denied { reason: RefusedReason::Version, text: "neither MQTT 3.1.1 nor 5", connack }
}

fn connack_v3(code: ConnectReturnCode) -> Vec<u8> {
    let builder = v3_1_1::Connack::builder().session_present(false).return_code(code);
    built(builder.build()).to_continuous_buffer()
}

fn connack_v5(code: ConnectReasonCode) -> Vec<u8> {
    let builder = v5_0::Connack::builder().session_present(false).reason_code(code);
    built(builder.build()).to_continuous_buffer()
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("session_expiry_s", &self.session_expiry_s)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("will", &self.will)
            .finish()
    }
}
