//! What the dataflow gives for every closed epoch: the snapshot, the rows that became final in
//! it, and at a cut the state from which it can go on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::{DeadLetter, SensorChange};
use crate::ledger::Outcome;
use crate::quantity::Quantity;
use crate::sensor::SensorIndex;
use crate::time::{Epoch, EventTime};
use crate::twin::Snapshot;
use crate::window::{CellWindowRow, WindowRow};

use super::state::EngineState;

/// How an applied reading stood to the watermark when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Lateness {
    /// Not older than the watermark: in its window when that closed.
    OnTime = 0,
    /// Older than the watermark, but its window was still open or held: in its window, which was
    /// published (again) because of it.
    Revised = 1,
    /// So late that its window was no longer held: archived, in no window.
    ArchivedOnly = 2,
}

/// A reading that is neither refused nor a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedReading {
    /// The sensor's time.
    pub event_time: EventTime,
    /// In the quantity's unit.
    pub value: f64,
    /// When it was logged.
    pub epoch: Epoch,
    /// Who measured.
    pub sensor: SensorIndex,
    /// What.
    pub quantity: Quantity,
    /// On time or late.
    pub lateness: Lateness,
}

/// A reading that does not count: a repeat, or refused at the door or by the dataflow. Its value is
/// not kept, it may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedReading {
    /// The sensor's time, which may be any.
    pub event_time: EventTime,
    /// When it was logged.
    pub epoch: Epoch,
    /// Who measured.
    pub sensor: SensorIndex,
    /// What.
    pub quantity: Quantity,
    /// [`Outcome::Duplicate`] or [`Outcome::Refused`].
    pub outcome: Outcome,
}

/// Everything one epoch gave. Equal frames give equal bytes, whatever the number of workers.
#[derive(Clone, Debug)]
pub struct ClosedEpoch {
    /// The twin, folded through this epoch.
    pub snapshot: Arc<Snapshot>,
    /// The readings of this epoch that count: frame by frame, in a large frame those of one home
    /// shard together; each sensor's in log order.
    pub readings: Vec<AppliedReading>,
    /// The other readings of this epoch, in the same order. With `readings` they are all that
    /// arrived: counted by sensor, lateness and outcome they are what its ledger gained.
    pub refusals: Vec<RefusedReading>,
    /// Windows closed or revised in it, by start, sensor, quantity.
    pub windows: Vec<WindowRow>,
    /// Cell windows closed or revised in it, by start, cell (coarse resolutions first), quantity.
    pub cell_windows: Vec<CellWindowRow>,
    /// Sensors described in it, in log order.
    pub sensors: Vec<SensorChange>,
    /// Dead letters of it, in log order.
    pub dead_letters: Vec<DeadLetter>,
    /// From where a later run goes on; present when the epoch ends with a cut.
    pub state: Option<EngineState>,
}
