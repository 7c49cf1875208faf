//! `citytwin scenario`: what if? A client of the planner's API, of an engine or, with --offline, of
//! one in this process.

mod backtest;
mod desk;
mod document;
mod files;
mod offline;
mod report;
mod run;
mod template;

use std::path::PathBuf;

use citytwin_proto::v1;
use clap::{Args, Subcommand, ValueEnum, ValueHint};

use super::args::ClientArgs;
use super::failure::Failure;
use super::help;
use super::output::Screen;
use crate::{json, picture, service};
pub(super) use desk::Desk;
pub(super) use report::base as told_base;

/// `citytwin scenario`
#[derive(Clone, Debug, Subcommand)]
pub enum ScenarioCommand {
    /// Write an example scenario to start from
    #[command(after_long_help = help::SCENARIO_NEW)]
    New(NewArgs),
    /// Say whether scenarios fit the engine's roads, without running them
    #[command(after_long_help = help::SCENARIO_CHECK)]
    Check(CheckArgs),
    /// Run scenarios, each beside the city without its edits, and show what differs
    #[command(after_long_help = help::SCENARIO_RUN)]
    Run(Box<run::RunArgs>),
    /// Forecast from past seconds, and hold it against what then happened
    #[command(after_long_help = help::SCENARIO_BACKTEST)]
    Backtest(backtest::BacktestArgs),
    /// Show what differs between two outcomes
    #[command(after_long_help = help::SCENARIO_COMPARE)]
    Compare(CompareArgs),
    /// List scenarios, newest first
    List(ListArgs),
    /// Show a scenario and what came of it
    Show(ShowArgs),
    /// Write the figures of an outcome for other programs
    #[command(after_long_help = help::SCENARIO_EXPORT)]
    Export(ExportArgs),
    /// Forget scenarios and what came of them
    Delete(DeleteArgs),
    /// Run a scenario again and compare the bytes; exit code 1 if they differ
    #[command(after_long_help = help::SCENARIO_REPRODUCE)]
    Reproduce(OneArgs),
}

/// Language of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Vietnamese
    Vi,
    /// English
    En,
}

impl Language {
    const fn of_pictures(self) -> picture::Language {
        match self {
            Language::Vi => picture::Language::Vi,
            Language::En => picture::Language::En,
        }
    }
}

/// How figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables of text
    Csv,
    /// Tables for Polars, DuckDB, Spark
    Parquet,
    /// Lines on the map
    Geojson,
}

/// `citytwin scenario new`
#[derive(Args, Clone, Debug)]
pub struct NewArgs {
    /// File to write; left out: standard output
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// `citytwin scenario check`
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Scenario files, or batch files that list some
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
}

/// A scenario by id.
#[derive(Args, Clone, Debug)]
pub struct OneArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Its id, or the first six digits or more
    #[arg(value_name = "ID")]
    id: String,
}

/// `citytwin scenario compare`
#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Before: id of an outcome
    first: String,
    /// After: id of an outcome
    second: String,
    #[command(flatten)]
    show: ShowFiles,
}

/// How many rows, and which files.
#[derive(Args, Clone, Debug)]
pub struct ShowFiles {
    /// Rows of each table
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: i32,
    /// Folder for pictures and tables; made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = "outcomes", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Write no files
    #[arg(long, conflicts_with = "out")]
    no_files: bool,
    /// Language of the pictures
    #[arg(long, default_value = "en")]
    language: Language,
}

/// `citytwin scenario list`
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: i32,
}

/// `citytwin scenario show`
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Print it as the file it came from
    #[arg(long, conflicts_with = "json")]
    toml: bool,
}

/// `citytwin scenario export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    one: OneArgs,
    /// How to write them
    #[arg(long)]
    format: Format,
    /// Folder to write to; made if it is not there
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    out: PathBuf,
}

/// `citytwin scenario delete`
#[derive(Args, Clone, Debug)]
pub struct DeleteArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Ids, or their first six digits or more
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Does it.
///
/// # Errors
/// When a file or the engine cannot be used, or a scenario does not fit.
pub async fn run(command: ScenarioCommand, screen: &mut Screen) -> Result<(), Failure> {
    match command {
        ScenarioCommand::New(args) => template::write(args.file.as_deref(), screen),
        ScenarioCommand::Check(args) => check(&args, screen).await,
        ScenarioCommand::Run(args) => run::run(&args, screen).await,
        ScenarioCommand::Backtest(args) => backtest::backtest(&args, screen).await,
        ScenarioCommand::Compare(args) => compare(&args, screen).await,
        ScenarioCommand::List(args) => list(&args, screen).await,
        ScenarioCommand::Show(args) => show(&args, screen).await,
        ScenarioCommand::Export(args) => export(&args, screen).await,
        ScenarioCommand::Delete(args) => delete(&args, screen).await,
        ScenarioCommand::Reproduce(args) => reproduce(&args, screen).await,
    }
}

