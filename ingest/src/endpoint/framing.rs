//! Where one packet ends and the next begins. Lengths are decoded by the MQTT library; this file
//! only holds the bytes of a packet that has not wholly arrived, and swallows the body of a
//! PUBLISH that is too long without holding it.
//!
//! A connection between packets holds nothing here.

use std::borrow::Cow;

use mqtt_protocol_core::mqtt::packet::{DecodeResult, VariableByteInteger};

/// How much of a packet that is too long is kept: its header, topic and the payload's first KiB.
pub(super) const HEAD_BYTES: usize = 4 << 10;

/// A PUBLISH longer than this is not even swallowed.
const SWALLOW_BYTES: usize = 16 << 20;

/// Longest fixed header: type, flags, and a length of four bytes.
const HEADER_BYTES: usize = 5;

/// A whole packet, or the head of one that was too long.
#[derive(Debug)]
pub(super) enum Framed<'a> {
    /// A packet.
    Packet(Cow<'a, [u8]>),
    /// A PUBLISH too long for us, received to its end and thrown away but for its head.
    Swallowed {
        /// The first bytes of the packet.
        head: Vec<u8>,
        /// How long the fixed header is.
        header: usize,
        /// How long the packet was.
        len: usize,
    },
    /// More bytes are needed.
    More,
    /// A length that is not one.
    BadLength,
    /// A packet that is too long to be taken or swallowed.
    TooLong,
}

/// Cuts a stream of bytes into packets.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// What has arrived of a packet that is not whole.
    part: Vec<u8>,
    /// The packet that is being swallowed.
    swallowing: Option<Swallowing>,
}

#[derive(Debug)]
struct Swallowing {
    header: usize,
    len: usize,
    left: usize,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Longest packet.
    pub packet_bytes: usize,
    /// Whether a longer PUBLISH is swallowed instead of being an error.
    pub swallow: bool,
}

#[derive(Clone, Copy)]
enum Header {
    Whole { header: usize, len: usize },
    Part,
    Bad,
}

impl Framer {
    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.part.capacity()
    }

    /// Whether it is between packets.
    pub(super) fn is_empty(&self) -> bool {
        self.part.is_empty() && self.swallowing.is_none()
    }

    /// Takes the next packet off the front of `chunk`; keeps what is left when it is not whole.
    pub(super) fn next<'a>(&mut self, chunk: &mut &'a [u8], limits: Limits) -> Framed<'a> {
        if let Some(swallowing) = self.swallowing.take() {
            return self.swallow(swallowing, chunk);
        }
        if chunk.is_empty() {
            return Framed::More;
        }
        // The header may lie partly in what was kept and partly in the chunk.
        let mut first = [0; HEADER_BYTES];
        let kept = self.part.len().min(HEADER_BYTES);
        let fresh = chunk.len().min(HEADER_BYTES - kept);
        first[..kept].copy_from_slice(&self.part[..kept]);
        first[kept..kept + fresh].copy_from_slice(&chunk[..fresh]);
        match read_header(&first[..kept + fresh]) {
            Header::Bad => Framed::BadLength,
            Header::Part => self.keep(chunk),
            Header::Whole { header, len } if len > limits.packet_bytes => {
                if limits.swallow && is_publish(first[0]) && len <= SWALLOW_BYTES {
                    let left = len - self.part.len();
                    self.swallow(Swallowing { header, len, left }, chunk)
                } else {
                    Framed::TooLong
                }
            }
            Header::Whole { len, .. } => self.whole(chunk, len),
        }
    }

    fn whole<'a>(&mut self, chunk: &mut &'a [u8], len: usize) -> Framed<'a> {
        let missing = len - self.part.len();
        let Some((packet, rest)) = chunk.split_at_checked(missing) else {
            return self.keep(chunk);
        };
        *chunk = rest;
        if self.part.is_empty() {
            return Framed::Packet(Cow::Borrowed(packet));
        }
        self.part.extend_from_slice(packet);
        Framed::Packet(Cow::Owned(std::mem::take(&mut self.part)))
    }

    fn keep<'a>(&mut self, chunk: &mut &'a [u8]) -> Framed<'a> {
        self.part.extend_from_slice(chunk);
        *chunk = &[];
        Framed::More
    }

    fn swallow<'a>(&mut self, mut what: Swallowing, chunk: &mut &'a [u8]) -> Framed<'a> {
        let (body, rest) = chunk.split_at(what.left.min(chunk.len()));
        *chunk = rest;
        what.left -= body.len();
        let room = HEAD_BYTES.saturating_sub(self.part.len()).min(body.len());
        self.part.extend_from_slice(&body[..room]);
        if what.left > 0 {
            self.swallowing = Some(what);
            return Framed::More;
        }
        let head = std::mem::take(&mut self.part);
        Framed::Swallowed { head, header: what.header, len: what.len }
    }
}

