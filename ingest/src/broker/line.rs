//! rumqttc in MQTT 3.1.1 and 5 behind one face. Nothing here waits: the event loop is polled by
//! the session, and requests go into a channel that has room for every message that can be
//! unacknowledged, so that none is ever refused.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5;
use rumqttc::v5::mqttbytes::v5 as packets5;
use rumqttc::{TlsConfiguration, Transport, mqttbytes::v4 as packets3};

use super::BrokerSettings;

/// Longest packet taken. Longer ones are dropped by an MQTT 5 broker, which is told; with MQTT
/// 3.1.1 the broker's own limit must be lower, or the connection would break again and again.
pub(super) const PACKET_BYTES: u32 = 16 << 20;
/// Room for a request for every packet id, and some more.
const REQUESTS: usize = 65_536 + 64;
/// How often we say that we live.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A message as received.
#[derive(Debug)]
pub(super) enum Letter {
    V3(packets3::Publish),
    V5(packets5::Publish),
}

/// What an event loop has to say.
#[derive(Debug)]
pub(super) enum Signal {
    /// The broker let us in; whether it kept our session.
    Connected { session_present: bool },
    /// It answered a subscription: how it was refused, if it was.
    Subscribed(Result<(), String>),
    /// A message.
    Letter(Letter),
    /// We have said goodbye.
    Left,
    /// Nothing that matters here.
    Other,
}

/// One version of MQTT.
pub(super) trait Line: Send + 'static {
    type Client: Send + Sync;
    type Events: Send;

    /// A client that is not yet connected.
    fn open(
        settings: &BrokerSettings,
        client_id: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> (Self::Client, Self::Events);

    /// The next thing that happens; connects first, if need be. The error is for people; the next
    /// call connects anew.
    fn poll(events: &mut Self::Events) -> impl Future<Output = Result<Signal, String>> + Send;

    /// Ends the connection at once.
    fn hang_up(events: &mut Self::Events);

    /// Acknowledges a message of QoS 1. `false`: no room.
    fn acknowledge(client: &Self::Client, packet_id: u16) -> bool;

    /// Subscribes with QoS 1; with `retained` to what the broker has retained too, even if this
    /// subscription is not new (MQTT 3.1.1 always gets it). `false`: no room.
    fn subscribe(
        client: &Self::Client,
        readings: &str,
        about: Option<&str>,
        retained: bool,
    ) -> bool;

    /// Says goodbye. `false`: no room.
    fn leave(client: &Self::Client) -> bool;
}

impl Letter {
    pub(super) fn topic(&self) -> &str {
        match self {
            Letter::V3(publish) => &publish.topic,
            // A topic that is not UTF-8 is none that we know.
            Letter::V5(publish) => std::str::from_utf8(&publish.topic).unwrap_or("\u{fffd}"),
        }
    }

    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Letter::V3(publish) => &publish.payload,
            Letter::V5(publish) => &publish.payload,
        }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        match self {
            Letter::V3(_) => None,
            Letter::V5(publish) => publish.properties.as_ref()?.content_type.as_deref(),
        }
    }

    /// The packet id to acknowledge; `None`: QoS 0.
    pub(super) fn packet_id(&self) -> Option<u16> {
        let id = match self {
            Letter::V3(publish) => publish.pkid,
            Letter::V5(publish) => publish.pkid,
        };
        (id != 0).then_some(id)
    }
}

fn transport(tls: Option<Arc<rustls::ClientConfig>>) -> Transport {
    tls.map_or(Transport::Tcp, |config| Transport::Tls(TlsConfiguration::Rustls(config)))
}

/// MQTT 3.1.1.
#[derive(Debug)]
pub(super) struct V3;

impl Line for V3 {
    type Client = rumqttc::AsyncClient;
    type Events = rumqttc::EventLoop;

