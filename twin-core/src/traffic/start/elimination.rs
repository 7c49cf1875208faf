//! Elimination of the unknowns of a symmetric matrix as sparse as a street network, one after the
//! other, those with the fewest neighbours first (minimum degree; Tinney & Walker 1967): ends of
//! streets and chains cost nothing, and what is left in the middle of a city is small. The factors
//! are `L·D·Lᵀ`, found row by row (Davis 2005, ACM TOMS 31:587, algorithm 849).
//!
//! What must not live here: what the numbers mean, and where they come from.

/// "None" where an unknown is expected.
const NONE: u32 = u32::MAX;

/// An order of elimination, and where the factors have entries: the same for all matrices of the
/// same shape.
#[derive(Debug)]
pub(super) struct Elimination {
    /// By unknown: its turn.
    turn: Vec<u32>,
    /// By turn: where its springs to earlier turns begin in the list below; one more at the end.
    start: Vec<u32>,
    /// Earlier turn, and which spring.
    earlier: Vec<(u32, u32)>,
    /// Rows of L, one behind the other: the turns of their entries, each before those it changes.
    rows: Vec<u32>,
    /// By turn: where its row begins; one more at the end.
    row: Vec<usize>,
    /// Columns of L, one behind the other: the turns of their entries.
    columns: Vec<u32>,
    /// By turn: where its column begins; one more at the end.
    column: Vec<usize>,
}

/// The factors of one matrix, and room for the next.
#[derive(Debug, Default)]
pub(super) struct Factors {
    /// By entry of L, column by column.
    lower: Vec<f64>,
    /// By turn: one over D.
    inverse: Vec<f64>,
    value: Vec<f64>,
    filled: Vec<usize>,
}

impl Elimination {
    /// Of a matrix with entries on the diagonal and at the springs, each between two different
    /// unknowns.
    pub(super) fn of(unknowns: usize, springs: &[(u32, u32)]) -> Elimination {
        let turn = turns(unknowns, springs);
        let ends = springs.iter().map(|(a, b)| {
            let (a, b) = (turn[*a as usize], turn[*b as usize]);
            (a.min(b), a.max(b))
        });
        let mut start = vec![0_u32; unknowns + 1];
        for (_, later) in ends.clone() {
            start[later as usize + 1] += 1;
        }
        for at in 1..start.len() {
            start[at] += start[at - 1];
        }
        let mut next = start.clone();
        let mut earlier = vec![(NONE, NONE); springs.len()];
        for ((one, later), spring) in ends.zip(0_u32..) {
            let place = &mut next[later as usize];
            earlier[*place as usize] = (one, spring);
            *place += 1;
        }
        let (rows, row) = rows(&start, &earlier);
        let mut column = vec![0; unknowns + 1];
        for turn in &rows {
            column[*turn as usize + 1] += 1;
        }
        for at in 1..column.len() {
            column[at] += column[at - 1];
        }
        let mut next = column.clone();
        let mut columns = vec![NONE; rows.len()];
        for (at, number) in (0..unknowns).zip(0_u32..) {
            for turn in &rows[row[at]..row[at + 1]] {
                let place = &mut next[*turn as usize];
                columns[*place] = number;
                *place += 1;
            }
        }
        Elimination { turn, start, earlier, rows, row, columns, column }
    }

