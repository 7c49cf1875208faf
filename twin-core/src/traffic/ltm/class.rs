//! Vehicle classes and what each counts for in the model, whose one vehicle is the passenger car.

use serde::{Deserialize, Serialize};

/// A class of vehicles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VehicleClass {
    /// Motorcycles and scooters: most of this city's traffic.
    Motorcycle,
    /// Cars and vans.
    Car,
    /// Buses.
    Bus,
    /// Trucks.
    Truck,
}

/// Passenger cars that take the place of one vehicle of each class.
///
/// The default is TCVN 4054:2005 (Vietnam's standard for highway design), table 2, level ground:
/// motorcycle 0.3, car 1, bus of 25 seats or more 2.5, truck of two axles 2. Streets differ from
/// highways and stop lines from both: where there are counts, set it from them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Equivalents {
    /// Of a motorcycle.
    pub motorcycle: f64,
    /// Of a car.
    pub car: f64,
    /// Of a bus.
    pub bus: f64,
    /// Of a truck.
    pub truck: f64,
}

impl Default for Equivalents {
    fn default() -> Equivalents {
        Equivalents { motorcycle: 0.3, car: 1.0, bus: 2.5, truck: 2.0 }
    }
}

impl Equivalents {
    /// Of one class.
    pub const fn of(&self, class: VehicleClass) -> f64 {
        match class {
            VehicleClass::Motorcycle => self.motorcycle,
            VehicleClass::Car => self.car,
            VehicleClass::Bus => self.bus,
            VehicleClass::Truck => self.truck,
        }
    }

    /// A flow of vehicles by class as one flow in pcu, in the same unit of time.
    pub fn pcu(&self, vehicles: &[(VehicleClass, f64)]) -> f64 {
        vehicles.iter().map(|(class, count)| self.of(*class) * count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_street_of_motorcycles_is_lighter_than_it_looks() {
        let street = [
            (VehicleClass::Motorcycle, 800.0),
            (VehicleClass::Car, 150.0),
            (VehicleClass::Bus, 20.0),
            (VehicleClass::Truck, 30.0),
        ];
        let pcu = Equivalents::default().pcu(&street);
        assert!((pcu - 500.0).abs() < 1e-9, "{pcu}");
    }
}
