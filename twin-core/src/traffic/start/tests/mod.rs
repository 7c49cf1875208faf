//! Small networks with known flows, and measurements of them. Networks are text, as in the tests of
//! [`road`](crate::road): `a-b` is a link, `a=b` two; letters lie on a grid of ten by row.

mod calibration;
mod flows;
mod measuring;
pub(super) mod random;
mod running;
mod turns;
mod watching;

use super::*;
use crate::road::{Control, Draft, DraftJunction, DraftLink, LinkIndex, Network, RoadClass};
use crate::traffic::roads::{Branch, Diagram, Edited, assignment};

pub(super) fn draft(text: &str) -> Draft {
    let mut draft = Draft::default();
    for word in text.split_whitespace() {
        let (from, to) = word.split_once(['-', '=']).unwrap();
        put(&mut draft, from, to);
        if word.contains('=') {
            put(&mut draft, to, from);
        }
    }
    draft
}

fn put(draft: &mut Draft, from: &str, to: &str) {
    for key in [from, to] {
        if draft.junctions.iter().all(|known| known.key != key) {
            let at = u32::from(key.as_bytes()[0] - b'a');
            let point = (10.0 + f64::from(at / 10) * 0.01, 106.0 + f64::from(at % 10) * 0.01);
            let (key, control) = (key.to_owned(), Control::None);
            draft.junctions.push(DraftJunction { key, point, control, passable: true });
        }
    }
    draft.links.push(DraftLink::new(&format!("{from}-{to}"), from, to, RoadClass::Primary));
}

pub(super) fn sound(draft: Draft) -> Network {
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

pub(super) fn network(text: &str) -> Network {
    sound(draft(text))
}

pub(super) fn link(network: &Network, key: &str) -> LinkIndex {
    network.find_link(key).unwrap_or_else(|| panic!("no link {key}"))
}

/// Measured flows, each at free speed.
pub(super) fn flows(network: &Network, given: &[(&str, f64)]) -> Measurements {
    let rows = given.iter().map(|(key, flow)| {
        let link = link(network, key);
        LinkMeasurement {
            link,
            flow_veh_h: Some(*flow),
            speed_kmh: Some(network.link(link).free_speed().kmh()),
            occupancy_ratio: None,
            sensors: 1,
            freshness: 1.0,
        }
    });
    let mut links: Vec<LinkMeasurement> = rows.collect();
    links.sort_by_key(|one| one.link);
    Measurements { links, ..Measurements::default() }
}

pub(super) fn estimate(network: &Network, measurements: &Measurements) -> Start {
    Start::estimate(network, measurements, EstimateSettings::default())
}

#[track_caller]
pub(super) fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

/// `a-b 1200` for the flow of every link, rounded.
pub(super) fn told(network: &Network, start: &Start) -> Vec<String> {
    let rows = network.links().iter().zip(&start.links);
    rows.map(|(link, start)| format!("{} {:.3}", link.key(), start.flow_veh_h)).collect()
}

/// The most that enters and leaves an inner junction unequally, veh/h.
pub(super) fn worst_imbalance(network: &Network, flow: impl Fn(LinkIndex) -> f64) -> f64 {
    let inner = network.junction_indexes().filter(|at| !estimate::is_edge(network, *at));
    let off = inner.map(|at| {
        let entering: f64 = network.incoming(at).iter().map(|link| flow(*link)).sum();
        let leaving: f64 = network.outgoing(at).iter().map(|link| flow(*link)).sum();
        (entering - leaving).abs()
    });
    off.fold(0.0, f64::max)
}
