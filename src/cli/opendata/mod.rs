//! `citytwin export opendata`: a chosen part of the past as files that a city can publish: Parquet,
//! CSV and GeoJSON with a description in DCAT-AP. Small counts of protected kinds are withheld, and
//! said to be.

mod dcat;
mod files;

use std::path::PathBuf;

use anyhow::Context as _;
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorKind;
use clap::{Args, Subcommand, ValueHint};

use super::args::EngineArgs;
use super::failure::Failure;
use super::help;
use super::moments::{MomentArg, moment};
use super::output::Screen;
use super::sql::Asker;
use dcat::Description;
use files::Files;

/// `citytwin export`
#[derive(Clone, Debug, Subcommand)]
pub enum ExportCommand {
    /// Cells, kinds and windows of a period, to be published
    #[command(after_long_help = help::OPENDATA)]
    Opendata(Box<OpendataArgs>),
}

/// `citytwin export opendata`
#[derive(Args, Clone, Debug)]
pub struct OpendataArgs {
    /// Folder to write into; made if missing
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// From this event time on: RFC 3339, local `2026-11-20 07:00`, or -1d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    from: MomentArg,
    /// Up to, not including, this event time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "now", value_parser = moment)]
    to: MomentArg,
    /// Resolution of the H3 cells
    #[arg(long, value_name = "1-9", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=9))]
    resolution: u8,
    /// Length of the windows, a multiple of the stored one
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = humantime::parse_duration)]
    window: std::time::Duration,
    /// Only sensors of these kinds
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = super::args::kind)]
    kinds: Vec<SensorKind>,
    /// Only these quantities
    #[arg(long = "quantity", value_name = "QUANTITY", value_delimiter = ',', value_parser = super::args::quantity)]
    quantities: Vec<Quantity>,
    /// Kinds of which small counts are withheld
    #[arg(
        long = "protect",
        value_name = "KIND",
        value_delimiter = ',',
        default_value = "power_meter,camera_counter,industrial_stack,industrial_effluent",
        value_parser = super::args::kind
    )]
    protected: Vec<SensorKind>,
    /// Fewer sensors of a protected kind than this in a cell and window are a small count
    #[arg(long, value_name = "K", default_value_t = 3)]
    min_sensors: u32,
    /// Who publishes
    #[arg(long, value_name = "NAME")]
    publisher: String,
    /// What it is called
    #[arg(long, value_name = "TEXT", default_value = "City sensors by cell and window")]
    title: String,
    /// Licence, as a URL
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://creativecommons.org/licenses/by/4.0/"
    )]
    license: String,
    #[command(flatten)]
    engine: EngineArgs,
}

impl OpendataArgs {
    /// The rows to publish: those that are withheld have neither count nor values.
    fn question(&self) -> String {
        let list = |names: Vec<&str>| {
            let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            quoted.join(", ")
        };
        let mut conditions = vec![
            "closed".to_owned(),
            format!("window_start >= {}", literal(self.from)),
            format!("window_start < {}", literal(self.to)),
        ];
        if !self.kinds.is_empty() {
            let names = self.kinds.iter().map(|kind| kind.name()).collect();
            conditions.push(format!("kind IN ({})", list(names)));
        }
        if !self.quantities.is_empty() {
            let names = self.quantities.iter().map(|quantity| quantity.name()).collect();
            conditions.push(format!("quantity IN ({})", list(names)));
        }
        let protected = list(self.protected.iter().map(|kind| kind.name()).collect());
        let kept =
            |column: &str| format!("CASE WHEN withheld THEN NULL ELSE {column} END AS {column}");
        let columns = ["sensors", "readings", "mean", "min", "max"].map(kept).join(", ");
        format!(
            "SELECT cell, kind, quantity, start, withheld, {columns} FROM ( \
               SELECT *, kind IN ({protected}) AND sensors < {least} AS withheld FROM ( \
                 SELECT h3_to_string(h3_parent(cell, {resolution})) AS cell, \
                   arrow_cast(kind, 'Utf8') AS kind, arrow_cast(quantity, 'Utf8') AS quantity, \
                   time_bucket(INTERVAL '{window_ms} milliseconds', window_start) AS start, \
                   count(DISTINCT sensor) AS sensors, sum(count) AS readings, \
                   sum(sum) / sum(count) AS mean, min(min) AS min, max(max) AS max \
                 FROM windows WHERE {conditions} GROUP BY 1, 2, 3, 4)) \
             ORDER BY start, cell, kind, quantity",
            least = self.min_sensors,
            resolution = self.resolution,
            window_ms = self.window.as_millis(),
            conditions = conditions.join(" AND "),
        )
    }
}

fn literal(time: MomentArg) -> String {
    format!("arrow_cast({}, 'Timestamp(Millisecond, Some(\"UTC\"))')", time.ms())
}

/// Writes the files.
///
/// # Errors
/// When the engine cannot be asked or a file not be written.
pub async fn run(command: &ExportCommand, screen: &mut Screen) -> Result<(), Failure> {
    let ExportCommand::Opendata(args) = command;
    if args.window.is_zero() {
        return Err(Failure::Usage("--window 0s is not allowed".to_owned()));
    }
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make {}", args.out.display()))?;
    let mut asker = Asker::connect(&args.engine.server).await?;
    let mut rows = asker.rows(&args.question()).await?;
    let mut files = Files::create(&args.out, rows.schema())?;
    while let Some(batch) = rows.next().await? {
        files.write(&batch)?;
    }
    let written = files.finish()?;
    let description = Description {
        title: &args.title,
        publisher: &args.publisher,
        license: &args.license,
        span: (args.from, args.to),
        window: args.window,
        min_sensors: args.min_sensors,
        protected: args.protected.iter().map(|kind| kind.name()).collect(),
    };
    let path = args.out.join("dcat.jsonld");
    std::fs::write(&path, dcat::text(&description, &written)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    screen.line(format_args!(
        "{} rows in {}, {} of them withheld (fewer than {} sensors of a protected kind)",
        written.rows,
        args.out.display(),
        written.withheld,
        args.min_sensors,
    ))
}
