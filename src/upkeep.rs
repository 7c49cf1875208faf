//! Looking after the archive's files beside everything else: once at the start and then every hour,
//! files of days that are over are merged, what is older than it is to be kept goes, and what is to
//! be in the store only leaves the disk.

use std::sync::Arc;
use std::time::Duration;

use citytwin_core::time::Epoch;
use citytwin_ingest::archive::{ArchiveError, Keeper, Retention};
use citytwin_ingest::clock::Clock;
use tokio_util::sync::CancellationToken;

/// How often.
const EVERY: Duration = Duration::from_secs(3_600);

/// What is done.
#[derive(Clone, Debug)]
pub(crate) struct Upkeep {
    /// Who does it.
    pub(crate) keeper: Keeper,
    /// Whether files of past days are merged.
    pub(crate) compacts: bool,
    /// After how many milliseconds files are in the store only.
    pub(crate) local_for_ms: Option<u64>,
    /// How long what is kept.
    pub(crate) kept: Retention,
}

impl Upkeep {
    /// Goes on until told to end; a merge that is under way is given up then. What fails is tried
    /// again an hour later: nothing depends on it.
    pub(crate) async fn run(self, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
        let mut hours = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = hours.tick() => {}
            }
            let (upkeep, now) = (self.clone(), Epoch::of(clock.now()));
            let ending = shutdown.clone();
            let done = tokio::task::spawn_blocking(move || upkeep.once(now, &ending)).await;
            match done {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!("the archive was not looked after: {error}"),
                Err(panic) => tracing::error!("looking after the archive broke off: {panic}"),
            }
        }
    }

    fn once(&self, now: Epoch, ending: &CancellationToken) -> Result<(), ArchiveError> {
        let gone = self.keeper.retire_older(now, self.kept)?;
        if gone.files + gone.keyframes > 0 {
            let (files, keyframes, bytes) = (gone.files, gone.keyframes, gone.bytes);
            tracing::info!(files, keyframes, bytes, "old files of the archive went");
        }
        if self.compacts {
            let done = self.keeper.compact(now, || ending.is_cancelled(), |_| ())?;
            if done.files_after > 0 {
                let (before, after) = (done.files_before, done.files_after);
                tracing::info!(before, after, rows = done.rows, "files of past days were merged");
            }
        }
        if let Some(local_for_ms) = self.local_for_ms {
            let done = self.keeper.send_away(now, local_for_ms)?;
            if done.files > 0 {
                tracing::info!(
                    files = done.files,
                    bytes = done.bytes,
                    "files are in the store only"
                );
            }
        }
        Ok(())
    }
}
