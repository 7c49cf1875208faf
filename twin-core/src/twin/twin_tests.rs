//! The twin against a plain model: a list of sensors, each with a map of its latest readings, and
//! answers by asking every one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use h3o::{CellIndex, Resolution};
use proptest::prelude::*;

use super::*;
use crate::area::Area;
use crate::area::arbitrary::{Frame, Offset, Sketch, frames, offsets, sketches};
use crate::ledger::Outcome;
use crate::quantity::Quantity;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::sensor::{SensorKey, SensorKind};
use crate::time::EPOCH_MS;

const LATENESS_MS: i64 = 500;
const STUCK_AFTER_MS: i64 = 4_000;

/// One thing that happens. Sensors are named by a number that wraps at how many there are.
#[derive(Clone, Debug)]
enum Step {
    Register { at: Offset, crowd: i32, kind: SensorKind, interval_ms: u32 },
    Describe { sensor: usize, at: Option<Offset>, kind: SensorKind, interval_ms: u32 },
    Read { sensor: usize, quantity: Quantity, event_ms: i64, value: i32, outcome: Outcome },
    Close { epochs: u64 },
}

#[derive(Clone, Debug)]
struct Latest {
    event_ms: i64,
    value: f64,
    epoch: u64,
    still_since_ms: i64,
}

/// A sensor of the model.
#[derive(Clone, Debug)]
struct Plain {
    key: SensorKey,
    description: SensorDescription,
    latest: BTreeMap<Quantity, Latest>,
    last_arrival: Option<u64>,
    newest_ms: Option<i64>,
    ledger: LedgerEntry,
}

/// The twin and the model, side by side.
struct World {
    frame: Frame,
    snapshot: Snapshot,
    sensors: Vec<Plain>,
    newest_ms: i64,
    /// Every snapshot so far.
    closed: Vec<Snapshot>,
    changes: Vec<SensorChange>,
}

fn kinds() -> impl Strategy<Value = SensorKind> {
    prop::sample::select(vec![SensorKind::TrafficLoop, SensorKind::AirStation, SensorKind::Noise])
}

