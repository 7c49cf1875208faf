//! How fast a road network finds its balance, beside the times of another program.
//!
//! Input: the networks of the TNTP collection in `DATA/tntp`. Unit: seconds on one core, reading
//! files left out, the best of some runs.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use citytwin::network::tntp::{NetworkFile, read_trips};
use citytwin_core::traffic::assign::{
    CostFactors, Demand, Equilibrium, LinkChange, Network, Settings,
};

use crate::machine;
use crate::report::Report;

/// Folder, beginning of the file names, cost factors, and what Algorithm B in C (tap-b, one
/// thread) took on such a machine to 1e-4 and 1e-6.
const CITIES: [(&str, &str, CostFactors, &str); 3] = [
    ("SiouxFalls", "SiouxFalls", CostFactors { toll: 0.0, distance: 0.0 }, "0.001 / 0.002"),
    ("Anaheim", "Anaheim", CostFactors { toll: 0.0, distance: 0.0 }, "0.016 / 0.026"),
    (
        "Chicago-Sketch",
        "ChicagoSketch",
        CostFactors { toll: 0.02, distance: 0.04 },
        "0.30 / 0.55, to 1e-10 1.2",
    ),
];

const RUNS: usize = 5;

/// So many links, spread from the busiest to the emptiest, are closed one at a time.
const CLOSURES: usize = 30;

pub(crate) fn run(data: &Path, report: &mut Report) {
    for (folder, name, factors, other) in CITIES {
        let files = data.join(format!("tntp/{folder}/{name}"));
        let Some((network, demand)) = problem(&files, factors) else {
            report.note(&format!("{folder}: no such files: {}_…", files.display()));
            continue;
        };
        let size = format!("{folder} ({} links)", network.links().len());
        for gap in [1e-4, 1e-6, 1e-10, 1e-12] {
            let best = (0..RUNS).map(|_| cold(&network, &demand, gap).0).fold(f64::MAX, f64::min);
            report.row(&format!("{size} to gap {gap:e}"), &format!("{best:.4} s"));
        }
        report.row(&format!("{size}: tap-b to 1e-4 / 1e-6"), &format!("{other} s"));
        closures(&size, &network, &demand, report);
    }
    report.note("Closures: one link closed in a base solved to 1e-6, re-solved warm to 1e-6.");
}

fn problem(files: &Path, factors: CostFactors) -> Option<(Network, Demand)> {
    let text = |kind| fs::read_to_string(format!("{}_{kind}.tntp", files.display())).ok();
    let file = NetworkFile::read(&text("net")?).expect("a network of the collection");
    let trips = read_trips(&text("trips")?, file.zones).expect("trips of the collection");
    let demand = Demand::new(trips).expect("trips of the collection");
    Some((file.network(factors).expect("a network of the collection"), demand))
}

/// Seconds from nothing to a gap.
fn cold(network: &Network, demand: &Demand, gap: f64) -> (f64, Equilibrium) {
    let (network, demand) = (network.clone(), demand.clone());
    let start = Instant::now();
    let mut city = Equilibrium::new(network, demand).expect("the demand fits the network");
    solve(&mut city, gap);
    (start.elapsed().as_secs_f64(), city)
}

fn solve(city: &mut Equilibrium, gap: f64) {
    let settings = Settings { target_gap: gap, max_iterations: 1000 };
    city.solve(settings, |_| ControlFlow::Continue(()));
}

fn closures(size: &str, network: &Network, demand: &Demand, report: &mut Report) {
    let (_, base) = cold(network, demand, 1e-6);
    let mut busiest: Vec<(u32, f64)> = (0..).zip(base.flows().iter().copied()).collect();
    busiest.sort_by(|a, b| b.1.total_cmp(&a.1));
    let every = (busiest.len() / CLOSURES).max(1);
    let mut times: Vec<f64> = Vec::new();
    for &(link, _) in busiest.iter().step_by(every) {
        let mut fork = base.clone();
        let start = Instant::now();
        fork.change(&[(link, LinkChange::Close)]).expect("a link of this network");
        solve(&mut fork, 1e-6);
        times.push(start.elapsed().as_secs_f64());
    }
    let (half, most) = (machine::quantile(&mut times, 0.5), machine::quantile(&mut times, 1.0));
    let figure = format!("median {half:.4} s, longest {most:.4} s");
    report.row(&format!("{size}: {} closures", times.len()), &figure);
}
