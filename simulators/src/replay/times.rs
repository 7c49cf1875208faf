//! Where a recorded row's time comes from and how it is read: a column in a stated format, or a
//! start and a step. Times that do not say their offset get a fixed one; zones with daylight
//! saving are not known here.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime};
use serde::Deserialize;

use super::mapping::{MappingError, wrong};

/// Format unless the mapping says otherwise.
const PATTERN: &str = "%Y-%m-%d %H:%M:%S";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTime {
    column: Option<String>,
    start: Option<String>,
    step_s: Option<f64>,
    format: Option<String>,
    utc_offset: Option<String>,
}

/// How times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// RFC 3339 with offset.
    Rfc3339,
    /// Seconds since the Unix epoch.
    UnixS,
    /// Milliseconds since the Unix epoch.
    UnixMs,
    /// By chrono's letters.
    Pattern(String),
}

/// How to read times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeReader {
    /// How they are written.
    pub format: TimeFormat,
    /// Of local times.
    pub offset: FixedOffset,
}

/// Where a row's time comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// A column.
    Column(String),
    /// The first row's, and so much more for each further row.
    Steps {
        /// Milliseconds since the Unix epoch.
        start_ms: i64,
        /// Milliseconds.
        step_ms: i64,
    },
}

impl RawTime {
    pub(super) fn reader(&self) -> Result<TimeReader, MappingError> {
        let format = match self.format.as_deref() {
            Some("rfc3339") => TimeFormat::Rfc3339,
            Some("unix_s") => TimeFormat::UnixS,
            Some("unix_ms") => TimeFormat::UnixMs,
            other => {
                let pattern = other.unwrap_or(PATTERN);
                let known = chrono::format::StrftimeItems::new(pattern).parse();
                if known.is_err() || !pattern.contains('%') {
                    let allowed = "rfc3339, unix_s, unix_ms or a pattern such as %d-%m-%Y %H:%M";
                    return Err(wrong("time.format", pattern, allowed));
                }
                TimeFormat::Pattern(pattern.to_owned())
            }
        };
        let offset = self.utc_offset.as_deref().unwrap_or("+00:00");
        match offset.parse() {
            Ok(offset) => Ok(TimeReader { format, offset }),
            Err(error) => {
                let error: chrono::ParseError = error;
                let allowed = format!("an offset such as +07:00 ({error})");
                Err(wrong("time.utc_offset", offset, &allowed))
            }
        }
    }

    pub(super) fn source(&self, reader: &TimeReader) -> Result<TimeSource, MappingError> {
        match (&self.column, &self.start, self.step_s) {
            (Some(column), None, None) => Ok(TimeSource::Column(column.clone())),
            (None, Some(start), Some(step_s)) => {
                let start_ms = reader
                    .read(start)
                    .ok_or_else(|| wrong("time.start", start, "a time in time.format"))?;
                let step = std::time::Duration::try_from_secs_f64(step_s).ok();
                match step.and_then(|step| i64::try_from(step.as_millis()).ok()) {
                    Some(step) if step > 0 => Ok(TimeSource::Steps { start_ms, step_ms: step }),
                    Some(_) | None => {
                        let value = step_s.to_string();
                        Err(wrong("time.step_s", &value, "seconds, at least 0.001"))
                    }
                }
            }
            _ => Err(MappingError::Incomplete("[time] needs either column, or start and step_s")),
        }
    }
}

impl TimeReader {
    /// Milliseconds since the Unix epoch; `None`: not as the format says.
    pub fn read(&self, text: &str) -> Option<i64> {
        match &self.format {
            TimeFormat::Rfc3339 => {
                DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
            }
            TimeFormat::UnixMs => text.parse().ok(),
            TimeFormat::UnixS => whole_ms(text.parse::<f64>().ok()? * 1_000.0),
            TimeFormat::Pattern(pattern) => {
                if let Ok(time) = DateTime::parse_from_str(text, pattern) {
                    return Some(time.timestamp_millis());
                }
                let local = NaiveDateTime::parse_from_str(text, pattern).ok().or_else(|| {
                    NaiveDate::parse_from_str(text, pattern).ok()?.and_hms_opt(0, 0, 0)
                })?;
                Some(self.local_ms(local.and_utc().timestamp_millis()))
            }
        }
    }

    /// From milliseconds of local time since 1970.
    pub fn local_ms(&self, ms: i64) -> i64 {
        ms - i64::from(self.offset.local_minus_utc()) * 1_000
    }

    /// A number in a column of times.
    pub fn number(&self, number: f64) -> Option<i64> {
        match self.format {
            TimeFormat::UnixS => whole_ms(number * 1_000.0),
            TimeFormat::UnixMs => whole_ms(number),
            TimeFormat::Rfc3339 | TimeFormat::Pattern(_) => None,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
fn whole_ms(ms: f64) -> Option<i64> {
    (ms.abs() < 1e17).then_some(ms.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offset() {
        let format = TimeFormat::Pattern("%d-%m-%Y %H:%M".to_owned());
        let local = TimeReader { format, offset: "+07:00".parse().unwrap() };
        // 23 February, not the second day of a 23rd month; 21:00 in HCMC is 14:00 UTC
        let expected = DateTime::parse_from_rfc3339("2021-02-23T14:00:00Z").unwrap();
        assert_eq!(local.read("23-02-2021 21:00"), Some(expected.timestamp_millis()));
        assert_eq!(local.read("02-23-2021 21:00"), None);
        let unix = TimeReader { format: TimeFormat::UnixS, offset: local.offset };
        assert_eq!(unix.read("1.5"), Some(1_500));
        let date = TimeReader { format: TimeFormat::Pattern("%F".to_owned()), ..unix };
        assert_eq!(date.read("1970-01-02"), Some(17 * 3_600_000));
        let with_offset = TimeReader { format: TimeFormat::Pattern("%F %T %z".to_owned()), ..date };
        assert_eq!(with_offset.read("1970-01-01 01:00:00 +0100"), Some(0));
    }
}
