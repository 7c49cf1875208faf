//! Descriptions of sensors: from the fields as they were sent, by whatever door, to what the engine
//! takes. One place decides what a valid sensor is.

use citytwin_core::position::Position;
use citytwin_core::sensor::{DEFAULT_INTERVAL_MS, SensorDescription, SensorKind};
use citytwin_proto::ingest::v1;
use thiserror::Error;

/// Longest name, link or zone, in bytes.
const MAX_TEXT_BYTES: usize = 256;
/// Longest expected interval: 30 days.
const MAX_INTERVAL_MS: i64 = 30 * 86_400_000;
/// Fastest free flow.
const MAX_SPEED_KMH: f64 = 500.0;
/// Most lanes of a link.
const MAX_LANES: u32 = 64;

/// Why a description describes no sensor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} {what}")]
pub struct DescriptionError {
    field: &'static str,
    what: String,
}

fn wrong(field: &'static str, what: impl Into<String>) -> DescriptionError {
    DescriptionError { field, what: what.into() }
}

/// A description as it was sent; what was not sent is `None`, 0 or empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    pub(crate) kind: Option<KindText>,
    pub(crate) latitude_deg: Option<f64>,
    pub(crate) longitude_deg: Option<f64>,
    pub(crate) expected_interval_ms: i64,
    pub(crate) name: String,
    pub(crate) link: String,
    pub(crate) lane: u32,
    pub(crate) zone: String,
    pub(crate) free_flow_speed_kmh: f64,
    pub(crate) lanes: u32,
}

/// A sensor kind as it was sent.
#[derive(Clone, Debug)]
pub(crate) enum KindText {
    /// `traffic_loop` or `SENSOR_KIND_TRAFFIC_LOOP`.
    Name(String),
    /// Its wire number.
    Number(i64),
}

/// Checks a description in protobuf's generated form.
///
/// # Errors
/// When a field is missing or outside what is allowed; the error names it.
pub fn description(sent: &v1::SensorDescription) -> Result<SensorDescription, DescriptionError> {
    // Protobuf cannot tell a missing coordinate from a zero, and no city of ours lies where both
    // are: that is a description without a position.
    let missing = sent.latitude_deg.abs() + sent.longitude_deg.abs() <= 0.0;
    let fields = Fields {
        kind: (sent.kind != 0).then_some(KindText::Number(i64::from(sent.kind))),
        latitude_deg: (!missing).then_some(sent.latitude_deg),
        longitude_deg: (!missing).then_some(sent.longitude_deg),
        expected_interval_ms: sent.expected_interval_ms,
        name: sent.name.clone(),
        link: sent.link.clone(),
        lane: sent.lane,
        zone: sent.zone.clone(),
        free_flow_speed_kmh: sent.free_flow_speed_kmh,
        lanes: sent.lanes,
    };
    fields.check()
}

impl Fields {
    pub(crate) fn check(self) -> Result<SensorDescription, DescriptionError> {
        let free_flow_speed_kmh = self.free_flow_speed_kmh;
        if !(0.0..=MAX_SPEED_KMH).contains(&free_flow_speed_kmh) {
            let what = format!("{free_flow_speed_kmh} is not within 0 to {MAX_SPEED_KMH}");
            return Err(wrong("free_flow_speed_kmh", what));
        }
        for (field, count) in [("lane", self.lane), ("lanes", self.lanes)] {
            if count > MAX_LANES {
                return Err(wrong(field, format!("{count} is not within 0 to {MAX_LANES}")));
            }
        }
        Ok(SensorDescription {
            kind: kind(self.kind.as_ref())?,
            position: position(self.latitude_deg, self.longitude_deg)?,
            expected_interval_ms: interval(self.expected_interval_ms)?,
            name: text("name", self.name)?,
            link: text("link", self.link)?,
            lane: self.lane,
            zone: text("zone", self.zone)?,
            free_flow_speed_kmh,
            lanes: self.lanes,
        })
    }
}

fn kind(sent: Option<&KindText>) -> Result<SensorKind, DescriptionError> {
    let (shown, found) = match sent {
        None => ("is missing;".to_owned(), None),
        Some(KindText::Number(number)) => {
            let found = u8::try_from(*number).ok().and_then(SensorKind::from_number);
            (format!("{number} is unknown;"), found)
        }
        Some(KindText::Name(name)) => {
            let plain =
                name.strip_prefix("SENSOR_KIND_").map_or(name.clone(), str::to_ascii_lowercase);
            let short: String = name.chars().take(100).collect();
            (format!("{short:?} is unknown;"), SensorKind::from_name(&plain))
        }
    };
    found.ok_or_else(|| {
        let names: Vec<_> = SensorKind::all().map(SensorKind::name).collect();
        wrong("kind", format!("{shown} allowed are {} (1 to {})", names.join(", "), names.len()))
    })
}

fn position(latitude: Option<f64>, longitude: Option<f64>) -> Result<Position, DescriptionError> {
    let (Some(latitude), Some(longitude)) = (latitude, longitude) else {
        let what = "is missing; allowed are latitude_deg -90 to 90 and longitude_deg -180 to 180";
        return Err(wrong("position", what));
    };
    Position::new(latitude, longitude)
        .map_err(|error| wrong("position", format!("is wrong: {error}")))
}

fn interval(ms: i64) -> Result<u32, DescriptionError> {
    match u32::try_from(ms) {
        Ok(0) => Ok(DEFAULT_INTERVAL_MS),
        Ok(interval) if ms <= MAX_INTERVAL_MS => Ok(interval),
        Ok(_) | Err(_) => Err(wrong(
            "expected_interval_ms",
            format!("{ms} is not within 1 to {MAX_INTERVAL_MS} (30 days), or 0 for 60 seconds"),
        )),
    }
}

fn text(field: &'static str, text: String) -> Result<String, DescriptionError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(wrong(field, format!("has {} bytes, over {MAX_TEXT_BYTES}", text.len())));
    }
    Ok(text)
}
