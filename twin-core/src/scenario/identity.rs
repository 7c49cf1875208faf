//! The name of an outcome: SHA-256 over everything it is made from, so that the same name means
//! the same bytes.
//!
//! What is hashed, in this order; texts and lists have their length before them as 8 bytes, whole
//! numbers and the bits of floating numbers are little-endian, an option is a byte 0 or 1 before
//! its value:
//!
//! ```text
//! "citytwin outcome 4", model name, model version
//! network   content hash (32 bytes)
//! base      epoch (option, 8), offset from UTC (4)
//! start     what it is estimated from (option, 32 bytes); otherwise per link flow, speed, density,
//!           quality, source (a byte), ends of trips, turning; then demand
//! question  horizon, interval, seed, demand factor, trips, estimate (a byte), vehicles, journeys,
//!           links whose users are asked for
//! edits     each: span, kind by its name, its fields in the order they are declared
//! ```
//!
//! The name of the scenario is not in it. Where trips are to be estimated, those that the start has
//! ready by the same estimation are left out: whether it has them makes no difference. Any change here, or one of a model that changes its
//! numbers, is a new version.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::definition::{Model, Scenario, Vehicles};
use super::edit::{Change, Edit, NewLink, SignalTimes};
use super::place::{AreaShape, LatLon, Place};
use crate::road::Network;
use crate::traffic::start::{CalibrationSettings, Origin, Source, Start, StartDemand};

const FORMAT: &str = "citytwin outcome 4";

/// Version of the numbers of each model, adapters included.
const fn version(model: Model) -> &'static str {
    match model {
        Model::Dynamic => "ltm 5",
        Model::Static => "assign 4",
    }
}

/// Name of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutcomeId([u8; 32]);

impl OutcomeId {
    /// Of what a scenario gives on a network from a start. O(network + start).
    pub fn of(network: &Network, start: &Start, scenario: &Scenario) -> OutcomeId {
        OutcomeId::laid_on(network, scenario, |feed| feed.start(start, scenario.demand.estimate))
    }

    /// The same, before the start is estimated from this. O(network).
    pub fn before_estimate(network: &Network, origin: &Origin, scenario: &Scenario) -> OutcomeId {
        OutcomeId::laid_on(network, scenario, |feed| feed.estimated(origin, None))
    }

