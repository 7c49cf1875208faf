//! Bytes → readings and descriptions. Pure: no clock, no registry, no log.
//!
//! What does not decode is refused whole, with an error that says what, where and what is allowed
//! instead; a message is never half taken. Unknown JSON fields are refused (a misspelt name must
//! not pass as a zero); unknown protobuf fields are skipped, as the format asks.

mod description;
mod json;
mod protobuf;
mod topic;

use std::borrow::Cow;

use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorDescription;
use citytwin_core::time::EventTime;
use thiserror::Error;

pub use description::{DescriptionError, description};
pub(crate) use description::{Fields, KindText};
pub use topic::{Subject, Topic, TopicError, topic};

/// The readings of one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch<'a> {
    /// Who measured, unless a reading names another; empty: the sensor of the topic.
    pub sensor: Cow<'a, str>,
    /// In the order of the message.
    pub readings: Vec<RawReading<'a>>,
}

/// A reading as it was sent: well-formed, but nobody has judged it yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RawReading<'a> {
    /// What was measured.
    pub quantity: Quantity,
    /// When, by the sensor's clock.
    pub event_time: EventTime,
    /// In the quantity's unit; may be anything.
    pub value: f64,
    /// Who measured; empty: the sensor of the batch.
    pub sensor: Cow<'a, str>,
}

/// Why a payload is no message of ours.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Not the protobuf message that is expected on this topic.
    #[error("{place}: {source}")]
    Protobuf {
        /// Where in the message.
        place: String,
        /// What is wrong there.
        #[source]
        source: prost::DecodeError,
    },
    /// Not the JSON that is expected on this topic.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The message says something that cannot be.
    #[error("{place}: {what}")]
    Value {
        /// Where in the message.
        place: String,
        /// What is wrong there, and what is allowed.
        what: String,
    },
}

/// Why a payload describes no sensor.
#[derive(Debug, Error)]
pub enum AboutError {
    /// It cannot be read.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// It can be read, but says something that cannot be.
    #[error(transparent)]
    Bad(#[from] DescriptionError),
}

/// How a payload is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

/// By the content type if it is one of ours, else by the first byte: neither `{` nor `[` can begin
/// a protobuf message (they would begin groups of fields 15 and 11).
fn encoding(payload: &[u8], content_type: Option<&str>) -> Encoding {
    let mime = content_type.map_or("", |text| text.split(';').next().unwrap_or("").trim());
    if mime.eq_ignore_ascii_case("application/json") {
        return Encoding::Json;
    }
    let protobuf =
        ["application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf"];
    if protobuf.iter().any(|known| mime.eq_ignore_ascii_case(known)) {
        return Encoding::Protobuf;
    }
    match payload.first() {
        Some(b'{' | b'[') => Encoding::Json,
        Some(_) | None => Encoding::Protobuf,
    }
}

/// Decodes what is published on `…/readings`: a `ReadingBatch`, or in JSON also a single reading
/// or an array of readings.
///
/// # Errors
/// When it is none of these.
pub fn readings<'a>(
    payload: &'a [u8],
    content_type: Option<&str>,
) -> Result<Batch<'a>, DecodeError> {
    match encoding(payload, content_type) {
        Encoding::Protobuf => protobuf::readings(payload),
        Encoding::Json => json::readings(payload),
    }
}

/// Decodes what is published on `…/about`: a `SensorDescription`.
///
/// # Errors
/// When it is none, or describes no sensor that can be.
pub fn about(payload: &[u8], content_type: Option<&str>) -> Result<SensorDescription, AboutError> {
    match encoding(payload, content_type) {
        Encoding::Protobuf => Ok(description(&protobuf::about(payload)?)?),
        Encoding::Json => Ok(json::about(payload)?.check()?),
    }
}

/// `speed_kmh, flow_veh_h, …`: what is allowed where a quantity is expected.
fn quantity_names() -> String {
    Quantity::all().map(Quantity::name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
