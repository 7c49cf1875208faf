//! The blends of one way in: who entered when, by destination, in a ring of rows. See `mix.rs`.
//! A row is one blend; a column is one destination that is present, or was since routes were last
//! chosen.

use super::routes::NONE;

/// Most blends of a link; when more are needed, the two smallest neighbours are stirred together.
const ROWS: usize = 8;

/// Numbers before the amounts of a row: their total, and the step in which it was opened. So that
/// all of a blend is found in one place: it is finding that takes time.
const HEAD: usize = 2;

/// Columns that are worked on at once: a row has room for whole fours.
const LANES: usize = 4;

/// The amounts of one row, by column: any column is in it.
pub(super) type Blend = [f64; 256];

/// Those who go on by one movement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// Where it ends among all that go on.
    pub(super) end: u32,
    /// What is in it of the oldest blend, as it was written.
    pub(super) sum: f64,
}

/// Where a part of a column goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Onward {
    /// Column here.
    pub(super) here: u8,
    /// Column there, or [`NONE`].
    pub(super) there: u8,
    pub(super) part: f32,
}

/// The blends of one way in, in a ring of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    /// The total of the oldest blend when its amounts were last written: while it drains only its
    /// total changes.
    pub(super) written: f64,
    /// The part of the oldest blend that has a way to go.
    pub(super) routable: f64,
    /// All rows, one behind the other.
    amounts: Vec<f64>,
    /// Where each column goes on, grouped by movement.
    pub(super) onward: Vec<Onward>,
    /// Columns of a row: as many as there is room for, and how many are taken. The others hold
    /// nothing.
    width: u16,
    columns: u8,
    /// Rows there are: as many as were ever needed, a power of two.
    rows: u8,
    pub(super) head: u8,
    pub(super) length: u8,
    /// Whether sums and `routable` are those of the oldest blend.
    pub(super) fresh: bool,
    /// Whether `onward` is that of the routes and columns of now.
    pub(super) guided: bool,
    /// Whether all go on by one movement, and `onward` lists the columns in their order.
    pub(super) straight: bool,
}

impl Queue {
    pub(super) fn row(&self, number: u8) -> u8 {
        // While there are none, all are the first.
        (self.head + number) & self.rows.saturating_sub(1)
    }

    fn start(&self, row: u8) -> usize {
        usize::from(row) * (usize::from(self.width) + HEAD)
    }

    /// The taken columns of a row, and those up to the next four.
    fn cells(&self, row: u8) -> std::ops::Range<usize> {
        let start = self.start(row) + HEAD;
        start..start + usize::from(self.columns).next_multiple_of(LANES)
    }

    /// The amounts of a row.
    pub(super) fn row_mut(&mut self, row: u8) -> &mut [f64] {
        let cells = self.cells(row);
        &mut self.amounts[cells]
    }

    /// Copies a part of the amounts of the oldest blend.
    pub(super) fn copy(&self, part: f64, blend: &mut Blend) {
        let from = self.amounts[self.cells(self.head)].as_chunks::<LANES>().0;
        for (to, from) in blend.as_chunks_mut::<LANES>().0.iter_mut().zip(from) {
            *to = from.map(|amount| amount * part);
        }
    }

    /// How many are in a row, in pcu.
    pub(super) fn total(&self, row: u8) -> f64 {
        self.amounts[self.start(row)]
    }

    pub(super) fn set_total(&mut self, row: u8, total: f64) {
        let start = self.start(row);
        self.amounts[start] = total;
    }

    /// How many are in the oldest blend.
    pub(super) fn first(&self) -> f64 {
        self.total(self.head)
    }

    /// Adds to the total of a row whose amounts have grown by as much.
    pub(super) fn grow(&mut self, row: u8, sum: f64) {
        self.set_total(row, self.total(row) + sum);
        if row == self.head {
            self.written += sum;
            self.fresh = false;
        }
    }

