//! Who is on each link, by destination: a queue of blends.
//!
//! The curves say how many leave a link; this says who. Vehicles enter a link into its youngest
//! blend and leave from its oldest, each blend as a well-stirred whole; a blend is closed after a
//! quarter of the link's travel time, or of its storage. So first in is first out between blends,
//! the totals stay exactly those of the curves, and memory is bounded however long a queue stands.
//! What is lost is the order within a blend.
//!
//! Only destinations that are present on a link take room there.

use super::network::Network;
use super::plan::Plan;
use super::routes::{NONE, Routes};
use super::state::State;

/// Most blends of a link; when more are needed, the two smallest neighbours are stirred together.
const ROWS: usize = 8;

/// A blend of less, in pcu, is none: what rounding leaves of one that has gone. Shares of it would
/// overflow.
const TRACE: f64 = 1e-150;

/// Vehicles by destination, everywhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mixing {
    destinations: usize,
    /// Per way in.
    queues: Vec<Queue>,
    /// Per way in and destination, its column in the queue, or [`NONE`].
    columns: Vec<u8>,
    /// Per link, when a blend is closed: ticks, pcu.
    limits: Vec<(u64, f64)>,
    routes: Routes,
    /// The oldest blend of the way that is carried.
    taken: Vec<f64>,
}

/// The blends of one way in, in a ring of rows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queue {
    /// Destination of each column.
    present: Vec<u8>,
    /// Columns of a row in `amounts`.
    width: usize,
    amounts: Vec<f64>,
    totals: [f64; ROWS],
    opened: [u64; ROWS],
    head: usize,
    length: usize,
    /// The total of the oldest blend when its amounts were last written: while it drains only its
    /// total changes.
    written: f64,
    /// Whether the way's shares are those of the oldest blend.
    fresh: bool,
    /// Where each column goes on, grouped by movement: column here, column there, part.
    onward: Vec<(u8, u8, f32)>,
    /// Per movement, the end of its group.
    groups: Vec<u16>,
    /// Whether `onward` is that of the routes and columns of now.
    guided: bool,
    /// The part of the oldest blend that has a way to go.
    routable: f64,
}

impl Mixing {
    /// Empty.
    pub(super) fn new(plan: &Plan) -> Mixing {
        let network = plan.network();
        let destinations = network.destinations().len();
        let tick_s = plan.layout().tick_s;
        let limit = |link: &super::Link| {
            let quarter = link.length_m / link.free_speed_mps / 4.0 / tick_s;
            (super::curve::Lag::new(quarter).whole, link.storage_pcu() / 4.0)
        };
        Mixing {
            destinations,
            queues: vec![Queue::default(); network.ways_in()],
            columns: vec![NONE; network.ways_in() * destinations],
            limits: network.links().iter().map(limit).collect(),
            routes: Routes::new(plan),
            taken: Vec::with_capacity(destinations),
        }
    }

    /// Makes a way ready to take in vehicles at a tick.
    pub(super) fn open(&mut self, way: usize, tick: u64) {
        // Origins keep one blend: their queue has no order. Destinations keep none.
        let Some(queue) = self.queues.get_mut(way) else { return };
        let limit = self.limits.get(way).copied().unwrap_or((u64::MAX, f64::INFINITY));
        queue.open(tick, limit);
    }

    /// Adds the arrivals of some time at rates by destination to an origin that is open.
    pub(super) fn arrive(&mut self, way: usize, rates: &[(u32, f64)], time_s: f64) {
        let columns = &mut self.columns[way * self.destinations..(way + 1) * self.destinations];
        let queue = &mut self.queues[way];
        queue.settle();
        let mut sum = 0.0;
        for (to, rate) in rates {
            let column = &mut columns[*to as usize];
            if *column == NONE {
                *column = queue.column(*to as usize, self.destinations);
            }
            queue.amounts[queue.head * queue.width + usize::from(*column)] += rate * time_s;
            sum += rate * time_s;
        }
        queue.grow(queue.head, sum);
    }

