//! Edits as they are written: what is changed, and from when to when. One table of a file holds
//! the times and one kind:
//!
//! ```toml
//! [[edits]]
//! from_clock = "07:30"
//! until_s = 5400
//! close.on.links = ["osm:12:3-4"]
//! ```

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::traffic::ltm::VehicleClass;

/// An edit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Edit {
    /// When it holds.
    pub span: Span,
    /// What it does.
    pub change: Change,
}

impl Edit {
    /// An edit that always holds.
    pub fn always(change: Change) -> Edit {
        Edit { span: Span::default(), change }
    }
}

/// When an edit holds: from the start and for ever, where nothing is said. A clock time is its
/// next occurrence after the start; one that ends is the next after the begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// Begin, seconds from the start.
    pub from_s: Option<f64>,
    /// End, seconds from the start.
    pub until_s: Option<f64>,
    /// Begin by the local clock, `HH:MM` or `HH:MM:SS`, in place of `from_s`.
    pub from_clock: Option<String>,
    /// End by the local clock, in place of `until_s`.
    pub until_clock: Option<String>,
}

macro_rules! kinds {
    ($($field:ident: $kind:ident),+ $(,)?) => {
        /// What an edit does.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each holds the documented type of its name")]
        pub enum Change {
            $($kind($kind)),+
        }

        impl Change {
            /// Its name in files.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Change::$kind(_) => stringify!($field)),+
                }
            }
        }

        $(impl From<$kind> for Change {
            fn from(change: $kind) -> Change {
                Change::$kind(change)
            }
        })+

        /// An edit, field by field.
        #[derive(Clone, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            #[serde(default)]
            from_s: Option<f64>,
            #[serde(default)]
            until_s: Option<f64>,
            #[serde(default)]
            from_clock: Option<String>,
            #[serde(default)]
            until_clock: Option<String>,
            $(#[serde(default)]
            $field: Option<$kind>),+
        }

        const KINDS: &[&str] = &[$(stringify!($field)),+];

        impl TryFrom<Fields> for Edit {
            type Error = String;

            fn try_from(fields: Fields) -> Result<Edit, String> {
                let Fields { from_s, until_s, from_clock, until_clock, $($field),+ } = fields;
                let mut given: Vec<Change> = Vec::new();
                $(given.extend($field.map(Change::$kind));)+
                let found = given.len();
                match given.pop() {
                    Some(change) if found == 1 => {
                        Ok(Edit { span: Span { from_s, until_s, from_clock, until_clock }, change })
                    }
                    Some(_) | None => Err(format!(
                        "an edit is of one kind, not of {found}; kinds are {}",
                        KINDS.join(", ")
                    )),
                }
            }
        }

        impl From<Edit> for Fields {
            fn from(edit: Edit) -> Fields {
                let Span { from_s, until_s, from_clock, until_clock } = edit.span;
                let fields =
                    Fields { from_s, until_s, from_clock, until_clock, ..Fields::default() };
                match edit.change {
                    $(Change::$kind(one) => Fields { $field: Some(one), ..fields }),+
                }
            }
        }
    };
}

kinds! {
    close: Close,
    lanes: LaneCount,
    capacity: Capacity,
    speed: SpeedLimit,
    incident: Incident,
    signal: SignalTimes,
    ban_movement: MovementBan,
    ban_classes: ClassBan,
    flood: Flood,
    demand: DemandChange,
    new_link: NewLink,
    toll: Toll,
}

/// Nobody enters these links; who is on them drives out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Which links.
    pub on: Place,
}

/// Another number of lanes; capacity and storage go with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneCount {
    /// Which links.
    pub on: Place,
    /// So many lanes: 1 to 50, at most ten times as many as before.
    #[serde(default)]
    pub set: Option<i64>,
    /// Or so many more, or less below 0; at least one stays.
    #[serde(default)]
    pub add: Option<i64>,
}

/// Another capacity, storage unchanged. In the dynamic model at most half the jam density times the
/// free speed; a raised one makes backward waves faster (see [`crate::traffic::roads::Diagram`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Which links.
    pub on: Place,
    /// Times what it was: 0 to 10; 0 stops the traffic on the link.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Or so much for all lanes of each link, passenger-car equivalents an hour.
    #[serde(default)]
    pub flow_pcu_h: Option<f64>,
}

