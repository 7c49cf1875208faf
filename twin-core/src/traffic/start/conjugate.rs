//! Conjugate gradients (Hestenes & Stiefel 1952) for the Laplacian of a street network: as sparse as
//! the network, one pass over the links an iteration, nothing dense. Preconditioned by the diagonal.
//!
//! What must not live here: what the numbers mean.

/// Most iterations. A hundred thousand links take a few hundred for four digits; what is found after
/// these is a direction that leads down all the same.
const MOST: usize = 1_000;

/// `diagonal` of [`Laplacian`] where the unknown is held at 0.
pub(super) const HELD: f64 = 0.0;

/// A symmetric positive definite matrix: `Σ w (e_a - e_b)(e_a - e_b)ᵀ` over the springs between a
/// and b, and something more on the diagonal.
#[derive(Debug)]
pub(super) struct Laplacian {
    /// a, b and their weight; none between an unknown and itself.
    pub(super) springs: Vec<(u32, u32, f64)>,
    /// The whole diagonal, springs included; [`HELD`] for an unknown that stays 0.
    pub(super) diagonal: Vec<f64>,
}

impl Laplacian {
    /// `product = self · vector`; `vector` is 0 wherever it is held.
    fn apply(&self, vector: &[f64], product: &mut [f64]) {
        for ((product, diagonal), value) in product.iter_mut().zip(&self.diagonal).zip(vector) {
            *product = diagonal * value;
        }
        for (a, b, weight) in &self.springs {
            let (a, b) = (*a as usize, *b as usize);
            product[a] -= weight * vector[b];
            product[b] -= weight * vector[a];
        }
        for (product, diagonal) in product.iter_mut().zip(&self.diagonal) {
            if *diagonal <= HELD {
                *product = 0.0;
            }
        }
    }

    /// The solution of `self · x = right`, 0 wherever it is held, until the residual has dropped to
    /// this share.
    pub(super) fn solve(&self, right: &[f64], tolerance: f64) -> Vec<f64> {
        let scale = |residual: &[f64]| -> Vec<f64> {
            let rows = residual.iter().zip(&self.diagonal);
            rows.map(|(r, d)| if *d > HELD { r / d } else { 0.0 }).collect()
        };
        let mut solution = vec![0.0; right.len()];
        let mut residual = right.to_vec();
        let mut scaled = scale(&residual);
        let mut direction = scaled.clone();
        let mut product = vec![0.0; right.len()];
        let mut energy = dot(&residual, &scaled);
        let enough = energy * tolerance * tolerance;
        for _ in 0..MOST {
            if energy <= enough {
                break;
            }
            self.apply(&direction, &mut product);
            let step = energy / dot(&direction, &product);
            for at in 0..solution.len() {
                solution[at] += step * direction[at];
                residual[at] -= step * product[at];
            }
            scaled = scale(&residual);
            let next = dot(&residual, &scaled);
            let turn = next / energy;
            energy = next;
            for (direction, scaled) in direction.iter_mut().zip(&scaled) {
                *direction = scaled + turn * *direction;
            }
        }
        solution
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_springs_is_solved_exactly() {
        // Three unknowns in a row with weights 1 and 2, the first tied to the ground by 1; the last
        // is held: -2 x1 is its pull.
        let matrix =
            Laplacian { springs: vec![(0, 1, 1.0), (1, 2, 2.0)], diagonal: vec![2.0, 3.0, HELD] };
        let solution = matrix.solve(&[1.0, 2.0, 99.0], 1e-14);
        for (found, expected) in solution.iter().zip([1.0, 1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{solution:?}");
        }
    }
}
