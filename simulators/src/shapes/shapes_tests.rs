//! Values over whole days: within what a sensor of the kind can say, rounded, moving where
//! nature moves, and traffic on its diagram.

use super::traffic::VEHICLE_KM;
use super::*;
use crate::city::City;
use crate::fleet::Fleet;
use crate::spec::FleetSpec;

/// Monday 2026-06-01 00:00 at Ho Chi Minh City, in the wet season.
const MIDNIGHT: i64 = 1_780_246_800_000;
const DAY: i64 = 86_400_000;

fn shapes(sensors: u32) -> Vec<Shape> {
    let spec = FleetSpec { sensors, ..FleetSpec::default() };
    Fleet::new(&spec, City::shared()).unwrap().shapes().to_vec()
}

fn measured(shape: &Shape, time_ms: i64) -> Values {
    let moment = Moment::at(time_ms, true);
    let mut sky = Sky::new(1, true);
    sky.turn_to(&moment);
    shape.measure(&moment, &sky)
}

fn value(values: &Values, quantity: Quantity) -> f64 {
    values.as_slice().iter().find(|(q, _)| *q == quantity).unwrap().1
}

/// Narrower than what the engine refuses; written here again on purpose.
fn plausible(quantity: Quantity) -> (f64, f64, f64) {
    match quantity {
        Quantity::SpeedKmh => (0.5, 80.0, 10.0),
        Quantity::FlowVehH => (0.0, 8_000.0, 1.0),
        Quantity::OccupancyRatio => (0.0, 0.9, 1_000.0),
        Quantity::QueueM => (0.0, 5_000.0, 1.0),
        Quantity::TravelTimeS => (1.0, 9_000.0, 10.0),
        Quantity::Pm10UgM3 => (2.0, 400.0, 10.0),
        Quantity::Pm25UgM3 | Quantity::No2UgM3 | Quantity::So2UgM3 | Quantity::O3UgM3 => {
            (1.0, 200.0, 10.0)
        }
        Quantity::CoUgM3 => (100.0, 6_000.0, 1.0),
        Quantity::NoiseDba => (40.0, 95.0, 10.0),
        Quantity::WaterLevelM => (-2.0, 3.0, 100.0),
        Quantity::RainMmH => (0.0, 150.0, 10.0),
        Quantity::TemperatureC => (18.0, 42.0, 10.0),
        Quantity::HumidityRatio => (0.2, 1.0, 1_000.0),
        Quantity::PowerKw => (1.0, 10_000.0, 10.0),
        Quantity::LampPowerW => (0.0, 300.0, 10.0),
        Quantity::VibrationMmS => (0.01, 20.0, 100.0),
        Quantity::StackSo2MgM3 | Quantity::StackDustMgM3 => (1.0, 600.0, 10.0),
        Quantity::EffluentPh => (6.0, 8.5, 100.0),
        Quantity::EffluentCodMgL => (5.0, 200.0, 10.0),
        Quantity::TspUgM3 | Quantity::Unspecified => (1.0, 0.0, 1.0),
    }
}

#[test]
fn values_are_plausible_and_rounded_all_day() {
    for shape in &shapes(700) {
        let mut seen = std::collections::BTreeSet::new();
        for time in (MIDNIGHT..MIDNIGHT + DAY).step_by(1_000_000) {
            let values = measured(shape, time);
            assert!(!values.as_slice().is_empty());
            for (quantity, value) in values.as_slice() {
                let (least, most, steps) = plausible(*quantity);
                assert!(*value >= least && *value <= most, "{quantity:?} = {value} {shape:?}");
                let step = value * steps;
                assert!((step - step.round()).abs() < 1e-6, "{quantity:?} = {value}");
                seen.insert((*quantity as i32, value.to_bits()));
            }
        }
        let still = matches!(shape.kind, SensorKind::Rain | SensorKind::StreetLight);
        // On a street that hardly anybody takes, a count is 0 or 12.
        let still = still || shape.busy < 0.2;
        assert!(seen.len() > 20 || still, "{shape:?} hardly moves");
    }
}

#[test]
fn detectors_obey_the_diagram_and_are_slower_when_the_street_is_full() {
    let detectors: Vec<Shape> =
        shapes(8_000).into_iter().filter(|s| s.kind == SensorKind::TrafficLoop).collect();
    let full: Vec<&Shape> = detectors.iter().filter(|shape| shape.busy > 0.8).collect();
    assert!(full.len() > 5, "{} of {} streets are full", full.len(), detectors.len());
    let mut ratio = [0.0; 24];
    for (hour, sum) in (0..).zip(&mut ratio) {
        let time = MIDNIGHT + hour * 3_600_000 + 600_000;
        for shape in &detectors {
            let values = measured(shape, time);
            let speed = value(&values, Quantity::SpeedKmh);
            let flow = value(&values, Quantity::FlowVehH);
            let density = value(&values, Quantity::OccupancyRatio) / VEHICLE_KM;
            let rounding = 6.0 + speed * 0.0005 / VEHICLE_KM + density * 0.05 + 1.0;
            assert!((flow - density * speed).abs() <= rounding, "{flow} {density} {speed}");
        }
        let speed = |shape: &&Shape| value(&measured(shape, time), Quantity::SpeedKmh);
        let parts = full.iter().map(|shape| speed(shape) / shape.free_flow_kmh);
        *sum = parts.sum::<f64>() / full.len() as f64;
    }
    assert!(ratio[3] > 0.97, "free flow at night: {ratio:?}");
    assert!((0.85..0.95).contains(&ratio[17]) && ratio[7] < 0.95, "rush hours: {ratio:?}");
    assert!(ratio[17] < ratio[13] && ratio[13] < ratio[3], "{ratio:?}");
}

#[test]
fn lamps_burn_by_night() {
    for shape in shapes(700).iter().filter(|s| s.kind == SensorKind::StreetLight) {
        let power =
            |hour: i64| value(&measured(shape, MIDNIGHT + hour * 3_600_000), Quantity::LampPowerW);
        assert!(power(12) == 0.0);
        let (evening, night) = (power(20), power(26));
        assert!(evening == 0.0 || evening > shape.size * 0.9);
        assert!(night == 0.0 || night < shape.size * 0.7);
    }
}

#[test]
fn it_rains_on_some_days_of_the_wet_season_and_not_without_daily_shape() {
    let mut sky = Sky::new(1, true);
    let mut wet = 0;
    for day in 0..30 {
        let noon = Moment::at(MIDNIGHT + day * DAY + 15 * 3_600_000, true);
        sky.turn_to(&noon);
        wet += i32::from((0..24).any(|h| sky.rain_mm_h(Spot::new(0.0, 0.0), f64::from(h)) > 0.5));
    }
    assert!((5..28).contains(&wet), "{wet} days of 30");
    let mut still = Sky::new(1, false);
    still.turn_to(&Moment::at(MIDNIGHT, false));
    assert!(still.rain_mm_h(Spot::new(0.0, 0.0), 15.0) == 0.0);
}
