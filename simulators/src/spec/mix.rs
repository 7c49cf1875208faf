//! How many sensors of each kind, and how often each reports: the table of kinds and the exact
//! division of a total among them.

use citytwin_proto::ingest::v1::SensorKind;
use serde::{Deserialize, Serialize};

use super::{SpecError, within};

/// What a kind is where the spec does not say.
#[derive(Clone, Copy, Debug)]
pub struct KindDefaults {
    /// The kind.
    pub kind: SensorKind,
    /// Its name in TOML, CSV and sensor ids.
    pub name: &'static str,
    /// The agency that owns such sensors.
    pub agency: &'static str,
    /// What the number in its id is written after, such as `loop` in `loop-000001`.
    pub prefix: &'static str,
    /// Of a thousand sensors of the city.
    pub share: f64,
    /// How often it reports.
    pub interval_ms: u32,
}

const fn kind(
    (kind, name): (SensorKind, &'static str),
    (agency, prefix): (&'static str, &'static str),
    share: f64,
    interval_ms: u32,
) -> KindDefaults {
    KindDefaults { kind, name, agency, prefix, share, interval_ms }
}

/// In order of number. About 2,800 readings a second from 20,000 sensors.
const TABLE: [KindDefaults; 14] = [
    kind((SensorKind::TrafficLoop, "traffic_loop"), ("traffic", "loop"), 300.0, 10_000),
    kind((SensorKind::Radar, "radar"), ("traffic", "radar"), 80.0, 10_000),
    kind((SensorKind::CameraCounter, "camera_counter"), ("traffic", "camera"), 70.0, 30_000),
    kind((SensorKind::SignalController, "signal_controller"), ("traffic", "signal"), 75.0, 30_000),
    kind((SensorKind::AirStation, "air_station"), ("environment", "air"), 12.0, 60_000),
    kind((SensorKind::Noise, "noise"), ("environment", "noise"), 45.0, 15_000),
    kind((SensorKind::Weather, "weather"), ("environment", "weather"), 8.0, 60_000),
    kind((SensorKind::Rain, "rain"), ("drainage", "rain"), 20.0, 60_000),
    kind((SensorKind::WaterLevel, "water_level"), ("drainage", "water"), 30.0, 60_000),
    kind((SensorKind::StreetLight, "street_light"), ("lighting", "lamp"), 280.0, 300_000),
    kind((SensorKind::IndustrialStack, "industrial_stack"), ("industry", "stack"), 15.0, 60_000),
    kind(
        (SensorKind::IndustrialEffluent, "industrial_effluent"),
        ("industry", "effluent"),
        10.0,
        60_000,
    ),
    kind((SensorKind::PowerMeter, "power_meter"), ("industry", "power"), 35.0, 15_000),
    kind((SensorKind::Vibration, "vibration"), ("industry", "vibration"), 20.0, 5_000),
];

/// What a kind is where the spec does not say; none for the unspecified kind.
pub fn defaults_of(kind: SensorKind) -> Option<&'static KindDefaults> {
    TABLE.iter().find(|known| known.kind == kind)
}

/// One kind's part of the fleet. Left out means the kind's default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindSpec {
    /// Exactly so many.
    pub count: Option<u32>,
    /// Weight in the division of what the counts leave over.
    pub share: Option<f64>,
    /// How often such a sensor reports.
    pub interval_ms: Option<u32>,
}

/// Every kind's part of the fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "each name is its documentation")]
pub struct KindsSpec {
    pub traffic_loop: KindSpec,
    pub radar: KindSpec,
    pub camera_counter: KindSpec,
    pub signal_controller: KindSpec,
    pub air_station: KindSpec,
    pub noise: KindSpec,
    pub weather: KindSpec,
    pub rain: KindSpec,
    pub water_level: KindSpec,
    pub street_light: KindSpec,
    pub industrial_stack: KindSpec,
    pub industrial_effluent: KindSpec,
    pub power_meter: KindSpec,
    pub vibration: KindSpec,
}

