//! The table of readings: one row for each reading that the dataflow applied, late ones too.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `epoch` | int64 | when it arrived, and when it was known: 100 ms slices since 1970 |
//! | `sensor` | string | `agency/id` |
//! | `kind` | string | of the sensor |
//! | `quantity` | string | with its unit, such as `speed_kmh` |
//! | `cell` | int64 | H3, resolution 9, where the sensor stood when the reading arrived |
//! | `event_time` | timestamp ms UTC | the sensor's |
//! | `value` | float64 | in the quantity's unit |
//! | `lateness` | string | `on_time`, `revised` (came late, its window was published again), `archived_only` (came too late for any window) |
//!
//! Sorted by (cell, sensor, event time, quantity). While they wait, readings take 21 bytes each.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, StringArray};
use citytwin_core::dataflow::{AppliedReading, Lateness};
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::Epoch;

use super::columns::{self, Columns, Kind};
use super::places::{PlaceList, PlaceNumber, sort_by_place};
use super::waiting::{Rows, Wording};

const COLUMNS: &Columns = &[
    ("epoch", Kind::Number),
    ("sensor", Kind::Id),
    ("kind", Kind::Name),
    ("quantity", Kind::Name),
    ("cell", Kind::Cell),
    ("event_time", Kind::Time),
    ("value", Kind::Measure),
    ("lateness", Kind::Name),
];

/// Lateness in the upper bits of a code.
const LATENESS_SHIFT: u32 = 6;
const QUANTITY_MASK: u8 = (1 << LATENESS_SHIFT) - 1;
const _: () = assert!(Quantity::COUNT <= QUANTITY_MASK as usize);

static LATENESS: LazyLock<Arc<StringArray>> =
    LazyLock::new(|| Arc::new(StringArray::from(vec!["on_time", "revised", "archived_only"])));

/// The readings of one epoch, by column.
#[derive(Debug)]
pub(super) struct ReadingRows {
    epoch: Epoch,
    event_times: Vec<i64>,
    values: Vec<f64>,
    places: Vec<PlaceNumber>,
    /// Quantity and lateness.
    codes: Vec<u8>,
}

impl ReadingRows {
    pub(super) fn of(
        epoch: Epoch,
        readings: &[AppliedReading],
        mut place: impl FnMut(SensorIndex) -> PlaceNumber,
    ) -> ReadingRows {
        ReadingRows {
            epoch,
            event_times: readings.iter().map(|reading| reading.event_time.ms()).collect(),
            values: readings.iter().map(|reading| reading.value).collect(),
            places: readings.iter().map(|reading| place(reading.sensor)).collect(),
            codes: readings.iter().map(code).collect(),
        }
    }
}

impl Rows for ReadingRows {
    const COLUMNS: &'static Columns = COLUMNS;

    /// Those of an epoch, and a position among them.
    type Row<'a> = (&'a ReadingRows, usize);

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        (0..self.values.len()).map(move |at| (self, at))
    }

    fn sort(rows: &mut Vec<Self::Row<'_>>, places: &PlaceList) {
        let place = |(of, at): Self::Row<'_>| of.places[at];
        sort_by_place(rows, places, place, |(of, at)| {
            (of.event_times[at], of.codes[at] & QUANTITY_MASK)
        });
    }

    fn arrays(rows: &[Self::Row<'_>], wording: &Wording) -> Vec<ArrayRef> {
        let words = wording.places.words();
        let rows = || rows.iter().copied();
        let places = || rows().map(|(of, at)| of.places[at] as usize);
        let codes = || rows().map(|(of, at)| of.codes[at]);
        vec![
            columns::numbers(rows().map(|(of, _)| of.epoch.number())),
            columns::names(rows().map(|(of, at)| of.places[at].cast_signed()), &words.ids),
            columns::kinds(places().map(|place| words.kinds[place])),
            columns::names(
                codes().map(|code| i32::from(code & QUANTITY_MASK)),
                columns::quantity_names(),
            ),
            columns::numbers(places().map(|place| words.cells[place])),
            columns::times(rows().map(|(of, at)| of.event_times[at])),
            columns::measures(rows().map(|(of, at)| of.values[at])),
            columns::names(codes().map(|code| i32::from(code >> LATENESS_SHIFT)), &LATENESS),
        ]
    }
}

fn code(reading: &AppliedReading) -> u8 {
    let lateness = match reading.lateness {
        Lateness::OnTime => 0,
        Lateness::Revised => 1,
        Lateness::ArchivedOnly => 2,
    };
    (reading.quantity.number() - 1) | lateness << LATENESS_SHIFT
}
