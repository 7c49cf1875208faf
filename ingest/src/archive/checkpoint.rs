//! The state of the engine after a cut, so that a restart replays the rest of the log only.
//!
//! ```text
//! checkpoint/{epoch}.checkpoint
//!   0  8  magic "CTWNCKPT"
//!   8  4  version, u32 little-endian
//!  12  4  CRC-32 of everything behind it, u32 little-endian
//!  16  8  epoch, u64 little-endian
//!  24  8  length of the body, u64 little-endian
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

const FOLDER: &str = "checkpoint";
const EXTENSION: &str = "checkpoint";
const MAGIC: &[u8; 8] = b"CTWNCKPT";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
/// Where the bytes begin that the CRC covers.
const COVERED_FROM: usize = 16;
/// How many are kept.
const KEPT: usize = 2;

/// The file that holds a state.
pub(super) fn encode<S: Serialize>(epoch: Epoch, state: &S) -> Result<Vec<u8>, postcard::Error> {
    let mut file = vec![0; HEADER_BYTES];
    file = postcard::to_extend(state, file)?;
    let body_bytes = (file.len() - HEADER_BYTES) as u64;
    file[..8].copy_from_slice(MAGIC);
    file[8..12].copy_from_slice(&VERSION.to_le_bytes());
    file[16..24].copy_from_slice(&epoch.number().to_le_bytes());
    file[24..32].copy_from_slice(&body_bytes.to_le_bytes());
    let crc = crc32fast::hash(&file[COVERED_FROM..]);
    file[12..16].copy_from_slice(&crc.to_le_bytes());
    Ok(file)
}

/// The state that a file named after `epoch` holds.
fn decode<S: DeserializeOwned>(epoch: Epoch, file: &[u8]) -> Result<S, CheckpointProblem> {
    let found = file.len() as u64;
    let torn = |expected: u64| CheckpointProblem::Torn { expected, found };
    if file.len() < HEADER_BYTES {
        return Err(torn(HEADER_BYTES as u64));
    }
    let (header, body) = file.split_at(HEADER_BYTES);
    if header[..8] != *MAGIC {
        return Err(CheckpointProblem::Magic);
    }
    let version = u32_at(header, 8);
    if version != VERSION {
        return Err(CheckpointProblem::Version { expected: VERSION, found: version });
    }
    let expected = u64_at(header, 24).saturating_add(HEADER_BYTES as u64);
    if expected != found {
        return Err(torn(expected));
    }
    if crc32fast::hash(&file[COVERED_FROM..]) != u32_at(header, 12) {
        return Err(CheckpointProblem::Checksum);
    }
    let inside = Epoch::new(u64_at(header, 16));
    if inside != epoch {
        return Err(CheckpointProblem::Epoch { expected: epoch, found: inside });
    }
    postcard::from_bytes(body).map_err(CheckpointProblem::Decode)
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

fn u32_at(header: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(header: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
