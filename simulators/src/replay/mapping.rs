//! How the columns of a recorded file become readings, as TOML: [`Mapping`]. Raw text becomes a
//! checked mapping in one step; an error names the key, the value and what is allowed.
//!
//! ```toml
//! agency = "healthyair"
//! kind = "air_station"
//! expected_interval_s = 3600
//! missing = ["", "NA"]              # cells that hold nothing; more per column
//!
//! [time]
//! column = "date"                   # or start = "…" and step_s = …, one step a row
//! format = "%d-%m-%Y %H:%M"         # chrono's letters, or rfc3339, unix_s, unix_ms
//! utc_offset = "+07:00"             # of times that do not say it themselves; no zones with DST
//!
//! [sensor]                          # long layout: a row holds one sensor at one time
//! column = "Station_No"
//! prefix = "station-"
//!
//! [[column]]
//! name = "PM2.5"
//! quantity = "pm25_ug_m3"
//! convert = "percent->ratio"        # or factor = 0.01 and offset = 0.0
//!
//! # [wide]                          # wide layout: a column for each sensor, named by its id
//! # quantity = "speed_kmh"
//! # convert = "mph->km/h"
//! # skip_columns = ["note"]
//!
//! [positions]                       # a CSV file, beside the mapping unless the path is absolute
//! file = "positions.csv"
//! id = "sensor_id"
//! latitude = "latitude"
//! longitude = "longitude"
//!
//! [[position]]                      # or here, one by one
//! sensor = "1"
//! latitude_deg = 10.78
//! longitude_deg = 106.66
//! ```

use std::path::PathBuf;

use citytwin_proto::ingest::v1::{Quantity, SensorKind};
use serde::Deserialize;
use thiserror::Error;

use super::times::{RawTime, TimeReader, TimeSource};
use super::units::{self, Conversion};

/// Why a mapping cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Not TOML, or a key or type that is not known. The cause names the place and the choices.
    #[error("column mapping: {0}")]
    Toml(#[from] Box<toml::de::Error>),
    /// A value that makes no sense.
    #[error("column mapping: {key} = {value:?}: allowed is {allowed}")]
    Value {
        /// The key, with its tables.
        key: String,
        /// What was given.
        value: String,
        /// What may be given.
        allowed: String,
    },
    /// A key that is needed.
    #[error("column mapping: {0}")]
    Incomplete(&'static str),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    agency: String,
    kind: String,
    expected_interval_s: Option<u32>,
    missing: Option<Vec<String>>,
    time: RawTime,
    sensor: Option<RawSensor>,
    #[serde(default, rename = "column")]
    columns: Vec<RawColumn>,
    wide: Option<RawWide>,
    positions: Option<PositionsFile>,
    #[serde(default, rename = "position")]
    position: Vec<Place>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSensor {
    column: String,
    #[serde(default)]
    prefix: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    name: String,
    quantity: String,
    convert: Option<String>,
    factor: Option<f64>,
    offset: Option<f64>,
    #[serde(default)]
    missing: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWide {
    quantity: String,
    convert: Option<String>,
    factor: Option<f64>,
    offset: Option<f64>,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    skip_columns: Vec<String>,
}

/// A CSV file with positions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionsFile {
    /// Beside the mapping unless absolute.
    pub file: PathBuf,
    /// Column with the sensor's id as the data has it, without prefix.
    #[serde(default = "id_column")]
    pub id: String,
    /// Column with the latitude, degrees.
    #[serde(default = "latitude_column")]
    pub latitude: String,
    /// Column with the longitude, degrees.
    #[serde(default = "longitude_column")]
    pub longitude: String,
}

fn id_column() -> String {
    "sensor_id".to_owned()
}

fn latitude_column() -> String {
    "latitude".to_owned()
}

fn longitude_column() -> String {
    "longitude".to_owned()
}

impl PositionsFile {
    /// A file with the usual columns.
    pub fn new(file: PathBuf) -> PositionsFile {
        PositionsFile {
            file,
            id: id_column(),
            latitude: latitude_column(),
            longitude: longitude_column(),
        }
    }
}

/// Where one sensor stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its id as the data has it, without prefix.
    pub sensor: String,
    /// WGS 84.
    pub latitude_deg: f64,
    /// WGS 84.
    pub longitude_deg: f64,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// Industrial zone or ward.
    #[serde(default)]
    pub zone: String,
}

/// Which column becomes what.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Header of the column; empty in the wide layout.
    pub column: String,
    /// What it holds.
    pub quantity: Quantity,
    /// From its unit to ours.
    pub conversion: Conversion,
    /// Cells that hold nothing, beside those of the mapping.
    pub missing: Vec<String>,
}

