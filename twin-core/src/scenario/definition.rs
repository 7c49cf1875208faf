//! A scenario as it is written: plain texts and numbers under the names that its TOML file and its
//! protobuf message use. Nothing is checked here ([`Scenario::check`] does); what must not live
//! here: networks, results.

use serde::{Deserialize, Serialize};

use super::edit::Edit;
use crate::traffic::ltm::{Equivalents, VehicleClass};

/// What is asked: edits and demand for some time, laid on the city as it was at one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// For people; not part of the identity.
    #[serde(default)]
    pub name: String,
    /// The model that answers.
    pub model: Model,
    /// How far to look ahead, seconds: above 0, at most [`MAX_HORIZON_S`].
    pub horizon_s: f64,
    /// Seconds between figures of the dynamic model; the horizon is a whole multiple of it.
    #[serde(default = "default_interval_s")]
    pub interval_s: f64,
    /// For models that draw lots. Neither of today's does; it is part of the identity all the same.
    #[serde(default)]
    pub seed: u64,
    /// What it is laid on.
    #[serde(default)]
    pub base: Base,
    /// Who travels.
    #[serde(default)]
    pub demand: Demand,
    /// What the traffic consists of.
    #[serde(default)]
    pub vehicles: Vehicles,
    /// Ways whose travel time is asked for.
    #[serde(default)]
    pub journeys: Vec<Journey>,
    /// Keys of links whose users are asked for; of the static model only.
    #[serde(default)]
    pub through: Vec<String>,
    /// What is different, in order.
    #[serde(default)]
    pub edits: Vec<Edit>,
}

/// The longest horizon, seconds: a day. Measured turning and demand say nothing about later.
pub const MAX_HORIZON_S: f64 = 86_400.0;

/// The most figures kept: links times intervals.
pub const MAX_ROWS: usize = 10_000_000;

const fn default_interval_s() -> f64 {
    300.0
}

/// Which model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// What happens next: the link transmission model ([`crate::traffic::ltm`]).
    Dynamic,
    /// The new balance if this stays so: user equilibrium ([`crate::traffic::assign`]).
    Static,
}

impl Model {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Model::Dynamic => "dynamic",
            Model::Static => "static",
        }
    }
}

/// The snapshot it is laid on. The caller makes the [`Start`](crate::traffic::start::Start) from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// Epoch of the snapshot: 100 ms slices since the Unix epoch. `None`: the newest; whoever runs
    /// the scenario fills it in.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Local time less UTC, seconds, for clock times and signals; Vietnam, which is what it is where
    /// nothing is said: 25200.
    #[serde(default = "vietnam_s")]
    pub utc_offset_s: i32,
}

const fn vietnam_s() -> i32 {
    25_200
}

impl Default for Base {
    fn default() -> Base {
        Base { epoch: None, utc_offset_s: vietnam_s() }
    }
}

impl Base {
    /// Local seconds since midnight when the scenario starts; midnight where no epoch is known.
    ///
    /// # Panics
    /// Never: a remainder of a day fits.
    pub fn day_s(&self) -> f64 {
        let Some(epoch) = self.epoch else { return 0.0 };
        let tenths = i128::from(epoch) + i128::from(self.utc_offset_s) * 10;
        let tenths = u32::try_from(tenths.rem_euclid(864_000)).expect("a day has 864,000 tenths");
        f64::from(tenths) / 10.0
    }
}

/// Who travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Multiplies all of it.
    #[serde(default = "one")]
    pub factor: f64,
    /// Trips between zones; where there are any they replace those of the start.
    #[serde(default)]
    pub trips: Vec<Trips>,
    /// Where there are none here nor in the start, they are estimated from its measured flows
    /// ([`with_estimated_demand`](crate::traffic::start::Start::with_estimated_demand)).
    #[serde(default)]
    pub estimate: bool,
}

const fn one() -> f64 {
    1.0
}

impl Default for Demand {
    fn default() -> Demand {
        Demand { factor: 1.0, trips: Vec::new(), estimate: false }
    }
}

