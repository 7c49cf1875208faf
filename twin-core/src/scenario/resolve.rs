//! From names to numbers: the edits of a scenario on one network. Everything that does not fit is
//! told with its field and left out; nothing else is decided here, so that checking a scenario and
//! running it cannot disagree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::definition::{Model, Scenario, Trips};
use super::edit::Change;
use super::fault::{Fault, What};
use super::place::Place;
use super::signals;
use super::timeline::{MOST, Timeline, Touch};
use crate::road::{JunctionIndex, LinkIndex, MovementIndex, Network, SignalPlan, ZoneIndex};
use crate::traffic::ltm::VehicleClass;
use crate::traffic::roads::{Diagram, Raised};

/// Begin and end, seconds from the start; the end may be infinite.
pub(super) type Times = (f64, f64);

/// A scenario in numbers of one network.
#[derive(Clone, Debug)]
pub(super) struct Resolved<'a> {
    /// The network with new links.
    pub(super) network: Cow<'a, Network>,
    pub(super) links: BTreeMap<LinkIndex, Timeline>,
    pub(super) bans: Vec<(Times, MovementIndex)>,
    pub(super) class_bans: Vec<ClassBan>,
    pub(super) signals: Vec<(Times, JunctionIndex, SignalPlan)>,
    pub(super) demand: Vec<DemandStep>,
    pub(super) trips: Vec<Trip>,
    pub(super) journeys: Vec<(JunctionIndex, JunctionIndex)>,
    pub(super) through: Vec<LinkIndex>,
    /// Whether capacities must fit the fundamental diagram.
    diagram: bool,
}

/// Classes that may not enter links.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClassBan {
    /// The edit.
    pub(super) edit: usize,
    pub(super) times: Times,
    pub(super) links: Vec<LinkIndex>,
    pub(super) classes: Vec<VehicleClass>,
}

/// Trips from zone to zone, pcu/h.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trip {
    pub(super) origin: ZoneIndex,
    pub(super) destination: ZoneIndex,
    pub(super) flow_pcu_h: f64,
}

/// A change of demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct DemandStep {
    /// The edit.
    pub(super) edit: usize,
    pub(super) times: Times,
    pub(super) origin: Option<ZoneIndex>,
    pub(super) destination: Option<ZoneIndex>,
    pub(super) what: Step,
}

/// How demand changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    Factor(f64),
    AddPcuH(f64),
}

/// Faults as they are found.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<Fault>,
    pub(super) edit: Option<usize>,
    pub(super) prefix: String,
}

impl Faults {
    pub(super) fn put(&mut self, field: &str, what: What) {
        let field = format!("{}{field}", self.prefix);
        self.found.push(Fault { field, edit: self.edit, what });
    }

    /// Tells of a number that is not within limits; true when it is.
    pub(super) fn within(
        &mut self,
        field: &str,
        value: f64,
        (least, most): (f64, f64),
        allowed: &'static str,
    ) -> bool {
        let fits = (least..=most).contains(&value);
        if !fits {
            self.put(field, What::Value { value, allowed });
        }
        fits
    }

    fn needs(&mut self, field: &str, fits: bool, what: &'static str) {
        if !fits {
            self.put(field, What::Needs(what));
        }
    }
}

