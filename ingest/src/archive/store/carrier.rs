//! Who brings a store to the files of a view: data first, then the commit that names them, and
//! what no version names any more goes when its time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use citytwin_core::time::{EPOCH_MS, Epoch};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::super::delta::Log;
use super::super::depot::Depot as _;
use super::super::error::ArchiveError;
use super::super::file::ArchiveFile;
use super::super::folder::Found;
use super::super::partition::Table;
use super::super::view::{Files, View};
use super::address::Store;
use super::bucket::Bucket;

/// Whose archive it is: the same file as in the data folder.
const OWNER: &str = "folder-id";

/// Brings a store to the files of views. Waits for the network: for a thread of its own.
#[derive(Debug)]
pub struct Carrier {
    bucket: Bucket,
    owner: String,
    delay_epochs: u64,
    /// As the store is known to be; nothing at first and after a failure.
    tables: Option<Tables>,
}

/// How far the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// The last epoch that any of its tables reached.
    pub through: Epoch,
    /// Files that its tables name.
    pub files: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Files of the view that are damaged or gone, and not in the store either.
    pub left_out: u64,
}

/// The tables of a store.
#[derive(Debug)]
struct Tables {
    logs: Vec<Log>,
    /// The files that the logs name now.
    carried: Option<Arc<Files>>,
    left_out: u64,
    parting: Vec<Parting>,
}

/// A file that the newest version of its table does not name.
#[derive(Debug)]
struct Parting {
    found: Found,
    /// Since which epoch of the view; not known before the first of them.
    since: Option<Epoch>,
    /// A view that still names it may be read from.
    holder: Weak<ArchiveFile>,
}

impl Carrier {
    /// To a store that belongs to the data folder with the id `owner`. Files that left the tables
    /// stay for `removal_delay_ms`. When `given_up` is cancelled, whatever is under way fails.
    pub fn new(
        (store, runtime): (Store, Handle),
        owner: String,
        removal_delay_ms: u32,
        given_up: CancellationToken,
    ) -> Carrier {
        Carrier {
            bucket: Bucket::new(store, runtime, given_up),
            owner,
            delay_epochs: u64::from(removal_delay_ms).div_ceil(EPOCH_MS.unsigned_abs()),
            tables: None,
        }
    }

    /// Brings the store to the files of a view, once the view has come as far as the store is: after
    /// a start the log is replayed first. Where nothing changed, nothing is asked of the store.
    ///
    /// # Errors
    /// When the store fails or belongs to another data folder. What is missing is made up for by
    /// the next call, with whatever view.
    pub fn carry(&mut self, view: &View) -> Result<Carried, ArchiveError> {
        // Put back when all went well: otherwise nobody knows what the store has.
        let mut tables = match self.tables.take() {
            Some(tables) => tables,
            None => Tables::open(&mut self.bucket, &self.owner)?,
        };
        let now = view.through();
        if tables.logs.iter().all(|log| log.through() <= now) {
            tables.follow(&mut self.bucket, view.shared_files(), now)?;
            tables.part(&mut self.bucket, now, self.delay_epochs)?;
        }
        let carried = tables.told();
        self.tables = Some(tables);
        Ok(carried)
    }
}

impl Tables {
    fn open(bucket: &mut Bucket, owner: &str) -> Result<Tables, ArchiveError> {
        let path = Path::new(OWNER);
        let text = format!("{owner}\n");
        if !bucket.create(path, text.as_bytes())? && bucket.read(path)? != text.as_bytes() {
            return Err(ArchiveError::Taken { path: bucket.path(path) });
        }
        let mut tables =
            Tables { logs: Vec::new(), carried: None, left_out: 0, parting: Vec::new() };
        for table in Table::ALL {
            let log = Log::open(bucket, table)?;
            let home = table.folder();
            let named: BTreeSet<PathBuf> = log.files().map(|(path, _)| home.join(path)).collect();
            for found in bucket.list(&home)? {
                if Table::parse(&found.path).is_some() && !named.contains(&found.path) {
                    tables.parting.push(Parting { found, since: None, holder: Weak::new() });
                }
            }
            tables.logs.push(log);
        }
        Ok(tables)
    }

