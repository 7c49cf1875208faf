//! Points of time as people type them.

use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use citytwin_core::time::{ArrivalTime, Epoch};
use prost_types::Timestamp;

/// Allowed forms, for `--help` and errors.
const ALLOWED: &str = "allowed: 2026-11-20T07:45:00+07:00, 2026-11-20 07:45 (this machine's time zone), or -90m (so \
     long ago)";

/// A point of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MomentArg(DateTime<Utc>);

impl MomentArg {
    /// As the API wants it.
    pub fn timestamp(self) -> Timestamp {
        let nanos = i32::try_from(self.0.timestamp_subsec_nanos()).unwrap_or(0);
        Timestamp { seconds: self.0.timestamp(), nanos }
    }
}

impl MomentArg {
    /// Of milliseconds since 1970; nothing past the calendar.
    pub fn from_ms(ms: i64) -> Option<MomentArg> {
        DateTime::from_timestamp_millis(ms).map(MomentArg)
    }

    /// Milliseconds since 1970.
    pub fn ms(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// In RFC 3339, UTC.
    pub fn rfc3339(self) -> String {
        self.0.to_rfc3339()
    }

    /// The last slice of arrival time that had ended by then.
    pub fn epoch(self) -> Epoch {
        let around = Epoch::of(ArrivalTime::from_ms(self.0.timestamp_millis()));
        Epoch::new(around.number().saturating_sub(1))
    }
}

/// Reads one.
pub(super) fn moment(text: &str) -> Result<MomentArg, String> {
    read(text.trim(), Utc::now()).map(MomentArg).ok_or_else(|| ALLOWED.to_owned())
}

/// A time from its begin to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Included.
    pub begin: MomentArg,
    /// Excluded.
    pub end: MomentArg,
}

/// Reads one: two points of time with a slash between; of the second, the time of day is enough.
pub(super) fn period(text: &str) -> Result<Period, String> {
    read_period(text, Utc::now()).ok_or_else(|| {
        format!(
            "allowed: BEGIN/END, such as \"2026-11-20 07:00/09:00\" or -2h/-1h; of each {ALLOWED}"
        )
    })
}

fn read_period(text: &str, now: DateTime<Utc>) -> Option<Period> {
    let (begin, end) = text.split_once('/')?;
    let (begin, end) = (begin.trim(), end.trim());
    let day = begin.split_once([' ', 'T']).map(|(day, _)| day);
    let same_day = || read(&format!("{} {end}", day?), now);
    let (begin, end) = (read(begin, now)?, read(end, now).or_else(same_day)?);
    (begin < end).then_some(Period { begin: MomentArg(begin), end: MomentArg(end) })
}

fn read(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if text == "now" {
        return Some(now);
    }
    if let Some(ago) = text.strip_prefix('-')
        && let Ok(ago) = humantime::parse_duration(ago)
    {
        return now.checked_sub_signed(chrono::Duration::from_std(ago).ok()?);
    }
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Some(exact.to_utc());
    }
    let local =
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(Local.from_local_datetime(&local).earliest()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_two_times() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T08:00:00Z").unwrap().to_utc();
        let minutes = |text: &str| {
            let period = read_period(text, now)?;
            Some((period.end.ms() - period.begin.ms()) / 60_000)
        };
        assert_eq!(minutes("2026-11-20 07:00/09:00"), Some(120));
        assert_eq!(minutes("2026-11-20T07:00 / 2026-11-21T07:00"), Some(1_440));
        assert_eq!(minutes("-2h/-30m"), Some(90));
        assert_eq!(minutes("-30m/-2h"), None);
        assert_eq!(minutes("07:00/09:00"), None);
        assert_eq!(minutes("2026-11-20 07:00"), None);
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T08:00:00Z").unwrap().to_utc();
        let check = |text: &str, expected: &str| {
            let read = read(text, now).map(|time| time.to_rfc3339());
            assert_eq!(read.as_deref(), (!expected.is_empty()).then_some(expected), "{text}");
        };
        check("2026-11-20T07:45:00+07:00", "2026-11-20T00:45:00+00:00");
        check("-90m", "2026-11-20T06:30:00+00:00");
        check("now", "2026-11-20T08:00:00+00:00");
        check("yesterday", "");
        check("2026-13-01", "");
        let local = Local.with_ymd_and_hms(2026, 11, 20, 7, 45, 0).unwrap().to_utc();
        check("2026-11-20 07:45", &local.to_rfc3339());
        check("2026-11-20T07:45:00", &local.to_rfc3339());
    }
}
