//! The street pattern before it is laid on the ground: a quadtree of blocks, small where the city
//! is dense. Corners of blocks are nodes, sides of blocks are streets, cut at every node that
//! lies on them. So the pattern is connected by construction.

use std::collections::{BTreeMap, BTreeSet};

/// Side of the whole square in lattice steps.
pub(super) const SIZE: u32 = 512;

/// A node: steps east and north of the square's corner.
pub(super) type Knot = (u32, u32);

/// Corners and the sides between them (smaller first), each in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Lattice {
    /// Corners of blocks.
    pub(super) knots: BTreeSet<Knot>,
    /// Streets.
    pub(super) sides: BTreeSet<(Knot, Knot)>,
}

/// Grows the pattern. `wanted` says how long a block's side may be, in steps, around a point.
pub(super) fn grow(wanted: &impl Fn(f64, f64) -> f64) -> Lattice {
    let mut blocks = Vec::new();
    split((0, 0), SIZE, wanted, &mut blocks);
    let mut lattice = Lattice::default();
    let mut rows: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut columns: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for ((x, y), size) in &blocks {
        for knot in [(*x, *y), (x + size, *y), (*x, y + size), (x + size, y + size)] {
            lattice.knots.insert(knot);
            rows.entry(knot.1).or_default().insert(knot.0);
            columns.entry(knot.0).or_default().insert(knot.1);
        }
    }
    for ((x, y), size) in &blocks {
        for row in [*y, y + size] {
            let stops: Vec<u32> = rows[&row].range(*x..=x + size).copied().collect();
            let sides = stops.windows(2).map(|pair| ((pair[0], row), (pair[1], row)));
            lattice.sides.extend(sides);
        }
        for column in [*x, x + size] {
            let stops: Vec<u32> = columns[&column].range(*y..=y + size).copied().collect();
            let sides = stops.windows(2).map(|pair| ((column, pair[0]), (column, pair[1])));
            lattice.sides.extend(sides);
        }
    }
    lattice
}

fn split(
    (x, y): Knot,
    size: u32,
    wanted: &impl Fn(f64, f64) -> f64,
    blocks: &mut Vec<(Knot, u32)>,
) {
    let half = size / 2;
    let middle = (f64::from(x) + f64::from(half), f64::from(y) + f64::from(half));
    if half == 0 || f64::from(size) <= wanted(middle.0, middle.1) {
        blocks.push(((x, y), size));
        return;
    }
    for corner in [(x, y), (x + half, y), (x, y + half), (x + half, y + half)] {
        split(corner, half, wanted, blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_join_neighbours_only_and_touch_every_knot() {
        let lattice = grow(&|x, y| (x - 256.0).hypot(y - 256.0).max(4.0) / 2.0);
        assert!(lattice.knots.len() > 200, "{}", lattice.knots.len());
        let mut touched = BTreeSet::new();
        for (from, to) in &lattice.sides {
            touched.extend([*from, *to]);
            let between = lattice.knots.iter().any(|k| {
                (from.0 == to.0 && k.0 == from.0 && from.1 < k.1 && k.1 < to.1)
                    || (from.1 == to.1 && k.1 == from.1 && from.0 < k.0 && k.0 < to.0)
            });
            assert!(!between, "a knot between {from:?} and {to:?}");
        }
        assert_eq!(touched, lattice.knots);
    }
}
