//! Zones and cells of an outcome: a table of every place and interval.

use std::io::Write;

use citytwin_proto::v1;

use super::table::{Columns, Kind, Table, Value};
use super::{OutcomeFileError, TableFormat};

/// Which places a table is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// By key.
    Zones,
    /// H3 cells of resolution 9, by index in hexadecimal.
    Cells,
}

const ZONES: &Columns = &columns("zone");
const CELLS: &Columns = &columns("cell");

const fn columns(place: &'static str) -> [(&'static str, Kind); 8] {
    [
        ("interval_from_s", Kind::Number),
        ("interval_until_s", Kind::Number),
        (place, Kind::Text),
        ("distance_pcu_km", Kind::Number),
        ("time_pcu_h", Kind::Number),
        ("delay_pcu_h", Kind::Number),
        ("queue_pcu", Kind::Number),
        ("speed_kmh", Kind::Number),
    ]
}

/// `zones.csv`, `cells.csv` or the same as `.parquet`: a row for each place and interval.
///
/// | column | holds |
/// |---|---|
/// | `interval_from_s`, `interval_until_s` | seconds from the start |
/// | `zone` or `cell` | its key |
/// | `distance_pcu_km`, `time_pcu_h` | driven and spent there, pcu kilometres and pcu hours |
/// | `delay_pcu_h` | of the time, lost against free speed |
/// | `queue_pcu` | who waits at the end of the interval |
/// | `speed_kmh` | distance over time; missing where nobody was |
#[derive(Debug)]
pub struct PlaceTable<W: Write + Send> {
    table: Table<W>,
    kind: PlaceKind,
}

impl<W: Write + Send> PlaceTable<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(
        out: W,
        format: TableFormat,
        kind: PlaceKind,
    ) -> Result<PlaceTable<W>, OutcomeFileError> {
        let columns = match kind {
            PlaceKind::Zones => ZONES,
            PlaceKind::Cells => CELLS,
        };
        Ok(PlaceTable { table: Table::new(out, format, columns)?, kind })
    }

    /// The places of a part of an interval.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, figures: &v1::IntervalFigures) -> Result<(), OutcomeFileError> {
        let span = figures.interval.unwrap_or_default();
        let places = match self.kind {
            PlaceKind::Zones => &figures.zones,
            PlaceKind::Cells => &figures.cells,
        };
        for place in places {
            self.table.push(&[
                Value::Number(span.from_s),
                Value::Number(span.until_s),
                Value::Text(&place.key),
                Value::Number(place.vehicle_km),
                Value::Number(place.vehicle_h),
                Value::Number(place.delay_veh_h),
                Value::Number(place.queue_veh),
                Value::maybe(place.speed_kmh),
            ])?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> Result<(), OutcomeFileError> {
        self.table.finish()
    }
}
