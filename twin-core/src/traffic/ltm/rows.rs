//! Tables of rows of unequal length, flat in memory.

/// Rows of unequal length, one behind the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows<T> {
    first: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy> Rows<T> {
    /// From (row, item) pairs; the items of a row keep their order.
    pub(super) fn new(rows: usize, pairs: &[(u32, T)]) -> Rows<T> {
        let mut first = vec![0_u32; rows + 1];
        for (row, _) in pairs {
            first[*row as usize + 1] += 1;
        }
        for row in 0..rows {
            first[row + 1] += first[row];
        }
        let mut order: Vec<&(u32, T)> = pairs.iter().collect();
        order.sort_by_key(|(row, _)| *row);
        Rows { first, items: order.into_iter().map(|(_, item)| *item).collect() }
    }

    /// One row.
    pub(super) fn row(&self, row: usize) -> &[T] {
        &self.items[self.span(row)]
    }

    /// Where a row lies among all items.
    pub(super) fn span(&self, row: usize) -> std::ops::Range<usize> {
        self.first[row] as usize..self.first[row + 1] as usize
    }

    /// Items of all rows.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.first.len() - 1
    }

    /// Items of the longest row.
    pub(super) fn longest(&self) -> usize {
        self.first.windows(2).map(|pair| (pair[1] - pair[0]) as usize).max().unwrap_or(0)
    }
}