    /// Makes the oldest blend large enough to send so much, and writes its shares of movements.
    /// Gives how much may go: nothing, where somebody in a link has no way to go on; from an
    /// origin, those who have.
    pub(super) fn prepare(
        &mut self,
        network: &Network,
        (way, sending): (usize, f64),
        shares: &mut [f64],
    ) -> f64 {
        let link = way < self.limits.len();
        // Flows are whole grains and amounts are not: they differ by less than this.
        let queue = &mut self.queues[way];
        while queue.length > 1 && queue.totals[queue.head] + 1e-7 < sending {
            queue.advance();
        }
        if queue.length == 0 || queue.written <= TRACE {
            return 0.0;
        }
        if !queue.guided {
            self.guide(network, way);
        }
        let queue = &mut self.queues[way];
        if !queue.fresh {
            queue.share(shares);
        }
        match (link, queue.routable) {
            (_, routable) if routable <= 0.0 => 0.0,
            (true, routable) if routable < 1.0 - 1e-6 => 0.0,
            (true, _) => sending,
            (false, routable) => {
                super::grain::below(sending.min(routable * queue.totals[queue.head])).max(0.0)
            }
        }
    }

    /// Writes where the columns of a way go on.
    fn guide(&mut self, network: &Network, way: usize) {
        let present = std::mem::take(&mut self.queues[way].present);
        let mut onward = std::mem::take(&mut self.queues[way].onward);
        let mut groups = std::mem::take(&mut self.queues[way].groups);
        onward.clear();
        groups.clear();
        for (place, movement) in network.moves(way).enumerate() {
            let out = network.target(movement) as usize;
            for (to, here) in present.iter().zip(0..) {
                let part = self.routes.part(way, (place, movement), *to);
                if part <= 0.0 {
                    continue;
                }
                let mut there = NONE;
                if out == way {
                    there = here;
                } else if out < self.limits.len() {
                    let column = &mut self.columns[out * self.destinations + usize::from(*to)];
                    if *column == NONE {
                        *column = self.queues[out].column(usize::from(*to), self.destinations);
                    }
                    there = *column;
                }
                onward.push((here, there, part));
            }
            groups.push(u16::try_from(onward.len()).expect("254 columns, a few movements"));
        }
        let queue = &mut self.queues[way];
        (queue.present, queue.onward, queue.groups) = (present, onward, groups);
        (queue.guided, queue.fresh) = (true, false);
    }

    /// Carries a flow of a way over its junction, to ways that are open.
    pub(super) fn carry(&mut self, network: &Network, way: usize, flow: f64) {
        let link = way < self.limits.len();
        let queue = &mut self.queues[way];
        let head = queue.head;
        let blend = queue.written * queue.routable;
        // A link that leads back to its own beginning may have settled to nothing since it was
        // prepared; what it sends then is what rounding left.
        let part = if blend > TRACE { flow / blend } else { 0.0 };
        self.taken.clear();
        self.taken.extend(queue.amounts[queue.cells(head)].iter().map(|amount| amount * part));
        let onward = std::mem::take(&mut queue.onward);
        let groups = std::mem::take(&mut queue.groups);
        if link {
            queue.totals[head] = (queue.totals[head] - flow).max(0.0);
        } else {
            queue.take(&onward, &self.taken);
        }
        let mut begin = 0;
        for (movement, end) in network.moves(way).zip(&groups) {
            let group = &onward[begin..usize::from(*end)];
            begin = usize::from(*end);
            let out = network.target(movement) as usize;
            if group.is_empty() || out >= self.limits.len() {
                continue;
            }
            let queue = &mut self.queues[out];
            if queue.length == 1 {
                queue.settle();
            }
            let row = queue.row(queue.length - 1);
            let cells = queue.cells(row);
            let (mut sum, amounts) = (0.0, &mut queue.amounts[cells]);
            for (here, there, part) in group {
                let amount = self.taken[usize::from(*here)] * f64::from(*part);
                amounts[usize::from(*there)] += amount;
                sum += amount;
            }
            queue.grow(row, sum);
        }
        (self.queues[way].onward, self.queues[way].groups) = (onward, groups);
    }

