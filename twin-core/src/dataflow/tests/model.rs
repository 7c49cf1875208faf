//! The model: the same fold with plain maps, all readings kept, everything counted anew.

use std::collections::{BTreeMap, BTreeSet};

use h3o::{CellIndex, Resolution};
use proptest::prelude::*;

use crate::frame::Frame;
use crate::ledger::{LedgerEntry, Outcome};
use crate::quantity::Quantity;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::time::{Epoch, EventTime, TimeMode};
use crate::window::Aggregate;

use super::super::feeder::LARGE_FRAME;
use super::super::{ClosedEpoch, Lateness, Settings, fold};
use super::script::{script, settings};

type SeriesKey = (u32, Quantity);

/// A reading in a window: event time, value, sensor.
type Kept = (i64, f64, u32);

/// Readings of one window row, how often it was published, whether it has changed since.
#[derive(Debug, Default)]
struct Cell {
    kept: Vec<Kept>,
    /// Base cell and sensor.
    seen: BTreeSet<(CellIndex, u32)>,
    published: u32,
    changed: bool,
}

#[derive(Debug, Default)]
struct Model {
    cells_of: Vec<CellIndex>,
    /// By sensor: its home and the home's number in order of registration.
    homes: Vec<(CellIndex, usize)>,
    seen: BTreeMap<SeriesKey, BTreeSet<i64>>,
    ledgers: Vec<LedgerEntry>,
    latest: BTreeMap<SeriesKey, (i64, f64, Epoch)>,
    windows: BTreeMap<(i64, u32, Quantity), Cell>,
    cells: BTreeMap<(i64, CellIndex, Quantity), Cell>,
    readings: Vec<(Reading, Lateness)>,
    refusals: Vec<(Reading, Outcome)>,
    /// By sensor, of all rows that were given.
    counted: Vec<LedgerEntry>,
    watermark: i64,
    newest: i64,
}

impl Model {
    fn take(&mut self, frame: &Frame, settings: &Settings) {
        for change in &frame.records.sensors {
            let cell = change.description.position.cell(Resolution::Nine);
            if change.index.slot() == self.cells_of.len() {
                self.cells_of.push(cell);
                let home = change.description.position.cell(Resolution::Six);
                let known = self.homes.iter().find(|(known, _)| *known == home).map(|(_, n)| *n);
                let next = self.homes.iter().map(|(_, n)| n + 1).max().unwrap_or(0);
                self.homes.push((home, known.unwrap_or(next)));
                self.ledgers.push(LedgerEntry::default());
                self.counted.push(LedgerEntry::default());
            }
            self.cells_of[change.index.slot()] = cell;
        }
        for reading in &gathered(frame, &self.homes) {
            let outcome = self.judge(reading, settings);
            self.ledgers[reading.sensor.slot()].count(outcome);
            if matches!(outcome, Outcome::Applied | Outcome::LateApplied) {
                self.apply(reading, frame.epoch, settings);
            } else {
                self.refusals.push((*reading, outcome));
            }
            if reading.verdict == Verdict::Admitted {
                self.newest = self.newest.max(reading.event_time.ms());
            }
        }
    }

    fn judge(&mut self, reading: &Reading, settings: &Settings) -> Outcome {
        if let Verdict::Refused(reason) = reading.verdict {
            return Outcome::Refused(reason);
        }
        let time = reading.event_time.ms();
        let seen = self.seen.entry((reading.sensor.number(), reading.quantity)).or_default();
        if seen.last().is_some_and(|newest| time < newest - settings.dedupe_horizon_ms) {
            return Outcome::Refused(RefusalReason::BehindDedupeHorizon);
        }
        match (seen.insert(time), time < self.watermark) {
            (false, _) => Outcome::Duplicate,
            (true, false) => Outcome::Applied,
            (true, true) => Outcome::LateApplied,
        }
    }

