//! `citytwin serve`: the pipeline until somebody says stop, and what it says on the way.

use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::output::Output;
use crate::config::Config;
use crate::pipeline::{Kept, Pipeline};

/// Runs until SIGINT or SIGTERM, then drains, archives and writes a checkpoint.
///
/// # Errors
/// When something cannot start, or the log or the archive fails.
pub async fn serve(config: &Config, out: &mut Output) -> Result<()> {
    let pipeline = Pipeline::start(config).await?;
    announce(&pipeline, out)?;
    let ended = tokio::select! {
        stop = stop_signal() => stop,
        failure = pipeline.failed() => Err(failure),
    };
    let kept = pipeline.stop().await;
    ended?;
    say_kept(&kept?, out)
}
