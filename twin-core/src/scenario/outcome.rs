//! What a scenario leads to, in the same words for both models: figures per link and interval, per
//! cell and zone, and in sum. Vehicles are passenger-car equivalents throughout, but by class.
//! Emissions are left out: we know no cited factor by speed for a fleet of motorcycles that we could
//! check.
//!
//! The dynamic model has as many intervals as the scenario asks for. The static one has one, as
//! long as the horizon, for the flows of its balance; it knows no queues.

use std::fmt;

use h3o::CellIndex;
use serde::{Deserialize, Serialize};

use super::definition::{Base, Model, Vehicles};
use super::identity::OutcomeId;
use crate::road::{JunctionKey, LinkKey, ZoneKey};
use crate::traffic::ltm::VehicleClass;
use crate::traffic::start::{DemandFit, Source};

/// The result of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its name: what it was made from.
    pub id: OutcomeId,
    /// The model that answered.
    pub model: Model,
    /// What the scenario was laid on.
    pub base: Base,
    /// How far it looks, seconds.
    pub horizon_s: f64,
    /// How well the start is known, 0 to 1: the mean quality of its links by length.
    pub quality: f64,
    /// How well trips reproduce what was measured, where they were estimated.
    pub demand_fit: Option<DemandFit>,
    /// The links, in the order of their figures.
    pub links: Vec<OutcomeLink>,
    /// The H3 cells of resolution 9 with links, in the order of their figures.
    pub cells: Vec<CellIndex>,
    /// The zones, in the order of their figures.
    pub zones: Vec<ZoneKey>,
    /// One after the other from the start.
    pub intervals: Vec<Interval>,
    /// Over the whole horizon.
    pub totals: Totals,
    /// Travel times that were asked for.
    pub journeys: Vec<JourneyTimes>,
    /// Users of links, as they were asked for; of the static model.
    pub through: Vec<LinkUsers>,
    /// What to know before believing it.
    pub notes: Vec<Note>,
}

/// A link of an outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeLink {
    /// Its key.
    pub key: LinkKey,
    /// Its length as the model has it, km.
    pub length_km: f64,
    /// Whether the start had its flow measured or estimated; a new link is estimated.
    pub source: Source,
    /// How well the start knew it, 0 to 1.
    pub quality: f64,
}

/// The figures of a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Begin, seconds from the start.
    pub from_s: f64,
    /// End, seconds from the start.
    pub until_s: f64,
    /// Per link.
    pub links: Vec<LinkFigures>,
    /// Per cell; a link counts in each by the part of its line that lies there.
    pub cells: Vec<PlaceFigures>,
    /// Per zone: as cells where it has an outline, else the links at its connectors.
    pub zones: Vec<PlaceFigures>,
}

/// A link in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkFigures {
    /// Entered, veh/h.
    pub entered_veh_h: f64,
    /// Left, veh/h.
    pub flow_veh_h: f64,
    /// Mean speed, km/h; the free speed where nobody was.
    pub speed_kmh: f64,
    /// Mean density over all lanes, veh/km.
    pub density_veh_km: f64,
    /// Vehicles that wait at its end.
    pub queue_veh: f64,
    /// Time lost against free speed, vehicle hours.
    pub delay_veh_h: f64,
}

/// A cell or zone in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceFigures {
    /// Distance driven, vehicle kilometres.
    pub vehicle_km: f64,
    /// Time spent, vehicle hours.
    pub vehicle_h: f64,
    /// Of it, lost against free speed.
    pub delay_veh_h: f64,
    /// Vehicles that wait at its end.
    pub queue_veh: f64,
    /// Distance over time, km/h; `None` where nobody was.
    pub speed_kmh: Option<f64>,
}

/// Sums over the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// On the roads at the start.
    pub initial_veh: f64,
    /// Wanted to enter.
    pub demanded_veh: f64,
    /// Of them, entered.
    pub entered_veh: f64,
    /// Of them, not served: they wait at their origin, or there is no way for them.
    pub unserved_veh: f64,
    /// Left where they wanted to.
    pub left_veh: f64,
    /// On the roads at the end.
    pub present_veh: f64,
    /// Distance driven, vehicle kilometres.
    pub vehicle_km: f64,
    /// Time spent on the roads, vehicle hours.
    pub vehicle_h: f64,
    /// Of it, lost against free speed.
    pub delay_veh_h: f64,
    /// Time spent waiting to enter, vehicle hours.
    pub waited_veh_h: f64,
    /// Distance over time on the roads, km/h; `None` where nobody was.
    pub speed_kmh: Option<f64>,
    /// Distance and time by class, in vehicles of that class.
    pub by_class: ByClass,
}

