//! The city and its sensors as open files.
//!
//! ```text
//! network/         the roads as GMNS tables, see `gmns.rs`
//! trips.csv        origin,destination,flow_pcu_h: who drives from ward to ward in the peak hour, in
//!                  passenger-car units; the truth behind what the traffic sensors count
//! places.geojson   polygons: id, name, kind
//! sensors.geojson  points: agency, sensor, kind, expected_interval_ms, name, link, lane, lanes,
//!                        zone, free_flow_speed_kmh
//! ```
//!
//! GMNS: General Modeling Network Specification, version 0.97. `GeoJSON`: RFC 7946.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use geojson::{Feature, FeatureCollection, Geometry, GeometryValue, JsonObject, JsonValue};
use thiserror::Error;

use super::plane::{Spot, area_km2, turn};
use super::{City, Place, gmns};
use crate::fleet::SimSensor;
use crate::spec::defaults_of;

/// Why a file could not be written.
#[derive(Debug, Error)]
#[error("cannot write {}", path.display())]
pub struct CityFileError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// Writes all files into a folder that exists, over what is there.
///
/// # Errors
/// When a file cannot be written; it names the file.
pub fn write(dir: &Path, city: &City, sensors: &[SimSensor]) -> Result<(), CityFileError> {
    gmns::write(&dir.join("network"), city)?;
    put(dir, "trips.csv", |out| trips(out, city))?;
    put(dir, "places.geojson", |out| out.write_all(places(city).to_string().as_bytes()))?;
    put(dir, "sensors.geojson", |out| out.write_all(points(sensors).to_string().as_bytes()))
}

pub(super) type Out = BufWriter<File>;

/// Makes a folder in one that exists.
pub(super) fn make(path: &Path) -> Result<(), CityFileError> {
    match std::fs::create_dir(path) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
            Err(CityFileError { path: path.to_owned(), cause })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes one file.
pub(super) fn put(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut Out) -> io::Result<()>,
) -> Result<(), CityFileError> {
    let path = dir.join(name);
    let written = File::create(&path).and_then(|file| {
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.flush()
    });
    written.map_err(|cause| CityFileError { path, cause })
}

fn trips(out: &mut Out, city: &City) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["origin", "destination", "flow_pcu_h"])?;
    for trips in city.loads().trips() {
        let flow = format!("{:.3}", trips.flow_pcu_h);
        csv.write_record([&trips.origin, &trips.destination, &flow])?;
    }
    csv.flush()
}

/// Places as `GeoJSON` polygons.
pub fn places(city: &City) -> FeatureCollection {
    FeatureCollection::new(city.places().iter().map(|place| {
        let mut properties = JsonObject::new();
        properties.insert("id".to_owned(), place.id.clone().into());
        properties.insert("name".to_owned(), place.name.clone().into());
        properties.insert("kind".to_owned(), place.kind.name().into());
        feature(GeometryValue::new_polygon([ring(place)]), properties)
    }))
}

/// Closed, counter-clockwise (RFC 7946, 3.1.6), longitude first.
pub(super) fn ring(place: &Place) -> Vec<[f64; 2]> {
    let mut spots: Vec<Spot> = place.ring.clone();
    if clockwise(&spots) {
        spots.reverse();
    }
    spots.extend(spots.first().copied());
    let corner = |spot: &Spot| {
        let (latitude, longitude) = spot.degrees();
        [longitude, latitude]
    };
    spots.iter().map(corner).collect()
}

fn clockwise(ring: &[Spot]) -> bool {
    let Some(first) = ring.first() else { return false };
    let twice: f64 = ring.windows(2).map(|pair| turn(*first, pair[0], pair[1])).sum();
    debug_assert!((twice.abs() / 2.0 - area_km2(ring)).abs() < 1e-6);
    twice < 0.0
}

/// Sensors as `GeoJSON` points, with the fields of their descriptions.
pub fn points(sensors: &[SimSensor]) -> FeatureCollection {
    FeatureCollection::new(sensors.iter().map(|sensor| {
        let mut properties = JsonObject::new();
        let mut put = |key: &str, value: JsonValue| {
            properties.insert(key.to_owned(), value);
        };
        put("agency", sensor.agency.clone().into());
        put("sensor", sensor.id.clone().into());
        put("kind", defaults_of(sensor.kind).map_or("unspecified", |kind| kind.name).into());
        put("expected_interval_ms", sensor.interval_ms.into());
        put("name", sensor.name.clone().into());
        put("link", sensor.link.clone().into());
        put("lane", sensor.lane.into());
        put("lanes", sensor.lanes.into());
        put("zone", sensor.zone.clone().into());
        put("free_flow_speed_kmh", sensor.free_flow_speed_kmh.into());
        feature(GeometryValue::new_point([sensor.longitude_deg, sensor.latitude_deg]), properties)
    }))
}

fn feature(geometry: GeometryValue, properties: JsonObject) -> Feature {
    Feature {
        bbox: None,
        geometry: Some(Geometry::new(geometry)),
        id: None,
        properties: Some(properties),
        foreign_members: None,
    }
}
