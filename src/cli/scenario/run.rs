//! `citytwin scenario run`: each scenario beside the same city without its edits.

use std::path::PathBuf;

use citytwin_core::scenario::Scenario;
use citytwin_proto::v1;
use clap::{Args, ValueHint};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use tonic::Status;
use tonic_types::StatusExt as _;
use v1::run_scenario_response::Step;

use super::document::{self, Document};
use super::{Desk, ShowFiles, files, offline, report};
use crate::cli::args::ClientArgs;
use crate::cli::failure::Failure;
use crate::cli::moments::{MomentArg, moment};
use crate::cli::output::Screen;
use crate::json;
use crate::service;

/// `citytwin scenario run`
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Scenario files, or batch files that list some
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// Begin with the city as it was known at this time: RFC 3339, local `2026-11-20 07:45`, or -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment, conflicts_with = "offline")]
    at: Option<MomentArg>,
    /// Leave out edits that do not fit the roads, and say which
    #[arg(long)]
    skip_unfit: bool,
    #[command(flatten)]
    show: ShowFiles,
    #[command(flatten)]
    offline: offline::OfflineArgs,
}

/// A scenario that was run, and the city without its edits.
struct Pair {
    planned: v1::PlannedScenario,
    outcome: v1::Outcome,
    /// None where the scenario has no edits.
    baseline: Option<v1::Outcome>,
}

/// Runs.
///
/// # Errors
/// When a file or the engine cannot be used, or a scenario does not fit.
pub(super) async fn run(args: &RunArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut documents = document::read_all(&args.files)?;
    let desk = match args.offline.network() {
        Some(network) => {
            args.offline.prepare(&mut documents)?;
            Desk::offline(network).await?
        }
        None => Desk::connect(&args.client).await?,
    };
    let mut pairs = Vec::new();
    let mut epoch = args.at.map(|time| time.epoch().number());
    for document in &mut documents {
        // All of a batch are laid on one base.
        document.scenario.base.epoch = document.scenario.base.epoch.or(epoch);
        let pair = both(&desk, document, args.skip_unfit).await?;
        epoch = epoch.or(pair.planned.scenario.as_ref().and_then(|one| one.base?.epoch));
        if args.client.json {
            screen.line(as_json(&desk, &pair, args.show.limit).await?)?;
        } else {
            tell(&desk, &pair, &args.show, screen).await?;
        }
        pairs.push(pair);
    }
    if pairs.len() > 1 && !args.client.json {
        let rows: Vec<_> =
            pairs.iter().map(|pair| (&pair.outcome, pair.baseline.as_ref())).collect();
        screen.line("")?;
        report::batch(&rows, screen)?;
    }
    Ok(())
}

/// Runs a scenario and, where it has edits, the same without; both at once where the engine has the
/// threads.
async fn both(desk: &Desk, document: &Document, skip_unfit: bool) -> Result<Pair, Failure> {
    let planned = create(desk, document, &document.scenario, skip_unfit).await?;
    let mut scenario = service::scenario(&planned.scenario.clone().unwrap_or_default())
        .map_err(|status| desk.failure(status))?;
    let name = &document.scenario.name;
    if scenario.edits.is_empty() {
        let outcome = finish(desk, &planned.id, name).await?;
        return Ok(Pair { planned, outcome, baseline: None });
    }
    scenario.edits.clear();
    scenario.name = format!("{name} (without edits)");
    let without = create(desk, document, &scenario, false).await?;
    let bars = MultiProgress::new();
    let baseline = follow(desk, &without.id, bars.add(bar(&scenario.name)), false);
    let outcome = follow(desk, &planned.id, bars.add(bar(name)), false);
    let (baseline, outcome) = tokio::try_join!(baseline, outcome)?;
    let (baseline, outcome) = (outcome_of(baseline)?, outcome_of(outcome)?);
    Ok(Pair { planned, outcome, baseline: Some(baseline) })
}

async fn create(
    desk: &Desk,
    document: &Document,
    scenario: &Scenario,
    skip_unfit: bool,
) -> Result<v1::PlannedScenario, Failure> {
    let request = v1::CreateScenarioRequest {
        scenario: Some(service::scenario_message(scenario)),
        validate_only: false,
        skip_unfit,
    };
    match desk.planner().create_scenario(request).await {
        Ok(planned) => Ok(planned.into_inner()),
        Err(status) => {
            let findings = findings(document, &status);
            if findings.is_empty() {
                return Err(desk.failure(status));
            }
            Err(Failure::Usage(findings.join("\n")))
        }
    }
}

