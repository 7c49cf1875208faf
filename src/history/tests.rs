//! History against plain models: a random past goes through the dataflow into an archive that is
//! cut at random, and at every moment what history says must be what lists and maps say.

use std::collections::BTreeMap;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use citytwin_core::area::Area;
use citytwin_core::dataflow::{self, ClosedEpoch};
use citytwin_core::frame::{Frame, Records, SensorChange};
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{ArrivalTime, Epoch, EventTime};
use citytwin_core::twin::{AreaAnswer, AreaQuery, Snapshot};
use citytwin_ingest::archive::{Archive, ArchiveSettings};
use h3o::Resolution;
use proptest::prelude::*;
use tempfile::TempDir;

use super::read::{Group, Span, Terms, WindowsWanted};
use super::*;

const START_MS: i64 = 1_700_000_000_000;
const SENSORS: u32 = 8;
const WINDOW_MS: i64 = 4_000;

/// Sensor, quantity, seconds that it lies behind the arrival (ahead if negative), value, how it
/// goes wrong.
type Told = (u32, u8, i64, u8, u8);

/// Epochs that pass, what arrives, whether the archive cuts.
type Step = (u64, Vec<Told>, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let told = (0..SENSORS, 1..4_u8, -3..40_i64, 0..9_u8, 0..12_u8);
    let step = (1..40_u64, prop::collection::vec(told, 0..12), prop::bool::weighted(0.2));
    prop::collection::vec(step, 1..25)
}

fn key(sensor: u32) -> SensorKey {
    SensorKey::parse(&format!("town/s{sensor}")).unwrap()
}

pub(super) fn described(sensor: u32, moved: bool) -> SensorChange {
    let away = f64::from(sensor) * 0.01 + if moved { 0.2 } else { 0.0 };
    SensorChange {
        index: SensorIndex::new(sensor),
        key: key(sensor),
        description: SensorDescription {
            kind: if sensor.is_multiple_of(2) { SensorKind::Radar } else { SensorKind::AirStation },
            position: Position::new(10.7 + away, 106.7).unwrap(),
            expected_interval_ms: 5_000,
            name: format!("sensor {sensor}"),
            link: if sensor < 4 { format!("link {}", sensor / 2) } else { String::new() },
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 50.0,
            lanes: 2,
        },
    }
}

/// The frames of a past: all sensors at first, one of them moves half-way.
fn frames(steps: &[Step]) -> Vec<Frame> {
    let mut epoch = Epoch::of(ArrivalTime::from_ms(START_MS)).number();
    let mut frames = Vec::new();
    for (number, (pass, told, cut)) in steps.iter().enumerate() {
        epoch += pass;
        let sensors = match number {
            0 => (0..SENSORS).map(|sensor| described(sensor, false)).collect(),
            5 => vec![described(3, true)],
            _ => Vec::new(),
        };
        let reading = |told: &Told| {
            let (sensor, quantity, behind_s, value, fault) = *told;
            Reading {
                event_time: EventTime::from_ms(
                    (Epoch::new(epoch).end().ms() / 1_000 - behind_s) * 1_000,
                ),
                value: f64::from(value),
                sensor: SensorIndex::new(sensor),
                quantity: Quantity::from_number(quantity).unwrap(),
                verdict: match fault {
                    0 => Verdict::Refused(RefusalReason::OutOfRange),
                    1 => Verdict::Refused(RefusalReason::ClockAhead),
                    _ => Verdict::Admitted,
                },
            }
        };
        let mut readings: Vec<Reading> = told.iter().map(reading).collect();
        // Within an epoch an archive does not keep the order of a series; see `as_of.rs`.
        readings.sort_by_key(|reading| reading.event_time);
        let records = Records { sensors, readings, dead_letters: Vec::new() };
        frames.push(Frame { epoch: Epoch::new(epoch), cut: *cut, records });
    }
    frames
}

fn settings() -> dataflow::Settings {
    dataflow::Settings {
        window_ms: WINDOW_MS,
        lateness_ms: 2_000,
        revision_horizon_ms: 30_000,
        ..dataflow::Settings::default()
    }
}

/// A past and everything that tells of it.
pub(super) struct Past {
    pub(super) closed: Vec<ClosedEpoch>,
    pub(super) archive: Archive,
    pub(super) history: History,
    pub(super) dir: TempDir,
}

impl Past {
    /// Everything that was closed, handed to an archive.
    fn of(steps: &[Step]) -> Past {
        let settings = settings();
        let closed = dataflow::fold(&settings, None, frames(steps));
        let dir = tempfile::tempdir().unwrap();
        let window_ms = u32::try_from(WINDOW_MS).unwrap();
        let mut archive =
            Archive::open(dir.path(), ArchiveSettings { window_ms, ..ArchiveSettings::default() })
                .unwrap();
        for epoch in &closed {
            archive.take(epoch).unwrap();
        }
        let history = History::open(
            archive.catalogue(),
            None,
            Settings {
                threads: 1,
                memory: 64 << 20,
                queries: 2,
                spill: dir.path().join("spill"),
                spill_bytes: 1 << 30,
                window_ms: WINDOW_MS,
                idle_after_ms: settings.idle_after_ms,
                shard_resolution: settings.shard_resolution,
            },
        );
        Past { closed, archive, history: history.unwrap(), dir }
    }

