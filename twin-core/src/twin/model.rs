//! The plain model that the twin is tested against: a list of sensors, each with a map of its
//! latest readings. What happens to the one happens to the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use h3o::Resolution;
use proptest::prelude::*;

use super::*;
use crate::area::arbitrary::{Frame, Offset, offsets};
use crate::ledger::Outcome;
use crate::quantity::Quantity;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::sensor::{SensorKey, SensorKind};

pub(super) const LATENESS_MS: i64 = 500;
pub(super) const STUCK_AFTER_MS: i64 = 4_000;

/// One thing that happens. Sensors are named by a number that wraps at how many there are.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Register { at: Offset, crowd: i32, kind: SensorKind, interval_ms: u32 },
    Describe { sensor: usize, at: Option<Offset>, kind: SensorKind, interval_ms: u32 },
    Read { sensor: usize, quantity: Quantity, event_ms: i64, value: i32, outcome: Outcome },
    Close { epochs: u64 },
}

#[derive(Clone, Debug)]
pub(super) struct Latest {
    event_ms: i64,
    value: f64,
    epoch: u64,
    still_since_ms: i64,
}

/// A sensor of the model.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) key: SensorKey,
    pub(super) description: SensorDescription,
    latest: BTreeMap<Quantity, Latest>,
    last_arrival: Option<u64>,
    newest_ms: Option<i64>,
    pub(super) ledger: LedgerEntry,
}

/// The twin and the model, side by side.
pub(super) struct World {
    frame: Frame,
    pub(super) snapshot: Snapshot,
    pub(super) sensors: Vec<Plain>,
    newest_ms: i64,
    /// Every snapshot so far.
    pub(super) closed: Vec<Snapshot>,
    changes: Vec<SensorChange>,
}

pub(super) fn kinds() -> impl Strategy<Value = SensorKind> {
    prop::sample::select(vec![SensorKind::TrafficLoop, SensorKind::AirStation, SensorKind::Noise])
}

/// Anywhere, or where others are.
pub(super) fn places() -> impl Strategy<Value = Offset> {
    prop_oneof![offsets(), (0..3, 0..3)]
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let interval = prop::sample::select(vec![0, 500, 2_000]);
    let crowd = prop_oneof![10 => Just(1), 1 => 2..150];
    let register = (places(), crowd, kinds(), interval.clone())
        .prop_map(|(at, crowd, kind, interval_ms)| Step::Register { at, crowd, kind, interval_ms });
    let describe = (0..999_usize, prop::option::of(places()), kinds(), interval).prop_map(
        |(sensor, at, kind, interval_ms)| Step::Describe { sensor, at, kind, interval_ms },
    );
    let outcome = prop_oneof![
        6 => Just(Outcome::Applied),
        2 => Just(Outcome::LateApplied),
        1 => Just(Outcome::Duplicate),
        1 => Just(Outcome::Refused(RefusalReason::OutOfRange)),
    ];
    let quantity = prop::sample::select(vec![
        Quantity::FlowVehH,
        Quantity::SpeedKmh,
        Quantity::OccupancyRatio,
        Quantity::Pm25UgM3,
        Quantity::NoiseDba,
        Quantity::TspUgM3,
    ]);
    let read = (0..999_usize, quantity, -3_000..3_000_i64, 0..3, outcome).prop_map(
        |(sensor, quantity, event_ms, value, outcome)| Step::Read {
            sensor,
            quantity,
            event_ms,
            value,
            outcome,
        },
    );
    let close = (1..25_u64).prop_map(|epochs| Step::Close { epochs });
    let step = prop_oneof![3 => register, 2 => describe, 10 => read, 3 => close];
    prop::collection::vec(step, 20..160)
}

impl World {
    pub(super) fn new(frame: Frame, mode: TimeMode) -> World {
        let mut snapshot = Snapshot::empty(mode, LATENESS_MS, STUCK_AFTER_MS);
        snapshot.advance(Epoch::new(1_000), EventTime::MIN);
        let closed = vec![snapshot.fork()];
        let (sensors, changes) = (Vec::new(), Vec::new());
        World { frame, snapshot, sensors, newest_ms: i64::MIN, closed, changes }
    }

    pub(super) fn run(frame: Frame, mode: TimeMode, steps: &[Step]) -> World {
        let mut world = World::new(frame, mode);
        for step in steps {
            world.step(step);
        }
        world.step(&Step::Close { epochs: 1 });
        world
    }

