//! From bytes to messages: cuts packets, has them understood, and gathers what is owed for them,
//! in order. Synchronous; called with what one read brought.

use super::counters::EndpointCounters;
use super::framing::{Framed, Framer, Limits};
use super::protocol::{Ack, Heard, Protocol, Publish};
use super::strict::{self, Fault};

/// Messages heard, and what is owed for them and for what came between them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// To be handed over.
    pub messages: Vec<Publish>,
    /// To be sent when the messages are durable.
    pub acks: Vec<Ack>,
    /// What the messages weigh.
    pub bytes: usize,
}

/// How the other side ended the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// DISCONNECT, perhaps with a new session expiry in seconds.
    Goodbye(Option<u32>),
    /// It broke the protocol.
    Fault(Fault),
}

/// What is known of the other side's words.
#[derive(Debug)]
pub(super) struct Ear {
    pub protocol: Protocol,
    pub batch: Batch,
    /// After this nothing more is heard.
    pub ended: Option<Ended>,
    framer: Framer,
    limits: Limits,
}

impl Ear {
    /// For a client that was let in; its packets may be so long.
    pub(super) fn new(protocol: Protocol, packet_bytes: u32) -> Ear {
        let packet_bytes = usize::try_from(packet_bytes).unwrap_or(usize::MAX);
        // Clients of MQTT 3.1.1 cannot be told of the limit: what is too long is set aside and
        // acknowledged, or it would be sent again for ever.
        let limits = Limits { packet_bytes, swallow: !protocol.is_v5() };
        Ear { protocol, batch: Batch::default(), ended: None, framer: Framer::default(), limits }
    }

    /// Bytes of a packet that has not wholly arrived.
    pub(super) fn held(&self) -> usize {
        self.framer.held()
    }

    /// Takes what a read brought. Answers that may overtake go to `out`. Says how many messages
    /// there were.
    pub(super) fn listen(
        &mut self,
        mut chunk: &[u8],
        out: &mut Vec<u8>,
        counters: &EndpointCounters,
    ) -> usize {
        let (before, bytes) = (self.batch.messages.len(), chunk.len());
        while self.ended.is_none() {
            let heard = match self.framer.next(&mut chunk, self.limits) {
                Framed::More => break,
                Framed::Packet(packet) => {
                    self.batch.bytes += packet.len();
                    self.protocol.hear(&packet)
                }
                Framed::Swallowed { head, header, len } => {
                    counters.set_aside();
                    self.batch.bytes += head.len();
                    self.protocol.hear_swallowed(&head, header, len)
                }
                Framed::BadLength => Err(strict::malformed("a remaining length that is not one")),
                Framed::TooLong => Err(strict::TOO_LONG),
            };
            match heard {
                Ok(heard) => self.gather(heard, out),
                Err(fault) => self.ended = Some(Ended::Fault(fault)),
            }
        }
        let messages = self.batch.messages.len() - before;
        counters.read(messages as u64, bytes as u64);
        messages
    }

    fn gather(&mut self, heard: Heard, out: &mut Vec<u8>) {
        match heard {
            Heard::Publish(publish) => {
                self.batch.acks.extend(publish.ack());
                self.batch.messages.push(publish);
            }
            Heard::Answer(answer) => self.batch.acks.push(Ack::Bytes(answer)),
            Heard::Pong(pong) => out.extend_from_slice(&pong),
            Heard::Goodbye(expiry_s) => self.ended = Some(Ended::Goodbye(expiry_s)),
        }
    }
}
