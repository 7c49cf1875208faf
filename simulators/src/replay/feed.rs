//! What one connection has to send of a recording: its sensors' readings in order of time,
//! gathered into messages.

use std::sync::Arc;

use citytwin_proto::ingest::v1::{Reading, ReadingBatch};
use prost::Message as _;

use super::recording::{Recorded, Recording, quantity_of, refusal_of};
use super::units::MAX_QUANTITY;
use super::{ReplayOptions, Shift};
use crate::fleet::{Action, Expectation, Outgoing, Planned};
use crate::publish::{Feed, Pace};

/// Topic under which messages with readings of several sensors are published.
const GATEWAY: &str = "replay";
const QUANTITIES: usize = MAX_QUANTITY as usize;

/// See the file's head.
pub(super) struct RecordedFeed {
    recording: Arc<Recording>,
    how: ReplayOptions,
    client_id: String,
    /// Sensors whose number leaves this remainder are this connection's.
    part: u32,
    /// When the replay began, by the wall clock.
    now_ms: i64,
    /// Into the recording's readings.
    next: usize,
    /// By series: the newest event time that was sent.
    newest: Vec<i64>,
    /// By sensor: the topic of its agency's gateway.
    gateways: Vec<Arc<str>>,
}

impl RecordedFeed {
    pub(super) fn new(
        recording: &Arc<Recording>,
        how: ReplayOptions,
        part: u32,
        now_ms: i64,
    ) -> RecordedFeed {
        let mut gateways: Vec<Arc<str>> = Vec::with_capacity(recording.agencies.len());
        for (at, agency) in recording.agencies.iter().enumerate() {
            let known = at.checked_sub(1).filter(|before| recording.agencies[*before] == *agency);
            gateways.push(known.map_or_else(
                || Arc::from(format!("city/v1/{agency}/{GATEWAY}/readings")),
                |before| Arc::clone(&gateways[before]),
            ));
        }
        let mut feed = RecordedFeed {
            client_id: format!("citytwin-replay-{}-{part}", recording.name),
            gateways,
            newest: vec![i64::MIN; recording.ids.len() * QUANTITIES],
            recording: Arc::clone(recording),
            how,
            part,
            now_ms,
            next: 0,
        };
        feed.skip();
        feed
    }

    /// Goes on to the next reading of this connection.
    fn skip(&mut self) {
        while let Some(recorded) = self.recording.readings.get(self.next) {
            if recorded.sensor % self.how.connections == self.part {
                break;
            }
            self.next += 1;
        }
    }

    fn peek(&self) -> Option<Recorded> {
        self.recording.readings.get(self.next).copied()
    }

    /// The event time that is sent.
    #[expect(clippy::cast_possible_truncation, reason = "float to int saturates")]
    fn shifted(&self, event_time_ms: i64) -> i64 {
        let (first, last) = self.recording.span_ms();
        match (self.how.shift, self.how.pace) {
            (Shift::AsSeen, _) => event_time_ms,
            (Shift::ToNow, Pace::RealTime) => event_time_ms - first + self.now_ms,
            (Shift::ToNow, Pace::Times(factor)) => {
                self.now_ms + ((event_time_ms - first) as f64 / factor) as i64
            }
            (Shift::ToNow, Pace::Full) => event_time_ms - last + self.now_ms,
        }
    }

    fn gateway(&self, recorded: &Recorded) -> &Arc<str> {
        &self.gateways[recorded.sensor as usize]
    }

    fn plan(&mut self, recorded: &Recorded) -> Planned {
        let event_time_ms = self.shifted(recorded.event_time_ms);
        let series = recorded.sensor as usize * QUANTITIES + usize::from(recorded.quantity) - 1;
        let expect = if let Some(reason) = refusal_of(recorded) {
            Expectation::Refused(reason)
        } else if self.newest[series] == event_time_ms {
            Expectation::Duplicate
        } else {
            self.newest[series] = event_time_ms;
            Expectation::Taken
        };
        Planned {
            sensor: recorded.sensor,
            quantity: quantity_of(recorded),
            event_time_ms,
            value: recorded.value,
            expect,
        }
    }

    /// Readings of one agency and one time, or at full pace of any, up to what a message holds.
    fn message(&mut self, first: Recorded) -> Outgoing {
        let most = self.how.readings_per_message;
        let mut readings = Vec::with_capacity(most.min(64));
        let mut next = Some(first);
        while let Some(recorded) = next
            && readings.len() < most
            && (recorded.event_time_ms == first.event_time_ms || self.how.pace == Pace::Full)
            && self.gateway(&recorded) == self.gateway(&first)
        {
            readings.push(self.plan(&recorded));
            self.next += 1;
            self.skip();
            next = self.peek();
        }
        let ids = &self.recording.ids;
        let alone = most == 1;
        let batch = ReadingBatch {
            sensor: String::new(),
            readings: readings
                .iter()
                .map(|planned| Reading {
                    quantity: planned.quantity.into(),
                    event_time_ms: planned.event_time_ms,
                    value: planned.value,
                    sensor: if alone {
                        String::new()
                    } else {
                        String::from(&*ids[planned.sensor as usize])
                    },
                })
                .collect(),
        };
        let topic = if alone {
            let id = &ids[first.sensor as usize];
            let agency = &self.recording.agencies[first.sensor as usize];
            Arc::from(format!("city/v1/{agency}/{id}/readings"))
        } else {
            Arc::clone(self.gateway(&first))
        };
        Outgoing {
            due_ms: first.event_time_ms,
            action: Action::Publish,
            topic,
            payload: batch.encode_to_vec(),
            qos: self.how.qos,
            retain: false,
            readings,
            dead_letter: None,
        }
    }
}

impl Feed for RecordedFeed {
    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn next_due_ms(&self) -> i64 {
        self.peek().map_or(i64::MAX, |recorded| recorded.event_time_ms)
    }

    fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        while let Some(first) = self.peek()
            && first.event_time_ms < until_ms
        {
            let message = self.message(first);
            out.push(message);
        }
    }
}
