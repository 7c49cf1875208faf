//! What can be measured, in which unit and range. Adding a quantity is one line in `TABLE`, one
//! variant, and one line in `ingest.proto` with the same number (a test holds them together).

use serde::{Deserialize, Serialize};

/// A measured quantity; the unit is in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name is its documentation: quantity, then unit")]
pub enum Quantity {
    SpeedKmh = 1,
    FlowVehH = 2,
    OccupancyRatio = 3,
    QueueM = 4,
    TravelTimeS = 5,
    Pm25UgM3 = 6,
    Pm10UgM3 = 7,
    No2UgM3 = 8,
    So2UgM3 = 9,
    CoUgM3 = 10,
    O3UgM3 = 11,
    NoiseDba = 12,
    WaterLevelM = 13,
    RainMmH = 14,
    TemperatureC = 15,
    HumidityRatio = 16,
    PowerKw = 17,
    LampPowerW = 18,
    VibrationMmS = 19,
    StackSo2MgM3 = 20,
    StackDustMgM3 = 21,
    EffluentPh = 22,
    EffluentCodMgL = 23,
    TspUgM3 = 24,
}

/// Whether a value that does not move for long makes a sensor suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Still {
    /// A constant value is normal: no rain, an empty queue, a lamp that is on.
    Normal,
    /// Nature always moves it a little: a constant value means a stuck sensor.
    Suspect,
}

struct Spec {
    quantity: Quantity,
    name: &'static str,
    min: f64,
    max: f64,
    still: Still,
}

const fn spec(quantity: Quantity, name: &'static str, range: (f64, f64), still: Still) -> Spec {
    Spec { quantity, name, min: range.0, max: range.1, still }
}

/// In order of the wire number, from 1.
static TABLE: [Spec; Quantity::COUNT] = [
    spec(Quantity::SpeedKmh, "speed_kmh", (0.0, 200.0), Still::Suspect),
    spec(Quantity::FlowVehH, "flow_veh_h", (0.0, 20_000.0), Still::Normal),
    spec(Quantity::OccupancyRatio, "occupancy_ratio", (0.0, 1.0), Still::Normal),
    spec(Quantity::QueueM, "queue_m", (0.0, 5_000.0), Still::Normal),
    spec(Quantity::TravelTimeS, "travel_time_s", (0.0, 86_400.0), Still::Suspect),
    spec(Quantity::Pm25UgM3, "pm25_ug_m3", (0.0, 2_000.0), Still::Suspect),
    spec(Quantity::Pm10UgM3, "pm10_ug_m3", (0.0, 5_000.0), Still::Suspect),
    spec(Quantity::No2UgM3, "no2_ug_m3", (0.0, 5_000.0), Still::Suspect),
    spec(Quantity::So2UgM3, "so2_ug_m3", (0.0, 10_000.0), Still::Suspect),
    spec(Quantity::CoUgM3, "co_ug_m3", (0.0, 200_000.0), Still::Suspect),
    spec(Quantity::O3UgM3, "o3_ug_m3", (0.0, 2_000.0), Still::Suspect),
    spec(Quantity::NoiseDba, "noise_dba", (0.0, 160.0), Still::Suspect),
    spec(Quantity::WaterLevelM, "water_level_m", (-20.0, 50.0), Still::Suspect),
    spec(Quantity::RainMmH, "rain_mm_h", (0.0, 500.0), Still::Normal),
    spec(Quantity::TemperatureC, "temperature_c", (-50.0, 80.0), Still::Suspect),
    spec(Quantity::HumidityRatio, "humidity_ratio", (0.0, 1.0), Still::Normal),
    spec(Quantity::PowerKw, "power_kw", (-100_000.0, 100_000.0), Still::Suspect),
    spec(Quantity::LampPowerW, "lamp_power_w", (0.0, 5_000.0), Still::Normal),
    spec(Quantity::VibrationMmS, "vibration_mm_s", (0.0, 1_000.0), Still::Suspect),
    spec(Quantity::StackSo2MgM3, "stack_so2_mg_m3", (0.0, 10_000.0), Still::Suspect),
    spec(Quantity::StackDustMgM3, "stack_dust_mg_m3", (0.0, 10_000.0), Still::Suspect),
    spec(Quantity::EffluentPh, "effluent_ph", (0.0, 14.0), Still::Suspect),
    spec(Quantity::EffluentCodMgL, "effluent_cod_mg_l", (0.0, 20_000.0), Still::Suspect),
    spec(Quantity::TspUgM3, "tsp_ug_m3", (0.0, 10_000.0), Still::Suspect),
];

impl Quantity {
    /// How many there are; numbers run from 1 to `COUNT`.
    pub const COUNT: usize = 24;

    /// All of them in order of number.
    pub fn all() -> impl Iterator<Item = Quantity> {
        TABLE.iter().map(|spec| spec.quantity)
    }

    /// The quantity with this wire number.
    pub fn from_number(number: u8) -> Option<Quantity> {
        TABLE.get(usize::from(number).wrapping_sub(1)).map(|spec| spec.quantity)
    }

    /// The quantity with this name, such as `speed_kmh`.
    pub fn from_name(name: &str) -> Option<Quantity> {
        TABLE.iter().find(|spec| spec.name == name).map(|spec| spec.quantity)
    }

    /// Its number on the wire and in the log.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Position in tables of [`Quantity::COUNT`] entries.
    pub const fn slot(self) -> usize {
        self as usize - 1
    }

    /// Its name with the unit, as in Parquet, config and on the command line.
    pub const fn name(self) -> &'static str {
        TABLE[self.slot()].name
    }

    /// The smallest and largest value that is not refused.
    pub const fn range(self) -> (f64, f64) {
        let spec = &TABLE[self.slot()];
        (spec.min, spec.max)
    }

    /// Whether a value that has not moved for long makes its sensor suspect.
    pub fn must_move(self) -> bool {
        TABLE[self.slot()].still == Still::Suspect
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_of_number() {
        for (slot, quantity) in Quantity::all().enumerate() {
            assert_eq!(quantity.slot(), slot);
            assert_eq!(Quantity::from_number(quantity.number()), Some(quantity));
            assert_eq!(Quantity::from_name(quantity.name()), Some(quantity));
            assert!(quantity.range().0 < quantity.range().1);
        }
        assert_eq!(Quantity::from_number(0), None);
        assert_eq!(Quantity::from_number(25), None);
        assert_eq!(Quantity::from_name("speed_mph"), None);
    }
}
