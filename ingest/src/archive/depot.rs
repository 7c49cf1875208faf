//! Where the files of a Delta log are kept: on this machine's disk, or in a store elsewhere. What a
//! log needs of either, and nothing more.

use std::fs;
use std::path::Path;

use super::error::ArchiveError;
use super::file::Space;
use super::folder::{Folder, Found};

/// Keeps whole files by their path below the data folder.
pub(super) trait Depot {
    /// The files below a folder, in any order; none when there is no such folder.
    fn list(&mut self, below: &Path) -> Result<Vec<Found>, ArchiveError>;

    /// What a file holds.
    fn read(&mut self, path: &Path) -> Result<Vec<u8>, ArchiveError>;

    /// Writes a file, over an older one of the same name.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError>;

    /// Writes a file unless there is one of that name; says whether it did.
    fn create(&mut self, path: &Path, bytes: &[u8]) -> Result<bool, ArchiveError>;

    /// Removes a file; one that is not there is no error.
    fn remove(&mut self, file: &Found) -> Result<(), ArchiveError>;
}

/// The data folder, with the space that its files take.
#[derive(Debug)]
pub(super) struct Disk<'a> {
    pub(super) folder: &'a mut Folder,
    pub(super) space: &'a Space,
}

impl Depot for Disk<'_> {
    fn list(&mut self, below: &Path) -> Result<Vec<Found>, ArchiveError> {
        Ok(self.folder.list(below)?.0)
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, ArchiveError> {
        let path = self.folder.path(path);
        fs::read(&path).map_err(|error| ArchiveError::io("read", &path, error))
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.space.add(self.folder.write(path, bytes)?);
        Ok(())
    }

    // The folder is ours alone while it is locked, so a look is as good as a lock.
    fn create(&mut self, path: &Path, bytes: &[u8]) -> Result<bool, ArchiveError> {
        let is_free = !self.folder.path(path).exists();
        if is_free {
            self.write(path, bytes)?;
        }
        Ok(is_free)
    }

    fn remove(&mut self, file: &Found) -> Result<(), ArchiveError> {
        self.folder.remove(&file.path)?;
        self.space.add(-file.bytes.cast_signed());
        Ok(())
    }
}