impl KindsSpec {
    /// A fleet of one kind only.
    pub fn only(kind: SensorKind) -> KindsSpec {
        let mut kinds = KindsSpec::default();
        for (known, part) in TABLE.iter().zip(kinds.parts_mut()) {
            part.share = Some(if known.kind == kind { 1.0 } else { 0.0 });
        }
        kinds
    }

    /// Kind, number and interval, in order of kind; the numbers add up to `total`.
    ///
    /// # Errors
    /// When a value makes no sense or the parts cannot add up to `total`.
    pub fn counts(&self, total: u32) -> Result<Vec<(SensorKind, u32, u32)>, SpecError> {
        let mut counted = 0_u64;
        let mut weights = 0.0;
        for (known, part) in TABLE.iter().zip(self.parts()) {
            check(known, part, total)?;
            match part.count {
                Some(count) => counted += u64::from(count),
                None => weights += part.share.unwrap_or(known.share),
            }
        }
        let Some(rest) = u64::from(total).checked_sub(counted) else {
            return Err(SpecError::value(
                "kinds.*.count together",
                counted,
                format!("up to sensors = {total}"),
            ));
        };
        if rest > 0 && weights <= 0.0 {
            return Err(SpecError::value(
                "sensors",
                total,
                format!("{counted}, because no kind without a count has a share"),
            ));
        }
        Ok(self.divide(rest, weights))
    }

    /// Cuts `rest` at the rounded running sum of the weights: exact, and each part is within one
    /// of its due.
    fn divide(&self, rest: u64, weights: f64) -> Vec<(SensorKind, u32, u32)> {
        let mut sum = 0.0;
        let mut given = 0;
        let mut counts = Vec::with_capacity(TABLE.len());
        for (known, part) in TABLE.iter().zip(self.parts()) {
            let count = part.count.unwrap_or_else(|| {
                sum += part.share.unwrap_or(known.share);
                let upto = whole((rest as f64 * sum / weights).round());
                let count = upto.saturating_sub(given);
                given += count;
                count
            });
            counts.push((known.kind, count, part.interval_ms.unwrap_or(known.interval_ms)));
        }
        counts
    }

    fn parts(&self) -> [&KindSpec; 14] {
        [
            &self.traffic_loop,
            &self.radar,
            &self.camera_counter,
            &self.signal_controller,
            &self.air_station,
            &self.noise,
            &self.weather,
            &self.rain,
            &self.water_level,
            &self.street_light,
            &self.industrial_stack,
            &self.industrial_effluent,
            &self.power_meter,
            &self.vibration,
        ]
    }

    fn parts_mut(&mut self) -> [&mut KindSpec; 14] {
        [
            &mut self.traffic_loop,
            &mut self.radar,
            &mut self.camera_counter,
            &mut self.signal_controller,
            &mut self.air_station,
            &mut self.noise,
            &mut self.weather,
            &mut self.rain,
            &mut self.water_level,
            &mut self.street_light,
            &mut self.industrial_stack,
            &mut self.industrial_effluent,
            &mut self.power_meter,
            &mut self.vibration,
        ]
    }
}

fn check(known: &KindDefaults, part: &KindSpec, total: u32) -> Result<(), SpecError> {
    let name = known.name;
    if let Some(interval) = part.interval_ms {
        within(&format!("kinds.{name}.interval_ms"), interval, 100, 86_400_000)?;
    }
    if let Some(count) = part.count {
        within(&format!("kinds.{name}.count"), count, 0, total)?;
    }
    match (part.count, part.share) {
        (Some(_), Some(share)) => Err(SpecError::value(
            format!("kinds.{name}.share"),
            share,
            "no such key where there is a count",
        )),
        (None, Some(share)) if !(share.is_finite() && (0.0..=1e9).contains(&share)) => {
            Err(SpecError::value(format!("kinds.{name}.share"), share, "0 to 1000000000"))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rounded part of a total that is a u32"
)]
const fn whole(part: f64) -> u32 {
    part as u32
}
