//! Functions of points on the map.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray};
use arrow::datatypes::{DataType, Float64Type};
use citytwin_core::area::{Area, Point};
use citytwin_core::position::Position;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use wkt::Wkt;
use wkt::types::{Coord, Polygon};

use super::plain::{plain, wrong};

pub(super) fn all() -> Vec<ScalarUDF> {
    use DataType::{Boolean, Float64, Utf8};
    vec![plain("st_within", vec![Float64, Float64, Utf8], Boolean, within)]
}

fn within(args: &[ArrayRef]) -> Result<ArrayRef> {
    let latitudes = args[0].as_primitive::<Float64Type>().iter();
    let longitudes = args[1].as_primitive::<Float64Type>().iter();
    let outlines = args[2].as_string::<i32>().iter();
    // The outline is nearly always the same in all rows.
    let mut last: Option<(&str, Area)> = None;
    let rows = latitudes.zip(longitudes).zip(outlines).map(|((latitude, longitude), outline)| {
        let (Some(latitude), Some(longitude), Some(outline)) = (latitude, longitude, outline)
        else {
            return Ok(None);
        };
        if last.as_ref().is_none_or(|(text, _)| *text != outline) {
            last = Some((outline, area(outline)?));
        }
        let position = Position::new(latitude, longitude).map_err(wrong)?;
        Ok(last.as_ref().map(|(_, area)| area.contains(position)))
    });
    Ok(Arc::new(rows.collect::<Result<BooleanArray>>()?))
}

/// The area of an outline: edges as in GeoJSON, straight in longitude and latitude.
fn area(outline: &str) -> Result<Area> {
    let parsed: Wkt<f64> =
        outline.parse().map_err(|error| wrong(format!("`{outline}` is no WKT: {error}")))?;
    let parts = match &parsed {
        Wkt::Polygon(polygon) => vec![part(polygon)],
        Wkt::MultiPolygon(polygons) => polygons.polygons().iter().map(part).collect(),
        Wkt::Point(_)
        | Wkt::LineString(_)
        | Wkt::MultiPoint(_)
        | Wkt::MultiLineString(_)
        | Wkt::GeometryCollection(_) => {
            return Err(wrong("st_within takes a POLYGON or a MULTIPOLYGON"));
        }
    };
    Area::polygon(&parts).map_err(wrong)
}

fn part(polygon: &Polygon<f64>) -> Vec<Vec<Point>> {
    let point = |corner: &Coord<f64>| Point { latitude_deg: corner.y, longitude_deg: corner.x };
    polygon.rings().iter().map(|ring| ring.coords().iter().map(point).collect()).collect()
}
