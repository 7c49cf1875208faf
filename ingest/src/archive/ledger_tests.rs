//! Frames through the real dataflow into files: what the files hold of a sensor, counted by
//! lateness and by reason, is its ledger.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use citytwin_core::dataflow::{Settings, fold};
use citytwin_core::frame::{Frame, Records};
use citytwin_core::ledger::LedgerEntry;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::EventTime;
use proptest::prelude::*;

use super::city_tests::{START, change};
use super::tests::{files, files_of, read, temporary};
use super::*;

/// Sensor, event time before the end of the epoch in half seconds, refused at the door.
pub(super) type Act = (u32, i64, Option<usize>);

/// Readings on time, late, repeated, far behind, refused.
pub(super) fn frames(epochs: Vec<(u64, Vec<Act>, bool)>) -> Vec<Frame> {
    let mut epoch = START;
    let sensors = (0..6).map(|n| change(n, 10.5 + f64::from(n) / 10.0)).collect();
    let records = Records { sensors, ..Records::default() };
    let mut frames = vec![Frame { epoch: Epoch::new(epoch), cut: false, records }];
    for (later, acts, cut) in epochs {
        epoch += later;
        let end = Epoch::new(epoch).end().ms();
        let reading = |(sensor, age, refused): Act| Reading {
            event_time: EventTime::from_ms((end - age * 500).div_euclid(500) * 500),
            value: if refused.is_some() { f64::NAN } else { 1.5 },
            sensor: SensorIndex::new(sensor),
            quantity: Quantity::SpeedKmh,
            verdict: refused.map_or(Verdict::Admitted, |slot| {
                Verdict::Refused(RefusalReason::all().nth(slot).unwrap())
            }),
        };
        let readings = acts.into_iter().map(reading).collect();
        let records = Records { readings, ..Records::default() };
        frames.push(Frame { epoch: Epoch::new(epoch), cut, records });
    }
    frames.last_mut().unwrap().cut = true;
    frames
}

/// Rows by sensor and the text in `column`.
fn counts(dir: &Path, table: &str, column: &str) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for path in files_of(&files(dir), table) {
        for batch in read(&dir.join(path)) {
            let text =
                |name: &str| cast(batch.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
            let (sensors, names) = (text("sensor"), text(column));
            for (sensor, name) in
                sensors.as_string::<i32>().iter().zip(names.as_string::<i32>().iter())
            {
                let key = (sensor.unwrap().to_owned(), name.unwrap().to_owned());
                *counts.entry(key).or_insert(0) += 1;
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn files_add_up_to_the_ledgers(
        epochs in prop::collection::vec(
            (
                1_u64..400,
                prop::collection::vec(
                    (0_u32..6, 0_i64..200, prop::option::weighted(0.1, 0_usize..4)), 0..40,
                ),
                prop::bool::weighted(0.1),
            ),
            1..20,
        ),
        workers in 1_usize..3,
    ) {
        let settings = Settings {
            workers, dedupe_horizon_ms: 40_000, revision_horizon_ms: 20_000,
            ..Settings::default()
        };
        let closed = fold(&settings, None, frames(epochs));
        let dir = temporary();
        let mut archive = Archive::open(dir.path(), ArchiveSettings::default()).unwrap();
        for epoch in &closed {
            archive.take(epoch).unwrap();
        }
        for cut in closed.iter().filter(|epoch| epoch.state.is_some()) {
            let (epoch, newest) = (cut.snapshot.epoch, cut.state.as_ref().unwrap().newest());
            let view = archive.catalogue().view();
            let (of, snapshot) = view.keyframe(epoch, Some(newest)).unwrap().unwrap();
            let first = closed.iter().find(|closed| closed.snapshot.epoch == of).unwrap();
            prop_assert_eq!(&snapshot, &*first.snapshot);
        }
        let readings = counts(dir.path(), "readings", "lateness");
        let refusals = counts(dir.path(), "refusals", "reason");
        let snapshot = &closed.last().unwrap().snapshot;
        for (sensor, registered) in snapshot.sensors.iter() {
            let key = registered.key.to_string();
            let count = |of: &BTreeMap<(String, String), u64>, name: &str| {
                of.get(&(key.clone(), name.to_owned())).copied().unwrap_or(0)
            };
            let mut counted = LedgerEntry {
                applied: count(&readings, "on_time"),
                late_applied: count(&readings, "revised") + count(&readings, "archived_only"),
                duplicate: count(&refusals, "duplicate"),
                ..LedgerEntry::default()
            };
            for reason in RefusalReason::all() {
                counted.refused[reason.slot()] = count(&refusals, reason.name());
            }
            prop_assert_eq!(counted, snapshot.view(sensor).unwrap().ledger);
        }
        for compacted in [false, true] {
            if compacted {
                archive.keeper().compact_all(Epoch::new(u64::MAX), || false, |_| ()).unwrap();
            }
            let verified = verify(dir.path(), |_| ()).unwrap();
            prop_assert_eq!(&verified.findings, &[]);
            let ledger = verified.ledger.unwrap();
            prop_assert_eq!((ledger.matched, ledger.mismatched), (6, vec![]));
        }
        let rows: u64 = readings.values().chain(refusals.values()).sum();
        prop_assert_eq!(rows, snapshot.ledger_total().received());
    }
}
