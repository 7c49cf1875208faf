//! Classes of roads and what a road of a class is like where its file does not say.
//!
//! | class | km/h | lanes | veh/h and lane | where the capacity comes from |
//! |---|---|---|---|---|
//! | motorway | 90 | 2 | 2,250 | HCM6 equation 12-6, basic freeway: 2,200 + 10 (FFS - 50 mi/h) |
//! | trunk | 72 | 2 | 1,900 | HCM6 equation 12-7, multilane highway: 1,900 + 20 (FFS - 45 mi/h) |
//! | primary | 50 | 2 | 1,600 | 1,900 (HCM6 base saturation flow), less side friction |
//! | secondary | 45 | 2 | 1,500 | the same |
//! | tertiary | 40 | 1 | 1,200 | the same, with parking and access on both sides |
//! | unclassified | 35 | 1 | 900 | the same |
//! | residential | 30 | 1 | 800 | the same |
//! | living street | 15 | 1 | 400 | the same |
//! | ramps (`_link`) | 40 to 60 | 1 | 1,400 to 1,900 | at most HCM6 exhibit 14-12 (1,800 to 2,200) |
//! | connector | 50 | 10 | 10,000 | nothing waits on it: it stands for all driveways of a zone |
//!
//! HCM6: Highway Capacity Manual, 6th edition, Transportation Research Board 2016. That kerb-side
//! activity takes this much is of the kind the Indonesian manual has for such streets (MKJI, Bina
//! Marga 1997, side-friction factors); the figures themselves are our choice, made to be replaced by
//! counts. Speeds are the legal limits of Vietnam (Circular 38/2024/TT-BGTVT: in built-up areas
//! 60 km/h on dual carriageways and one-way streets of two lanes or more, else 50) or less, where
//! friction takes more.
//!
//! Jam density is 150 veh/km and lane for all, 6.7 m from front to front. HCM6's default for
//! freeways is 190 pc/mi and lane (118 pc/km); queues of mixed urban traffic stand closer.
//! Motorcycles count by their passenger-car equivalents, which are settings of the demand.

use serde::{Deserialize, Serialize};

use super::unit::{Lanes, MetersPerSecond, VehiclesPerHour, VehiclesPerKilometer};

/// How great a road is, by the names of OpenStreetMap's highway tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name is its documentation")]
pub enum RoadClass {
    Motorway = 0,
    Trunk = 1,
    Primary = 2,
    Secondary = 3,
    Tertiary = 4,
    Unclassified = 5,
    Residential = 6,
    LivingStreet = 7,
    MotorwayLink = 8,
    TrunkLink = 9,
    PrimaryLink = 10,
    SecondaryLink = 11,
    TertiaryLink = 12,
    Connector = 13,
}

struct Row {
    class: RoadClass,
    name: &'static str,
    free_speed_kmh: f64,
    lanes: i64,
    capacity_veh_h_lane: f64,
    weight: f64,
}

const fn row(class: RoadClass, name: &'static str, kmh: f64, lanes: i64, flow: (f64, f64)) -> Row {
    Row { class, name, free_speed_kmh: kmh, lanes, capacity_veh_h_lane: flow.0, weight: flow.1 }
}

/// Jam density of every class, veh/km and lane.
const JAM_DENSITY: f64 = 150.0;

/// In order of number. The last figure is the weight of a lane of this class where a signal's green
/// is shared out without counts: our choice, a greater road about twice a smaller one.
static ROWS: [Row; 14] = [
    row(RoadClass::Motorway, "motorway", 90.0, 2, (2_250.0, 4.0)),
    row(RoadClass::Trunk, "trunk", 72.0, 2, (1_900.0, 4.0)),
    row(RoadClass::Primary, "primary", 50.0, 2, (1_600.0, 3.0)),
    row(RoadClass::Secondary, "secondary", 45.0, 2, (1_500.0, 2.5)),
    row(RoadClass::Tertiary, "tertiary", 40.0, 1, (1_200.0, 2.0)),
    row(RoadClass::Unclassified, "unclassified", 35.0, 1, (900.0, 1.0)),
    row(RoadClass::Residential, "residential", 30.0, 1, (800.0, 1.0)),
    row(RoadClass::LivingStreet, "living_street", 15.0, 1, (400.0, 1.0)),
    row(RoadClass::MotorwayLink, "motorway_link", 60.0, 1, (1_900.0, 3.0)),
    row(RoadClass::TrunkLink, "trunk_link", 50.0, 1, (1_800.0, 3.0)),
    row(RoadClass::PrimaryLink, "primary_link", 40.0, 1, (1_600.0, 2.0)),
    row(RoadClass::SecondaryLink, "secondary_link", 40.0, 1, (1_500.0, 2.0)),
    row(RoadClass::TertiaryLink, "tertiary_link", 40.0, 1, (1_400.0, 1.5)),
    row(RoadClass::Connector, "connector", 50.0, 10, (10_000.0, 1.0)),
];

impl RoadClass {
    /// All of them, the greatest first.
    pub fn all() -> impl Iterator<Item = RoadClass> {
        ROWS.iter().map(|row| row.class)
    }

    /// The class with this name, such as `primary_link`.
    pub fn from_name(name: &str) -> Option<RoadClass> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.class)
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        ROWS[self as usize].name
    }

    /// Whether it is a ramp or a slip road.
    pub const fn is_ramp(self) -> bool {
        self as u8 >= RoadClass::MotorwayLink as u8 && self as u8 <= RoadClass::TertiaryLink as u8
    }

    /// Free speed where the file does not say.
    ///
    /// # Panics
    /// Never: a test reads the whole table.
    pub fn free_speed(self) -> MetersPerSecond {
        let kmh = ROWS[self as usize].free_speed_kmh;
        MetersPerSecond::from_kmh(kmh).expect("the table holds speeds")
    }

    /// Lanes of one direction where the file does not say.
    ///
    /// # Panics
    /// Never: a test reads the whole table.
    pub fn lanes(self) -> Lanes {
        Lanes::new(ROWS[self as usize].lanes).expect("the table holds counts of lanes")
    }

    /// Capacity of one lane where the file does not say.
    ///
    /// # Panics
    /// Never: a test reads the whole table.
    pub fn capacity_per_lane(self) -> VehiclesPerHour {
        let flow = ROWS[self as usize].capacity_veh_h_lane;
        VehiclesPerHour::new(flow).expect("the table holds capacities")
    }

    /// Jam density of one lane where the file does not say.
    ///
    /// # Panics
    /// Never: a test reads the whole table.
    pub fn jam_density_per_lane(self) -> VehiclesPerKilometer {
        VehiclesPerKilometer::new(JAM_DENSITY).expect("the table holds densities")
    }

    /// Weight of a lane of this class when a signal's green is shared out.
    pub(super) const fn green_weight(self) -> f64 {
        ROWS[self as usize].weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_holds_what_it_says() {
        for (slot, class) in RoadClass::all().enumerate() {
            assert_eq!(class as usize, slot);
            assert_eq!(RoadClass::from_name(class.name()), Some(class));
            assert!(class.free_speed().kmh() >= 15.0);
            assert!(class.lanes().get() >= 1);
            assert!(class.capacity_per_lane().get() >= 400.0);
            assert!(class.jam_density_per_lane().get() > 100.0);
            assert_eq!(class.is_ramp(), class.name().ends_with("_link"));
        }
        assert_eq!(RoadClass::from_name("footway"), None);
    }
}
