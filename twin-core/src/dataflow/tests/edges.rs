//! The edges of the fold: silence, clocks that run ahead, half epochs, broken frames, a receiver
//! that goes, a worker that panics.

use std::sync::mpsc::sync_channel;
use std::thread;

use crate::frame::Frame;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::time::{EventTime, TimeMode};

use super::super::{ClosedEpoch, EngineError, EngineState, Lateness, Settings, fold, run};
use super::script::{at, describe, frame, settings, speed};

fn watermarks(closed: &[ClosedEpoch]) -> Vec<EventTime> {
    closed.iter().map(|epoch| epoch.snapshot.watermark).collect()
}

/// Runs over frames that end as a log ends when the process dies.
fn run_through(
    settings: &Settings,
    state: Option<EngineState>,
    frames: Vec<Frame>,
) -> (Vec<ClosedEpoch>, Result<(), EngineError>) {
    let (sender, frame_receiver) = sync_channel(frames.len().max(1));
    for frame in frames {
        sender.send(frame).unwrap();
    }
    drop(sender);
    let (closed, results) = sync_channel(1);
    thread::scope(|scope| {
        let running = scope.spawn(|| run(settings, state, frame_receiver, closed));
        let all = results.iter().collect();
        (all, running.join().unwrap())
    })
}

fn error_of(frames: Vec<Frame>) -> String {
    run_through(&settings(TimeMode::Live), None, frames).1.unwrap_err().to_string()
}

#[test]
fn a_refused_reading_ahead_of_time_moves_nothing() {
    let ahead = Reading {
        verdict: Verdict::Refused(RefusalReason::ClockAhead),
        ..speed(0, at(1) + 86_400_000, 50.0)
    };
    let frames = |extra: Vec<Reading>| {
        vec![
            frame(0, vec![describe(0, 0)], vec![speed(0, at(0), 40.0)]),
            frame(1, vec![], extra),
            frame(2, vec![], vec![speed(0, at(2), 41.0)]),
        ]
    };
    let with = fold(&settings(TimeMode::Live), None, frames(vec![ahead]));
    let without = fold(&settings(TimeMode::Live), None, frames(vec![]));
    assert_eq!(watermarks(&with), watermarks(&without));
    assert_eq!(with[2].snapshot.watermark.ms(), at(2) - 3_000);
    assert_eq!(with[2].snapshot.ledger_total().refused[RefusalReason::ClockAhead.slot()], 1);
}

#[test]
fn silence_moves_the_watermark_of_a_living_city_only() {
    let frames = vec![
        frame(0, vec![describe(0, 0)], vec![speed(0, at(0), 40.0)]),
        frame(1_000, vec![], vec![]),
    ];
    let live = fold(&settings(TimeMode::Live), None, frames.clone());
    assert_eq!(live[1].snapshot.watermark.ms(), at(1_000) - 3_000 - 5_000);
    assert_eq!((live[1].windows.len(), live[1].cell_windows.len()), (1, 5));
    let event = fold(&settings(TimeMode::Event), None, frames);
    assert_eq!(event[1].snapshot.watermark.ms(), at(0) - 3_000);
    assert_eq!(event[1].windows, []);
}

#[test]
fn epochs_without_a_frame_give_nothing_and_empty_frames_give_a_snapshot() {
    let closed = fold(
        &settings(TimeMode::Live),
        None,
        vec![frame(0, vec![], vec![]), frame(5, vec![], vec![]), frame(5, vec![], vec![])],
    );
    let epochs: Vec<_> = closed.iter().map(|epoch| epoch.snapshot.epoch).collect();
    assert_eq!(epochs, [frame(0, vec![], vec![]).epoch, frame(5, vec![], vec![]).epoch]);
}

#[test]
fn half_an_epoch_is_never_published_and_continues_after_the_restart() {
    let settings = settings(TimeMode::Live);
    let cut = Frame { cut: true, ..frame(0, vec![describe(0, 0)], vec![speed(0, at(0), 1.0)]) };
    let half = frame(1, vec![], vec![speed(0, at(1), 2.0)]);
    let other_half = frame(1, vec![], vec![speed(0, at(1), 2.0), speed(0, at(1) + 1, 3.0)]);
    let next = frame(2, vec![], vec![]);
    let (before, result) = run_through(&settings, None, vec![cut.clone(), half.clone()]);
    assert!(result.is_ok());
    assert_eq!(before.len(), 1);
    let state = before[0].state.clone();
    let (after, _) =
        run_through(&settings, state, vec![half.clone(), other_half.clone(), next.clone()]);
    let whole = fold(&settings, None, vec![cut, half, other_half, next]);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].snapshot, whole[1].snapshot);
    assert_eq!(after[0].readings, whole[1].readings);
    assert_eq!(after[0].readings.len(), 2);
}

