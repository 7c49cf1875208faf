//! The state: both curves of every link, the queues at origins, and who has left. A clone is a
//! fork; it goes on by itself, with the same plan or with another.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::conditions::{Conditions, Now};
use super::curve::{ago, write};
use super::error::{PlanError, StartError};
use super::figures::{Interval, Recorder, Totals};
use super::layout::Layout;
use super::mix::Mixing;
use super::order::Order;
use super::pass::{OriginQueue, Span, pass};
use super::plan::{Plan, Way};
use super::road::{Receiving, Road, Sending};
use super::rounds::Work;
use super::shortest::labelled;
use super::start::LinkStart;
use crate::pace::{Pace, unwatched};

/// The network at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    steps: u64,
    /// The model's numbers.
    pub(super) order: Arc<Order>,
    pub(super) roads: Vec<Road>,
    /// The past of their curves.
    pub(super) rings: Vec<f64>,
    /// Per way in and way out, the step to come.
    pub(super) sending: Vec<Sending>,
    pub(super) receiving: Vec<Receiving>,
    /// Per way in, whether its junction is visited as a whole.
    pub(super) watched: Vec<bool>,
    /// Per link, whether it took less than wanted to enter, since routes were last chosen.
    pub(super) held: Vec<bool>,
    pub(super) origins: Vec<OriginQueue>,
    /// Per destination, who has left.
    pub(super) sinks: Vec<f64>,
    pub(super) conditions: Conditions,
    pub(super) mixing: Option<Box<Mixing>>,
    recorder: Recorder,
    pub(super) work: Work,
}

impl State {
    /// An empty network.
    ///
    /// # Panics
    /// Never: an empty link is always allowed.
    pub fn empty(plan: &Plan) -> State {
        let starts = vec![LinkStart::EMPTY; plan.network().links().len()];
        State::new(plan, &starts).expect("an empty link is allowed")
    }

    /// From what is on each link, at time 0. With routing by destination, vehicles on links want
    /// to where demand wants, in proportion, as far as one can get there; see [`State::set_mix`].
    ///
    /// # Errors
    /// When a link cannot be so; see [`LinkStart`].
    pub fn new(plan: &Plan, starts: &[LinkStart]) -> Result<State, StartError> {
        unwatched(|pace| State::begun(plan, starts, pace))
    }