/// Trips from one zone to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trips {
    /// Key of the zone they start in.
    pub origin: String,
    /// Key of the zone they go to.
    pub destination: String,
    /// How many, in passenger-car equivalents an hour.
    pub flow_pcu_h: f64,
}

/// What the traffic consists of: shares of vehicles by class, taken in proportion, and what each
/// counts for.
///
/// The default is our choice, after the share of trips by motorcycle in Ho Chi Minh City in HOUTRANS
/// (JICA 2004): 78 motorcycles in 100 vehicles, and a division of the rest. Replace it by counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vehicles {
    /// Share of motorcycles.
    pub motorcycle: f64,
    /// Share of cars.
    pub car: f64,
    /// Share of buses.
    pub bus: f64,
    /// Share of trucks.
    pub truck: f64,
    /// Passenger cars that take the place of one vehicle.
    #[serde(default)]
    pub equivalents: Equivalents,
}

impl Default for Vehicles {
    fn default() -> Vehicles {
        let equivalents = Equivalents::default();
        Vehicles { motorcycle: 0.78, car: 0.17, bus: 0.02, truck: 0.03, equivalents }
    }
}

impl Vehicles {
    /// All classes, in the order of the fields.
    pub const CLASSES: [VehicleClass; 4] =
        [VehicleClass::Motorcycle, VehicleClass::Car, VehicleClass::Bus, VehicleClass::Truck];

    /// Share of vehicles of a class, as given.
    pub const fn share(&self, class: VehicleClass) -> f64 {
        match class {
            VehicleClass::Motorcycle => self.motorcycle,
            VehicleClass::Car => self.car,
            VehicleClass::Bus => self.bus,
            VehicleClass::Truck => self.truck,
        }
    }

    /// Whether more than one class drives.
    pub fn is_mixed(&self) -> bool {
        Vehicles::CLASSES.into_iter().filter(|class| self.share(*class) > 0.0).count() > 1
    }

    /// Share of a class in the flow in passenger-car equivalents, 0 to 1.
    pub fn pcu_share(&self, class: VehicleClass) -> f64 {
        let pcu = |class| self.share(class) * self.equivalents.of(class);
        pcu(class) / Vehicles::CLASSES.into_iter().map(pcu).sum::<f64>()
    }

    /// Passenger-car equivalents of one vehicle of a class, or of the mix.
    pub fn pcu(&self, class: Option<VehicleClass>) -> f64 {
        class.map_or_else(
            || {
                let pcu = |class| self.share(class) * self.equivalents.of(class);
                let vehicles: f64 = Vehicles::CLASSES.into_iter().map(|one| self.share(one)).sum();
                Vehicles::CLASSES.into_iter().map(pcu).sum::<f64>() / vehicles
            },
            |class| self.equivalents.of(class),
        )
    }
}

/// A way whose travel time is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journey {
    /// Key of the junction it starts at.
    pub from: String,
    /// Key of the junction it ends at.
    pub to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_local() {
        // 2026-11-22 00:30:00.5 UTC is 07:30:00.5 in Vietnam.
        let base = Base { epoch: Some(17_953_074_005), ..Base::default() };
        let utc = Base { utc_offset_s: 0, ..base };
        assert!((utc.day_s() - 1_800.5).abs() < 1e-9, "{}", utc.day_s());
        assert!((base.day_s() - 27_000.5).abs() < 1e-9, "{}", base.day_s());
        assert!((Base::default().day_s() - 0.0).abs() < 1e-12);
        assert!((Base { epoch: Some(5), utc_offset_s: -1 }.day_s() - 86_399.5).abs() < 1e-9);
    }

    #[test]
    fn shares_of_equivalents_sum_to_one() {
        let vehicles = Vehicles::default();
        let sum: f64 = Vehicles::CLASSES.into_iter().map(|one| vehicles.pcu_share(one)).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        // 0.78·0.3 of 0.78·0.3 + 0.17 + 0.02·2.5 + 0.03·2.
        let share = vehicles.pcu_share(VehicleClass::Motorcycle);
        assert!((share - 0.234 / 0.514).abs() < 1e-12, "{share}");
        assert!((vehicles.pcu(None) - 0.514).abs() < 1e-12);
    }
}
