//! The hour of the day where the sensors stand, and curves over it.

/// Local time is UTC + 7 h all year.
const OFFSET_MS: i64 = 7 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// A moment as sensors live it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch, for noise.
    pub time_ms: i64,
    /// Local days since the Unix epoch.
    pub day: i64,
    /// Local hour, 0 to 24.
    pub hour: f64,
    /// Saturday or Sunday.
    pub weekend: bool,
}

impl Moment {
    /// Where the city's clock stands. Without daily shape: always ten in the morning of a
    /// weekday.
    pub fn at(time_ms: i64, daily_shape: bool) -> Moment {
        let local = time_ms + OFFSET_MS;
        let day = local.div_euclid(DAY_MS);
        if !daily_shape {
            return Moment { time_ms, day, hour: 10.0, weekend: false };
        }
        let hour = local.rem_euclid(DAY_MS) as f64 / 3_600_000.0;
        // Day 0 was a Thursday.
        Moment { time_ms, day, hour, weekend: matches!((day + 4).rem_euclid(7), 0 | 6) }
    }

    /// A curve given by its values at full hours.
    pub fn along(&self, hours: &[f64; 24]) -> f64 {
        let hour = self.hour.min(23.999_999);
        let slot = whole(hour);
        let part = hour - slot as f64;
        hours[slot] + (hours[(slot + 1) % 24] - hours[slot]) * part
    }

    /// How many trips are made, as a share of those of the evening's peak hour: two rush hours on
    /// working days, one broad hill at weekends.
    pub fn demand(&self) -> f64 {
        self.along(if self.weekend { &WEEKEND_DEMAND } else { &WEEKDAY_DEMAND })
    }

    /// How much of industry is at work.
    pub fn shift(&self) -> f64 {
        self.along(&SHIFT) * if self.weekend { 0.6 } else { 1.0 }
    }

    /// The sun's strength, 0 to 1.
    pub fn sun(&self) -> f64 {
        self.along(&SUN)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an hour from 0 to 24 fits"
)]
const fn whole(hour: f64) -> usize {
    hour as usize
}

#[rustfmt::skip]
const WEEKDAY_DEMAND: [f64; 24] = [
    0.10, 0.07, 0.05, 0.05, 0.09, 0.25, 0.66, 0.99, 0.93, 0.72, 0.65, 0.68,
    0.66, 0.61, 0.63, 0.71, 0.89, 1.00, 0.96, 0.74, 0.56, 0.43, 0.30, 0.18,
];
#[rustfmt::skip]
const WEEKEND_DEMAND: [f64; 24] = [
    0.16, 0.10, 0.07, 0.06, 0.08, 0.17, 0.32, 0.46, 0.57, 0.64, 0.67, 0.66,
    0.62, 0.58, 0.58, 0.63, 0.70, 0.77, 0.80, 0.77, 0.68, 0.56, 0.42, 0.27,
];
#[rustfmt::skip]
const SHIFT: [f64; 24] = [
    0.45, 0.44, 0.43, 0.43, 0.44, 0.50, 0.70, 0.92, 1.00, 1.00, 0.98, 0.90,
    0.80, 0.95, 1.00, 0.98, 0.92, 0.80, 0.72, 0.70, 0.68, 0.65, 0.55, 0.48,
];
#[rustfmt::skip]
const SUN: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.10, 0.32, 0.55, 0.75, 0.89, 0.97,
    1.0, 0.98, 0.88, 0.70, 0.45, 0.18, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_seven_hours_ahead() {
        // Monday 2026-03-02 06:30 at Ho Chi Minh City.
        let moment = Moment::at(1_772_407_800_000, true);
        assert!((moment.hour - 6.5).abs() < 1e-9 && !moment.weekend);
        assert!(Moment::at(1_772_407_800_000 - 86_400_000, true).weekend);
        assert!(Moment::at(1_772_407_800_000 - 2 * 86_400_000, true).weekend);
        assert!(!Moment::at(1_772_407_800_000 - 3 * 86_400_000, true).weekend);
        assert!((moment.demand() - 0.825).abs() < 0.01);
    }
}