/// How rows are laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// One row for one sensor at one time.
    Long {
        /// Column with the sensor's id.
        sensor: String,
        /// What is measured.
        columns: Vec<Measured>,
    },
    /// One row for all sensors at one time, a column each.
    Wide {
        /// What is measured.
        measured: Measured,
        /// Columns that are no sensors.
        skip: Vec<String>,
    },
}

/// A checked mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// First part of the sensors' ids.
    pub agency: String,
    /// What the sensors are.
    pub kind: SensorKind,
    /// How often they report, milliseconds; 0: not said.
    pub expected_interval_ms: i64,
    /// Put before each sensor's id.
    pub prefix: String,
    /// Cells that hold nothing.
    pub missing: Vec<String>,
    /// Where times come from.
    pub time: TimeSource,
    /// How they are read.
    pub time_reader: TimeReader,
    /// How rows are laid out.
    pub layout: Layout,
    /// File with positions.
    pub positions: Option<PositionsFile>,
    /// Positions given in the mapping.
    pub places: Vec<Place>,
}

/// Cells that hold nothing unless the mapping says otherwise.
const MISSING: [&str; 7] = ["", "NA", "N/A", "NaN", "nan", "null", "-"];

impl Mapping {
    /// Reads and checks a mapping. `overrides` are dotted keys with values that win over the
    /// text, such as `("time.utc_offset", "-07:00")`; a value is read as TOML where it is TOML,
    /// and as a string otherwise.
    ///
    /// # Errors
    /// When the text is no TOML, a key is unknown or missing, or a value makes no sense.
    pub fn from_toml(text: &str, overrides: &[(String, String)]) -> Result<Mapping, MappingError> {
        let mut table: toml::Table = toml::from_str(text).map_err(Box::new)?;
        for (key, value) in overrides {
            set(&mut table, key, value)?;
        }
        let raw: Raw = table.try_into().map_err(Box::new)?;
        raw.check()
    }
}

fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), MappingError> {
    let parsed = toml::from_str::<toml::Table>(&format!("x = {value}"))
        .ok()
        .and_then(|mut table| table.remove("x"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut at = table;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            at.insert(part.to_owned(), parsed);
            return Ok(());
        }
        let next = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = next
            .as_table_mut()
            .ok_or_else(|| wrong(key, value, "a key inside tables, such as time.utc_offset"))?;
    }
    Ok(())
}

pub(super) fn wrong(key: &str, value: &str, allowed: &str) -> MappingError {
    MappingError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    }
}

/// Whether a text can be an agency or a sensor's id.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl Raw {
    fn check(self) -> Result<Mapping, MappingError> {
        if !is_id(&self.agency) {
            return Err(wrong("agency", &self.agency, "1 to 64 of A-Z a-z 0-9 . _ -"));
        }
        let kind = units::kind(&self.kind)
            .ok_or_else(|| wrong("kind", &self.kind, &units::kind_names()))?;
        let time_reader = self.time.reader()?;
        let time = self.time.source(&time_reader)?;
        let (prefix, layout) = match (self.sensor, self.wide) {
            (Some(sensor), None) => {
                if self.columns.is_empty() {
                    return Err(MappingError::Incomplete("no [[column]] says what is measured"));
                }
                let columns = self.columns.into_iter().map(RawColumn::check);
                let columns = columns.collect::<Result<_, _>>()?;
                (sensor.prefix, Layout::Long { sensor: sensor.column, columns })
            }
            (None, Some(wide)) if self.columns.is_empty() => {
                let measured = measured("wide", wide.measured())?;
                (wide.prefix, Layout::Wide { measured, skip: wide.skip_columns })
            }
            (None, Some(_)) => {
                return Err(MappingError::Incomplete(
                    "[[column]] belongs to the long layout, not to [wide]",
                ));
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(MappingError::Incomplete(
                    "either [sensor] with [[column]] (long layout) or [wide] is needed",
                ));
            }
        };
        for place in &self.position {
            let (latitude, longitude) = (place.latitude_deg, place.longitude_deg);
            if !is_position(latitude, longitude) {
                let value = format!("{latitude}, {longitude}");
                return Err(wrong("position", &value, "-90 to 90, -180 to 180"));
            }
        }
        Ok(Mapping {
            agency: self.agency,
            kind,
            expected_interval_ms: i64::from(self.expected_interval_s.unwrap_or(0)) * 1_000,
            prefix,
            missing: self.missing.unwrap_or_else(|| MISSING.map(str::to_owned).to_vec()),
            time,
            time_reader,
            layout,
            positions: self.positions,
            places: self.position,
        })
    }
}