    fn apply(&mut self, reading: &Reading, epoch: Epoch, settings: &Settings) {
        let (time, sensor, quantity) =
            (reading.event_time.ms(), reading.sensor.number(), reading.quantity);
        let latest = self.latest.entry((sensor, quantity)).or_insert((i64::MIN, 0.0, epoch));
        if time > latest.0 {
            *latest = (time, reading.value, epoch);
        }
        let start = time.div_euclid(settings.window_ms) * settings.window_ms;
        let held_from = self.watermark.saturating_sub(settings.revision_horizon_ms);
        let lateness = match (time < self.watermark, start + settings.window_ms > held_from) {
            (false, _) => Lateness::OnTime,
            (true, true) => Lateness::Revised,
            (true, false) => Lateness::ArchivedOnly,
        };
        self.readings.push((*reading, lateness));
        if lateness == Lateness::ArchivedOnly {
            return;
        }
        let base = self.cells_of[reading.sensor.slot()];
        let keep = |cell: &mut Cell| {
            cell.kept.push((time, reading.value, sensor));
            cell.seen.insert((base, sensor));
            cell.changed = true;
        };
        keep(self.windows.entry((start, sensor, quantity)).or_default());
        for resolution in 5..=9 {
            let resolution = Resolution::try_from(resolution).unwrap();
            let cell = base.parent(resolution).unwrap();
            keep(self.cells.entry((start, cell, quantity)).or_default());
        }
    }

    /// Closes an epoch and holds what the dataflow gave against it.
    fn close(&mut self, given: &ClosedEpoch, settings: &Settings) {
        let epoch = given.snapshot.epoch;
        self.watermark = self.watermark.max(self.newest.saturating_sub(settings.lateness_ms));
        if settings.mode == TimeMode::Live {
            let silent = epoch.end().ms() - settings.lateness_ms - settings.idle_after_ms;
            self.watermark = self.watermark.max(silent);
        }
        assert_eq!(given.snapshot.watermark.ms(), self.watermark, "watermark of {epoch}");
        self.check_readings(given);
        self.check_refusals(given);
        self.check_snapshot(given);
        let due = |start: &i64, watermark: i64| start + settings.window_ms <= watermark;
        let mut rows = given.windows.iter();
        for ((start, sensor, quantity), cell) in &mut self.windows {
            if !cell.changed || !due(start, self.watermark) {
                continue;
            }
            let row = rows.next().expect("a row for every window that closes or changes");
            let key = (row.start.ms(), row.sensor.number(), row.quantity, row.revision, row.epoch);
            assert_eq!(key, (*start, *sensor, *quantity, cell.published, epoch));
            cell.check(&row.aggregate);
        }
        assert_eq!(rows.next(), None);
        let mut rows = given.cell_windows.iter();
        for ((start, place, quantity), cell) in &mut self.cells {
            if !cell.changed || !due(start, self.watermark) {
                continue;
            }
            let row = rows.next().expect("a row for every cell that closes or changes");
            let key = (row.start.ms(), row.cell, row.quantity, row.revision, row.epoch);
            assert_eq!(key, (*start, *place, *quantity, cell.published, epoch));
            assert_eq!(row.sensors as usize, cell.seen.len());
            cell.check_quantiles(row.quantiles);
            cell.check(&row.aggregate);
        }
        assert_eq!(rows.next(), None);
        let held_from = self.watermark.saturating_sub(settings.revision_horizon_ms);
        self.windows.retain(|(start, ..), _| !due(start, held_from));
        self.cells.retain(|(start, ..), _| !due(start, held_from));
    }

    fn check_readings(&mut self, given: &ClosedEpoch) {
        let expected = std::mem::take(&mut self.readings);
        assert_eq!(given.readings.len(), expected.len());
        for (applied, (reading, lateness)) in given.readings.iter().zip(expected) {
            let series = (applied.sensor, applied.quantity, applied.event_time);
            assert_eq!(series, (reading.sensor, reading.quantity, reading.event_time));
            assert_eq!(applied.value.to_bits(), reading.value.to_bits());
            assert_eq!((applied.lateness, applied.epoch), (lateness, given.snapshot.epoch));
        }
    }

    fn check_refusals(&mut self, given: &ClosedEpoch) {
        let expected = std::mem::take(&mut self.refusals);
        assert_eq!(given.refusals.len(), expected.len());
        for (refused, (reading, outcome)) in given.refusals.iter().zip(expected) {
            let series = (refused.sensor, refused.quantity, refused.event_time);
            assert_eq!(series, (reading.sensor, reading.quantity, reading.event_time));
            assert_eq!((refused.outcome, refused.epoch), (outcome, given.snapshot.epoch));
        }
    }

    /// Counts the rows themselves: what the archive holds must make up the ledgers.
    fn count(&mut self, given: &ClosedEpoch) {
        for applied in &given.readings {
            let outcome = match applied.lateness {
                Lateness::OnTime => Outcome::Applied,
                Lateness::Revised | Lateness::ArchivedOnly => Outcome::LateApplied,
            };
            self.counted[applied.sensor.slot()].count(outcome);
        }
        for refused in &given.refusals {
            self.counted[refused.sensor.slot()].count(refused.outcome);
        }
    }

