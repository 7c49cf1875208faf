//! The state: both curves of every link, the queues at origins, and who has left. A clone is a
//! fork; it goes on by itself, with the same plan or with another.

use std::sync::Arc;

use super::conditions::{Conditions, Now};
use super::error::{PlanError, StartError};
use super::figures::{Interval, Recorder, Totals};
use super::layout::Layout;
use super::mix::Mixing;
use super::pass::{EntranceEnd, ExitEnd, OriginQueue, Scratch, Span, pass};
use super::plan::{Plan, Way};
use super::start::LinkStart;

/// The tick of the start: curves reach back behind it.
const START_TICK: u64 = 1 << 40;

/// The network at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    tick: u64,
    steps: u64,
    /// The model's number of each link as it was given.
    inner: Arc<[u32]>,
    pub(super) exits: Vec<ExitEnd>,
    pub(super) entrances: Vec<EntranceEnd>,
    /// Rings of the curves at the entrances, and at the exits.
    pub(super) up: Vec<f64>,
    pub(super) down: Vec<f64>,
    pub(super) origins: Vec<OriginQueue>,
    /// Per destination, who has left.
    pub(super) sinks: Vec<f64>,
    pub(super) conditions: Conditions,
    pub(super) mixing: Option<Box<Mixing>>,
    recorder: Recorder,
    pub(super) scratch: Scratch,
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
        let network = plan.network();
        let links = network.links().len();
        if starts.len() != links {
            return Err(StartError::Count { given: starts.len(), links });
        }
        let (up, down) = plan.layout().lengths();
        let mut state = State {
            tick: START_TICK,
            steps: 0,
            inner: network.inners(),
            exits: vec![ExitEnd::default(); links],
            entrances: vec![EntranceEnd::default(); links],
            up: vec![0.0; up],
            down: vec![0.0; down],
            origins: vec![OriginQueue::default(); network.origins().len()],
            sinks: vec![0.0; network.destinations().len()],
            conditions: Conditions::at(plan, 0.0),
            mixing: None,
            recorder: Recorder::new(plan),
            scratch: Scratch::new(plan),
        };
        for ((number, start), link) in starts.iter().enumerate().zip(network.in_given_order()) {
            start.check(number, &network.links()[number])?;
            state.fill(plan, link, start);
        }
        if matches!(plan.way(), Way::Routes(_)) {
            let mut mixing = Box::new(Mixing::new(plan));
            mixing.reroute(plan, &state);
            for (link, end) in state.entrances.iter().enumerate() {
                mixing.spread(link, end.count, plan.profiles().weights());
            }
            state.mixing = Some(mixing);
        }
        state.recorder.begin(&state.exits, &state.entrances);
        Ok(state)
    }

    /// Writes the past of a link.
    fn fill(&mut self, plan: &Plan, link: usize, start: &LinkStart) {
        let layout = plan.layout();
        let seconds = |tick: u64| (START_TICK - tick) as f64 * layout.tick_s;
        let given = &plan.network().inside()[link];
        let (up, down) = (&layout.up[link], &layout.down[link]);
        for tick in up.ticks(START_TICK) {
            let reach_s = given.length_m / given.free_speed_mps + up.step() as f64 * layout.tick_s;
            let count = start.entered(seconds(tick).min(reach_s));
            up.write(&mut self.up, tick, count);
        }
        for tick in down.ticks(START_TICK) {
            let room_s = given.length_m / given.wave_speed_mps + down.step() as f64 * layout.tick_s;
            down.write(&mut self.down, tick, start.left(seconds(tick).min(room_s)));
        }
        self.entrances[link].count = start.entered(0.0);
        let now = &self.conditions.links[link];
        let arrived = up.at(&self.up, START_TICK - now.reach.whole, now.reach.part);
        self.exits[link].arrived = arrived.max(0.0);
    }

    /// Says where the vehicles on a link want to, in proportion to these shares; only before the
    /// first step, with routing by destination.
    ///
    /// # Errors
    /// When the link or a destination is unknown, or the shares are none.
    pub fn set_mix(&mut self, link: u32, mix: &[(u32, f64)]) -> Result<(), StartError> {
        let number = link as usize;
        let mut weights = vec![0.0; self.sinks.len()];
        let inner = self.inner.get(number).map(|inner| *inner as usize);
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
                mixing.spread(inner, self.entrances[inner].count, &weights);
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
        let inner = *self.inner.get(link as usize)? as usize;
        Some((self.entrances[inner].count, self.exits[inner].count))
    }

    /// Goes one step Δ on. Gives the figures when an interval ends with it. With turning shares it
    /// allocates nothing. Cost: proportional to the movements of the network.
    ///
    /// # Panics
    /// When the state was not made for this plan, see [`State::adopt`].
    pub fn step(&mut self, plan: &Plan) -> Option<&Interval> {
        let layout = plan.layout();
        assert!(
            (self.up.len(), self.down.len()) == layout.lengths(),
            "the state is of another plan"
        );
        let from_s = self.time_s(plan);
        self.catch_up(plan, from_s);
        for tick in 0..layout.step() {
            for (pace, batches) in &layout.paces {
                if tick % pace != 0 {
                    continue;
                }
                let span = Span {
                    tick: self.tick + tick,
                    ticks: *pace,
                    from_s: from_s + tick as f64 * layout.tick_s,
                    step_s: *pace as f64 * layout.tick_s,
                };
                for batch in batches {
                    pass(self, plan, batch, span);
                }
            }
        }
        self.tick += layout.step();
        self.steps += 1;
        if self.steps.is_multiple_of(plan.interval_steps()) {
            let mut recorder = std::mem::take(&mut self.recorder);
            recorder.close(plan, self);
            self.recorder = recorder;
            return Some(self.recorder.interval());
        }
        None
    }

    /// Edits that begin or end now, and routes.
    fn catch_up(&mut self, plan: &Plan, time_s: f64) {
        let event = plan.events_by(time_s) != self.conditions.events;
        let changed = event && self.refresh(plan, time_s);
        let due = plan.reroute_steps() > 0 && self.steps.is_multiple_of(plan.reroute_steps());
        let Some(mut mixing) = self.mixing.take() else { return };
        if changed || due || mixing.asked {
            mixing.reroute(plan, self);
            self.entrances.iter_mut().for_each(|end| end.held = false);
        }
        self.mixing = Some(mixing);
    }

    /// Gives whether routes may have changed.
    fn refresh(&mut self, plan: &Plan, time_s: f64) -> bool {
        let mut changed = false;
        for link in plan.changed_links() {
            let before = self.conditions.renew(plan, *link as usize, time_s);
            self.read_off(*link as usize, before);
            changed |= before != self.conditions.links[*link as usize];
        }
        self.conditions.refresh(plan, time_s) || changed
    }

    /// Reads areas off where a link's speed has changed: only there, because to read them off
    /// twice changes the last digits of their sum.
    fn read_off(&mut self, link: usize, before: Now) {
        if before.speed.to_bits() != self.conditions.links[link].speed.to_bits() {
            let (exit, entrance) = (&mut self.exits[link], &mut self.entrances[link]);
            self.recorder.flush(link, before.speed, exit, entrance);
        }
    }

    /// Goes on with another plan: same network, step, interval and kind of routing, other edits,
    /// demand, signals or turning. What has been stays; a plan without edits goes on, bit for bit,
    /// as the one before. Cost: a copy of the state.
    ///
    /// # Errors
    /// When the plan is for something else.
    pub fn adopt(&self, from: &Plan, to: &Plan) -> Result<State, PlanError> {
        if !to.continues(from) {
            return Err(PlanError::OtherPlan);
        }
        let mut state = self.clone();
        if from.layout() != to.layout() {
            state.resample(self, from.layout(), to.layout());
        }
        let time_s = self.time_s(to);
        let before = std::mem::replace(&mut state.conditions, Conditions::at(to, time_s));
        for link in 0..state.exits.len() {
            state.read_off(link, before.links[link]);
        }
        if let Some(mixing) = &mut state.mixing {
            let now = &state.conditions;
            mixing.asked |= (&before.links, &before.barred) != (&now.links, &now.barred);
            state.conditions.shares = before.shares;
        }
        Ok(state)
    }

    /// Writes the curves of `before` at the pace of another layout. Both count the same steps, in
    /// ticks of their own.
    fn resample(&mut self, before: &State, old: &Layout, new: &Layout) {
        self.tick = START_TICK + (self.steps << new.levels);
        let (up, down) = new.lengths();
        (self.up, self.down) = (vec![0.0; up], vec![0.0; down]);
        self.scratch.fit(new);
        let last = (before.tick, self.tick);
        let pace = new.tick_s / old.tick_s;
        for link in 0..self.exits.len() {
            let (entered, left) = (self.entrances[link].count, self.exits[link].count);
            let ends = (&old.up[link], &new.up[link]);
            ends.1.copy(&mut self.up, (ends.0, &before.up), last, (pace, entered));
            let ends = (&old.down[link], &new.down[link]);
            ends.1.copy(&mut self.down, (ends.0, &before.down), last, (pace, left));
        }
    }

    /// Sums since the start.
    pub fn totals(&self) -> Totals {
        self.recorder.totals(self)
    }
}
