//! The blends of one way in: who entered when, by destination, in a ring of rows. See `mix.rs`.
//! A row is one blend; a column is one destination that is present, or was since routes were last
//! chosen.

use super::routes::NONE;

/// Most blends of a link; when more are needed, the two smallest neighbours are stirred together.
const ROWS: usize = 8;

/// The blends of one way in, in a ring of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    /// Destination of each column.
    pub(super) present: Vec<u8>,
    /// Columns of a row in `amounts`.
    pub(super) width: usize,
    pub(super) amounts: Vec<f64>,
    pub(super) totals: [f64; ROWS],
    opened: [u64; ROWS],
    pub(super) head: usize,
    pub(super) length: usize,
    /// The total of the oldest blend when its amounts were last written: while it drains only its
    /// total changes.
    pub(super) written: f64,
    /// Whether `sums` and `routable` are those of the oldest blend.
    pub(super) fresh: bool,
    /// Where each column goes on, grouped by movement: column here, column there, part.
    pub(super) onward: Vec<(u8, u8, f32)>,
    /// Per movement, the end of its group.
    pub(super) groups: Vec<u16>,
    /// Per movement, the sum of its group in the oldest blend, as it was written.
    pub(super) sums: Vec<f64>,
    /// Whether `onward` is that of the routes and columns of now.
    pub(super) guided: bool,
    /// The part of the oldest blend that has a way to go.
    pub(super) routable: f64,
}

impl Queue {
    pub(super) fn row(&self, number: usize) -> usize {
        (self.head + number) % ROWS
    }

    pub(super) fn cells(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..row * self.width + self.present.len()
    }

    /// Adds to the total of a row whose amounts have grown by as much.
    pub(super) fn grow(&mut self, row: usize, sum: f64) {
        self.totals[row] += sum;
        if row == self.head {
            self.written += sum;
            self.fresh = false;
        }
    }

    /// Takes those who have a way to go from the oldest blend of an origin; the others stay.
    pub(super) fn take(&mut self, onward: &[(u8, u8, f32)], taken: &[f64], flow: f64) {
        let cells = self.cells(self.head);
        let amounts = &mut self.amounts[cells];
        for (here, _, part) in onward {
            let amount = taken[usize::from(*here)] * f64::from(*part);
            let left = (amounts[usize::from(*here)] - amount).max(0.0);
            amounts[usize::from(*here)] = left;
        }
        self.written = (self.written - flow).max(0.0);
        self.totals[self.head] = self.written;
        self.fresh = false;
    }

    /// Sums up the oldest blend by movement.
    pub(super) fn weigh(&mut self) {
        let amounts = &self.amounts[self.cells(self.head)];
        let mut begin = 0;
        self.sums.clear();
        for end in &self.groups {
            self.sums.push(weighted(&self.onward[begin..usize::from(*end)], amounts));
            begin = usize::from(*end);
        }
        self.routable = self.sums.iter().sum::<f64>() / self.written;
        self.fresh = true;
    }

    /// Drops the columns that are empty.
    pub(super) fn forget(&mut self, columns: &mut [u8]) {
        self.onward.clear();
        let rows: Vec<usize> = (0..self.length).map(|number| self.row(number)).collect();
        let mut kept = 0;
        for column in 0..self.present.len() {
            let to = self.present[column];
            if rows.iter().all(|row| self.amounts[row * self.width + column] <= 0.0) {
                columns[usize::from(to)] = NONE;
                continue;
            }
            for row in &rows {
                self.amounts[row * self.width + kept] = self.amounts[row * self.width + column];
            }
            self.present[kept] = to;
            columns[usize::from(to)] = u8::try_from(kept).expect("at most 254 destinations");
            kept += 1;
        }
        self.present.truncate(kept);
    }

