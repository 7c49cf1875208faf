//! The part of `citytwin network` that asks an engine: bring roads, list links, see which sensors
//! stand where, estimate trips between zones.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_proto::v1;
use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use v1::calibrate_demand_response::Step;

use super::args::ClientArgs;
use super::failure::Failure;
use super::output::Screen;
use super::scenario::Desk;
use super::show;
use crate::json;
use crate::network::{self, Format};

/// Bytes of one piece of a file.
const PIECE_BYTES: usize = 1 << 20;

/// `citytwin network upload`
#[derive(Args, Clone, Debug)]
pub struct UploadArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// OpenStreetMap extract (.osm.pbf), or a GMNS folder with node.csv and link.csv
    #[arg(value_name = "FILE|FOLDER", value_hint = ValueHint::AnyPath)]
    source: PathBuf,
}

/// `citytwin network links`
#[derive(Args, Clone, Debug)]
pub struct LinksArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Only streets whose name, or links whose key, has this in it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    name: String,
}

/// `citytwin network matches`
#[derive(Args, Clone, Debug)]
pub struct MatchesArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// List the sensors with a link too
    #[arg(long)]
    all: bool,
}

/// `citytwin network calibrate`
#[derive(Args, Clone, Debug)]
pub struct CalibrateArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Share of the measured links that the estimate is not shown, 0 to 0.9
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    held_out: f64,
    /// Which ones: the same seed holds out the same
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File for the trips: CSV with origin, destination, flow_pcu_h
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
}

/// Brings roads to an engine.
///
/// # Errors
/// When they cannot be read, or the engine does not take them.
pub async fn upload(args: &UploadArgs, screen: &mut Screen) -> Result<(), Failure> {
    let files = files(&args.source)?;
    let desk = Desk::connect(&args.client).await?;
    let (sender, receiver) = mpsc::channel(2);
    let sending = tokio::spawn(async move { send(files, sender).await });
    let answer = desk.planner().import_network(ReceiverStream::new(receiver)).await;
    // Why a file could not be read says more than that the stream ended.
    sending.await.context("sending broke off")??;
    let taken = answer.map_err(|status| desk.failure(status))?.into_inner();
    if args.client.json {
        return screen.line(json::pretty(&taken)?);
    }
    facts(&taken, screen)?;
    taken.problems.iter().try_for_each(|problem| screen.line(format_args!("left out: {problem}")))
}

/// The files that make a network.
fn files(source: &Path) -> Result<Vec<PathBuf>, Failure> {
    let cannot = || format!("cannot list {}", source.display());
    match network::detect(source).map_err(anyhow::Error::from)? {
        Format::Osm => Ok(vec![source.to_owned()]),
        Format::Gmns => {
            let mut files = Vec::new();
            for entry in std::fs::read_dir(source).with_context(cannot)? {
                let path = entry.with_context(cannot)?.path();
                if path.extension().is_some_and(|extension| extension == "csv") {
                    files.push(path);
                }
            }
            files.sort();
            Ok(files)
        }
    }
}

