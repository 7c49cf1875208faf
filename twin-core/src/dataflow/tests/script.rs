//! Frames for tests: a few sensors in several home shards, one on a cell border walking about,
//! readings on time, late, repeated, refused.

use proptest::prelude::*;

use crate::frame::{DeadLetter, DeadLetterReason, Frame, Records, SensorChange};
use crate::position::Position;
use crate::quantity::Quantity;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use crate::time::{Epoch, EventTime, TimeMode};

use super::super::Settings;

/// The first epoch of every script.
pub(super) const FIRST: u64 = 17_000_000_000;

/// Short times, so that a script of a minute passes every horizon.
pub(super) fn settings(mode: TimeMode) -> Settings {
    Settings {
        mode,
        window_ms: 10_000,
        lateness_ms: 3_000,
        idle_after_ms: 5_000,
        revision_horizon_ms: 25_000,
        dedupe_horizon_ms: 40_000,
        ..Settings::default()
    }
}

/// A sensor's description at the n-th of some places: neighbours, and far apart.
pub(super) fn describe(sensor: u32, place: u32) -> SensorChange {
    let (row, column) = (f64::from(place % 4), f64::from(place / 4 % 4));
    let step = if place < 16 { 0.001 } else { 0.11 };
    let position = Position::new(10.77 + row * step, 106.69 + column * step).unwrap();
    SensorChange {
        index: SensorIndex::new(sensor),
        key: SensorKey::parse(&format!("hcmc/s{sensor}")).unwrap(),
        description: SensorDescription {
            kind: SensorKind::TrafficLoop,
            position,
            expected_interval_ms: 1_000,
            name: String::new(),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 0.0,
            lanes: 0,
        },
    }
}

/// An admitted reading of a speed.
pub(super) fn speed(sensor: u32, event_time_ms: i64, value: f64) -> Reading {
    Reading {
        event_time: EventTime::from_ms(event_time_ms),
        value,
        sensor: SensorIndex::new(sensor),
        quantity: Quantity::SpeedKmh,
        verdict: Verdict::Admitted,
    }
}

/// A frame of the epoch that many behind [`FIRST`].
pub(super) fn frame(epoch: u64, sensors: Vec<SensorChange>, readings: Vec<Reading>) -> Frame {
    let records = Records { sensors, readings, dead_letters: Vec::new() };
    Frame { epoch: Epoch::new(FIRST + epoch), cut: false, records }
}

/// Milliseconds of event time at the end of the epoch that many behind [`FIRST`].
pub(super) fn at(epoch: u64) -> i64 {
    Epoch::new(FIRST + epoch).end().ms()
}

#[derive(Clone, Debug)]
enum Act {
    Describe(u32, u32),
    Read { sensor: u32, quantity: u8, age_ms: i64, quarters: i32, verdict: Verdict },
    DeadLetter,
    NextFrame { epochs: u64, cut: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let age = prop_oneof![
        6 => -2i64..6,
        3 => 0i64..30,
        2 => 0i64..90,
        1 => 0i64..300,
    ];
    let verdict = prop_oneof![
        12 => Just(Verdict::Admitted),
        1 => Just(Verdict::Refused(RefusalReason::ClockAhead)),
        1 => Just(Verdict::Refused(RefusalReason::NotFinite)),
    ];
    let read = (0..8u32, 0..3u8, age, -200..800i32, verdict).prop_map(
        |(sensor, quantity, age, quarters, verdict)| Act::Read {
            sensor,
            quantity,
            age_ms: match verdict {
                Verdict::Refused(RefusalReason::ClockAhead) => -1_000_000,
                Verdict::Admitted | Verdict::Refused(_) => age * 500,
            },
            quarters,
            verdict,
        },
    );
    prop_oneof![
        1 => (0..8u32, 0..20u32).prop_map(|(sensor, place)| Act::Describe(sensor, place)),
        30 => read,
        1 => Just(Act::DeadLetter),
        8 => (0..12u64, proptest::bool::weighted(0.15))
            .prop_map(|(epochs, cut)| Act::NextFrame { epochs, cut }),
        1 => (60..200u64).prop_map(|epochs| Act::NextFrame { epochs, cut: false }),
    ]
}

/// Scripts of some hundred acts.
pub(super) fn script() -> impl Strategy<Value = Vec<Frame>> {
    proptest::collection::vec(act(), 50..400).prop_map(|acts| frames(&acts))
}

/// The acts as frames that keep the order of the log.
fn frames(acts: &[Act]) -> Vec<Frame> {
    let mut known = 0;
    let mut now = 0;
    let mut open = frame(now, Vec::new(), Vec::new());
    let mut frames = Vec::new();
    for act in acts {
        match *act {
            Act::Describe(sensor, place) => {
                let sensor = sensor.min(known);
                known = known.max(sensor + 1);
                open.records.sensors.push(describe(sensor, place));
            }
            Act::Read { sensor, quantity, age_ms, quarters, verdict } => {
                if known == 0 {
                    known = 1;
                    open.records.sensors.push(describe(0, 0));
                }
                // Refused readings may hold anything.
                let value = match verdict {
                    Verdict::Admitted => f64::from(quarters) / 4.0,
                    Verdict::Refused(_) => f64::INFINITY,
                };
                let event_time_ms = (at(now) - age_ms).div_euclid(500) * 500;
                let quantity = Quantity::from_number(quantity + 1).unwrap();
                let reading =
                    Reading { quantity, verdict, ..speed(sensor % known, event_time_ms, value) };
                open.records.readings.push(reading);
            }
            Act::DeadLetter => open.records.dead_letters.push(DeadLetter {
                reason: DeadLetterReason::Undecodable,
                detail: "truncated".to_owned(),
                topic: "city/v1/hcmc/s0/readings".to_owned(),
                head: vec![1, 2, 3],
                payload_bytes: 3,
            }),
            Act::NextFrame { epochs, cut } => {
                open.cut = cut;
                now += epochs.max(u64::from(cut));
                frames.push(std::mem::replace(&mut open, frame(now, Vec::new(), Vec::new())));
            }
        }
    }
    frames.push(open);
    frames
}
