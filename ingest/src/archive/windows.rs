//! The table of windows: one row for each publication of a window of one sensor and quantity.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `sensor`, `kind`, `quantity`, `cell` | as in readings | `cell`: where the sensor stands when it is published |
//! | `window_start` | timestamp ms UTC | begin, in event time |
//! | `window_ms` | int64 | length |
//! | `revision` | int64 | 0, then one more each time a late reading changed it; the highest is valid |
//! | `epoch` | int64 | when it was published |
//! | `count`, `sum`, `min`, `max` | int64, float64 | of the readings in it |
//! | `last`, `last_time` | float64, timestamp ms UTC | the one with the latest event time |
//!
//! A row group is the windows of a minute or so, sorted by (cell, sensor, window start, quantity,
//! revision), and packed as soon as it is full: waiting rows take memory for one row group only.

use arrow::array::ArrayRef;
use citytwin_core::sensor::SensorIndex;
use citytwin_core::window::WindowRow;

use super::columns::{self, Columns, Kind};
use super::places::{PlaceList, PlaceNumber, sort_by_place};
use super::waiting::{Rows, Wording};

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
pub(super) const GROUP_ROWS: usize = if cfg!(test) { 64 } else { 65_536 };

/// The windows of one epoch, each with the place of its sensor.
#[derive(Debug)]
pub(super) struct WindowRows {
    rows: Vec<(PlaceNumber, WindowRow)>,
}

impl WindowRows {
    pub(super) fn of(
        windows: &[WindowRow],
        mut place: impl FnMut(SensorIndex) -> PlaceNumber,
    ) -> WindowRows {
        WindowRows { rows: windows.iter().map(|row| (place(row.sensor), row.clone())).collect() }
    }
}

impl Rows for WindowRows {
    const COLUMNS: &'static Columns = COLUMNS;

    const GROUP_ROWS: Option<usize> = Some(GROUP_ROWS);

    type Row<'a> = &'a (PlaceNumber, WindowRow);

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        self.rows.iter()
    }

    fn sort(rows: &mut Vec<Self::Row<'_>>, places: &PlaceList) {
        sort_by_place(
            rows,
            places,
            |(place, _)| *place,
            |(_, row)| (row.start, row.quantity, row.revision),
        );
    }

    fn arrays(rows: &[Self::Row<'_>], wording: &Wording) -> Vec<ArrayRef> {
        let words = wording.places.words();
        let places = || rows.iter().map(|(place, _)| *place);
        let rows = || rows.iter().map(|(_, row)| row);
        vec![
            columns::names(places().map(u32::cast_signed), &words.ids),
            columns::kinds(places().map(|place| words.kinds[place as usize])),
            columns::quantities(rows().map(|row| row.quantity)),
            columns::numbers(places().map(|place| words.cells[place as usize])),
            columns::times(rows().map(|row| row.start.ms())),
            columns::counts(rows().map(|_| wording.window_ms)),
            columns::counts(rows().map(|row| row.revision)),
            columns::numbers(rows().map(|row| row.epoch.number())),
            columns::counts(rows().map(|row| row.aggregate.count)),
            columns::measures(rows().map(|row| row.aggregate.sum)),
            columns::measures(rows().map(|row| row.aggregate.min)),
            columns::measures(rows().map(|row| row.aggregate.max)),
            columns::measures(rows().map(|row| row.aggregate.last)),
            columns::times(rows().map(|row| row.aggregate.last_time.ms())),
        ]
    }
}
