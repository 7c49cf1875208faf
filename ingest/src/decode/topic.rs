//! Topics: `city/v1/{agency}/{sensor}/readings` and `…/about`.

use citytwin_core::sensor::is_id;
use thiserror::Error;

/// What is published on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Readings.
    Readings,
    /// The description of the sensor.
    About,
}

/// A topic of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The sensor's id, `agency/sensor`, as it stands in the topic.
    pub key: &'a str,
    /// Its first part.
    pub agency: &'a str,
    /// What is published there.
    pub subject: Subject,
}

/// Why a topic is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the topic is not city/v1/{{agency}}/{{sensor}}/readings or …/about, \
     with agency and sensor 1 to 64 of A-Z a-z 0-9 . _ -"
)]
pub struct TopicError;

/// Reads a topic.
///
/// # Errors
/// When it is none of ours.
pub fn topic(text: &str) -> Result<Topic<'_>, TopicError> {
    let rest = text.strip_prefix("city/v1/").ok_or(TopicError)?;
    let (key, last) = rest.rsplit_once('/').ok_or(TopicError)?;
    let subject = match last {
        "readings" => Subject::Readings,
        "about" => Subject::About,
        _ => return Err(TopicError),
    };
    match key.split_once('/') {
        Some((agency, sensor)) if is_id(agency) && is_id(sensor) => {
            Ok(Topic { key, agency, subject })
        }
        Some(_) | None => Err(TopicError),
    }
}
