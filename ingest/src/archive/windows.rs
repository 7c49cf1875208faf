//! The table of windows: one row for each publication of a window of one sensor and quantity.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `sensor`, `kind`, `quantity`, `cell` | as in readings | `cell`: where the sensor stands when it is published |
//! | `window_start` | timestamp ms UTC | begin, in event time |
//! | `window_ms` | uint32 | length |
//! | `revision` | uint32 | 0, then one more each time a late reading changed it; the highest is valid |
//! | `epoch` | uint64 | when it was published |
//! | `count`, `sum`, `min`, `max` | uint32, float64 | of the readings in it |
//! | `last`, `last_time` | float64, timestamp ms UTC | the one with the latest event time |
//!
//! A row group is the windows of a minute or so, sorted by (cell, sensor, window start, quantity,
//! revision), and packed as soon as it is full: waiting rows take memory for one row group only.

use citytwin_core::window::WindowRow;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, Kind};
use super::places::{Order, PlaceNumber};

const COLUMNS: &Columns = &[
    ("sensor", Kind::Id),
    ("kind", Kind::Name),
    ("quantity", Kind::Name),
    ("cell", Kind::Cell),
    ("window_start", Kind::Time),
    ("window_ms", Kind::Few),
    ("revision", Kind::Few),
    ("epoch", Kind::Number),
    ("count", Kind::Count),
    ("sum", Kind::Measure),
    ("min", Kind::Measure),
    ("max", Kind::Measure),
    ("last", Kind::Measure),
    ("last_time", Kind::Time),
];

/// Rows that make a row group; those of one epoch stay together.
pub(super) const GROUP_ROWS: usize = 65_536;

/// Windows that wait for the cut.
#[derive(Debug)]
pub(super) struct Windows {
    window_ms: u32,
    rows: Vec<(PlaceNumber, WindowRow)>,
    file: File,
}

impl Windows {
    pub(super) fn new(window_ms: u32) -> Windows {
        Windows { window_ms, rows: Vec::new(), file: File::new(COLUMNS) }
    }

    /// Rows that still refer to places.
    pub(super) const fn waiting(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn encoded_bytes(&self) -> usize {
        self.file.encoded_bytes()
    }

    pub(super) fn push(&mut self, row: &WindowRow, place: PlaceNumber) {
        self.rows.push((place, row.clone()));
    }

    /// Packs what waits into a row group.
    pub(super) fn end_row_group(&mut self, order: &Order) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.sort_unstable_by_key(|(place, row)| {
            (order.ranks[*place as usize], row.start, row.quantity, row.revision)
        });
        let rows = || self.rows.iter().map(|(_, row)| row);
        let places = || self.rows.iter().map(|(place, _)| *place);
        self.file.push(vec![
            columns::names(places().map(u32::cast_signed), &order.ids),
            columns::kinds(places().map(|place| order.kinds[place as usize])),
            columns::quantities(rows().map(|row| row.quantity)),
            columns::numbers(places().map(|place| order.cells[place as usize])),
            columns::times(rows().map(|row| row.start.ms())),
            columns::counts(rows().map(|_| self.window_ms)),
            columns::counts(rows().map(|row| row.revision)),
            columns::numbers(rows().map(|row| row.epoch.number())),
            columns::counts(rows().map(|row| row.aggregate.count)),
            columns::measures(rows().map(|row| row.aggregate.sum)),
            columns::measures(rows().map(|row| row.aggregate.min)),
            columns::measures(rows().map(|row| row.aggregate.max)),
            columns::measures(rows().map(|row| row.aggregate.last)),
            columns::times(rows().map(|row| row.aggregate.last_time.ms())),
        ])?;
        self.rows.clear();
        self.file.end_row_group()
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self, order: &Order) -> Result<Option<Vec<u8>>, ParquetError> {
        self.end_row_group(order)?;
        self.file.finish()
    }
}
