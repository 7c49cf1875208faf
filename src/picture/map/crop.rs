//! What part of the network a map shows: where something differs, or all of it.

use citytwin_proto::v1;

use super::super::geometry::Bounds;
use super::super::scale::UNCHANGED;
use super::roads::Roads;

/// A map shows at least this much from west to east, metres.
pub(super) const LEAST_M: f64 = 900.0;

/// A link with hardly more or less delay matters from this share of a large change of flow on.
const FLOW_SHARE: f64 = 0.25;

/// Around edited links and those with a change that matters; all of the network where none has.
pub(super) fn bounds(roads: &Roads<'_>) -> Bounds {
    let mut around = Bounds::NONE;
    let shown = roads.all.iter().filter(|road| {
        let matters = |one: &v1::LinkDifference| {
            roads.delay.class(one.delay_veh_h) != UNCHANGED
                || one.flow_veh_h.abs() >= roads.flow * FLOW_SHARE
        };
        road.edited || road.difference.is_some_and(matters)
    });
    for point in shown.flat_map(|road| &road.line) {
        around.include(*point);
    }
    if around.is_none() { roads.bounds() } else { around }
}