    fn check_snapshot(&mut self, given: &ClosedEpoch) {
        self.count(given);
        let snapshot = &given.snapshot;
        assert_eq!(snapshot.sensors.len(), self.cells_of.len());
        for (sensor, registered) in snapshot.sensors.iter() {
            let shard = snapshot.shard(registered.home).expect("a shard for every home");
            let row = shard.position_of(sensor).expect("every sensor is in its home");
            assert_eq!(shard.ledger(row), self.ledgers[sensor.slot()], "ledger of {sensor:?}");
            assert_eq!(shard.ledger(row), self.counted[sensor.slot()], "rows of {sensor:?}");
            let series =
                (sensor.number(), Quantity::SpeedKmh)..(sensor.number() + 1, Quantity::SpeedKmh);
            let expected: Vec<_> = self
                .latest
                .range(series)
                .map(|((_, quantity), (time, value, epoch))| (*quantity, *time, *value, *epoch))
                .collect();
            let given: Vec<_> = shard
                .latest(row)
                .map(|(q, slot, stamp)| (q, stamp.event_time.ms(), slot.value, stamp.updated))
                .collect();
            assert_eq!(given, expected);
        }
    }
}

/// The readings in the order they are fed.
fn gathered(frame: &Frame, homes: &[(CellIndex, usize)]) -> Vec<Reading> {
    let mut readings = frame.records.readings.clone();
    if readings.len() >= LARGE_FRAME {
        readings.sort_by_key(|reading| homes[reading.sensor.slot()].1);
    }
    readings
}

impl Cell {
    /// The aggregate by brute force; the values are quarters, so that sums are exact.
    fn check(&mut self, given: &Aggregate) {
        let values = || self.kept.iter().map(|(_, value, _)| *value);
        let last_time = self.kept.iter().map(|(time, ..)| *time).max().unwrap();
        let last = self.kept.iter().filter(|(time, ..)| *time == last_time);
        assert_eq!(given.count as usize, self.kept.len());
        assert_eq!(given.sum.to_bits(), (values().sum::<f64>() + 0.0).to_bits());
        assert_eq!(given.min.to_bits(), values().fold(f64::INFINITY, f64::min).to_bits());
        assert_eq!(given.max.to_bits(), values().fold(f64::NEG_INFINITY, f64::max).to_bits());
        assert_eq!(given.last_time, EventTime::from_ms(last_time));
        assert!(last.map(|(_, value, _)| value.to_bits()).any(|bits| bits == given.last.to_bits()));
        self.published += 1;
        self.changed = false;
    }

    fn check_quantiles(&self, given: [f64; 4]) {
        let mut values: Vec<f64> = self.kept.iter().map(|(_, value, _)| *value).collect();
        values.sort_by(f64::total_cmp);
        for (percent, given) in [15, 50, 85, 95].into_iter().zip(given) {
            let exact = values[percent * (values.len() - 1) / 100];
            assert!((given - exact).abs() <= 0.01 * exact.abs(), "{given} for {exact}");
        }
    }
}

fn check(frames: &[Frame], settings: &Settings) {
    let closed = fold(settings, None, frames.to_vec());
    let mut model = Model { watermark: i64::MIN, newest: i64::MIN, ..Model::default() };
    let mut closed = closed.iter();
    for (n, frame) in frames.iter().enumerate() {
        model.take(frame, settings);
        if frames.get(n + 1).is_none_or(|next| next.epoch > frame.epoch) {
            let given = closed.next().expect("every epoch with a frame closes");
            assert_eq!(given.snapshot.epoch, frame.epoch);
            assert_eq!(given.state.is_some(), frame.cut);
            model.close(given, settings);
        }
    }
    assert!(closed.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_gives_what_plain_maps_give(frames in script(), event in proptest::bool::ANY) {
        let mode = if event { TimeMode::Event } else { TimeMode::Live };
        check(&frames, &settings(mode));
    }

    #[test]
    fn without_horizons_too(frames in script()) {
        let none = Settings {
            lateness_ms: 0,
            revision_horizon_ms: 0,
            dedupe_horizon_ms: 0,
            ..settings(TimeMode::Live)
        };
        check(&frames, &none);
    }
}
