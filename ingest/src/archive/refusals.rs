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

use arrow::array::StringArray;
use citytwin_core::dataflow::RefusedReading;
use citytwin_core::ledger::Outcome;
use citytwin_core::reading::RefusalReason;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, Kind};
use super::places::{Order, PlaceNumber};

const COLUMNS: &Columns = &[
    ("epoch", Kind::Number),
    ("sensor", Kind::Id),
    ("kind", Kind::Name),
    ("quantity", Kind::Name),
    ("cell", Kind::Cell),
    ("event_time", Kind::Time),
    ("reason", Kind::Name),
];

/// Rows handed to the encoder at once.
const BATCH_ROWS: usize = 32_768;

/// Names by [`reason_key`].
static REASONS: LazyLock<Arc<StringArray>> = LazyLock::new(|| {
    let refused = RefusalReason::all().map(Outcome::Refused);
    let all = std::iter::once(Outcome::Duplicate).chain(refused);
    Arc::new(StringArray::from_iter_values(all.map(Outcome::name)))
});

/// Refusals that wait for the cut.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    rows: Vec<(PlaceNumber, RefusedReading)>,
}

impl Refusals {
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, refused: &RefusedReading, place: PlaceNumber) {
        self.rows.push((place, *refused));
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self, order: &Order) -> Result<Option<Vec<u8>>, ParquetError> {
        let mut all = std::mem::take(&mut self.rows);
        all.sort_by_key(|(place, row)| {
            (order.ranks[*place as usize], row.event_time, row.quantity)
        });
        let mut file = File::new(COLUMNS);
        for batch in all.chunks(BATCH_ROWS) {
            let rows = || batch.iter().map(|(_, row)| row);
            let places = || batch.iter().map(|(place, _)| *place);
            file.push(vec![
                columns::numbers(rows().map(|row| row.epoch.number())),
                columns::names(places().map(u32::cast_signed), &order.ids),
                columns::kinds(places().map(|place| order.kinds[place as usize])),
                columns::quantities(rows().map(|row| row.quantity)),
                columns::numbers(places().map(|place| order.cells[place as usize])),
                columns::times(rows().map(|row| row.event_time.ms())),
                columns::names(rows().map(|row| reason_key(row.outcome)), &REASONS),
            ])?;
        }
        file.finish()
    }
}

/// 0 for a repeat, else the number of the reason.
///
/// # Panics
/// On an outcome that counts: the dataflow gives those as readings.
fn reason_key(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Duplicate => 0,
        Outcome::Refused(reason) => i32::from(reason.number()),
        Outcome::Applied | Outcome::LateApplied => {
            unreachable!("readings that count are no refusals")
        }
    }
}
