//! Sensors registered by file: CSV with a header line, or `GeoJSON` points. Column and property
//! names are those of `SensorDescription`; a wrong name, value or unit is one error that says
//! where it is and what is allowed, and then nothing of the file is taken.
//!
//! ```text
//! id                    agency/sensor; or two columns, agency and sensor
//! kind                  traffic_loop, radar, … (required)
//! latitude_deg          WGS 84 (required in CSV; in GeoJSON the geometry says it)
//! longitude_deg
//! expected_interval_ms  how often it reports; empty: 60000
//! name, link, lane, zone, free_flow_speed_kmh, lanes       optional
//! ```

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use citytwin_core::sensor::{SensorDescription, SensorKey};
use geojson::{Feature, GeoJson, GeometryValue, JsonValue, feature::Id};
use thiserror::Error;

use crate::decode::{Fields, KindText};

const NAMES: [&str; 13] = [
    "id",
    "agency",
    "sensor",
    "kind",
    "latitude_deg",
    "longitude_deg",
    "expected_interval_ms",
    "name",
    "link",
    "lane",
    "zone",
    "free_flow_speed_kmh",
    "lanes",
];

/// A sensor and its description.
pub type Entry = (SensorKey, SensorDescription);

/// Why a file registers nobody.
#[derive(Debug, Error)]
pub enum SensorsFileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Its name does not say what it is.
    #[error("{}: the name must end in .csv, .geojson or .json", .0.display())]
    UnknownFormat(PathBuf),
    /// Something in it is wrong.
    #[error("{}: {place}: {what}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is wrong there, and what is allowed.
        what: String,
    },
}

/// What is wrong, and where, before the file's name is known.
type Wrong = (String, String);
/// Entries, each with its place in the file.
type Placed = Vec<(String, Entry)>;

/// Reads all sensors of a file. Cost: the file is held in memory.
///
/// # Errors
/// At the first thing that is wrong.
pub fn read(path: &Path) -> Result<Vec<Entry>, SensorsFileError> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    let parse: fn(&str) -> Result<Placed, Wrong> = match extension.as_deref() {
        Some("csv") => csv_entries,
        Some("geojson" | "json") => geojson_entries,
        Some(_) | None => return Err(SensorsFileError::UnknownFormat(path.to_owned())),
    };
    let text = fs::read_to_string(path)
        .map_err(|source| SensorsFileError::Unreadable { path: path.to_owned(), source })?;
    parse(text.trim_start_matches('\u{feff}'))
        .and_then(distinct)
        .map_err(|(place, what)| SensorsFileError::Wrong { path: path.to_owned(), place, what })
}

/// An id that is there twice is a mistake in the file: nobody can know which one is meant.
fn distinct(entries: Placed) -> Result<Vec<Entry>, Wrong> {
    let mut places: HashMap<SensorKey, String> = HashMap::with_capacity(entries.len());
    let mut distinct = Vec::with_capacity(entries.len());
    for (place, entry) in entries {
        if let Some(before) = places.insert(entry.0.clone(), place.clone()) {
            return Err((place, format!("sensor {} is described in {before} too", entry.0)));
        }
        distinct.push(entry);
    }
    Ok(distinct)
}

fn csv_entries(text: &str) -> Result<Placed, Wrong> {
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (format!("line {line}"), error.to_string())
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(wrong)?.clone();
    for name in &header {
        known_name("column", name).map_err(|what| ("line 1".to_owned(), what))?;
    }
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let place = format!("line {}", row.position().map_or(0, csv::Position::line));
        let fields: HashMap<&str, String> = header
            .iter()
            .zip(&row)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        match entry(&fields) {
            Ok(entry) => entries.push((place, entry)),
            Err(what) => return Err((place, what)),
        }
    }
    Ok(entries)
}

fn geojson_entries(text: &str) -> Result<Placed, Wrong> {
    let whole = |what: String| ("GeoJSON".to_owned(), what);
    let features = match text.parse().map_err(|error: geojson::Error| whole(error.to_string()))? {
        GeoJson::FeatureCollection(collection) => collection.features,
        GeoJson::Feature(feature) => vec![feature],
        GeoJson::Geometry(_) => return Err(whole("a FeatureCollection is expected".to_owned())),
    };
    features
        .into_iter()
        .enumerate()
        .map(|(at, feature)| {
            let place = format!("features[{at}]");
            match feature_entry(feature) {
                Ok(entry) => Ok((place, entry)),
                Err(what) => Err((place, what)),
            }
        })
        .collect()
}

fn feature_entry(feature: Feature) -> Result<Entry, String> {
    let mut fields: HashMap<&str, String> = HashMap::new();
    let properties = feature.properties.unwrap_or_default();
    for (name, value) in &properties {
        known_name("property", name)?;
        let text = match value {
            JsonValue::Null => continue,
            JsonValue::String(text) => text.clone(),
            JsonValue::Number(number) => number.to_string(),
            JsonValue::Bool(_) | JsonValue::Array(_) | JsonValue::Object(_) => {
                return Err(format!("property {name} is neither a text nor a number"));
            }
        };
        if !text.is_empty() {
            fields.insert(name, text);
        }
    }
    if let Some(Id::String(id)) = &feature.id
        && !fields.contains_key("sensor")
    {
        fields.entry("id").or_insert_with(|| id.clone());
    }
    match feature.geometry.map(|geometry| geometry.value) {
        Some(GeometryValue::Point { coordinates }) if coordinates.len() >= 2 => {
            fields.insert("longitude_deg", coordinates[0].to_string());
            fields.insert("latitude_deg", coordinates[1].to_string());
        }
        Some(_) => return Err("the geometry is no Point".to_owned()),
        None => return Err("the geometry is missing; a Point is expected".to_owned()),
    }
    entry(&fields)
}