/// What follows the fixed header of a whole packet.
pub(super) fn body(packet: &[u8]) -> &[u8] {
    match read_header(packet) {
        Header::Whole { header, .. } => packet.get(header..).unwrap_or_default(),
        Header::Part | Header::Bad => &[],
    }
}

fn is_publish(first: u8) -> bool {
    first >> 4 == 3
}

fn read_header(first: &[u8]) -> Header {
    match VariableByteInteger::decode_stream(first.get(1..).unwrap_or_default()) {
        // A length written longer than need be is malformed [MQTT-1.5.5-1].
        DecodeResult::Ok(length, bytes) if length.size() != bytes => Header::Bad,
        DecodeResult::Ok(length, bytes) => {
            let header = 1 + bytes;
            let body = usize::try_from(length.to_u32()).unwrap_or(usize::MAX - header);
            Header::Whole { header, len: header + body }
        }
        DecodeResult::Incomplete => Header::Part,
        DecodeResult::Err(_) => Header::Bad,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { packet_bytes: 6_000, swallow: true };

    fn packet(first: u8, body: usize) -> Vec<u8> {
        let length = VariableByteInteger::from_u32(u32::try_from(body).unwrap()).unwrap();
        let mut bytes = vec![first];
        bytes.extend_from_slice(length.as_bytes());
        bytes.extend((0..body).map(|i| u8::try_from(i % 251).unwrap()));
        bytes
    }

    #[derive(Debug, PartialEq)]
    enum Got {
        Packet(Vec<u8>),
        Swallowed(Vec<u8>, usize),
        Bad,
        TooLong,
    }

    fn cut(stream: &[u8], pieces: &[usize], limits: Limits) -> (Vec<Got>, Framer) {
        let mut framer = Framer::default();
        let mut got = Vec::new();
        let mut rest = stream;
        let mut pieces = pieces.iter().cycle();
        while !rest.is_empty() {
            let (mut chunk, later) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            rest = later;
            loop {
                match framer.next(&mut chunk, limits) {
                    Framed::Packet(bytes) => got.push(Got::Packet(bytes.into_owned())),
                    Framed::Swallowed { head, len, .. } => got.push(Got::Swallowed(head, len)),
                    Framed::More => break,
                    Framed::BadLength => return (vec![Got::Bad], framer),
                    Framed::TooLong => return (vec![Got::TooLong], framer),
                }
            }
        }
        (got, framer)
    }

    proptest! {
        #[test]
        fn packets_come_out_whole_however_they_arrive(
            bodies in prop::collection::vec((any::<bool>(), 0_usize..9_000), 1..6),
            pieces in prop::collection::vec(1_usize..4_000, 1..8),
        ) {
            let sent: Vec<(Vec<u8>, bool)> = bodies
                .into_iter()
                .map(|(publish, body)| {
                    let long = packet(0x30, body).len() > LIMITS.packet_bytes;
                    (packet(if publish || long { 0x32 } else { 0x82 }, body), long)
                })
                .collect();
            let stream: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let expected: Vec<Got> = sent
                .into_iter()
                .map(|(bytes, long)| {
                    if long {
                        Got::Swallowed(bytes[..HEAD_BYTES].to_vec(), bytes.len())
                    } else {
                        Got::Packet(bytes)
                    }
                })
                .collect();
            let (got, framer) = cut(&stream, &pieces, LIMITS);
            prop_assert_eq!(got, expected);
            prop_assert_eq!(framer.held(), 0, "nothing is held between packets");
        }
    }

    #[test]
    fn bad_lengths_are_told_apart() {
        let longer_than_need_be = [0x30, 0x82, 0x00, 0, 0];
        let five_bytes = [0x30, 0xff, 0xff, 0xff, 0xff, 0x01];
        for stream in [&longer_than_need_be[..], &five_bytes[..]] {
            assert_eq!(cut(stream, &[1], LIMITS).0, [Got::Bad]);
            assert_eq!(cut(stream, &[9], LIMITS).0, [Got::Bad]);
        }
        let absurd = packet(0x30, SWALLOW_BYTES)[..64].to_vec();
        assert_eq!(cut(&absurd, &[64], LIMITS).0, [Got::TooLong]);
        let not_a_publish = packet(0x82, 7_000);
        assert_eq!(cut(&not_a_publish, &[64], LIMITS).0, [Got::TooLong]);
        let strict = Limits { swallow: false, ..LIMITS };
        assert_eq!(cut(&packet(0x30, 7_000), &[64], strict).0, [Got::TooLong]);
    }

    #[test]
    fn swallowing_holds_a_head_only() {
        let stream = packet(0x32, 1 << 20);
        let mut framer = Framer::default();
        let mut chunk = &stream[..stream.len() - 1];
        assert!(matches!(framer.next(&mut chunk, LIMITS), Framed::More));
        assert!(framer.held() <= 2 * HEAD_BYTES, "{}", framer.held());
    }
}
