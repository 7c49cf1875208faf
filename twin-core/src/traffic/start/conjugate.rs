//! Conjugate gradients (Hestenes & Stiefel 1952) for the Laplacian of a street network: as sparse as
//! the network, one pass over the springs an iteration, nothing dense. Preconditioned by the
//! diagonal.
//!
//! What must not live here: what the numbers mean.

use std::ops::ControlFlow;

use crate::pace::{Pace, walked};

/// Most iterations. A hundred thousand links take a few hundred for four digits with the diagonal;
/// what is found after these is a direction that leads down all the same.
const MOST: usize = 1_000;

/// `diagonal` of [`Laplacian`] where the unknown is held at 0.
pub(super) const HELD: f64 = 0.0;

/// A symmetric positive definite matrix: `Σ w (e_a - e_b)(e_a - e_b)ᵀ` over the springs between a
/// and b, and something more on the diagonal.
#[derive(Debug)]
pub(super) struct Laplacian<'a> {
    /// a and b; none between an unknown and itself.
    pub(super) springs: &'a [(u32, u32)],
    /// By spring: its weight.
    pub(super) weights: &'a [f64],
    /// The whole diagonal, springs included; [`HELD`] for an unknown that stays 0.
    pub(super) diagonal: &'a [f64],
}

impl Laplacian<'_> {
    /// `product = self · vector`; `vector` is 0 wherever it is held.
    fn apply(&self, vector: &[f64], product: &mut [f64]) {
        for ((product, diagonal), value) in product.iter_mut().zip(self.diagonal).zip(vector) {
            *product = diagonal * value;
        }
        for ((a, b), weight) in self.springs.iter().zip(self.weights) {
            let (a, b) = (*a as usize, *b as usize);
            product[a] -= weight * vector[b];
            product[b] -= weight * vector[a];
        }
        for (product, diagonal) in product.iter_mut().zip(self.diagonal) {
            if *diagonal <= HELD {
                *product = 0.0;
            }
        }
    }

    /// The solution of `self · x = right`, 0 wherever it is held, until the residual has dropped to
    /// this share. Breaks off where whoever watches says stop.
    pub(super) fn solve(
        &self,
        right: &[f64],
        tolerance: f64,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Vec<f64>> {
        let mut solution = vec![0.0; right.len()];
        let mut residual = right.to_vec();
        let mut scaled = vec![0.0; right.len()];
        self.scale(&residual, &mut scaled);
        let mut direction = scaled.clone();
        let mut product = vec![0.0; right.len()];
        let mut energy = dot(&residual, &scaled);
        let enough = energy * tolerance * tolerance;
        for _ in 0..MOST {
            if energy <= enough {
                break;
            }
            walked(self.springs.len());
            pace.worked(self.springs.len())?;
            self.apply(&direction, &mut product);
            let step = energy / dot(&direction, &product);
            for at in 0..solution.len() {
                solution[at] += step * direction[at];
                residual[at] -= step * product[at];
            }
            self.scale(&residual, &mut scaled);
            let next = dot(&residual, &scaled);
            let turn = next / energy;
            energy = next;
            for (direction, scaled) in direction.iter_mut().zip(&scaled) {
                *direction = scaled + turn * *direction;
            }
        }
        ControlFlow::Continue(solution)
    }

    /// About the solution for a residual: as if there were no springs.
    fn scale(&self, residual: &[f64], scaled: &mut [f64]) {
        let rows = residual.iter().zip(self.diagonal);
        for (scaled, (r, d)) in scaled.iter_mut().zip(rows) {
            *scaled = if *d > HELD { r / d } else { 0.0 };
        }
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::unwatched;

    #[test]
    fn a_chain_of_springs_is_solved_exactly() {
        // Three unknowns in a row with weights 1 and 2, the first tied to the ground by 1; the last
        // is held: -2 x1 is its pull.
        let matrix = Laplacian {
            springs: &[(0, 1), (1, 2)],
            weights: &[1.0, 2.0],
            diagonal: &[2.0, 3.0, HELD],
        };
        let solution = unwatched(|pace| matrix.solve(&[1.0, 2.0, 99.0], 1e-14, pace));
        for (found, expected) in solution.iter().zip([1.0, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{solution:?}");
        }
    }
}
