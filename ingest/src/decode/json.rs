//! JSON payloads: the same field names as in protobuf, in `snake_case` or `lowerCamelCase`; 64-bit
//! numbers as number or text, as protobuf's JSON writes them; quantities by name or number.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use citytwin_core::quantity::Quantity;
use citytwin_core::time::EventTime;
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::{Batch, DecodeError, Fields, KindText, RawReading, quantity_names};

pub(super) fn readings(payload: &[u8]) -> Result<Batch<'_>, DecodeError> {
    if first_byte(payload) == Some(b'[') {
        let readings: Vec<ReadingObject> = serde_json::from_slice(payload)?;
        return Ok(Batch { sensor: Cow::default(), readings: checked(readings)? });
    }
    let Object { sensor, readings, quantity, event_time_ms, value } =
        serde_json::from_slice(payload)?;
    let single = ReadingObject { sensor: None, quantity, event_time_ms, value };
    let readings = match (readings, single.is_empty()) {
        (Some(readings), true) => checked(readings)?,
        (None, true) => Vec::new(),
        (None, false) => vec![single.check("reading")?],
        (Some(_), false) => {
            return Err(DecodeError::Value {
                place: "readings".to_owned(),
                what: "stands beside quantity, event_time_ms or value: \
                       either a batch or a single reading"
                    .to_owned(),
            });
        }
    };
    Ok(Batch { sensor: Cow::Owned(sensor.unwrap_or_default()), readings })
}

pub(super) fn about(payload: &[u8]) -> Result<Fields, DecodeError> {
    let object: AboutObject = serde_json::from_slice(payload)?;
    Ok(Fields {
        kind: object.kind.map(|KindField(kind)| kind),
        latitude_deg: object.latitude_deg.map(|Double(degrees)| degrees),
        longitude_deg: object.longitude_deg.map(|Double(degrees)| degrees),
        expected_interval_ms: object.expected_interval_ms.map_or(0, |Int64(ms)| ms),
        name: object.name.unwrap_or_default(),
        link: object.link.unwrap_or_default(),
        lane: object.lane.unwrap_or_default(),
        zone: object.zone.unwrap_or_default(),
        free_flow_speed_kmh: object.free_flow_speed_kmh.map_or(0.0, |Double(speed)| speed),
        lanes: object.lanes.unwrap_or_default(),
    })
}

fn first_byte(payload: &[u8]) -> Option<u8> {
    payload.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

fn checked(readings: Vec<ReadingObject>) -> Result<Vec<RawReading<'static>>, DecodeError> {
    readings
        .into_iter()
        .enumerate()
        .map(|(at, reading)| reading.check(&format!("readings[{at}]")))
        .collect()
}

/// A batch or a single reading: told apart by what is there.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    sensor: Option<String>,
    readings: Option<Vec<ReadingObject>>,
    quantity: Option<QuantityField>,
    #[serde(alias = "eventTimeMs")]
    event_time_ms: Option<Int64>,
    value: Option<Double>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingObject {
    sensor: Option<String>,
    quantity: Option<QuantityField>,
    #[serde(alias = "eventTimeMs")]
    event_time_ms: Option<Int64>,
    value: Option<Double>,
}

impl ReadingObject {
    fn is_empty(&self) -> bool {
        self.quantity.is_none() && self.event_time_ms.is_none() && self.value.is_none()
    }

