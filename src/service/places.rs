//! Named places: wards, zones, parks, roads of a GeoJSON file, to be used wherever an area is
//! asked for. A feature has `id`, `name` and `kind` (as properties; `id` also as the feature's
//! own). Its geometry is a Polygon or MultiPolygon, a Point with the property `radius_m`, or a
//! LineString with the property `buffer_m`.
//!
//! A place is found by its id, by its exact name, or by its name without case, diacritics and
//! punctuation ("tan thuan" finds "Tân Thuận"); if several fit, the answer lists them and chooses
//! none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use citytwin_core::area::{Area, AreaError, Point};
use geojson::{Feature, FeatureCollection, GeometryValue, JsonValue, Position};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::token::Fingerprint;
use crate::config::keys::nearest;

/// Most candidates an error lists.
const LISTED: usize = 10;

/// A named area.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Unique in its file.
    pub id: String,
    /// For people.
    pub name: String,
    /// `ward`, `industrial_zone`, …; may be empty.
    pub kind: String,
    /// Where it is.
    pub area: Arc<Area>,
}

/// All places of a file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    all: Vec<Place>,
    by_id: BTreeMap<String, usize>,
    by_name: BTreeMap<String, Vec<usize>>,
    by_plain_name: BTreeMap<String, Vec<usize>>,
    fingerprint: u64,
}

/// Why there are no places.
#[derive(Debug, Error)]
pub enum PlacesError {
    /// The file cannot be read.
    #[error("cannot read places file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no GeoJSON feature collection.
    #[error("places file {} is no GeoJSON FeatureCollection: {source}", path.display())]
    NotGeoJson {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<geojson::Error>,
    },
    /// A feature is no place.
    #[error("places file {}, feature {number} ({what}): {problem}", path.display())]
    Feature {
        /// Which file.
        path: PathBuf,
        /// Which feature, from 1.
        number: usize,
        /// Its name or id as far as it has one.
        what: String,
        /// What is wrong.
        problem: FeatureProblem,
    },
}

/// What is wrong with a feature.
#[derive(Debug, Error)]
pub enum FeatureProblem {
    /// Neither id nor name.
    #[error("has neither an id nor a name")]
    Nameless,
    /// Its id is another's.
    #[error("has the same id as an earlier feature")]
    SameId,
    /// No geometry that makes an area.
    #[error(
        "its geometry is {0}; allowed: Polygon, MultiPolygon, Point with a property radius_m, \
         LineString with a property buffer_m"
    )]
    Geometry(String),
    /// The geometry is wrong in itself.
    #[error(transparent)]
    Area(#[from] AreaError),
}

/// Why a name stands for no place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// Nothing fits.
    #[error("there is no place {name:?}{}", hint(*loaded, nearest.as_deref()))]
    Unknown {
        /// As asked.
        name: String,
        /// The place that was probably meant.
        nearest: Option<String>,
        /// Whether there are places at all.
        loaded: bool,
    },
    /// Several fit.
    #[error("{name:?} may be any of {}; ask by id", list(candidates))]
    Ambiguous {
        /// As asked.
        name: String,
        /// `id (name)` of those that fit, in order of id.
        candidates: Vec<String>,
    },
}

impl Places {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or a feature is no place: it names the feature.
    pub fn read(path: &Path) -> Result<Places, PlacesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlacesError::Unreadable { path: path.to_owned(), source })?;
        Places::parse(&text, path)
    }

    /// From the text of a file; `path` is for errors only.
    ///
    /// # Errors
    /// When a feature is no place: it names the feature.
    pub fn parse(text: &str, path: &Path) -> Result<Places, PlacesError> {
        let features: FeatureCollection = text.parse().map_err(|source| {
            PlacesError::NotGeoJson { path: path.to_owned(), source: Box::new(source) }
        })?;
        let mut places =
            Places { fingerprint: Fingerprint::of(text.as_bytes()), ..Places::default() };
        for (index, feature) in features.features.iter().enumerate() {
            let added = place(feature).and_then(|place| places.add(place));
            added.map_err(|problem| PlacesError::Feature {
                path: path.to_owned(),
                number: index + 1,
                what: said(feature, "name").or_else(|| id(feature)).unwrap_or_default(),
                problem,
            })?;
        }
        Ok(places)
    }

    fn add(&mut self, place: Place) -> Result<(), FeatureProblem> {
        let slot = self.all.len();
        if self.by_id.insert(place.id.clone(), slot).is_some() {
            return Err(FeatureProblem::SameId);
        }
        self.by_name.entry(place.name.clone()).or_default().push(slot);
        self.by_plain_name.entry(plain(&place.name)).or_default().push(slot);
        self.all.push(place);
        Ok(())
    }

    /// All of them in the order of the file.
    pub fn all(&self) -> &[Place] {
        &self.all
    }

    /// A number that changes when the file does.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The place with this id or name.
    ///
    /// # Errors
    /// When none or several fit.
    pub fn find(&self, name: &str) -> Result<&Place, PlaceError> {
        if let Some(slot) = self.by_id.get(name) {
            return Ok(&self.all[*slot]);
        }
        let named = self.by_name.get(name).or_else(|| self.by_plain_name.get(&plain(name)));
        match named.map(Vec::as_slice) {
            Some([slot]) => Ok(&self.all[*slot]),
            Some(slots) => {
                let mut candidates: Vec<String> = slots
                    .iter()
                    .map(|slot| &self.all[*slot])
                    .map(|place| format!("{} ({})", place.id, place.name))
                    .collect();
                candidates.sort();
                Err(PlaceError::Ambiguous { name: name.to_owned(), candidates })
            }
            None => {
                let asked = plain(name);
                let known = self.by_plain_name.keys().map(String::as_str);
                let close = nearest(&asked, known).and_then(|plain| self.by_plain_name.get(plain));
                let nearest = close.map(|slots| self.all[slots[0]].name.clone());
                let loaded = !self.all.is_empty();
                Err(PlaceError::Unknown { name: name.to_owned(), nearest, loaded })
            }
        }
    }
}

