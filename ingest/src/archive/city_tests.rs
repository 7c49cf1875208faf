//! A small city that feeds the archive as the dataflow does: closed epochs made by hand.

use std::sync::Arc;

use citytwin_core::dataflow::{AppliedReading, ClosedEpoch, Lateness, RefusedReading};
use citytwin_core::frame::{DeadLetter, DeadLetterReason, SensorChange};
use citytwin_core::ledger::Outcome;
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::RefusalReason;
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{Epoch, EventTime, TimeMode};
use citytwin_core::twin::Snapshot;
use citytwin_core::window::{Aggregate, CellWindowRow, WindowRow};
use h3o::Resolution;

use super::State;

/// 2026-11-22, half a second before 07:00 UTC.
pub(super) const START: u64 = 17_953_308_000 - 5;

/// A closed epoch and, at a cut, the state that goes into the checkpoint: its own number.
pub(super) type Step = (ClosedEpoch, Option<u64>);

/// A state is the number of its epoch; the newest event time moves every five seconds.
impl State for u64 {
    fn newest_event_time(&self) -> EventTime {
        EventTime::from_ms((self / 50 * 5_000).cast_signed())
    }
}

/// Feeds the archive as the dataflow does, and remembers what it said.
pub(super) struct City {
    snapshot: Snapshot,
    pub(super) steps: Vec<Step>,
}

impl City {
    pub(super) fn new() -> City {
        City { snapshot: Snapshot::empty(TimeMode::Live, 10_000, 1_800_000), steps: Vec::new() }
    }

    /// Adds one epoch: sensors first, then `readings` as (sensor, event time, value).
    pub(super) fn close(
        &mut self,
        epoch: u64,
        sensors: &[(u32, f64)],
        readings: &[(u32, i64, f64)],
    ) {
        let epoch = Epoch::new(epoch);
        let sensors: Vec<_> = sensors.iter().map(|(n, latitude)| change(*n, *latitude)).collect();
        self.snapshot.register(&sensors, epoch, Resolution::Six);
        self.snapshot.advance(epoch, EventTime::from_ms(0));
        let readings: Vec<_> = readings
            .iter()
            .map(|(sensor, event_time, value)| applied(epoch, *sensor, *event_time, *value))
            .collect();
        let closed = ClosedEpoch {
            snapshot: Arc::new(self.snapshot.fork()),
            windows: readings.iter().map(window).collect(),
            cell_windows: readings.iter().map(cell_window).collect(),
            dead_letters: readings.iter().filter_map(dead_letter).collect(),
            refusals: readings.iter().filter_map(refused).collect(),
            readings,
            sensors,
            state: None,
        };
        self.steps.push((closed, None));
    }

    /// Ends the newest epoch with a cut.
    pub(super) fn cut(&mut self) {
        let (closed, state) = self.steps.last_mut().unwrap();
        *state = Some(closed.snapshot.epoch.number());
    }
}

pub(super) fn change(number: u32, latitude: f64) -> SensorChange {
    SensorChange {
        index: SensorIndex::new(number),
        key: SensorKey::parse(&format!("hcmc/s{number}")).unwrap(),
        description: SensorDescription {
            kind: if number.is_multiple_of(2) { SensorKind::Radar } else { SensorKind::Noise },
            position: Position::new(latitude, 106.7).unwrap(),
            expected_interval_ms: 10_000,
            name: format!("Nguyễn Huệ {number}"),
            link: String::new(),
            lane: 0,
            zone: "Bến Nghé".to_owned(),
            free_flow_speed_kmh: 50.0,
            lanes: 2,
        },
    }
}

fn applied(epoch: Epoch, sensor: u32, event_time: i64, value: f64) -> AppliedReading {
    let quantities = [Quantity::SpeedKmh, Quantity::FlowVehH, Quantity::TspUgM3];
    let lateness = [Lateness::OnTime, Lateness::Revised, Lateness::ArchivedOnly];
    AppliedReading {
        event_time: EventTime::from_ms(event_time),
        value,
        epoch,
        sensor: SensorIndex::new(sensor),
        quantity: quantities[slot(event_time, 3)],
        lateness: lateness[slot(event_time, 5) % 3],
    }
}

fn slot(event_time: i64, slots: i64) -> usize {
    usize::try_from(event_time.rem_euclid(slots)).unwrap()
}

fn window(reading: &AppliedReading) -> WindowRow {
    WindowRow {
        sensor: reading.sensor,
        quantity: reading.quantity,
        start: reading.event_time,
        revision: 0,
        epoch: reading.epoch,
        aggregate: Aggregate::of(reading.value, reading.event_time),
    }
}

fn cell_window(reading: &AppliedReading) -> CellWindowRow {
    let position = Position::new(10.7, 106.7).unwrap();
    CellWindowRow {
        cell: position.cell(Resolution::Eight),
        quantity: reading.quantity,
        start: reading.event_time,
        revision: reading.sensor.number(),
        epoch: reading.epoch,
        sensors: 1,
        aggregate: Aggregate::of(reading.value, reading.event_time),
        quantiles: [reading.value; 4],
    }
}

/// Of two readings in five: a repeat, or one that never counted.
fn refused(reading: &AppliedReading) -> Option<RefusedReading> {
    let outcome = match slot(reading.event_time.ms(), 5) {
        1 => Outcome::Duplicate,
        2 => Outcome::Refused(RefusalReason::ClockAhead),
        _ => return None,
    };
    let AppliedReading { event_time, epoch, sensor, quantity, .. } = *reading;
    Some(RefusedReading { event_time, epoch, sensor, quantity, outcome })
}

/// Now and then.
fn dead_letter(reading: &AppliedReading) -> Option<DeadLetter> {
    (reading.event_time.ms() % 7 == 0).then(|| DeadLetter {
        reason: DeadLetterReason::Undecodable,
        detail: "field 3 is no number".to_owned(),
        topic: "city/v1/hcmc/s1/readings".to_owned(),
        head: vec![0xff, 0x00],
        payload_bytes: 2,
    })
}