    fn open(
        settings: &BrokerSettings,
        client_id: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> (Self::Client, Self::Events) {
        let url = &settings.url;
        let mut options = rumqttc::MqttOptions::new(client_id, url.host(), url.port());
        let most = usize::try_from(PACKET_BYTES).unwrap_or(usize::MAX);
        options
            .set_transport(transport(tls))
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(most, most);
        if let Some((name, password)) = url.user() {
            options.set_credentials(name, password);
        }
        let (client, mut events) = rumqttc::AsyncClient::new(options, REQUESTS);
        events.network_options.set_tcp_nodelay(true);
        (client, events)
    }

    async fn poll(events: &mut Self::Events) -> Result<Signal, String> {
        use rumqttc::{Event, Outgoing, Packet};
        match events.poll().await.map_err(|error| error.to_string())? {
            Event::Incoming(Packet::Publish(publish)) => Ok(Signal::Letter(Letter::V3(publish))),
            Event::Incoming(Packet::ConnAck(connack)) => {
                Ok(Signal::Connected { session_present: connack.session_present })
            }
            Event::Incoming(Packet::SubAck(suback)) => {
                let refused = packets3::SubscribeReasonCode::Failure;
                Ok(Signal::Subscribed(if suback.return_codes.contains(&refused) {
                    Err("the broker refuses the subscription".to_owned())
                } else {
                    Ok(())
                }))
            }
            Event::Outgoing(Outgoing::Disconnect) => Ok(Signal::Left),
            Event::Incoming(_) | Event::Outgoing(_) => Ok(Signal::Other),
        }
    }

    fn hang_up(events: &mut Self::Events) {
        events.clean();
    }

    fn acknowledge(client: &Self::Client, packet_id: u16) -> bool {
        let mut publish = packets3::Publish::new("", rumqttc::QoS::AtLeastOnce, Vec::new());
        publish.pkid = packet_id;
        client.try_ack(&publish).is_ok()
    }

    fn subscribe(
        client: &Self::Client,
        readings: &str,
        about: Option<&str>,
        _retained: bool,
    ) -> bool {
        let filters = std::iter::once(readings).chain(about).map(|filter| {
            packets3::SubscribeFilter::new(filter.to_owned(), rumqttc::QoS::AtLeastOnce)
        });
        client.try_subscribe_many(filters).is_ok()
    }

    fn leave(client: &Self::Client) -> bool {
        client.try_disconnect().is_ok()
    }
}

/// MQTT 5.
#[derive(Debug)]
pub(super) struct V5;

impl Line for V5 {
    type Client = v5::AsyncClient;
    type Events = v5::EventLoop;

    fn open(
        settings: &BrokerSettings,
        client_id: &str,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> (Self::Client, Self::Events) {
        let url = &settings.url;
        let expiry_s = u32::try_from(settings.session_expiry.as_secs()).unwrap_or(u32::MAX);
        let mut network = rumqttc::NetworkOptions::new();
        network.set_tcp_nodelay(true);
        let mut options = v5::MqttOptions::new(client_id, url.host(), url.port());
        options
            .set_transport(transport(tls))
            .set_clean_start(false)
            .set_session_expiry_interval(Some(expiry_s))
            .set_receive_maximum(Some(settings.receive_maximum))
            .set_max_packet_size(Some(PACKET_BYTES))
            .set_manual_acks(true)
            .set_keep_alive(KEEP_ALIVE)
            // We publish nothing; the table behind this is made at its full size.
            .set_outgoing_inflight_upper_limit(16)
            .set_network_options(network);
        if let Some((name, password)) = url.user() {
            options.set_credentials(name, password);
        }
        v5::AsyncClient::new(options, REQUESTS)
    }

    async fn poll(events: &mut Self::Events) -> Result<Signal, String> {
        use packets5::{Packet, SubscribeReasonCode};
        match events.poll().await.map_err(|error| error.to_string())? {
            v5::Event::Incoming(Packet::Publish(publish)) => {
                Ok(Signal::Letter(Letter::V5(publish)))
            }
            v5::Event::Incoming(Packet::ConnAck(connack)) => {
                Ok(Signal::Connected { session_present: connack.session_present })
            }
            v5::Event::Incoming(Packet::SubAck(suback)) => {
                let refused = suback
                    .return_codes
                    .iter()
                    .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                Ok(Signal::Subscribed(refused.map_or(Ok(()), |code| {
                    Err(format!("the broker refuses the subscription: {code:?}"))
                })))
            }
            v5::Event::Outgoing(rumqttc::Outgoing::Disconnect) => Ok(Signal::Left),
            v5::Event::Incoming(_) | v5::Event::Outgoing(_) => Ok(Signal::Other),
        }
    }

    fn hang_up(events: &mut Self::Events) {
        events.clean();
    }

    fn acknowledge(client: &Self::Client, packet_id: u16) -> bool {
        let publish = packets5::Publish {
            qos: v5::mqttbytes::QoS::AtLeastOnce,
            pkid: packet_id,
            ..packets5::Publish::default()
        };
        client.try_ack(&publish).is_ok()
    }

    fn subscribe(
        client: &Self::Client,
        readings: &str,
        about: Option<&str>,
        retained: bool,
    ) -> bool {
        let filters = std::iter::once(readings).chain(about).map(|filter| {
            let mut filter = packets5::Filter::new(filter, v5::mqttbytes::QoS::AtLeastOnce);
            if !retained {
                filter.retain_forward_rule = packets5::RetainForwardRule::OnNewSubscribe;
            }
            filter
        });
        client.try_subscribe_many(filters).is_ok()
    }

    fn leave(client: &Self::Client) -> bool {
        client.try_disconnect().is_ok()
    }
}
