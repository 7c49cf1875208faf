//! `citytwin assign`: the user equilibrium of a network and a trips file, solved here, without an
//! engine. Prints what people of the field compare: objective, total cost, relative gap,
//! iterations, seconds. The work is in `citytwin_core::traffic::assign`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use citytwin_core::traffic::assign::{
    CostFactors, Demand, Ended, Equilibrium, LinkChange, Network, Progress, Settings, Summary,
};
use citytwin_ingest::clock::{Clock as _, SystemClock};
use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::output::Screen;
use crate::network::tntp::{self, NetworkFile};

/// How often the line of progress moves on a terminal.
const LINE_EVERY: Duration = Duration::from_millis(100);

/// `citytwin assign`
#[derive(Args, Clone, Debug)]
pub struct AssignArgs {
    /// The network, a TNTP file (…_net.tntp)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    network: PathBuf,
    /// The trips, a TNTP file (…_trips.tntp)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    trips: PathBuf,
    /// Time that one unit of toll is worth
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    toll_factor: f64,
    /// Time that one unit of length is worth
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    distance_factor: f64,
    /// TOML file of changes: [[close]] and [[capacity]]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    edits: Option<PathBuf>,
    /// Stop at this relative gap, (TSTT - SPTT) / TSTT
    #[arg(long, value_name = "GAP", default_value = "1e-6", value_parser = gap)]
    gap: f64,
    /// Stop after this many rounds
    #[arg(long, value_name = "N", default_value_t = 1000)]
    iterations: u32,
    /// Write flow and cost of every link to this file, as the TNTP collection has them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    flows: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints. Costs are in the network's unit of time.
#[derive(Debug, Serialize)]
struct Report {
    converged: bool,
    relative_gap: f64,
    objective: f64,
    total_travel_time: f64,
    iterations: u32,
    seconds: f64,
    trips: f64,
    trips_within_zones: f64,
    trips_unserved: f64,
    zones: u32,
    junctions: u32,
    links: usize,
    closed_links: usize,
}

/// A file of `--edits`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edits {
    #[serde(default)]
    close: Vec<Ends>,
    #[serde(default)]
    capacity: Vec<Capacity>,
}

/// Junctions as the network file numbers them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    from: u32,
    to: u32,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    from: u32,
    to: u32,
    factor: f64,
}

fn gap(text: &str) -> Result<f64, String> {
    let gap = text.parse().ok().filter(|gap| *gap > 0.0 && *gap < 1.0);
    gap.ok_or_else(|| "allowed: above 0 and below 1, such as 1e-6".to_owned())
}

/// Solves and prints.
///
/// # Errors
/// When a file is wrong or cannot be written, or the target is not reached (after printing).
pub async fn assign(args: AssignArgs, screen: &mut Screen) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let guard = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            guard.cancel();
        }
    });
    let args = Arc::new(args);
    let work = Arc::clone(&args);
    let solved = tokio::task::spawn_blocking(move || solve(&work, &stop));
    let (report, ended) = solved.await.context("the solver ended early")??;
    if args.json {
        screen.line(serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?)?;
    } else {
        show(&report, screen)?;
    }
    match ended {
        Ended::Converged => Ok(()),
        Ended::OutOfIterations => Err(not_there(&args, "the rounds are used up (--iterations)")),
        Ended::Cancelled => Err(not_there(&args, "stopped by Ctrl-C")),
    }
}

fn not_there(args: &AssignArgs, why: &str) -> Failure {
    anyhow::anyhow!("relative gap {:e} is not reached: {why}", args.gap).into()
}

