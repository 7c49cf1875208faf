//! How long the link transmission model takes for an hour of traffic, on one core.
//!
//! Input: the roads of central Ho Chi Minh City (`DATA/hcmc`), 9,500 trips in an hour between
//! random junctions of its main part to 100 destinations; and grids of two-way streets of 80 to
//! 250 m with an origin at every junction, given in random order. Steps of 4 s, figures every
//! minute. Unit: seconds of processor time, median of some runs. Baseline: the same network as
//! point queues, one number a link, which know neither travel times nor room: what any model that
//! moves vehicles by turning shares has to pay.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use citytwin_core::traffic::ltm::{
    Demand, Entrance, Exit, Network, Plan, PlanInputs, RouteChoice, Routing, State, Turning,
    run as go,
};

use crate::city::{self, City, HOUR_S};
use crate::report::Report;
use crate::{fine, grid, machine};

pub(crate) const STEP_S: f64 = 4.0;

const RUNS: usize = 5;

/// Vehicles an hour and places they go to.
const TRIPS: (usize, usize) = (9_500, 100);

/// Looks for a better way, seconds apart; logit weight per second: as scenarios do.
const REROUTING: RouteChoice = RouteChoice { every_s: 60.0, theta_per_s: Some(1.0 / 30.0) };

/// Streets each way: about 1,000, 10,000 and 100,000 links, and seconds that are run.
const SIDES: [(u32, f64); 3] = [(16, HOUR_S), (51, HOUR_S), (160, 600.0)];

/// What an origin of a grid sends, pcu/s.
const FLOW: f64 = 0.02;

pub(crate) fn run(data: &Path, report: &mut Report) {
    let roads = data.join("hcmc/hcmc_center_20260327.osm.pbf");
    match city::read(&roads) {
        Some(network) => hcmc(&City::new(network, TRIPS.0, TRIPS.1), report),
        None => report.note(&format!("No such file: {}", roads.display())),
    }
    let mut per_link = Vec::new();
    for (side, until_s) in SIDES {
        let network = Arc::new(grid::network(side, None));
        let turning = grid::turning(&network);
        let demand = grid::demand(&network, FLOW, false);
        let what = format!("grid of {} links, turning", network.links().len());
        let queues = point_queues(&network, &turning, until_s);
        let plan = plan(&network, demand, Routing::Turning(turning), STEP_S);
        per_link.push(timed(&what, &plan, until_s, RUNS, report));
        let steps = until_s / STEP_S * network.links().len() as f64;
        let nanos = queues * 1e9 / steps;
        report.row(&format!("{what}: point queues"), &format!("{nanos:.1} ns a link and step"));
    }
    let growth = per_link[2] / per_link[0];
    report.row("growth per link and step, 100,000 links to 1,000", &format!("{growth:.2} times"));
    large(report);
    report.note(
        "Seconds are of processor time. Two of five links of the city are passed in less than a \
         step: vehicles pass several of them in one step. What that leaves of the exact answer is \
         compared with a run in steps that are 64 times as short.",
    );
}

fn hcmc(city: &City, report: &mut Report) {
    let (network, starts) = city.network();
    let network = Arc::new(network);
    let turning = city.turning(&network, &starts);
    let size = format!("central HCMC, {} links, one hour", network.links().len());
    let queues = point_queues(&network, &turning, HOUR_S);
    fine::compare(&size, &network, &city.demand(&starts), &turning, report);
    let by_turning = plan(&network, city.demand(&starts), Routing::Turning(turning), STEP_S);
    timed(&format!("{size}, turning"), &by_turning, HOUR_S, RUNS, report);
    report.row(&format!("{size}: point queues"), &format!("{queues:.3} s"));
    let by_end = plan(&network, city.demand(&starts), Routing::Destinations(REROUTING), STEP_S);
    let what = format!("{size}, {} destinations, new routes every minute", TRIPS.1);
    timed(&what, &by_end, HOUR_S, 1, report);
}