/// Another speed limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedLimit {
    /// Which links.
    pub on: Place,
    /// The limit, 5 to 130 km/h. Where the free speed is below, it stays.
    pub limit_kmh: f64,
    /// Whether slower links become as fast as the limit; to four times as fast as they are.
    #[serde(default)]
    pub raises: bool,
}

/// Lanes lost for a time; vehicles still stand on the whole road.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// Which links.
    pub on: Place,
    /// Lanes that are blocked; all of them: nothing passes.
    pub lanes_lost: f64,
    /// What the lanes that remain let through, times what they did: they too lose. With one of
    /// three lanes of a freeway blocked, 0.74 (0.49 of all; Highway Capacity Manual 2010, exhibit
    /// 10-17). None: 1.
    #[serde(default)]
    pub remaining: Option<f64>,
}

/// Another signal plan at a junction. What is not given stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalTimes {
    /// Key of the junction; without a signal until now, it needs phases.
    pub junction: String,
    /// Length of the cycle, seconds.
    #[serde(default)]
    pub cycle_s: Option<f64>,
    /// When a cycle starts, seconds after a multiple of the cycle since midnight.
    #[serde(default)]
    pub offset_s: Option<f64>,
    /// Greens of the phases in their order, seconds. Empty: what is left of the new cycle after
    /// clearances, in proportion to the old greens.
    #[serde(default)]
    pub greens_s: Vec<f64>,
    /// Whole new phases; then the cycle is needed.
    #[serde(default)]
    pub phases: Vec<PhaseTimes>,
}

/// A phase of a new plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseTimes {
    /// Its ring; phases of a ring follow each other.
    #[serde(default)]
    pub ring: u8,
    /// Green, seconds.
    pub green_s: f64,
    /// Yellow and all-red behind it, seconds.
    #[serde(default)]
    pub clearance_s: f64,
    /// Whom it lets go.
    pub releases: Vec<Released>,
}

/// Whom a phase lets go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// Key of the link that is left.
    pub from: String,
    /// Key of the link that is entered; none: any.
    #[serde(default)]
    pub to: Option<String>,
}

/// A movement is forbidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovementBan {
    /// Key of the link that is left.
    pub from: String,
    /// Key of the link that is entered.
    pub to: String,
}

/// Some classes may not enter these links. In the dynamic model; with trips between zones those of
/// a banned class choose other ways, or are not served where there is none; who is on the road
/// already and has none goes on as the others do. Without trips they turn off at the last junction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassBan {
    /// Which links.
    pub on: Place,
    /// Which classes.
    pub classes: Vec<VehicleClass>,
}

/// Water on the road: see [`super::flood`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// Which links.
    pub on: Place,
    /// Depth of the water, metres.
    pub depth_m: f64,
    /// From this depth on nobody enters, metres; 0.3 where nothing is said, and never more.
    #[serde(default)]
    pub cut_depth_m: Option<f64>,
}

/// More or fewer trips.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandChange {
    /// Only from this zone.
    #[serde(default)]
    pub origin: Option<String>,
    /// Only to this zone.
    #[serde(default)]
    pub destination: Option<String>,
    /// Only this class.
    #[serde(default)]
    pub class: Option<VehicleClass>,
    /// Times what it was: 0 or more.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Or so many vehicles an hour more, between two zones.
    #[serde(default)]
    pub add_veh_h: Option<f64>,
}

/// A link that was not there. In the time before and after its span it is closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// Its key.
    pub key: String,
    /// Key of the junction it starts at.
    pub from: String,
    /// Key of the junction it ends at.
    pub to: String,
    /// How great a road it is, such as `primary_link`.
    pub class: String,
    /// Length in metres; none: as long as the straight line.
    #[serde(default)]
    pub length_m: Option<f64>,
    /// Lanes; none: as its class has.
    #[serde(default)]
    pub lanes: Option<i64>,
    /// Free speed, km/h; none: as its class has.
    #[serde(default)]
    pub free_speed_kmh: Option<f64>,
    /// Capacity of one lane, passenger-car equivalents an hour; none: as its class has.
    #[serde(default)]
    pub capacity_pcu_h_lane: Option<f64>,
}

/// A charge for entering, that who chooses a way weighs against time. It delays nobody. Where no
/// trips between zones are known nobody chooses, and it is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Toll {
    /// Which links.
    pub on: Place,
    /// What it is worth in travel time, seconds: the charge over the value of time.
    pub worth_s: f64,
}
