//! The table of sensors: one row for each registration or change of description, in order of
//! arrival.
//!
//! Columns: `epoch`, `sensor` (`agency/id`), `kind`, `latitude_deg`, `longitude_deg`, `cell` (H3,
//! resolution 9), `interval_ms`, `name`, `link`, `lane` (0 = all), `zone`, `free_flow_speed_kmh`
//! (0 = unknown), `lanes` (0 = unknown).

use arrow::array::ArrayRef;
use citytwin_core::frame::SensorChange;
use citytwin_core::position::Position;
use citytwin_core::time::Epoch;

use super::columns::{self, Columns, Kind};
use super::places::{CELL_RESOLUTION, PlaceList};
use super::waiting::{Rows, Wording};

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

/// What was said of sensors in one epoch.
#[derive(Debug)]
pub(super) struct SensorRows {
    epoch: Epoch,
    changes: Vec<SensorChange>,
}

impl SensorRows {
    pub(super) fn of(epoch: Epoch, changes: &[SensorChange]) -> SensorRows {
        SensorRows { epoch, changes: changes.to_vec() }
    }
}

impl Rows for SensorRows {
    const COLUMNS: &'static Columns = COLUMNS;

    type Row<'a> = (Epoch, &'a SensorChange);

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        self.changes.iter().map(|change| (self.epoch, change))
    }

    fn sort(_rows: &mut Vec<Self::Row<'_>>, _places: &PlaceList) {}

    fn arrays(rows: &[Self::Row<'_>], _wording: &Wording) -> Vec<ArrayRef> {
        let epochs = rows.iter().map(|(epoch, _)| epoch.number());
        let rows = || rows.iter().map(|(_, change)| *change);
        let descriptions = || rows().map(|change| &change.description);
        let positions = || descriptions().map(|description| description.position);
        vec![
            columns::numbers(epochs),
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
        ]
    }
}
