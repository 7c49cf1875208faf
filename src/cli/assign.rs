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
use citytwin_core::traffic::roads::{Edited, assignment};
use citytwin_ingest::clock::{Clock as _, SystemClock};
use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::output::Screen;
use crate::network::tntp::{self, NetworkFile};
use crate::network::{self, gmns};

/// How often the line of progress moves on a terminal.
const LINE_EVERY: Duration = Duration::from_millis(100);

/// `citytwin assign`
#[derive(Args, Clone, Debug)]
pub struct AssignArgs {
    /// The network: a TNTP file (…_net.tntp), or a GMNS folder (its times are seconds)
    #[arg(long, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    network: PathBuf,
    /// The trips: a TNTP file (…_trips.tntp); beside a GMNS folder a CSV table with the columns
    /// o_zone_id, d_zone_id and volume, vehicles an hour
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    trips: PathBuf,
    /// Time that one unit of toll is worth (TNTP)
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    toll_factor: f64,
    /// Time that one unit of length is worth (TNTP)
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    distance_factor: f64,
    /// TOML file of changes, [[close]] and [[capacity]]: TNTP links by from and to, GMNS links by
    /// link
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    edits: Option<PathBuf>,
    /// Stop at this relative gap, (TSTT - SPTT) / TSTT
    #[arg(long, value_name = "GAP", default_value = "1e-6", value_parser = gap)]
    gap: f64,
    /// Stop after this many rounds
    #[arg(long, value_name = "N", default_value_t = 1000)]
    iterations: u32,
    /// Write flow and cost of every link to this file: as the TNTP collection has them, or as CSV
    /// with the columns link_id, volume and travel_time
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

/// One link by key, or all links between two junctions as a TNTP file numbers them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ends {
    from: Option<u32>,
    to: Option<u32>,
    link: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    from: Option<u32>,
    to: Option<u32>,
    link: Option<String>,
    factor: f64,
}

/// A network and what travels on it.
struct Case {
    network: Network,
    demand: Demand,
    zones: u32,
    junctions: u32,
    /// Links of the files; behind them come those that join zones to the roads.
    links: usize,
    /// Keys of GMNS links, in order.
    keys: Option<Vec<String>>,
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
    let Case { network, demand, zones, junctions, links, keys } = problem(args)?;
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
        let (flows, costs) = (equilibrium.flows(), equilibrium.costs());
        let text = match &keys {
            None => tntp::flow_file(equilibrium.network().links(), flows, costs),
            Some(keys) => gmns::volumes(keys, flows, costs).context("cannot write a table")?,
        };
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
        zones,
        junctions,
        links,
        closed_links,
    };
    Ok((report, ended))
}

/// Reads all files.
fn problem(args: &AssignArgs) -> Result<Case, Failure> {
    let mut case = if args.network.is_dir() { of_gmns(args)? } else { of_tntp(args)? };
    if let Some(path) = &args.edits {
        let edits: Edits = toml::from_str(&read(path)?).map_err(|error| wrong(path, &error))?;
        edits.apply(&mut case).map_err(|error| wrong(path, &error))?;
    }
    Ok(case)
}

fn of_gmns(args: &AssignArgs) -> Result<Case, Failure> {
    if args.toll_factor != 0.0 || args.distance_factor != 0.0 {
        let told = "--toll-factor and --distance-factor are for TNTP files";
        return Err(Failure::Usage(told.to_owned()));
    }
    let import = network::read(&args.network, &mut |_done| {});
    let roads =
        import.map_err(|error| Failure::Usage(format!("{:#}", anyhow::Error::from(error))))?;
    let roads = roads.network;
    let network = assignment(&roads, &Edited::default());
    let network = network.map_err(|error| wrong(&args.network, &error))?;
    let zones: Vec<String> = roads.zones().iter().map(|zone| zone.key().to_string()).collect();
    let trips =
        gmns::read_trips(&args.trips, &zones).map_err(|error| wrong(&args.trips, &error))?;
    let demand = Demand::new(trips).map_err(|error| wrong(&args.trips, &error))?;
    let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
    Ok(Case {
        network,
        demand,
        zones: count(roads.zones().len()),
        junctions: count(roads.junctions().len()),
        links: roads.links().len(),
        keys: Some(roads.links().iter().map(|link| link.key().to_string()).collect()),
    })
}

