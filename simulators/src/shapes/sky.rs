//! Weather over the city: showers that form, drift and pass, sun, heat and damp. One day's
//! showers are drawn at once from the seed, so every sensor sees the same sky.

use super::day::Moment;
use crate::chance::{bits, draw, smooth, unit};
use crate::city::plane::Spot;

/// Showers of one local day.
#[derive(Clone, Debug, PartialEq)]
pub struct Sky {
    seed: u64,
    day: i64,
    dry: bool,
    showers: [Shower; 3],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Shower {
    /// 0: none.
    peak_mm_h: f64,
    from_hour: f64,
    hours: f64,
    east_km: f64,
    north_km: f64,
    drift_east_km_h: f64,
    drift_north_km_h: f64,
    radius_km: f64,
}

impl Sky {
    /// A sky that has drawn nothing yet.
    pub fn new(seed: u64, daily_shape: bool) -> Sky {
        let showers = [Shower::default(); 3];
        Sky { seed: draw(seed, 0x5eed_0004), day: i64::MIN, dry: !daily_shape, showers }
    }

    /// Draws the showers of the moment's day, if they are not there already.
    pub fn turn_to(&mut self, moment: &Moment) {
        if self.day == moment.day || self.dry {
            return;
        }
        self.day = moment.day;
        // Wet from May to November.
        let of_year = moment.day.rem_euclid(365);
        let chance = if (120..330).contains(&of_year) { 0.65 } else { 0.12 };
        for (n, shower) in (0_u64..).zip(&mut self.showers) {
            let lot = |which: u64| unit(draw(draw(self.seed, bits(moment.day)), n * 16 + which));
            *shower = Shower::default();
            if lot(0) < chance {
                *shower = Shower {
                    peak_mm_h: 8.0 + 70.0 * lot(1) * lot(2),
                    from_hour: 11.5 + 8.0 * lot(3),
                    hours: 0.6 + 1.6 * lot(4),
                    east_km: 30.0 * (lot(5) - 0.5),
                    north_km: 36.0 * (lot(6) - 0.5),
                    drift_east_km_h: 24.0 * (lot(7) - 0.4),
                    drift_north_km_h: 16.0 * (lot(8) - 0.5),
                    radius_km: 5.0 + 9.0 * lot(9),
                };
            }
        }
    }

    /// Rain at a spot.
    pub fn rain_mm_h(&self, spot: Spot, hour: f64) -> f64 {
        let mut rain = 0.0;
        for shower in &self.showers {
            let age = hour - shower.from_hour;
            if shower.peak_mm_h > 0.0 && age > 0.0 && age < shower.hours {
                let east = spot.east_km - shower.east_km - shower.drift_east_km_h * age;
                let north = spot.north_km - shower.north_km - shower.drift_north_km_h * age;
                let off = (east * east + north * north) / (shower.radius_km * shower.radius_km);
                let part = age / shower.hours;
                // Rises fast, fades slowly.
                let life = (part * 4.0).min(1.0) * (1.0 - part);
                rain += shower.peak_mm_h * life * (1.0 - off).max(0.0);
            }
        }
        rain
    }

    /// Air temperature: follows the sun by two hours, falls in rain and toward the rim.
    pub fn temperature_c(&self, spot: Spot, moment: &Moment) -> f64 {
        let late = Moment { hour: (moment.hour + 22.0) % 24.0, ..*moment };
        let town = 1.2 - (spot.east_km.abs() + spot.north_km.abs()) * 0.03;
        let cooled = (self.rain_mm_h(spot, moment.hour) * 0.25).min(5.0);
        25.6 + 7.5 * late.sun() + town - cooled + 0.6 * smooth(self.seed, moment.time_ms, 7_200_000)
    }

    /// Relative humidity.
    pub fn humidity_ratio(&self, spot: Spot, moment: &Moment) -> f64 {
        let rain = self.rain_mm_h(spot, moment.hour);
        let warm = self.temperature_c(spot, moment) - 25.0;
        (0.90 - 0.038 * warm + (rain * 0.02).min(0.15)).clamp(0.25, 0.99)
    }
}