    /// Looks at the traffic and chooses routes anew.
    pub(super) fn reroute(&mut self, plan: &Plan, state: &State) {
        self.routes.choose(plan, state);
        for (way, queue) in self.queues.iter_mut().enumerate() {
            (queue.fresh, queue.guided) = (false, false);
            let columns = way * self.destinations..(way + 1) * self.destinations;
            queue.forget(&mut self.columns[columns]);
        }
    }

    /// Says where the vehicles of a link want to, at the start; as far as one can get there, and
    /// evenly where nothing else is known.
    pub(super) fn spread(&mut self, link: usize, vehicles: f64, weights: &[f64]) {
        let columns = self.destinations * link..self.destinations * (link + 1);
        self.columns[columns].fill(NONE);
        self.queues[link] = Queue::default();
        if vehicles <= 0.0 {
            return;
        }
        let leads = |to: usize| self.routes.leads(link, to);
        let reached: Vec<f64> =
            weights.iter().enumerate().map(|(to, w)| if leads(to) { *w } else { 0.0 }).collect();
        let open: Vec<f64> = (0..weights.len()).map(|to| f64::from(leads(to))).collect();
        let sum = |weights: &[f64]| weights.iter().sum::<f64>();
        let chosen = [reached, weights.to_vec(), open, vec![1.0; weights.len()]];
        let chosen = chosen.iter().find(|weights| sum(weights) > 0.0).expect("the last is above 0");
        self.open(link, 0);
        let rate = |weight: &f64| vehicles * weight / sum(chosen);
        let rates: Vec<_> = (0..).zip(chosen.iter().map(rate)).filter(|(_, x)| *x > 0.0).collect();
        self.arrive(link, &rates, 1.0);
    }
}

impl Queue {
    fn row(&self, number: usize) -> usize {
        (self.head + number) % ROWS
    }

    fn cells(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..row * self.width + self.present.len()
    }

    /// Adds to the total of a row whose amounts have grown by as much.
    fn grow(&mut self, row: usize, sum: f64) {
        self.totals[row] += sum;
        if row == self.head {
            self.written += sum;
            self.fresh = false;
        }
    }

    /// Takes those who have a way to go from the oldest blend of an origin; the others stay.
    fn take(&mut self, onward: &[(u8, u8, f32)], taken: &[f64]) {
        let cells = self.cells(self.head);
        let (mut sum, amounts) = (0.0, &mut self.amounts[cells]);
        for (here, _, part) in onward {
            let amount = taken[usize::from(*here)] * f64::from(*part);
            let left = (amounts[usize::from(*here)] - amount).max(0.0);
            amounts[usize::from(*here)] = left;
            sum += amount;
        }
        self.written = (self.written - sum).max(0.0);
        self.totals[self.head] = self.written;
        self.fresh = false;
    }

    /// The shares of movements of the oldest blend.
    fn share(&mut self, shares: &mut [f64]) {
        let amounts = &self.amounts[self.cells(self.head)];
        let (mut begin, mut sum) = (0, 0.0);
        for (share, end) in shares.iter_mut().zip(&self.groups) {
            let group = &self.onward[begin..usize::from(*end)];
            begin = usize::from(*end);
            *share = group
                .iter()
                .map(|(here, _, part)| amounts[usize::from(*here)] * f64::from(*part))
                .sum();
            sum += *share;
        }
        if sum > 0.0 {
            for share in shares.iter_mut() {
                *share /= sum;
            }
        }
        (self.routable, self.fresh) = (sum / self.written, true);
    }

    /// Drops the columns that are empty.
    fn forget(&mut self, columns: &mut [u8]) {
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
    fn open(&mut self, tick: u64, (age, size): (u64, f64)) {
        if self.length > 0 {
            let tail = self.row(self.length - 1);
            let total = self.totals[tail];
            let old = tick.saturating_sub(self.opened[tail]) >= age || total >= size;
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
        (self.totals[row], self.opened[row]) = (0.0, tick);
        self.length += 1;
        if self.length == 1 {
            (self.written, self.fresh) = (0.0, false);
        }
    }

    /// Writes the amounts of the oldest blend as they are now.
    fn settle(&mut self) {
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
    fn advance(&mut self) {
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
    fn column(&mut self, destination: usize, destinations: usize) -> u8 {
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