    fn laid_on(network: &Network, scenario: &Scenario, start: impl FnOnce(&mut Feed)) -> OutcomeId {
        let mut feed = Feed(Sha256::new());
        feed.text(FORMAT);
        feed.text(scenario.model.name());
        feed.text(version(scenario.model));
        feed.0.update(network.content_hash().bytes());
        feed.option(scenario.base.epoch.as_ref(), |feed, epoch| {
            feed.0.update(epoch.to_le_bytes());
        });
        feed.0.update(scenario.base.utc_offset_s.to_le_bytes());
        start(&mut feed);
        feed.question(scenario);
        feed.list(&scenario.edits, Feed::edit);
        OutcomeId(feed.0.finalize().into())
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for OutcomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

struct Feed(Sha256);

impl Feed {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn number(&mut self, number: f64) {
        self.0.update(number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[f64]) {
        for number in numbers {
            self.number(*number);
        }
    }

    fn list<T>(&mut self, list: &[T], mut each: impl FnMut(&mut Feed, &T)) {
        self.count(list.len());
        for one in list {
            each(self, one);
        }
    }

    fn option<T>(&mut self, option: Option<&T>, each: impl FnOnce(&mut Feed, &T)) {
        self.0.update([u8::from(option.is_some())]);
        if let Some(one) = option {
            each(self, one);
        }
    }

    fn perhaps(&mut self, number: Option<f64>) {
        self.option(number.as_ref(), |feed, number| feed.number(*number));
    }

    fn whole(&mut self, number: Option<i64>) {
        self.option(number.as_ref(), |feed, number| feed.0.update(number.to_le_bytes()));
    }

    fn perhaps_text(&mut self, text: Option<&String>) {
        self.option(text, |feed, text| feed.text(text));
    }

    fn start(&mut self, start: &Start, estimate: bool) {
        let ready = |settings| settings == CalibrationSettings::default();
        let demand = start.demand.as_ref();
        let demand =
            demand.filter(|one| !(estimate && one.fit.is_some_and(|fit| ready(fit.settings))));
        if let Some(origin) = &start.origin {
            return self.estimated(origin, demand);
        }
        self.option(None::<&Origin>, |_, _| ());
        self.list(&start.links, |feed, link| {
            let known = [link.flow_veh_h, link.speed_kmh, link.density_veh_km, link.quality];
            feed.numbers(&known);
            feed.0.update([u8::from(link.source == Source::Measured)]);
        });
        self.list(&start.ends, |feed, ends| feed.numbers(&[ends.begin_veh_h, ends.end_veh_h]));
        self.list(&start.turning.shares, |feed, share| feed.number(*share));
        self.demand(demand);
    }

    fn estimated(&mut self, origin: &Origin, demand: Option<&StartDemand>) {
        self.option(Some(origin), |feed, origin| feed.0.update(origin.bytes()));
        self.demand(demand);
    }

    fn demand(&mut self, demand: Option<&StartDemand>) {
        self.option(demand, |feed, demand| {
            feed.list(&demand.flows, |feed, row| {
                feed.0.update(row.origin.number().to_le_bytes());
                feed.0.update(row.destination.number().to_le_bytes());
                feed.number(row.flow_veh_h);
            });
        });
    }

    fn question(&mut self, scenario: &Scenario) {
        self.numbers(&[scenario.horizon_s, scenario.interval_s]);
        self.0.update(scenario.seed.to_le_bytes());
        self.number(scenario.demand.factor);
        self.list(&scenario.demand.trips, |feed, trips| {
            feed.text(&trips.origin);
            feed.text(&trips.destination);
            feed.number(trips.flow_pcu_h);
        });
        self.0.update([u8::from(scenario.demand.estimate)]);
        for class in Vehicles::CLASSES {
            self.number(scenario.vehicles.share(class));
            self.number(scenario.vehicles.equivalents.of(class));
        }
        self.list(&scenario.journeys, |feed, journey| {
            feed.text(&journey.from);
            feed.text(&journey.to);
        });
        self.list(&scenario.through, |feed, key| feed.text(key));
    }

    fn edit(&mut self, edit: &Edit) {
        self.perhaps(edit.span.from_s);
        self.perhaps(edit.span.until_s);
        self.perhaps_text(edit.span.from_clock.as_ref());
        self.perhaps_text(edit.span.until_clock.as_ref());
        self.text(edit.change.name());
        match &edit.change {
            Change::Close(close) => self.place(&close.on),
            Change::LaneCount(lanes) => {
                self.place(&lanes.on);
                self.whole(lanes.set);
                self.whole(lanes.add);
            }
            Change::Capacity(capacity) => {
                self.place(&capacity.on);
                self.perhaps(capacity.factor);
                self.perhaps(capacity.flow_pcu_h);
            }
            Change::SpeedLimit(speed) => {
                self.place(&speed.on);
                self.number(speed.limit_kmh);
                self.0.update([u8::from(speed.raises)]);
            }
            Change::Incident(incident) => {
                self.place(&incident.on);
                self.number(incident.lanes_lost);
                self.perhaps(incident.remaining);
            }
            Change::SignalTimes(signal) => self.signal(signal),
            Change::MovementBan(ban) => {
                self.text(&ban.from);
                self.text(&ban.to);
            }
            Change::ClassBan(ban) => {
                self.place(&ban.on);
                self.list(&ban.classes, |feed, class| feed.text(&format!("{class:?}")));
            }
            Change::Flood(flood) => {
                self.place(&flood.on);
                self.number(flood.depth_m);
                self.perhaps(flood.cut_depth_m);
            }
            Change::DemandChange(demand) => {
                self.perhaps_text(demand.origin.as_ref());
                self.perhaps_text(demand.destination.as_ref());
                self.option(demand.class.as_ref(), |feed, class| feed.text(&format!("{class:?}")));
                self.perhaps(demand.factor);
                self.perhaps(demand.add_veh_h);
            }
            Change::NewLink(link) => self.new_link(link),
            Change::Toll(toll) => {
                self.place(&toll.on);
                self.number(toll.worth_s);
            }
        }
    }

    fn signal(&mut self, signal: &SignalTimes) {
        self.text(&signal.junction);
        self.perhaps(signal.cycle_s);
        self.perhaps(signal.offset_s);
        self.list(&signal.greens_s, |feed, green| feed.number(*green));
        self.list(&signal.phases, |feed, phase| {
            feed.0.update([phase.ring]);
            feed.numbers(&[phase.green_s, phase.clearance_s]);
            feed.list(&phase.releases, |feed, release| {
                feed.text(&release.from);
                feed.perhaps_text(release.to.as_ref());
            });
        });
    }

    fn new_link(&mut self, link: &NewLink) {
        for text in [&link.key, &link.from, &link.to, &link.class] {
            self.text(text);
        }
        self.perhaps(link.length_m);
        self.whole(link.lanes);
        self.perhaps(link.free_speed_kmh);
        self.perhaps(link.capacity_pcu_h_lane);
    }

    fn place(&mut self, place: &Place) {
        self.list(&place.links, |feed, key| feed.text(key));
        self.list(&place.zones, |feed, key| feed.text(key));
        self.option(place.area.as_ref(), Feed::area);
    }

    fn area(&mut self, area: &AreaShape) {
        let points = |feed: &mut Feed, points: &[LatLon]| {
            feed.list(points, |feed, at| feed.numbers(&[at.latitude_deg, at.longitude_deg]));
        };
        match area {
            AreaShape::Cells { cells } => {
                self.text("cells");
                self.list(cells, |feed, cell| feed.text(cell));
            }
            AreaShape::Polygon { parts } => {
                self.text("polygon");
                self.list(parts, |feed, part| {
                    feed.list(&part.rings, |feed, ring| points(feed, &ring.points));
                });
            }
            AreaShape::Circle { center, radius_m } => {
                self.text("circle");
                self.numbers(&[center.latitude_deg, center.longitude_deg, *radius_m]);
            }
            AreaShape::Box { south_deg, west_deg, north_deg, east_deg } => {
                self.text("box");
                self.numbers(&[*south_deg, *west_deg, *north_deg, *east_deg]);
            }
            AreaShape::Corridor { line, buffer_m } => {
                self.text("corridor");
                points(self, line);
                self.number(*buffer_m);
            }
        }
    }
}
