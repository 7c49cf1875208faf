//! Air, noise, weather and water.

use std::f64::consts::TAU;

use super::day::Moment;
use super::sky::Sky;
use super::{Shape, Values, rounded};
use crate::chance::{bits, draw, hill, smooth};
use citytwin_proto::ingest::v1::Quantity;

/// Fine dust over the day relative to its mean: held down by night and in the morning, blown
/// away after noon.
#[rustfmt::skip]
const DUST: [f64; 24] = [
    1.05, 1.05, 1.04, 1.05, 1.10, 1.20, 1.38, 1.50, 1.42, 1.22, 1.00, 0.85,
    0.74, 0.68, 0.64, 0.66, 0.74, 0.88, 1.02, 1.12, 1.15, 1.14, 1.10, 1.07,
];

const HOUR_MS: i64 = 3_600_000;
/// Periods of the principal lunar semi-diurnal (M2) and luni-solar diurnal (K1) tides in hours.
const TIDE_HALF_DAY_H: f64 = 12.420_6;
const TIDE_DAY_H: f64 = 23.934_5;

/// Eight quantities of an air station, in µg/m³, °C and a ratio.
pub(super) fn air(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let lot = draw(shape.seed, bits(moment.time_ms));
    let mut noise = Noise(lot);
    let washed = 1.0 / (1.0 + sky.rain_mm_h(shape.spot, moment.hour) * 0.08);
    let weather = 1.0 + 0.35 * smooth(shape.seed ^ 1, moment.time_ms, 6 * HOUR_MS);
    let traffic = moment.demand() * shape.busy;
    let pm25 = 26.0 * shape.busy * moment.along(&DUST) * weather * washed * noise.about(0.05);
    out.put(Quantity::Pm25UgM3, rounded(pm25, 10.0));
    out.put(Quantity::Pm10UgM3, rounded(pm25 * 1.7 * noise.about(0.04), 10.0));
    out.put(Quantity::No2UgM3, rounded((12.0 + 42.0 * traffic) * noise.about(0.06), 10.0));
    let so2 = (14.0 + 10.0 * moment.shift()) * weather * noise.about(0.06);
    out.put(Quantity::So2UgM3, rounded(so2, 10.0));
    let co = (450.0 + 950.0 * traffic) * weather * noise.about(0.04);
    out.put(Quantity::CoUgM3, rounded(co, 1.0));
    let o3 = (16.0 + 85.0 * moment.sun() - 12.0 * traffic).max(2.0) * noise.about(0.05);
    out.put(Quantity::O3UgM3, rounded(o3, 10.0));
    let temperature = sky.temperature_c(shape.spot, moment) + 0.1 * noise.step();
    out.put(Quantity::TemperatureC, rounded(temperature, 10.0));
    let humidity = sky.humidity_ratio(shape.spot, moment) + 0.004 * noise.step();
    out.put(Quantity::HumidityRatio, rounded(humidity.clamp(0.0, 1.0), 1_000.0));
}

/// Sound level: traffic, rain on roofs, passing horns.
pub(super) fn sound(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let rain = sky.rain_mm_h(shape.spot, moment.hour).min(40.0) * 0.2;
    let horn = noise.step().max(0.0) * 5.0;
    let level = 50.0 + 19.0 * (moment.demand() * shape.busy).sqrt() + rain + horn + noise.step();
    out.put(Quantity::NoiseDba, rounded(level, 10.0));
}

/// Temperature, humidity, rain.
pub(super) fn weather(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let mut noise = Noise(draw(shape.seed, bits(moment.time_ms)));
    let temperature = sky.temperature_c(shape.spot, moment) + 0.15 * noise.step();
    out.put(Quantity::TemperatureC, rounded(temperature, 10.0));
    let humidity = sky.humidity_ratio(shape.spot, moment) + 0.004 * noise.step();
    out.put(Quantity::HumidityRatio, rounded(humidity.clamp(0.0, 1.0), 1_000.0));
    rain(shape, moment, sky, out);
}

/// Rain rate; dry is exactly 0.
pub(super) fn rain(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let falling = sky.rain_mm_h(shape.spot, moment.hour);
    let gust = 1.0 + 0.15 * hill(draw(shape.seed ^ 2, bits(moment.time_ms)));
    out.put(Quantity::RainMmH, rounded(falling * gust, 10.0));
}

/// Two tides, later upstream, and the rain of the last half hour. Metres above the datum.
pub(super) fn level(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let hours = moment.time_ms as f64 / HOUR_MS as f64 - shape.lag_h;
    let tide = 0.62 * (TAU * hours / TIDE_HALF_DAY_H).cos()
        + 0.48 * (TAU * hours / TIDE_DAY_H + 0.9).cos();
    let flood = sky.rain_mm_h(shape.spot, moment.hour - 0.5) * 0.008 * shape.busy;
    let ripple = 0.012 * hill(draw(shape.seed, bits(moment.time_ms)));
    let slow = 0.08 * smooth(shape.seed ^ 3, moment.time_ms, 12 * HOUR_MS);
    out.put(Quantity::WaterLevelM, rounded(0.35 + tide + flood + ripple + slow, 100.0));
}

/// Noise in steps out of one draw.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    /// From -1 to 1.
    pub(super) fn step(&mut self) -> f64 {
        self.0 = crate::chance::mix(self.0);
        hill(self.0)
    }

    /// A factor around 1.
    pub(super) fn about(&mut self, reach: f64) -> f64 {
        1.0 + reach * self.step()
    }
}