/// What the engine found wrong with a scenario, with lines; nothing where it said no otherwise.
pub(super) fn findings(document: &Document, status: &Status) -> Vec<String> {
    let details = status.get_details_bad_request();
    let found = details.into_iter().flat_map(|details| details.field_violations);
    found.map(|one| document.told(&one.field, &one.description)).collect()
}

/// Runs a scenario to its end, with a bar on a terminal.
///
/// # Errors
/// When the engine cannot be asked, or the run fails.
pub(super) async fn finish(desk: &Desk, id: &str, name: &str) -> Result<v1::Outcome, Failure> {
    outcome_of(follow(desk, id, bar(name), false).await?)
}

fn outcome_of(last: Step) -> Result<v1::Outcome, Failure> {
    match last {
        Step::Outcome(outcome) => Ok(outcome),
        Step::Progress(_) | Step::Reproduction(_) => Err(broke_off()),
    }
}

/// Runs a scenario again.
///
/// # Errors
/// When the engine cannot be asked, or has nothing to reproduce.
pub(super) async fn reproduce(desk: &Desk, id: &str) -> Result<v1::Reproduction, Failure> {
    match follow(desk, id, bar(id), true).await? {
        Step::Reproduction(found) => Ok(found),
        Step::Progress(_) | Step::Outcome(_) => Err(broke_off()),
    }
}

fn broke_off() -> Failure {
    Failure::Other(anyhow::anyhow!("the engine ended the run without an outcome"))
}

/// The last step of a run. Leaving early (Ctrl-C ends the program) cancels it.
async fn follow(desk: &Desk, id: &str, bar: ProgressBar, reproduce: bool) -> Result<Step, Failure> {
    let request = v1::RunScenarioRequest { id: id.to_owned(), reproduce };
    let stream = desk.planner().run_scenario(request).await;
    let mut stream = stream.map_err(|status| desk.failure(status))?.into_inner();
    while let Some(message) = stream.message().await.map_err(|status| desk.failure(status))? {
        match message.step {
            Some(Step::Progress(progress)) => show(&bar, &progress),
            Some(last) => {
                bar.finish_and_clear();
                return Ok(last);
            }
            None => {}
        }
    }
    Err(broke_off())
}

/// Thousandths of a stage.
const BAR: u64 = 1_000;

fn bar(name: &str) -> ProgressBar {
    let style = "{spinner} {prefix} {msg} {bar:30} {percent} %";
    let style = ProgressStyle::with_template(style).expect("the template is sound");
    ProgressBar::new(BAR).with_style(style).with_prefix(name.to_owned())
}

fn show(bar: &ProgressBar, progress: &v1::RunProgress) {
    let stage = match progress.waiting {
        0 => progress.stage.clone(),
        waiting => format!("{}, {waiting} before it", progress.stage),
    };
    bar.set_message(stage);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    bar.set_position((progress.done.clamp(0.0, 1.0) * BAR as f64) as u64);
}

/// What differs between two outcomes.
///
/// # Errors
/// When the engine cannot be asked, or one of them is missing.
pub(super) async fn compare(
    desk: &Desk,
    first: &str,
    second: &str,
    limit: i32,
) -> Result<v1::CompareOutcomesResponse, Failure> {
    let request =
        v1::CompareOutcomesRequest { first: first.to_owned(), second: second.to_owned(), limit };
    let answer = desk.planner().compare_outcomes(request).await;
    Ok(answer.map_err(|status| desk.failure(status))?.into_inner())
}

async fn tell(
    desk: &Desk,
    pair: &Pair,
    show: &ShowFiles,
    screen: &mut Screen,
) -> Result<(), Failure> {
    report::planned(&pair.planned, screen)?;
    let Some(baseline) = &pair.baseline else {
        return report::outcome(&pair.outcome, screen);
    };
    let ids = (baseline.id.as_str(), pair.outcome.id.as_str());
    let found = compare(desk, ids.0, ids.1, show.limit).await?;
    report::comparison(&found, screen)?;
    report::remarks(&pair.outcome, screen)?;
    if show.no_files {
        return Ok(());
    }
    let folder = files::write_comparison(desk, ids, show).await?;
    screen.line(format_args!("pictures and tables in {}", folder.display()))
}

async fn as_json(desk: &Desk, pair: &Pair, limit: i32) -> Result<String, Failure> {
    let (outcome, baseline) = (json::tree(&pair.outcome)?, &pair.baseline);
    let Some(baseline) = baseline else {
        return Ok(json!({ "outcome": outcome }).to_string());
    };
    let found = compare(desk, &baseline.id, &pair.outcome.id, limit).await?;
    Ok(json!({
        "baseline": json::tree(baseline)?,
        "outcome": outcome,
        "comparison": json::tree(&found)?,
    })
    .to_string())
}
