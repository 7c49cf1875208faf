//! The promises of the fold: the same bytes with any number of workers, and over restarts.

use proptest::prelude::*;

use crate::frame::Frame;
use crate::time::TimeMode;

use super::super::{ClosedEpoch, EngineState, Settings, fold};
use super::script::{script, settings};

/// Everything an epoch gave, as bytes.
fn bytes(closed: &ClosedEpoch) -> Vec<u8> {
    let all = (
        &closed.snapshot,
        (&closed.readings, &closed.refusals),
        &closed.windows,
        &closed.cell_windows,
        &closed.sensors,
        &closed.dead_letters,
        &closed.state,
    );
    postcard::to_allocvec(&all).unwrap()
}

fn all_bytes(closed: &[ClosedEpoch]) -> Vec<Vec<u8>> {
    closed.iter().map(bytes).collect()
}

fn with_workers(workers: usize) -> Settings {
    Settings { workers, ..settings(TimeMode::Live) }
}

/// The state as a later process reads it.
fn reread(state: &EngineState) -> EngineState {
    let written = postcard::to_allocvec(state).unwrap();
    let read: EngineState = postcard::from_bytes(&written).unwrap();
    assert_eq!(postcard::to_allocvec(&read).unwrap(), written);
    assert_eq!(read, *state);
    read
}

fn behind(frames: &[Frame], state: &EngineState) -> Vec<Frame> {
    frames.iter().filter(|frame| frame.epoch > state.epoch).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_number_of_workers_gives_the_same_bytes(frames in script()) {
        let one = all_bytes(&fold(&with_workers(1), None, frames.clone()));
        for workers in [2, 3] {
            let several = all_bytes(&fold(&with_workers(workers), None, frames.clone()));
            prop_assert!(one == several, "{workers} workers");
        }
    }

    #[test]
    fn a_restart_at_any_cut_changes_nothing(frames in script(), workers in 1usize..4) {
        let whole = fold(&with_workers(1), None, frames.clone());
        for (n, cut) in whole.iter().enumerate() {
            let Some(state) = &cut.state else { continue };
            let rest = behind(&frames, state);
            let settings = with_workers(workers);
            let from_memory = fold(&settings, Some(state.clone()), rest.clone());
            let from_file = fold(&settings, Some(reread(state)), rest);
            prop_assert!(all_bytes(&from_memory) == all_bytes(&whole[n + 1..]));
            prop_assert!(all_bytes(&from_file) == all_bytes(&whole[n + 1..]));
        }
    }
}