fn of_tntp(args: &AssignArgs) -> Result<Case, Failure> {
    let file =
        NetworkFile::read(&read(&args.network)?).map_err(|error| wrong(&args.network, &error))?;
    let trips = tntp::read_trips(&read(&args.trips)?, file.zones)
        .map_err(|error| wrong(&args.trips, &error))?;
    let demand = Demand::new(trips).map_err(|error| wrong(&args.trips, &error))?;
    let factors = CostFactors { toll: args.toll_factor, distance: args.distance_factor };
    let network = file.network(factors).map_err(|error| wrong(&args.network, &error))?;
    let (zones, junctions, links) = (file.zones, file.junctions, file.links.len());
    Ok(Case { network, demand, zones, junctions, links, keys: None })
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

impl Edits {
    /// Lays them on a network.
    fn apply(&self, case: &mut Case) -> Result<(), String> {
        let closures = self.close.iter().map(|ends| (ends.clone(), LinkChange::Close));
        let capacities = self.capacity.iter().map(|capacity| {
            let Capacity { from, to, link, factor } = capacity.clone();
            (Ends { from, to, link }, LinkChange::CapacityFactor(factor))
        });
        for (ends, change) in closures.chain(capacities) {
            for link in ends.links(case)? {
                let changed = case.network.change(link, change);
                changed.map_err(|error| format!("{ends}: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Ends {
    /// The links that are meant: every one between the two junctions, or the one with the key.
    fn links(&self, case: &Case) -> Result<Vec<u32>, String> {
        let numbers = |from: u32, to: u32| Some((from.checked_sub(1)?, to.checked_sub(1)?));
        let links: Vec<u32> = match (self, &case.keys) {
            (Ends { from: Some(from), to: Some(to), link: None }, None) => numbers(*from, *to)
                .map_or_else(Vec::new, |(from, to)| case.network.between(from, to).collect()),
            (Ends { from: None, to: None, link: Some(link) }, Some(keys)) => {
                (0_u32..).zip(keys).filter(|(_, key)| *key == link).map(|(at, _)| at).collect()
            }
            (_, None) => return Err("a change names its link by `from` and `to`".to_owned()),
            (_, Some(_)) => return Err("a change names its link by `link`".to_owned()),
        };
        if links.is_empty() { Err(format!("there is no link {self}")) } else { Ok(links) }
    }
}

impl std::fmt::Display for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.link, self.from, self.to) {
            (Some(link), ..) => write!(f, "{link}"),
            (None, from, to) => {
                write!(f, "from {} to {}", from.unwrap_or_default(), to.unwrap_or_default())
            }
        }
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
    #[test]
    fn a_city_in_gmns_is_solved_and_changed_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        file(
            "node.csv",
            "node_id,x_coord,y_coord\n1,106.70,10.70\n2,106.71,10.70\n3,106.71,10.71\n",
        );
        let links = "link_id,from_node_id,to_node_id,directed,length,facility_type,capacity,\
                     free_speed,lanes\n\
                     straight,1,3,true,1500,primary,900,50,1\nfirst,1,2,true,1100,primary,900,50,1\n\
                     second,2,3,true,1100,primary,900,50,1\n";
        file("link.csv", links);
        file(
            "zone.csv",
            "zone_id,connectors,x_coord,y_coord\nwest,1,106.70,10.70\neast,3,106.71,10.71\n",
        );
        let trips = file("trips.csv", "o_zone_id,d_zone_id,volume\nwest,east,1500\n");
        let flows = file("flows.csv", "");
        let solve_with = |edits: &str| -> Result<(Report, String), String> {
            let edits = file("edits.toml", edits);
            let network = folder.path().to_str().unwrap();
            let line = [
                "citytwin",
                "--network",
                network,
                "--trips",
                &trips,
                "--gap",
                "1e-9",
                "--edits",
                &edits,
                "--flows",
                &flows,
            ];
            let args = Line::try_parse_from(line).unwrap().args;
            let solved = solve(&args, &CancellationToken::new()).map_err(|error| error.to_string());
            Ok((solved?.0, std::fs::read_to_string(&flows).unwrap()))
        };
        let (report, text) = solve_with("").unwrap();
        assert_eq!((report.zones, report.junctions, report.links), (2, 3, 3));
        let rows: Vec<(String, f64, f64)> = csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .map(Result::unwrap)
            .take(3)
            .collect();
        let volume = |key: &str| rows.iter().find(|row| row.0 == key).unwrap().1;
        // Both ways are used and cost the same.
        assert!((volume("straight") + volume("first") - 1_500.0).abs() < 1e-6, "{text}");
        let time = |key: &str| rows.iter().find(|row| row.0 == key).unwrap().2;
        assert!((time("straight") - time("first") - time("second")).abs() < 1e-3, "{text}");
        let (closed, text) = solve_with("[[close]]\nlink = \"straight\"\n").unwrap();
        assert!(closed.total_travel_time > report.total_travel_time, "{text}");
        assert_eq!(closed.closed_links, 1);
        let told = solve_with("[[close]]\nlink = \"nowhere\"\n").unwrap_err();
        assert!(told.contains("there is no link nowhere"), "{told}");
        file("trips.csv", "o_zone_id,d_zone_id,volume\nwest,north,1500\n");
        let told = solve_with("").unwrap_err();
        assert!(
            told.contains("line 2: d_zone_id is \"north\", not a zone of the network"),
            "{told}"
        );
    }

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
            ("[[close]]\nlink = \"a\"\n", "a change names its link by `from` and `to`"),
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