    /// Takes those who have a way to go from the oldest blend of an origin; the others stay.
    pub(super) fn take(&mut self, taken: &Blend, flow: f64) {
        let cells = self.cells(self.head);
        let amounts = &mut self.amounts[cells];
        for Onward { here, part, .. } in &self.onward {
            let amount = taken[usize::from(*here)] * f64::from(*part);
            let left = (amounts[usize::from(*here)] - amount).max(0.0);
            amounts[usize::from(*here)] = left;
        }
        self.written = (self.written - flow).max(0.0);
        self.set_total(self.head, self.written);
        self.fresh = false;
    }

    /// Sums up the oldest blend by movement.
    pub(super) fn weigh(&mut self, groups: &mut [Group], blend: &mut Blend) {
        let mut all = 0.0;
        if self.straight {
            let start = self.start(self.head) + HEAD;
            let sum = summed(&self.amounts[start..start + usize::from(self.columns)]);
            for group in groups {
                group.sum = if group.end == 0 || all > 0.0 { 0.0 } else { sum };
                all += group.sum;
            }
        } else {
            self.copy(1.0, blend);
            let mut begin = 0;
            for group in groups {
                let end = group.end as usize;
                group.sum = weighted(&self.onward[begin..end], blend);
                all += group.sum;
                begin = end;
            }
        }
        self.routable = all / self.written;
        self.fresh = true;
    }

    /// Drops the columns that are empty.
    pub(super) fn forget(&mut self, present: &mut Vec<u8>, columns: &mut [u8]) {
        self.onward.clear();
        self.straight = false;
        let mut kept = 0;
        for column in 0..present.len() {
            let to = present[column];
            let cell = |number: u8| self.start(self.row(number)) + HEAD;
            if (0..self.length).all(|number| self.amounts[cell(number) + column] <= 0.0) {
                columns[usize::from(to)] = NONE;
                continue;
            }
            for number in 0..self.length {
                let start = self.start(self.row(number)) + HEAD;
                self.amounts[start + kept] = self.amounts[start + column];
            }
            present[kept] = to;
            columns[usize::from(to)] = small(kept);
            kept += 1;
        }
        for number in 0..self.length {
            let start = self.start(self.row(number)) + HEAD;
            self.amounts[start + kept..start + present.len()].fill(0.0);
        }
        present.truncate(kept);
        self.columns = small(kept);
    }

    /// Opens a blend, when there is none or the youngest is to be closed.
    pub(super) fn open(&mut self, step: u64, (age, size): (u64, f64)) {
        if self.length > 0 {
            let tail = self.start(self.row(self.length - 1));
            let (total, opened) = (self.amounts[tail], self.amounts[tail + 1]);
            let old = total >= size || step as f64 - opened >= age as f64;
            if !(old && total > 0.0) {
                if self.length == 1 {
                    self.settle();
                }
                return;
            }
        }
        if self.length == self.rows {
            self.make_room();
        }
        let row = self.row(self.length);
        let cells = self.cells(row);
        self.amounts[cells].fill(0.0);
        let start = self.start(row);
        (self.amounts[start], self.amounts[start + 1]) = (0.0, step as f64);
        self.length += 1;
        if self.length == 1 {
            (self.written, self.fresh) = (0.0, false);
        }
    }

    /// Writes the amounts of the oldest blend as they are now.
    pub(super) fn settle(&mut self) {
        let total = self.first();
        if self.written.to_bits() == total.to_bits() {
            return;
        }
        let part = self.remaining();
        for lanes in self.row_mut(self.head).as_chunks_mut::<LANES>().0 {
            *lanes = lanes.map(|amount| amount * part);
        }
        self.written = total;
    }

    /// What is left of the oldest blend since it was written, as a part.
    fn remaining(&self) -> f64 {
        let total = self.first();
        match self.written.to_bits() == total.to_bits() {
            true => 1.0,
            false if self.written > 0.0 => total / self.written,
            false => 0.0,
        }
    }