/// Anywhere, or where others are.
fn places() -> impl Strategy<Value = Offset> {
    prop_oneof![offsets(), (0..3, 0..3)]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
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
    fn new(frame: Frame, mode: TimeMode) -> World {
        let mut snapshot = Snapshot::empty(mode, LATENESS_MS, STUCK_AFTER_MS);
        snapshot.advance(Epoch::new(1_000), EventTime::MIN);
        let closed = vec![snapshot.fork()];
        let (sensors, changes) = (Vec::new(), Vec::new());
        World { frame, snapshot, sensors, newest_ms: i64::MIN, closed, changes }
    }

    fn run(frame: Frame, mode: TimeMode, steps: &[Step]) -> World {
        let mut world = World::new(frame, mode);
        for step in steps {
            world.step(step);
        }
        world.step(&Step::Close { epochs: 1 });
        world
    }

    fn now(&self) -> Epoch {
        self.snapshot.epoch.next()
    }

    fn step(&mut self, step: &Step) {
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

    fn read(
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

    fn health(&self, plain: &Plain) -> Health {
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

    fn view(&self, number: usize, wanted: QuantitySet) -> SensorView {
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
    fn chosen(&self, query: &AreaQuery) -> Vec<usize> {
        let chosen = |number: &usize| {
            let description = &self.sensors[*number].description;
            query.kinds.contains(description.kind) && query.area.contains(description.position)
        };
        (0..self.sensors.len()).filter(chosen).collect()
    }
}

fn index(number: usize) -> SensorIndex {
    SensorIndex::new(u32::try_from(number).unwrap())
}

fn is_stuck(quantity: Quantity, latest: &Latest) -> bool {
    quantity.must_move() && latest.event_ms - latest.still_since_ms > STUCK_AFTER_MS
}

fn description(
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
type Sums = (SensorCounts, Vec<QuantityAggregate>, Option<TrafficState>);

fn sums(world: &World, numbers: &[usize], wanted: QuantitySet) -> Sums {
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

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[derive(Clone, Debug)]
struct Asked {
    sketch: Sketch,
    resolution: Option<u8>,
    some_kinds: bool,
    some_quantities: bool,
}

fn asked() -> impl Strategy<Value = Asked> {
    let resolution = prop::option::of(2..=8_u8);
    (sketches(), resolution, any::<bool>(), any::<bool>()).prop_map(
        |(sketch, resolution, some_kinds, some_quantities)| Asked {
            sketch,
            resolution,
            some_kinds,
            some_quantities,
        },
    )
}

impl Asked {
    fn query(&self, frame: Frame) -> AreaQuery {
        let kinds = [SensorKind::TrafficLoop, SensorKind::Noise];
        let quantities = [Quantity::SpeedKmh, Quantity::NoiseDba];
        AreaQuery {
            area: self.sketch.area(frame),
            resolution: self.resolution.map(|number| number.try_into().unwrap()),
            quantities: if self.some_quantities {
                quantities.into_iter().collect()
            } else {
                QuantitySet::ALL
            },
            kinds: if self.some_kinds { kinds.into_iter().collect() } else { KindSet::ALL },
            include_sensors: true,
        }
    }
}

fn modes() -> impl Strategy<Value = TimeMode> {
    prop::sample::select(vec![TimeMode::Live, TimeMode::Event])
}

/// Sensors and cells of an answer, to be brought forward by deltas.
#[derive(Debug, PartialEq)]
struct Held {
    sensors: BTreeMap<SensorKey, SensorView>,
    cells: BTreeMap<CellIndex, CellState>,
}

impl Held {
    fn of(answer: AreaAnswer) -> Held {
        assert!(
            answer.full && answer.removed_sensors.is_empty() && answer.removed_cells.is_empty()
        );
        let mut held = Held { sensors: BTreeMap::new(), cells: BTreeMap::new() };
        held.bring_forward(AreaAnswer { full: false, ..answer });
        held
    }

    fn bring_forward(&mut self, delta: AreaAnswer) {
        assert!(!delta.full);
        self.sensors.retain(|key, _| !delta.removed_sensors.contains(key));
        self.cells.retain(|cell, _| !delta.removed_cells.contains(cell));
        for view in delta.sensors {
            self.sensors.insert(view.registered.key.clone(), view);
        }
        for state in delta.cells {
            self.cells.insert(state.cell, state);
        }
    }
}

fn bytes(snapshot: &Snapshot) -> Vec<u8> {
    postcard::to_stdvec(snapshot).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn an_area_answer_equals_asking_every_sensor(
        frame in frames(), mode in modes(), steps in steps(), asked in asked(),
    ) {
        let world = World::run(frame, mode, &steps);
        let query = asked.query(frame);
        let answer = world.snapshot.area(&query, None);
        let chosen = world.chosen(&query);
        let views: Vec<_> = chosen.iter().map(|n| world.view(*n, query.quantities)).collect();
        prop_assert_eq!(&answer.sensors, &views);
        let whole = (answer.counts, answer.totals, answer.traffic);
        // The values are small whole numbers and quarters, so sums have no rounding.
        prop_assert_eq!(&whole, &sums(&world, &chosen, query.quantities));

        let mut cells: BTreeMap<CellIndex, Vec<usize>> = BTreeMap::new();
        if let Some(resolution) = query.resolution {
            for number in chosen {
                let cell = world.sensors[number].description.position.cell(resolution);
                cells.entry(cell).or_default().push(number);
            }
        }
        prop_assert_eq!(answer.cells.len(), cells.len());
        for (state, (cell, numbers)) in answer.cells.into_iter().zip(cells) {
            prop_assert_eq!(state.cell, cell);
            let sums = sums(&world, &numbers, query.quantities);
            prop_assert_eq!((state.counts, state.quantities, state.traffic), sums);
        }
    }

    #[test]
    fn changes_bring_an_older_answer_forward(
        frame in frames(), mode in modes(), steps in steps(), asked in asked(),
        gaps in prop::collection::vec(1..6_usize, 1..12),
    ) {
        let world = World::run(frame, mode, &steps);
        let query = asked.query(frame);
        let mut at = 0;
        let mut held = Held::of(world.closed[0].area(&query, None));
        for gap in gaps {
            let next = (at + gap).min(world.closed.len() - 1);
            let (older, newer) = (&world.closed[at], &world.closed[next]);
            let delta = newer.area(&query, Some(older.epoch));
            for view in &delta.sensors {
                let heard = view.last_arrival > Some(older.epoch);
                let before = older.view(view.index);
                let same = before.is_some_and(|before| {
                    before.health == view.health && before.registered == view.registered
                });
                let shard = newer.shard(view.registered.home).unwrap();
                let row = shard.position_of(view.index).unwrap();
                let settled = shard.resident(row).profile.settled > older.epoch;
                prop_assert!(heard || settled || !same, "nothing changed: {:?}", view);
            }
            held.bring_forward(delta);
            let fresh = newer.area(&query, None);
            prop_assert_eq!(&held, &Held::of(fresh));
            at = next;
        }
    }

    #[test]
    fn the_nearest_are_the_first_of_all_by_distance(
        frame in frames(), steps in steps(), from in offsets(), limit in 0..12_usize,
        max_distance_m in prop::sample::select(vec![f64::INFINITY, 3_000.0, 300_000.0]),
        some_kinds in any::<bool>(),
    ) {
        let world = World::run(frame, TimeMode::Live, &steps);
        let kinds = if some_kinds { [SensorKind::Noise].into_iter().collect() } else { KindSet::ALL };
        let from = frame.position(from);
        let query = NearestQuery { from, limit, max_distance_m, kinds };
        let mut expected: Vec<(f64, usize)> = (0..world.sensors.len())
            .filter(|number| kinds.contains(world.sensors[*number].description.kind))
            .map(|number| (world.sensors[number].description.position.distance_m(from), number))
            .filter(|(distance_m, _)| *distance_m <= max_distance_m)
            .collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        expected.truncate(limit);
        let found: Vec<(f64, usize)> = world.snapshot.nearest(&query)
            .into_iter().map(|(view, distance_m)| (distance_m, view.index.slot())).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn every_sensor_is_found_and_listed_in_order(
        frame in frames(), mode in modes(), steps in steps(), limit in 1..9_usize,
    ) {
        let world = World::run(frame, mode, &steps);
        let mut sorted: Vec<usize> = (0..world.sensors.len()).collect();
        sorted.sort_by_key(|number| &world.sensors[*number].key);
        for number in &sorted {
            let view = world.snapshot.sensor(&world.sensors[*number].key);
            prop_assert_eq!(view, Some(world.view(*number, QuantitySet::ALL)));
        }
        prop_assert_eq!(world.snapshot.sensor(&SensorKey::parse("a1/none").unwrap()), None);
        let agencies = [None, Some("a2".to_owned())];
        let healths = [None, Some(Health::Live), Some(Health::Silent)];
        for (agency, health) in agencies.iter().flat_map(|a| healths.map(|h| (a, h))) {
            let filter = SensorFilter { health, agency: agency.clone(), ..SensorFilter::default() };
            let mut listed = Vec::new();
            let mut from = String::new();
            loop {
                let page = world.snapshot.page(&filter, &from, limit);
                listed.extend(page.sensors.into_iter().map(|view| view.index.slot()));
                let Some(next) = page.next else { break };
                from = next.to_string();
            }
            let wanted = |number: &usize| {
                let plain = &world.sensors[*number];
                agency.as_ref().is_none_or(|agency| plain.key.agency() == agency)
                    && health.is_none_or(|health| world.health(plain) == health)
            };
            prop_assert_eq!(listed, sorted.iter().copied().filter(wanted).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_snapshot_survives_writing_and_later_change(
        frame in frames(), mode in modes(), steps in steps(), more in steps(),
    ) {
        let mut world = World::run(frame, mode, &steps);
        let (kept, written) = (world.snapshot.fork(), bytes(&world.snapshot));
        let read: Snapshot = postcard::from_bytes(&written).unwrap();
        prop_assert_eq!(&read, &world.snapshot);
        prop_assert_eq!(&bytes(&read), &written);
        world.snapshot = read;
        for step in &more {
            world.step(step);
        }
        // The copy that was kept did not change, and the one that was read goes on as well as it.
        prop_assert_eq!(&bytes(&kept), &written);
        let query = AreaQuery { include_sensors: true, ..AreaQuery::new(Area::everywhere()) };
        world.step(&Step::Close { epochs: 1 });
        let views: Vec<_> =
            (0..world.sensors.len()).map(|n| world.view(n, QuantitySet::ALL)).collect();
        prop_assert_eq!(world.snapshot.area(&query, None).sensors, views);
        let mut ledger = LedgerEntry::default();
        world.sensors.iter().for_each(|plain| ledger.add(&plain.ledger));
        prop_assert_eq!(world.snapshot.ledger_total(), ledger);
    }

    #[test]
    fn the_same_changes_one_by_one_give_the_same_bytes(
        frame in frames(), places in prop::collection::vec((0..30_usize, offsets(), kinds()), 1..60),
    ) {
        let mut known = BTreeSet::new();
        let mut changes: Vec<SensorChange> = Vec::new();
        for (sensor, at, kind) in places {
            let number = sensor.min(known.len());
            known.insert(number);
            let key = SensorKey::parse(&format!("a/s{number}")).unwrap();
            let description = description(frame.position(at), kind, 1_000);
            changes.push(SensorChange { index: index(number), key, description });
        }
        let mut at_once = Snapshot::empty(TimeMode::Live, 0, 0);
        at_once.register(&changes, Epoch::new(5), Resolution::Six);
        let mut one_by_one = Snapshot::empty(TimeMode::Live, 0, 0);
        for change in changes {
            one_by_one.register(&[change], Epoch::new(5), Resolution::Six);
        }
        prop_assert_eq!(&bytes(&at_once), &bytes(&one_by_one));
    }
}

#[test]
fn order_is_kept_through_many_splits() {
    let mut table = SensorTable::default();
    let place = crate::position::Position::new(10.0, 106.0).unwrap();
    let change = |number: usize| SensorChange {
        index: index(number),
        key: SensorKey::parse(&format!("a/{:05}", number * 7_919 % 10_007)).unwrap(),
        description: description(place, SensorKind::Radar, 0),
    };
    for batch in (0..10_007).collect::<Vec<_>>().chunks(777) {
        let held = table.clone();
        let changes: Vec<_> = batch.iter().map(|number| change(*number)).collect();
        table.apply(&changes, Epoch::new(1), Resolution::Six);
        assert_eq!(held.len(), batch[0]);
        assert_eq!(held.iter().count(), batch[0]);
    }
    let listed: Vec<String> = table.iter().map(|(_, known)| known.key.to_string()).collect();
    assert_eq!(listed, (0..10_007).map(|key| format!("a/{key:05}")).collect::<Vec<_>>());
    let sensor = table.find(&SensorKey::parse("a/07919").unwrap());
    assert_eq!(sensor, Some(index(1)));
    assert_eq!(table.find(&SensorKey::parse("a/10007").unwrap()), None);
}

#[test]
fn forgotten_departures_are_said() {
    let mut snapshot = Snapshot::empty(TimeMode::Live, 0, 0);
    let place = |step: usize| crate::position::Position::new(10.0, 0.01 * step as f64).unwrap();
    let key = SensorKey::parse("bus/1").unwrap();
    let query = AreaQuery { include_sensors: true, ..AreaQuery::new(Area::everywhere()) };
    for step in 0..=SensorTable::DEPARTURES_KEPT + 1 {
        let description = description(place(step % 9), SensorKind::Radar, 0);
        let change = SensorChange { index: index(0), key: key.clone(), description };
        let epoch = Epoch::new(1 + step as u64);
        snapshot.register(&[change], epoch, Resolution::Six);
        snapshot.advance(epoch, EventTime::MIN);
    }
    assert_eq!(snapshot.sensors.deltas_from(), Epoch::new(2));
    assert!(!snapshot.area(&query, Some(Epoch::new(2))).full);
    assert!(snapshot.area(&query, Some(Epoch::new(1))).full);
}

#[test]
fn silence_and_its_epoch() {
    let mut world = World::new(Frame::HOME, TimeMode::Live);
    let kind = SensorKind::Noise;
    world.step(&Step::Register { at: (0, 0), crowd: 1, kind, interval_ms: 1_000 });
    world.read(0, (Quantity::NoiseDba, 0, 50.0), Outcome::Applied);
    let heard = world.now();
    let query = AreaQuery { include_sensors: true, ..AreaQuery::new(Area::everywhere()) };
    let at = |epochs: u64| Epoch::new(heard.number() + epochs);
    let three_intervals = u64::try_from(3_000 / EPOCH_MS).unwrap();
    world.snapshot.advance(at(three_intervals), EventTime::MIN);
    assert_eq!(world.snapshot.counts().live, 1);
    assert!(world.snapshot.area(&query, Some(at(5))).sensors.is_empty());
    world.snapshot.advance(at(three_intervals + 1), EventTime::MIN);
    assert_eq!(world.snapshot.counts().silent, 1);
    assert_eq!(world.snapshot.area(&query, Some(at(three_intervals))).sensors.len(), 1);
    assert!(world.snapshot.area(&query, Some(at(three_intervals + 1))).sensors.is_empty());
}

#[test]
fn levels_of_service_are_those_of_the_manual() {
    use LevelOfService::{A, B, C, D, E, F};
    let table =
        [(1.2, A), (0.86, A), (0.85, B), (0.68, B), (0.67, C), (0.51, C), (0.5, D), (0.41, D)];
    for (ratio, level) in table.into_iter().chain([(0.4, E), (0.31, E), (0.3, F), (0.0, F)]) {
        assert_eq!(LevelOfService::of_speed_ratio(ratio), level, "{ratio}");
    }
}

#[test]
fn the_newest_dead_letters_are_kept_and_all_are_counted() {
    use crate::frame::{DeadLetter, DeadLetterReason};
    let letter = |number: u64| DeadLetter {
        reason: DeadLetterReason::Undecodable,
        detail: number.to_string(),
        topic: String::new(),
        head: Vec::new(),
        payload_bytes: number,
    };
    let mut letters = DeadLetters::default();
    for epoch in 0..5 {
        let batch: Vec<_> = (0..700).map(|number| letter(epoch * 700 + number)).collect();
        letters.apply(&batch, Epoch::new(epoch));
    }
    assert_eq!(letters.count(DeadLetterReason::Undecodable), 3_500);
    assert_eq!(letters.count(DeadLetterReason::Oversize), 0);
    let kept: Vec<u64> = letters.newest().map(|(_, letter)| letter.payload_bytes).collect();
    assert_eq!(kept, (2_500..3_500).rev().collect::<Vec<_>>());
    assert_eq!(letters.newest().next().unwrap().0, Epoch::new(4));
}
