//! The planners' folder. Everything in it is named by what it holds, written whole, and never
//! changed:
//!
//! ```text
//! planner/networks/{network}/          GMNS tables, as any tool reads them
//! planner/networks/current             id of the current one
//! planner/measured/{network}-{epoch}   what was measured at an epoch (postcard)
//! planner/scenarios/{id}/scenario      the scenario and what it is laid on (postcard)
//! planner/scenarios/{id}/outcome       what came of it (postcard)
//! ```
//!
//! What must not live here: what is in the files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use citytwin_core::road::Network;
use citytwin_core::scenario::Outcome;
use citytwin_core::time::Epoch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::base::Base;
use super::error::PlannerError;
use super::file;
use super::id::Id;
use super::planned::Planned;
use crate::network::{self, gmns};

/// The folder.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// An outcome and the hash of its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The outcome.
    pub outcome: Outcome,
    /// SHA-256 of the bytes that hold it, hexadecimal.
    pub sha256: String,
}

impl Stored {
    /// An outcome with its bytes.
    pub fn encode(outcome: Outcome) -> (Stored, Vec<u8>) {
        let bytes = encode(&outcome);
        (Stored { outcome, sha256: sha256(&bytes) }, bytes)
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain values of known length are written to memory")
}

fn sha256(bytes: &[u8]) -> String {
    Id::of_bytes(Sha256::digest(bytes).into()).to_string()
}

impl Store {
    /// In a data folder.
    pub fn new(data: &Path) -> Store {
        Store { folder: data.join("planner") }
    }

    // ---------------------------------------------------------------- networks

    fn network_folder(&self, id: &Id) -> PathBuf {
        self.folder.join("networks").join(id.as_str())
    }

    /// Keeps a network.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put_network(&self, id: &Id, network: &Network) -> Result<(), PlannerError> {
        let path = self.network_folder(id);
        if path.is_dir() {
            return Ok(());
        }
        // Written beside its place and moved there whole.
        let parent = self.folder.join("networks");
        fs::create_dir_all(&parent).map_err(PlannerError::file(&parent))?;
        let temporary = tempfile::tempdir_in(&parent).map_err(PlannerError::file(&parent))?;
        gmns::write(temporary.path(), network).map_err(PlannerError::Import)?;
        fs::rename(temporary.path(), &path).map_err(PlannerError::file(&path))
    }

    /// Reads a network.
    ///
    /// # Errors
    /// When it cannot be read, or is not what its name says.
    pub fn network(&self, id: &Id) -> Result<Network, PlannerError> {
        let path = self.network_folder(id);
        let import = network::read(&path, &mut |_done| ()).map_err(PlannerError::Import)?;
        if Id::of(&import.network.content_hash()) != *id {
            return Err(PlannerError::damaged(path, &"its content has another hash"));
        }
        Ok(import.network)
    }

    /// All networks.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn networks(&self) -> Result<Vec<Id>, PlannerError> {
        ids(&self.folder.join("networks"))
    }

    /// Forgets a network.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn delete_network(&self, id: &Id) -> Result<(), PlannerError> {
        remove(&self.network_folder(id))
    }

    /// Which network is the current one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn current(&self) -> Result<Option<Id>, PlannerError> {
        let path = self.current_path();
        let Some(bytes) = file::read(&path).map_err(PlannerError::file(&path))? else {
            return Ok(None);
        };
        let id = String::from_utf8(bytes).ok().and_then(|text| Id::parse(text.trim()));
        id.map(Some).ok_or_else(|| PlannerError::damaged(path, &"it holds no id"))
    }

    /// Makes a network the current one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn set_current(&self, id: &Id) -> Result<(), PlannerError> {
        let path = self.current_path();
        file::write(&path, id.as_str().as_bytes()).map_err(PlannerError::file(path))
    }

    fn current_path(&self) -> PathBuf {
        self.folder.join("networks").join("current")
    }

    // ---------------------------------------------------------------- bases

    fn base_path(&self, network: &Id, epoch: Epoch) -> PathBuf {
        self.folder.join("measured").join(format!("{network}-{epoch}"))
    }

    /// What was measured at an epoch, if it was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn base(&self, network: &Id, epoch: Epoch) -> Result<Option<Base>, PlannerError> {
        load(self.base_path(network, epoch))
    }

    /// Keeps what was measured at an epoch.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put_base(&self, network: &Id, base: &Base) -> Result<(), PlannerError> {
        save(&self.base_path(network, base.state.epoch), &encode(base))
    }

    /// Forgets what was measured at an epoch.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn delete_base(&self, network: &Id, epoch: Epoch) -> Result<(), PlannerError> {
        let path = self.base_path(network, epoch);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(PlannerError::file(path)),
        }
    }

    // ---------------------------------------------------------------- scenarios

    fn scenario_folder(&self, id: &Id) -> PathBuf {
        self.folder.join("scenarios").join(id.as_str())
    }

    /// All scenarios, by id.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn scenarios(&self) -> Result<Vec<Id>, PlannerError> {
        ids(&self.folder.join("scenarios"))
    }

    /// A scenario, if it was kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn planned(&self, id: &Id) -> Result<Option<Planned>, PlannerError> {
        load(self.scenario_folder(id).join("scenario"))
    }

    /// Keeps a scenario.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put_planned(&self, planned: &Planned) -> Result<(), PlannerError> {
        save(&self.scenario_folder(&planned.id).join("scenario"), &encode(planned))
    }

    /// Forgets a scenario and its outcome.
    ///
    /// # Errors
    /// When they cannot be removed.
    pub fn delete_scenario(&self, id: &Id) -> Result<(), PlannerError> {
        remove(&self.scenario_folder(id))
    }

    /// Whether there is an outcome.
    pub fn has_outcome(&self, id: &Id) -> bool {
        self.scenario_folder(id).join("outcome").is_file()
    }

    /// What came of a scenario, if it was run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn outcome(&self, id: &Id) -> Result<Option<Stored>, PlannerError> {
        let path = self.scenario_folder(id).join("outcome");
        let Some(bytes) = file::read(&path).map_err(PlannerError::file(&path))? else {
            return Ok(None);
        };
        let outcome = postcard::from_bytes(&bytes);
        let outcome = outcome.map_err(|error| PlannerError::damaged(path, &error))?;
        Ok(Some(Stored { outcome, sha256: sha256(&bytes) }))
    }

    /// Keeps what came of a scenario.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn put_outcome(&self, id: &Id, bytes: &[u8]) -> Result<(), PlannerError> {
        save(&self.scenario_folder(id).join("outcome"), bytes)
    }
}

fn load<T: DeserializeOwned>(path: PathBuf) -> Result<Option<T>, PlannerError> {
    let Some(bytes) = file::read(&path).map_err(PlannerError::file(&path))? else {
        return Ok(None);
    };
    let value = postcard::from_bytes(&bytes);
    value.map(Some).map_err(|error| PlannerError::damaged(path, &error))
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), PlannerError> {
    file::write(path, bytes).map_err(PlannerError::file(path))
}

/// The names in a folder that are ids, in order.
fn ids(folder: &Path) -> Result<Vec<Id>, PlannerError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(PlannerError::file(folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(PlannerError::file(folder))?;
        found.extend(entry.file_name().to_str().and_then(Id::parse));
    }
    found.sort_unstable();
    Ok(found)
}

fn remove(folder: &Path) -> Result<(), PlannerError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(PlannerError::file(folder)),
    }
}
