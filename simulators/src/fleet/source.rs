//! What one MQTT connection has to send. A source walks the city's time: it measures when a
//! sensor's interval comes round, gathers until its flush, and cuts what it gathered into
//! messages; faults take their part at each step. All chance is a hash of seed, sensor and time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use citytwin_proto::ingest::v1::Quantity;

use super::encode::{Encoder, Naming};
use super::{Action, Expectation, Outgoing, Planned, Roster};
use crate::chance::{below, draw};
use crate::faults::{Loss, Mishap, Slip, Strikes, impossible};
use crate::shapes::day::Moment;
use crate::shapes::sky::Sky;

/// What became of measurements that are in no message as readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Readings measured, lost and malformed ones included; copies are not.
    pub measured: u64,
    /// Readings that were never sent.
    pub lost: u64,
    /// Readings that went out in a malformed message.
    pub malformed: u64,
}

/// What one MQTT connection has to send. `Send`; each runs by itself.
#[derive(Clone, Debug)]
pub struct Source {
    roster: Arc<Roster>,
    role: Role,
    seed: u64,
    /// Next measurement of each sensor: time, place in `role.sensors`.
    next: BinaryHeap<Reverse<(i64, u32)>>,
    /// What goes out later than it should, by time and order of entry.
    held: BTreeMap<(i64, u64), Held>,
    entered: u64,
    gathered: Vec<Planned>,
    messages: u64,
    storms: Strikes,
    bursts: Strikes,
    next_storm_ms: i64,
    sky: Sky,
    encoder: Encoder,
    tally: Tally,
}

/// What a connection is for.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) client_id: String,
    pub(super) agency: String,
    /// In ascending order.
    pub(super) sensors: Vec<u32>,
    /// Of the gateway; none: every message goes out on its sensor's own topic.
    pub(super) topic: Option<Arc<str>>,
    /// Distance of flushes; 1: at once.
    pub(super) flush_ms: i64,
    pub(super) readings_per_message: usize,
    /// Whether a flush leaves behind what does not fill a message.
    pub(super) full_only: bool,
}

#[derive(Clone, Debug)]
enum Held {
    Reading(Planned),
    Message(Outgoing),
}

impl Source {
    pub(super) fn new(roster: &Arc<Roster>, role: Role, start_ms: i64) -> Source {
        let spec = &roster.spec;
        let name = role.client_id.bytes().fold(0, |sum, byte| draw(sum, u64::from(byte)));
        let seed = draw(spec.seed, name);
        let storms = spec.faults.storms(spec.seed, seed);
        let bursts = spec.faults.bursts(spec.seed, seed);
        let mut next = BinaryHeap::with_capacity(role.sensors.len());
        for (slot, sensor) in (0_u32..).zip(&role.sensors) {
            let interval = i64::from(roster.sensors[*sensor as usize].interval_ms);
            let phase = below(roster.shapes[*sensor as usize].seed, interval.cast_unsigned());
            let wait = (phase.cast_signed() - start_ms).rem_euclid(interval);
            next.push(Reverse((start_ms + wait, slot)));
        }
        Source {
            roster: Arc::clone(roster),
            role,
            seed,
            next,
            held: BTreeMap::new(),
            entered: 0,
            gathered: Vec::new(),
            messages: 0,
            next_storm_ms: storms.next(start_ms),
            storms,
            bursts,
            sky: Sky::new(spec.seed, spec.daily_shape),
            encoder: Encoder::default(),
            tally: Tally::default(),
        }
    }

    /// MQTT client id; the same for every run of a spec.
    pub fn client_id(&self) -> &str {
        &self.role.client_id
    }

    /// The sensors behind this connection, as places in `Fleet::sensors`, ascending.
    pub fn sensors(&self) -> &[u32] {
        &self.role.sensors
    }

    /// What was measured and not sent so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Nothing is due before this time.
    pub fn next_due_ms(&self) -> i64 {
        self.next_flush_ms().min(self.next_storm_ms)
    }

    /// Appends everything due before `until_ms`, in the order it is to be sent. The result does
    /// not depend on how a span of time is cut into calls.
    pub fn take_until(&mut self, until_ms: i64, out: &mut Vec<Outgoing>) {
        loop {
            let (flush, storm) = (self.next_flush_ms(), self.next_storm_ms);
            if flush.min(storm) >= until_ms {
                return;
            }
            if storm <= flush {
                out.push(Outgoing::disconnect(storm));
                self.next_storm_ms = self.storms.next(storm + 1);
            } else {
                self.gather(flush);
                self.flush(flush, out);
            }
        }
    }

    /// The flush that takes along whatever happens next.
    fn next_flush_ms(&self) -> i64 {
        let measured = self.next.peek().map_or(i64::MAX, |Reverse((time, _))| *time);
        let held = self.held.first_key_value().map_or(i64::MAX, |((time, _), _)| *time);
        let time = measured.min(held);
        if time == i64::MAX {
            return time;
        }
        let grid = self.role.flush_ms;
        let shift = below(self.seed, grid.cast_unsigned()).cast_signed();
        let flush = time + (shift - time).rem_euclid(grid);
        self.bursts.held_until(flush)
    }

