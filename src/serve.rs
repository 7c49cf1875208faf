//! `citytwin serve`: the engine until somebody says stop, and what it says on the way.

use anyhow::Context as _;
use indicatif::{HumanBytes, HumanCount};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::Failure;
use crate::cli::output::Screen;
use crate::config::Config;
use crate::pipeline::{Kept, Pipeline};

/// Runs until SIGINT or SIGTERM, then drains, archives and writes a checkpoint. The line `ready`
/// on standard output says that readings are taken.
///
/// # Errors
/// When something cannot start, or the log or the archive fails.
pub async fn serve(config: &Config, screen: &mut Screen) -> Result<(), Failure> {
    let mut pipeline = Pipeline::start(config).await?;
    // Before anybody is told that we serve: who then says stop is heard.
    let stop = stop_signal()?;
    announce(config, &pipeline, screen)?;
    screen.line("ready")?;
    let failure = tokio::select! {
        () = stop => None,
        failure = pipeline.failed() => Some(failure),
    };
    let kept = pipeline.stop().await;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    say_kept(config, &kept?, screen)
}

/// Where it listens and keeps its data.
pub(crate) fn announce(
    config: &Config,
    pipeline: &Pipeline,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let addresses = pipeline.addresses();
    for door in &addresses.doors {
        screen.line(door)?;
    }
    screen.line(format_args!("grpc http://{}", addresses.grpc))?;
    if let Some(metrics) = addresses.metrics {
        screen.line(format_args!("metrics http://{metrics}/metrics"))?;
    }
    screen.line(format_args!("data {}", config.data.display()))
}

/// What is on disk now.
pub(crate) fn say_kept(config: &Config, kept: &Kept, screen: &mut Screen) -> Result<(), Failure> {
    screen.line(format_args!(
        "kept: {} readings of this run, all archived through epoch {}; archive {} in {}",
        HumanCount(kept.readings),
        kept.through,
        HumanBytes(kept.archive_bytes),
        config.data.display()
    ))
}

/// Listens to SIGINT (Ctrl-C) and SIGTERM from now on; ends with the first.
///
/// # Errors
/// When signals cannot be listened to.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