impl Scenario {
    /// The scenario in numbers of a network, and what does not fit it.
    pub(super) fn resolve<'a>(&self, network: &'a Network) -> (Resolved<'a>, Vec<Fault>) {
        let mut faults = Faults::default();
        self.check_frame(network, &mut faults);
        let mut resolved = Resolved {
            network: self.with_new_links(network, &mut faults),
            links: BTreeMap::new(),
            bans: Vec::new(),
            class_bans: Vec::new(),
            signals: Vec::new(),
            demand: Vec::new(),
            trips: Vec::new(),
            journeys: Vec::new(),
            through: Vec::new(),
            diagram: self.model == Model::Dynamic,
        };
        for (row, edit) in self.edits.iter().enumerate() {
            (faults.edit, faults.prefix) = (Some(row), format!("edits[{row}]"));
            let times = self.times(&edit.span, &mut faults);
            faults.prefix = format!("edits[{row}].{}", edit.change.name());
            self.resolve_edit((row, &edit.change), times, &mut resolved, &mut faults);
        }
        (faults.edit, faults.prefix) = (None, String::new());
        for (row, journey) in self.journeys.iter().enumerate() {
            let mut find = |key: &str, field: &str| {
                let found = network.find_junction(key);
                if found.is_none() {
                    faults
                        .put(&format!("journeys[{row}].{field}"), What::NoJunction(key.to_owned()));
                }
                found
            };
            let (from, to) = (find(&journey.from, "from"), find(&journey.to, "to"));
            resolved.journeys.extend(from.zip(to));
        }
        for (row, trips) in self.demand.trips.iter().enumerate() {
            faults.prefix = format!("demand.trips[{row}]");
            resolved.trips.extend(trip(network, trips, &mut faults));
        }
        faults.prefix.clear();
        for (row, key) in self.through.iter().enumerate() {
            match resolved.network.find_link(key) {
                Some(link) => resolved.through.push(link),
                None => faults.put(&format!("through[{row}]"), What::NoLink(key.clone())),
            }
        }
        let mut found = faults.found;
        // New links are looked at first; tell everything in the order of the edits.
        found.sort_by_key(|fault| fault.edit);
        (resolved, found)
    }

    fn resolve_edit(
        &self,
        (row, change): (usize, &Change),
        times: Times,
        resolved: &mut Resolved<'_>,
        faults: &mut Faults,
    ) {
        match change {
            Change::Close(edit) => resolved.touch(&edit.on, times, Touch::Close, faults),
            Change::LaneCount(edit) => {
                if let Some(touch) = lanes((edit.set, edit.add), faults) {
                    resolved.touch(&edit.on, times, touch, faults);
                }
            }
            Change::Capacity(edit) => {
                if let Some(touch) = capacity((edit.factor, edit.flow_pcu_h), faults) {
                    resolved.touch(&edit.on, times, touch, faults);
                }
            }
            Change::SpeedLimit(edit) => {
                faults.within(".limit_kmh", edit.limit_kmh, (5.0, 130.0), "5 to 130");
                let (limit_mps, raises) = (edit.limit_kmh / 3.6, edit.raises);
                resolved.touch(&edit.on, times, Touch::Speed { limit_mps, raises }, faults);
            }
            Change::Incident(edit) => {
                let remaining = edit.remaining.unwrap_or(1.0);
                let lanes = edit.lanes_lost;
                let most = (f64::MIN_POSITIVE, 50.0);
                let fits = faults.within(".lanes_lost", lanes, most, "above 0, to 50")
                    & faults.within(".remaining", remaining, (0.0, 1.0), "0 to 1");
                // What is left of a wrong edit must not make room for another.
                let touch =
                    if fits { Touch::Lost { lanes, remaining } } else { Touch::Factor(1.0) };
                resolved.touch(&edit.on, times, touch, faults);
            }
            Change::Flood(edit) => {
                let cut_m = edit.cut_depth_m.unwrap_or(super::flood::CUT_DEPTH_M);
                let depth_m = edit.depth_m;
                faults.within(".depth_m", depth_m, (f64::MIN_POSITIVE, 20.0), "above 0, to 20");
                let allowed = "above 0, at most 0.3";
                faults.within(".cut_depth_m", cut_m, (f64::MIN_POSITIVE, 0.3), allowed);
                resolved.touch(&edit.on, times, Touch::Water { depth_m, cut_m }, faults);
            }
            Change::Toll(edit) => {
                faults.within(".worth_s", edit.worth_s, (0.0, 86_400.0), "0 to 86400");
                let worth_s = edit.worth_s;
                resolved.touch(&edit.on, times, Touch::Toll { worth_s }, faults);
            }
            Change::NewLink(edit) => resolved.opening(&edit.key, times),
            Change::SignalTimes(edit) => {
                let plan = signals::edited(&resolved.network, edit, faults);
                resolved.signals.extend(plan.map(|(junction, plan)| (times, junction, plan)));
            }
            Change::MovementBan(edit) => {
                let ban = movement(&resolved.network, (&edit.from, &edit.to), faults);
                resolved.bans.extend(ban.map(|ban| (times, ban)));
            }
            Change::ClassBan(edit) => {
                faults.needs(".classes", !edit.classes.is_empty(), "at least one class");
                let put = |field: &str, what| faults.put(&format!(".on{field}"), what);
                let links = edit.on.find(&resolved.network, put);
                let classes = edit.classes.clone();
                resolved.class_bans.push(ClassBan { edit: row, times, links, classes });
            }
            Change::DemandChange(edit) => {
                let step = self.demand_step(edit, &resolved.network, faults);
                resolved.demand.extend(step.map(|step| DemandStep { edit: row, times, ..step }));
            }
        }
    }

    fn demand_step(
        &self,
        edit: &super::edit::DemandChange,
        network: &Network,
        faults: &mut Faults,
    ) -> Option<DemandStep> {
        let mut zone = |key: &Option<String>, field: &str| match key {
            Some(key) => find_zone(network, key, field, faults).map(Some),
            None => Some(None),
        };
        let (origin, destination) =
            (zone(&edit.origin, ".origin"), zone(&edit.destination, ".destination"));
        let what = match (edit.factor, edit.add_veh_h) {
            (Some(factor), None) => {
                faults.within(".factor", factor, (0.0, 100.0), "0 to 100");
                let share = edit.class.map_or(1.0, |class| self.vehicles.pcu_share(class));
                // Without a class the factor itself, to the last bit.
                Step::Factor(if edit.class.is_some() {
                    1.0 + share * (factor - 1.0)
                } else {
                    factor
                })
            }
            (None, Some(add)) => {
                faults.within(".add_veh_h", add, (0.0, 1e6), "0 to 1000000");
                let pair = edit.origin.is_some() && edit.destination.is_some();
                faults.needs(".add_veh_h", pair, "an origin and a destination");
                Step::AddPcuH(add * self.vehicles.pcu(edit.class))
            }
            (Some(_), Some(_)) | (None, None) => {
                faults.put("", What::OneOf("factor and add_veh_h"));
                return None;
            }
        };
        Some(DemandStep {
            edit: 0,
            times: (0.0, 0.0),
            origin: origin?,
            destination: destination?,
            what,
        })
    }
}

