//! `citytwin archive compact`: merges the files of an archive that no engine runs on.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{Archive, ArchiveSettings, Compacted};
use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_ingest::log::{self, LogSettings};
use clap::{Args, ValueHint};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::output::Screen;
use crate::cli::show;

/// `citytwin archive compact`
#[derive(Args, Clone, Debug)]
pub struct CompactArgs {
    /// The data folder; no engine may run on it
    #[arg(long, value_name = "DIR", default_value = "citytwin-data", value_hint = ValueHint::DirPath)]
    data: PathBuf,
    /// Days that are not over yet, too
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Merges, with a line of progress on a terminal.
///
/// # Errors
/// When there is no such folder, an engine runs on it, or the disk fails.
pub(super) fn compact(args: &CompactArgs, screen: &mut Screen) -> Result<(), Failure> {
    if !args.data.is_dir() {
        let folder = args.data.display();
        let told = format!("--data {folder} is not allowed: there is no such folder");
        return Err(Failure::Usage(told));
    }
    // The log is the lock of the folder, and says what a start would write again.
    let log = log::open(&args.data.join("log"), LogSettings::default())
        .context("the folder is not free; a running engine merges files by itself")?;
    let archive = Archive::open(&args.data, ArchiveSettings::default());
    let mut archive = archive.map_err(anyhow::Error::from)?;
    archive.newest_checkpoint(log.oldest_epoch()).map_err(anyhow::Error::from)?;
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {msg}").expect("the template is well formed"),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    let progress = |done: &Compacted| bar.set_message(line(done));
    let (keeper, now) = (archive.keeper(), Epoch::of(SystemClock::new().now()));
    let done = if args.all {
        keeper.compact_all(now, || false, progress)
    } else {
        keeper.compact(now, || false, progress)
    };
    bar.finish_and_clear();
    let done = done.map_err(anyhow::Error::from)?;
    tell(&done, args.json, screen)
}

fn line(done: &Compacted) -> String {
    let (before, after) = (show::bytes(done.bytes_before), show::bytes(done.bytes_after));
    format!(
        "{} files of {} became {} of {}, {} rows",
        done.files_before, before, done.files_after, after, done.rows
    )
}

fn tell(done: &Compacted, as_json: bool, screen: &mut Screen) -> Result<(), Failure> {
    let unreadable = done.unreadable.iter().map(|(table, error)| {
        let source = std::error::Error::source(error).map(|source| format!(": {source}"));
        format!("{}: {error}{}", table.name(), source.unwrap_or_default())
    });
    if as_json {
        screen.line(json!({
            "filesBefore": done.files_before,
            "filesAfter": done.files_after,
            "rows": done.rows,
            "bytesBefore": done.bytes_before,
            "bytesAfter": done.bytes_after,
            "unreadable": unreadable.collect::<Vec<_>>(),
        }))?;
    } else {
        screen.line(line(done))?;
        for one in unreadable {
            screen.line(format_args!("left      {one}"))?;
        }
    }
    if done.unreadable.is_empty() { Ok(()) } else { Err(Failure::Check(done.unreadable.len())) }
}
