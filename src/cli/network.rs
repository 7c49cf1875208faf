//! `citytwin network`: roads into the program's own form, what is wrong with them, what they are.
//! What is here works on files; what asks an engine is in [`roads`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_core::road::{Network, Problem, RoadClass, Severity};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use h3o::Resolution;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args::ClientArgs;
use super::failure::Failure;
use super::output::Screen;
use super::{help, roads};
use crate::network::{self, Import, geojson, gmns, tntp};

/// Findings of one kind that are listed, unless all are asked for.
const LISTED: usize = 5;

/// `citytwin network`
#[derive(Clone, Debug, Subcommand)]
pub enum NetworkCommand {
    /// Read roads (OpenStreetMap PBF, GMNS, TNTP) and write them as GMNS
    #[command(after_long_help = help::NETWORK_IMPORT)]
    Import(ImportArgs),
    /// Say what is wrong or odd about roads; exit code 1 if something is wrong
    #[command(after_long_help = help::NETWORK_CHECK)]
    Check(CheckArgs),
    /// Show what roads there are
    #[command(after_long_help = help::NETWORK_SHOW)]
    Show(SourceArgs),
    /// Write roads for other programs
    #[command(after_long_help = help::NETWORK_EXPORT)]
    Export(ExportArgs),
    /// Bring roads to an engine: scenarios are laid on them from then on
    #[command(after_long_help = help::NETWORK_UPLOAD)]
    Upload(roads::UploadArgs),
    /// List the networks of an engine
    List(ClientArgs),
    /// List the links of an engine's network
    Links(roads::LinksArgs),
    /// Show which sensors stand on which link, and which on none
    Matches(roads::MatchesArgs),
    /// Estimate trips between zones from what an engine's sensors count, and say how well they fit
    #[command(after_long_help = help::NETWORK_CALIBRATE)]
    Calibrate(roads::CalibrateArgs),
}

/// Which roads.
#[derive(Args, Clone, Debug)]
pub struct SourceArgs {
    /// OpenStreetMap extract (.osm.pbf), or a GMNS folder with node.csv and link.csv; to import, a
    /// TNTP file (…_net.tntp) with its node file beside it, too
    #[arg(value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    pub source: PathBuf,
    /// Print JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// `citytwin network import`
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// GMNS folder to write; made if it is not there
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Of a TNTP file: what one of its lengths is
    #[arg(long, value_name = "UNIT", default_value = "mi", value_parser = ["m", "km", "mi", "ft"])]
    tntp_length: String,
    /// Of a TNTP file: what one of its times is
    #[arg(long, value_name = "UNIT", default_value = "min", value_parser = ["s", "min", "h"])]
    tntp_time: String,
    /// Merge alike links in a row, and unlike ones where one is shorter than this, such as 30m
    #[arg(long, value_name = "LENGTH", value_parser = metres)]
    merge_below: Option<f64>,
    /// Make the H3 cells of this resolution the zones between which trips are estimated, such as 8
    #[arg(long, value_name = "5-10", value_parser = resolution)]
    cell_zones: Option<Resolution>,
}

/// `citytwin network check`
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// List every finding, not only the first of each kind
    #[arg(long)]
    all: bool,
}

/// `citytwin network export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// How to write them
    #[arg(long)]
    format: ExportFormat,
    /// Where to: a folder for gmns, a file for geojson
    #[arg(long, value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    out: PathBuf,
}

/// How roads are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ExportFormat {
    /// General Modeling Network Specification: a folder of CSV tables
    Gmns,
    /// One GeoJSON file, a line for each link
    Geojson,
}

/// `30m` or `30`.
fn metres(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('m').unwrap_or(text).trim().parse::<f64>().ok();
    number
        .filter(|metres| (0.0..=10_000.0).contains(metres))
        .ok_or_else(|| format!("{text:?} is no length; allowed: 0m to 10000m"))
}

/// An H3 resolution that makes zones of a city.
fn resolution(text: &str) -> Result<Resolution, String> {
    let number = text.parse::<u8>().ok().filter(|number| (5..=10).contains(number));
    number
        .and_then(|number| Resolution::try_from(number).ok())
        .ok_or_else(|| format!("{text:?} is not allowed; allowed: 5 (250 km²) to 10 (0.015 km²)"))
}

/// Does it.
///
/// # Errors
/// When a file cannot be read or written, or a check found something wrong.
pub async fn run(command: &NetworkCommand, screen: &mut Screen) -> Result<(), Failure> {
    match command {
        NetworkCommand::Import(args) => import(args, screen),
        NetworkCommand::Check(args) => check(args, screen),
        NetworkCommand::Show(args) => show(args, screen),
        NetworkCommand::Export(args) => export(args, screen),
        NetworkCommand::Upload(args) => roads::upload(args, screen).await,
        NetworkCommand::List(args) => roads::list(args, screen).await,
        NetworkCommand::Links(args) => roads::links(args, screen).await,
        NetworkCommand::Matches(args) => roads::matches(args, screen).await,
        NetworkCommand::Calibrate(args) => roads::calibrate(args, screen).await,
    }
}