    /// Protobuf's JSON leaves out what is zero, so a missing time or value is a zero.
    fn check(self, place: &str) -> Result<RawReading<'static>, DecodeError> {
        let Some(QuantityField(quantity)) = self.quantity else {
            return Err(DecodeError::Value {
                place: format!("{place}.quantity"),
                what: format!("is missing; allowed are {}", quantity_names()),
            });
        };
        Ok(RawReading {
            quantity,
            event_time: EventTime::from_ms(self.event_time_ms.map_or(0, |Int64(ms)| ms)),
            value: self.value.map_or(0.0, |Double(value)| value),
            sensor: Cow::Owned(self.sensor.unwrap_or_default()),
        })
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct AboutObject {
    kind: Option<KindField>,
    #[serde(alias = "latitudeDeg")]
    latitude_deg: Option<Double>,
    #[serde(alias = "longitudeDeg")]
    longitude_deg: Option<Double>,
    #[serde(alias = "expectedIntervalMs")]
    expected_interval_ms: Option<Int64>,
    name: Option<String>,
    link: Option<String>,
    lane: Option<u32>,
    zone: Option<String>,
    #[serde(alias = "freeFlowSpeedKmh")]
    free_flow_speed_kmh: Option<Double>,
    lanes: Option<u32>,
}

struct QuantityField(Quantity);
struct KindField(KindText);
struct Int64(i64);
struct Double(f64);

/// What can stand where a number is expected.
enum Scalar {
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Reads a scalar and makes a `T` of it, so that an error names its line and column.
struct ScalarVisitor<T> {
    expected: &'static str,
    make: fn(Scalar) -> Result<T, String>,
    made: PhantomData<T>,
}

fn scalar<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    make: fn(Scalar) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(ScalarVisitor { expected, make, made: PhantomData })
}

impl<T> Visitor<'_> for ScalarVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        (self.make)(Scalar::Integer(number)).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let scalar = i64::try_from(number)
            .map_or_else(|_large| Scalar::Float(number as f64), Scalar::Integer);
        (self.make)(scalar).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        (self.make)(Scalar::Float(number)).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.make)(Scalar::Text(text.to_owned())).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for QuantityField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<QuantityField, D::Error> {
        scalar(deserializer, "a quantity's name or number", |scalar| {
            let (shown, found) = match &scalar {
                Scalar::Integer(number) => {
                    (number.to_string(), u8::try_from(*number).ok().and_then(Quantity::from_number))
                }
                Scalar::Float(number) => (number.to_string(), None),
                Scalar::Text(text) => {
                    let plain = text
                        .strip_prefix("QUANTITY_")
                        .map_or_else(|| text.clone(), str::to_ascii_lowercase);
                    (text.clone(), Quantity::from_name(&plain))
                }
            };
            found.map(QuantityField).ok_or_else(|| {
                let shown: String = shown.chars().take(100).collect();
                format!("quantity {shown:?} is not one of {}", quantity_names())
            })
        })
    }
}

impl<'de> Deserialize<'de> for KindField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KindField, D::Error> {
        scalar(deserializer, "a sensor kind's name or number", |scalar| {
            Ok(KindField(match scalar {
                Scalar::Integer(number) => KindText::Number(number),
                Scalar::Float(number) => KindText::Name(number.to_string()),
                Scalar::Text(text) => KindText::Name(text),
            }))
        })
    }
}

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Int64, D::Error> {
        /// Whole numbers up to here are exact as `f64`.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        scalar(deserializer, "a whole number of 64 bits, or a text of one", |scalar| match scalar {
            Scalar::Integer(number) => Ok(Int64(number)),
            Scalar::Float(number) if number.fract().abs() <= 0.0 && number.abs() <= EXACT => {
                #[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
                let whole = number as i64;
                Ok(Int64(whole))
            }
            Scalar::Float(number) => Err(format!("{number} is not a whole number of 64 bits")),
            Scalar::Text(text) => text.parse().map(Int64).map_err(|error| {
                format!("{:?} is not a whole number of 64 bits: {error}", short(&text))
            }),
        })
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Double, D::Error> {
        scalar(deserializer, "a number, or a text of one", |scalar| match scalar {
            Scalar::Integer(number) => Ok(Double(number as f64)),
            Scalar::Float(number) => Ok(Double(number)),
            Scalar::Text(text) => match text.as_str() {
                "NaN" => Ok(Double(f64::NAN)),
                "Infinity" => Ok(Double(f64::INFINITY)),
                "-Infinity" => Ok(Double(f64::NEG_INFINITY)),
                plain => plain
                    .parse()
                    .map(Double)
                    .map_err(|error| format!("{:?} is not a number: {error}", short(plain))),
            },
        })
    }
}

fn short(text: &str) -> String {
    text.chars().take(100).collect()
}
