//! What a scenario is besides its edits' effects: its frame (horizon, interval, vehicles), the
//! network with its new links, and the times of its edits.

use std::borrow::Cow;

use super::definition::{MAX_HORIZON_S, MAX_ROWS, Model, Scenario, Vehicles};
use super::edit::{Change, NewLink, Span};
use super::fault::What;
use super::resolve::{Faults, Times};
use crate::road::{DraftLink, Network, RoadClass};
use crate::traffic::ltm::VehicleClass;

const DAY_S: f64 = 86_400.0;

/// What trips are estimated between.
pub(super) const ZONES: &str =
    "two zones or more with connectors: wards, joined to junctions of the network";

impl Scenario {
    /// What belongs to no edit.
    pub(super) fn check_frame(&self, network: &Network, faults: &mut Faults) {
        faults.within(
            "horizon_s",
            self.horizon_s,
            (f64::MIN_POSITIVE, MAX_HORIZON_S),
            "above 0, at most 86400 (a day)",
        );
        if self.model == Model::Dynamic {
            let count = self.horizon_s / self.interval_s;
            let whole = (count - count.round()).abs() <= 1e-9 * count && count >= 1.0 - 1e-9;
            let rows = count.round() * network.links().len() as f64;
            if !whole || self.interval_s < 1.0 {
                let allowed = "1 or more, and a whole part of the horizon";
                faults.put("interval_s", What::Value { value: self.interval_s, allowed });
            } else if rows > MAX_ROWS as f64 {
                let interval_s = (self.interval_s * rows / MAX_ROWS as f64).ceil();
                faults.put("interval_s", What::TooMany { rows, most: MAX_ROWS, interval_s });
            }
        }
        let offset_s = f64::from(self.base.utc_offset_s);
        faults.within("base.utc_offset_s", offset_s, (-50_400.0, 50_400.0), "-50400 to 50400");
        faults.within("demand.factor", self.demand.factor, (0.0, 100.0), "0 to 100");
        if self.demand.estimate && self.demand.trips.is_empty() {
            let joined = network.zones().iter().filter(|zone| !zone.connectors().is_empty());
            if joined.count() < 2 {
                faults.put("demand.estimate", What::Needs(ZONES));
            }
        }
        if self.model == Model::Dynamic && !self.through.is_empty() {
            let what = "the static model: the dynamic one does not keep who goes where";
            faults.put("through", What::Needs(what));
        }
        let mut sum = 0.0;
        for class in Vehicles::CLASSES {
            let (share, equivalent) =
                (self.vehicles.share(class), self.vehicles.equivalents.of(class));
            sum += share;
            let name = match class {
                VehicleClass::Motorcycle => "motorcycle",
                VehicleClass::Car => "car",
                VehicleClass::Bus => "bus",
                VehicleClass::Truck => "truck",
            };
            faults.within(&format!("vehicles.{name}"), share, (0.0, 1e9), "0 or more");
            let field = format!("vehicles.equivalents.{name}");
            faults.within(&field, equivalent, (0.01, 100.0), "0.01 to 100");
        }
        if sum <= 0.0 {
            faults.put("vehicles", What::Needs("at least one class with a share above 0"));
        }
    }

    pub(super) fn with_new_links<'a>(
        &self,
        network: &'a Network,
        faults: &mut Faults,
    ) -> Cow<'a, Network> {
        let mut draft = None;
        for (row, edit) in self.edits.iter().enumerate() {
            if let Change::NewLink(new) = &edit.change {
                (faults.edit, faults.prefix) = (Some(row), format!("edits[{row}].new_link"));
                if let Some(link) = drafted(new, faults) {
                    // One at a time: a wrong one must not hide the others.
                    let mut with = draft.clone().unwrap_or_else(|| network.to_draft());
                    with.links.push(link);
                    match with.clone().build().faults.pop() {
                        Some(problem) => faults.put("", What::NewLink(problem)),
                        None => draft = Some(with),
                    }
                }
            }
        }
        (faults.edit, faults.prefix) = (None, String::new());
        draft.map_or(Cow::Borrowed(network), |draft| Cow::Owned(draft.build().network))
    }

    /// When an edit holds; for ever, where that cannot be told.
    pub(super) fn times(&self, span: &Span, faults: &mut Faults) -> Times {
        let timeless = span == &Span::default();
        if self.model == Model::Static && !timeless {
            faults.put("", What::Needs("the dynamic model: a balance knows no time"));
            return (0.0, f64::INFINITY);
        }
        let day_s = self.base.day_s();
        let mut moment =
            |(seconds, clock): (Option<f64>, &Option<String>), after_s: f64, field| match (
                seconds, clock,
            ) {
                (Some(_), Some(_)) => {
                    faults.put(&format!(".{field}_s"), What::OneOf("seconds and a clock time"));
                    None
                }
                (Some(seconds), None) => {
                    let allowed = "0 or more";
                    let fits = faults.within(&format!(".{field}_s"), seconds, (0.0, 1e9), allowed);
                    fits.then_some(seconds)
                }
                (None, Some(clock)) => {
                    let of_day = clock_s(clock);
                    if of_day.is_none() {
                        faults.put(&format!(".{field}_clock"), What::Clock(clock.clone()));
                    }
                    of_day.map(|of_day| after_s + (of_day - day_s - after_s).rem_euclid(DAY_S))
                }
                (None, None) => None,
            };
        let from_s = moment((span.from_s, &span.from_clock), 0.0, "from").unwrap_or(0.0);
        let until = moment((span.until_s, &span.until_clock), from_s, "until");
        let until_s = until.unwrap_or(f64::INFINITY);
        if until_s <= from_s {
            let allowed = "after its begin";
            faults.put(".until_s", What::Value { value: until_s, allowed });
            return (0.0, f64::INFINITY);
        }
        (from_s, until_s)
    }
}

/// Seconds since midnight of a text `HH:MM` or `HH:MM:SS`.
fn clock_s(text: &str) -> Option<f64> {
    let mut parts = text.split(':').map(|part| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u32>().ok() } else { None }
    });
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = match parts.next() {
        Some(seconds) => seconds?,
        None => 0,
    };
    let fits = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    fits.then(|| f64::from(hours * 3_600 + minutes * 60 + seconds))
}

fn drafted(new: &NewLink, faults: &mut Faults) -> Option<DraftLink> {
    let Some(class) = RoadClass::from_name(&new.class) else {
        faults.put(".class", What::RoadClass(new.class.clone()));
        return None;
    };
    Some(DraftLink {
        length_m: new.length_m,
        lanes: new.lanes,
        free_speed_mps: new.free_speed_kmh.map(|kmh| kmh / 3.6),
        capacity_veh_h_lane: new.capacity_pcu_h_lane,
        ..DraftLink::new(&new.key, &new.from, &new.to, class)
    })
}
