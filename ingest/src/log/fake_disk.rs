//! A disk for tests: it keeps what was flushed apart from what was only written, fills up, fails,
//! lies about flushing, and at a crash loses or tears whatever was not flushed.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Disk, DiskFile, SharedDisk};

#[derive(Clone, Debug, Default)]
struct Content {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What survives a crash for sure.
    flushed: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<String, Content>,
    /// The names that survive a crash for sure.
    flushed_names: BTreeMap<String, Content>,
    faults: Faults,
}

/// What goes wrong.
#[expect(clippy::struct_excessive_bools, reason = "each fault comes alone or not at all")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that fit on the disk in all; `None` is endless.
    pub(crate) capacity: Option<usize>,
    /// Flushing says yes and does nothing.
    pub(crate) lies: bool,
    /// Flushing fails.
    pub(crate) flush_fails: bool,
    /// Writing fails half way.
    pub(crate) write_fails: bool,
}

/// What a crash does to the bytes that were not flushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// In 256ths, how much of an unflushed tail is there afterwards.
    pub(crate) kept: u8,
    /// … and in how many of its last bytes there is something else.
    pub(crate) garbled: u8,
    /// New files whose folder was not flushed are gone.
    pub(crate) forgets_names: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FakeDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct FakeFile {
    disk: FakeDisk,
    name: String,
}

impl FakeDisk {
    pub(crate) fn shared(&self) -> SharedDisk {
        Arc::new(self.clone())
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// The power fails and comes back; all faults are gone.
    pub(crate) fn crash(&self, how: Crash) {
        let mut state = self.0.lock();
        state.faults = Faults::default();
        let names: Vec<String> = state.files.keys().cloned().collect();
        for name in names {
            if how.forgets_names && !state.flushed_names.contains_key(&name) {
                state.files.remove(&name);
            } else if let Some(content) = state.files.get_mut(&name) {
                content.crash(how);
            }
        }
        state.flushed_names = state.files.clone();
    }

    /// The process is killed; the machine goes on.
    pub(crate) fn kill(&self) {
        self.0.lock().faults = Faults::default();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.0.lock().files.keys().cloned().collect()
    }

    pub(crate) fn length(&self, name: &str) -> usize {
        self.0.lock().files[name].seen.len()
    }

    /// Changes one byte behind the log's back.
    pub(crate) fn flip(&self, name: &str, at: usize) {
        let mut state = self.0.lock();
        let content = state.files.get_mut(name).unwrap();
        content.seen[at] ^= 0x55;
        content.flushed.clone_from(&content.seen);
    }

    /// Adds bytes behind the log's back.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        let mut state = self.0.lock();
        let content = state.files.get_mut(name).unwrap();
        content.seen.extend_from_slice(bytes);
        content.flushed.clone_from(&content.seen);
    }

    pub(crate) fn cut(&self, name: &str, length: usize) {
        let mut state = self.0.lock();
        let content = state.files.get_mut(name).unwrap();
        content.seen.truncate(length);
        content.flushed.clone_from(&content.seen);
    }
}

impl Content {
    fn crash(&mut self, how: Crash) {
        let common = self.seen.iter().zip(&self.flushed).take_while(|(a, b)| a == b).count();
        if common == self.flushed.len() {
            let kept = (self.seen.len() - common) * usize::from(how.kept) / 256;
            self.seen.truncate(common + kept);
            let end = self.seen.len();
            let garbled = usize::from(how.garbled).min(kept);
            for byte in &mut self.seen[end - garbled..] {
                *byte ^= 0xA5;
            }
        } else {
            // A cut that was not flushed is undone.
            self.seen.clone_from(&self.flushed);
        }
        self.flushed.clone_from(&self.seen);
    }
}

impl State {
    fn used(&self) -> usize {
        self.files.values().map(|content| content.seen.len()).sum()
    }
}

fn gone(name: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, name.to_owned())
}

impl Disk for FakeDisk {
    fn path(&self) -> &Path {
        Path::new("fake")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock();
        if state.files.contains_key(name) {
            return Err(io::Error::from(ErrorKind::AlreadyExists));
        }
        state.files.insert(name.to_owned(), Content::default());
        Ok(Box::new(FakeFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        if !self.0.lock().files.contains_key(name) {
            return Err(gone(name));
        }
        Ok(Box::new(FakeFile { disk: self.clone(), name: name.to_owned() }))
    }

    fn read(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let state = self.0.lock();
        let seen = state.files.get(name).ok_or_else(|| gone(name))?.seen.clone();
        let length = seen.len() as u64;
        Ok((Box::new(Cursor::new(seen)), length))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().files.remove(name).map(drop).ok_or_else(|| gone(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        let content = state.files.remove(from).ok_or_else(|| gone(from))?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.faults.flush_fails {
            return Err(io::Error::other("the folder cannot be flushed"));
        }
        if !state.faults.lies {
            state.flushed_names = state.files.clone();
        }
        Ok(())
    }
}

impl DiskFile for FakeFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let free = state.faults.capacity.map_or(usize::MAX, |all| all.saturating_sub(state.used()));
        let broken = state.faults.write_fails;
        let fits = if broken { bytes.len() / 2 } else { bytes.len().min(free) };
        let content = state.files.get_mut(&self.name).ok_or_else(|| gone(&self.name))?;
        content.seen.extend_from_slice(&bytes[..fits]);
        match (broken, fits == bytes.len()) {
            (true, _) => Err(io::Error::other("the disk is broken")),
            (false, true) => Ok(()),
            (false, false) => Err(io::Error::from(ErrorKind::StorageFull)),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        if state.faults.flush_fails {
            return Err(io::Error::other("the file cannot be flushed"));
        }
        if !state.faults.lies {
            let content = state.files.get_mut(&self.name).ok_or_else(|| gone(&self.name))?;
            content.flushed.clone_from(&content.seen);
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let content = state.files.get_mut(&self.name).ok_or_else(|| gone(&self.name))?;
        content.seen.truncate(usize::try_from(length).unwrap());
        Ok(())
    }
}
