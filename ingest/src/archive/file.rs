//! Files on disk, shared by all views that name them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use citytwin_core::time::{Epoch, EventTime};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;

use super::error::ArchiveError;
use super::partition::Table;

/// How a Parquet file ends.
const MAGIC: &[u8; 4] = b"PAR1";

/// How many bytes all files of the archive take on disk; shared by whoever adds or removes some.
#[derive(Clone, Debug, Default)]
pub(super) struct Space(Arc<AtomicI64>);

/// A file that stays on disk as long as somebody holds it.
#[derive(Debug)]
pub(super) struct OnDisk {
    path: PathBuf,
    bytes: u64,
    is_retired: AtomicBool,
    space: Space,
}

/// One Parquet file of the archive. It stays on disk as long as a view names it.
#[derive(Debug)]
pub struct ArchiveFile {
    table: Table,
    place: Place,
    first: Epoch,
    last: Epoch,
    bounds: OnceLock<Bounds>,
    is_stored: AtomicBool,
}

/// Where a file is.
#[derive(Debug)]
enum Place {
    Here(OnDisk),
    /// In the store only; a marker stands in for it.
    Away {
        /// Where it was.
        path: PathBuf,
        bytes: u64,
        marker: OnDisk,
    },
}

/// What the footer of a file says of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many there are.
    pub rows: u64,
    /// In how many row groups.
    pub row_groups: usize,
    /// The oldest and the newest event time: of readings and refusals their own, of windows the
    /// begin. Absent where the table has none.
    pub event_times: Option<(EventTime, EventTime)>,
}

impl ArchiveFile {
    /// A whole file on disk.
    pub(super) fn new(table: Table, (first, last): (Epoch, Epoch), file: OnDisk) -> ArchiveFile {
        let (bounds, is_stored) = (OnceLock::new(), AtomicBool::new(false));
        ArchiveFile { table, place: Place::Here(file), first, last, bounds, is_stored }
    }

    /// A file of so many bytes in the store, for which a marker stands in.
    pub(super) fn away(
        table: Table,
        (first, last): (Epoch, Epoch),
        bytes: u64,
        bounds: Bounds,
        marker: OnDisk,
    ) -> ArchiveFile {
        let place = Place::Away { path: marker.path().with_extension("parquet"), bytes, marker };
        let (bounds, is_stored) = (OnceLock::from(bounds), AtomicBool::new(true));
        ArchiveFile { table, place, first, last, bounds, is_stored }
    }

    /// Which table it belongs to.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Where it is, absolute; of one that is away, where it was.
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Here(file) => file.path(),
            Place::Away { path, .. } => path,
        }
    }

    /// Whether it is in the store only.
    pub fn is_away(&self) -> bool {
        matches!(self.place, Place::Away { .. })
    }

    /// Where it is below the data folder, and in a store.
    pub fn relative(&self) -> PathBuf {
        self.table.folder_of(self.last).join(self.name())
    }

    /// Its name in its folder.
    pub(super) fn name(&self) -> String {
        self.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The first epoch it covers.
    pub fn first(&self) -> Epoch {
        self.first
    }

    /// The last epoch it covers: it holds every row of its table from the first through this one.
    pub fn last(&self) -> Epoch {
        self.last
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        match &self.place {
            Place::Here(file) => file.bytes(),
            Place::Away { bytes, .. } => *bytes,
        }
    }

    /// What its footer says; of a file that is away, its marker. Read once and kept: the first call takes a fraction of a millisecond.
    ///
    /// # Errors
    /// When the file cannot be read or is no Parquet file; asked again, it is read again.
    pub fn bounds(&self) -> Result<&Bounds, ArchiveError> {
        if let Some(bounds) = self.bounds.get() {
            return Ok(bounds);
        }
        let path = self.path();
        let file = File::open(path).map_err(|e| ArchiveError::io("open", path, e))?;
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .map_err(|source| ArchiveError::Footer { path: path.to_owned(), source })?;
        Ok(self.bounds.get_or_init(|| Bounds::of(&footer, self.table.time_column())))
    }

    /// Whether the file is still as it was written, as far as one look tells: there, as long as it
    /// was, and with the end of a Parquet file. Some microseconds. One that is away is not looked at.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), ArchiveError> {
        if self.is_away() {
            return Ok(());
        }
        let path = self.path();
        let failed = |e| ArchiveError::io("read", path, e);
        let mut file = File::open(path).map_err(|e| ArchiveError::io("open", path, e))?;
        let length = file.metadata().map_err(failed)?.len();
        let mut end = [0; MAGIC.len()];
        if length == self.bytes() {
            let begin = length.saturating_sub(MAGIC.len() as u64);
            file.seek(SeekFrom::Start(begin)).map_err(failed)?;
            file.read_exact(&mut end).map_err(failed)?;
        }
        if end == *MAGIC {
            return Ok(());
        }
        let what = format!("{length} bytes, or an end, that were not written so");
        Err(ArchiveError::Footer { path: path.to_owned(), source: ParquetError::General(what) })
    }

    /// Whether the store's table is known to name it.
    pub fn is_stored(&self) -> bool {
        self.is_stored.load(Ordering::Acquire)
    }

    /// The store's table names it.
    pub(super) fn set_stored(&self) {
        self.is_stored.store(true, Ordering::Release);
    }

    /// Another file has its rows, or nobody wants them any more: it is removed from disk when the
    /// last view that names it is gone.
    pub(super) fn retire(&self) {
        match &self.place {
            Place::Here(file) | Place::Away { marker: file, .. } => file.retire(),
        }
    }
}

impl Space {
    pub(super) fn add(&self, bytes: i64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

impl OnDisk {
    /// A file of so many bytes, which `space` counts already.
    pub(super) fn new(path: PathBuf, bytes: u64, space: &Space) -> OnDisk {
        OnDisk { path, bytes, is_retired: AtomicBool::new(false), space: space.clone() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Has it removed from disk when the last holder is gone.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if !*self.is_retired.get_mut() {
            return;
        }
        match std::fs::remove_file(&self.path) {
            Ok(()) => self.space.add(-i64::try_from(self.bytes).unwrap_or(i64::MAX)),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "a retired file could not be removed");
            }
        }
    }
}

impl Bounds {
    fn of(footer: &ParquetMetaData, time_column: Option<&str>) -> Bounds {
        let rows = footer.file_metadata().num_rows();
        let event_times = time_column.and_then(|name| {
            let columns = footer.file_metadata().schema_descr().columns();
            let at = columns.iter().position(|column| column.name() == name)?;
            let groups = footer.row_groups().iter();
            let mut spans = groups.map(|group| span(group.column(at).statistics()));
            let first = spans.next()??;
            spans.try_fold(first, |all, span| {
                let span = span?;
                Some((all.0.min(span.0), all.1.max(span.1)))
            })
        });
        let row_groups = footer.num_row_groups();
        Bounds { rows: u64::try_from(rows).unwrap_or(0), row_groups, event_times }
    }
}

fn span(statistics: Option<&Statistics>) -> Option<(EventTime, EventTime)> {
    let Some(Statistics::Int64(times)) = statistics else { return None };
    Some((EventTime::from_ms(*times.min_opt()?), EventTime::from_ms(*times.max_opt()?)))
}
