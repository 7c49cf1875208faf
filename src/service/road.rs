//! Networks, links and matched sensors from the domain to the wire, by hand. Nothing is decided
//! here.

use citytwin_core::position::Position;
use citytwin_core::road::{
    Control, Junction, Link, LinkIndex, Matched, MatchedBy, Matching, Network,
};
use citytwin_proto::v1;

use super::outcome::fit;
use crate::planner::{Estimated, Roads};

/// Links of one message: some hundred kilobytes.
const ROWS: usize = 2_000;

/// A network.
pub(super) fn network(roads: &Roads, current: bool) -> v1::Network {
    let network = &roads.network;
    let signals =
        network.junctions().iter().filter(|junction| junction.control() == Control::Signal);
    let length_m: f64 = network.links().iter().map(|link| link.length().get()).sum();
    v1::Network {
        id: roads.id.to_string(),
        current,
        junctions: count(network.junctions().len()),
        links: count(network.links().len()),
        movements: count(network.movements().len()),
        zones: count(network.zones().len()),
        signals: count(signals.count()),
        length_km: length_m / 1_000.0,
        left_out: 0,
        problems: Vec::new(),
        bounds: bounds(network),
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The least box around all junctions; none without.
fn bounds(network: &Network) -> Option<v1::Box> {
    let mut points = network.junctions().iter().map(Junction::position);
    let first = v1::Box {
        south_deg: f64::INFINITY,
        west_deg: f64::INFINITY,
        north_deg: f64::NEG_INFINITY,
        east_deg: f64::NEG_INFINITY,
    };
    let wider = |limits: v1::Box, at: Position| v1::Box {
        south_deg: limits.south_deg.min(at.latitude_deg()),
        west_deg: limits.west_deg.min(at.longitude_deg()),
        north_deg: limits.north_deg.max(at.latitude_deg()),
        east_deg: limits.east_deg.max(at.longitude_deg()),
    };
    let start = points.next()?;
    Some(points.fold(wider(first, start), wider))
}

/// All links, some thousand in each message.
pub(super) fn links(network: &Network) -> impl Iterator<Item = v1::ReadLinksResponse> + '_ {
    let rows: Vec<LinkIndex> = network.link_indexes().collect();
    let parts = rows.len().div_ceil(ROWS);
    (0..parts).map(move |part| {
        let rows = rows.iter().skip(part * ROWS).take(ROWS);
        v1::ReadLinksResponse { links: rows.map(|index| link(network, *index)).collect() }
    })
}

fn link(network: &Network, index: LinkIndex) -> v1::RoadLink {
    let link: &Link = network.link(index);
    let point = |at: &Position| v1::Point {
        latitude_deg: at.latitude_deg(),
        longitude_deg: at.longitude_deg(),
    };
    v1::RoadLink {
        key: link.key().to_string(),
        from_junction: network.junction(link.from()).key().to_string(),
        to_junction: network.junction(link.to()).key().to_string(),
        name: link.name().to_owned(),
        class: link.class().name().to_owned(),
        length_m: link.length().get(),
        lanes: u32::from(link.lanes().get()),
        free_speed_kmh: link.free_speed().kmh(),
        capacity_pcu_h: link.capacity_veh_h(),
        line: network.line(index).iter().map(point).collect(),
    }
}

/// Which sensors stand where.
pub(super) fn matches(network: &Network, matching: &Matching) -> v1::ListMatchesResponse {
    let found = |one: &Matched| v1::SensorMatch {
        sensor: one.sensor.to_string(),
        link: network.link(one.link).key().to_string(),
        lane: one.lane.map_or(0, u32::from),
        distance_m: match one.by {
            MatchedBy::Name => None,
            MatchedBy::Distance { distance_m, .. } => Some(distance_m),
        },
    };
    let unmatched = matching.unmatched.iter().map(|(sensor, why)| v1::UnmatchedSensor {
        sensor: sensor.to_string(),
        reason: why.to_string(),
    });
    v1::ListMatchesResponse {
        as_of: None,
        matches: matching.matched.iter().map(found).collect(),
        unmatched: unmatched.collect(),
    }
}

/// Demand that was estimated, and how well it fits.
pub(super) fn calibration(done: &Estimated, base: v1::BaseState) -> v1::Calibration {
    let flow = |(origin, destination, flow_pcu_h): &(String, String, f64)| v1::OdFlow {
        origin: origin.clone(),
        destination: destination.clone(),
        flow_pcu_h: *flow_pcu_h,
    };
    v1::Calibration {
        base: Some(base),
        zones: count(done.zones),
        trips_pcu_h: done.flows.iter().map(|(.., flow)| flow).sum(),
        iterations: done.fit.iterations,
        used: Some(fit(&done.fit.used)),
        held_out: Some(fit(&done.fit.held_out)),
        flows: done.flows.iter().map(flow).collect(),
    }
}
