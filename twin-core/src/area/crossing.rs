//! Where a ring crosses itself.

use geo::line_intersection::{LineIntersection, line_intersection};
use geo::{Coord, Line};

/// Two edges that cross or lie on each other, with a point they share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crossing {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) at: Coord,
}

/// The first crossing, if any. Edges that only touch in a point do not cross. Sorts the edges by
/// their west end and compares those that overlap: fast on real rings, quadratic at worst (10,000
/// edges: about a second).
pub(super) fn find(edges: &[Line]) -> Option<Crossing> {
    let west = |line: &Line| line.start.x.min(line.end.x);
    let east = |line: &Line| line.start.x.max(line.end.x);
    let low = |line: &Line| line.start.y.min(line.end.y);
    let high = |line: &Line| line.start.y.max(line.end.y);
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by(|a, b| west(&edges[*a]).total_cmp(&west(&edges[*b])));
    for (place, one) in order.iter().enumerate() {
        let edge = &edges[*one];
        for two in &order[place + 1..] {
            let other = &edges[*two];
            if west(other) > east(edge) {
                break;
            }
            if low(other) > high(edge) || high(other) < low(edge) {
                continue;
            }
            if let Some(at) = shared(*edge, *other) {
                let (first, second) = (*one.min(two), *one.max(two));
                return Some(Crossing { first, second, at });
            }
        }
    }
    None
}

fn shared(edge: Line, other: Line) -> Option<Coord> {
    match line_intersection(edge, other)? {
        LineIntersection::SinglePoint { intersection, is_proper: true } => Some(intersection),
        LineIntersection::SinglePoint { is_proper: false, .. } => None,
        LineIntersection::Collinear { intersection } => {
            (intersection.start != intersection.end).then_some(intersection.start)
        }
    }
}
