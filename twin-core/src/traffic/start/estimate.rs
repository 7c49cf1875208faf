//! The start state of every link, measured or estimated, and of every junction.
//!
//! # Measured links
//! | measured | flow | density | worth |
//! |---|---|---|---|
//! | flow, speed | as measured | flow / speed | 1 |
//! | flow, occupancy | as measured | occupancy · jam density | 0.9 |
//! | flow | as measured | of the free branch | 0.8 |
//! | occupancy, speed | density · speed | occupancy · jam density | 0.6 |
//! | occupancy | of the diagram at the density | occupancy · jam density | 0.5 |
//! | speed below [`QUEUED_SPEED`] of free speed | of the queued branch at the speed | flow / speed | 0.5 |
//!
//! An occupied point of the lane is taken for a vehicle with the spacing of a jam. What the diagram
//! does not allow is moved to its edge, and the link says so. A flow of a measured link is kept as
//! it is; `quality = worth · freshness`.
//!
//! # Estimated links
//! Flows balance at junctions ([`balance`](super::balance)); traffic is free, since without a
//! measured speed nothing speaks for a queue. `quality = 0.7^hops`, where a link at a junction of a
//! measured one is one hop away; 0 where no measured link is reached. A fast road with a measured
//! speed only is estimated in its flow, and its density is flow over that speed.
//!
//! # Junctions that need not balance
//! Trips begin and end at edges: junctions with a single neighbour, without a way in or out, or
//! that cannot be passed. At connectors of zones they may, see [`EstimateSettings`].

use std::ops::ControlFlow;

use super::balance::Balance;
use super::measure::{LinkMeasurement, Measurements};
use super::origin::Origin;
use super::prior::{FAR, Prior, hops, neighbours};
use super::state::{Ends, LinkStart, Source, Start};
use super::turning::Turning;
use crate::pace::{Pace, unwatched};
use crate::road::{JunctionIndex, Network};
use crate::traffic::roads::{Diagram, Point};

/// Slower than this share of free speed, traffic is queued: a triangular diagram knows no other
/// reason.
const QUEUED_SPEED: f64 = 0.75;

/// What a hop leaves of the quality of an estimate.
const QUALITY_PER_HOP: f64 = 0.7;

/// Standard deviation of a prior flow: this share of it, and this share of capacity.
const DEVIATION: (f64, f64) = (0.5, 0.1);

/// How strictly flows balance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EstimateSettings {
    /// Standard deviation of the trips that begin (or end) at a junction, net, as a share of the
    /// flow expected into it. 0: only as many as measured flows leave no other place for.
    pub ends_share: f64,
    /// The same where a zone has a connector.
    pub zone_ends_share: f64,
}

impl Default for EstimateSettings {
    fn default() -> EstimateSettings {
        EstimateSettings { ends_share: 0.0, zone_ends_share: 0.3 }
    }
}

/// What measurements say of the links, before flows are balanced.
struct Known<'a> {
    diagrams: Vec<Diagram>,
    given: Vec<Option<&'a LinkMeasurement>>,
    /// States that hold a flow, and what they are worth.
    points: Vec<Option<(Point, f64)>>,
    /// Of those states.
    flows: Vec<Option<f64>>,
}

