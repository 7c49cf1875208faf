//! Outcomes for other programs: spreadsheets (CSV), data frames (Parquet), maps (GeoJSON, RFC
//! 7946). Rows go out as the figures come in, interval by interval; no file is held in memory.
//!
//! | file | rows | written by |
//! |---|---|---|
//! | `links.csv`, `links.parquet` | one for each link and interval | [`LinkTable`] |
//! | `links.geojson` | one line for each link: means and sums over the horizon | [`LinkLines`] |
//! | `differences.csv`, `.parquet` | one for each link that differs | [`write_differences`] |
//! | `differences.geojson` | one line for each link that differs | [`write_difference_lines`] |
//! | `zones.csv`, `cells.csv`, `.parquet` | one for each place and interval | [`PlaceTable`] |
//!
//! Every column of a measure ends with its unit. Vehicles are passenger-car equivalents: pcu.
//! Seconds count from the start of the outcome. Where a figure is missing, CSV has an empty field,
//! Parquet and GeoJSON have null. Same figures, same bytes.

mod differences;
mod links;
mod places;
mod table;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write;

use citytwin_proto::v1;
use geojson::{Feature, FeatureWriter, Geometry, GeometryValue, JsonObject};
use parquet::errors::ParquetError;
use thiserror::Error;

pub use differences::{write_difference_lines, write_differences};
pub use links::{LinkLines, LinkTable};
pub use places::{PlaceKind, PlaceTable};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// RFC 4180, UTF-8, a point before decimals.
    Csv,
    /// zstd, row groups of 262,144 rows.
    Parquet,
}

impl TableFormat {
    /// What a file's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            TableFormat::Csv => "csv",
            TableFormat::Parquet => "parquet",
        }
    }
}

/// Why a file was not written. What was written of it is of no use.
#[derive(Debug, Error)]
pub enum OutcomeFileError {
    /// As CSV.
    #[error("cannot write CSV")]
    Csv(#[from] csv::Error),
    /// As Parquet.
    #[error("cannot write Parquet")]
    Parquet(#[from] ParquetError),
    /// As GeoJSON.
    #[error("cannot write GeoJSON")]
    GeoJson(#[source] Box<geojson::Error>),
    /// The end of it.
    #[error("cannot write the end of the file")]
    End(#[from] std::io::Error),
}

impl From<geojson::Error> for OutcomeFileError {
    fn from(error: geojson::Error) -> OutcomeFileError {
        OutcomeFileError::GeoJson(Box::new(error))
    }
}

/// The links of a network by key: names, classes and lines for what figures say only by key.
#[derive(Clone, Debug, Default)]
pub struct RoadLinks<'a>(BTreeMap<&'a str, &'a v1::RoadLink>);

impl<'a> RoadLinks<'a> {
    /// Of a network. O(links log links).
    pub fn new(links: &'a [v1::RoadLink]) -> RoadLinks<'a> {
        RoadLinks(links.iter().map(|link| (&*link.key, link)).collect())
    }

    /// Links that a scenario adds are not in the network.
    fn get(&self, key: &str) -> Option<&'a v1::RoadLink> {
        self.0.get(key).copied()
    }

    fn name(&self, key: &str) -> &'a str {
        self.get(key).map_or("", |link| &link.name)
    }

    fn class(&self, key: &str) -> &'a str {
        self.get(key).map_or("", |link| &link.class)
    }

    /// A feature without geometry where there is no line, as RFC 7946 has it for what is nowhere.
    fn feature(&self, key: &str, properties: JsonObject) -> Feature {
        let line = self.get(key).map_or(&[][..], |link| &link.line);
        let points: Vec<_> =
            line.iter().map(|point| [point.longitude_deg, point.latitude_deg]).collect();
        let geometry =
            (points.len() > 1).then(|| Geometry::new(GeometryValue::new_line_string(points)));
        Feature {
            bbox: None,
            geometry,
            id: None,
            properties: Some(properties),
            foreign_members: None,
        }
    }
}

/// Ends a collection, also one without features.
fn finish<W: Write>(mut writer: FeatureWriter<W>) -> Result<(), OutcomeFileError> {
    writer.finish()?;
    Ok(writer.flush()?)
}
