//! Packets of MQTT 3.1.1 and 5 as a publishing client needs them, through rumqttc's codecs.
//! Nothing of MQTT is encoded or parsed by hand, and no session rule lives here.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes as v4;
use rumqttc::v5::mqttbytes as v5;
use thiserror::Error;

use super::options::{Login, MqttVersion};

/// Longest packet a server may send to a publisher; acknowledgements are far smaller.
const MAX_HEARD_BYTES: u32 = 64 * 1_024;

/// Why bytes are no packet, or a packet has no bytes.
#[derive(Debug, Error)]
pub enum CodecError {
    /// In MQTT 3.1.1.
    #[error("MQTT 3.1.1: {0}")]
    V4(#[from] v4::Error),
    /// In MQTT 5.
    #[error("MQTT 5: {0}")]
    V5(#[from] v5::Error),
    /// A packet that no server may send to a publisher.
    #[error("the server sent a packet of type {0}")]
    Unexpected(&'static str),
}

/// What a server says to a publisher.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The answer to CONNECT.
    ConnAck(ConnAck),
    /// PUBACK; `false`: with a reason code that says the message was not taken.
    PubAck(u16, bool),
    /// PUBREC; likewise.
    PubRec(u16, bool),
    /// PUBCOMP.
    PubComp(u16),
    /// PINGRESP.
    Pong,
    /// DISCONNECT with its reason.
    Disconnect(String),
}

/// The answer to CONNECT with what a publisher must keep to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConnAck {
    /// The reason of a refusal.
    pub(crate) refused: Option<String>,
    /// Whether the server kept this client's session.
    pub(crate) session_present: bool,
    pub(crate) receive_max: Option<u16>,
    pub(crate) max_qos: Option<u8>,
    pub(crate) max_packet_bytes: Option<u32>,
    pub(crate) keep_alive_s: Option<u16>,
}

/// Who connects, and how.
#[derive(Debug)]
pub(crate) struct Hello<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) login: Option<&'a Login>,
}

/// A message with everything that has to be the same when it is sent again.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

/// How long a version 5 session outlives its connection: as long as a reconnect may take.
const SESSION_EXPIRY_S: u32 = 3_600;

/// Appends a CONNECT.
pub(crate) fn connect(
    version: MqttVersion,
    hello: &Hello<'_>,
    out: &mut BytesMut,
) -> Result<(), CodecError> {
    match version {
        MqttVersion::V311 => {
            let mut packet = v4::v4::Connect::new(hello.client_id);
            packet.keep_alive = hello.keep_alive_s;
            packet.clean_session = hello.clean_start;
            if let Some(login) = hello.login {
                packet.set_login(login.user.as_str(), login.password.as_str());
            }
            packet.write(out)?;
        }
        MqttVersion::V5 => {
            let mut properties = v5::v5::ConnectProperties::new();
            properties.session_expiry_interval = Some(SESSION_EXPIRY_S);
            let packet = v5::v5::Connect {
                keep_alive: hello.keep_alive_s,
                client_id: hello.client_id.to_owned(),
                clean_start: hello.clean_start,
                properties: Some(properties),
            };
            let login = hello
                .login
                .map(|login| v5::v5::Login::new(login.user.as_str(), login.password.as_str()));
            packet.write(&None, &login, out)?;
        }
    }
    Ok(())
}

/// Appends a PUBLISH; `id` 0 at `QoS` 0. Returns its length.
pub(crate) fn publish(
    version: MqttVersion,
    letter: &Letter,
    id: u16,
    dup: bool,
    out: &mut BytesMut,
) -> Result<usize, CodecError> {
    let written = match version {
        MqttVersion::V311 => v4::v4::Publish {
            dup,
            qos: v4_qos(letter.qos),
            retain: letter.retain,
            topic: String::from(&*letter.topic),
            pkid: id,
            payload: letter.payload.clone(),
        }
        .write(out)?,
        MqttVersion::V5 => v5::v5::Publish {
            dup,
            qos: v5_qos(letter.qos),
            retain: letter.retain,
            topic: Bytes::copy_from_slice(letter.topic.as_bytes()),
            pkid: id,
            payload: letter.payload.clone(),
            properties: None,
        }
        .write(out)?,
    };
    Ok(written)
}

fn v4_qos(qos: u8) -> v4::QoS {
    match qos {
        0 => v4::QoS::AtMostOnce,
        1 => v4::QoS::AtLeastOnce,
        _ => v4::QoS::ExactlyOnce,
    }
}

fn v5_qos(qos: u8) -> v5::QoS {
    match qos {
        0 => v5::QoS::AtMostOnce,
        1 => v5::QoS::AtLeastOnce,
        _ => v5::QoS::ExactlyOnce,
    }
}

/// Appends a PUBREL.
pub(crate) fn release(version: MqttVersion, id: u16, out: &mut BytesMut) -> Result<(), CodecError> {
    match version {
        MqttVersion::V311 => v4::v4::PubRel::new(id).write(out)?,
        MqttVersion::V5 => v5::v5::PubRel::new(id, None).write(out)?,
    };
    Ok(())
}

/// Appends a PINGREQ.
pub(crate) fn ping(version: MqttVersion, out: &mut BytesMut) -> Result<(), CodecError> {
    match version {
        MqttVersion::V311 => v4::v4::PingReq.write(out)?,
        MqttVersion::V5 => v5::v5::PingReq::write(out)?,
    };
    Ok(())
}