fn known_name(what: &str, name: &str) -> Result<(), String> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    Err(format!("{what} {name:?} is unknown; allowed are {}", NAMES.join(", ")))
}

fn entry(fields: &HashMap<&str, String>) -> Result<Entry, String> {
    let text = |name| fields.get(name).cloned().unwrap_or_default();
    let id = match (fields.get("id"), fields.get("agency"), fields.get("sensor")) {
        (Some(id), None, None) => id.clone(),
        (None, Some(agency), Some(sensor)) => format!("{agency}/{sensor}"),
        (Some(_), _, _) => return Err("id stands beside agency or sensor: one of both".to_owned()),
        (None, _, _) => {
            return Err("id (agency/sensor), or agency and sensor, is missing".to_owned());
        }
    };
    let key = SensorKey::parse(&id).map_err(|error| error.to_string())?;
    let description = Fields {
        kind: fields.get("kind").map(|kind| KindText::Name(kind.clone())),
        latitude_deg: number(fields, "latitude_deg")?,
        longitude_deg: number(fields, "longitude_deg")?,
        expected_interval_ms: number(fields, "expected_interval_ms")?.unwrap_or_default(),
        name: text("name"),
        link: text("link"),
        lane: number(fields, "lane")?.unwrap_or_default(),
        zone: text("zone"),
        free_flow_speed_kmh: number(fields, "free_flow_speed_kmh")?.unwrap_or_default(),
        lanes: number(fields, "lanes")?.unwrap_or_default(),
    };
    let description = description.check().map_err(|error| format!("sensor {key}: {error}"))?;
    Ok((key, description))
}

fn number<T: FromStr>(fields: &HashMap<&str, String>, name: &str) -> Result<Option<T>, String>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = fields.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| format!("{name} {text:?} is no such number: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(name: &str, text: &str) -> Result<Vec<Entry>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    const CSV: &str = "\u{feff}id,kind,latitude_deg,longitude_deg,expected_interval_ms,name,lanes\n\
        hcmc/A, radar ,10.5,106.5,10000,\"Ngã tư, Bảy Hiền\",3\n\
        hcmc/B,rain,10.6,106.6,,,\n";

    #[test]
    fn csv_and_geojson_say_the_same() {
        let csv = read_as("sensors.csv", CSV).unwrap();
        assert_eq!(csv.len(), 2);
        assert_eq!(csv[0].1.name, "Ngã tư, Bảy Hiền");
        assert_eq!(csv[1].1.expected_interval_ms, 60_000);
        let geojson = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","geometry":{"type":"Point","coordinates":[106.5,10.5]},
             "properties":{"agency":"hcmc","sensor":"A","kind":"radar","expected_interval_ms":10000,
                           "name":"Ngã tư, Bảy Hiền","lanes":3,"zone":null}},
            {"type":"Feature","id":"hcmc/B","geometry":{"type":"Point","coordinates":[106.6,10.6]},
             "properties":{"kind":"SENSOR_KIND_RAIN"}}]}"#;
        assert_eq!(read_as("sensors.GeoJSON", geojson).unwrap(), csv);
        assert_eq!(read_as("none.csv", "id,kind\n").unwrap(), []);
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let feature = |inner: &str| {
            format!(r#"{{"type":"FeatureCollection","features":[{{"type":"Feature",{inner}}}]}}"#)
        };
        let point = r#""geometry":{"type":"Point","coordinates":[106,10]}"#;
        for (name, text, expected) in [
            ("s.txt", String::new(), "must end in .csv, .geojson or .json"),
            (
                "s.csv",
                "id,kind,lat\n".to_owned(),
                r#"line 1: column "lat" is unknown; allowed are id,"#,
            ),
            (
                "s.csv",
                CSV.replace("rain", "rainy"),
                r#"line 3: sensor hcmc/B: kind "rainy" is unknown"#,
            ),
            (
                "s.csv",
                CSV.replace("10.6,", "north,"),
                r#"line 3: latitude_deg "north" is no such number"#,
            ),
            ("s.csv", CSV.replace("10.6,", "106,"), "latitude 106 is not within"),
            ("s.csv", CSV.replace("hcmc/B", "hcmc B"), "is not agency/sensor"),
            (
                "s.csv",
                CSV.replace("hcmc/B", "hcmc/A"),
                "line 3: sensor hcmc/A is described in line 2 too",
            ),
            ("s.csv", CSV.replace(",3\n", ",3,4\n"), "line 2"),
            (
                "s.csv",
                CSV.replace("10000", "10s"),
                r#"expected_interval_ms "10s" is no such number"#,
            ),
            ("s.csv", "kind,latitude_deg,longitude_deg\nrain,1,2\n".to_owned(), "is missing"),
            ("s.json", "{".to_owned(), "GeoJSON"),
            ("s.json", r#"{"type":"Point","coordinates":[1,2]}"#.to_owned(), "FeatureCollection"),
            (
                "s.json",
                feature(&format!(r#"{point},"properties":{{"id":"a/b","speed":1}}"#)),
                r#"features[0]: property "speed" is unknown"#,
            ),
            (
                "s.json",
                feature(&format!(r#"{point},"properties":{{"id":"a/b","lane":[1]}}"#)),
                "neither a text nor a number",
            ),
            (
                "s.json",
                feature(r#""geometry":null,"properties":{"id":"a/b"}"#),
                "the geometry is missing",
            ),
            (
                "s.json",
                feature(
                    r#""geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]},"properties":{"id":"a/b"}"#,
                ),
                "no Point",
            ),
        ] {
            let error = read_as(name, &text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}");
        }
        assert!(read(Path::new("/nowhere/s.csv")).unwrap_err().to_string().contains("cannot read"));
    }
}