/// Reads with a bar on a terminal; GMNS is read too fast for one.
fn read(path: &Path) -> Result<Import, Failure> {
    let style = "{spinner} reading roads {bar:30} {bytes}/{total_bytes} {eta}";
    let style = ProgressStyle::with_template(style).expect("the template is sound");
    let bar = ProgressBar::new(network::work(path)).with_style(style);
    let import = network::read(path, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    Ok(import.map_err(anyhow::Error::from)?)
}

/// A TNTP file says nothing of its units.
fn read_tntp(args: &ImportArgs) -> Result<Import, Failure> {
    let length_m = match args.tntp_length.as_str() {
        "m" => 1.0,
        "km" => 1_000.0,
        "ft" => 0.3048,
        _ => 1_609.344,
    };
    let time_s = match args.tntp_time.as_str() {
        "s" => 1.0,
        "h" => 3_600.0,
        _ => 60.0,
    };
    let units = tntp::roads::Units { length_m, time_s };
    let read = tntp::roads::read(&args.source.source, units).map_err(anyhow::Error::from)?;
    Ok(Import::of(read))
}

fn import(args: &ImportArgs, screen: &mut Screen) -> Result<(), Failure> {
    let source = &args.source.source;
    let is_tntp = source.extension().is_some_and(|extension| extension == "tntp");
    let mut import = if is_tntp { read_tntp(args)? } else { read(source)? };
    let before = import.network.links().len();
    let mut merged = Value::Null;
    let mut line = None;
    if let Some(below_m) = args.merge_below {
        let result = import.network.merge_below(below_m);
        merged = json!({
            "below_m": below_m,
            "links_gone": result.links_gone,
            "junctions_gone": result.junctions_gone,
            "links_still_short": result.still_short,
        });
        line = Some(format!(
            "{before} links became {}; {} are still shorter than {below_m} m",
            result.network.links().len(),
            result.still_short
        ));
        import.network = result.network;
    }
    if let Some(resolution) = args.cell_zones {
        import.network = import.network.with_cells_as_zones(resolution);
    }
    gmns::write(&args.out, &import.network).map_err(anyhow::Error::from)?;
    if args.source.json {
        let mut about = about(&import);
        about["merged"] = merged;
        about["out"] = args.out.display().to_string().into();
        return screen.line(about);
    }
    facts(&import, screen)?;
    notes(&import, screen)?;
    if let Some(line) = line {
        screen.line(line)?;
    }
    let faults = import.faults.len();
    if faults > 0 {
        screen.line(format_args!(
            "{faults} things were left out; `citytwin network check {}` says which",
            args.source.source.display()
        ))?;
    }
    screen.line(format_args!("written to {}", args.out.display()))
}

fn show(args: &SourceArgs, screen: &mut Screen) -> Result<(), Failure> {
    let import = read(&args.source)?;
    if args.json {
        return screen.line(about(&import));
    }
    facts(&import, screen)?;
    notes(&import, screen)?;
    screen.line("")?;
    let rows = by_class(&import.network).into_iter().map(|(class, (links, km, lane_km))| {
        vec![
            class.name().to_owned(),
            links.to_string(),
            format!("{km:.1}"),
            format!("{lane_km:.1}"),
        ]
    });
    screen.table(&["CLASS", "LINKS", "KM", "LANE KM"], rows.collect())
}

fn check(args: &CheckArgs, screen: &mut Screen) -> Result<(), Failure> {
    let import = read(&args.source.source)?;
    let mut problems = import.faults.clone();
    problems.extend(import.network.check());
    let faults = problems.iter().filter(|one| one.severity() == Severity::Fault).count();
    if args.source.json {
        let all: Vec<Value> = problems.iter().map(problem).collect();
        let remarks = problems.len() - faults;
        screen.line(json!({ "faults": faults, "remarks": remarks, "problems": all }))?;
    } else {
        listing(&problems, if args.all { usize::MAX } else { LISTED }, screen)?;
    }
    if faults == 0 { Ok(()) } else { Err(Failure::Check(faults)) }
}

fn listing(problems: &[Problem], most: usize, screen: &mut Screen) -> Result<(), Failure> {
    let mut kinds: BTreeMap<(Severity, &str), Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        kinds.entry((problem.severity(), problem.what.kind())).or_default().push(problem);
    }
    let mut rows = Vec::new();
    let mut hidden = 0;
    for ((severity, kind), all) in kinds {
        let word = match severity {
            Severity::Fault => "FAULT",
            Severity::Remark => "remark",
        };
        for one in all.iter().take(most) {
            rows.push(vec![
                word.to_owned(),
                format!("{kind} ({})", all.len()),
                format!("{} {}", one.subject, one.key),
                one.field.to_owned(),
                one.what.to_string(),
            ]);
        }
        hidden += all.len().saturating_sub(most);
    }
    if rows.is_empty() {
        return screen.line("nothing is wrong or odd");
    }
    screen.table(&["", "KIND", "WHAT", "FIELD", "FINDING"], rows)?;
    if hidden > 0 {
        screen.line(format_args!("and {hidden} more of these kinds; --all lists them"))?;
    }
    Ok(())
}