/// Appends a DISCONNECT.
pub(crate) fn disconnect(version: MqttVersion, out: &mut BytesMut) -> Result<(), CodecError> {
    match version {
        MqttVersion::V311 => v4::v4::Disconnect.write(out)?,
        MqttVersion::V5 => {
            v5::v5::Disconnect::new(v5::v5::DisconnectReasonCode::NormalDisconnection).write(out)?
        }
    };
    Ok(())
}

/// Takes the next packet off what was received; `None`: not all of it is here yet.
pub(crate) fn hear(
    version: MqttVersion,
    inbox: &mut BytesMut,
) -> Result<Option<Heard>, CodecError> {
    if inbox.is_empty() {
        return Ok(None);
    }
    match version {
        MqttVersion::V311 => match v4::v4::Packet::read(inbox, MAX_HEARD_BYTES as usize) {
            Ok(packet) => heard_v4(&packet).map(Some),
            Err(v4::Error::InsufficientBytes(_)) => Ok(None),
            Err(other) => Err(other.into()),
        },
        MqttVersion::V5 => match v5::v5::Packet::read(inbox, Some(MAX_HEARD_BYTES)) {
            Ok(packet) => heard_v5(&packet).map(Some),
            Err(v5::Error::InsufficientBytes(_)) => Ok(None),
            Err(other) => Err(other.into()),
        },
    }
}

fn heard_v4(packet: &v4::v4::Packet) -> Result<Heard, CodecError> {
    use v4::v4::{ConnectReturnCode, Packet};
    Ok(match packet {
        Packet::ConnAck(ack) => Heard::ConnAck(ConnAck {
            refused: (ack.code != ConnectReturnCode::Success).then(|| format!("{:?}", ack.code)),
            session_present: ack.session_present,
            receive_max: None,
            max_qos: None,
            max_packet_bytes: None,
            keep_alive_s: None,
        }),
        Packet::PubAck(ack) => Heard::PubAck(ack.pkid, true),
        Packet::PubRec(ack) => Heard::PubRec(ack.pkid, true),
        Packet::PubComp(ack) => Heard::PubComp(ack.pkid),
        Packet::PingResp => Heard::Pong,
        Packet::Disconnect => Heard::Disconnect("no reason given".to_owned()),
        Packet::Connect(_) => return Err(CodecError::Unexpected("CONNECT")),
        Packet::Publish(_) => return Err(CodecError::Unexpected("PUBLISH")),
        Packet::PubRel(_) => return Err(CodecError::Unexpected("PUBREL")),
        Packet::Subscribe(_) => return Err(CodecError::Unexpected("SUBSCRIBE")),
        Packet::SubAck(_) => return Err(CodecError::Unexpected("SUBACK")),
        Packet::Unsubscribe(_) => return Err(CodecError::Unexpected("UNSUBSCRIBE")),
        Packet::UnsubAck(_) => return Err(CodecError::Unexpected("UNSUBACK")),
        Packet::PingReq => return Err(CodecError::Unexpected("PINGREQ")),
    })
}

fn heard_v5(packet: &v5::v5::Packet) -> Result<Heard, CodecError> {
    use v5::v5::{ConnectReturnCode, Packet, PubAckReason, PubRecReason};
    Ok(match packet {
        Packet::ConnAck(ack) => {
            let limits = ack.properties.as_ref();
            Heard::ConnAck(ConnAck {
                refused: (ack.code != ConnectReturnCode::Success)
                    .then(|| format!("{:?}", ack.code)),
                session_present: ack.session_present,
                // absent in version 5 means 65,535 (MQTT 5, 3.2.2.3.3)
                receive_max: limits.and_then(|p| p.receive_max),
                max_qos: limits.and_then(|p| p.max_qos),
                max_packet_bytes: limits.and_then(|p| p.max_packet_size),
                keep_alive_s: limits.and_then(|p| p.server_keep_alive),
            })
        }
        Packet::PubAck(ack) => Heard::PubAck(
            ack.pkid,
            matches!(ack.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers),
        ),
        Packet::PubRec(ack) => Heard::PubRec(
            ack.pkid,
            matches!(ack.reason, PubRecReason::Success | PubRecReason::NoMatchingSubscribers),
        ),
        Packet::PubComp(ack) => Heard::PubComp(ack.pkid),
        Packet::PingResp(_) => Heard::Pong,
        Packet::Disconnect(bye) => Heard::Disconnect(format!("{:?}", bye.reason_code)),
        Packet::Auth(_) => return Err(CodecError::Unexpected("AUTH")),
        Packet::Connect(..) => return Err(CodecError::Unexpected("CONNECT")),
        Packet::Publish(_) => return Err(CodecError::Unexpected("PUBLISH")),
        Packet::PubRel(_) => return Err(CodecError::Unexpected("PUBREL")),
        Packet::Subscribe(_) => return Err(CodecError::Unexpected("SUBSCRIBE")),
        Packet::SubAck(_) => return Err(CodecError::Unexpected("SUBACK")),
        Packet::Unsubscribe(_) => return Err(CodecError::Unexpected("UNSUBSCRIBE")),
        Packet::UnsubAck(_) => return Err(CodecError::Unexpected("UNSUBACK")),
        Packet::PingReq(_) => return Err(CodecError::Unexpected("PINGREQ")),
    })
}
