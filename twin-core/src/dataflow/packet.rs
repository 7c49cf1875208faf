//! What travels between the operators, and to which worker. Everything of one home shard goes to
//! one worker, in log order, for life; so does everything of one resolution 5 cell in the roll-up.

use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};

use crate::ledger::Outcome;
use crate::position::Position;
use crate::quantity::Quantity;
use crate::reading::Reading;
use crate::sensor::{SensorDescription, SensorIndex};
use crate::time::EventTime;

use super::cells::Partial;
use super::closed::Lateness;
use super::publish::Part;

/// The finest cells that windows are summed up for.
pub(super) const BASE_RESOLUTION: Resolution = Resolution::Nine;

/// The coarsest.
pub(super) const TOP_RESOLUTION: Resolution = Resolution::Five;

/// From the feeder to the worker numbered `to`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Packet {
    pub(super) to: u64,
    pub(super) cargo: Cargo,
}

/// One message type for all, so that the order of the log is kept on every worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Cargo {
    Sensors(Vec<Settlement>),
    Readings(Batch),
    Close(Close),
}

/// A sensor that was described, first or anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settlement {
    pub(super) sensor: SensorIndex,
    pub(super) home: CellIndex,
    pub(super) description: SensorDescription,
}

/// Readings of one frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) readings: Vec<Reading>,
    /// Their positions among all readings of the epoch. Empty with one worker, whose order is
    /// that of the log.
    pub(super) ordinals: Vec<u32>,
}

/// The end of an epoch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Close {
    /// The watermark from now on.
    pub(super) watermark: EventTime,
    /// Whether the state is wanted.
    pub(super) cut: bool,
}

/// Between the operators of one worker. The close carries the epoch's part along, to which each
/// operator adds what it has.
#[derive(Debug)]
pub(super) enum Step {
    Sensors(Vec<Settlement>),
    Readings(Vec<Reading>, Vec<Judgement>),
    Close(Close, Box<Part>),
}

/// What dedupe says of a reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    /// The worker's number of the series, and how late the reading is, when it counts.
    pub(super) counts: Option<(u32, Lateness)>,
}

/// From the windows to the roll-up of the worker numbered `to`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RollupPacket {
    pub(super) to: u64,
    pub(super) cargo: RollupCargo,
}

/// What the roll-up eats.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum RollupCargo {
    Partials(Vec<CellPartial>),
    Close(Close),
}

/// What the sensors of one home shard gave to one cell's window: all of it when the window
/// closes, later what late readings add.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CellPartial {
    pub(super) start: i64,
    pub(super) key: PartialKey,
    pub(super) partial: Partial,
}

/// In the order in which partials are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct PartialKey {
    pub(super) quantity: Quantity,
    pub(super) cell: CellIndex,
    pub(super) home: CellIndex,
}

/// The worker of a cell: a fixed hash (Fibonacci), the same in every run.
pub(super) fn worker_of(cell: CellIndex, workers: usize) -> u64 {
    let mixed = u64::from(cell).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 32)) % (workers as u64)
}

/// The finest cell of a position that windows are summed up for.
pub(super) fn base_cell(position: Position) -> CellIndex {
    position.cell(BASE_RESOLUTION)
}

/// The cell's ancestor, or itself.
pub(super) fn ancestor(cell: CellIndex, resolution: Resolution) -> CellIndex {
    cell.parent(resolution).expect("base cells are finer than every rolled up resolution")
}
