//! The table of readings: one row for each reading that the dataflow applied, late ones too.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `epoch` | uint64 | when it arrived, and when it was known: 100 ms slices since 1970 |
//! | `sensor` | string | `agency/id` |
//! | `kind` | string | of the sensor |
//! | `quantity` | string | with its unit, such as `speed_kmh` |
//! | `cell` | uint64 | H3, resolution 9, where the sensor stood when the reading arrived |
//! | `event_time` | timestamp ms UTC | the sensor's |
//! | `value` | float64 | in the quantity's unit |
//! | `lateness` | string | `on_time`, `revised` (came late, its window was published again), `archived_only` (came too late for any window) |
//!
//! Sorted by (cell, sensor, event time, quantity). While they wait for the cut, readings take 21
//! bytes each: the epoch is kept once for all readings that share it.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::StringArray;
use citytwin_core::dataflow::{AppliedReading, Lateness};
use citytwin_core::quantity::Quantity;
use citytwin_core::time::Epoch;
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
    ("value", Kind::Measure),
    ("lateness", Kind::Name),
];

/// Rows handed to the encoder at once.
const BATCH_ROWS: usize = 32_768;

/// Lateness in the upper bits of a code.
const LATENESS_SHIFT: u32 = 6;
const QUANTITY_MASK: u8 = (1 << LATENESS_SHIFT) - 1;
const _: () = assert!(Quantity::COUNT <= QUANTITY_MASK as usize);

static LATENESS: LazyLock<Arc<StringArray>> =
    LazyLock::new(|| Arc::new(StringArray::from(vec!["on_time", "revised", "archived_only"])));

/// Readings that wait for the cut, by column.
#[derive(Debug, Default)]
pub(super) struct Readings {
    event_times: Vec<i64>,
    values: Vec<f64>,
    places: Vec<PlaceNumber>,
    /// Quantity and lateness.
    codes: Vec<u8>,
    /// An epoch and the row behind its last.
    epochs: Vec<(Epoch, u32)>,
}

impl Readings {
    pub(super) const fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn push(&mut self, reading: &AppliedReading, place: PlaceNumber) {
        self.event_times.push(reading.event_time.ms());
        self.values.push(reading.value);
        self.places.push(place);
        self.codes.push(code(reading));
        let end = u32::try_from(self.values.len()).expect("cut long before 2^32 readings");
        match self.epochs.last_mut() {
            Some((epoch, last)) if *epoch == reading.epoch => *last = end,
            Some(_) | None => self.epochs.push((reading.epoch, end)),
        }
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self, order: &Order) -> Result<Option<Vec<u8>>, ParquetError> {
        let rows = self.sorted(order);
        let epochs = self.epochs_by_row();
        let mut file = File::new(COLUMNS);
        for batch in rows.chunks(BATCH_ROWS) {
            let rows = || batch.iter().map(|row| *row as usize);
            let places = || rows().map(|row| self.places[row] as usize);
            file.push(vec![
                columns::numbers(rows().map(|row| epochs[row].number())),
                columns::names(rows().map(|row| self.places[row].cast_signed()), &order.ids),
                columns::kinds(places().map(|place| order.kinds[place])),
                columns::names(
                    rows().map(|row| i32::from(self.codes[row] & QUANTITY_MASK)),
                    columns::quantity_names(),
                ),
                columns::numbers(places().map(|place| order.cells[place])),
                columns::times(rows().map(|row| self.event_times[row])),
                columns::measures(rows().map(|row| self.values[row])),
                columns::names(
                    rows().map(|row| i32::from(self.codes[row] >> LATENESS_SHIFT)),
                    &LATENESS,
                ),
            ])?;
        }
        self.clear();
        file.finish()
    }

    /// Row numbers in the order of the file: counted into places by rank, then put in order of
    /// (event time, quantity) within each place, where they are nearly so already.
    fn sorted(&self, order: &Order) -> Vec<u32> {
        let mut ends = vec![0_u32; order.ranks.len() + 1];
        for place in &self.places {
            ends[order.ranks[*place as usize] as usize + 1] += 1;
        }
        for rank in 1..ends.len() {
            ends[rank] += ends[rank - 1];
        }
        let mut next = ends.clone();
        let mut rows = vec![0_u32; self.len()];
        for (row, place) in (0_u32..).zip(&self.places) {
            let slot = &mut next[order.ranks[*place as usize] as usize];
            rows[*slot as usize] = row;
            *slot += 1;
        }
        for bounds in ends.windows(2) {
            let group: Range<usize> = bounds[0] as usize..bounds[1] as usize;
            rows[group].sort_by_key(|row| {
                let row = *row as usize;
                (self.event_times[row], self.codes[row] & QUANTITY_MASK)
            });
        }
        rows
    }

    fn epochs_by_row(&self) -> Vec<Epoch> {
        let mut by_row = Vec::with_capacity(self.len());
        for (epoch, end) in &self.epochs {
            by_row.resize(*end as usize, *epoch);
        }
        by_row
    }

    /// Keeps the memory: the next cut is as large.
    fn clear(&mut self) {
        self.event_times.clear();
        self.values.clear();
        self.places.clear();
        self.codes.clear();
        self.epochs.clear();
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
