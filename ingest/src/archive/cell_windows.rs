//! The table of cell windows: one row for each publication of a window of one H3 cell and
//! quantity.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `cell`, `resolution` | int64, int64 | H3, resolution 9 to 5 |
//! | `quantity`, `window_start`, `window_ms`, `revision`, `epoch` | as in windows | |
//! | `sensors` | int64 | how many sensors have readings in it |
//! | `count`, `sum`, `min`, `max`, `last` | int64, float64 | of the readings in it |
//! | `p15`, `p50`, `p85`, `p95` | float32 | quantiles of the readings, within 1 % |
//!
//! Row groups as in windows, sorted by (cell, window start, quantity, revision); cells of one
//! resolution lie together.

use arrow::array::ArrayRef;
use citytwin_core::window::CellWindowRow;

use super::columns::{self, Columns, Kind};
use super::places::PlaceList;
use super::waiting::{Rows, Wording};
use super::windows::GROUP_ROWS;

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

/// The cell windows of one epoch.
#[derive(Debug)]
pub(super) struct CellWindowRows {
    rows: Vec<CellWindowRow>,
}

impl CellWindowRows {
    pub(super) fn of(rows: &[CellWindowRow]) -> CellWindowRows {
        CellWindowRows { rows: rows.to_vec() }
    }
}

impl Rows for CellWindowRows {
    const COLUMNS: &'static Columns = COLUMNS;

    const GROUP_ROWS: Option<usize> = Some(GROUP_ROWS);

    type Row<'a> = &'a CellWindowRow;

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        self.rows.iter()
    }

    fn sort(rows: &mut Vec<Self::Row<'_>>, _places: &PlaceList) {
        // By number: cells themselves compare by where they lie, whatever their resolution.
        rows.sort_by_key(|row| (u64::from(row.cell), row.start, row.quantity, row.revision));
    }

    fn arrays(rows: &[Self::Row<'_>], wording: &Wording) -> Vec<ArrayRef> {
        let rows = || rows.iter();
        let quantile = |slot: usize| columns::estimates(rows().map(move |row| row.quantiles[slot]));
        vec![
            columns::numbers(rows().map(|row| u64::from(row.cell))),
            columns::counts(rows().map(|row| u32::from(u8::from(row.cell.resolution())))),
            columns::quantities(rows().map(|row| row.quantity)),
            columns::times(rows().map(|row| row.start.ms())),
            columns::counts(rows().map(|_| wording.window_ms)),
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
        ]
    }
}
