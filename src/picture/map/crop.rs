//! What part of the network a map shows: where something differs, or all of it.

use super::super::geometry::{Bounds, Metres};
use super::super::scale::UNCHANGED;
use super::roads::Roads;

/// A map shows at least this much from west to east, metres.
pub(super) const LEAST_M: f64 = 900.0;

/// A link with hardly more or less delay matters from this share of a large change of flow on.
const FLOW_SHARE: f64 = 0.25;

/// Share of all change of delay that may lie beyond each side of the map.
const BEYOND_SHARE: f64 = 0.01;

/// Around edited links and those with a change that matters, but for a few far away; all of the
/// network where none has.
pub(super) fn bounds(roads: &Roads<'_>) -> Bounds {
    let mut around = Bounds::NONE;
    let mut changes: Vec<(Metres, f64)> = Vec::new();
    for road in &roads.all {
        if road.edited {
            road.line.iter().for_each(|point| around.include(*point));
        }
        let Some(one) = road.difference else { continue };
        if roads.delay.class(one.delay_veh_h) != UNCHANGED
            || one.flow_veh_h.abs() >= roads.flow * FLOW_SHARE
        {
            let weight =
                one.delay_veh_h.abs() / roads.delay.max + one.flow_veh_h.abs() / roads.flow;
            changes.extend(road.line.iter().map(|point| (*point, weight)));
        }
    }
    if let Some(core) = core(&mut changes) {
        around.include(core.low);
        around.include(core.high);
    }
    if around.is_none() { roads.bounds() } else { around }
}

/// The bounds that leave out [`BEYOND_SHARE`] of the weight on each side.
fn core(points: &mut [(Metres, f64)]) -> Option<Bounds> {
    let enough = points.iter().map(|(_, weight)| weight).sum::<f64>() * BEYOND_SHARE;
    let mut core = Bounds::NONE;
    for axis in [0, 1] {
        points.sort_by(|(a, _), (b, _)| a[axis].total_cmp(&b[axis]));
        core.low[axis] = reached(points.iter(), enough)?[axis];
        core.high[axis] = reached(points.iter().rev(), enough)?[axis];
    }
    Some(core)
}

/// The first point where the weight so far is more than enough.
fn reached<'a>(points: impl Iterator<Item = &'a (Metres, f64)>, enough: f64) -> Option<Metres> {
    let mut sum = 0.0;
    for (point, weight) in points {
        sum += weight;
        if sum > enough {
            return Some(*point);
        }
    }
    None
}