    pub(super) fn ask(&self, question: Question) -> Vec<RecordBatch> {
        wait(async { self.history.ask(question).await.unwrap().collect().await.unwrap() })
    }

    pub(super) fn as_of(&self, moment: Moment) -> AsOf {
        wait(self.history.as_of(moment)).unwrap()
    }

    fn last(&self) -> Epoch {
        self.closed.last().unwrap().snapshot.epoch
    }
}

pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn everything(snapshot: &Snapshot) -> AreaAnswer {
    let mut query = AreaQuery::new(Area::everywhere());
    query.resolution = Some(Resolution::Eight);
    query.include_sensors = true;
    snapshot.area(&query, None)
}

pub(super) fn texts(batch: &RecordBatch, column: usize) -> Vec<String> {
    let texts = cast(batch.column(column), &DataType::Utf8).unwrap();
    texts.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

pub(super) fn whole(batch: &RecordBatch, column: usize) -> Vec<i64> {
    let numbers = cast(batch.column(column), &DataType::Int64).unwrap();
    numbers.as_primitive::<Int64Type>().values().to_vec()
}

fn numbers(batch: &RecordBatch, column: usize) -> Vec<f64> {
    let numbers = cast(batch.column(column), &DataType::Float64).unwrap();
    numbers.as_primitive::<Float64Type>().values().to_vec()
}

/// Sums of a window: count, sum, minimum, maximum, whether it is closed.
type Sums = (i64, f64, f64, f64, bool);

/// The valid windows at the end: the highest revision of those published, and plain sums over the
/// readings of the rest.
fn plain_windows(closed: &[ClosedEpoch]) -> BTreeMap<(String, String, i64), Sums> {
    let mut all = BTreeMap::new();
    let mut running: BTreeMap<_, Sums> = BTreeMap::new();
    let watermark = closed.last().unwrap().snapshot.watermark.ms();
    for one in closed.iter().flat_map(|epoch| &epoch.windows) {
        let sums = &one.aggregate;
        let name = (key(one.sensor.number()).to_string(), one.quantity.name().to_owned());
        // Revisions are published in order.
        all.insert(
            (name.0, name.1, one.start.ms()),
            (i64::from(sums.count), sums.sum, sums.min, sums.max, true),
        );
    }
    for one in closed.iter().flat_map(|epoch| &epoch.readings) {
        let start = one.event_time.ms().div_euclid(WINDOW_MS) * WINDOW_MS;
        if start + WINDOW_MS <= watermark {
            continue;
        }
        let name = (key(one.sensor.number()).to_string(), one.quantity.name().to_owned(), start);
        let sums = running.entry(name).or_insert((0, 0.0, f64::MAX, f64::MIN, false));
        let (count, sum, min, max, _) = *sums;
        *sums = (count + 1, sum + one.value, min.min(one.value), max.max(one.value), false);
    }
    all.extend(running);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The city as of any epoch is the snapshot that was published then.
    #[test]
    fn as_known_equals_what_was_published(steps in steps(), picked in prop::collection::vec(any::<prop::sample::Index>(), 4)) {
        let past = Past::of(&steps);
        for index in picked {
            let then = &past.closed[index.index(past.closed.len())].snapshot;
            let moment = Moment { known_at: Some(then.epoch), ..Moment::default() };
            let found = past.as_of(moment);
            prop_assert_eq!(found.through, then.epoch);
            prop_assert_eq!(found.snapshot.watermark, then.watermark);
            prop_assert_eq!(everything(&found.snapshot), everything(then));
        }
    }

    /// The city as of any second has of each series the newest reading up to it that was known.
    #[test]
    fn as_of_a_second_equals_plain_maps(
        steps in steps(),
        back_s in 0..60_i64,
        picked in any::<prop::sample::Index>(),
    ) {
        let past = Past::of(&steps);
        let known = past.closed[picked.index(past.closed.len())].snapshot.epoch;
        let time = EventTime::from_ms(past.last().end().ms() - back_s * 1_000);
        let mut latest: BTreeMap<(SensorIndex, Quantity), (EventTime, f64)> = BTreeMap::new();
        for one in past.closed.iter().flat_map(|epoch| &epoch.readings) {
            if one.epoch <= known && one.event_time <= time {
                let slot = latest.entry((one.sensor, one.quantity));
                let slot = slot.or_insert((one.event_time, one.value));
                if one.event_time > slot.0 {
                    *slot = (one.event_time, one.value);
                }
            }
        }
        let moment = Moment { event_time: Some(time), known_at: Some(known), allow_partial: false };
        let found = everything(&past.as_of(moment).snapshot);
        let mut shown = BTreeMap::new();
        for sensor in &found.sensors {
            for one in &sensor.latest {
                shown.insert((sensor.index, one.quantity), (one.event_time, one.value));
            }
        }
        prop_assert_eq!(shown, latest);
    }

    /// Each reading is in the table once, archived or not; so with what was known before, and with
    /// those of a sensor that moved.
    #[test]
    fn readings_are_there_once(steps in steps(), picked in any::<prop::sample::Index>()) {
        let past = Past::of(&steps);
        let known = past.closed[picked.index(past.closed.len())].snapshot.epoch;
        let chosen: [(&str, &[u32]); 3] = [
            ("", &[0, 1, 2, 3, 4, 5, 6, 7]),
            (" WHERE sensor = 'town/s3'", &[3]),
            (" WHERE (sensor = 'town/s3' OR sensor IN ('town/s5', 'town/s1')) AND value >= 0", &[1, 3, 5]),
        ];
        for (known_at, (filter, sensors)) in
            [None, Some(known)].into_iter().flat_map(|known| chosen.map(|chosen| (known, chosen)))
        {
            let sql = "SELECT sensor, quantity, arrow_cast(event_time, 'Int64'), value, epoch \
                       FROM readings";
            let question = Question { known_at, ..Question::new(format!("{sql}{filter}")) };
            let mut found = Vec::new();
            for batch in past.ask(question) {
                let (sensors, quantities) = (texts(&batch, 0), texts(&batch, 1));
                let (times, values) = (whole(&batch, 2), numbers(&batch, 3));
                let epochs = batch.column(4).as_primitive::<Int64Type>();
                for row in 0..batch.num_rows() {
                    let name = (sensors[row].clone(), quantities[row].clone());
                    found.push((name, times[row], values[row].to_bits(), epochs.value(row).cast_unsigned()));
                }
            }
            let all = past.closed.iter().flat_map(|epoch| &epoch.readings);
            let mut expected: Vec<_> = all
                .filter(|one| known_at.is_none_or(|known| one.epoch <= known))
                .filter(|one| sensors.contains(&one.sensor.number()))
                .map(|one| {
                    let sensor = key(one.sensor.number()).to_string();
                    let name = (sensor, one.quantity.name().to_owned());
                    (name, one.event_time.ms(), one.value.to_bits(), one.epoch.number())
                })
                .collect();
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }

    /// Windows are the valid ones and those that run.
    #[test]
    fn windows_are_the_valid_ones(steps in steps()) {
        let past = Past::of(&steps);
        let sql = "SELECT sensor, quantity, arrow_cast(window_start, 'Int64'), count, sum, min, \
                   max, closed FROM windows";
        let mut found = BTreeMap::new();
        for batch in past.ask(Question::new(sql)) {
            let (sensors, quantities) = (texts(&batch, 0), texts(&batch, 1));
            let (starts, counts) = (whole(&batch, 2), whole(&batch, 3));
            let sums = [numbers(&batch, 4), numbers(&batch, 5), numbers(&batch, 6)];
            let closed = batch.column(7).as_boolean();
            for row in 0..batch.num_rows() {
                let name = (sensors[row].clone(), quantities[row].clone(), starts[row]);
                let sums = (counts[row], sums[0][row], sums[1][row], sums[2][row], closed.value(row));
                prop_assert!(found.insert(name, sums).is_none(), "a window is there twice");
            }
        }
        prop_assert_eq!(found, plain_windows(&past.closed));
    }

    /// Windows put together for the service are sums of the readings in them.
    #[test]
    fn windows_put_together_are_sums(steps in steps(), times in 1..4_i64) {
        let past = Past::of(&steps);
        let window_ms = WINDOW_MS * times;
        let wanted = WindowsWanted {
            terms: Terms { span: Span::default(), ..Terms::default() },
            window_ms,
            group: Group::All,
            kinds: vec![SensorKind::Radar],
            chosen: None,
        };
        let mut found = BTreeMap::new();
        for batch in past.ask(read::windows(&wanted)) {
            let (quantities, starts) = (texts(&batch, 1), whole(&batch, 2));
            let (sensors, counts, sums) = (whole(&batch, 3), whole(&batch, 4), numbers(&batch, 5));
            for row in 0..batch.num_rows() {
                found.insert(
                    (quantities[row].clone(), starts[row]),
                    (sensors[row], counts[row], sums[row]),
                );
            }
        }
        let mut expected: BTreeMap<_, (std::collections::BTreeSet<_>, i64, f64)> = BTreeMap::new();
        for ((sensor, quantity, start), sums) in plain_windows(&past.closed) {
            let even = sensor.ends_with(['0', '2', '4', '6']);
            if even {
                let start = start.div_euclid(window_ms) * window_ms;
                let slot = expected.entry((quantity, start)).or_default();
                slot.0.insert(sensor);
                slot.1 += sums.0;
                slot.2 += sums.1;
            }
        }
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|(name, (sensors, count, sum))| (name, (i64::try_from(sensors.len()).unwrap(), count, sum)))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// A past with something of everything.
pub(super) fn a_past() -> Past {
    let told = |n: u32| -> Vec<Told> {
        (0..SENSORS).map(|s| (s, 1, i64::from((s + n) % 5), 5, 9)).collect()
    };
    let steps: Vec<Step> = (0..20).map(|n| (10, told(n), n % 6 == 5)).collect();
    Past::of(&steps)
}