/// Whether these are degrees of a place on earth.
pub(super) fn is_position(latitude_deg: f64, longitude_deg: f64) -> bool {
    (-90.0..=90.0).contains(&latitude_deg) && (-180.0..=180.0).contains(&longitude_deg)
}

impl RawColumn {
    fn check(self) -> Result<Measured, MappingError> {
        let key = format!("column {:?}", self.name);
        measured(&key, self)
    }
}

impl RawWide {
    fn measured(&self) -> RawColumn {
        RawColumn {
            name: String::new(),
            quantity: self.quantity.clone(),
            convert: self.convert.clone(),
            factor: self.factor,
            offset: self.offset,
            missing: Vec::new(),
        }
    }
}

fn measured(key: &str, raw: RawColumn) -> Result<Measured, MappingError> {
    let quantity = units::quantity(&raw.quantity).ok_or_else(|| {
        wrong(&format!("{key}.quantity"), &raw.quantity, &units::quantity_names())
    })?;
    let conversion = match (&raw.convert, raw.factor, raw.offset) {
        (None, factor, offset) => {
            Conversion { factor: factor.unwrap_or(1.0), offset: offset.unwrap_or(0.0) }
        }
        (Some(name), None, None) => units::conversion(name)
            .ok_or_else(|| wrong(&format!("{key}.convert"), name, &units::conversion_names()))?,
        (Some(name), _, _) => {
            let allowed = "either a name or factor and offset, not both";
            return Err(wrong(&format!("{key}.convert"), name, allowed));
        }
    };
    Ok(Measured { column: raw.name, quantity, conversion, missing: raw.missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = r#"
        agency = "air"
        kind = "air_station"
        [time]
        column = "date"
        format = "%d-%m-%Y %H:%M"
        utc_offset = "+07:00"
        [sensor]
        column = "Station_No"
        [[column]]
        name = "PM2.5"
        quantity = "pm25_ug_m3"
    "#;

    fn says(text: &str, overrides: &[(&str, &str)], words: &[&str]) {
        let overrides: Vec<_> =
            overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let error = Mapping::from_toml(text, &overrides).expect_err(text).to_string();
        for word in words {
            assert!(error.contains(word), "{error:?} lacks {word:?}");
        }
    }

    #[test]
    fn the_examples_in_deploy_are_valid() {
        for (name, text) in [
            ("metr-la", include_str!("../../../deploy/replay/metr-la.toml")),
            ("healthyair-hcmc", include_str!("../../../deploy/replay/healthyair-hcmc.toml")),
        ] {
            let mapping = Mapping::from_toml(text, &[]);
            assert!(mapping.is_ok(), "{name}: {mapping:?}");
        }
    }

    #[test]
    fn errors_name_the_key_and_what_is_allowed() {
        says("agency = 1", &[], &["agency"]);
        says(LONG, &[("agency", "a b")], &["agency", "a b", "A-Z"]);
        says(LONG, &[("kind", "loop")], &["kind", "loop", "traffic_loop"]);
        says(LONG, &[("time.utc_offset", "Hanoi")], &["time.utc_offset", "+07:00"]);
        says(LONG, &[("time.format", "d-m-Y")], &["time.format", "rfc3339"]);
        says(LONG, &[("time.step_s", "5")], &["[time]", "step_s"]);
        says(LONG, &[("wide.quantity", "speed_kmh")], &["[sensor]", "[wide]"]);
        says(LONG, &[("tyme", "1")], &["tyme"]);
        says(LONG, &[("agency.x", "1")], &["agency.x", "inside tables"]);
        says(&LONG.replace("pm25_ug_m3", "pm25"), &[], &["PM2.5", "pm25", "pm25_ug_m3"]);
        let both = format!("{LONG}\nconvert = \"mph->km/h\"\nfactor = 2.0");
        says(&both, &[], &["convert", "not both"]);
    }
}
