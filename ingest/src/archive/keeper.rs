//! Who looks after files that are written: merges them, lets old ones go. Works on any thread,
//! beside the archive; the two meet in the catalogue, for as long as a swap takes.
//!
//! Only files that no replay writes again are touched: those through the older checkpoint, or
//! through the epoch before the log begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use citytwin_core::time::Epoch;
use parking_lot::Mutex;

use super::delta::Delta;
use super::file::Space;
use super::folder::Folder;
use super::view::Catalogue;

/// Looks after the files of an archive. Clones are the same keeper, which does one thing at a time.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub(super) catalogue: Arc<Catalogue>,
    /// At the absolute path of the data folder. Held while files are merged or removed.
    pub(super) folder: Arc<Mutex<Folder>>,
    pub(super) space: Space,
    pub(super) settled: Settled,
    /// The same files as Delta tables.
    pub(super) delta: Arc<Mutex<Delta>>,
}

impl Keeper {
    /// Brings the Delta tables to the files of the newest view. A failure is said and made up for
    /// by the next time: the tables only say of files what holds without them.
    pub(super) fn commit(&self, folder: &mut Folder) {
        let mut delta = self.delta.lock();
        if let Err(error) = delta.follow(folder, &self.catalogue.view()) {
            tracing::warn!(%error, "the Delta tables are behind the archive");
        }
    }
}

/// The epoch through which no replay writes files again; shared by archive and keeper.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled(Arc<AtomicU64>);

impl Settled {
    pub(super) fn through(&self) -> Epoch {
        Epoch::new(self.0.load(Ordering::Acquire))
    }

    /// Never goes back.
    pub(super) fn reach(&self, epoch: Epoch) {
        self.0.fetch_max(epoch.number(), Ordering::AcqRel);
    }
}