async fn check(args: &CheckArgs, screen: &mut Screen) -> Result<(), Failure> {
    let documents = document::read_all(&args.files)?;
    let desk = Desk::connect(&args.client).await?;
    let mut faults = 0;
    for document in &documents {
        let request = v1::CreateScenarioRequest {
            scenario: Some(service::scenario_message(&document.scenario)),
            validate_only: true,
            skip_unfit: false,
        };
        match desk.planner().create_scenario(request).await {
            Ok(planned) => {
                let planned = planned.into_inner();
                if args.client.json {
                    screen.line(json::pretty(&planned)?)?;
                } else {
                    let base = report::base(planned.base.as_ref());
                    screen.line(format_args!("{}: fits; {base}", document.path.display()))?;
                }
            }
            Err(status) => {
                let findings = run::findings(document, &status);
                if findings.is_empty() {
                    return Err(desk.failure(status));
                }
                faults += findings.len();
                findings.iter().try_for_each(|finding| screen.line(finding))?;
            }
        }
    }
    if faults == 0 { Ok(()) } else { Err(Failure::Check(faults)) }
}

async fn compare(args: &CompareArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let found = run::compare(&desk, &args.first, &args.second, args.show.limit).await?;
    if args.client.json {
        return screen.line(json::pretty(&found)?);
    }
    report::comparison(&found, screen)?;
    if args.show.no_files {
        return Ok(());
    }
    let folder = files::write_comparison(&desk, (&args.first, &args.second), &args.show).await?;
    screen.line(format_args!("files in {}", folder.display()))
}

async fn list(args: &ListArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let request = v1::ListScenariosRequest { page_size: args.limit, page_token: String::new() };
    let answer = desk.planner().list_scenarios(request).await;
    let answer = answer.map_err(|status| desk.failure(status))?.into_inner();
    if args.client.json {
        return screen.line(json::pretty(&answer)?);
    }
    report::list(&answer, screen)
}

async fn show(args: &ShowArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.one.client).await?;
    let request = v1::GetScenarioRequest { id: args.one.id.clone() };
    let planned = desk.planner().get_scenario(request).await;
    let planned = planned.map_err(|status| desk.failure(status))?.into_inner();
    if args.toml {
        let message = planned.scenario.unwrap_or_default();
        let scenario = service::scenario(&message).map_err(|status| desk.failure(status))?;
        let text = toml::to_string_pretty(&scenario).map_err(anyhow::Error::from)?;
        return screen.line(text.trim_end());
    }
    if args.one.client.json {
        return screen.line(json::pretty(&planned)?);
    }
    report::planned(&planned, screen)?;
    if planned.has_outcome {
        let outcome = files::head(&desk, &planned.id).await?;
        report::outcome(&outcome, screen)?;
    }
    Ok(())
}

async fn export(args: &ExportArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.one.client).await?;
    let paths = files::export(&desk, &args.one.id, args.format, &args.out).await?;
    paths.iter().try_for_each(|path| screen.line(path.display()))
}

async fn delete(args: &DeleteArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    for id in &args.ids {
        let request = v1::DeleteScenarioRequest { id: id.clone() };
        let deleted = desk.planner().delete_scenario(request).await;
        deleted.map_err(|status| desk.failure(status))?;
        screen.line(format_args!("deleted {id}"))?;
    }
    Ok(())
}

async fn reproduce(args: &OneArgs, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::connect(&args.client).await?;
    let found = run::reproduce(&desk, &args.id).await?;
    if args.client.json {
        screen.line(json::pretty(&found)?)?;
    } else if found.identical {
        screen.line(format_args!("the same bytes: SHA-256 {}", found.fresh_sha256))?;
    } else {
        screen.line(format_args!(
            "NOT the same: stored {}, now {}",
            found.stored_sha256, found.fresh_sha256
        ))?;
    }
    if found.identical { Ok(()) } else { Err(Failure::Check(1)) }
}