/// Memory, and a look at the time.
fn large(report: &mut Report) {
    let network = Arc::new(grid::network(160, Some(100)));
    let what = format!("grid of {} links, 100 destinations, 10 minutes", network.links().len());
    let before = machine::resident_mib(None);
    let demand = grid::demand(&network, FLOW, true);
    let plan = plan(&network, demand, Routing::Destinations(REROUTING), STEP_S);
    timed(&what, &plan, 600.0, 1, report);
    let (peak, bare) = (machine::peak_mib(None), before);
    report.row(&format!("{what}: peak memory"), &format!("{peak:.0} MiB, before it {bare:.0} MiB"));
}

pub(crate) fn plan(
    network: &Arc<Network>,
    demand: Vec<Demand>,
    routing: Routing,
    step_s: f64,
) -> Plan {
    let inputs = PlanInputs {
        step_s,
        interval_s: 60.0,
        demand,
        routing,
        limits: Vec::new(),
        signals: Vec::new(),
        changes: Vec::new(),
    };
    Plan::new(Arc::clone(network), inputs).expect("a sound plan")
}

/// Runs it some times; gives nanoseconds per link and step.
fn timed(what: &str, plan: &Plan, until_s: f64, runs: usize, report: &mut Report) -> f64 {
    let base = State::empty(plan);
    let link_steps = until_s / STEP_S * plan.network().links().len() as f64;
    let repeats = repeats(4e6 / link_steps);
    let mut times = Vec::new();
    let mut totals = None;
    for _ in 0..runs {
        let mut states = vec![base.clone(); repeats as usize];
        let start_s = processor_s();
        for state in &mut states {
            let ended = go(plan, state, until_s, |_| ControlFlow::<()>::Continue(()));
            totals = ended.continue_value();
        }
        times.push((processor_s() - start_s) / f64::from(repeats));
    }
    let totals = totals.expect("it ran");
    let seconds = machine::quantile(&mut times, 0.5);
    let nanos = seconds * 1e9 / link_steps;
    let figure = format!(
        "{seconds:.3} s (best {:.3}), {nanos:.1} ns a link and step; {:.0} of {:.0} pcu there, missing {:e}",
        times[0], totals.left_pcu, totals.demanded_pcu, totals.missing_pcu
    );
    report.row(what, &figure);
    nanos
}

/// Seconds for the same time with point queues.
fn point_queues(network: &Network, turning: &Turning, until_s: f64) -> f64 {
    let links = network.links();
    let mut turns: Vec<Vec<(u32, f64)>> = vec![Vec::new(); links.len()];
    for piece in &turning.pieces {
        let Entrance::Link(link) = piece.from else { continue };
        let sum: f64 = piece.shares.iter().sum();
        let exits = network.exits(piece.from).zip(&piece.shares);
        let roads = exits.filter_map(|(exit, share)| match exit {
            Exit::Link(to) => Some((to, share / sum)),
            Exit::Destination(_) => None,
        });
        turns[link as usize] = roads.collect();
    }
    let most: Vec<f64> = links.iter().map(|link| link.capacity_pcu_s() * STEP_S).collect();
    let mut waiting = vec![1.0; links.len()];
    let steps = (until_s / STEP_S) as u32;
    let repeats = repeats(5e7 / f64::from(steps) / links.len() as f64);
    let start_s = processor_s();
    for _ in 0..steps * repeats {
        for (link, turns) in turns.iter().enumerate() {
            let flow = f64::min(waiting[link], most[link]);
            waiting[link] -= flow;
            for (to, share) in turns {
                waiting[*to as usize] += flow * share;
            }
        }
    }
    std::hint::black_box(&waiting);
    (processor_s() - start_s) / f64::from(repeats)
}

/// How often something is done to take long enough for a clock of some milliseconds.
fn repeats(times: f64) -> u32 {
    times.clamp(1.0, 1e4).ceil() as u32
}

/// Time on a processor so far, in seconds, of a process with one thread.
pub(crate) fn processor_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("Linux says");
    let nanos = text.split_whitespace().next().expect("its first number");
    nanos.parse::<f64>().expect("a number") / 1e9
}