    pub(super) fn now(&self) -> Epoch {
        self.snapshot.epoch.next()
    }

    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Register { at, crowd, kind, interval_ms } => {
                for place in 0..*crowd {
                    let at = (at.0 + place * 7 % 13, at.1 + place * 11 % 17);
                    self.register(description(self.frame.position(at), *kind, *interval_ms));
                }
            }
            Step::Describe { sensor, at, kind, interval_ms } if !self.sensors.is_empty() => {
                let number = sensor % self.sensors.len();
                let old = self.sensors[number].description.position;
                let at = at.map_or(old, |at| self.frame.position(at));
                self.sensors[number].description = description(at, *kind, *interval_ms);
                self.settle(number);
            }
            Step::Read { sensor, quantity, event_ms, value, outcome }
                if !self.sensors.is_empty() =>
            {
                let number = sensor % self.sensors.len();
                let event_ms = self.now().end().ms() + event_ms;
                self.read(number, (*quantity, event_ms, f64::from(*value)), *outcome);
            }
            Step::Describe { .. } | Step::Read { .. } => {}
            Step::Close { epochs } => {
                self.flush();
                let epoch = Epoch::new(self.snapshot.epoch.number() + epochs);
                let watermark = EventTime::from_ms(self.newest_ms).plus_ms(-LATENESS_MS);
                self.snapshot.advance(epoch, watermark);
                self.closed.push(self.snapshot.fork());
            }
        }
    }

    fn register(&mut self, description: SensorDescription) {
        let number = self.sensors.len();
        // Ids that are not in order of number.
        let key = SensorKey::parse(&format!("a{}/s{number}", number * 7 % 5)).unwrap();
        self.sensors.push(Plain {
            key,
            description,
            latest: BTreeMap::new(),
            last_arrival: None,
            newest_ms: None,
            ledger: LedgerEntry::default(),
        });
        self.settle(number);
    }

    fn settle(&mut self, number: usize) {
        let plain = &self.sensors[number];
        let (key, description) = (plain.key.clone(), plain.description.clone());
        self.changes.push(SensorChange { index: index(number), key, description });
    }

    /// Hands the changes on, many at once, before a reading or the end of the epoch.
    fn flush(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let epoch = self.now();
        self.snapshot.register(&changes, epoch, Resolution::Four);
    }

    pub(super) fn read(
        &mut self,
        number: usize,
        (quantity, event_ms, value): (Quantity, i64, f64),
        o: Outcome,
    ) {
        self.flush();
        let epoch = self.now();
        let reading = Reading {
            event_time: EventTime::from_ms(event_ms),
            value: if matches!(o, Outcome::Refused(_)) { f64::NAN } else { value },
            sensor: index(number),
            quantity,
            verdict: Verdict::Admitted,
        };
        let home = self.snapshot.sensors.home(index(number)).unwrap();
        let shard = self.snapshot.shard_mut(home).unwrap();
        let row = shard.position_of(index(number)).unwrap();
        shard.record(row, &reading, o, epoch);

        let plain = &mut self.sensors[number];
        plain.last_arrival = Some(epoch.number());
        plain.ledger.count(o);
        if !matches!(o, Outcome::Applied | Outcome::LateApplied) {
            return;
        }
        self.newest_ms = self.newest_ms.max(event_ms);
        plain.newest_ms = plain.newest_ms.max(Some(event_ms));
        let fresh = Latest { event_ms, value, epoch: epoch.number(), still_since_ms: event_ms };
        let known = plain.latest.entry(quantity).or_insert_with(|| fresh.clone());
        if event_ms > known.event_ms {
            let same = (known.value - value).abs() < 0.5;
            let still_since_ms = if same { known.still_since_ms } else { event_ms };
            *known = Latest { still_since_ms, ..fresh };
        }
    }

    pub(super) fn health(&self, plain: &Plain) -> Health {
        let Some(arrival) = plain.last_arrival else { return Health::NeverHeard };
        let quiet_ms = match self.snapshot.mode {
            TimeMode::Live => self.snapshot.epoch.end().ms() - Epoch::new(arrival).end().ms(),
            TimeMode::Event => {
                let expected = self.snapshot.watermark.plus_ms(LATENESS_MS).ms();
                plain.newest_ms.map_or(i64::MAX, |newest| expected.saturating_sub(newest))
            }
        };
        let interval_ms = match plain.description.expected_interval_ms {
            0 => 60_000,
            stated => i64::from(stated),
        };
        if quiet_ms > 3 * interval_ms {
            return Health::Silent;
        }
        let stuck = plain.latest.iter().any(|(q, l)| is_stuck(*q, l));
        if stuck { Health::Stuck } else { Health::Live }
    }

    pub(super) fn view(&self, number: usize, wanted: QuantitySet) -> SensorView {
        let plain = &self.sensors[number];
        let latest = plain.latest.iter().filter(|(quantity, _)| wanted.contains(**quantity));
        SensorView {
            index: index(number),
            registered: Arc::new(Registered {
                key: plain.key.clone(),
                description: plain.description.clone(),
                home: self.snapshot.sensors.home(index(number)).unwrap(),
            }),
            health: self.health(plain),
            last_arrival: plain.last_arrival.map(Epoch::new),
            latest: latest
                .map(|(quantity, latest)| LatestReading {
                    quantity: *quantity,
                    value: latest.value,
                    event_time: EventTime::from_ms(latest.event_ms),
                    epoch: Epoch::new(latest.epoch),
                    still_since: EventTime::from_ms(latest.still_since_ms),
                    stuck: is_stuck(*quantity, latest),
                })
                .collect(),
            ledger: plain.ledger,
        }
    }

    /// The numbers of the sensors that a query is about.
    pub(super) fn chosen(&self, query: &AreaQuery) -> Vec<usize> {
        let chosen = |number: &usize| {
            let description = &self.sensors[*number].description;
            query.kinds.contains(description.kind) && query.area.contains(description.position)
        };
        (0..self.sensors.len()).filter(chosen).collect()
    }
}

