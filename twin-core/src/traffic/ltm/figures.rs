//! Figures: what is told of a run, per link and interval, and in sum. All come from the areas
//! under the curves, so they hold for every vehicle and not for samples.

use super::grain::Sum;
use super::plan::Plan;
use super::road::Road;
use super::state::State;

/// A link in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkFigures {
    /// Entered, in pcu.
    pub inflow_pcu: f64,
    /// Left, in pcu.
    pub outflow_pcu: f64,
    /// Mean speed in m/s: distance over time of all vehicles (Edie 1965), counting a vehicle as
    /// driving freely until it must wait; the free speed when there was none.
    pub speed_mps: f64,
    /// Mean density in pcu/m.
    pub density_pcu_m: f64,
    /// Who waits at the end of the interval, in pcu: at free speed they would have left the link.
    pub queue_pcu: f64,
    /// Time lost by waiting, in pcu·s.
    pub delay_pcu_s: f64,
}

/// Sums since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// On the network at the start, in pcu.
    pub initial_pcu: f64,
    /// Wanted to enter, in pcu.
    pub demanded_pcu: f64,
    /// Of them, still waiting at their origin.
    pub waiting_pcu: f64,
    /// Of them, entered.
    pub entered_pcu: f64,
    /// On the network now, in pcu.
    pub present_pcu: f64,
    /// Left at a destination, in pcu.
    pub left_pcu: f64,
    /// `initial + entered − present − left`, summed exactly: 0.
    pub missing_pcu: f64,
    /// Distance driven, in pcu·m, to the end of the last interval.
    pub distance_pcu_m: f64,
    /// Time spent on links, in pcu·s, to the end of the last interval.
    pub time_pcu_s: f64,
    /// Of it, lost by waiting, in pcu·s.
    pub delay_pcu_s: f64,
    /// Time spent waiting at origins, in pcu·s.
    pub waited_pcu_s: f64,
}

/// The figures of one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interval {
    /// Begin, in seconds from the start.
    pub from_s: f64,
    /// End, in seconds from the start.
    pub until_s: f64,
    /// Per link.
    pub links: Vec<LinkFigures>,
    /// Up to its end.
    pub totals: Totals,
}

/// Areas of a link since the interval began, of the time before its curves were last read off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Areas {
    time: f64,
    delay: f64,
    distance: f64,
}

/// Turns curves into figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Recorder {
    areas: Vec<Areas>,
    /// Counts of each link when the interval began: entered, left.
    marks: Vec<(f64, f64)>,
    initial: Sum,
    distance: f64,
    time: f64,
    delay: f64,
    interval: Interval,
}

impl Recorder {
    pub(super) fn new(plan: &Plan) -> Recorder {
        let links = plan.network().links().len();
        let interval =
            Interval { links: vec![LinkFigures::default(); links], ..Interval::default() };
        Recorder {
            areas: vec![Areas::default(); links],
            marks: vec![(0.0, 0.0); links],
            interval,
            ..Recorder::default()
        }
    }

    /// Marks the start.
    pub(super) fn begin(&mut self, roads: &[Road]) {
        for (mark, road) in self.marks.iter_mut().zip(roads) {
            *mark = (road.entered, road.left);
            self.initial.add(road.entered);
        }
    }

    /// Reads off a link's areas, whose vehicles drove at `speed`.
    pub(super) fn flush(&mut self, link: usize, speed: f64, road: &mut Road) {
        let time = road.time.max(0.0);
        // Waiting is a part of the time on the link; the last digits of sums may blur that.
        let delay = road.waited.clamp(0.0, time);
        let areas = &mut self.areas[link];
        areas.time += time;
        areas.delay += delay;
        areas.distance += (time - delay) * speed;
        (road.time, road.waited) = (0.0, 0.0);
    }

    /// Ends the interval.
    pub(super) fn close(&mut self, plan: &Plan, state: &mut State) {
        let seconds = plan.interval_s();
        let network = plan.network();
        for (number, link) in network.order().links.inners().iter().enumerate() {
            let link = *link as usize;
            let given = &network.inside()[link];
            let speed = state.conditions.links[link].speed;
            let road = &mut state.roads[link];
            self.flush(link, speed, road);
            let areas = std::mem::take(&mut self.areas[link]);
            let mark = &mut self.marks[link];
            let moving = areas.time > 1e-9;
            self.interval.links[number] = LinkFigures {
                inflow_pcu: road.entered - mark.0,
                outflow_pcu: road.left - mark.1,
                speed_mps: if moving { areas.distance / areas.time } else { speed },
                density_pcu_m: areas.time / (seconds * given.length_m),
                queue_pcu: (road.arrived - road.left).max(0.0),
                delay_pcu_s: areas.delay,
            };
            *mark = (road.entered, road.left);
            self.distance += areas.distance;
            self.time += areas.time;
            self.delay += areas.delay;
        }
        self.interval.from_s = self.interval.until_s;
        self.interval.until_s = state.time_s(plan);
        self.interval.totals = self.totals(state);
    }

    /// The last interval.
    pub(super) fn interval(&self) -> &Interval {
        &self.interval
    }

    /// Sums up to now.
    pub(super) fn totals(&self, state: &State) -> Totals {
        let mut sums = [Sum::default(); 5];
        let [demanded, entered, present, left, balance] = &mut sums;
        let mut waited_pcu_s = 0.0;
        for origin in state.order.origins.inners() {
            let queue = &state.origins[*origin as usize];
            demanded.add(queue.demanded);
            entered.add(queue.entered);
            waited_pcu_s += queue.waited;
        }
        state.roads.iter().for_each(|road| present.add(road.entered - road.left));
        state.sinks.iter().for_each(|sink| left.add(*sink));
        *balance = self.initial;
        state.origins.iter().for_each(|queue| balance.add(queue.entered));
        let mut kept = *present;
        state.sinks.iter().for_each(|sink| kept.add(*sink));
        Totals {
            initial_pcu: self.initial.pcu(),
            demanded_pcu: demanded.pcu(),
            waiting_pcu: entered.to(*demanded).pcu(),
            entered_pcu: entered.pcu(),
            present_pcu: present.pcu(),
            left_pcu: left.pcu(),
            missing_pcu: kept.to(*balance).pcu(),
            distance_pcu_m: self.distance,
            time_pcu_s: self.time,
            delay_pcu_s: self.delay,
            waited_pcu_s,
        }
    }
}
