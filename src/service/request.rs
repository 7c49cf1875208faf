//! From the wire to the domain: every field is checked, every limit is here, and every refusal is
//! an `INVALID_ARGUMENT` that begins with the path of the field.

use std::fmt::Display;

use citytwin_core::area::{Area, AreaError, Point};
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::{SensorDescription, SensorKey, SensorKind, is_id};
use citytwin_core::twin::{AreaQuery, Health, KindSet, NearestQuery, QuantitySet, SensorFilter};
use citytwin_ingest::decode;
use citytwin_proto::{ingest, v1};
use h3o::Resolution;
use tonic::Status;

use super::places::Places;

/// Finest resolution of cells in an answer.
pub const MAX_RESOLUTION: i32 = 10;
/// Most sensors of one `Nearest`.
pub const MAX_NEAREST: i32 = 1_000;
/// Most sensors of one page.
pub const MAX_PAGE: i32 = 10_000;
/// Most dead letters of one answer: as many as are kept.
pub const MAX_DEAD_LETTERS: i32 = 1_000;

/// The refusal that names a field.
pub fn invalid(field: &str, problem: impl Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

/// A sensor's id.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn sensor_key(field: &str, text: &str) -> Result<SensorKey, Status> {
    SensorKey::parse(text).map_err(|error| invalid(field, error))
}

/// An area; named places are looked up.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn area(given: Option<v1::Area>, places: &Places) -> Result<Area, Status> {
    use v1::area::Shape;
    let shape = given.and_then(|area| area.shape).ok_or_else(|| {
        invalid(
            "area",
            "is missing; allowed: one of cells, polygon, circle, box, place, corridor, everywhere",
        )
    })?;
    // An AreaError begins with the field's path below `area`.
    let wrong = |error: AreaError| Status::invalid_argument(format!("area.{error}"));
    match shape {
        Shape::Everywhere(v1::Everywhere {}) => Ok(Area::everywhere()),
        Shape::Cells(cells) => Area::cells(&cells.cells).map_err(wrong),
        Shape::Polygon(polygon) => {
            let ring = |ring: v1::Ring| ring.points.iter().map(point).collect();
            let part = |part: v1::PolygonPart| part.rings.into_iter().map(ring).collect();
            let parts: Vec<Vec<Vec<Point>>> = polygon.parts.into_iter().map(part).collect();
            Area::polygon(&parts).map_err(wrong)
        }
        Shape::Circle(circle) => {
            let center =
                circle.center.ok_or_else(|| invalid("area.circle.center", "is missing"))?;
            Area::circle(point(&center), circle.radius_m).map_err(wrong)
        }
        Shape::Box(limits) => {
            let corner = |latitude_deg, longitude_deg| Point { latitude_deg, longitude_deg };
            Area::bounding_box(
                corner(limits.south_deg, limits.west_deg),
                corner(limits.north_deg, limits.east_deg),
            )
            .map_err(wrong)
        }
        Shape::Place(name) => match places.find(&name) {
            Ok(place) => Ok(Area::clone(&place.area)),
            Err(error) => Err(invalid("area.place", error)),
        },
        Shape::Corridor(corridor) => {
            let line: Vec<Point> = corridor.line.iter().map(point).collect();
            Area::corridor(&line, corridor.buffer_m).map_err(wrong)
        }
    }
}

fn point(point: &v1::Point) -> Point {
    Point { latitude_deg: point.latitude_deg, longitude_deg: point.longitude_deg }
}

/// 0: none; else 1 to [`MAX_RESOLUTION`].
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn resolution(number: i32) -> Result<Option<Resolution>, Status> {
    if number == 0 {
        return Ok(None);
    }
    u8::try_from(number)
        .ok()
        .filter(|_| number <= MAX_RESOLUTION)
        .and_then(|number| Resolution::try_from(number).ok())
        .map(Some)
        .ok_or_else(|| {
            invalid("resolution", format!("{number}; allowed: 0, or 1 to {MAX_RESOLUTION}"))
        })
}

