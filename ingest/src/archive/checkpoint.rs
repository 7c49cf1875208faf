//! The state of the engine after a cut, so that a restart replays the rest of the log only.
//!
//! ```text
//! checkpoint/{epoch}.checkpoint
//!   0 32  head, see sealed.rs; magic "CTWNCKPT"
//!  32  …  body: the state in postcard
//! ```
//!
//! The newest two are kept, and the log back to the older one: should the newest be damaged, the one
//! before serves.

use std::path::{Path, PathBuf};
use std::{fs, io};

use citytwin_core::time::Epoch;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ArchiveError, CheckpointProblem};
use super::folder::Folder;
use super::sealed::Seal;

const FOLDER: &str = "checkpoint";
const EXTENSION: &str = "checkpoint";
const SEAL: Seal = Seal { magic: *b"CTWNCKPT", version: 1, note_bytes: 0 };
/// How many are kept.
const KEPT: usize = 2;

/// The file that holds a state.
pub(super) fn encode<S: Serialize>(epoch: Epoch, state: &S) -> Result<Vec<u8>, postcard::Error> {
    let mut file = postcard::to_extend(state, SEAL.begin())?;
    SEAL.close(epoch, &[], &mut file);
    Ok(file)
}

/// The state that a file named after `epoch` holds.
fn decode<S: DeserializeOwned>(epoch: Epoch, file: &[u8]) -> Result<S, CheckpointProblem> {
    postcard::from_bytes(SEAL.open(epoch, file)?).map_err(CheckpointProblem::Decode)
}

/// Writes a checkpoint, durably, and removes those older than the newest two. Returns the older
/// of the two, once there are two.
pub(super) fn write(
    folder: &mut Folder,
    epoch: Epoch,
    file: &[u8],
) -> Result<Option<Epoch>, ArchiveError> {
    folder.write(&name(epoch), file)?;
    prune(folder)?;
    Ok(epochs(folder)?.get(KEPT - 1).copied())
}

/// Removes all but the newest two: after each write, and at the start in case a crash came
/// between the two.
pub(super) fn prune(folder: &mut Folder) -> Result<(), ArchiveError> {
    epochs(folder)?.into_iter().skip(KEPT).try_for_each(|old| folder.remove(&name(old)))
}

/// The newest state that can be gone on from: the newest checkpoint, or an older one when that is
/// damaged and the log still holds everything behind the older one. Nothing when there is no
/// checkpoint at all.
pub(super) fn newest<S: DeserializeOwned>(
    folder: &Folder,
    oldest_in_log: Option<Epoch>,
) -> Result<Option<S>, ArchiveError> {
    let mut damaged: Option<(PathBuf, CheckpointProblem)> = None;
    for epoch in epochs(folder)? {
        let reached = oldest_in_log.is_some_and(|oldest| oldest <= epoch.next());
        if damaged.is_some() && !reached {
            break;
        }
        let path = folder.path(&name(epoch));
        let file = fs::read(&path).map_err(|e| ArchiveError::io("read", &path, e))?;
        match decode(epoch, &file) {
            Ok(state) => return Ok(Some(state)),
            Err(problem) => {
                tracing::error!(path = %path.display(), %problem, "checkpoint is damaged");
                damaged.get_or_insert((path, problem));
            }
        }
    }
    match damaged {
        None => Ok(None),
        Some((path, problem)) => Err(ArchiveError::NoCheckpoint { path, problem, oldest_in_log }),
    }
}

/// The state of one epoch; nothing when it has no checkpoint.
pub(super) fn at<S: DeserializeOwned>(
    folder: &Folder,
    epoch: Epoch,
) -> Result<Option<S>, ArchiveError> {
    let path = folder.path(&name(epoch));
    let file = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|e| ArchiveError::io("read", &path, e))?,
    };
    let state = decode(epoch, &file);
    state.map(Some).map_err(|problem| ArchiveError::NoCheckpoint {
        path,
        problem,
        oldest_in_log: None,
    })
}

/// The epochs that have a checkpoint, newest first.
pub(super) fn epochs(folder: &Folder) -> Result<Vec<Epoch>, ArchiveError> {
    let path = folder.path(Path::new(FOLDER));
    let failed = |e| ArchiveError::io("list", &path, e);
    let mut epochs = Vec::new();
    match fs::read_dir(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entries => {
            for entry in entries.map_err(failed)? {
                let name = entry.map_err(failed)?.path();
                let epoch = name.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
                if let Some(epoch) = epoch
                    && name.extension().is_some_and(|extension| extension == EXTENSION)
                {
                    epochs.push(Epoch::new(epoch));
                }
            }
        }
    }
    epochs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(epochs)
}

/// The folder of all checkpoints.
pub(super) fn folder() -> &'static Path {
    Path::new(FOLDER)
}

fn name(epoch: Epoch) -> PathBuf {
    Path::new(FOLDER).join(format!("{epoch}.{EXTENSION}"))
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