    /// The factors of the matrix with this diagonal, and minus these weights at the springs; it
    /// must be positive definite.
    pub(super) fn factor(&self, diagonal: &[f64], weights: &[f64], factors: &mut Factors) {
        let unknowns = self.turn.len();
        let Factors { lower, inverse, value, filled } = factors;
        lower.resize(self.columns.len(), 0.0);
        inverse.resize(unknowns, 0.0);
        value.clear();
        value.resize(unknowns, 0.0);
        filled.clear();
        filled.extend_from_slice(&self.column[..unknowns]);
        for (unknown, turn) in self.turn.iter().enumerate() {
            inverse[*turn as usize] = diagonal[unknown];
        }
        for row in 0..unknowns {
            let own = self.start[row] as usize..self.start[row + 1] as usize;
            for (turn, spring) in &self.earlier[own] {
                value[*turn as usize] -= weights[*spring as usize];
            }
            let mut pivot = inverse[row];
            for turn in &self.rows[self.row[row]..self.row[row + 1]] {
                let turn = *turn as usize;
                let entry = std::mem::take(&mut value[turn]);
                let column = self.column[turn]..filled[turn];
                for (later, lower) in self.columns[column.clone()].iter().zip(&lower[column]) {
                    value[*later as usize] -= lower * entry;
                }
                let scaled = entry * inverse[turn];
                pivot -= scaled * entry;
                lower[filled[turn]] = scaled;
                filled[turn] += 1;
            }
            // Rounding may leave nothing of what hangs on others alone.
            inverse[row] = 1.0 / pivot.max(f64::EPSILON * inverse[row]);
        }
    }

    /// A column of the factors: turns and values.
    fn column<'a>(&'a self, factors: &'a Factors, at: usize) -> impl Iterator<Item = (u32, f64)> {
        let range = self.column[at]..self.column[at + 1];
        self.columns[range.clone()].iter().copied().zip(factors.lower[range].iter().copied())
    }

    /// Solves with the factors: from the right side, by unknown, to the solution.
    pub(super) fn solve(&self, factors: &Factors, right: &[f64], solution: &mut [f64]) {
        let mut turned = vec![0.0; right.len()];
        for (right, turn) in right.iter().zip(&self.turn) {
            turned[*turn as usize] = *right;
        }
        for at in 0..turned.len() {
            let value = turned[at];
            for (later, lower) in self.column(factors, at) {
                turned[later as usize] -= lower * value;
            }
        }
        for at in (0..turned.len()).rev() {
            let mut value = turned[at] * factors.inverse[at];
            for (later, lower) in self.column(factors, at) {
                value -= lower * turned[later as usize];
            }
            turned[at] = value;
        }
        for (solution, turn) in solution.iter_mut().zip(&self.turn) {
            *solution = turned[*turn as usize];
        }
    }
}

/// The rows of L, and where each begins: a row reaches what its entries in the matrix reach in the
/// tree of elimination, where the parent of a turn is the first that its elimination changes.
fn rows(start: &[u32], earlier: &[(u32, u32)]) -> (Vec<u32>, Vec<usize>) {
    let unknowns = start.len() - 1;
    let (mut parent, mut seen) = (vec![NONE; unknowns], vec![NONE; unknowns]);
    let (mut rows, mut row, mut path) = (Vec::new(), vec![0], Vec::new());
    for (at, number) in (0..unknowns).zip(0_u32..) {
        seen[at] = number;
        let begin = rows.len();
        for (turn, _) in &earlier[start[at] as usize..start[at + 1] as usize] {
            let mut turn = *turn;
            path.clear();
            while seen[turn as usize] != number {
                if parent[turn as usize] == NONE {
                    parent[turn as usize] = number;
                }
                seen[turn as usize] = number;
                path.push(turn);
                turn = parent[turn as usize];
            }
            rows.extend(path.iter().rev());
        }
        // Paths that were found later lead into earlier ones.
        rows[begin..].reverse();
        row.push(rows.len());
    }
    (rows, row)
}

