//! [`Fold`] against the dataflow: from the rows of closed epochs, the same snapshots.

use proptest::prelude::*;

use crate::frame::Frame;
use crate::ledger::Outcome;
use crate::reading::{Reading, Verdict};
use crate::time::{EventTime, TimeMode};
use crate::twin::{Fold, Snapshot};

use super::super::{ClosedEpoch, Lateness, Settings, fold};
use super::script::{script, settings};

/// What is known of the log through an epoch: that and the rows behind it are all that history has.
#[derive(Clone)]
struct Known {
    snapshot: Snapshot,
    newest: EventTime,
}

/// Takes in what one epoch gave. Readings that count come before those that do not, as they do
/// from an archive.
fn take(fold: &mut Fold, closed: &ClosedEpoch, newest: &mut EventTime) {
    let epoch = closed.snapshot.epoch;
    fold.register(&closed.sensors, epoch);
    for row in &closed.readings {
        let (sensor, quantity) = (row.sensor, row.quantity);
        let (event_time, value) = (row.event_time, row.value);
        let outcome = match row.lateness {
            Lateness::OnTime => Outcome::Applied,
            Lateness::Revised | Lateness::ArchivedOnly => Outcome::LateApplied,
        };
        *newest = event_time.max(*newest);
        let verdict = Verdict::Admitted;
        fold.record(&Reading { event_time, value, sensor, quantity, verdict }, outcome, epoch);
    }
    for row in &closed.refusals {
        let (event_time, sensor, quantity) = (row.event_time, row.sensor, row.quantity);
        let (value, verdict) = (f64::NAN, Verdict::Admitted);
        fold.record(&Reading { event_time, value, sensor, quantity, verdict }, row.outcome, epoch);
    }
    fold.set_aside(&closed.dead_letters, epoch);
}

/// Folds on from what is known; closes every n-th epoch and the last.
fn check(known: &Known, rest: &[ClosedEpoch], settings: &Settings, every: usize) {
    let mut fold = Fold::new(&known.snapshot, settings.shard_resolution);
    let mut newest = known.newest;
    let mut held = Vec::new();
    for (n, closed) in (1..).zip(rest) {
        take(&mut fold, closed, &mut newest);
        let epoch = closed.snapshot.epoch;
        if n % every == 0 || n == rest.len() {
            let watermark = settings.watermark_rule().at(newest, epoch);
            let snapshot = fold.close(epoch, watermark);
            assert!(snapshot == *closed.snapshot, "{snapshot:?}\n{:?}", closed.snapshot);
            held.push((snapshot, closed));
        }
    }
    for (snapshot, closed) in held {
        assert!(snapshot == *closed.snapshot, "what was given does not change");
    }
}

fn check_all(frames: &[Frame], settings: &Settings, every: usize) {
    let closed = fold(settings, None, frames.to_vec());
    let Settings { mode, lateness_ms, stuck_after_ms, .. } = *settings;
    let empty = Snapshot::empty(mode, lateness_ms, stuck_after_ms);
    let mut known = Known { snapshot: empty, newest: EventTime::MIN };
    check(&known, &closed, settings, every);
    for (n, epoch) in closed.iter().enumerate() {
        let times = epoch.readings.iter().map(|row| row.event_time);
        known.newest = times.fold(known.newest, EventTime::max);
        known.snapshot = Snapshot::clone(&epoch.snapshot);
        if let Some(state) = &epoch.state {
            assert_eq!(known.newest, state.newest());
            check(&known, &closed[n + 1..], settings, every);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_gives_the_snapshots_of_the_dataflow(frames in script(), every in 1..9_usize) {
        check_all(&frames, &settings(TimeMode::Live), every);
    }

    #[test]
    fn recorded_data_too(frames in script()) {
        check_all(&frames, &settings(TimeMode::Event), 1);
    }
}
