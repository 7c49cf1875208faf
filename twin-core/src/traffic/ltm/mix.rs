//! Who is on each link, by destination: a queue of blends.
//!
//! The curves say how many leave a link; this says who. Vehicles enter a link into its youngest
//! blend and leave from its oldest, each blend as a well-stirred whole; a blend is closed after a
//! quarter of the link's travel time, or of its storage. So first in is first out between blends,
//! the totals stay exactly those of the curves, and memory is bounded however long a queue stands.
//! What is lost is the order within a blend.
//!
//! Only destinations that are present on a link take room there.

use std::ops::ControlFlow;

use super::network::Network;
use super::onward::{Group, Oldest, Onward, fill_up};
use super::plan::Plan;
use super::queue::Queue;
use super::routes::Routes;
use super::shortest::{NONE, labelled};
use super::state::State;
use super::times::single;
use crate::pace::Pace;

/// Less than this in pcu is nobody: what rounding leaves behind of a blend says nothing of where
/// anybody wants to. It stays until more come.
const DUST: f64 = 1e-9;

/// The bits of a part that is all.
const ONE: u32 = 1.0_f32.to_bits();

/// Vehicles by destination, everywhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mixing {
    destinations: usize,
    /// The model's number of each destination as it was given.
    ends: Vec<u32>,
    links: usize,
    /// Per way in.
    queues: Vec<Queue>,
    /// Per way in and destination, its column in the queue, or [`NONE`].
    columns: Vec<u8>,
    /// Per way in, the destination of each column.
    present: Vec<Vec<u8>>,
    /// Per movement, who goes on by it.
    groups: Vec<Group>,
    routes: Routes,
    /// Whether routes are to be chosen anew before the next step, whenever it is due.
    pub(super) asked: bool,
    /// The oldest blend of the way that is weighed or carried.
    oldest: Oldest,
    /// Where those on the way that is guided go, by destination and movement.
    parts: Vec<f32>,
    onward: Vec<Onward>,
}

impl Mixing {
    /// Empty.
    pub(super) fn new(plan: &Plan) -> Mixing {
        let network = plan.network();
        let destinations = network.destinations().len();
        let limits = |link: &super::Link| {
            let travel = link.length_m / link.free_speed_mps / plan.step_s();
            // Who passes a link within a step is stirred with who does not: one blend, until a
            // queue grows.
            let quarter = super::curve::Lag::new(travel / 4.0).whole;
            let age = if travel < 1.0 { u32::MAX } else { quarter };
            Queue::new((age, single(link.storage_pcu() / 4.0)))
        };
        // Origins keep one blend: their queue has no order. Destinations keep none.
        let origin = Queue::new((u32::MAX, f32::INFINITY));
        let links = network.inside();
        let mut queues: Vec<Queue> = links.iter().map(limits).collect();
        queues.resize(network.ways_in(), origin);
        Mixing {
            destinations,
            ends: network.order().destinations.inners().to_vec(),
            links: links.len(),
            queues,
            columns: vec![NONE; network.ways_in() * destinations],
            present: vec![Vec::new(); network.ways_in()],
            groups: vec![Group::default(); network.movements()],
            routes: Routes::new(plan),
            asked: false,
            oldest: Oldest::new(),
            parts: Vec::new(),
            onward: Vec::new(),
        }
    }

    /// Makes a way ready to take in vehicles in a step.
    pub(super) fn open(&mut self, way: usize, step: u64) {
        self.queues[way].open(step);
    }

    /// Adds the arrivals of some time at rates by destination to an origin that is open.
    pub(super) fn arrive(&mut self, way: usize, rates: &[(u32, f64)], time_s: f64) {
        self.queues[way].settle();
        let mut sum = 0.0;
        for (to, rate) in rates {
            let column = self.column(way, *to as usize);
            let queue = &mut self.queues[way];
            queue.row_mut(queue.head)[usize::from(column)] += rate * time_s;
            sum += rate * time_s;
        }
        let queue = &mut self.queues[way];
        queue.grow(sum);
    }

    /// The column of a destination on a way; a new one, if it has none.
    fn column(&mut self, way: usize, to: usize) -> u8 {
        let column = &mut self.columns[way * self.destinations + to];
        if *column == NONE {
            *column = self.queues[way].column(self.destinations);
            self.present[way].push(u8::try_from(to).expect("at most 254 destinations"));
        }
        *column
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
        let link = way < self.links;
        // Flows are whole grains and amounts are not: they differ by less than this.
        let queue = &mut self.queues[way];
        while queue.length > 1 && queue.first() + 1e-7 < sending {
            queue.advance();
        }
        if queue.length == 0 || queue.written <= DUST {
            return 0.0;
        }
        if !queue.guided {
            self.guide(network, way);
        }
        let (queue, groups) = (&mut self.queues[way], &mut self.groups[network.moves(way)]);
        if !queue.fresh {
            queue.weigh(groups, &mut self.oldest);
            self.oldest.way = way;
        }
        // Not by what is written: logit parts sum to 1 in seven digits only.
        let sum: f64 = groups.iter().map(|group| group.sum).sum();
        for (share, group) in shares.iter_mut().zip(groups) {
            *share = if group.sum > 0.0 { group.sum / sum } else { 0.0 };
        }
        match (link, queue.routable) {
            (_, routable) if routable <= 0.0 => 0.0,
            (true, routable) if routable < 1.0 - 1e-6 => 0.0,
            (true, _) => sending,
            (false, routable) => {
                super::grain::below(sending.min(routable * queue.first())).max(0.0)
            }
        }
    }

