//! One file, all pages of all columns: its rows against its name, its footer and its order.

use std::cmp::Ordering;
use std::fs::File;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use crate::archive::file::ArchiveFile;
use crate::archive::order::{Known, Numbered, Order};

/// Rows read at a time.
const BATCH_ROWS: usize = 8_192;

/// Reads a file, gives each batch to `each`, and says how many rows there are and what is wrong
/// first.
pub(super) fn check(
    file: &ArchiveFile,
    mut each: impl FnMut(&RecordBatch),
) -> (u64, Option<String>) {
    let mut rows = 0;
    let problem = read(file, &mut rows, &mut each).err();
    (rows, problem)
}

fn read(
    file: &ArchiveFile,
    rows: &mut u64,
    each: &mut dyn FnMut(&RecordBatch),
) -> Result<(), String> {
    let open = File::open(file.path()).map_err(|error| format!("cannot be opened: {error}"))?;
    let footer = |error: &dyn std::fmt::Display| format!("the footer cannot be read: {error}");
    let metadata = ArrowReaderMetadata::load(&open, ArrowReaderOptions::new())
        .map_err(|error| footer(&error))?;
    if *metadata.schema() != file.table().schema() {
        return Err("has other columns than its table".to_owned());
    }
    let in_groups = file.table().has_sorted_groups(file.path());
    let mut order = Order::of(file.table());
    let mut known = Known::default();
    let mut before: Option<Numbered> = None;
    let mut disorder = None;
    for group in 0..metadata.metadata().num_row_groups() {
        let open = open.try_clone().map_err(|error| format!("cannot be opened: {error}"))?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(open, metadata.clone());
        let reader = builder.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build();
        let unread = |error: &dyn std::fmt::Display| format!("row group {group}: {error}");
        if in_groups {
            before = None;
        }
        let mut in_group = 0;
        for batch in reader.map_err(|error| unread(&error))? {
            let batch = batch.map_err(|error| unread(&error))?;
            range(file, &batch)?;
            let numbered = order.number(&batch, &mut known);
            let first = *rows + in_group;
            disorder = disorder.or_else(|| unsorted(&order, before.as_ref(), &numbered, first));
            before = Some(numbered);
            in_group += batch.num_rows() as u64;
            each(&batch);
        }
        *rows += in_group;
        let expected = metadata.metadata().row_group(group).num_rows();
        if Ok(in_group) != u64::try_from(expected) {
            return Err(unread(&format!("{in_group} rows, the footer says {expected}")));
        }
    }
    let expected = metadata.metadata().file_metadata().num_rows();
    if Ok(*rows) != u64::try_from(expected) {
        return Err(format!("{rows} rows, the footer says {expected}"));
    }
    disorder.map_or(Ok(()), Err)
}

fn range(file: &ArchiveFile, batch: &RecordBatch) -> Result<(), String> {
    let epochs = batch.column_by_name("epoch").and_then(|c| c.as_primitive_opt::<Int64Type>());
    let named = file.first().number()..=file.last().number();
    let outside = epochs
        .and_then(|all| all.values().iter().find(|epoch| !named.contains(&epoch.cast_unsigned())));
    match outside {
        Some(epoch) => Err(format!("holds epoch {epoch}, outside of its name")),
        None => Ok(()),
    }
}

/// The first row of a batch that comes before the row in front of it.
fn unsorted(
    order: &Order,
    before: Option<&Numbered>,
    batch: &Numbered,
    first: u64,
) -> Option<String> {
    let joint =
        before.filter(|before| before.rows() > 0 && batch.rows() > 0).is_some_and(|before| {
            order.compare((before, before.rows() - 1), (batch, 0)) == Ordering::Greater
        });
    let within = || {
        (1..batch.rows())
            .find(|row| order.compare((batch, row - 1), (batch, *row)) == Ordering::Greater)
    };
    let row = if joint { Some(0) } else { within() };
    row.map(|row| format!("row {} is out of order", first + row as u64))
}