pub(super) fn index(number: usize) -> SensorIndex {
    SensorIndex::new(u32::try_from(number).unwrap())
}

pub(super) fn is_stuck(quantity: Quantity, latest: &Latest) -> bool {
    quantity.must_move() && latest.event_ms - latest.still_since_ms > STUCK_AFTER_MS
}

pub(super) fn description(
    position: crate::position::Position,
    kind: SensorKind,
    interval_ms: u32,
) -> SensorDescription {
    SensorDescription {
        kind,
        position,
        expected_interval_ms: interval_ms,
        name: String::new(),
        link: String::new(),
        lane: 0,
        zone: String::new(),
        free_flow_speed_kmh: if interval_ms == 500 { 2.0 } else { 0.0 },
        lanes: 2,
    }
}

/// Counts, values by quantity and traffic over some sensors: asked one by one.
pub(super) type Sums = (SensorCounts, Vec<QuantityAggregate>, Option<TrafficState>);

pub(super) fn sums(world: &World, numbers: &[usize], wanted: QuantitySet) -> Sums {
    let mut counts = SensorCounts::default();
    let mut values: BTreeMap<Quantity, Vec<f64>> = BTreeMap::new();
    let (mut speeds, mut flows, mut densities, mut ratios) = (vec![], vec![], vec![], vec![]);
    let mut traffic = 0;
    for plain in numbers.iter().map(|number| &world.sensors[*number]) {
        let health = world.health(plain);
        counts.sensors += 1;
        counts.never_heard += u32::from(health == Health::NeverHeard);
        counts.silent += u32::from(health == Health::Silent);
        counts.live += u32::from(matches!(health, Health::Live | Health::Stuck));
        counts.suspect += u32::from(health == Health::Stuck);
        if matches!(health, Health::NeverHeard | Health::Silent) {
            continue;
        }
        for (quantity, latest) in plain.latest.iter().filter(|(q, _)| wanted.contains(**q)) {
            values.entry(*quantity).or_default().push(latest.value);
        }
        let value = |quantity| plain.latest.get(&quantity).map(|latest| latest.value);
        let (speed, flow) = (value(Quantity::SpeedKmh), value(Quantity::FlowVehH));
        if plain.description.kind == SensorKind::TrafficLoop && speed.or(flow).is_some() {
            traffic += 1;
            speeds.extend(speed);
            flows.extend(flow);
            densities.extend(speed.filter(|v| *v > 0.0).and_then(|v| Some(flow? / v)));
            let free = plain.description.free_flow_speed_kmh;
            ratios.extend(speed.filter(|_| free > 0.0).map(|v| v / free));
        }
    }
    let aggregate = |(quantity, values): (Quantity, Vec<f64>)| QuantityAggregate {
        quantity,
        sensors: u32::try_from(values.len()).unwrap(),
        mean: mean(&values).unwrap(),
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        sum: values.iter().sum(),
    };
    let state = TrafficState {
        sensors: traffic,
        mean_speed_kmh: mean(&speeds),
        flow_veh_h: mean(&flows),
        density_veh_km: mean(&densities),
        speed_ratio: mean(&ratios),
        level_of_service: mean(&ratios).map(LevelOfService::of_speed_ratio),
    };
    (counts, values.into_iter().map(aggregate).collect(), (traffic > 0).then_some(state))
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