    /// Takes the tables to these files, as of a view that reaches through `now`.
    fn follow(
        &mut self,
        bucket: &mut Bucket,
        files: &Arc<Files>,
        now: Epoch,
    ) -> Result<(), ArchiveError> {
        if self.carried.as_ref().is_some_and(|carried| Arc::ptr_eq(carried, files)) {
            return Ok(());
        }
        let mut left_out = 0;
        // What came over before a failure need not come again: a name says what is in a file.
        let unnamed: BTreeMap<PathBuf, u64> =
            self.parting.iter().map(|one| (one.found.path.clone(), one.found.bytes)).collect();
        for log in &mut self.logs {
            let table = log.table();
            let mut here = Vec::with_capacity(files.of(table).len());
            for file in files.of(table) {
                let is_there = log.names(file)
                    || unnamed.get(&file.relative()).is_some_and(|bytes| *bytes == file.bytes());
                if is_there || bring(bucket, file)? {
                    here.push(Arc::clone(file));
                } else {
                    left_out += 1;
                }
            }
            let before: Vec<(String, u64)> =
                log.files().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
            log.follow(bucket, &here)?;
            for file in &here {
                file.set_stored();
            }
            let named: BTreeSet<&str> = log.files().map(|(path, _)| path).collect();
            let was = self.carried.iter().flat_map(|carried| carried.of(table));
            let mut holders: BTreeMap<PathBuf, Weak<ArchiveFile>> =
                was.map(|file| (file.relative(), Arc::downgrade(file))).collect();
            for (path, bytes) in before {
                if !named.contains(path.as_str()) {
                    let path = table.folder().join(path);
                    let holder = holders.remove(&path).unwrap_or_default();
                    let found = Found { path, bytes };
                    self.parting.push(Parting { found, since: Some(now), holder });
                }
            }
        }
        (self.carried, self.left_out) = (Some(Arc::clone(files)), left_out);
        Ok(())
    }

    /// Removes what nobody needs any more.
    fn part(
        &mut self,
        bucket: &mut Bucket,
        now: Epoch,
        delay_epochs: u64,
    ) -> Result<(), ArchiveError> {
        let named: BTreeSet<PathBuf> = self
            .logs
            .iter()
            .flat_map(|log| log.files().map(|(path, _)| log.table().folder().join(path)))
            .collect();
        let mut left = Vec::new();
        for mut one in std::mem::take(&mut self.parting) {
            let since = *one.since.get_or_insert(now);
            if named.contains(&one.found.path) {
                continue;
            }
            let is_over = now.number() >= since.number().saturating_add(delay_epochs);
            if is_over && one.holder.strong_count() == 0 {
                bucket.remove(&one.found)?;
            } else {
                left.push(one);
            }
        }
        self.parting = left;
        Ok(())
    }

    fn told(&self) -> Carried {
        let files = || self.logs.iter().flat_map(Log::files);
        Carried {
            through: self.logs.iter().map(Log::through).max().unwrap_or(Epoch::ZERO),
            files: files().count() as u64,
            bytes: files().map(|(_, bytes)| bytes).sum(),
            left_out: self.left_out,
        }
    }
}

/// Copies a file to the store. False when it is not here either.
fn bring(bucket: &mut Bucket, file: &ArchiveFile) -> Result<bool, ArchiveError> {
    if file.is_away() {
        let path = bucket.path(&file.relative());
        tracing::error!(path = %path.display(), "a file is neither here nor in the store");
        return Ok(false);
    }
    if let Err(error) = file.check() {
        tracing::warn!(%error, "a file of the archive cannot be carried to the store");
        return Ok(false);
    }
    bucket.upload(&file.relative(), file.path(), file.bytes())?;
    Ok(true)
}

#[cfg(test)]
#[path = "store_tests.rs"]
pub(in super::super) mod tests;
