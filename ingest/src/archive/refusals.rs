//! The table of refusals: one row for each reading of a known sensor that does not count, repeats
//! too. With the readings they are all that arrived: rows by `lateness` there and by `reason` here
//! add up to the ledger of each sensor.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `epoch`, `sensor`, `kind`, `quantity`, `cell` | as in readings | |
//! | `event_time` | timestamp ms UTC | the sensor's; any number, if that is why it was refused |
//! | `reason` | string | `duplicate`, or why it was refused: `out_of_range`, `not_finite`, `clock_ahead`, `too_old`, `behind_dedupe_horizon` |
//!
//! Sorted by (cell, sensor, event time, quantity), repeats in order of arrival. The value is not
//! kept: of a repeat it is with the readings, of the others it may be anything.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, StringArray};
use citytwin_core::dataflow::RefusedReading;
use citytwin_core::ledger::Outcome;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::RefusalReason;
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::{Epoch, EventTime};

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
    ("reason", Kind::Name),
];

/// Names by [`reason_key`].
static REASONS: LazyLock<Arc<StringArray>> = LazyLock::new(|| {
    let refused = RefusalReason::all().map(Outcome::Refused);
    let all = std::iter::once(Outcome::Duplicate).chain(refused);
    Arc::new(StringArray::from_iter_values(all.map(Outcome::name)))
});

/// The refusals of one epoch.
#[derive(Debug)]
pub(super) struct RefusalRows {
    epoch: Epoch,
    rows: Vec<RefusalRow>,
}

/// One refusal, in 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalRow {
    event_time: EventTime,
    place: PlaceNumber,
    quantity: Quantity,
    /// As in [`reason_key`].
    reason: u8,
}

impl RefusalRows {
    pub(super) fn of(
        epoch: Epoch,
        refusals: &[RefusedReading],
        mut place: impl FnMut(SensorIndex) -> PlaceNumber,
    ) -> RefusalRows {
        let row = |refused: &RefusedReading| RefusalRow {
            event_time: refused.event_time,
            place: place(refused.sensor),
            quantity: refused.quantity,
            reason: reason_key(refused.outcome),
        };
        RefusalRows { epoch, rows: refusals.iter().map(row).collect() }
    }
}

impl Rows for RefusalRows {
    const COLUMNS: &'static Columns = COLUMNS;

    type Row<'a> = (Epoch, &'a RefusalRow);

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        self.rows.iter().map(|row| (self.epoch, row))
    }

    fn sort(rows: &mut Vec<Self::Row<'_>>, places: &PlaceList) {
        let key = |(_, row): Self::Row<'_>| (row.event_time, row.quantity);
        sort_by_place(rows, places, |(_, row)| row.place, key);
    }

    fn arrays(rows: &[Self::Row<'_>], wording: &Wording) -> Vec<ArrayRef> {
        let words = wording.places.words();
        let epochs = rows.iter().map(|(epoch, _)| *epoch);
        let rows = || rows.iter().map(|(_, row)| *row);
        vec![
            columns::numbers(epochs.map(Epoch::number)),
            columns::names(rows().map(|row| row.place.cast_signed()), &words.ids),
            columns::kinds(rows().map(|row| words.kinds[row.place as usize])),
            columns::quantities(rows().map(|row| row.quantity)),
            columns::numbers(rows().map(|row| words.cells[row.place as usize])),
            columns::times(rows().map(|row| row.event_time.ms())),
            columns::names(rows().map(|row| i32::from(row.reason)), &REASONS),
        ]
    }
}

/// 0 for a repeat, else the number of the reason.
///
/// # Panics
/// On an outcome that counts: the dataflow gives those as readings.
fn reason_key(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Duplicate => 0,
        Outcome::Refused(reason) => reason.number(),
        Outcome::Applied | Outcome::LateApplied => {
            unreachable!("readings that count are no refusals")
        }
    }
}
