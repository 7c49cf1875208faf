//! What the log asks of a disk: append, flush, cut, remove. Small, so that a test's disk can tear
//! writes, fill up, fail and lose what was not flushed.
//!
//! [`Folder`] is the real one: one folder, locked for this process.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::LogError;

/// A folder of files.
pub(super) trait Disk: Send + Sync + Debug {
    /// Where it is, for people.
    fn path(&self) -> &Path;
    /// The names of all files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a new file; it survives a crash after [`Disk::sync`].
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to append to it or cut it.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to read it from its beginning, with its length.
    fn read(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)>;
    /// Removes a file; it stays removed after [`Disk::sync`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Flushes the folder itself: which files there are.
    fn sync(&self) -> io::Result<()>;
}

/// A file that grows at its end.
pub(super) trait DiskFile: Send + Debug {
    /// Writes all of `bytes` at the end; on an error any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Flushes what was appended.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to this length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// Whether an error means that there is no space, which may pass.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// A folder of a file system. Holds its lock.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, and locks it. The lock ends with the process, however
    /// it ends.
    pub(super) fn lock(path: &Path) -> Result<Folder, LogError> {
        let failed = |doing| move |error| LogError::disk(doing, path, error);
        fs::create_dir_all(path).map_err(failed("make the folder"))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| LogError::disk("open", &lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(LogError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(LogError::disk("lock", &lock_path, error)),
        }
    }
}

impl Disk for Folder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is no text is not ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path.join(name);
        Ok(Box::new(OpenOptions::new().append(true).create_new(true).open(path)?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(self.path.join(name))?))
    }

    fn read(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let file = File::open(self.path.join(name))?;
        let length = file.metadata()?.len();
        Ok((Box::new(BufReader::with_capacity(1 << 18, file)), length))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A disk shared by the log and its readers.
pub(super) type SharedDisk = Arc<dyn Disk>;
