//! The plan: everything about a scenario that is known before it runs, checked once. The base and
//! each fork have one; a fork's differs in its changes, demand, signals or turning.

use std::sync::Arc;

use super::change::{Change, Effect, Factors};
use super::demand::{Demand, Profiles};
use super::error::PlanError;
use super::layout::{Layout, Range, widen};
use super::network::Network;
use super::signal::{MovementLimit, Signal, SignalMode};
use super::turning::{Shares, Turning};

/// Most destinations of a network that is routed by destination.
pub(crate) const MAX_DESTINATIONS: usize = 254;

/// How vehicles find their way.
#[derive(Clone, Debug, PartialEq)]
pub enum Routing {
    /// By shares at each junction: for short horizons, and when no destinations are known.
    Turning(Turning),
    /// By the shortest way to each vehicle's destination, in current travel times.
    Destinations(RouteChoice),
}

/// How routes are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouteChoice {
    /// Seconds between looks at the traffic; a whole multiple of the step.
    pub every_s: f64,
    /// Logit weight per second of travel time: the share of a way falls by e for each 1/θ
    /// seconds that it is longer, among ways that bring one nearer (Dial 1971). `None` for all on
    /// the shortest.
    pub theta_per_s: Option<f64>,
}

/// What a plan is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanInputs {
    /// The step Δ in seconds, of any length: links may be passed in less than a step.
    pub step_s: f64,
    /// Seconds between figures; a whole multiple of the step.
    pub interval_s: f64,
    /// Who enters.
    pub demand: Vec<Demand>,
    /// Who goes where.
    pub routing: Routing,
    /// Limits of movements.
    pub limits: Vec<MovementLimit>,
    /// Signal programmes for them.
    pub signals: Vec<Signal>,
    /// Edits.
    pub changes: Vec<Change>,
}

/// Checked routing.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    Shares(Shares),
    Routes(RouteChoice),
}

/// A checked plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    network: Arc<Network>,
    step_s: f64,
    interval_steps: u64,
    reroute_steps: u64,
    layout: Layout,
    profiles: Profiles,
    way: Way,
    limits: Limits,
    /// Per origin, the most it lets in, in pcu/s.
    gates: Vec<f64>,
    changes: Vec<Change>,
    /// Changes sorted by link: link, row.
    by_link: Vec<(u32, u32)>,
    /// Forbidden movements, sorted: movement, row.
    bans: Vec<(u32, u32)>,
    changed_links: Vec<u32>,
    changed_ways: Vec<u32>,
    events: Vec<f64>,
}

/// Limits by movement.
#[derive(Clone, Debug, PartialEq)]
struct Limits {
    /// Movement, flow, signal; sorted by movement.
    rows: Vec<(u32, f64, Option<u32>)>,
    signals: Vec<Signal>,
    /// Per way in, its rows.
    of_way: Vec<(u32, u32)>,
}

impl Plan {
    /// Checks the inputs and lays out the tables.
    ///
    /// # Errors
    /// When a row is not allowed; see [`PlanError`].
    pub fn new(network: Arc<Network>, inputs: PlanInputs) -> Result<Plan, PlanError> {
        let PlanInputs { step_s, interval_s, demand, routing, limits, signals, changes } = inputs;
        let interval_steps = multiple(step_s, interval_s, "the interval")?;
        for (row, change) in changes.iter().enumerate() {
            change.check(row, &network)?;
        }
        let changes: Vec<Change> =
            changes.into_iter().map(|change| change.inside(&network)).collect();
        let by_destination = matches!(routing, Routing::Destinations(_));
        let profiles = Profiles::new(&network, &demand, by_destination)?;
        let (way, reroute_steps) = match routing {
            Routing::Turning(turning) => (Way::Shares(Shares::new(&network, &turning)?), 0),
            Routing::Destinations(choice) => {
                if !(1..=MAX_DESTINATIONS).contains(&network.destinations().len()) {
                    return Err(PlanError::Destinations(MAX_DESTINATIONS));
                }
                if network.widest().1 > MAX_DESTINATIONS {
                    return Err(PlanError::TooWide(MAX_DESTINATIONS));
                }
                if choice.theta_per_s.is_some_and(|theta| !(theta.is_finite() && theta > 0.0)) {
                    return Err(PlanError::Time("the logit weight"));
                }
                (Way::Routes(choice), multiple(step_s, choice.every_s, "the time of re-routing")?)
            }
        };
        let limits = Limits::new(&network, &limits, signals)?;
        let layout = Layout::new(&network, step_s, &ranges(&network, &changes));
        let mut by_link: Vec<(u32, u32)> = changes
            .iter()
            .zip(0..)
            .filter_map(|(change, row)| Some((change.link()?, row)))
            .collect();
        by_link.sort_unstable();
        let mut changed_links: Vec<u32> = by_link.iter().map(|(link, _)| *link).collect();
        changed_links.dedup();
        let gates = (0..network.origins().len()).map(|row| network.origin_capacity(row)).collect();
        let mut plan = Plan {
            network,
            step_s,
            interval_steps,
            reroute_steps,
            layout,
            profiles,
            way,
            limits,
            gates,
            changes,
            by_link,
            bans: Vec::new(),
            changed_links,
            changed_ways: Vec::new(),
            events: Vec::new(),
        };
        plan.list_events();
        Ok(plan)
    }

