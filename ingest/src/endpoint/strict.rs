//! What the MQTT specification forbids and the protocol library lets pass. Each check names its
//! normative statement. Packets are parsed by the library; here only flags and parsed fields are
//! looked at.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::{Property, Qos, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{DisconnectReasonCode, MqttError};

use super::counters::ClosedReason;
use super::framing;

/// A broken rule: the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// For the counters.
    pub reason: ClosedReason,
    /// For an MQTT 5 client.
    pub code: DisconnectReasonCode,
    /// For people.
    pub text: &'static str,
}

/// A packet that cannot be parsed.
pub(super) const fn malformed(text: &'static str) -> Fault {
    Fault { reason: ClosedReason::Malformed, code: DisconnectReasonCode::MalformedPacket, text }
}

/// A packet that is not allowed here.
pub(super) const fn protocol(text: &'static str) -> Fault {
    Fault { reason: ClosedReason::Protocol, code: DisconnectReasonCode::ProtocolError, text }
}

/// A packet that is too long.
pub(super) const TOO_LONG: Fault = Fault {
    reason: ClosedReason::TooLarge,
    code: DisconnectReasonCode::PacketTooLarge,
    text: "the packet is longer than the Maximum Packet Size",
};

/// Packet types whose flags are 0b0010: PUBREL, SUBSCRIBE, UNSUBSCRIBE.
const ODD_FLAGS: [u8; 3] = [6, 8, 10];
const PUBLISH: u8 = 3;

/// The first byte of a packet: a type that exists and its fixed flags [MQTT-2.1.3-1].
pub(super) fn first_byte(first: u8) -> Result<(), Fault> {
    let (kind, flags) = (first >> 4, first & 0x0f);
    let allowed = match kind {
        0 => false,
        PUBLISH => flags & 0b0110 != 0b0110 && flags & 0b1110 != 0b1000,
        _ if ODD_FLAGS.contains(&kind) => flags == 0b0010,
        _ => flags == 0,
    };
    if allowed {
        return Ok(());
    }
    Err(malformed(match kind {
        0 => "packet type 0 is reserved",
        PUBLISH if flags & 0b0110 == 0b0110 => "QoS 3 does not exist",
        PUBLISH => "DUP is set on a QoS 0 message",
        _ => "reserved flags are set in the fixed header",
    }))
}

/// The flags of a CONNECT packet's variable header: the reserved bit [MQTT-3.1.2-3] and the will's
/// QoS and retain [MQTT-3.1.2-11..15].
pub(super) fn connect_flags(flags: u8) -> Result<(), Fault> {
    let will = flags & 0b0000_0100 != 0;
    let will_qos = flags >> 3 & 0b11;
    let will_retain = flags & 0b0010_0000 != 0;
    if flags & 1 != 0 {
        return Err(malformed("the reserved connect flag is set"));
    }
    if will_qos == 3 {
        return Err(malformed("the will has QoS 3"));
    }
    if !will && (will_qos != 0 || will_retain) {
        return Err(malformed("will QoS or retain is set without a will"));
    }
    Ok(())
}

/// A UTF-8 string: no U+0000 [MQTT-1.5.4-2].
pub(super) fn text(value: &str) -> Result<(), Fault> {
    if value.contains('\0') {
        return Err(malformed("a string holds U+0000"));
    }
    Ok(())
}

/// A packet id that must be there: not 0 [MQTT-2.2.1-3].
pub(super) fn packet_id(id: u16) -> Result<(), Fault> {
    if id == 0 {
        return Err(protocol("packet id 0"));
    }
    Ok(())
}

/// A topic that is published to: no wildcards [MQTT-3.3.2-2], no U+0000.
fn topic(name: &str) -> Result<(), Fault> {
    text(name)?;
    if name.contains(['+', '#']) {
        return Err(Fault {
            reason: ClosedReason::TopicName,
            code: DisconnectReasonCode::TopicNameInvalid,
            text: "a topic that is published to has no wildcards",
        });
    }
    Ok(())
}

fn published_id(qos: Qos, id: Option<u16>) -> Result<(), Fault> {
    if qos == Qos::AtMostOnce { Ok(()) } else { packet_id(id.unwrap_or(0)) }
}

/// A parsed PUBLISH of MQTT 3.1.1.
pub(super) fn publish_v3(publish: &v3_1_1::Publish) -> Result<(), Fault> {
    published_id(publish.qos(), publish.packet_id())?;
    if publish.topic_name().is_empty() {
        return Err(malformed("the topic is empty"));
    }
    topic(publish.topic_name())
}

/// A parsed PUBLISH of MQTT 5; `len` is the length of the packet as received.
pub(super) fn publish_v5(publish: &v5_0::Publish, len: usize) -> Result<(), Fault> {
    published_id(publish.qos(), publish.packet_id())?;
    topic(publish.topic_name())?;
    // A missing property length, or one written longer than need be [MQTT-1.5.5-1].
    if !publish.topic_name_extracted() && publish.size() != len {
        return Err(malformed("the property length is missing or longer than need be"));
    }
    publish.props().iter().try_for_each(property)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library refuses properties that do not belong to PUBLISH"
)]
fn property(property: &Property) -> Result<(), Fault> {
    match property {
        Property::SubscriptionIdentifier(_) => {
            Err(protocol("a client sends no subscription identifier"))
        }
        Property::ContentType(value) => text(value.val()),
        Property::ResponseTopic(value) => topic(value.val()),
        Property::UserProperty(pair) => text(pair.key()).and_then(|()| text(pair.val())),
        _ => Ok(()),
    }
}

/// What the library minds in a packet.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest has no code of its own")]
pub(super) fn minded(error: MqttError, packet: &[u8]) -> Fault {
    match error {
        MqttError::MalformedPacket => malformed("the packet cannot be parsed"),
        MqttError::ProtocolError => protocol("the packet is not allowed here"),
        MqttError::PacketTooLarge => TOO_LONG,
        MqttError::ReceiveMaximumExceeded => Fault {
            reason: ClosedReason::ReceiveMaximum,
            code: DisconnectReasonCode::ReceiveMaximumExceeded,
            text: "more messages in flight than the Receive Maximum",
        },
        MqttError::TopicAliasInvalid if !has_alias(packet) => {
            protocol("neither a topic nor a topic alias")
        }
        MqttError::TopicAliasInvalid => Fault {
            reason: ClosedReason::TopicAlias,
            code: DisconnectReasonCode::TopicAliasInvalid,
            text: "a topic alias that is 0, too high, or was never given a topic",
        },
        _ => Fault {
            reason: ClosedReason::Protocol,
            code: error.into(),
            text: "the packet is not allowed here",
        },
    }
}

/// Whether a PUBLISH of MQTT 5, as received, names a topic alias.
fn has_alias(packet: &[u8]) -> bool {
    let flags = packet.first().copied().unwrap_or(0) & 0x0f;
    v5_0::Publish::parse(flags, Arc::from(framing::body(packet))).is_ok_and(|(publish, _)| {
        publish.props().iter().any(|property| matches!(property, Property::TopicAlias(_)))
    })
}
