//! The table of sensors: one row for each registration or change of description, in order of
//! arrival.
//!
//! Columns: `epoch`, `sensor` (`agency/id`), `kind`, `latitude_deg`, `longitude_deg`, `cell` (H3,
//! resolution 9), `interval_ms`, `name`, `link`, `lane` (0 = all), `zone`, `free_flow_speed_kmh`
//! (0 = unknown), `lanes` (0 = unknown).

use citytwin_core::frame::SensorChange;
use citytwin_core::position::Position;
use citytwin_core::time::Epoch;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, Kind};
use super::places::CELL_RESOLUTION;

const COLUMNS: &Columns = &[
    ("epoch", Kind::Number),
    ("sensor", Kind::Text),
    ("kind", Kind::Name),
    ("latitude_deg", Kind::Measure),
    ("longitude_deg", Kind::Measure),
    ("cell", Kind::Cell),
    ("interval_ms", Kind::Few),
    ("name", Kind::Text),
    ("link", Kind::Text),
    ("lane", Kind::Few),
    ("zone", Kind::Name),
    ("free_flow_speed_kmh", Kind::Measure),
    ("lanes", Kind::Few),
];

/// Descriptions of sensors that wait for the cut.
#[derive(Debug, Default)]
pub(super) struct Sensors {
    rows: Vec<(Epoch, SensorChange)>,
}

impl Sensors {
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn push(&mut self, epoch: Epoch, change: &SensorChange) {
        self.rows.push((epoch, change.clone()));
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self) -> Result<Option<Vec<u8>>, ParquetError> {
        let all = std::mem::take(&mut self.rows);
        if all.is_empty() {
            return Ok(None);
        }
        let rows = || all.iter().map(|(_, change)| change);
        let descriptions = || rows().map(|change| &change.description);
        let positions = || descriptions().map(|description| description.position);
        let mut file = File::new(COLUMNS);
        file.push(vec![
            columns::numbers(all.iter().map(|(epoch, _)| epoch.number())),
            columns::texts(rows().map(|change| change.key.as_str())),
            columns::kinds(descriptions().map(|about| about.kind.number())),
            columns::measures(positions().map(Position::latitude_deg)),
            columns::measures(positions().map(Position::longitude_deg)),
            columns::numbers(positions().map(|position| position.cell(CELL_RESOLUTION).into())),
            columns::counts(descriptions().map(|about| about.expected_interval_ms)),
            columns::texts(descriptions().map(|about| about.name.as_str())),
            columns::texts(descriptions().map(|about| about.link.as_str())),
            columns::counts(descriptions().map(|about| about.lane)),
            columns::repeated(descriptions().map(|about| about.zone.as_str())),
            columns::measures(descriptions().map(|about| about.free_flow_speed_kmh)),
            columns::counts(descriptions().map(|about| about.lanes)),
        ])?;
        file.finish()
    }
}
