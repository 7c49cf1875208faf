//! The twin against the plain model, whose answers come from asking every sensor.

use std::collections::{BTreeMap, BTreeSet};

use h3o::{CellIndex, Resolution};
use proptest::prelude::*;

use super::model::{Step, World, description, index, kinds, steps, sums};
use super::*;
use crate::area::Area;
use crate::area::arbitrary::{Frame, Sketch, frames, offsets, sketches};
use crate::ledger::Outcome;
use crate::quantity::Quantity;
use crate::sensor::{SensorKey, SensorKind};
use crate::time::EPOCH_MS;

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
