//! The table of cell windows: one row for each publication of a window of one H3 cell and
//! quantity.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `cell`, `resolution` | uint64, uint32 | H3, resolution 9 to 5 |
//! | `quantity`, `window_start`, `window_ms`, `revision`, `epoch` | as in windows | |
//! | `sensors` | uint32 | how many sensors have readings in it |
//! | `count`, `sum`, `min`, `max`, `last` | uint32, float64 | of the readings in it |
//! | `p15`, `p50`, `p85`, `p95` | float32 | quantiles of the readings, within 1 % |
//!
//! Row groups as in windows, sorted by (cell, window start, quantity, revision); cells of one
//! resolution lie together.

use citytwin_core::window::CellWindowRow;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, Kind};

const COLUMNS: &Columns = &[
    ("cell", Kind::Cell),
    ("resolution", Kind::Few),
    ("quantity", Kind::Name),
    ("window_start", Kind::Time),
    ("window_ms", Kind::Few),
    ("revision", Kind::Few),
    ("epoch", Kind::Number),
    ("sensors", Kind::Count),
    ("count", Kind::Count),
    ("sum", Kind::Measure),
    ("min", Kind::Measure),
    ("max", Kind::Measure),
    ("last", Kind::Measure),
    ("p15", Kind::Estimate),
    ("p50", Kind::Estimate),
    ("p85", Kind::Estimate),
    ("p95", Kind::Estimate),
];

/// Cell windows that wait for the cut.
#[derive(Debug)]
pub(super) struct CellWindows {
    window_ms: u32,
    rows: Vec<CellWindowRow>,
    file: File,
}

impl CellWindows {
    pub(super) fn new(window_ms: u32) -> CellWindows {
        CellWindows { window_ms, rows: Vec::new(), file: File::new(COLUMNS) }
    }

    pub(super) const fn waiting(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn encoded_bytes(&self) -> usize {
        self.file.encoded_bytes()
    }

    pub(super) fn push(&mut self, row: &CellWindowRow) {
        self.rows.push(row.clone());
    }

    /// Packs what waits into a row group.
    pub(super) fn end_row_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        self.rows.sort_unstable_by_key(|row| (row.cell, row.start, row.quantity, row.revision));
        let rows = || self.rows.iter();
        let quantile = |slot: usize| columns::estimates(rows().map(move |row| row.quantiles[slot]));
        self.file.push(vec![
            columns::numbers(rows().map(|row| u64::from(row.cell))),
            columns::counts(rows().map(|row| u32::from(u8::from(row.cell.resolution())))),
            columns::quantities(rows().map(|row| row.quantity)),
            columns::times(rows().map(|row| row.start.ms())),
            columns::counts(rows().map(|_| self.window_ms)),
            columns::counts(rows().map(|row| row.revision)),
            columns::numbers(rows().map(|row| row.epoch.number())),
            columns::counts(rows().map(|row| row.sensors)),
            columns::counts(rows().map(|row| row.aggregate.count)),
            columns::measures(rows().map(|row| row.aggregate.sum)),
            columns::measures(rows().map(|row| row.aggregate.min)),
            columns::measures(rows().map(|row| row.aggregate.max)),
            columns::measures(rows().map(|row| row.aggregate.last)),
            quantile(0),
            quantile(1),
            quantile(2),
            quantile(3),
        ])?;
        self.rows.clear();
        self.file.end_row_group()
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self) -> Result<Option<Vec<u8>>, ParquetError> {
        self.end_row_group()?;
        self.file.finish()
    }
}