    /// When something changes, and which ways in it touches.
    fn list_events(&mut self) {
        let network = &self.network;
        let mut ways: Vec<u32> = Vec::new();
        for (change, row) in self.changes.iter().zip(0..) {
            match change.effect {
                Effect::Close { link } => {
                    ways.extend(network.feeders(link as usize).iter().map(|(way, _)| *way));
                }
                Effect::Ban { movement } => {
                    self.bans.push((movement, row));
                    let target = network.target(movement as usize) as usize;
                    let feeders = network.feeders(target).iter();
                    ways.extend(feeders.filter(|(_, of)| *of == movement).map(|(way, _)| *way));
                }
                Effect::Capacity { .. }
                | Effect::Speed { .. }
                | Effect::Lanes { .. }
                | Effect::Toll { .. }
                | Effect::Avoid { .. } => {}
            }
        }
        let times = self.changes.iter().flat_map(|change| [change.from_s, change.until_s]);
        let mut events: Vec<f64> = times.filter(|time| time.is_finite()).collect();
        if let Way::Shares(shares) = &self.way {
            for (way, from_s) in shares.changes() {
                ways.push(u32::try_from(way).expect("networks have fewer than 2^32 ways"));
                events.push(from_s);
            }
        }
        self.bans.sort_unstable();
        ways.sort_unstable();
        ways.dedup();
        events.sort_by(f64::total_cmp);
        events.dedup_by(|a, b| a.total_cmp(b).is_eq());
        (self.changed_ways, self.events) = (ways, events);
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The step Δ in seconds.
    pub fn step_s(&self) -> f64 {
        self.step_s
    }

    /// Seconds between figures.
    pub fn interval_s(&self) -> f64 {
        self.interval_steps as f64 * self.step_s
    }

    /// Whether a state of `other` can go on with this plan.
    pub(super) fn continues(&self, other: &Plan) -> bool {
        let kind = std::mem::discriminant(&self.way) == std::mem::discriminant(&other.way);
        let network = Arc::ptr_eq(&self.network, &other.network) || self.network == other.network;
        let step = self.step_s.to_bits() == other.step_s.to_bits();
        kind && network && step && self.interval_steps == other.interval_steps
    }

    pub(super) fn interval_steps(&self) -> u64 {
        self.interval_steps
    }

    pub(super) fn reroute_steps(&self) -> u64 {
        self.reroute_steps
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// Labels of a way: one for each destination, one where none are known.
    pub(super) fn labels(&self) -> usize {
        match self.way {
            Way::Routes(_) => self.network.destinations().len(),
            Way::Shares(_) => 1,
        }
    }

    /// The most an origin, as a way in, lets in, in pcu/s.
    pub(super) fn gate(&self, way: usize) -> f64 {
        self.gates[way - self.network.links().len()]
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Whether a movement is forbidden at a time.
    pub(super) fn bans(&self, movement: usize, time_s: f64) -> bool {
        let begin = self.bans.partition_point(|(of, _)| (*of as usize) < movement);
        let mut rows = self.bans[begin..].iter().take_while(|(of, _)| *of as usize == movement);
        rows.any(|(_, row)| self.changes[*row as usize].holds_at(time_s))
    }

    /// All edits, of links by the model's numbers.
    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn changes_of(&self, link: usize) -> impl Iterator<Item = &Change> {
        let begin = self.by_link.partition_point(|(of, _)| (*of as usize) < link);
        let rows = self.by_link[begin..].iter().take_while(move |(of, _)| *of as usize == link);
        rows.map(|(_, row)| &self.changes[*row as usize])
    }

    pub(super) fn changed_links(&self) -> &[u32] {
        &self.changed_links
    }

    pub(super) fn changed_ways(&self) -> &[u32] {
        &self.changed_ways
    }

    /// How many events are at or before a time.
    pub(super) fn events_by(&self, time_s: f64) -> usize {
        self.events.partition_point(|event| *event <= time_s)
    }

    /// Whether any movement has a limit.
    pub(super) fn is_limited(&self) -> bool {
        !self.limits.of_way.is_empty()
    }

    /// The most a way in lets through in a step, given its shares (no limit if it has none), and
    /// in which part of the step anything of it has green.
    pub(super) fn limit(&self, way: usize, shares: &[f64], from_s: f64, step_s: f64) -> (f64, f64) {
        let Limits { rows, signals, of_way } = &self.limits;
        let Some((begin, end)) = of_way.get(way) else { return (f64::INFINITY, 1.0) };
        let first = self.network.moves(way).start;
        let (mut most, mut longest, mut limited) = (f64::INFINITY, 0.0_f64, 0.0);
        for (movement, flow, signal) in &rows[*begin as usize..*end as usize] {
            let share = shares[*movement as usize - first];
            if share > 0.0 {
                let signal = signal.map(|signal| &signals[signal as usize]);
                let green = signal.map_or(step_s, |signal| signal.green_s(from_s, step_s));
                most = most.min(flow * green / share);
                longest = longest.max(green);
                limited += share;
            }
        }
        // Who turns where there is no light does not wait for one.
        let whole = limited < 1.0 - 1e-9;
        (most, if whole { 1.0 } else { longest / step_s })
    }
}

impl Limits {
    fn new(
        network: &Network,
        limits: &[MovementLimit],
        mut signals: Vec<Signal>,
    ) -> Result<Limits, PlanError> {
        for (row, signal) in signals.iter().enumerate() {
            signal.check(row)?;
        }
        let mut rows = Vec::with_capacity(limits.len());
        for (row, limit) in limits.iter().enumerate() {
            let known = (limit.movement as usize) < network.movements()
                && limit.signal.is_none_or(|signal| (signal as usize) < signals.len());
            if !(known && limit.flow_pcu_s.is_finite() && limit.flow_pcu_s >= 0.0) {
                return Err(PlanError::Limit(row));
            }
            rows.push((limit.movement, limit.flow_pcu_s, limit.signal));
        }
        rows.sort_by_key(|(movement, _, _)| *movement);
        let ways = if rows.is_empty() { 0 } else { network.ways_in() };
        let mut of_way = Vec::with_capacity(ways);
        for way in 0..ways {
            let span = network.moves(way);
            let begin = rows.partition_point(|(movement, _, _)| (*movement as usize) < span.start);
            let end = rows.partition_point(|(movement, _, _)| (*movement as usize) < span.end);
            average_if_mixed(&mut rows[begin..end], &mut signals);
            let number = |row| u32::try_from(row).map_err(|_over| PlanError::Limit(row));
            of_way.push((number(begin)?, number(end)?));
        }
        Ok(Limits { rows, signals, of_way })
    }
}

/// Where one way in hangs on several signals, they act on average (see [`SignalMode::OnOff`]).
fn average_if_mixed(rows: &mut [(u32, f64, Option<u32>)], signals: &mut Vec<Signal>) {
    let first = rows.iter().find_map(|(_, _, signal)| *signal);
    if rows.iter().all(|(_, _, signal)| signal.is_none() || *signal == first) {
        return;
    }
    for signal in rows.iter_mut().filter_map(|(_, _, signal)| signal.as_mut()) {
        let given = &signals[*signal as usize];
        if given.mode == SignalMode::OnOff {
            signals.push(given.averaged());
            *signal = u32::try_from(signals.len() - 1).expect("fewer signals than movements");
        }
    }
}

/// How many steps a time is, if it is a whole number of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 1..1e9")]
fn multiple(step_s: f64, time_s: f64, name: &'static str) -> Result<u64, PlanError> {
    let count = (time_s / step_s).round();
    let whole = (count * step_s - time_s).abs() <= 1e-9 * time_s;
    let allowed = step_s.is_finite() && step_s > 0.0 && whole && (1.0..1e9).contains(&count);
    if allowed { Ok(count as u64) } else { Err(PlanError::Time(name)) }
}

/// The speeds each link will have.
fn ranges(network: &Network, changes: &[Change]) -> Vec<Range> {
    let mut ranges = vec![(1.0, 1.0); network.links().len()];
    for change in changes {
        if let Some(link) = change.link() {
            let range = &mut ranges[link as usize];
            *range = widen(*range, Factors::NONE.and(change.effect));
        }
    }
    ranges
}
