//! The blends of one way in: who entered when, by destination, in a ring of rows. See `mix.rs`.
//! A row is one blend; a column is one destination that is present, or was since routes were last
//! chosen.

use super::onward::{Group, LANES, Oldest, Onward, scatter};
use super::shortest::NONE;

/// Most blends of a link; when more are needed, the two smallest neighbours are stirred together.
const ROWS: usize = 8;

/// Numbers before the amounts of a row: their total, and the step in which it was opened. So that
/// all of a blend is found in one place: it is finding that takes time.
const HEAD: usize = 2;

/// The blends of one way in, in a ring of rows. As long as a line of a processor's cache, because
/// each visit waits for that of the way and for those of where it leads.
#[derive(Clone, Debug, Default, PartialEq)]
#[repr(align(64))]
pub(super) struct Queue {
    /// The total of the oldest blend when its amounts were last written: while it drains only its
    /// total changes.
    pub(super) written: f64,
    /// The part of the oldest blend that has a way to go.
    pub(super) routable: f64,
    /// All rows, one behind the other.
    amounts: Box<[f64]>,
    /// Where each column goes on, grouped by movement, each group filled up to whole fours.
    onward: Box<[Onward]>,
    /// When a blend is closed: at so many steps, or at so much in pcu.
    limits: (u32, f32),
    /// Columns of a row: for how many fours there is room, and how many are taken. The others hold
    /// nothing.
    fours: u8,
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
    /// An empty one, whose blends are closed at so many steps or at so much in pcu.
    pub(super) fn new(limits: (u32, f32)) -> Queue {
        Queue { limits, ..Queue::default() }
    }

    /// An empty one that closes its blends as this one does.
    pub(super) fn emptied(&self) -> Queue {
        Queue::new(self.limits)
    }

    pub(super) fn row(&self, number: u8) -> u8 {
        // While there are none, all are the first.
        (self.head + number) & self.rows.saturating_sub(1)
    }

    fn width(&self) -> usize {
        usize::from(self.fours) * LANES
    }

