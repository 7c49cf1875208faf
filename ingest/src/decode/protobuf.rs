//! Protobuf payloads. A batch is read field by field with prost's own wire helpers instead of
//! into the generated structs: no text is copied and no reading is built twice. The tests hold it
//! against the generated code, message by message.

use std::borrow::Cow;

use citytwin_core::quantity::Quantity;
use citytwin_core::time::EventTime;
use citytwin_proto::ingest::v1;
use prost::encoding::{
    DecodeContext, WireType, check_wire_type, decode_key, decode_varint, skip_field,
};
use prost::{DecodeError as WireError, Message as _};

use super::{Batch, DecodeError, RawReading, quantity_names};

/// A reading takes about this many bytes; a guess that saves growing.
const USUAL_READING_BYTES: usize = 18;

/// What one reading came to.
enum Parsed<'a> {
    Reading(RawReading<'a>),
    /// It names no quantity that is known.
    Quantity(i32),
}

pub(super) fn readings(payload: &[u8]) -> Result<Batch<'_>, DecodeError> {
    let mut rest = payload;
    let mut batch = Batch::default();
    batch.readings.reserve(payload.len() / USUAL_READING_BYTES);
    while !rest.is_empty() {
        let at = batch.readings.len();
        let wrong = |source| DecodeError::Protobuf { place: "ReadingBatch".to_owned(), source };
        let (tag, wire) = key(&mut rest).map_err(wrong)?;
        match tag {
            1 => batch.sensor = Cow::Borrowed(text(wire, &mut rest).map_err(wrong)?),
            2 => {
                let body = bytes(wire, &mut rest).map_err(wrong)?;
                match reading(body) {
                    Ok(Parsed::Reading(reading)) => batch.readings.push(reading),
                    Ok(Parsed::Quantity(number)) => return Err(unknown_quantity(at, number)),
                    Err(source) => {
                        return Err(DecodeError::Protobuf {
                            place: format!("readings[{at}]"),
                            source,
                        });
                    }
                }
            }
            _ => skip_field(wire, tag, &mut rest, DecodeContext::default()).map_err(wrong)?,
        }
    }
    Ok(batch)
}

pub(super) fn about(payload: &[u8]) -> Result<v1::SensorDescription, DecodeError> {
    v1::SensorDescription::decode(payload)
        .map_err(|source| DecodeError::Protobuf { place: "SensorDescription".to_owned(), source })
}

fn reading(mut rest: &[u8]) -> Result<Parsed<'_>, WireError> {
    let mut number = 0;
    let mut event_time_ms = 0;
    let mut value = 0.0;
    let mut sensor = "";
    while !rest.is_empty() {
        let (tag, wire) = key(&mut rest)?;
        match tag {
            1 => number = as_i32(varint(wire, &mut rest)?),
            2 => event_time_ms = varint(wire, &mut rest)?.cast_signed(),
            3 => value = double(wire, &mut rest)?,
            4 => sensor = text(wire, &mut rest)?,
            _ => skip_field(wire, tag, &mut rest, DecodeContext::default())?,
        }
    }
    let quantity = u8::try_from(number).ok().and_then(Quantity::from_number);
    Ok(quantity.map_or(Parsed::Quantity(number), |quantity| {
        Parsed::Reading(RawReading {
            quantity,
            event_time: EventTime::from_ms(event_time_ms),
            value,
            sensor: Cow::Borrowed(sensor),
        })
    }))
}

#[cold]
fn unknown_quantity(at: usize, number: i32) -> DecodeError {
    let what = if number == 0 {
        format!("is missing; allowed are 1 to {} ({})", Quantity::COUNT, quantity_names())
    } else {
        format!("{number} is not one of 1 to {} ({})", Quantity::COUNT, quantity_names())
    };
    DecodeError::Value { place: format!("readings[{at}].quantity"), what }
}

/// Protobuf's rule for `int32` and enums: the upper half of the varint is dropped.
#[expect(clippy::cast_possible_truncation, reason = "the rule of the format")]
const fn as_i32(varint: u64) -> i32 {
    varint as i32
}

/// A field's number and wire type; nearly always one byte.
#[inline]
fn key(rest: &mut &[u8]) -> Result<(u32, WireType), WireError> {
    if let [byte @ 8..0x80, after @ ..] = *rest
        && let Ok(wire) = WireType::try_from(u64::from(byte & 7))
    {
        *rest = after;
        return Ok((u32::from(byte >> 3), wire));
    }
    decode_key(rest)
}

fn varint(wire: WireType, rest: &mut &[u8]) -> Result<u64, WireError> {
    check_wire_type(WireType::Varint, wire)?;
    plain_varint(rest)
}

/// Lengths and quantities are nearly always one byte.
fn plain_varint(rest: &mut &[u8]) -> Result<u64, WireError> {
    match *rest {
        [byte @ 0..0x80, after @ ..] => {
            *rest = after;
            Ok(u64::from(*byte))
        }
        _ => decode_varint(rest),
    }
}

fn double(wire: WireType, rest: &mut &[u8]) -> Result<f64, WireError> {
    let mut value = 0.0;
    match rest.split_first_chunk::<8>() {
        Some((bytes, after)) if wire == WireType::SixtyFourBit => {
            *rest = after;
            Ok(f64::from_le_bytes(*bytes))
        }
        // What is wrong is said in prost's words.
        Some(_) | None => {
            prost::encoding::double::merge(wire, &mut value, rest, DecodeContext::default())?;
            Ok(value)
        }
    }
}

fn bytes<'a>(wire: WireType, rest: &mut &'a [u8]) -> Result<&'a [u8], WireError> {
    check_wire_type(WireType::LengthDelimited, wire)?;
    let length = plain_varint(rest)?;
    let whole = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    if let Some((body, after)) = whole {
        *rest = after;
        return Ok(body);
    }
    // What is wrong is said in prost's words: it asks for more than there is.
    let mut key_and_length = Vec::new();
    prost::encoding::encode_varint(length.max(1), &mut key_and_length);
    let mut nothing = Vec::new();
    let mut missing = key_and_length.as_slice();
    prost::encoding::bytes::merge(wire, &mut nothing, &mut missing, DecodeContext::default())?;
    Ok(&[])
}

fn text<'a>(wire: WireType, rest: &mut &'a [u8]) -> Result<&'a str, WireError> {
    let body = bytes(wire, rest)?;
    match str::from_utf8(body) {
        Ok(text) => Ok(text),
        Err(_not_utf8) => {
            // What is wrong is said in prost's words.
            let mut copy = Vec::new();
            prost::encoding::encode_varint(body.len() as u64, &mut copy);
            copy.extend_from_slice(body);
            let mut owned = String::new();
            let context = DecodeContext::default();
            prost::encoding::string::merge(wire, &mut owned, &mut copy.as_slice(), context)?;
            Ok("")
        }
    }
}
