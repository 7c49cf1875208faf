//! Looking after the archive's files beside everything else: once at the start and then every hour,
//! files of days that are over are merged, and what is older than it is to be kept goes.

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
        Ok(())
    }
}