    /// Stirs what is left of the oldest blend into the next.
    pub(super) fn advance(&mut self) {
        let next = self.row(1);
        self.pour(self.head, next, self.remaining());
        self.head = next;
        self.length -= 1;
        (self.written, self.fresh) = (self.total(next), false);
    }

    /// Makes room for one more blend: more rows, or the two smallest neighbours stirred together.
    fn make_room(&mut self) {
        if usize::from(self.rows) < ROWS {
            return self.lay_out((self.rows * 2).max(2), self.width);
        }
        self.settle();
        let both = |number: &u8| self.total(self.row(*number)) + self.total(self.row(number + 1));
        let pair = (0..self.length - 1).min_by(|a, b| both(a).total_cmp(&both(b)));
        let pair = pair.expect("there are more rows than one");
        self.pour(self.row(pair), self.row(pair + 1), 1.0);
        for number in (1..=pair).rev() {
            let (from, to) = (self.start(self.row(number - 1)), self.start(self.row(number)));
            self.amounts.copy_within(from..from + HEAD + usize::from(self.width), to);
        }
        self.head = self.row(1);
        self.length -= 1;
        (self.written, self.fresh) = (self.first(), false);
    }

    /// Adds a part of the amounts of one row, and its total, to another.
    fn pour(&mut self, from: u8, to: u8, part: f64) {
        let total = self.total(to) + self.total(from);
        let cells = [self.cells(from), self.cells(to)];
        let [from, into] = self.amounts.get_disjoint_mut(cells).expect("two rows of the table");
        let from = from.as_chunks::<LANES>().0.iter();
        for (into, from) in into.as_chunks_mut::<LANES>().0.iter_mut().zip(from) {
            for (into, from) in into.iter_mut().zip(from) {
                *into += from * part;
            }
        }
        self.set_total(to, total);
    }

    /// Makes a table of other rows and columns, the oldest row first.
    fn lay_out(&mut self, rows: u8, width: u16) {
        let length = usize::from(width) + HEAD;
        let mut amounts = vec![0.0; usize::from(rows) * length];
        for (number, to) in (0..self.length).zip(amounts.chunks_exact_mut(length)) {
            let from = self.start(self.row(number));
            let used = HEAD + usize::from(self.columns).next_multiple_of(LANES);
            to[..used].copy_from_slice(&self.amounts[from..from + used]);
        }
        (self.amounts, self.rows, self.width, self.head) = (amounts, rows, width, 0);
    }

    /// A new column, of at most so many.
    pub(super) fn column(&mut self, most: usize) -> u8 {
        let taken = usize::from(self.columns);
        if taken == usize::from(self.width) {
            let most = u16::try_from(most.next_multiple_of(LANES)).expect("at most 256");
            self.lay_out(self.rows.max(1), (self.width * 2).clamp(4, most));
        }
        if taken.is_multiple_of(LANES) {
            for row in 0..self.rows {
                let cell = self.start(row) + HEAD + taken;
                self.amounts[cell..cell + LANES].fill(0.0);
            }
        }
        (self.fresh, self.guided) = (false, false);
        self.columns += 1;
        self.columns - 1
    }
}

/// The sum of a group; in four lanes, because an addition waits for the one before.
fn weighted(group: &[Onward], amounts: &Blend) -> f64 {
    let one = |onward: &Onward| amounts[usize::from(onward.here)] * f64::from(onward.part);
    let (chunks, rest) = group.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, item) in lanes.iter_mut().zip(chunk) {
            *lane += one(item);
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest.iter().map(one).sum::<f64>()
}

/// The same of all columns, when all of each goes on.
fn summed(amounts: &[f64]) -> f64 {
    let (chunks, rest) = amounts.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, amount) in lanes.iter_mut().zip(chunk) {
            *lane += amount;
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest.iter().sum::<f64>()
}

fn small(column: usize) -> u8 {
    u8::try_from(column).expect("at most 254 destinations")
}