    /// Opens a blend, when there is none or the youngest is to be closed.
    pub(super) fn open(&mut self, step: u64, (age, size): (u64, f64)) {
        if self.length > 0 {
            let tail = self.row(self.length - 1);
            let total = self.totals[tail];
            let old = step.saturating_sub(self.opened[tail]) >= age || total >= size;
            if !(old && total > 0.0) {
                if self.length == 1 {
                    self.settle();
                }
                return;
            }
            if self.length == ROWS {
                self.stir();
            }
        }
        let row = self.row(self.length);
        let cells = self.cells(row);
        self.amounts[cells].fill(0.0);
        (self.totals[row], self.opened[row]) = (0.0, step);
        self.length += 1;
        if self.length == 1 {
            (self.written, self.fresh) = (0.0, false);
        }
    }

    /// Writes the amounts of the oldest blend as they are now.
    pub(super) fn settle(&mut self) {
        let total = self.totals[self.head];
        if self.written.to_bits() == total.to_bits() {
            return;
        }
        let part = if self.written > 0.0 { total / self.written } else { 0.0 };
        let cells = self.cells(self.head);
        self.amounts[cells].iter_mut().for_each(|amount| *amount *= part);
        self.written = total;
    }

    /// Stirs what is left of the oldest blend into the next.
    pub(super) fn advance(&mut self) {
        self.settle();
        let next = self.row(1);
        self.pour(self.head, next);
        self.head = next;
        self.length -= 1;
        (self.written, self.fresh) = (self.totals[next], false);
    }

    /// Makes room for one more blend: stirs together the two smallest neighbours.
    fn stir(&mut self) {
        self.settle();
        let both =
            |number: &usize| self.totals[self.row(*number)] + self.totals[self.row(number + 1)];
        let pair = (0..ROWS - 1).min_by(|a, b| both(a).total_cmp(&both(b)));
        let pair = pair.expect("there are more rows than one");
        self.pour(self.row(pair), self.row(pair + 1));
        for number in (1..=pair).rev() {
            let (from, to) = (self.row(number - 1), self.row(number));
            let (cells, start) = (self.cells(from), self.cells(to).start);
            self.amounts.copy_within(cells, start);
            (self.totals[to], self.opened[to]) = (self.totals[from], self.opened[from]);
        }
        self.head = self.row(1);
        self.length -= 1;
        (self.written, self.fresh) = (self.totals[self.head], false);
    }

    fn pour(&mut self, from: usize, to: usize) {
        let (from_cells, to_cells) = (self.cells(from), self.cells(to));
        for (from, to) in from_cells.zip(to_cells) {
            self.amounts[to] += self.amounts[from];
        }
        self.totals[to] += self.totals[from];
    }

    /// A new column for a destination.
    pub(super) fn column(&mut self, destination: usize, destinations: usize) -> u8 {
        if self.present.len() == self.width {
            let width = (self.width * 2).clamp(4, destinations.max(4));
            let mut amounts = vec![0.0; ROWS * width];
            for row in 0..ROWS {
                let cells = self.cells(row);
                amounts[row * width..row * width + cells.len()]
                    .copy_from_slice(&self.amounts[cells]);
            }
            (self.width, self.amounts) = (width, amounts);
        }
        for row in 0..ROWS {
            self.amounts[row * self.width + self.present.len()] = 0.0;
        }
        (self.fresh, self.guided) = (false, false);
        self.present.push(u8::try_from(destination).expect("at most 254 destinations"));
        u8::try_from(self.present.len() - 1).expect("at most 254 destinations")
    }
}

/// The sum of a group; in four lanes, because an addition waits for the one before.
fn weighted(group: &[(u8, u8, f32)], amounts: &[f64]) -> f64 {
    let one = |(here, _, part): &(u8, u8, f32)| amounts[usize::from(*here)] * f64::from(*part);
    let (mut lanes, chunks) = ([0.0; 4], group.chunks_exact(4));
    let rest: f64 = chunks.remainder().iter().map(one).sum();
    for chunk in chunks {
        for (lane, item) in lanes.iter_mut().zip(chunk) {
            *lane += one(item);
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}
