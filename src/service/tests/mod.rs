//! The service in process, over hand-made snapshots; on port 0 where the transport matters.

mod calls;
mod server;
mod watching;

use std::sync::{Arc, Mutex};

use citytwin_core::frame::{DeadLetter, DeadLetterReason, SensorChange};
use citytwin_core::ledger::Outcome;
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{ArrivalTime, Epoch, EventTime, TimeMode};
use citytwin_core::twin::Snapshot;
use citytwin_ingest::clock::{Clock, ManualClock};
use h3o::Resolution;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::planner::Planner;

/// Where sensor 0 stands.
const ORIGIN: (f64, f64) = (10.770, 106.690);
/// Degrees between neighbours, about 220 m.
const STEP_DEG: f64 = 0.002;
/// Sensors of a row.
const ROW: u32 = 10;
const START: ArrivalTime = ArrivalTime::from_ms(1_700_000_000_000);

/// A town on a grid, its engine played by hand.
pub(crate) struct Town {
    pub(crate) city: Arc<City>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) snapshot: Snapshot,
    pub(crate) vitals: Arc<Mutex<Vitals>>,
    pub(crate) registered: Arc<Mutex<Vec<SensorKey>>>,
    pub(crate) shutdown: CancellationToken,
}

#[derive(Default)]
struct Notebook(Arc<Mutex<Vec<SensorKey>>>);

#[tonic::async_trait]
impl Registrar for Notebook {
    async fn register(
        &self,
        sensor: SensorKey,
        _description: SensorDescription,
    ) -> Result<Epoch, RegisterError> {
        if sensor.as_str() == "town/full" {
            return Err(RegisterError("the disk is full".to_owned()));
        }
        self.0.lock().unwrap().push(sensor);
        Ok(Epoch::new(77))
    }
}

pub(crate) fn position(number: u32) -> Position {
    let (row, column) = (number / ROW, number % ROW);
    Position::new(ORIGIN.0 + f64::from(row) * STEP_DEG, ORIGIN.1 + f64::from(column) * STEP_DEG)
        .unwrap()
}

pub(crate) fn key(number: u32) -> SensorKey {
    SensorKey::parse(&format!("town/s-{number:05}")).unwrap()
}

fn described(number: u32, position: Position) -> SensorChange {
    let kind =
        if number.is_multiple_of(2) { SensorKind::TrafficLoop } else { SensorKind::AirStation };
    SensorChange {
        index: SensorIndex::new(number),
        key: key(number),
        description: SensorDescription {
            kind,
            position,
            expected_interval_ms: 10_000,
            name: format!("sensor {number}"),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 50.0,
            lanes: 2,
        },
    }
}

impl Town {
    pub(crate) fn new(sensors: u32) -> Town {
        Town::with_folder(sensors, 1)
    }

    pub(crate) fn with_folder(sensors: u32, folder: u64) -> Town {
        let mut snapshot = Snapshot::empty(TimeMode::Live, 10_000, 1_800_000);
        let epoch = Epoch::of(START);
        let changes: Vec<_> = (0..sensors).map(|n| described(n, position(n))).collect();
        snapshot.register(&changes, epoch, Resolution::Six);
        snapshot.advance(epoch, EventTime::from_ms(START.ms() - 10_000));
        let clock = Arc::new(ManualClock::new(epoch.end()));
        let vitals = Arc::new(Mutex::new(Vitals {
            state: State::Serving,
            connections: 3,
            archived_through: Epoch::new(5),
            doors: vec!["endpoint mqtt://127.0.0.1:1883".into()],
            ..Vitals::default()
        }));
        let registered = Arc::default();
        let told = Arc::clone(&vitals);
        let clock_of_city: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let city = City::new(Foundations {
            snapshot: Arc::new(snapshot.clone()),
            places: places(),
            folder: FolderId::new(folder),
            clock: clock_of_city,
            vitals: Box::new(move || told.lock().unwrap().clone()),
            registrar: Box::new(Notebook(Arc::clone(&registered))),
        });
        let shutdown = CancellationToken::new();
        Town { city: Arc::new(city), clock, snapshot, vitals, registered, shutdown }
    }

