//! Areas out of GeoJSON files.

use std::path::Path;

use citytwin_proto::v1;
use geojson::{GeoJson, GeometryValue, Position};

use super::failure::Failure;

/// All polygons of a file.
///
/// # Errors
/// When the file cannot be read, is not GeoJSON or holds none.
pub fn polygon(path: &Path) -> Result<v1::Polygon, Failure> {
    let mut parts = Vec::new();
    for shape in geometries(path)? {
        match &shape {
            GeometryValue::Polygon { coordinates } => parts.push(part(coordinates, path)?),
            GeometryValue::MultiPolygon { coordinates } => {
                for polygon in coordinates {
                    parts.push(part(polygon, path)?);
                }
            }
            GeometryValue::Point { .. }
            | GeometryValue::MultiPoint { .. }
            | GeometryValue::LineString { .. }
            | GeometryValue::MultiLineString { .. }
            | GeometryValue::GeometryCollection { .. } => {
                return Err(unfit(path, shape.type_name(), "Polygon or MultiPolygon"));
            }
        }
    }
    if parts.is_empty() {
        return Err(unfit(path, "nothing", "Polygon or MultiPolygon"));
    }
    Ok(v1::Polygon { parts })
}

/// The line of a file; exactly one.
///
/// # Errors
/// When the file cannot be read, is not GeoJSON or holds none or several.
pub fn line(path: &Path) -> Result<Vec<v1::Point>, Failure> {
    let mut shapes = geometries(path)?;
    match (shapes.pop(), shapes.len()) {
        (Some(GeometryValue::LineString { coordinates }), 0) => points(&coordinates, path),
        (Some(other), 0) => Err(unfit(path, other.type_name(), "one LineString")),
        (Some(_), more) => Err(unfit(path, &format!("{} shapes", more + 1), "one LineString")),
        (None, _) => Err(unfit(path, "nothing", "one LineString")),
    }
}

fn geometries(path: &Path) -> Result<Vec<GeometryValue>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
    let shape: GeoJson = text
        .parse()
        .map_err(|error| Failure::Usage(format!("{} is not GeoJSON: {error}", path.display())))?;
    let found = match shape {
        GeoJson::Geometry(geometry) => vec![geometry.value],
        GeoJson::Feature(feature) => feature.geometry.into_iter().map(|g| g.value).collect(),
        GeoJson::FeatureCollection(all) => {
            all.features.into_iter().filter_map(|f| f.geometry).map(|g| g.value).collect()
        }
    };
    Ok(found)
}

fn part(rings: &[Vec<Position>], path: &Path) -> Result<v1::PolygonPart, Failure> {
    let rings: Result<Vec<v1::Ring>, Failure> =
        rings.iter().map(|ring| Ok(v1::Ring { points: points(ring, path)? })).collect();
    Ok(v1::PolygonPart { rings: rings? })
}

fn points(positions: &[Position], path: &Path) -> Result<Vec<v1::Point>, Failure> {
    let point = |position: &Position| match position.as_slice() {
        [longitude_deg, latitude_deg, ..] => {
            Ok(v1::Point { latitude_deg: *latitude_deg, longitude_deg: *longitude_deg })
        }
        _ => Err(unfit(path, "a position without two numbers", "longitude and latitude")),
    };
    positions.iter().map(point).collect()
}

fn unfit(path: &Path, found: &str, allowed: &str) -> Failure {
    Failure::Usage(format!("{} holds {found}; allowed: {allowed}", path.display()))
}