    /// Measures everything up to a time.
    fn gather(&mut self, until_ms: i64) {
        while let Some(Reverse((time, slot))) = self.next.peek().copied() {
            if time > until_ms {
                return;
            }
            self.next.pop();
            let sensor = self.role.sensors[slot as usize];
            let interval = self.roster.sensors[sensor as usize].interval_ms;
            self.next.push(Reverse((time + i64::from(interval), slot)));
            self.measure(sensor, time, interval);
        }
    }

    fn measure(&mut self, sensor: u32, time_ms: i64, interval_ms: u32) {
        let roster = Arc::clone(&self.roster);
        let (spec, shape) = (&roster.spec, &roster.shapes[sensor as usize]);
        let faults = &spec.faults;
        let seen_ms = faults.frozen_at(shape.seed, time_ms);
        let moment = Moment::at(seen_ms, spec.daily_shape);
        self.sky.turn_to(&moment);
        let values = shape.measure(&moment, &self.sky);
        let slip = faults.slip(shape.seed, time_ms, interval_ms);
        for (quantity, value) in values.as_slice() {
            self.tally.measured += 1;
            let mut reading = Planned {
                sensor,
                quantity: *quantity,
                event_time_ms: time_ms,
                value: *value,
                expect: Expectation::Taken,
            };
            match faults.loss(shape.seed, time_ms, quantity_number(*quantity)) {
                Loss::Lost => {
                    self.tally.lost += 1;
                    continue;
                }
                Loss::OutOfRange if !matches!(slip, Slip::Ahead(_)) => {
                    reading.value = impossible(*quantity);
                    reading.expect = Expectation::Refused("out_of_range");
                }
                Loss::OutOfRange | Loss::None => {}
            }
            match slip {
                Slip::None => self.gathered.push(reading),
                Slip::Held(ms) => self.hold(time_ms + ms, Held::Reading(reading)),
                Slip::Ahead(ms) => {
                    reading.event_time_ms += ms;
                    reading.expect = Expectation::Refused("clock_ahead");
                    self.gathered.push(reading);
                }
                Slip::Behind(ms) => {
                    reading.event_time_ms -= ms;
                    self.gathered.push(reading);
                }
            }
        }
    }

    fn hold(&mut self, until_ms: i64, what: Held) {
        self.entered += 1;
        self.held.insert((until_ms, self.entered), what);
    }

    /// Sends what was gathered and what was held until now.
    fn flush(&mut self, due_ms: i64, out: &mut Vec<Outgoing>) {
        let mut copies = Vec::new();
        while let Some(entry) = self.held.first_entry() {
            if entry.key().0 > due_ms {
                break;
            }
            match entry.remove() {
                Held::Reading(reading) => self.gathered.push(reading),
                Held::Message(message) => copies.push(message),
            }
        }
        let gathered = std::mem::take(&mut self.gathered);
        let size = self.role.readings_per_message;
        let mut rest = gathered.as_slice();
        while rest.len() >= size || (!rest.is_empty() && !self.role.full_only) {
            let (message, after) = rest.split_at(self.cut(rest, size));
            rest = after;
            self.send(due_ms, message, out);
        }
        let left = rest.len();
        self.gathered = gathered;
        self.gathered.drain(..self.gathered.len() - left);
        for mut copy in copies {
            copy.due_ms = due_ms;
            out.push(copy);
        }
    }

    /// How many of the readings go into one message: without a gateway's topic, those of one
    /// sensor.
    fn cut(&self, readings: &[Planned], size: usize) -> usize {
        let whole = readings.len().min(size);
        if self.role.topic.is_some() {
            return whole;
        }
        let same = |reading: &&Planned| reading.sensor == readings[0].sensor;
        readings[..whole].iter().take_while(same).count()
    }

    fn send(&mut self, due_ms: i64, readings: &[Planned], out: &mut Vec<Outgoing>) {
        let roster = Arc::clone(&self.roster);
        let spec = &roster.spec;
        let (topic, naming) = match &self.role.topic {
            Some(topic) => (Arc::clone(topic), Naming::Reading),
            None => (roster.topic(readings[0].sensor), Naming::Topic),
        };
        let payload = self.encoder.payload(readings, &roster.sensors, naming, spec.encoding);
        let mut message = Outgoing {
            due_ms,
            action: Action::Publish,
            topic,
            payload,
            qos: spec.connections.qos,
            retain: false,
            readings: readings.to_vec(),
            dead_letter: None,
        };
        self.messages += 1;
        match spec.faults.mishap(self.seed, self.messages) {
            Mishap::None => {}
            Mishap::Malformed(cut) => {
                self.tally.malformed += message.readings.len() as u64;
                message.payload.truncate(message.payload.len().saturating_sub(cut));
                message.readings.clear();
                message.dead_letter = Some("undecodable");
            }
            Mishap::Repeated(after_ms) => {
                let copy = message.repeated();
                self.hold(due_ms + after_ms, Held::Message(copy));
            }
        }
        out.push(message);
        if spec.faults.stranger(self.seed, self.messages) {
            let payload = self.encoder.stranger(due_ms, spec.encoding);
            out.push(Outgoing {
                due_ms,
                action: Action::Publish,
                topic: Arc::from(format!(
                    "city/v1/{}/stranger-{}/readings",
                    self.role.agency, self.messages
                )),
                payload,
                qos: spec.connections.qos,
                retain: false,
                readings: Vec::new(),
                dead_letter: Some("unknown_sensor"),
            });
        }
    }
}

fn quantity_number(quantity: Quantity) -> u64 {
    u64::from((quantity as i32).unsigned_abs())
}