    /// The same, watched.
    pub(crate) fn begun(
        plan: &Plan,
        starts: &[LinkStart],
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Result<State, StartError>> {
        match State::filled(plan, starts) {
            Ok(state) => state.routed(plan, pace).map_continue(Ok),
            Err(error) => ControlFlow::Continue(Err(error)),
        }
    }

    /// The links and their past.
    fn filled(plan: &Plan, starts: &[LinkStart]) -> Result<State, StartError> {
        let network = plan.network();
        let links = network.links().len();
        if starts.len() != links {
            return Err(StartError::Count { given: starts.len(), links });
        }
        let mut state = State {
            steps: 0,
            order: Arc::clone(network.order()),
            roads: vec![Road::default(); links],
            rings: vec![0.0; plan.layout().length()],
            sending: vec![Sending::default(); network.ways_in()],
            receiving: vec![Receiving::default(); network.ways_out()],
            watched: vec![false; network.ways_in()],
            held: vec![false; links],
            origins: vec![OriginQueue::default(); network.origins().len()],
            sinks: vec![0.0; network.destinations().len()],
            conditions: Conditions::at(plan, 0.0),
            mixing: None,
            recorder: Recorder::new(plan),
            work: Work::new(plan),
        };
        for ((number, start), link) in starts.iter().enumerate().zip(network.order().links.inners())
        {
            start.check(number, &network.links()[number])?;
            state.fill(plan, *link as usize, start);
        }
        state.recorder.begin(&state.roads);
        state.aim(plan);
        Ok(state)
    }

    /// The same with routes, where the plan has them.
    fn routed(mut self, plan: &Plan, pace: &mut Pace<'_>) -> ControlFlow<(), State> {
        if matches!(plan.way(), Way::Routes(_)) {
            let mut mixing = Box::new(Mixing::new(plan));
            mixing.reroute(plan, &self, pace)?;
            for (link, road) in self.roads.iter().enumerate() {
                labelled(1, plan.labels(), pace)?;
                mixing.spread(link, road.entered, plan.profiles().weights());
            }
            self.mixing = Some(mixing);
        }
        ControlFlow::Continue(self)
    }

    /// Writes the past of a link.
    fn fill(&mut self, plan: &Plan, link: usize, start: &LinkStart) {
        let step_s = plan.step_s();
        let given = &plan.network().inside()[link];
        let past = &plan.layout().pasts[link];
        let (up, down) = past.of(&mut self.rings);
        let seconds = |steps: u32, most_s: f64| (f64::from(steps) * step_s).min(most_s + step_s);
        write(up, |steps| start.entered(seconds(steps, given.length_m / given.free_speed_mps)));
        write(down, |steps| start.left(seconds(steps, given.length_m / given.wave_speed_mps)));
        let road = &mut self.roads[link];
        road.entered = start.entered(0.0);
        // Who would have left by now: as seen a step ago, of this step.
        let reach = self.conditions.links[link].reach;
        let ago = |steps: u32| if steps == 0 { road.entered } else { ago(up, 0, steps) };
        let after = ago(reach.whole - 1);
        let before = start.entered(seconds(reach.whole, given.length_m / given.free_speed_mps));
        road.arrived = (before + (after - before) * reach.part).max(0.0);
    }

    /// Looks ahead to the next step.
    fn aim(&mut self, plan: &Plan) {
        let links = self.roads.len();
        (0..links).for_each(|link| self.aim_at(plan, link));
        let (sinks, order) = (plan.network().destinations(), &self.order.destinations);
        for (receiving, sink) in self.receiving[links..].iter_mut().zip(order.givens()) {
            let sink = sinks[*sink as usize];
            let most = sink.capacity_pcu_s.map(|capacity| capacity * plan.step_s());
            *receiving = Receiving { room: most.unwrap_or(f64::INFINITY), entering: 0.0 };
        }
    }

    fn aim_at(&mut self, plan: &Plan, link: usize) {
        let (now, past) = (&self.conditions.links[link], &plan.layout().pasts[link]);
        let ends = (&mut self.sending[link], &mut self.receiving[link]);
        self.roads[link].aim(now, past.look(&self.rings), ends);
    }

    /// Says where the vehicles on a link want to, in proportion to these shares; only before the
    /// first step, with routing by destination.
    ///
    /// # Errors
    /// When the link or a destination is unknown, or the shares are none.
    pub fn set_mix(&mut self, link: u32, mix: &[(u32, f64)]) -> Result<(), StartError> {
        let number = link as usize;
        let mut weights = vec![0.0; self.sinks.len()];
        let inner = self.order.links.inner(link);
        let mut allowed = self.steps == 0;
        for (to, share) in mix {
            allowed &= share.is_finite() && *share >= 0.0;
            match weights.get_mut(*to as usize) {
                Some(weight) => *weight += share,
                None => allowed = false,
            }
        }
        match (&mut self.mixing, inner) {
            (Some(mixing), Some(inner)) if allowed && weights.iter().sum::<f64>() > 0.0 => {
                mixing.spread(inner, self.roads[inner].entered, &weights);
                Ok(())
            }
            _ => Err(StartError::Mix(number)),
        }
    }

    /// Seconds since the start.
    pub fn time_s(&self, plan: &Plan) -> f64 {
        self.steps as f64 * plan.step_s()
    }

    /// Vehicles on a link, in pcu; `None` if there is no such link.
    pub fn vehicles_pcu(&self, link: u32) -> Option<f64> {
        let (entered, left) = self.counts_pcu(link)?;
        Some(entered - left)
    }

    /// Who has entered a link and who has left it, since the start, in pcu. Who was there at the
    /// start has entered.
    pub fn counts_pcu(&self, link: u32) -> Option<(f64, f64)> {
        let inner = self.order.links.inner(link)?;
        Some((self.roads[inner].entered, self.roads[inner].left))
    }

    /// Goes one step Δ on. Gives the figures when an interval ends with it. With turning shares it
    /// allocates nothing. Cost: proportional to the movements of the network.
    ///
    /// # Panics
    /// When the state was not made for this plan, see [`State::adopt`].
    pub fn step(&mut self, plan: &Plan) -> Option<&Interval> {
        unwatched(move |pace| self.watched_step(plan, pace))
    }

    /// The same, watched. Broken off, it is within a step: nothing can go on from there.
    pub(super) fn watched_step(
        &mut self,
        plan: &Plan,
        pace: &mut Pace<'_>,
    ) -> ControlFlow<(), Option<&Interval>> {
        assert!(self.rings.len() == plan.layout().length(), "the state is of another plan");
        let from_s = self.time_s(plan);
        self.catch_up(plan, from_s, pace)?;
        pass(self, plan, Span { step: self.steps, from_s, step_s: plan.step_s() }, pace)?;
        self.steps += 1;
        if self.steps.is_multiple_of(plan.interval_steps()) {
            let mut recorder = std::mem::take(&mut self.recorder);
            recorder.close(plan, self);
            self.recorder = recorder;
            return ControlFlow::Continue(Some(self.recorder.interval()));
        }
        ControlFlow::Continue(None)
    }

    /// Edits that begin or end now, and routes.
    fn catch_up(&mut self, plan: &Plan, time_s: f64, pace: &mut Pace<'_>) -> ControlFlow<()> {
        let event = plan.events_by(time_s) != self.conditions.events;
        let changed = event && self.refresh(plan, time_s);
        let due = plan.reroute_steps() > 0 && self.steps.is_multiple_of(plan.reroute_steps());
        let Some(mut mixing) = self.mixing.take() else { return ControlFlow::Continue(()) };
        if changed || due || mixing.asked {
            mixing.reroute(plan, self, pace)?;
            self.held.fill(false);
        }
        self.mixing = Some(mixing);
        ControlFlow::Continue(())
    }

    /// Gives whether routes may have changed.
    fn refresh(&mut self, plan: &Plan, time_s: f64) -> bool {
        let mut changed = false;
        for link in plan.changed_links() {
            let before = self.conditions.renew(plan, *link as usize, time_s);
            self.read_off(*link as usize, before);
            changed |= before != self.conditions.links[*link as usize];
            self.aim_at(plan, *link as usize);
        }
        self.conditions.refresh(plan, time_s) || changed
    }

    /// Reads areas off where a link's speed has changed: only there, because to read them off
    /// twice changes the last digits of their sum.
    fn read_off(&mut self, link: usize, before: Now) {
        if before.speed.to_bits() != self.conditions.links[link].speed.to_bits() {
            self.recorder.flush(link, before.speed, &mut self.roads[link]);
        }
    }

    /// Goes on with another plan: same network, step, interval and kind of routing, other edits,
    /// demand, signals or turning. What has been stays; a plan without edits goes on, bit for bit,
    /// as the one before. Cost: a copy of the state.
    ///
    /// # Errors
    /// When the plan is for something else.
    pub fn adopt(&self, from: &Plan, to: &Plan) -> Result<State, PlanError> {
        self.clone().adopted(from, to)
    }

    /// The same, of a state that nobody else needs: without the copy.
    pub(crate) fn adopted(self, from: &Plan, to: &Plan) -> Result<State, PlanError> {
        if !to.continues(from) {
            return Err(PlanError::OtherPlan);
        }
        let mut state = self;
        if from.layout() != to.layout() {
            state.resample(from.layout(), to.layout());
        }
        let time_s = state.time_s(to);
        let before = std::mem::replace(&mut state.conditions, Conditions::at(to, time_s));
        for link in 0..state.roads.len() {
            state.read_off(link, before.links[link]);
        }
        if let Some(mixing) = &mut state.mixing {
            let now = &state.conditions;
            mixing.asked |= (&before.links, &before.barred) != (&now.links, &now.barred);
            mixing.asked |= before.charges != now.charges;
            state.conditions.shares = before.shares;
        }
        state.aim(to);
        Ok(state)
    }

    /// Writes the past as another layout wants it. Before the oldest that is known it stays level:
    /// who could have reached the exit by then, may leave.
    fn resample(&mut self, old: &Layout, new: &Layout) {
        let before = std::mem::replace(&mut self.rings, vec![0.0; new.length()]);
        let known = |ring: &[f64], cursor: u32, now: f64, steps: u32| {
            let most = u32::try_from(ring.len()).expect("rings are counted in u32");
            if most == 0 { now } else { ago(ring, cursor, steps.min(most)) }
        };
        for (road, (old, new)) in self.roads.iter_mut().zip(old.pasts.iter().zip(&new.pasts)) {
            let (from, to) = (old.look(&before), new.of(&mut self.rings));
            write(to.0, |steps| known(from.0, road.up, road.entered, steps));
            write(to.1, |steps| known(from.1, road.down, road.left, steps));
            (road.up, road.down) = (0, 0);
        }
    }

    /// Sums since the start.
    pub fn totals(&self) -> Totals {
        self.recorder.totals(self)
    }
}
