//! Sorted files as one: a k-way merge over the files of a table, or over their row groups where
//! only those are sorted.
//!
//! In memory are a batch and the dictionaries of each source and one batch that is going out:
//! about 1 MB a source, so whoever merges says how many at a time.

use std::cmp::Ordering;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::columns;
use super::error::ArchiveError;
use super::file::ArchiveFile;
use super::order::{Known, Numbered, Order};
use super::partition::Table;

/// Rows of each source in memory.
const SOURCE_ROWS: usize = if cfg!(test) { 7 } else { 4_096 };
/// Rows that go out at a time.
const MERGED_ROWS: usize = if cfg!(test) { 11 } else { 16_384 };

/// The rows of several files, sorted.
#[derive(Debug)]
pub(super) struct Merge {
    schema: SchemaRef,
    order: Order,
    sources: Vec<Source>,
    /// Sources that have rows left: a binary heap, the one whose row comes first on top.
    heap: Vec<usize>,
}

/// A file or a row group, read batch by batch.
struct Source {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    known: Known,
    batch: Option<Arc<Numbered>>,
    row: usize,
    /// Where its batch is among those of the rows that go out.
    slot: Option<usize>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Rows that go out.
#[derive(Default)]
struct Picked {
    batches: Vec<Arc<Numbered>>,
    rows: Vec<(usize, usize)>,
}

/// How many sources a file is.
///
/// # Errors
/// When its footer cannot be read.
pub(super) fn sources_of(file: &ArchiveFile) -> Result<usize, ArchiveError> {
    let groups = file.bounds()?.row_groups;
    Ok(if file.table().has_sorted_groups(file.path()) { groups } else { 1 })
}

impl Merge {
    /// The rows of files of one table. Rows that are equal in the order stay in that of the files.
    pub(super) fn of(table: Table, files: &[Arc<ArchiveFile>]) -> Result<Merge, ArchiveError> {
        let mut sources = Vec::new();
        for file in files {
            let failed = |source| ArchiveError::Read { path: file.path().to_owned(), source };
            sources.append(&mut Source::of(file).map_err(failed)?);
        }
        let (order, heap) = (Order::of(table), Vec::new());
        let mut merge = Merge { schema: table.schema(), order, sources, heap };
        for at in 0..merge.sources.len() {
            if merge.advance(at)? {
                merge.heap.push(at);
            }
        }
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sift(at);
        }
        Ok(merge)
    }

    /// The hour of arrival of the row that comes next.
    pub(super) fn hour(&self) -> Option<u64> {
        let source = &self.sources[*self.heap.first()?];
        source.batch.as_ref().map(|batch| batch.hour(source.row))
    }

    /// The next rows, one array for each column, all of one hour of arrival; nothing behind the
    /// last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<ArrayRef>>, ArchiveError> {
        let mut picked = Picked::default();
        self.sources.iter_mut().for_each(|source| source.slot = None);
        let hour = self.hour();
        while picked.rows.len() < MERGED_ROWS && self.hour() == hour {
            let Some(first) = self.heap.first().copied() else { break };
            self.pick(first, &mut picked);
            if !self.advance(first)? {
                self.heap.swap_remove(0);
            }
            self.sift(0);
        }
        if picked.rows.is_empty() {
            return Ok(None);
        }
        let path = || self.sources[0].path.clone();
        let failed = |error: ArrowError| ArchiveError::Read { path: path(), source: error.into() };
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (at, field) in self.schema.fields().iter().enumerate() {
            let parts: Vec<_> = picked.batches.iter().map(|b| b.columns[at].as_ref()).collect();
            let array = interleave(&parts, &picked.rows).map_err(failed)?;
            arrays.push(if matches!(field.data_type(), DataType::Dictionary(..)) {
                let numbers = array.as_primitive::<Int32Type>().values().iter().copied();
                columns::names(numbers, self.order.words(at).array())
            } else {
                array
            });
        }
        Ok(Some(arrays))
    }

    /// Takes the rows of the source on top that come before those of all others, within its batch.
    fn pick(&mut self, first: usize, picked: &mut Picked) {
        let rival = [1, 2].into_iter().filter_map(|at| self.heap.get(at).copied());
        let rival = rival.min_by(|a, b| self.compare(*a, *b));
        let Some(batch) = self.sources[first].batch.clone() else { return };
        let slot = *self.sources[first].slot.get_or_insert_with(|| {
            picked.batches.push(Arc::clone(&batch));
            picked.batches.len() - 1
        });
        let hour = batch.hour(self.sources[first].row);
        loop {
            picked.rows.push((slot, self.sources[first].row));
            self.sources[first].row += 1;
            let row = self.sources[first].row;
            if row == batch.rows() || picked.rows.len() == MERGED_ROWS || batch.hour(row) != hour {
                return;
            }
            if rival.is_some_and(|rival| self.compare(first, rival) == Ordering::Greater) {
                return;
            }
        }
    }

    /// Reads the next batch of a source whose rows are used up. Says whether it has rows left.
    fn advance(&mut self, at: usize) -> Result<bool, ArchiveError> {
        let source = &mut self.sources[at];
        while source.batch.as_ref().is_none_or(|batch| source.row == batch.rows()) {
            let Some(batch) = source.reader.next() else {
                source.batch = None;
                return Ok(false);
            };
            let failed = |error: ArrowError| ArchiveError::Read {
                path: source.path.clone(),
                source: error.into(),
            };
            let batch = batch.map_err(failed)?;
            source.batch = Some(Arc::new(self.order.number(&batch, &mut source.known)));
            (source.row, source.slot) = (0, None);
        }
        Ok(true)
    }

    /// Restores the heap below a position.
    fn sift(&mut self, mut at: usize) {
        loop {
            let mut least = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < self.heap.len()
                    && self.compare(self.heap[child], self.heap[least]) == Ordering::Less
                {
                    least = child;
                }
            }
            if least == at {
                return;
            }
            self.heap.swap(at, least);
            at = least;
        }
    }

    /// How the row of one source stands to that of another; never equal.
    fn compare(&self, one: usize, other: usize) -> Ordering {
        let (a, b) = (&self.sources[one], &self.sources[other]);
        match (&a.batch, &b.batch) {
            (Some(left), Some(right)) => {
                self.order.compare((left, a.row), (right, b.row)).then(one.cmp(&other))
            }
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => one.cmp(&other),
        }
    }
}

impl Source {
    /// One for the whole file, or one for each row group.
    fn of(file: &ArchiveFile) -> Result<Vec<Source>, ParquetError> {
        let path = file.path();
        let open = File::open(path).map_err(|error| ParquetError::External(Box::new(error)))?;
        let options = ArrowReaderOptions::new().with_schema(file.table().schema());
        let metadata = ArrowReaderMetadata::load(&open, options)?;
        let groups: Vec<usize> = (0..metadata.metadata().num_row_groups()).collect();
        let is_sorted = !file.table().has_sorted_groups(path);
        let parts = if is_sorted { vec![groups.as_slice()] } else { groups.chunks(1).collect() };
        let source = |groups: &[usize]| -> Result<Source, ParquetError> {
            let open = open.try_clone().map_err(|e| ParquetError::External(Box::new(e)))?;
            let builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(open, metadata.clone());
            let reader = builder.with_row_groups(groups.to_vec()).with_batch_size(SOURCE_ROWS);
            let (path, reader) = (path.to_owned(), reader.build()?);
            let known = Known::default();
            Ok(Source { path, reader, known, batch: None, row: 0, slot: None })
        };
        parts.into_iter().map(source).collect()
    }
}
