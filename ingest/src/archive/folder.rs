//! Files that are either whole or not there: written under a temporary name in their own folder,
//! flushed, renamed, and the folder flushed. Nothing here knows what is in them.
//!
//! A temporary file is called `.{name}.tmp`, so no reader's `*.parquet` ever sees it. What a crash
//! leaves of them is removed when the folder is opened.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{ArchiveError, is_full};

/// What is done to a file, in this order. Tests stop the process, so to speak, before any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    MakeFolder,
    Create,
    Append,
    FlushFile,
    Rename,
    FlushFolder,
    Remove,
}

/// Stands between us and the disk in tests: an error from it is what the disk would have said.
pub(super) type Hook = Box<dyn FnMut(Step, &Path) -> io::Result<()> + Send>;

/// A file that is there.
#[derive(Debug)]
pub(super) struct Found {
    /// Below the root.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// A file in the making, under its temporary name.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    folder: &'a mut Folder,
    file: File,
    path: PathBuf,
    parent: PathBuf,
    temporary: PathBuf,
    bytes: u64,
}

/// A folder whose files are whole.
pub(super) struct Folder {
    root: PathBuf,
    hook: Option<Hook>,
    /// Off beside a hook: a process that is killed leaves the system's cache as it is, and
    /// thousands of flushes take a minute.
    flushes: bool,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Folder {
    /// The folder at `root`, made if it is not there.
    pub(super) fn open(root: &Path) -> Result<Folder, ArchiveError> {
        fs::create_dir_all(root).map_err(|e| ArchiveError::io("make", root, e))?;
        Ok(Folder { root: root.to_owned(), hook: None, flushes: true })
    }

    #[cfg(test)]
    pub(super) fn set_hook(&mut self, hook: Hook) {
        self.hook = Some(hook);
        self.flushes = false;
    }

    pub(super) fn path(&self, relative: &Path) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a whole file below the root, over an older one of the same name. When it returns,
    /// the file survives a power cut. Returns by how much the folder grew, in bytes.
    pub(super) fn write(&mut self, relative: &Path, bytes: &[u8]) -> Result<i64, ArchiveError> {
        let mut draft = self.draft(relative)?;
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        draft.append(head)?;
        draft.append(tail)?;
        draft.commit()
    }

    /// Begins a file below the root that is written piece by piece, and there when it is committed.
    pub(super) fn draft(&mut self, relative: &Path) -> Result<Draft<'_>, ArchiveError> {
        let path = self.root.join(relative);
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        self.make(&parent)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = parent.join(format!(".{name}.tmp"));
        let created = self.step(Step::Create, &temporary, |path| File::create(path));
        let file = created.map_err(|error| failed("create", &temporary, error))?;
        Ok(Draft { folder: self, file, path, parent, temporary, bytes: 0 })
    }

    /// Removes a file below the root; one that is not there is no error.
    pub(super) fn remove(&mut self, relative: &Path) -> Result<(), ArchiveError> {
        let path = self.root.join(relative);
        match self.step(Step::Remove, &path, |path| fs::remove_file(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ArchiveError::io("remove", &path, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Walks the files below `relative`, removes stray temporary ones and returns the rest, in any
    /// order. One look at every file: about a second for a year of files.
    pub(super) fn sweep(&mut self, relative: &Path) -> Result<Vec<Found>, ArchiveError> {
        let (whole, temporary) = self.list(relative)?;
        for Found { path, .. } in temporary {
            let path = self.root.join(path);
            fs::remove_file(&path).map_err(|e| ArchiveError::io("remove", &path, e))?;
        }
        Ok(whole)
    }

    /// The files below `relative`, in any order, and the temporary ones. Changes nothing.
    pub(super) fn list(&self, relative: &Path) -> Result<(Vec<Found>, Vec<Found>), ArchiveError> {
        let (mut whole, mut temporary) = (Vec::new(), Vec::new());
        let mut waiting = vec![self.root.join(relative)];
        while let Some(folder) = waiting.pop() {
            let failed = |e| ArchiveError::io("list", &folder, e);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let metadata = match entry.metadata() {
                    // A file that was retired just now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    metadata => metadata.map_err(failed)?,
                };
                if metadata.is_dir() {
                    waiting.push(entry.path());
                } else if let Ok(path) = entry.path().strip_prefix(&self.root) {
                    let found = Found { path: path.to_owned(), bytes: metadata.len() };
                    let list = if is_temporary(path) { &mut temporary } else { &mut whole };
                    list.push(found);
                }
            }
        }
        Ok((whole, temporary))
    }

    /// Makes a folder and those above it; each new name is flushed in its parent.
    fn make(&mut self, folder: &Path) -> Result<(), ArchiveError> {
        let mut missing = Vec::new();
        let mut at = folder;
        while !at.is_dir() {
            missing.push(at.to_owned());
            match at.parent() {
                Some(parent) => at = parent,
                None => break,
            }
        }
        for new in missing.iter().rev() {
            let made = self.step(Step::MakeFolder, new, |new| fs::create_dir(new));
            match made {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(ArchiveError::io("make", new, error));
                }
                Ok(()) | Err(_) => {}
            }
            if let Some(parent) = new.parent() {
                self.flush(parent)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self, folder: &Path) -> Result<(), ArchiveError> {
        let flushes = self.flushes;
        let flush = |folder: &Path| if flushes { File::open(folder)?.sync_all() } else { Ok(()) };
        self.step(Step::FlushFolder, folder, flush)
            .map_err(|e| ArchiveError::io("flush", folder, e))
    }

    fn step<T>(
        &mut self,
        step: Step,
        path: &Path,
        act: impl FnOnce(&Path) -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(hook) = &mut self.hook {
            hook(step, path)?;
        }
        act(path)
    }
}

impl Draft<'_> {
    /// Its length so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let Draft { folder, file, temporary, .. } = self;
        let written = folder.step(Step::Append, temporary, |_| file.write_all(bytes));
        written.map_err(|error| failed("write", temporary, error))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts it in its place, over an older one of the same name. When it returns, the file
    /// survives a power cut. Returns by how much the folder grew, in bytes.
    pub(super) fn commit(self) -> Result<i64, ArchiveError> {
        let Draft { folder, file, path, parent, temporary, bytes } = self;
        let before = fs::metadata(&path).map_or(0, |old| old.len());
        let flushes = folder.flushes;
        let flush = |_: &Path| if flushes { file.sync_all() } else { Ok(()) };
        let durable = folder.step(Step::FlushFile, &temporary, flush);
        durable.map_err(|error| failed("flush", &temporary, error))?;
        let renamed = folder.step(Step::Rename, &path, |path| fs::rename(&temporary, path));
        renamed.map_err(|error| failed("rename", &temporary, error))?;
        folder.flush(&parent)?;
        Ok(size_difference(bytes, before))
    }

    /// Removes what is there of it. If this fails, opening the folder will remove it.
    pub(super) fn abandon(self) {
        fs::remove_file(&self.temporary).ok();
    }
}

/// A failure at a temporary file. A full disk gets the room back; if even this fails, opening the
/// folder will remove the file.
fn failed(action: &'static str, temporary: &Path, error: io::Error) -> ArchiveError {
    if is_full(&error) {
        fs::remove_file(temporary).ok();
    }
    ArchiveError::io(action, temporary, error)
}

fn is_temporary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tmp")
        && path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn size_difference(now: u64, before: u64) -> i64 {
    i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX)
}