    /// Writes where the columns of a way go on.
    fn guide(&mut self, network: &Network, way: usize) {
        let present = std::mem::take(&mut self.present[way]);
        let mut onward = std::mem::take(&mut self.onward);
        onward.clear();
        let movements = network.moves(way).len();
        self.parts.resize(present.len() * movements, 0.0);
        for (to, parts) in present.iter().zip(self.parts.chunks_exact_mut(movements.max(1))) {
            self.routes.parts(network, way, *to, parts);
        }
        let (mut entries, mut whole, mut straight) = (0, true, false);
        for (place, movement) in network.moves(way).enumerate() {
            let out = network.target(movement) as usize;
            let begin = onward.len();
            for (to, here) in present.iter().zip(0..) {
                let part = self.parts[usize::from(here) * movements + place];
                if part <= 0.0 {
                    continue;
                }
                let there = match out {
                    _ if out == way => here,
                    _ if out < self.links => self.column(out, usize::from(*to)),
                    _ => NONE,
                };
                onward.push(Onward { here, there, part });
            }
            entries += onward.len() - begin;
            whole &= onward[begin..].iter().all(|onward| onward.part.to_bits() == ONE);
            straight |= onward.len() - begin == present.len() && out != way;
            fill_up(&mut onward);
            let end = u32::try_from(onward.len()).expect("254 columns, a few movements");
            self.groups[movement] = Group { end, sum: 0.0 };
        }
        // Parts that sum to 1 in seven digits may have others beside them.
        straight &= whole && entries == present.len();
        self.queues[way].guide(&onward, straight);
        (self.present[way], self.onward) = (present, onward);
    }

    /// Carries a flow of a way over its junction.
    pub(super) fn carry(&mut self, network: &Network, (way, flow): (usize, f64), step: u64) {
        let moves = network.moves(way);
        let queue = &mut self.queues[way];
        if queue.written <= DUST {
            return;
        }
        // A link that ends where it begins may have taken some in since it was prepared, and others
        // of the junction have been prepared.
        if !queue.fresh || (self.oldest.way != way && !queue.straight) {
            queue.weigh(&mut self.groups[moves.clone()], &mut self.oldest);
            self.oldest.way = way;
        }
        if queue.routable <= 0.0 {
            return;
        }
        let part = flow / (queue.written * queue.routable);
        let link = way < self.links;
        if link {
            queue.set_total(queue.head, (queue.first() - flow).max(0.0));
        }
        let mut begin = 0;
        for (movement, Group { end, sum }) in moves.clone().zip(&self.groups[moves]) {
            let span = std::mem::replace(&mut begin, *end) as usize..*end as usize;
            let out = network.target(movement) as usize;
            if span.is_empty() || out >= self.links {
                continue;
            }
            self.queues[out].open(step);
            if let Ok([queue, to]) = self.queues.get_disjoint_mut([way, out]) {
                queue.pour_on(span, part, &self.oldest, to);
            } else {
                self.queues[way].pour_back(span, part, &self.oldest);
            }
            self.queues[out].grow(sum * part);
        }
        if !link {
            self.queues[way].take(&self.oldest, part, flow);
        }
    }

    /// Looks at the traffic and chooses routes anew.
    pub(super) fn reroute(
        &mut self,
        plan: &Plan,
        state: &State,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<()> {
        self.asked = false;
        if self.routes.choose(plan, state, pace)? {
            for (way, queue) in self.queues.iter_mut().enumerate() {
                labelled(1, self.present[way].len(), pace)?;
                let columns = way * self.destinations..(way + 1) * self.destinations;
                queue.forget(&mut self.present[way], &mut self.columns[columns]);
            }
        }
        ControlFlow::Continue(())
    }

    /// Says where the vehicles of a link want to, at the start, with weights of destinations as they
    /// were given; as far as one can get there, and evenly where nothing else is known.
    pub(super) fn spread(&mut self, link: usize, vehicles: f64, weights: &[f64]) {
        let columns = self.destinations * link..self.destinations * (link + 1);
        self.columns[columns].fill(NONE);
        self.queues[link] = self.queues[link].emptied();
        self.present[link].clear();
        if vehicles <= 0.0 {
            return;
        }
        let leads = |to: usize| self.routes.leads(link, self.ends[to] as usize);
        let reached: Vec<f64> =
            weights.iter().enumerate().map(|(to, w)| if leads(to) { *w } else { 0.0 }).collect();
        let open: Vec<f64> = (0..weights.len()).map(|to| f64::from(leads(to))).collect();
        let sum = |weights: &[f64]| weights.iter().sum::<f64>();
        let chosen = [reached, weights.to_vec(), open, vec![1.0; weights.len()]];
        let chosen = chosen.iter().find(|weights| sum(weights) > 0.0).expect("the last is above 0");
        self.open(link, 0);
        let rate = |weight: &f64| vehicles * weight / sum(chosen);
        let ends = self.ends.iter().copied();
        let rates: Vec<_> = ends.zip(chosen.iter().map(rate)).filter(|(_, x)| *x > 0.0).collect();
        self.arrive(link, &rates, 1.0);
    }
}