impl<'a> Known<'a> {
    fn of(network: &Network, measurements: &'a Measurements) -> Known<'a> {
        let diagrams: Vec<Diagram> = network.links().iter().map(Diagram::of).collect();
        let mut given: Vec<Option<&LinkMeasurement>> = vec![None; diagrams.len()];
        for one in &measurements.links {
            given[one.link.slot()] = Some(one);
        }
        let points: Vec<Option<(Point, f64)>> = diagrams
            .iter()
            .zip(&given)
            .map(|(diagram, given)| given.and_then(|given| measured(diagram, given)))
            .collect();
        let flows = points.iter().map(|point| Some(point.as_ref()?.0.flow_veh_h)).collect();
        Known { diagrams, given, points, flows }
    }

    /// How much a link will be believed.
    fn quality(&self, at: usize, hops: u32) -> f64 {
        let far = hops == FAR || hops == 0;
        let estimated = if far { 0.0 } else { QUALITY_PER_HOP.powf(f64::from(hops)) };
        self.points[at].map_or(0.0, |(_, quality)| quality).max(estimated)
    }

    /// A link, where so much is its flow in balance.
    fn link(&self, at: usize, (flow_veh_h, hops): (f64, u32)) -> LinkStart {
        let diagram = &self.diagrams[at];
        let measured = self.points[at].map(|(point, _)| point);
        let point = measured
            .or_else(|| speed_only(diagram, self.given[at], flow_veh_h))
            .unwrap_or_else(|| diagram.at(flow_veh_h, flow_veh_h / diagram.free_speed_kmh));
        let empty = point.density_veh_km <= 0.0;
        let speed = point.flow_veh_h / point.density_veh_km;
        LinkStart {
            flow_veh_h: point.flow_veh_h,
            speed_kmh: if empty { diagram.free_speed_kmh } else { speed },
            density_veh_km: point.density_veh_km,
            source: if measured.is_some() { Source::Measured } else { Source::Estimated },
            branch: point.branch,
            clamped: point.clamped,
            quality: self.quality(at, hops),
        }
    }
}

impl Measurements {
    /// How many links have a measured flow, and the mean quality of all, weighted by their length:
    /// what [`Start::quality`] will say of a start that is estimated from them. A few passes over
    /// the links.
    pub fn reach(&self, network: &Network) -> (usize, f64) {
        let known = Known::of(network, self);
        let hops = hops(network, &known.flows);
        let (mut believed, mut all) = (0.0, 0.0);
        for (at, link) in network.links().iter().enumerate() {
            believed += known.quality(at, hops[at]) * link.length().get();
            all += link.length().get();
        }
        let quality = if all > 0.0 { believed / all } else { 0.0 };
        (known.flows.iter().flatten().count(), quality)
    }
}

impl Start {
    /// From measurements; turning shares follow from the flows. O(links) and a few dozen to a few
    /// thousand passes over the links to balance them.
    pub fn estimate(
        network: &Network,
        measurements: &Measurements,
        settings: EstimateSettings,
    ) -> Start {
        unwatched(|pace| Start::estimate_by(network, measurements, settings, pace))
    }