/// By unknown: its turn, fewest neighbours first.
fn turns(unknowns: usize, springs: &[(u32, u32)]) -> Vec<u32> {
    let mut neighbours = neighbours(unknowns, springs);
    // By number of neighbours, unknowns that had so many once; those that still have are next.
    let mut waiting: Vec<Vec<u32>> = Vec::new();
    let wait = |waiting: &mut Vec<Vec<u32>>, count: usize, unknown: u32| {
        if waiting.len() <= count {
            waiting.resize_with(count + 1, Vec::new);
        }
        waiting[count].push(unknown);
    };
    for (list, unknown) in neighbours.iter().zip(0_u32..) {
        wait(&mut waiting, list.len(), unknown);
    }
    let mut turn = vec![NONE; unknowns];
    let mut seen = vec![NONE; unknowns];
    let (mut next, mut fewest) = (0_u32, 0);
    while let Some(list) = waiting.get_mut(fewest) {
        let Some(unknown) = list.pop() else {
            fewest += 1;
            continue;
        };
        if turn[unknown as usize] != NONE || neighbours[unknown as usize].len() != fewest {
            continue;
        }
        turn[unknown as usize] = next;
        next += 1;
        let around = std::mem::take(&mut neighbours[unknown as usize]);
        for &one in &around {
            let list = &mut neighbours[one as usize];
            list.retain(|other| *other != unknown);
            seen[one as usize] = one;
            for other in list.iter() {
                seen[*other as usize] = one;
            }
            list.extend(around.iter().filter(|other| seen[**other as usize] != one));
            wait(&mut waiting, list.len(), one);
        }
        fewest = fewest.saturating_sub(1);
    }
    turn
}

/// By unknown: whom it has springs to, each once.
fn neighbours(unknowns: usize, springs: &[(u32, u32)]) -> Vec<Vec<u32>> {
    let mut neighbours: Vec<Vec<u32>> = vec![Vec::new(); unknowns];
    for (a, b) in springs {
        neighbours[*a as usize].push(*b);
        neighbours[*b as usize].push(*a);
    }
    for list in &mut neighbours {
        list.sort_unstable();
        list.dedup();
    }
    neighbours
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_solution_solves(
            unknowns in 1..30_usize,
            picked in prop::collection::vec((0..30_u32, 0..30_u32, 0.0..9.0_f64), 0..80),
            slack in prop::sample::select(vec![1e-6, 0.1, 5.0]),
        ) {
            let count = u32::try_from(unknowns).unwrap();
            let all = picked.iter().map(|(a, b, weight)| (a % count, b % count, *weight));
            let springs: Vec<(u32, u32, f64)> = all.filter(|(a, b, _)| a != b).collect();
            let ends: Vec<(u32, u32)> = springs.iter().map(|(a, b, _)| (*a, *b)).collect();
            let weights: Vec<f64> = springs.iter().map(|one| one.2).collect();
            let mut diagonal = vec![slack; unknowns];
            for (a, b, weight) in &springs {
                diagonal[*a as usize] += weight;
                diagonal[*b as usize] += weight;
            }
            let elimination = Elimination::of(unknowns, &ends);
            let mut turns = elimination.turn.clone();
            turns.sort_unstable();
            prop_assert!(turns.iter().copied().eq(0..count));
            let right: Vec<f64> = (0..unknowns).map(|at| (at as f64).sin()).collect();
            let (mut factors, mut solution) = (Factors::default(), vec![0.0; unknowns]);
            // Room that another matrix has used is as good as new.
            elimination.factor(&vec![1e9; unknowns], &weights, &mut factors);
            elimination.factor(&diagonal, &weights, &mut factors);
            elimination.solve(&factors, &right, &mut solution);
            let mut left: Vec<f64> = solution.iter().zip(&diagonal).map(|(x, d)| x * d).collect();
            for (a, b, weight) in &springs {
                left[*a as usize] -= weight * solution[*b as usize];
                left[*b as usize] -= weight * solution[*a as usize];
            }
            let scale = solution.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            for (left, right) in left.iter().zip(&right) {
                prop_assert!((left - right).abs() < 1e-11 * scale, "{left} {right}");
            }
        }
    }

    #[test]
    fn a_chain_and_a_tree_fill_nothing() {
        for springs in [vec![(0, 1), (1, 2), (2, 3), (3, 4)], vec![(0, 1), (0, 2), (0, 3), (3, 4)]]
        {
            assert_eq!(Elimination::of(5, &springs).columns.len(), 4);
        }
    }
}
