//! The part of a shard that changes only when a sensor is settled: who lives there, where, and
//! the bounds of blocks of residents. Shared between snapshots by pointer.
//!
//! Residents are sorted by (cell of resolution 15, sensor). H3 keeps the children of a cell next
//! to each other in that order, so a block is compact on the ground and the residents of any
//! coarser cell are neighbours.

use serde::{Deserialize, Serialize};

use crate::area::{Extent, Spot};
use crate::position::Position;
use crate::sensor::{DEFAULT_INTERVAL_MS, SensorDescription, SensorIndex, SensorKind};
use crate::time::Epoch;

/// Residents of a block.
pub(crate) const BLOCK: usize = 64;

/// What a shard knows of one sensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resident {
    /// H3 cell of resolution 15, as number.
    pub cell: u64,
    /// Who.
    pub sensor: SensorIndex,
    /// Where.
    pub position: Position,
    /// The rest that questions need.
    pub profile: Profile,
}

/// What questions need of a description.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Free-flow speed of the link in km/h; 0 = unknown.
    pub free_flow_speed_kmh: f64,
    /// The epoch of the registration or newest description.
    pub settled: Epoch,
    /// Expected interval, milliseconds.
    pub interval_ms: u32,
    /// What it is.
    pub kind: SensorKind,
}

impl Resident {
    /// From its description.
    pub fn new(sensor: SensorIndex, description: &SensorDescription, epoch: Epoch) -> Resident {
        let interval_ms = match description.expected_interval_ms {
            0 => DEFAULT_INTERVAL_MS,
            stated => stated,
        };
        let speed = description.free_flow_speed_kmh;
        Resident {
            cell: description.position.cell(h3o::Resolution::Fifteen).into(),
            sensor,
            position: description.position,
            profile: Profile {
                free_flow_speed_kmh: if speed.is_finite() { speed.max(0.0) } else { 0.0 },
                settled: epoch,
                interval_ms,
                kind: description.kind,
            },
        }
    }
}

/// The residents of a shard, column by column, with the bounds of each block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Resident>", into = "Vec<Resident>")]
pub(crate) struct Layout {
    pub(crate) cells: Vec<u64>,
    pub(crate) sensors: Vec<SensorIndex>,
    pub(crate) positions: Vec<Position>,
    pub(crate) vectors: Vec<[f64; 3]>,
    pub(crate) profiles: Vec<Profile>,
    /// Bounds of rows `64 i .. 64 (i + 1)`.
    pub(crate) blocks: Vec<Extent>,
    /// Bounds of all.
    pub(crate) whole: Extent,
    /// Open addressing by sensor: row + 1, or 0 where free. At most half full.
    rows: Vec<u32>,
}

impl From<Vec<Resident>> for Layout {
    fn from(mut residents: Vec<Resident>) -> Layout {
        residents.sort_unstable_by_key(|resident| (resident.cell, resident.sensor));
        let mut layout = Layout {
            cells: residents.iter().map(|resident| resident.cell).collect(),
            sensors: residents.iter().map(|resident| resident.sensor).collect(),
            positions: residents.iter().map(|resident| resident.position).collect(),
            vectors: residents.iter().map(|resident| resident.position.unit_vector()).collect(),
            profiles: residents.iter().map(|resident| resident.profile).collect(),
            blocks: Vec::with_capacity(residents.len().div_ceil(BLOCK)),
            whole: Extent::EMPTY,
            rows: vec![0; (2 * residents.len()).next_power_of_two()],
        };
        layout.whole = Extent::of(layout.spots(0..layout.len()));
        for start in (0..layout.len()).step_by(BLOCK) {
            let end = layout.len().min(start + BLOCK);
            layout.blocks.push(Extent::of(layout.spots(start..end)));
        }
        for row in 0..layout.len() {
            layout.enter(row);
        }
        layout
    }
}

impl From<Layout> for Vec<Resident> {
    fn from(layout: Layout) -> Vec<Resident> {
        (0..layout.len()).map(|row| layout.resident(row)).collect()
    }
}

impl Layout {
    /// How many residents.
    pub(crate) fn len(&self) -> usize {
        self.sensors.len()
    }

    /// The resident in a row.
    pub(crate) fn resident(&self, row: usize) -> Resident {
        Resident {
            cell: self.cells[row],
            sensor: self.sensors[row],
            position: self.positions[row],
            profile: self.profiles[row],
        }
    }

    /// The spot of the resident in a row.
    pub(crate) fn spot(&self, row: usize) -> Spot {
        Spot { position: self.positions[row], vector: self.vectors[row], cell: self.cells[row] }
    }

    /// The row of a sensor; one or two probes.
    pub(crate) fn row(&self, sensor: SensorIndex) -> Option<usize> {
        let mask = self.rows.len() - 1;
        let mut slot = self.first_slot(sensor);
        loop {
            let row = (self.rows[slot] as usize).checked_sub(1)?;
            if self.sensors[row] == sensor {
                return Some(row);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn spots(&self, rows: std::ops::Range<usize>) -> impl Iterator<Item = Spot> + Clone {
        rows.map(|row| self.spot(row))
    }

    fn enter(&mut self, row: usize) {
        let mask = self.rows.len() - 1;
        let mut slot = self.first_slot(self.sensors[row]);
        while self.rows[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.rows[slot] = u32::try_from(row + 1).expect("sensor numbers are 32 bits wide");
    }

    /// Fibonacci hashing: the high bits of the product are well mixed.
    fn first_slot(&self, sensor: SensorIndex) -> usize {
        let product = u64::from(sensor.number()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        usize::try_from(product).expect("32 bits fit") & (self.rows.len() - 1)
    }
}
