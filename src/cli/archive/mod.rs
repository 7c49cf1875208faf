//! `citytwin archive`: what is in an engine's archive, and whether it is whole.

mod compact;
mod export;

use std::path::PathBuf;
use std::time::Duration;

use citytwin_ingest::archive::{Verification, verify};
use clap::{Args, Subcommand, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::failure::Failure;
use super::help;
use super::output::Screen;
use super::{show, sql};

/// `citytwin archive`
#[derive(Clone, Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Files, rows, bytes and time of each table
    #[command(after_long_help = help::ARCHIVE_STATUS)]
    Status(StatusArgs),
    /// Read everything again and hold it against the ledger; exit code 1 if something is wrong
    #[command(after_long_help = help::ARCHIVE_VERIFY)]
    Verify(VerifyArgs),
    /// Merge the files of days that are over, while no engine runs; a running one does it by itself
    #[command(after_long_help = help::ARCHIVE_COMPACT)]
    Compact(compact::CompactArgs),
    /// Write tables of a time as Parquet files of their own
    #[command(after_long_help = help::ARCHIVE_EXPORT)]
    Export(export::ExportArgs),
}

/// `citytwin archive verify`
#[derive(Args, Clone, Debug)]
pub struct VerifyArgs {
    /// The engine's data folder
    #[arg(long, value_name = "DIR", default_value = "citytwin-data", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// `citytwin archive status`
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Address of the engine's gRPC API
    #[arg(
        long,
        env = "CITYTWIN_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051"
    )]
    server: String,
    /// One JSON object a table
    #[arg(long)]
    json: bool,
}

const STATUS: &str = "\
    SELECT table_name AS table, count(*) AS files, \
    count(*) FILTER (WHERE place <> 'local') AS stored, \
    count(*) FILTER (WHERE place = 'store') AS away, sum(rows) AS rows, sum(bytes) AS bytes, \
    round(CAST(sum(bytes) AS DOUBLE) / sum(rows), 2) AS bytes_a_row, min(first_time) AS first, \
    max(last_time) AS last FROM files GROUP BY table_name ORDER BY 6 DESC";

/// Does it.
///
/// # Errors
/// When the engine cannot be asked, the folder not be read, or something is wrong with a file.
pub async fn run(command: &ArchiveCommand, screen: &mut Screen) -> Result<(), Failure> {
    match command {
        ArchiveCommand::Status(args) => sql::ask(&args.server, STATUS, args.json, screen).await,
        ArchiveCommand::Verify(args) => {
            let found = tokio::task::block_in_place(|| read_again(args))?;
            tell(&found, args.json, screen)
        }
        ArchiveCommand::Compact(args) => {
            tokio::task::block_in_place(|| compact::compact(args, screen))
        }
        ArchiveCommand::Export(args) => export::export(args, screen).await,
    }
}

/// Reads the folder, with a line of progress on a terminal.
fn read_again(args: &VerifyArgs) -> Result<Verification, Failure> {
    if !args.data.is_dir() {
        let folder = args.data.display();
        return Err(Failure::Usage(format!(
            "--data {folder} is not allowed: there is no such folder"
        )));
    }
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {msg}").expect("the template is well formed"),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    let found = verify(&args.data, |so_far| {
        bar.set_message(format!("{} files, {} rows", so_far.files, so_far.rows));
    });
    bar.finish_and_clear();
    Ok(found.map_err(anyhow::Error::from)?)
}

fn tell(found: &Verification, as_json: bool, screen: &mut Screen) -> Result<(), Failure> {
    let Verification { files, rows, bytes, away, findings, ledger } = found;
    let wrong = findings.len() + ledger.as_ref().map_or(0, |ledger| ledger.mismatched.len());
    if as_json {
        let findings: Vec<_> = findings
            .iter()
            .map(|one| json!({ "path": one.path.display().to_string(), "problem": one.problem }))
            .collect();
        let ledger = ledger.as_ref().map(|ledger| {
            let mismatched: Vec<_> =
                ledger.mismatched.iter().map(|one| one.sensor.as_str()).collect();
            json!({ "matched": ledger.matched, "mismatched": mismatched })
        });
        let told = json!({
            "files": files, "rows": rows, "bytes": bytes, "away": away, "findings": findings, "ledger": ledger,
        });
        screen.line(told)?;
    } else {
        screen
            .line(format_args!("read      {files} files, {rows} rows, {}", show::bytes(*bytes)))?;
        if *away > 0 {
            screen.line(format_args!("not read  {away} files that are in the store only"))?;
        }
        match ledger {
            Some(ledger) => screen.line(format_args!(
                "ledger    adds up for {} sensors, not for {}",
                ledger.matched,
                ledger.mismatched.len()
            ))?,
            None => {
                screen.line("ledger    not held against anything: no checkpoint to begin with")?;
            }
        }
        for one in findings {
            screen.line(format_args!("wrong     {}: {}", one.path.display(), one.problem))?;
        }
        for one in ledger.iter().flat_map(|ledger| &ledger.mismatched) {
            screen.line(format_args!("wrong     {}: rows and ledger differ", one.sensor))?;
        }
    }
    if wrong > 0 { Err(Failure::Check(wrong)) } else { Ok(()) }
}
