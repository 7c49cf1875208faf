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
    taken: Vec<(u8, f64)>,
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

    /// Adds vehicles to a way's youngest blend.
    pub(super) fn add(&mut self, way: usize, destination: usize, amount: f64) {
        let to = u8::try_from(destination).expect("at most 254 destinations");
        add(&mut self.queues, &mut self.columns, self.destinations, (way, to), amount);
    }

    /// Makes the oldest blend large enough to send so much, and writes its shares of movements.
    /// Gives how much may go: nothing, where somebody in a link has no way to go on; from an
    /// origin, those who have.
    pub(super) fn prepare(&mut self, way: usize, sending: f64, shares: &mut [f64]) -> f64 {
        let link = way < self.limits.len();
        let queue = &mut self.queues[way];
        // Flows are whole grains and amounts are not: they differ by less than this.
        while queue.length > 1 && queue.totals[queue.head] + 1e-7 < sending {
            queue.advance();
        }
        if queue.length == 0 || queue.written <= 0.0 {
            return 0.0;
        }
        if !queue.fresh {
            shares.fill(0.0);
            queue.routable = self.routes.shares(way, queue.oldest(), shares);
            // Not by what is routable: logit shares sum to 1 in seven digits only.
            let sum: f64 = shares.iter().sum();
            if sum > 0.0 {
                shares.iter_mut().for_each(|share| *share /= sum);
            }
            queue.routable /= queue.written;
            queue.fresh = true;
        }
        match (link, queue.routable) {
            (_, routable) if routable <= 0.0 => 0.0,
            (true, routable) if routable < 1.0 - 1e-9 => 0.0,
            (true, _) => sending,
            (false, routable) => {
                super::grain::below(sending.min(routable * queue.totals[queue.head])).max(0.0)
            }
        }
    }

    /// Carries a flow of a way over its junction.
    pub(super) fn carry(&mut self, network: &Network, way: usize, flow: f64) {
        let mut taken = std::mem::take(&mut self.taken);
        taken.clear();
        let queue = &mut self.queues[way];
        let head = queue.head;
        let part = flow / (queue.written * queue.routable);
        let routes = &self.routes;
        taken.extend(
            queue
                .oldest()
                .filter(|(to, amount)| *amount > 0.0 && routes.leads(way, *to))
                .map(|(to, amount)| (to, amount * part)),
        );
        if way >= self.limits.len() {
            // Those without a way stay behind, so the blend does not drain evenly.
            queue.settle();
            for (to, amount) in &taken {
                let column = self.columns[way * self.destinations + usize::from(*to)];
                let left = &mut queue.amounts[head * queue.width + usize::from(column)];
                *left = (*left - amount).max(0.0);
            }
            queue.written = (queue.written - flow).max(0.0);
            queue.fresh = false;
        }
        queue.totals[head] = (queue.totals[head] - flow).max(0.0);
        for (to, amount) in &taken {
            let first = network.moves(way).start;
            let mut deliver = |place: usize, amount: f64| {
                let out = network.target(first + place) as usize;
                if out < self.limits.len() {
                    add(&mut self.queues, &mut self.columns, self.destinations, (out, *to), amount);
                }
            };
            self.routes.split(way, *to, *amount, &mut deliver);
        }
        self.taken = taken;
    }

    /// Looks at the traffic and chooses routes anew.
    pub(super) fn reroute(&mut self, plan: &Plan, state: &State) {
        self.routes.choose(plan, state);
        self.queues.iter_mut().for_each(|queue| queue.fresh = false);
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
        let leads = |to: usize| u8::try_from(to).is_ok_and(|to| self.routes.leads(link, to));
        let reached: Vec<f64> =
            weights.iter().enumerate().map(|(to, w)| if leads(to) { *w } else { 0.0 }).collect();
        let open: Vec<f64> = (0..weights.len()).map(|to| f64::from(leads(to))).collect();
        let sum = |weights: &[f64]| weights.iter().sum::<f64>();
        let chosen = [reached, weights.to_vec(), open, vec![1.0; weights.len()]];
        let chosen = chosen.iter().find(|weights| sum(weights) > 0.0).expect("the last is above 0");
        self.open(link, 0);
        for (to, weight) in chosen.iter().enumerate() {
            if *weight > 0.0 {
                self.add(link, to, vehicles * weight / sum(chosen));
            }
        }
    }
}

/// Adds vehicles to the youngest blend of a way that is ready, given parts of the mixing.
fn add(
    queues: &mut [Queue],
    columns: &mut [u8],
    destinations: usize,
    (way, to): (usize, u8),
    amount: f64,
) {
    let queue = &mut queues[way];
    let column = &mut columns[way * destinations + usize::from(to)];
    if *column == NONE {
        *column = queue.column(usize::from(to), destinations);
    }
    if queue.length == 1 {
        queue.settle();
    }
    let row = queue.row(queue.length - 1);
    queue.amounts[row * queue.width + usize::from(*column)] += amount;
    queue.totals[row] += amount;
    if queue.length == 1 {
        queue.written += amount;
        queue.fresh = false;
    }
}

impl Queue {
    fn row(&self, number: usize) -> usize {
        (self.head + number) % ROWS
    }

    fn cells(&self, row: usize) -> std::ops::Range<usize> {
        row * self.width..row * self.width + self.present.len()
    }

    /// Destinations and amounts of the oldest blend, as they were written.
    fn oldest(&self) -> impl Iterator<Item = (u8, f64)> + '_ {
        let amounts = &self.amounts[self.cells(self.head)];
        self.present.iter().copied().zip(amounts.iter().copied())
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
        self.present.push(u8::try_from(destination).expect("at most 254 destinations"));
        u8::try_from(self.present.len() - 1).expect("at most 254 destinations")
    }
}