    /// The same; whoever watches is asked every few milliseconds and ends it by breaking.
    ///
    /// # Errors
    /// Breaks when told to.
    pub fn estimate_watched(
        network: &Network,
        measurements: &Measurements,
        settings: EstimateSettings,
        watch: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> ControlFlow<(), Start> {
        Start::estimate_by(network, measurements, settings, &mut Pace::new(watch))
    }

    fn estimate_by(
        network: &Network,
        measurements: &Measurements,
        settings: EstimateSettings,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Start> {
        pace.ask()?;
        let known = Known::of(network, measurements);
        let prior = Prior::of(network, &known.flows, pace)?;
        let flow = balanced(network, &prior, settings, pace)?;
        let links = flow.iter().zip(&prior.hops).enumerate();
        let links: Vec<LinkStart> =
            links.map(|(at, (flow, hops))| known.link(at, (*flow, *hops))).collect();
        let ends = ends(network, &links);
        let turning = Turning::from_flows(network, &links, &ends);
        let origin = Some(Origin::of(measurements, settings));
        ControlFlow::Continue(Start { links, ends, turning, demand: None, origin })
    }
}

/// Whether nothing has to balance at a junction: one neighbour, no way in or out, or no passing.
pub(super) fn is_edge(network: &Network, junction: JunctionIndex) -> bool {
    let mut others = neighbours(network, junction.slot());
    let first = others.next();
    !network.junction(junction).is_passable()
        || network.incoming(junction).is_empty()
        || network.outgoing(junction).is_empty()
        || others.all(|other| Some(other) == first)
}

/// A measured state that holds a flow, and what it is worth.
fn measured(diagram: &Diagram, given: &LinkMeasurement) -> Option<(Point, f64)> {
    let density = given.occupancy_ratio.map(|share| share * diagram.jam_density_veh_km);
    let (point, worth) = match (given.flow_veh_h, given.speed_kmh, density) {
        // No vehicle, no speed: whether the link is empty or jammed, occupancy knows.
        (Some(flow), Some(_), Some(density)) if flow <= 0.0 => (diagram.at(flow, density), 1.0),
        (Some(flow), Some(speed), _) => (diagram.at_speed(flow, speed), 1.0),
        (Some(flow), None, Some(density)) => (diagram.at(flow, density), 0.9),
        (Some(flow), None, None) => (diagram.at(flow, flow / diagram.free_speed_kmh), 0.8),
        (None, Some(speed), Some(density)) => (diagram.at(density * speed, density), 0.6),
        (None, None, Some(density)) => (diagram.at(diagram.flow_veh_h(density), density), 0.5),
        (None, Some(speed), None) if speed < QUEUED_SPEED * diagram.free_speed_kmh => {
            let flow = diagram.queued_flow_veh_h(speed);
            let density = diagram.jam_density_veh_km - flow / diagram.wave_speed_kmh;
            (diagram.at(flow, density), 0.5)
        }
        (None, Some(_) | None, None) => return None,
    };
    Some((point, worth * given.freshness))
}

/// Where only a free speed is measured: the estimated flow at that speed.
fn speed_only(
    diagram: &Diagram,
    given: Option<&LinkMeasurement>,
    flow_veh_h: f64,
) -> Option<Point> {
    let speed = given?.speed_kmh?;
    // Faster than free speed is free, no contradiction.
    Some(diagram.at_speed(flow_veh_h, speed.min(diagram.free_speed_kmh)))
}

/// Flows of all links, in balance as far as they can be.
fn balanced(
    network: &Network,
    prior: &Prior,
    settings: EstimateSettings,
    pace: &mut Pace<'_>,
) -> ControlFlow<(), Vec<f64>> {
    let most: Vec<f64> = network.links().iter().map(crate::road::Link::capacity_veh_h).collect();
    let variance: Vec<f64> = (0..most.len())
        .map(|at| {
            let deviation = DEVIATION.0 * prior.flow[at] + DEVIATION.1 * most[at];
            if prior.hops[at] == 0 { 0.0 } else { deviation * deviation }
        })
        .collect();
    let mut share = vec![settings.ends_share; network.junctions().len()];
    for connector in network.zones().iter().flat_map(crate::road::Zone::connectors) {
        share[connector.slot()] = settings.zone_ends_share;
    }
    let slack: Vec<f64> = network
        .junction_indexes()
        .map(|junction| {
            let entering = network.incoming(junction).iter();
            let expected: f64 = entering.map(|link| prior.flow[link.slot()]).sum();
            let deviation = share[junction.slot()] * expected;
            if is_edge(network, junction) { f64::INFINITY } else { deviation * deviation }
        })
        .collect();
    let balance =
        Balance { network, prior: &prior.flow, variance: &variance, most: &most, slack: &slack };
    balance.solve(pace)
}

/// Trips that begin and end at each junction.
fn ends(network: &Network, links: &[LinkStart]) -> Vec<Ends> {
    let flow = |link: &crate::road::LinkIndex| links[link.slot()].flow_veh_h;
    network
        .junction_indexes()
        .map(|junction| {
            let entering: f64 = network.incoming(junction).iter().map(flow).sum();
            let leaving: f64 = network.outgoing(junction).iter().map(flow).sum();
            if is_edge(network, junction) {
                return Ends { begin_veh_h: leaving, end_veh_h: entering };
            }
            let begin = leaving - entering;
            // Rounding begins no trips.
            let begin = if begin.abs() > 1e-9 * entering.max(leaving) { begin } else { 0.0 };
            Ends { begin_veh_h: begin.max(0.0), end_veh_h: (-begin).max(0.0) }
        })
        .collect()
}