fn solve(args: &AssignArgs, stop: &CancellationToken) -> Result<(Report, Ended), Failure> {
    let (file, network, demand) = problem(args)?;
    let closed = (0_u32..).zip(network.links()).filter(|(link, _)| network.is_closed(*link));
    let closed_links = closed.count();
    let clock = SystemClock::new();
    let mut equilibrium =
        Equilibrium::new(network, demand).map_err(|error| wrong(&args.trips, &error))?;
    let settings = Settings { target_gap: args.gap, max_iterations: args.iterations };
    let bar = progress_bar();
    let summary = equilibrium.solve(settings, |progress| {
        bar.set_message(progress_line(progress, args.gap));
        if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let seconds = clock.monotonic().as_secs_f64();
    bar.finish_and_clear();
    if let Some(path) = &args.flows {
        let links = equilibrium.network().links();
        let text = tntp::flow_file(links, equilibrium.flows(), equilibrium.costs());
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let Summary { ended, iterations, relative_gap, objective, total_cost, trips, unserved } =
        summary;
    let report = Report {
        converged: ended == Ended::Converged,
        relative_gap,
        objective,
        total_travel_time: total_cost,
        iterations,
        seconds,
        trips,
        trips_within_zones: equilibrium.demand().within(),
        trips_unserved: unserved,
        zones: file.zones,
        junctions: file.junctions,
        links: file.links.len(),
        closed_links,
    };
    Ok((report, ended))
}

/// Reads all files.
fn problem(args: &AssignArgs) -> Result<(NetworkFile, Network, Demand), Failure> {
    let file =
        NetworkFile::read(&read(&args.network)?).map_err(|error| wrong(&args.network, &error))?;
    let trips = tntp::read_trips(&read(&args.trips)?, file.zones)
        .map_err(|error| wrong(&args.trips, &error))?;
    let demand = Demand::new(trips).map_err(|error| wrong(&args.trips, &error))?;
    let factors = CostFactors { toll: args.toll_factor, distance: args.distance_factor };
    let mut network = file.network(factors).map_err(|error| wrong(&args.network, &error))?;
    if let Some(path) = &args.edits {
        let edits: Edits = toml::from_str(&read(path)?).map_err(|error| wrong(path, &error))?;
        edits.apply(&mut network).map_err(|error| wrong(path, &error))?;
    }
    Ok((file, network, demand))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

impl Edits {
    /// Lays them on a network. Every link between the two junctions is meant.
    fn apply(&self, network: &mut Network) -> Result<(), String> {
        let closures = self.close.iter().map(|ends| (*ends, LinkChange::Close));
        let capacities = self.capacity.iter().map(|Capacity { from, to, factor }| {
            (Ends { from: *from, to: *to }, LinkChange::CapacityFactor(*factor))
        });
        for (Ends { from, to }, change) in closures.chain(capacities) {
            let links: Vec<u32> = match (from.checked_sub(1), to.checked_sub(1)) {
                (Some(from), Some(to)) => network.between(from, to).collect(),
                (None, _) | (_, None) => Vec::new(),
            };
            if links.is_empty() {
                return Err(format!("there is no link from {from} to {to}"));
            }
            for link in links {
                network
                    .change(link, change)
                    .map_err(|error| format!("from {from} to {to}: {error}"))?;
            }
        }
        Ok(())
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
    if !bar.is_hidden() {
        bar.enable_steady_tick(LINE_EVERY);
    }
    bar
}

fn progress_line(Progress { iterations, relative_gap }: Progress, target: f64) -> String {
    format!("round {iterations}, relative gap {relative_gap:.2e}, wanted {target:.0e}")
}

fn show(report: &Report, screen: &mut Screen) -> Result<(), Failure> {
    let some = |trips: f64| if trips > 0.0 { format!("{trips:.4}") } else { String::new() };
    let closed = match report.closed_links {
        0 => String::new(),
        closed => format!(", {closed} of them closed"),
    };
    screen.facts(&[
        (
            "network",
            format!(
                "{} zones, {} junctions, {} links{closed}",
                report.zones, report.junctions, report.links
            ),
        ),
        ("trips", format!("{:.4}", report.trips)),
        ("within zones", some(report.trips_within_zones)),
        ("unserved", some(report.trips_unserved)),
        ("objective", format!("{:.8}", report.objective)),
        ("total travel time", format!("{:.8}", report.total_travel_time)),
        ("relative gap", format!("{:.3e}", report.relative_gap)),
        ("iterations", report.iterations.to_string()),
        ("seconds", format!("{:.4}", report.seconds)),
    ])
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: AssignArgs,
    }

    const NET: &str = "\
<NUMBER OF ZONES> 2
<NUMBER OF NODES> 4
<FIRST THRU NODE> 1
<NUMBER OF LINKS> 5
<END OF METADATA>
1 3 1 100 0.00000001 1000000000 1 0 0 1 ;
1 4 1 100 50 0.02 1 0 0 1 ;
3 2 1 100 50 0.02 1 0 0 1 ;
3 4 1 100 10 0.1 1 0 0 1 ;
4 2 1 100 0.00000001 1000000000 1 0 0 1 ;
";
    const TRIPS: &str = "<NUMBER OF ZONES> 2\n<END OF METADATA>\nOrigin 1\n 1 : 2.5; 2 : 6.0;\n";

    /// The result with these edits, and the flow file.
    fn run(edits: &str, more: &[&str]) -> Result<(Report, Ended, String), String> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (network, trips) = (file("net", NET), file("trips", TRIPS));
        let (edits, flows) = (file("edits", edits), file("flows", ""));
        let mut line = vec!["citytwin", "--network", &network, "--trips", &trips];
        line.extend(["--edits", &edits, "--flows", &flows]);
        line.extend(more);
        let args = Line::try_parse_from(line).map_err(|error| error.to_string())?.args;
        let solved = solve(&args, &CancellationToken::new());
        let (report, ended) = solved.map_err(|failure| failure.to_string())?;
        Ok((report, ended, std::fs::read_to_string(flows).unwrap()))
    }

    #[test]
    fn braess_with_and_without_the_middle_link() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-3, "{found}");
        let (report, ended, flows) = run("", &["--gap", "1e-12"]).unwrap();
        near(report.total_travel_time, 552.0);
        near(report.objective, 386.0);
        near(report.trips_within_zones, 2.5);
        assert_eq!((ended, report.closed_links), (Ended::Converged, 0));
        assert_eq!(flows.lines().count(), 6);
        let (report, ..) = run("[[close]]\nfrom = 3\nto = 4\n", &["--gap", "1e-12"]).unwrap();
        near(report.total_travel_time, 498.0);
        assert_eq!(report.closed_links, 1);
        let half = "[[capacity]]\nfrom = 1\nto = 4\nfactor = 0.5\n";
        let (slower, ..) = run(half, &["--gap", "1e-12"]).unwrap();
        assert!(slower.total_travel_time > 552.1, "{slower:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("[[close]]\nfrom = 1\nto = 2\n", "edits: there is no link from 1 to 2"),
            ("[[close]]\nfrom = 0\nto = 2\n", "there is no link from 0 to 2"),
            ("[[closed]]\nfrom = 1\nto = 3\n", "unknown field `closed`"),
            ("[[capacity]]\nfrom = 1\nto = 3\nfactor = 0\n", "capacity factor 0 is not allowed"),
        ];
        for (edits, expected) in table {
            let told = run(edits, &[]).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
        let told = run("", &["--gap", "0"]).unwrap_err();
        assert!(told.contains("allowed: above 0 and below 1"), "{told}");
        let (_, ended, _) = run("", &["--gap", "1e-12", "--iterations", "0"]).unwrap();
        assert_eq!(ended, Ended::OutOfIterations);
    }
}
