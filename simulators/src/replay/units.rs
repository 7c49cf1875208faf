//! Names and ranges of quantities and kinds, and conversions of foreign units, as a replay needs
//! them. The ranges are written down a second time on purpose: a load test that shared the
//! engine's table would share its mistakes.

use citytwin_proto::ingest::v1::{Quantity, SensorKind};

use crate::verdict::quantity_name;

/// `value × factor + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conversion {
    /// Multiplied first.
    pub factor: f64,
    /// Added then.
    pub offset: f64,
}

impl Conversion {
    /// Leaves a value as it is.
    pub const NONE: Conversion = Conversion { factor: 1.0, offset: 0.0 };

    /// In the target unit. Without an offset the result is the one rounded product.
    pub fn apply(self, value: f64) -> f64 {
        let scaled = value * self.factor;
        if self.offset == 0.0 { scaled } else { scaled + self.offset }
    }
}

/// Conversions that have a name.
const NAMED: [(&str, Conversion); 12] = [
    ("mph->km/h", scale(1.609_344)),
    ("m/s->km/h", scale(3.6)),
    ("percent->ratio", scale(0.01)),
    ("mg/m3->ug/m3", scale(1_000.0)),
    ("ft->m", scale(0.304_8)),
    ("cm->m", scale(0.01)),
    ("mm->m", scale(0.001)),
    ("in/h->mm/h", scale(25.4)),
    ("veh/5min->veh/h", scale(12.0)),
    ("veh/15min->veh/h", scale(4.0)),
    ("K->C", Conversion { factor: 1.0, offset: -273.15 }),
    ("F->C", Conversion { factor: 5.0 / 9.0, offset: -160.0 / 9.0 }),
];

const fn scale(factor: f64) -> Conversion {
    Conversion { factor, offset: 0.0 }
}

/// The conversion of this name.
pub(super) fn conversion(name: &str) -> Option<Conversion> {
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, conversion)| *conversion)
}

/// All names of conversions, for messages.
pub fn conversion_names() -> String {
    NAMED.map(|(name, _)| name).join(", ")
}

/// The quantity of a name such as `speed_kmh`.
/// The number of a quantity.
pub(super) fn number(quantity: Quantity) -> u8 {
    u8::try_from(i32::from(quantity)).expect("quantities have small numbers")
}

/// The quantity of a name.
pub(super) fn quantity(name: &str) -> Option<Quantity> {
    quantities().find(|quantity| quantity_name(*quantity) == name)
}

/// All names of quantities, for messages.
pub fn quantity_names() -> String {
    quantities().map(quantity_name).collect::<Vec<_>>().join(", ")
}

fn quantities() -> impl Iterator<Item = Quantity> {
    (1..=MAX_QUANTITY).filter_map(|number| Quantity::try_from(number).ok())
}

/// Highest number of a quantity on the wire.
pub(super) const MAX_QUANTITY: i32 = Quantity::TspUgM3 as i32;

/// The kind of a name such as `traffic_loop`.
pub(super) fn kind(name: &str) -> Option<SensorKind> {
    kinds().find(|kind| kind_name(*kind) == name)
}

/// All names of kinds, for messages.
pub fn kind_names() -> String {
    kinds().map(kind_name).collect::<Vec<_>>().join(", ")
}

fn kinds() -> impl Iterator<Item = SensorKind> {
    (1..=SensorKind::Vibration as i32).filter_map(|number| SensorKind::try_from(number).ok())
}

fn kind_name(kind: SensorKind) -> String {
    let name = kind.as_str_name();
    name.strip_prefix("SENSOR_KIND_").unwrap_or(name).to_ascii_lowercase()
}

/// The smallest and largest value that the twin does not refuse.
pub fn range(quantity: Quantity) -> (f64, f64) {
    match quantity {
        Quantity::Unspecified => (f64::NEG_INFINITY, f64::INFINITY),
        Quantity::SpeedKmh => (0.0, 200.0),
        Quantity::FlowVehH | Quantity::EffluentCodMgL => (0.0, 20_000.0),
        Quantity::OccupancyRatio | Quantity::HumidityRatio => (0.0, 1.0),
        Quantity::TravelTimeS => (0.0, 86_400.0),
        Quantity::Pm25UgM3 | Quantity::O3UgM3 => (0.0, 2_000.0),
        Quantity::QueueM | Quantity::Pm10UgM3 | Quantity::No2UgM3 | Quantity::LampPowerW => {
            (0.0, 5_000.0)
        }
        Quantity::So2UgM3
        | Quantity::StackSo2MgM3
        | Quantity::StackDustMgM3
        | Quantity::TspUgM3 => (0.0, 10_000.0),
        Quantity::CoUgM3 => (0.0, 200_000.0),
        Quantity::NoiseDba => (0.0, 160.0),
        Quantity::WaterLevelM => (-20.0, 50.0),
        Quantity::RainMmH => (0.0, 500.0),
        Quantity::TemperatureC => (-50.0, 80.0),
        Quantity::PowerKw => (-100_000.0, 100_000.0),
        Quantity::VibrationMmS => (0.0, 1_000.0),
        Quantity::EffluentPh => (0.0, 14.0),
    }
}

/// Why the twin refuses a value, if it does.
pub(super) fn refusal(quantity: Quantity, value: f64) -> Option<&'static str> {
    let (least, most) = range(quantity);
    if !value.is_finite() {
        Some("not_finite")
    } else if value < least || value > most {
        Some("out_of_range")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_twin() {
        assert_eq!(quantity("pm25_ug_m3"), Some(Quantity::Pm25UgM3));
        assert_eq!(quantity("speed_mph"), None);
        assert_eq!(quantities().count(), 24);
        assert_eq!(kind("traffic_loop"), Some(SensorKind::TrafficLoop));
        assert_eq!(kinds().count(), 14);
        assert!(quantity_names().contains("tsp_ug_m3") && kind_names().contains("vibration"));
    }

    #[test]
    fn conversions() {
        let check = |name, value: f64, expected: f64| {
            let got = conversion(name).unwrap().apply(value);
            assert!((got - expected).abs() < 1e-9, "{name} of {value} is {got}");
        };
        check("mph->km/h", 64.375, 103.601_52);
        check("F->C", 212.0, 100.0);
        check("K->C", 0.0, -273.15);
        check("percent->ratio", 63.188, 0.631_88);
        assert_eq!(conversion("km->mi"), None);
        // exact: one rounded product, as any other program computes it
        let exact = conversion("mph->km/h").unwrap().apply(67.125);
        assert_eq!(exact.to_bits(), (67.125_f64 * 1.609_344).to_bits());
    }

    #[test]
    fn refusals() {
        assert_eq!(refusal(Quantity::HumidityRatio, 1.01), Some("out_of_range"));
        assert_eq!(refusal(Quantity::HumidityRatio, 1.0), None);
        assert_eq!(refusal(Quantity::SpeedKmh, f64::INFINITY), Some("not_finite"));
        assert_eq!(refusal(Quantity::SpeedKmh, f64::NAN), Some("not_finite"));
    }
}