/// Letters and digits only, lower case, without diacritics, one space between words.
fn plain(name: &str) -> String {
    let letters = name.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    // The Vietnamese đ is a letter of its own, without a decomposition.
    let letters = letters.map(|c| if c == 'đ' { 'd' } else { c });
    let spaced: String = letters.map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn place(feature: &Feature) -> Result<Place, FeatureProblem> {
    let name = said(feature, "name");
    let id = id(feature).or_else(|| name.clone()).ok_or(FeatureProblem::Nameless)?;
    Ok(Place {
        name: name.unwrap_or_else(|| id.clone()),
        kind: said(feature, "kind").unwrap_or_default(),
        area: Arc::new(area(feature)?),
        id,
    })
}

fn area(feature: &Feature) -> Result<Area, FeatureProblem> {
    let length = |name| feature.property(name).and_then(JsonValue::as_f64);
    let without = |what: &str| FeatureProblem::Geometry(what.to_owned());
    let geometry = feature.geometry.as_ref().ok_or_else(|| without("missing"))?;
    match &geometry.value {
        GeometryValue::Polygon { coordinates } => Ok(Area::polygon(&[rings(coordinates)])?),
        GeometryValue::MultiPolygon { coordinates } => {
            let parts: Vec<Vec<Vec<Point>>> = coordinates.iter().map(|part| rings(part)).collect();
            Ok(Area::polygon(&parts)?)
        }
        GeometryValue::Point { coordinates } => {
            let radius_m = length("radius_m").ok_or_else(|| without("a Point without radius_m"))?;
            Ok(Area::circle(point(coordinates), radius_m)?)
        }
        GeometryValue::LineString { coordinates } => {
            let buffer_m =
                length("buffer_m").ok_or_else(|| without("a LineString without buffer_m"))?;
            let line: Vec<Point> = coordinates.iter().map(point).collect();
            Ok(Area::corridor(&line, buffer_m)?)
        }
        other @ (GeometryValue::MultiPoint { .. }
        | GeometryValue::MultiLineString { .. }
        | GeometryValue::GeometryCollection { .. }) => Err(without(other.type_name())),
    }
}

fn rings(rings: &[Vec<Position>]) -> Vec<Vec<Point>> {
    rings.iter().map(|ring| ring.iter().map(point).collect()).collect()
}

/// A position with fewer than two numbers becomes one that no area takes.
fn point(position: &Position) -> Point {
    match position.as_slice() {
        [longitude_deg, latitude_deg, ..] => {
            Point { latitude_deg: *latitude_deg, longitude_deg: *longitude_deg }
        }
        _ => Point { latitude_deg: f64::NAN, longitude_deg: f64::NAN },
    }
}

fn id(feature: &Feature) -> Option<String> {
    said(feature, "id").or_else(|| {
        feature.id.as_ref().map(|id| match id {
            geojson::feature::Id::String(text) => text.clone(),
            geojson::feature::Id::Number(number) => number.to_string(),
        })
    })
}

fn said(feature: &Feature, property: &str) -> Option<String> {
    match feature.property(property)? {
        JsonValue::String(text) if !text.is_empty() => Some(text.clone()),
        JsonValue::Number(number) => Some(number.to_string()),
        JsonValue::String(_)
        | JsonValue::Null
        | JsonValue::Bool(_)
        | JsonValue::Array(_)
        | JsonValue::Object(_) => None,
    }
}

fn hint(loaded: bool, nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(", did you mean {name:?}?"),
        None if loaded => "; ListPlaces names all".to_owned(),
        None => "; this engine has no places file (configuration key places)".to_owned(),
    }
}