impl Resolved<'_> {
    fn touch(&mut self, on: &Place, times: Times, touch: Touch, faults: &mut Faults) {
        let links = on.find(&self.network, |field, what| faults.put(&format!(".on{field}"), what));
        for link in links {
            let lanes = self.network.link(link).lanes().count();
            if let Touch::Lanes(set) = touch
                && set > lanes * MOST
            {
                let allowed = "at most ten times the lanes of each link";
                return faults.put(".set", What::Value { value: set, allowed });
            }
            if let Some(most_pcu_h) = self.too_much(link, times, touch) {
                let field =
                    if matches!(touch, Touch::Factor(_)) { ".factor" } else { ".flow_pcu_h" };
                let key = self.network.link(link).key().to_string();
                return faults.put(field, What::Capacity { key, most_pcu_h });
            }
            self.links.entry(link).or_default().add(times, touch);
        }
    }

    /// The most that the lanes of a link can let through, pcu/h, where a change of its capacity
    /// asks for more.
    fn too_much(&self, link: LinkIndex, times: Times, touch: Touch) -> Option<f64> {
        if !self.diagram || !matches!(touch, Touch::Factor(_) | Touch::FlowPcuH(_)) {
            return None;
        }
        let road = self.network.link(link);
        let diagram = Diagram::of(road);
        let mut timeline = self.links.get(&link).cloned().unwrap_or_default();
        timeline.add(times, touch);
        let pieces = timeline.pieces(road);
        let most = diagram.most_capacity_veh_h() / diagram.capacity_veh_h * (1.0 + 1e-9);
        let over = pieces.iter().find(|piece| piece.now.capacity > most)?;
        Some(diagram.most_capacity_veh_h() * over.now.lanes)
    }

    /// What edits raise before the horizon.
    pub(super) fn raised(&self, horizon_s: f64) -> BTreeMap<LinkIndex, Raised> {
        let most = |(link, line): (&LinkIndex, &Timeline)| {
            let pieces = line.pieces(self.network.link(*link));
            let early = pieces.iter().filter(|piece| piece.from_s < horizon_s);
            let raised = early.fold(Raised::NONE, |most, piece| Raised {
                capacity: most.capacity.max(piece.now.capacity),
                lanes: most.lanes.max(piece.now.lanes),
            });
            (raised != Raised::NONE).then_some((*link, raised))
        };
        self.links.iter().filter_map(most).collect()
    }

    /// A new link is closed before and after its time.
    fn opening(&mut self, key: &str, (from_s, until_s): Times) {
        let Some(link) = self.network.find_link(key) else { return };
        let timeline = self.links.entry(link).or_default();
        if from_s > 0.0 {
            timeline.add((0.0, from_s), Touch::Close);
        }
        if until_s.is_finite() {
            timeline.add((until_s, f64::INFINITY), Touch::Close);
        }
    }
}

