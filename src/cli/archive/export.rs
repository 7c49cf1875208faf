//! `citytwin archive export`: tables of a time as Parquet files of their own, to take elsewhere.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum, ValueHint};

use crate::cli::args::EngineArgs;
use crate::cli::failure::Failure;
use crate::cli::moments::{Period, period};
use crate::cli::output::Screen;
use crate::cli::sql;

/// What can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Exported {
    /// Readings that count
    Readings,
    /// Readings that do not count, and why
    Refusals,
    /// Windows of sensors as they hold
    Windows,
    /// Windows of H3 cells as they hold
    CellWindows,
    /// Sensors as they are now
    Sensors,
    /// Registrations and changes
    SensorChanges,
    /// What became of each sensor's readings
    Ledger,
    /// Messages that could not be taken
    DeadLetters,
}

/// `citytwin archive export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Folder to write to; made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Which tables; left out: readings, windows and sensors
    #[arg(long = "table", value_name = "TABLE", default_values = ["readings", "windows", "sensors"])]
    tables: Vec<Exported>,
    /// Of the tables with a time, rows of this time by the sensors' clocks: BEGIN/END, such as
    /// "2026-11-20 07:00/09:00" or -2h/-1h; left out: all
    #[arg(long, value_name = "BEGIN/END", allow_hyphen_values = true, value_parser = period)]
    at: Option<Period>,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Exported {
    fn name(self) -> &'static str {
        match self {
            Exported::Readings => "readings",
            Exported::Refusals => "refusals",
            Exported::Windows => "windows",
            Exported::CellWindows => "cell_windows",
            Exported::Sensors => "sensors",
            Exported::SensorChanges => "sensor_changes",
            Exported::Ledger => "ledger",
            Exported::DeadLetters => "dead_letters",
        }
    }

    fn time_column(self) -> Option<&'static str> {
        match self {
            Exported::Readings | Exported::Refusals => Some("event_time"),
            Exported::Windows | Exported::CellWindows => Some("window_start"),
            Exported::Sensors
            | Exported::SensorChanges
            | Exported::Ledger
            | Exported::DeadLetters => None,
        }
    }

    fn question(self, at: Option<Period>) -> String {
        let all = format!("SELECT * FROM {}", self.name());
        let Some((column, at)) = self.time_column().zip(at) else { return all };
        let (begin, end) = (at.begin.rfc3339(), at.end.rfc3339());
        format!("{all} WHERE {column} >= '{begin}' AND {column} < '{end}'")
    }
}

/// Writes one file for each table, and says which.
///
/// # Errors
/// When the engine cannot be asked, or a file cannot be written.
pub(super) async fn export(args: &ExportArgs, screen: &mut Screen) -> Result<(), Failure> {
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make {}", args.out.display()))?;
    for table in &args.tables {
        let path = args.out.join(format!("{}.parquet", table.name()));
        sql::write_parquet(&args.engine.server, &table.question(args.at), path, screen).await?;
    }
    Ok(())
}
