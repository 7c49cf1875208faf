//! A store as a depot: whole objects under the paths that files have in the data folder, asked for
//! one after the other by a thread that may wait.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::path::Path as Key;
use object_store::{Error, ObjectStoreExt as _, PutMode, WriteMultipart};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::super::depot::Depot;
use super::super::error::ArchiveError;
use super::super::folder::Found;
use super::address::Store;

/// Larger files go in parts of this size, so that three of them are all the memory it takes.
const PART_BYTES: usize = if cfg!(test) { 1 << 10 } else { 8 << 20 };
/// Parts that are on the way at once.
const PARTS_AT_ONCE: usize = 2;

/// A store, and where it is waited for.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Store,
    runtime: Handle,
    /// Once it is cancelled everything fails at once.
    given_up: CancellationToken,
}

impl Bucket {
    /// Requests are driven by a runtime, which must not be the caller's thread.
    pub(super) fn new(store: Store, runtime: Handle, given_up: CancellationToken) -> Bucket {
        Bucket { store, runtime, given_up }
    }

    /// Its name and the path of a file in it, for people.
    pub(super) fn path(&self, relative: &Path) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.store.address(), relative.display()))
    }

    /// Copies a file of this machine, of so many bytes, over an older one of the same name.
    pub(super) fn upload(
        &mut self,
        relative: &Path,
        local: &Path,
        bytes: u64,
    ) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::io("read", local, error);
        let mut file = File::open(local).map_err(failed)?;
        if bytes <= PART_BYTES as u64 {
            let mut all = Vec::new();
            file.read_to_end(&mut all).map_err(failed)?;
            return self.write(relative, &all);
        }
        let objects = self.store.objects();
        let upload = self.run(("write", relative), objects.put_multipart(&key(relative)))?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        match self.pour(relative, &mut parts, &mut file, failed) {
            Ok(()) => self.run(("write", relative), parts.finish()).map(drop),
            Err(error) => {
                // What is left of it, nobody sees; a bucket's own rules remove it in time.
                self.run(("abandon", relative), parts.abort()).ok();
                Err(error)
            }
        }
    }

    fn pour(
        &self,
        relative: &Path,
        parts: &mut WriteMultipart,
        file: &mut File,
        failed: impl Fn(io::Error) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        loop {
            let mut part = Vec::with_capacity(PART_BYTES);
            file.take(PART_BYTES as u64).read_to_end(&mut part).map_err(&failed)?;
            if part.is_empty() {
                return Ok(());
            }
            self.run(("write", relative), async {
                parts.wait_for_capacity(PARTS_AT_ONCE).await?;
                parts.put(Bytes::from(part));
                Ok(())
            })?;
        }
    }

    fn run<T>(
        &self,
        (action, relative): (&'static str, &Path),
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, ArchiveError> {
        let done = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.given_up.cancelled() => Err(io::ErrorKind::Interrupted.into()),
                done = work => done.map_err(io::Error::from),
            }
        });
        done.map_err(|source| ArchiveError::io(action, &self.path(relative), source))
    }

    fn put(&self, path: &Path, bytes: &[u8], mode: PutMode) -> Result<bool, ArchiveError> {
        self.run(("write", path), async {
            let bytes = Bytes::copy_from_slice(bytes);
            match self.store.objects().put_opts(&key(path), bytes.into(), mode.into()).await {
                Err(Error::AlreadyExists { .. }) => Ok(false),
                done => done.map(|_| true),
            }
        })
    }
}

impl Depot for Bucket {
    fn list(&mut self, below: &Path) -> Result<Vec<Found>, ArchiveError> {
        self.run(("list", below), async {
            let found = self.store.objects().list(Some(&key(below)));
            let found = found.map_ok(|object| Found {
                path: PathBuf::from(object.location.to_string()),
                bytes: object.size,
            });
            found.try_collect().await
        })
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, ArchiveError> {
        self.run(("read", path), async {
            Ok(self.store.objects().get(&key(path)).await?.bytes().await?.into())
        })
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.put(path, bytes, PutMode::Overwrite).map(drop)
    }

    fn create(&mut self, path: &Path, bytes: &[u8]) -> Result<bool, ArchiveError> {
        self.put(path, bytes, PutMode::Create)
    }

    fn remove(&mut self, file: &Found) -> Result<(), ArchiveError> {
        self.run(("remove", &file.path), async {
            match self.store.objects().delete(&key(&file.path)).await {
                Err(Error::NotFound { .. }) => Ok(()),
                done => done,
            }
        })
    }
}

/// Paths of ours are plain text of a few characters.
fn key(relative: &Path) -> Key {
    Key::from(relative.to_string_lossy().as_ref())
}