    fn start(&self, row: u8) -> usize {
        usize::from(row) * (self.width() + HEAD)
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

    /// Adds to the total of the youngest blend, whose amounts have grown by as much.
    pub(super) fn grow(&mut self, sum: f64) {
        let row = self.row(self.length - 1);
        self.set_total(row, self.total(row) + sum);
        if self.length == 1 {
            self.written += sum;
            self.fresh = false;
        }
    }

    /// Takes a part of those who have a way to go from the oldest blend of an origin; the others
    /// stay.
    pub(super) fn take(&mut self, oldest: &Oldest, part: f64, flow: f64) {
        let cells = self.cells(self.head);
        let amounts = &mut self.amounts[cells];
        if self.straight {
            for amount in amounts {
                *amount = (*amount - *amount * part).max(0.0);
            }
        } else {
            for (onward, taken) in self.onward.iter().zip(&oldest.parts) {
                let amount = &mut amounts[usize::from(onward.here)];
                *amount = (*amount - taken * part).max(0.0);
            }
        }
        self.written = (self.written - flow).max(0.0);
        self.set_total(self.head, self.written);
        self.fresh = false;
    }

    /// Sums up the oldest blend by movement.
    pub(super) fn weigh(&mut self, groups: &mut [Group], oldest: &mut Oldest) {
        self.fresh = true;
        let mut begin = 0;
        if self.straight {
            for group in groups {
                group.sum = if group.end > begin { self.written } else { 0.0 };
                begin = group.end;
            }
            self.routable = 1.0;
            return;
        }
        let amounts = &self.amounts[self.cells(self.head)];
        let all = oldest.weigh(amounts, &self.onward, groups);
        self.routable = all / self.written;
    }

    /// Adds a part of what goes on by a movement to the youngest blend of another way.
    pub(super) fn pour_on(
        &self,
        span: std::ops::Range<usize>,
        part: f64,
        oldest: &Oldest,
        to: &mut Queue,
    ) {
        let from = if self.straight {
            &self.amounts[self.cells(self.head)]
        } else {
            &oldest.parts[span.clone()]
        };
        let cells = to.cells(to.row(to.length - 1));
        scatter(&self.onward[span], from, part, &mut to.amounts[cells]);
    }

    /// The same, where the other way is this one.
    pub(super) fn pour_back(&mut self, span: std::ops::Range<usize>, part: f64, oldest: &Oldest) {
        let cells = self.cells(self.row(self.length - 1));
        let from = &oldest.parts[span.clone()];
        scatter(&self.onward[span], from, part, &mut self.amounts[cells]);
    }

    /// Says where each column goes on, in groups that [`fill_up`] has filled up.
    pub(super) fn guide(&mut self, onward: &[Onward], straight: bool) {
        if self.onward.len() == onward.len() {
            self.onward.copy_from_slice(onward);
        } else {
            self.onward = onward.into();
        }
        (self.straight, self.guided, self.fresh) = (straight, true, false);
    }

    /// Drops the columns that are empty.
    pub(super) fn forget(&mut self, present: &mut Vec<u8>, columns: &mut [u8]) {
        (self.guided, self.straight, self.fresh) = (false, false, false);
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
    pub(super) fn open(&mut self, step: u64) {
        if self.length > 0 {
            let tail = self.start(self.row(self.length - 1));
            let (total, opened) = (self.amounts[tail], self.amounts[tail + 1]);
            let (age, size) = self.limits;
            let old = total >= f64::from(size) || step as f64 - opened >= f64::from(age);
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
        if self.written.to_bits() == total.to_bits() {
            1.0
        } else if self.written > 0.0 {
            total / self.written
        } else {
            0.0
        }
    }

    /// Stirs what is left of the oldest blend into the next.
    pub(super) fn advance(&mut self) {
        let next = self.row(1);
        self.pour(self.head, next, self.remaining());
        (self.written, self.fresh) = (self.total(next), false);
        self.head = next;
        self.length -= 1;
    }

    /// Makes room for one more blend: more rows, or the two smallest neighbours stirred together.
    fn make_room(&mut self) {
        if usize::from(self.rows) < ROWS {
            return self.lay_out((self.rows * 2).max(2), self.fours);
        }
        self.settle();
        let both = |number: &u8| self.total(self.row(*number)) + self.total(self.row(number + 1));
        let pair = (0..self.length - 1).min_by(|a, b| both(a).total_cmp(&both(b)));
        let pair = pair.expect("there are more rows than one");
        self.pour(self.row(pair), self.row(pair + 1), 1.0);
        for number in (1..=pair).rev() {
            let (from, to) = (self.start(self.row(number - 1)), self.start(self.row(number)));
            self.amounts.copy_within(from..from + HEAD + self.width(), to);
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
    fn lay_out(&mut self, rows: u8, fours: u8) {
        let length = usize::from(fours) * LANES + HEAD;
        let mut amounts = vec![0.0; usize::from(rows) * length];
        for (number, to) in (0..self.length).zip(amounts.chunks_exact_mut(length)) {
            let from = self.start(self.row(number));
            let used = HEAD + usize::from(self.columns).next_multiple_of(LANES);
            to[..used].copy_from_slice(&self.amounts[from..from + used]);
        }
        (self.amounts, self.rows, self.fours, self.head) = (amounts.into(), rows, fours, 0);
    }

    /// A new column, of at most so many.
    pub(super) fn column(&mut self, most: usize) -> u8 {
        let taken = usize::from(self.columns);
        if taken == self.width() {
            let most = small(most.div_ceil(LANES));
            self.lay_out(self.rows.max(1), (self.fours * 2).clamp(1, most));
        }
        if taken.is_multiple_of(LANES) {
            for row in 0..self.rows {
                let cell = self.start(row) + HEAD + taken;
                self.amounts[cell..cell + LANES].fill(0.0);
            }
        }
        (self.fresh, self.guided, self.straight) = (false, false, false);
        self.columns += 1;
        self.columns - 1
    }
}

fn small(column: usize) -> u8 {
    u8::try_from(column).expect("at most 254 destinations")
}