fn export(args: &ExportArgs, screen: &mut Screen) -> Result<(), Failure> {
    let import = read(&args.source.source)?;
    match args.format {
        ExportFormat::Gmns => {
            gmns::write(&args.out, &import.network).map_err(anyhow::Error::from)?;
        }
        ExportFormat::Geojson => {
            let text = geojson::links(&import.network).to_string();
            std::fs::write(&args.out, text)
                .with_context(|| format!("cannot write {}", args.out.display()))?;
        }
    }
    let links = import.network.links().len();
    if args.source.json {
        return screen.line(json!({ "links": links, "out": args.out.display().to_string() }));
    }
    screen.line(format_args!("{links} links written to {}", args.out.display()))
}

fn problem(problem: &Problem) -> Value {
    json!({
        "severity": problem.severity(),
        "kind": problem.what.kind(),
        "subject": problem.subject,
        "key": problem.key,
        "field": problem.field,
        "finding": problem.what.to_string(),
    })
}

type ByClass = BTreeMap<RoadClass, (usize, f64, f64)>;

/// Links, kilometres and lane kilometres of each class.
fn by_class(network: &Network) -> ByClass {
    let mut classes = ByClass::new();
    for link in network.links() {
        let km = link.length().get() / 1_000.0;
        let (links, all_km, lane_km) = classes.entry(link.class()).or_default();
        *links += 1;
        *all_km += km;
        *lane_km += km * link.lanes().count();
    }
    classes
}

/// Links in islands beside the greatest, and in the greatest strong part.
fn connection(network: &Network) -> (usize, usize, usize) {
    let (islands, parts) = (network.islands(), network.strong_parts());
    let main = islands.largest().map_or(0, |main| islands.sizes()[main]);
    let strong = parts.largest().map_or(0, |main| parts.sizes()[main]);
    (islands.sizes().len().saturating_sub(1), network.links().len() - main, strong)
}

fn about(import: &Import) -> Value {
    let network = &import.network;
    let classes: serde_json::Map<String, Value> = by_class(network)
        .into_iter()
        .map(|(class, (links, km, lane_km))| {
            let value = json!({ "links": links, "km": km, "lane_km": lane_km });
            (class.name().to_owned(), value)
        })
        .collect();
    let (islands, island_links, strong) = connection(network);
    let notes: BTreeMap<&str, u64> = import.notes.iter().collect();
    json!({
        "links": network.links().len(),
        "junctions": network.junctions().len(),
        "movements": network.movements().len(),
        "turn_rules": network.turns().len(),
        "zones": network.zones().len(),
        "signals": signals(network),
        "classes": classes,
        "islands": islands,
        "island_links": island_links,
        "strong_part_links": strong,
        "left_out": import.faults.len(),
        "notes": notes,
        "content_hash": network.content_hash().to_string(),
    })
}

fn signals(network: &Network) -> usize {
    let signal = citytwin_core::road::Control::Signal;
    network.junctions().iter().filter(|junction| junction.control() == signal).count()
}

fn facts(import: &Import, screen: &mut Screen) -> Result<(), Failure> {
    let network = &import.network;
    let km: f64 = network.links().iter().map(|link| link.length().get() / 1_000.0).sum();
    let (islands, island_links, strong) = connection(network);
    screen.facts(&[
        ("links", format!("{} ({km:.1} km)", network.links().len())),
        (
            "junctions",
            format!("{} ({} with a signal)", network.junctions().len(), signals(network)),
        ),
        ("movements", network.movements().len().to_string()),
        ("turn rules", network.turns().len().to_string()),
        ("zones", network.zones().len().to_string()),
        ("main part", format!("{strong} links can be driven from each to each")),
        ("islands", format!("{islands} beside the main one, with {island_links} links")),
        ("left out", import.faults.len().to_string()),
        ("content", network.content_hash().to_string()),
    ])
}

fn notes(import: &Import, screen: &mut Screen) -> Result<(), Failure> {
    import.notes.iter().try_for_each(|(what, count)| screen.line(format_args!("{what}: {count}")))
}
