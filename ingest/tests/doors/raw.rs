//! A client that sends any bytes. Packets are written out by hand here, independently of the
//! library under the endpoint.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::house::{House, soon};

pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub(crate) async fn open(addr: SocketAddr) -> Raw {
        Raw { stream: TcpStream::connect(addr).await.unwrap() }
    }

    /// Connected with a clean session; the CONNACK is returned.
    pub(crate) async fn connected(house: &House, connect: &[u8]) -> (Raw, Vec<u8>) {
        let mut raw = Raw::open(house.endpoint.local_addr()).await;
        raw.send(connect).await;
        let connack = raw.packet().await;
        assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:02x?}");
        (raw, connack)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next packet; its length fits one byte, or two.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        soon(async {
            let mut packet = vec![0; 2];
            self.stream.read_exact(&mut packet).await.unwrap();
            let mut len = usize::from(packet[1] & 0x7f);
            if packet[1] & 0x80 != 0 {
                packet.push(self.stream.read_u8().await.unwrap());
                len += usize::from(packet[2]) << 7;
            }
            let header = packet.len();
            packet.resize(header + len, 0);
            self.stream.read_exact(&mut packet[header..]).await.unwrap();
            packet
        })
        .await
    }

    pub(crate) async fn expect(&mut self, expected: &[u8]) {
        let got = self.packet().await;
        assert_eq!(got, expected, "got {got:02x?}, expected {expected:02x?}");
    }

    /// Everything until the other side closes. Whether by FIN or by RST is its own affair.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        soon(self.rest_untimed()).await
    }

    /// The same without a time-out, which would fire at once where time jumps.
    pub(crate) async fn rest_untimed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let mut chunk = [0; 4_096];
        while let Ok(read @ 1..) = self.stream.read(&mut chunk).await {
            rest.extend_from_slice(&chunk[..read]);
        }
        rest
    }

    pub(crate) async fn ping(&mut self) {
        self.send(&[0xc0, 0]).await;
        self.expect(&[0xd0, 0]).await;
    }
}

/// A packet: first byte, length (of at most two bytes), body.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let len = body.len();
    if len < 128 {
        bytes.push(u8::try_from(len).unwrap());
    } else {
        bytes.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        bytes.push(u8::try_from(len >> 7).unwrap());
    }
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) fn text(value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(value);
    bytes
}

/// CONNECT of MQTT 3.1.1 with a keep-alive of 60 s.
pub(crate) fn connect3(client_id: &str, clean: bool) -> Vec<u8> {
    connect(4, if clean { 2 } else { 0 }, &[], client_id.as_bytes())
}

/// CONNECT of MQTT 5 with a keep-alive of 60 s and properties.
pub(crate) fn connect5(client_id: &str, clean: bool, props: &[u8]) -> Vec<u8> {
    let mut length = vec![u8::try_from(props.len()).unwrap()];
    length.extend_from_slice(props);
    connect(5, if clean { 2 } else { 0 }, &length, client_id.as_bytes())
}

/// CONNECT with anything in it.
pub(crate) fn connect(level: u8, flags: u8, props: &[u8], client_id: &[u8]) -> Vec<u8> {
    let mut body = text(b"MQTT");
    body.extend_from_slice(&[level, flags, 0, 60]);
    body.extend_from_slice(props);
    body.extend_from_slice(&text(client_id));
    packet(0x10, &body)
}

/// PUBLISH: the low bits of the first byte, topic, packet id, properties with their length (MQTT
/// 5), payload.
pub(crate) fn publish(
    flags: u8,
    topic: &str,
    id: Option<u16>,
    props: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut body = text(topic.as_bytes());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    body.extend_from_slice(props);
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}