fn lanes(given: (Option<i64>, Option<i64>), faults: &mut Faults) -> Option<Touch> {
    match given {
        (Some(set), None) => {
            let fits = faults.within(".set", set as f64, (1.0, 50.0), "1 to 50");
            fits.then_some(Touch::Lanes(set as f64))
        }
        (None, Some(add)) => {
            let fits = faults.within(".add", add as f64, (-50.0, 50.0), "-50 to 50");
            fits.then_some(Touch::AddLanes(add as f64))
        }
        (Some(_), Some(_)) | (None, None) => {
            faults.put("", What::OneOf("set and add"));
            None
        }
    }
}

fn capacity(given: (Option<f64>, Option<f64>), faults: &mut Faults) -> Option<Touch> {
    match given {
        (Some(factor), None) => {
            let fits = faults.within(".factor", factor, (0.0, MOST), "0 to 10");
            fits.then_some(Touch::Factor(factor))
        }
        (None, Some(flow)) => {
            let fits = faults.within(".flow_pcu_h", flow, (0.0, 1e6), "0 to 1000000");
            fits.then_some(Touch::FlowPcuH(flow))
        }
        (Some(_), Some(_)) | (None, None) => {
            faults.put("", What::OneOf("factor and flow_pcu_h"));
            None
        }
    }
}

fn movement(
    network: &Network,
    (from, to): (&str, &str),
    faults: &mut Faults,
) -> Option<MovementIndex> {
    let mut link = |key: &str, field| {
        let found = network.find_link(key);
        if found.is_none() {
            faults.put(field, What::NoLink(key.to_owned()));
        }
        found
    };
    let (one, other) = (link(from, ".from"), link(to, ".to"));
    let found = network.find_movement(one?, other?);
    if found.is_none() {
        faults.put("", What::NoMovement { from: from.to_owned(), to: to.to_owned() });
    }
    found
}

fn find_zone(network: &Network, key: &str, field: &str, faults: &mut Faults) -> Option<ZoneIndex> {
    let found = network.find_zone(key);
    match found {
        None => faults.put(field, What::NoZone(key.to_owned())),
        Some(zone) if network.zone(zone).connectors().is_empty() => {
            faults.put(field, What::NoConnector(key.to_owned()));
        }
        Some(_) => {}
    }
    found
}

fn trip(network: &Network, trips: &Trips, faults: &mut Faults) -> Option<Trip> {
    let origin = find_zone(network, &trips.origin, ".origin", faults);
    let destination = find_zone(network, &trips.destination, ".destination", faults);
    let flow_pcu_h = trips.flow_pcu_h;
    faults.within(".flow_pcu_h", flow_pcu_h, (0.0, 1e6), "0 to 1000000");
    Some(Trip { origin: origin?, destination: destination?, flow_pcu_h })
}