    /// Without a past.
    pub(crate) fn served(&self, health: Health) -> Served {
        Served { health, planner: self.planner(), history: None }
    }

    /// A planners' room without a network and without a folder.
    pub(crate) fn planner(&self) -> Arc<Planner> {
        let folder = std::env::temp_dir().join("citytwin-has-no-such-folder");
        Arc::new(Planner::open(Arc::clone(&self.city), &folder, None, 1).unwrap())
    }

    pub(crate) fn service(&self) -> OperatorService {
        OperatorService::new(Arc::clone(&self.city), self.shutdown.clone())
    }

    /// Lives through one epoch and publishes it.
    pub(crate) fn epoch(&mut self, happen: impl FnOnce(&mut Snapshot, Epoch)) -> Epoch {
        let epoch = self.snapshot.epoch.next();
        happen(&mut self.snapshot, epoch);
        self.snapshot.advance(epoch, EventTime::from_ms(epoch.end().ms() - 10_000));
        self.clock.advance_ms(100);
        self.city.publish(Arc::new(self.snapshot.clone()));
        epoch
    }

    /// Lives through epochs in which nothing happens.
    pub(crate) fn quiet(&mut self, epochs: u32) {
        for _ in 0..epochs {
            self.epoch(|_, _| {});
        }
    }
}

/// A sensor reports.
pub(crate) fn report(snapshot: &mut Snapshot, epoch: Epoch, number: u32, value: f64) {
    record(snapshot, epoch, (number, value), Outcome::Applied);
}

pub(crate) fn record(
    snapshot: &mut Snapshot,
    epoch: Epoch,
    (number, value): (u32, f64),
    outcome: Outcome,
) {
    let sensor = SensorIndex::new(number);
    let home = snapshot.sensors.home(sensor).unwrap();
    let quantity = if number.is_multiple_of(2) { Quantity::SpeedKmh } else { Quantity::Pm25UgM3 };
    let event_time = EventTime::from_ms(epoch.end().ms() - 50);
    let reading = Reading { event_time, value, sensor, quantity, verdict: Verdict::Admitted };
    let shard = snapshot.shard_mut(home).unwrap();
    let row = shard.position_of(sensor).unwrap();
    shard.record(row, &reading, outcome, epoch);
}

/// A sensor moves.
pub(crate) fn relocate(snapshot: &mut Snapshot, epoch: Epoch, number: u32, to: Position) {
    snapshot.register(&[described(number, to)], epoch, Resolution::Six);
}

pub(crate) fn set_aside(snapshot: &mut Snapshot, epoch: Epoch, detail: &str) {
    let letter = DeadLetter {
        reason: DeadLetterReason::Undecodable,
        detail: detail.to_owned(),
        topic: "city/v1/town/x/readings".to_owned(),
        head: b"nonsense".to_vec(),
        payload_bytes: 8,
    };
    Arc::make_mut(&mut snapshot.dead_letters).apply(&[letter], epoch);
}

/// Refused, repeated and late readings of a sensor, one each.
pub(crate) fn trouble(snapshot: &mut Snapshot, epoch: Epoch, number: u32) {
    for outcome in
        [Outcome::Refused(RefusalReason::ClockAhead), Outcome::Duplicate, Outcome::LateApplied]
    {
        record(snapshot, epoch, (number, 1.0), outcome);
    }
}

fn places() -> Places {
    let square = r#"{"type":"FeatureCollection","features":[{"type":"Feature",
        "properties":{"id":"p1","name":"Tân Thuận","kind":"ward"},
        "geometry":{"type":"Polygon","coordinates":
        [[[106.689,10.769],[106.695,10.769],[106.695,10.775],[106.689,10.775],[106.689,10.769]]]}}]}"#;
    Places::parse(square, std::path::Path::new("places.geojson")).unwrap()
}