/// Distance and time of each class by its share of all traffic, in vehicles and not equivalents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ByClass {
    /// Motorcycles.
    pub motorcycle: ClassTotals,
    /// Cars.
    pub car: ClassTotals,
    /// Buses.
    pub bus: ClassTotals,
    /// Trucks.
    pub truck: ClassTotals,
}

/// Sums of one class over the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassTotals {
    /// Distance driven, vehicle kilometres.
    pub vehicle_km: f64,
    /// Time spent on the roads, vehicle hours.
    pub vehicle_h: f64,
}

impl ByClass {
    /// Of distance and time in passenger-car equivalents.
    pub(super) fn of(vehicles: &Vehicles, pcu_km: f64, pcu_h: f64) -> ByClass {
        let class = |class: VehicleClass| {
            let share = vehicles.pcu_share(class) / vehicles.equivalents.of(class);
            ClassTotals { vehicle_km: pcu_km * share, vehicle_h: pcu_h * share }
        };
        ByClass {
            motorcycle: class(VehicleClass::Motorcycle),
            car: class(VehicleClass::Car),
            bus: class(VehicleClass::Bus),
            truck: class(VehicleClass::Truck),
        }
    }

    /// What this has more than another.
    pub(super) fn less(&self, other: &ByClass) -> ByClass {
        let class = |one: &ClassTotals, other: &ClassTotals| ClassTotals {
            vehicle_km: one.vehicle_km - other.vehicle_km,
            vehicle_h: one.vehicle_h - other.vehicle_h,
        };
        ByClass {
            motorcycle: class(&self.motorcycle, &other.motorcycle),
            car: class(&self.car, &other.car),
            bus: class(&self.bus, &other.bus),
            truck: class(&self.truck, &other.truck),
        }
    }
}

impl Totals {
    /// Vehicles that are not accounted for, on the roads: 0.
    pub fn missing_veh(&self) -> f64 {
        self.initial_veh + self.entered_veh - self.present_veh - self.left_veh
    }
}

/// Travel times of one journey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JourneyTimes {
    /// Where it starts.
    pub from: JunctionKey,
    /// Where it ends.
    pub to: JunctionKey,
    /// Seconds when leaving at the begin of each interval, at the speeds met on the way; `None`
    /// where there is no way.
    pub seconds: Vec<Option<f64>>,
}

/// Who uses a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkUsers {
    /// The link.
    pub key: LinkKey,
    /// Its flow, veh/h.
    pub flow_veh_h: f64,
    /// Where these vehicles drive, the link itself among it; most first.
    pub links: Vec<LinkUse>,
    /// Where they come from and go to, in order of zones; their sum is the flow of the link.
    pub pairs: Vec<PairFlow>,
}

/// How many of the users of one link use another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkUse {
    /// The other.
    pub key: LinkKey,
    /// So many, veh/h.
    pub flow_veh_h: f64,
}

/// Vehicles from one zone to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairFlow {
    /// Where they start.
    pub origin: ZoneKey,
    /// Where they go.
    pub destination: ZoneKey,
    /// How many, veh/h.
    pub flow_veh_h: f64,
}

/// What to know about an outcome before believing it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// No trips are known.
    TurningOnly {
        /// Edits that would make people choose other ways altogether.
        edits: Vec<usize>,
    },
    /// A ban of classes by shares.
    ClassesByShare,
    /// All classes drive at one speed.
    ClassesShareSpeed,
    /// Some demand was not served.
    Unserved {
        /// So many vehicles.
        vehicles: f64,
    },
    /// The balance was not found to the last.
    NotConverged {
        /// Relative gap that is left.
        relative_gap: f64,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::TurningOnly { edits } if edits.is_empty() => {
                f.write_str("no trips between zones are known: vehicles turn as they did")
            }
            Note::TurningOnly { edits } => write!(
                f,
                "no trips between zones are known: around edits {edits:?} vehicles turn off at \
                 the last junction, nobody plans another way"
            ),
            Note::ClassesByShare => f.write_str(
                "banned classes turn off by their share of all traffic, which is taken to be the \
                 same everywhere",
            ),
            Note::ClassesShareSpeed => f.write_str(
                "all classes drive at one speed; those of one class are its share of all traffic",
            ),
            Note::Unserved { vehicles } => write!(f, "{vehicles:.1} vehicles could not enter"),
            Note::NotConverged { relative_gap } => {
                write!(f, "the balance was left at a relative gap of {relative_gap:e}")
            }
        }
    }
}