fn list(candidates: &[String]) -> String {
    let shown = candidates[..candidates.len().min(LISTED)].join(", ");
    match candidates.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(properties: &str, geometry: &str) -> String {
        format!(r#"{{"type":"Feature","properties":{{{properties}}},"geometry":{geometry}}}"#)
    }

    fn parse(features: &[String]) -> Result<Places, String> {
        let text = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","));
        Places::parse(&text, Path::new("p.geojson")).map_err(|error| error.to_string())
    }

    const SQUARE: &str = r#"{"type":"Polygon","coordinates":[[[106.7,10.7],[106.8,10.7],[106.8,10.8],[106.7,10.8],[106.7,10.7]]]}"#;
    const POINT: &str = r#"{"type":"Point","coordinates":[106.7,10.7]}"#;
    const LINE: &str = r#"{"type":"LineString","coordinates":[[106.7,10.7],[106.8,10.7]]}"#;

    fn city() -> Places {
        parse(&[
            feature(r#""id":"z1","name":"Tân Thuận","kind":"industrial_zone""#, SQUARE),
            feature(r#""id":"z2","name":"Tân Thuận","kind":"ward""#, SQUARE),
            feature(r#""id":"z3","name":"Đồng Nai (cầu)","radius_m":500"#, POINT),
            feature(r#""id":4,"name":"Võ Văn Kiệt","buffer_m":30"#, LINE),
            feature(r#""name":"tan tao""#, SQUARE),
            feature(r#""id":"z6","name":"Tân Tạo""#, SQUARE),
        ])
        .unwrap()
    }

    #[test]
    fn a_place_is_found_by_id_name_and_plain_name() {
        let places = city();
        let table = [
            ("z1", "z1"),
            ("Đồng Nai (cầu)", "z3"),
            ("dong nai cau", "z3"),
            ("ĐỒNG-NAI CẦU", "z3"),
            ("4", "4"),
            ("vo van kiet", "4"),
            ("tan tao", "tan tao"),
            ("Tân Tạo", "z6"),
        ];
        for (name, id) in table {
            assert_eq!(places.find(name).unwrap().id, id, "{name}");
        }
        // Decomposed Unicode, as some keyboards and file systems write it.
        let decomposed: String = "Đồng Nai cầu".nfd().collect();
        assert_eq!(places.find(&decomposed).unwrap().id, "z3");
    }

    #[test]
    fn none_or_several_say_so() {
        let table = [
            ("Tân Thuận", "\"Tân Thuận\" may be any of z1 (Tân Thuận), z2 (Tân Thuận); ask by id"),
            ("TAN TAO", "may be any of tan tao (tan tao), z6 (Tân Tạo)"),
            ("vo van kiett", "there is no place \"vo van kiett\", did you mean \"Võ Văn Kiệt\"?"),
            ("Hà Nội, Hoàn Kiếm", "ListPlaces names all"),
        ];
        for (name, expected) in table {
            let error = city().find(name).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
        let error = Places::default().find("x").unwrap_err().to_string();
        assert!(error.contains("no places file"), "{error}");
    }

    #[test]
    fn shapes_hold_what_they_should() {
        let places = city();
        let inside = |name: &str, lat: f64, lon: f64| {
            let position = citytwin_core::position::Position::new(lat, lon).unwrap();
            places.find(name).unwrap().area.contains(position)
        };
        assert!(inside("z1", 10.75, 106.75) && !inside("z1", 10.85, 106.75));
        assert!(inside("z3", 10.701, 106.7) && !inside("z3", 10.71, 106.7));
        assert!(inside("4", 10.7001, 106.75) && !inside("4", 10.701, 106.75));
    }

    #[test]
    fn wrong_features_are_named() {
        let table = [
            (feature("", SQUARE), "feature 1 (): has neither an id nor a name"),
            (
                feature(r#""name":"a""#, POINT),
                "feature 1 (a): its geometry is a Point without radius_m",
            ),
            (feature(r#""name":"a""#, LINE), "a LineString without buffer_m; allowed: Polygon"),
            (feature(r#""name":"a""#, "null"), "its geometry is missing"),
            (
                feature(r#""name":"a""#, r#"{"type":"MultiPoint","coordinates":[[1,2]]}"#),
                "its geometry is MultiPoint",
            ),
            (feature(r#""name":"a","radius_m":-1"#, POINT), "-1 m is not above 0"),
            (
                feature(r#""name":"a""#, r#"{"type":"Polygon","coordinates":[[[1,2],[3,4]]]}"#),
                "polygon.parts[0].rings[0]",
            ),
        ];
        for (feature, expected) in table {
            let error = parse(&[feature]).unwrap_err();
            assert!(
                error.starts_with("places file p.geojson") && error.contains(expected),
                "{error}"
            );
        }
        let twice = feature(r#""id":"a""#, SQUARE);
        let error = parse(&[twice.clone(), twice]).unwrap_err();
        assert!(error.contains("feature 2 (a): has the same id"), "{error}");
        let error = Places::parse("{", Path::new("p")).unwrap_err().to_string();
        assert!(error.contains("no GeoJSON FeatureCollection"), "{error}");
    }
}