#[test]
fn frames_that_break_the_order_of_the_log_are_named() {
    let cut = Frame { cut: true, ..frame(3, vec![], vec![]) };
    let (empty, unknown) = (vec![], speed(0, at(0), 1.0));
    assert_eq!(
        error_of(vec![cut, frame(3, vec![], vec![])]),
        "frame of epoch 17000000003 follows the close of epoch 17000000003"
    );
    assert_eq!(
        error_of(vec![frame(4, empty.clone(), vec![]), frame(3, empty.clone(), vec![])]),
        "frame of epoch 17000000003 follows a frame of epoch 17000000004"
    );
    assert_eq!(
        error_of(vec![frame(0, empty, vec![unknown])]),
        "frame of epoch 17000000000 has a reading of sensor number 0, which no frame described"
    );
    assert_eq!(
        error_of(vec![frame(0, vec![describe(1, 0)], vec![])]),
        "frame of epoch 17000000000 describes sensor number 1, but only 0 are known"
    );
}

#[test]
fn windows_of_another_length_are_refused() {
    let cut = Frame { cut: true, ..frame(0, vec![], vec![]) };
    let state = fold(&settings(TimeMode::Live), None, vec![cut])[0].state.clone();
    let other = Settings { window_ms: 60_000, ..settings(TimeMode::Live) };
    let error = run_through(&other, state, vec![]).1.unwrap_err().to_string();
    assert!(error.contains("window_ms = 10000, the settings say 60000"), "{error}");
}

#[test]
fn it_ends_when_nobody_takes_closed_epochs() {
    let (sender, frames) = sync_channel(2);
    sender.send(frame(0, vec![], vec![])).unwrap();
    sender.send(frame(1, vec![], vec![])).unwrap();
    let (closed, results) = sync_channel(1);
    drop(results);
    let outcome = run(&settings(TimeMode::Live), None, frames, closed);
    assert!(matches!(outcome, Err(EngineError::ReceiverGone)), "{outcome:?}");
}

#[test]
fn a_worker_that_panics_ends_the_run() {
    for workers in [1, 2] {
        let settings = Settings { workers, ..settings(TimeMode::Live) };
        let sensors: Vec<_> = (0..20).map(|sensor| describe(sensor, sensor)).collect();
        for sensor in 0..20 {
            let broken = speed(sensor, at(0), f64::NAN);
            let frames = vec![frame(0, sensors.clone(), vec![broken]), frame(1, vec![], vec![])];
            let (_, outcome) = run_through(&settings, None, frames);
            assert!(matches!(outcome, Err(EngineError::Panicked)), "{outcome:?}");
        }
    }
}

#[test]
fn late_readings_revise_what_is_held_and_no_more() {
    let settings = settings(TimeMode::Event);
    // Windows of 10 s, from the start of the script's first whole one.
    let zero = at(0).div_euclid(10_000) * 10_000 + 10_000;
    let closed = fold(
        &settings,
        None,
        vec![
            frame(0, vec![describe(0, 0), describe(1, 0)], vec![speed(0, zero, 40.0)]),
            frame(1, vec![], vec![speed(0, zero + 13_000, 60.0)]),
            frame(2, vec![], vec![speed(0, zero + 1, 50.0), speed(1, zero + 2, 10.0)]),
            frame(3, vec![], vec![speed(0, zero + 3, 30.0)]),
            frame(4, vec![], vec![speed(0, zero + 48_000, 1.0)]),
            frame(5, vec![], vec![speed(1, zero + 5, 30.0), speed(1, zero + 10_000, 30.0)]),
        ],
    );
    let rows = |epoch: usize| -> Vec<(u32, u32, u32)> {
        let rows = closed[epoch].windows.iter();
        rows.map(|row| (row.sensor.number(), row.revision, row.aggregate.count)).collect()
    };
    assert_eq!(rows(0), []);
    assert_eq!(rows(1), [(0, 0, 1)]);
    assert_eq!(rows(2), [(0, 1, 2), (1, 0, 1)]);
    assert_eq!(rows(3), [(0, 2, 3)]);
    assert_eq!(rows(4), [(0, 0, 1)]);
    assert_eq!(rows(5), []);
    let revisions: Vec<u32> = closed[3].cell_windows.iter().map(|row| row.revision).collect();
    assert_eq!(revisions, [2; 5]);
    assert!(closed[5].readings.iter().all(|one| one.lateness == Lateness::ArchivedOnly));
    assert_eq!(closed[5].readings.len(), 2);
    assert_eq!(closed[5].snapshot.ledger_total().late_applied, 5);
}
