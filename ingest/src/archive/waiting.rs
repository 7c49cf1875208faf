//! Rows that are in no file yet: what the archive thread appends to, and what a view shows of it.
//!
//! Rows wait as they came, epoch by epoch, each epoch's behind one pointer; a view clones the list
//! of pointers, never a row. Tables of windows pack what waits into row groups of the file in the
//! making as it grows; a view reads those back from the packed bytes, which are shared too.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use citytwin_core::time::Epoch;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, RowGroups};
use super::list::List;
use super::partition::Table;
use super::places::PlaceList;

/// Rows in one batch, for encoder and reader: the last batch of each kind may be shorter.
pub(super) const BATCH_ROWS: usize = 32_768;

/// The rows of one table that came with one epoch.
pub(super) trait Rows: Debug + Send + Sync + 'static {
    /// How its columns are stored.
    const COLUMNS: &'static Columns;

    /// How many loose rows are packed into a row group while they wait; nothing: they wait as they
    /// came until the file ends.
    const GROUP_ROWS: Option<usize> = None;

    /// One row.
    type Row<'a>: Copy;

    /// All rows, as they came.
    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>>;

    /// What they take in memory, where that is what limits how many may wait.
    fn bytes(&self) -> usize {
        0
    }

    /// Puts rows in the order of the file; those that are equal in it stay as they came.
    fn sort(rows: &mut Vec<Self::Row<'_>>, places: &PlaceList);

    /// One array for each column.
    fn arrays(rows: &[Self::Row<'_>], wording: &Wording) -> Vec<ArrayRef>;
}

/// What rows leave out because it is the same for many of them.
#[derive(Clone, Debug)]
pub(super) struct Wording {
    /// Length of a window, milliseconds.
    pub(super) window_ms: u32,
    /// Where sensors stood: what place numbers mean.
    pub(super) places: Arc<PlaceList>,
}

/// Rows that wait, as a view shows them.
pub(super) trait Waits: Debug + Send + Sync {
    /// All of them, in the schema of the files, in no order.
    fn batches(&self) -> Result<Vec<RecordBatch>, ParquetError>;
}

/// The rows of one table for its next file.
#[derive(Debug)]
pub(super) struct Buffer<R: Rows> {
    loose: List<R>,
    loose_rows: usize,
    loose_bytes: usize,
    packed: List<RowGroups>,
    file: File,
    /// As the last view shows it; none since it has changed.
    shown: Option<Arc<dyn Waits>>,
}

/// A buffer of whatever rows.
pub(super) trait Buffered {
    /// Rows that are not packed.
    fn loose_rows(&self) -> usize;

    /// Bytes of the row groups that are packed and, where the table says, of the loose rows.
    fn bytes(&self) -> usize;

    /// Packs what waits into a row group, if it is worth one.
    fn pack(&mut self, wording: &Wording) -> Result<(), ParquetError>;

    /// What waits, shared; nothing when there are no rows.
    fn show(&mut self, wording: &Wording) -> Option<Arc<dyn Waits>>;

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    fn encode(&mut self, wording: &Wording) -> Result<Option<Vec<u8>>, ParquetError>;
}

/// What a view shows of a buffer.
#[derive(Debug)]
struct Shown<R: Rows> {
    loose: List<R>,
    packed: List<RowGroups>,
    wording: Wording,
}

/// A table's rows from one epoch to another, encoded but not on disk yet.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) table: Table,
    pub(super) first: Epoch,
    pub(super) last: Epoch,
    pub(super) bytes: Vec<u8>,
    pub(super) rows: Arc<dyn Waits>,
}

impl<R: Rows> Default for Buffer<R> {
    fn default() -> Buffer<R> {
        Buffer {
            loose: List::default(),
            loose_rows: 0,
            loose_bytes: 0,
            packed: List::default(),
            file: File::new(R::COLUMNS),
            shown: None,
        }
    }
}

impl<R: Rows> Buffer<R> {
    /// Adds the rows of one epoch.
    pub(super) fn push(&mut self, rows: R) {
        let count = rows.rows().len();
        if count > 0 {
            self.loose_rows += count;
            self.loose_bytes += rows.bytes();
            self.loose.push(rows);
            self.shown = None;
        }
    }

    /// Hands the loose rows to the file, sorted.
    fn hand_over(&mut self, wording: &Wording) -> Result<(), ParquetError> {
        let loose = std::mem::take(&mut self.loose);
        (self.loose_rows, self.loose_bytes) = (0, 0);
        let mut rows: Vec<R::Row<'_>> = loose.iter().flat_map(Rows::rows).collect();
        R::sort(&mut rows, &wording.places);
        for batch in rows.chunks(BATCH_ROWS) {
            self.file.push(R::arrays(batch, wording))?;
        }
        Ok(())
    }
}

impl<R: Rows> Buffered for Buffer<R> {
    fn loose_rows(&self) -> usize {
        self.loose_rows
    }

    fn bytes(&self) -> usize {
        self.loose_bytes + self.file.encoded_bytes()
    }

    fn pack(&mut self, wording: &Wording) -> Result<(), ParquetError> {
        if R::GROUP_ROWS.is_none_or(|enough| self.loose_rows < enough) {
            return Ok(());
        }
        self.shown = None;
        self.hand_over(wording)?;
        if let Some(groups) = self.file.end_row_group()? {
            self.packed.push(groups);
        }
        Ok(())
    }

    fn show(&mut self, wording: &Wording) -> Option<Arc<dyn Waits>> {
        if self.loose.is_empty() && self.packed.is_empty() {
            return None;
        }
        let shown = self.shown.get_or_insert_with(|| {
            Arc::new(Shown {
                loose: self.loose.clone(),
                packed: self.packed.clone(),
                wording: wording.clone(),
            })
        });
        Some(Arc::clone(shown))
    }

    fn encode(&mut self, wording: &Wording) -> Result<Option<Vec<u8>>, ParquetError> {
        self.shown = None;
        self.hand_over(wording)?;
        self.packed = List::default();
        self.file.finish()
    }
}

impl<R: Rows> Waits for Shown<R> {
    fn batches(&self) -> Result<Vec<RecordBatch>, ParquetError> {
        let mut batches = Vec::new();
        for groups in self.packed.iter() {
            batches.extend(groups.batches(R::COLUMNS, BATCH_ROWS)?);
        }
        let rows: Vec<R::Row<'_>> = self.loose.iter().flat_map(Rows::rows).collect();
        let schema = columns::schema(R::COLUMNS);
        for batch in rows.chunks(BATCH_ROWS) {
            let arrays = R::arrays(batch, &self.wording);
            batches.push(RecordBatch::try_new(Arc::clone(&schema), arrays)?);
        }
        Ok(batches)
    }
}