/// Sends files in pieces, with a bar on a terminal.
async fn send(
    files: Vec<PathBuf>,
    sender: mpsc::Sender<v1::ImportNetworkRequest>,
) -> anyhow::Result<()> {
    let bytes: u64 = files.iter().filter_map(|path| path.metadata().ok()).map(|m| m.len()).sum();
    let style = "{spinner} sending roads {bar:30} {bytes}/{total_bytes}";
    let style = ProgressStyle::with_template(style).context("the template is sound")?;
    let bar = ProgressBar::new(bytes).with_style(style);
    for path in files {
        let cannot = || format!("cannot read {}", path.display());
        let name = path.file_name().and_then(|name| name.to_str()).with_context(cannot)?;
        let mut file = tokio::fs::File::open(&path).await.with_context(cannot)?;
        loop {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            let limited = (&mut file).take(PIECE_BYTES as u64);
            tokio::pin!(limited);
            let count = limited.read_to_end(&mut piece).await.with_context(cannot)?;
            if count == 0 {
                break;
            }
            bar.inc(count as u64);
            let message = v1::ImportNetworkRequest { file: name.to_owned(), piece };
            if sender.send(message).await.is_err() {
                // The engine has said no already, and why.
                return Ok(());
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn facts(network: &v1::Network, screen: &mut Screen) -> Result<(), Failure> {
    screen.facts(&[
        ("network", network.id.clone()),
        ("links", format!("{} ({:.1} km)", network.links, network.length_km)),
        ("junctions", format!("{} ({} with a signal)", network.junctions, network.signals)),
        ("movements", network.movements.to_string()),
        ("zones", network.zones.to_string()),
        ("left out", network.left_out.to_string()),
    ])
}

/// Lists networks.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn list(args: &ClientArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(args).await?;
    let answer = desk.planner().list_networks(v1::ListNetworksRequest {}).await;
    let answer = answer.map_err(|status| desk.failure(status))?.into_inner();
    if args.json {
        return screen.line(json::pretty(&answer)?);
    }
    let rows = answer.networks.iter().map(|network| {
        vec![
            network.id.chars().take(12).collect(),
            network.links.to_string(),
            format!("{:.1}", network.length_km),
            network.zones.to_string(),
            if network.current { "current" } else { "" }.to_owned(),
        ]
    });
    screen.table(&["NETWORK", "LINKS", "KM", "ZONES", ""], rows.collect())
}

/// Lists links.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn links(args: &LinksArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let stream = desk.planner().read_links(v1::ReadLinksRequest::default()).await;
    let mut stream = stream.map_err(|status| desk.failure(status))?.into_inner();
    let wanted = args.name.to_lowercase();
    let mut rows = Vec::new();
    while let Some(message) = stream.message().await.map_err(|status| desk.failure(status))? {
        for link in message.links {
            let is_it = [&link.name, &link.key].map(|text| text.to_lowercase().contains(&wanted));
            if !is_it.contains(&true) {
                continue;
            }
            if args.client.json {
                screen.line(json::line(&link)?)?;
                continue;
            }
            rows.push(vec![
                link.key,
                link.name,
                link.class,
                format!("{:.0}", link.length_m),
                link.lanes.to_string(),
                show::number(link.free_speed_kmh),
                format!("{:.0}", link.capacity_pcu_h),
            ]);
        }
    }
    if args.client.json {
        return Ok(());
    }
    screen.table(&["LINK", "STREET", "CLASS", "M", "LANES", "KM/H", "PCU/H"], rows)
}

/// Shows which sensors stand where.
///
/// # Errors
/// When the engine cannot be asked.
pub async fn matches(args: &MatchesArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let answer = desk.planner().list_matches(v1::ListMatchesRequest {}).await;
    let answer = answer.map_err(|status| desk.failure(status))?.into_inner();
    if args.client.json {
        return screen.line(json::pretty(&answer)?);
    }
    if args.all {
        let rows = answer.matches.iter().map(|found| {
            let lane = if found.lane == 0 { "all".to_owned() } else { found.lane.to_string() };
            let by = found.distance_m.map_or_else(|| "name".to_owned(), |m| format!("{m:.1} m"));
            vec![found.sensor.clone(), found.link.clone(), lane, by]
        });
        screen.table(&["SENSOR", "LINK", "LANE", "BY"], rows.collect())?;
        screen.line("")?;
    }
    screen.line(format_args!(
        "{} traffic sensors stand on a link, {} on none",
        answer.matches.len(),
        answer.unmatched.len()
    ))?;
    if answer.unmatched.is_empty() {
        return Ok(());
    }
    let rows = answer.unmatched.iter();
    let rows = rows.map(|one| vec![one.sensor.clone(), one.reason.clone()]).collect();
    screen.table(&["SENSOR", "WHY"], rows)
}

/// Estimates trips.
///
/// # Errors
/// When the engine cannot be asked, or there is nothing to estimate from.
pub async fn calibrate(args: &CalibrateArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let request =
        v1::CalibrateDemandRequest { held_out_share: Some(args.held_out), seed: args.seed };
    let stream = desk.planner().calibrate_demand(request).await;
    let mut stream = stream.map_err(|status| desk.failure(status))?.into_inner();
    let bar = ProgressBar::new_spinner().with_message("estimating trips");
    let mut found = None;
    while let Some(message) = stream.message().await.map_err(|status| desk.failure(status))? {
        match message.step {
            Some(Step::Progress(_)) | None => bar.tick(),
            Some(Step::Calibration(calibration)) => found = Some(calibration),
        }
    }
    bar.finish_and_clear();
    let found = found.context("the engine ended without an estimate")?;
    if let Some(path) = &args.out {
        write(path, &found).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.client.json {
        return screen.line(json::pretty(&found)?);
    }
    told(&found, screen)?;
    let Some(path) = &args.out else { return Ok(()) };
    screen.line(format_args!("{} pairs of zones written to {}", found.flows.len(), path.display()))
}

fn write(path: &Path, found: &v1::Calibration) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_path(path)?;
    table.write_record(["origin", "destination", "flow_pcu_h"])?;
    for flow in &found.flows {
        let pcu_h = flow.flow_pcu_h.to_string();
        table.write_record([&flow.origin, &flow.destination, &pcu_h])?;
    }
    table.flush()?;
    Ok(())
}

fn told(found: &v1::Calibration, screen: &mut Screen) -> Result<(), Failure> {
    screen.facts(&[
        ("base", super::scenario::told_base(found.base.as_ref())),
        ("zones", found.zones.to_string()),
        ("trips", format!("{:.0} pcu/h", found.trips_pcu_h)),
        ("iterations", found.iterations.to_string()),
    ])?;
    screen.line("")?;
    let row = |name: &str, fit: Option<v1::Fit>| {
        let fit = fit.unwrap_or_default();
        vec![
            name.to_owned(),
            fit.counts.to_string(),
            format!("{:.0} %", 100.0 * fit.geh_under_5_share),
            format!("{:.0}", fit.rms_error_pcu_h),
            format!("{:.1} %", 100.0 * fit.relative_error),
        ]
    };
    let rows = vec![row("shown", found.used), row("not shown", found.held_out)];
    let head = ["LINKS", "COUNTS", "GEH<5", "RMS pcu/h", "ERROR"];
    screen.table(&head, rows)
}