/// Kinds; empty: all.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn kinds(numbers: &[i32]) -> Result<KindSet, Status> {
    if numbers.is_empty() {
        return Ok(KindSet::ALL);
    }
    let kind = |(index, number): (usize, &i32)| {
        u8::try_from(*number)
            .ok()
            .and_then(SensorKind::from_number)
            .ok_or_else(|| invalid(&format!("kinds[{index}]"), format!("{number} is no kind")))
    };
    numbers.iter().enumerate().map(kind).collect()
}

/// Quantities; empty: all.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn quantities(numbers: &[i32]) -> Result<QuantitySet, Status> {
    if numbers.is_empty() {
        return Ok(QuantitySet::ALL);
    }
    let quantity = |(index, number): (usize, &i32)| {
        u8::try_from(*number).ok().and_then(Quantity::from_number).ok_or_else(|| {
            invalid(&format!("quantities[{index}]"), format!("{number} is no quantity"))
        })
    };
    numbers.iter().enumerate().map(quantity).collect()
}

/// A page or list size within limits; 0: the default.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn size(field: &str, number: i32, default: i32, most: i32) -> Result<usize, Status> {
    let number = if number == 0 { default } else { number };
    usize::try_from(number)
        .ok()
        .filter(|_| number <= most)
        .ok_or_else(|| invalid(field, format!("{number}; allowed: 0 ({default}), or 1 to {most}")))
}

/// `QueryArea`.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn area_query(given: v1::QueryAreaRequest, places: &Places) -> Result<AreaQuery, Status> {
    Ok(AreaQuery {
        resolution: resolution(given.resolution)?,
        quantities: quantities(&given.quantities)?,
        kinds: kinds(&given.kinds)?,
        include_sensors: given.include_sensors,
        area: area(given.area, places)?,
    })
}

/// `Watch`: sensors, or cells.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn watch_query(given: v1::WatchRequest, places: &Places) -> Result<AreaQuery, Status> {
    let resolution = resolution(given.resolution)?;
    Ok(AreaQuery {
        resolution,
        quantities: quantities(&given.quantities)?,
        kinds: kinds(&given.kinds)?,
        include_sensors: resolution.is_none(),
        area: area(given.area, places)?,
    })
}

/// `Nearest`.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn nearest_query(given: &v1::NearestRequest) -> Result<NearestQuery, Status> {
    let point = given.point.as_ref().ok_or_else(|| invalid("point", "is missing"))?;
    let from = Position::new(point.latitude_deg, point.longitude_deg)
        .map_err(|error| invalid("point", error))?;
    let distance = given.max_distance_m;
    if distance.is_nan() || distance < 0.0 {
        let problem = format!("{distance} m; allowed: 0 (no limit), or more");
        return Err(invalid("max_distance_m", problem));
    }
    Ok(NearestQuery {
        from,
        limit: size("limit", given.limit, 10, MAX_NEAREST)?,
        max_distance_m: if distance > 0.0 { distance } else { f64::INFINITY },
        kinds: kinds(&given.kinds)?,
    })
}

/// The filter of `ListSensors`.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn sensor_filter(given: &v1::ListSensorsRequest) -> Result<SensorFilter, Status> {
    let health = match v1::SensorHealth::try_from(given.health) {
        Ok(v1::SensorHealth::Unspecified) => None,
        Ok(v1::SensorHealth::NeverHeard) => Some(Health::NeverHeard),
        Ok(v1::SensorHealth::Live) => Some(Health::Live),
        Ok(v1::SensorHealth::Silent) => Some(Health::Silent),
        Ok(v1::SensorHealth::Stuck) => Some(Health::Stuck),
        Err(_) => return Err(invalid("health", format!("{} is no health", given.health))),
    };
    let agency = Some(given.agency.clone()).filter(|agency| !agency.is_empty());
    if agency.as_deref().is_some_and(|agency| !is_id(agency)) {
        return Err(invalid("agency", "allowed: 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    Ok(SensorFilter { kinds: kinds(&given.kinds)?, health, agency })
}

/// A description, by the rules of the doors.
///
/// # Errors
/// `INVALID_ARGUMENT` that names the field.
pub fn description(
    given: Option<&ingest::v1::SensorDescription>,
) -> Result<SensorDescription, Status> {
    let given = given.ok_or_else(|| invalid("description", "is missing"))?;
    // A DescriptionError begins with the field's name.
    decode::description(given)
        .map_err(|error| Status::invalid_argument(format!("description.{error}")))
}
