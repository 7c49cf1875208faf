//! Which files of a table a question needs: those whose bounds do not rule it out.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use citytwin_ingest::archive::ArchiveFile;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::error::HistoryError;

/// What is done about files that are missing or damaged.
#[derive(Clone, Debug, Default)]
pub(super) struct Leniency {
    /// Where they are named if they may be left out; otherwise they are errors.
    left_out: Option<Arc<Mutex<Vec<String>>>>,
}

impl Leniency {
    /// Leaves out what cannot be read.
    pub(super) fn partial() -> Leniency {
        Leniency { left_out: Some(Arc::default()) }
    }

    /// What was left out.
    pub(super) fn left_out(&self) -> Vec<String> {
        let Some(names) = &self.left_out else { return Vec::new() };
        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn judge(&self, error: HistoryError) -> Result<()> {
        let (Some(names), HistoryError::Damaged { path, .. }) = (&self.left_out, &error) else {
            return Err(error.in_scan());
        };
        tracing::warn!(%error, "left out of an answer");
        names.lock().unwrap_or_else(PoisonError::into_inner).push(path.display().to_string());
        Ok(())
    }
}

/// The files that may hold rows for which `predicate` is true. The footer of a file is read the
/// first time that anybody asks, and remembered.
pub(super) fn wanted(
    files: &[Arc<ArchiveFile>],
    schema: &SchemaRef,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
    leniency: &Leniency,
) -> Result<Vec<Arc<ArchiveFile>>> {
    let mut known = Vec::with_capacity(files.len());
    for file in files {
        match file.bounds() {
            Ok(_) => known.push(Arc::clone(file)),
            Err(error) => leniency.judge(HistoryError::damaged(file.path(), error))?,
        }
    }
    let mut whole = Vec::new();
    for file in prune(known, schema, predicate)? {
        match file.check() {
            Ok(()) => whole.push(file),
            Err(error) => leniency.judge(HistoryError::damaged(file.path(), error))?,
        }
    }
    Ok(whole)
}

/// Without files that hold no row for which `predicate` is true.
fn prune(
    known: Vec<Arc<ArchiveFile>>,
    schema: &SchemaRef,
    predicate: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<Vec<Arc<ArchiveFile>>> {
    let Some(predicate) = predicate.filter(|_| !known.is_empty()) else { return Ok(known) };
    let pruning = PruningPredicateBuilder::new()
        .with_file_schema(SchemaRef::clone(schema))
        .try_build(Arc::clone(predicate))?;
    let all = known.iter().map(|file| Arc::new(limits(file, schema))).collect();
    let kept = pruning.prune(&PrunableStatistics::new(all, SchemaRef::clone(schema)))?;
    let kept = known.into_iter().zip(kept).filter(|(_, kept)| *kept);
    Ok(kept.map(|(file, _)| file).collect())
}

/// Between what the columns of a file lie. Only for pruning: the epochs are those that the file
/// covers, not those of its first and last row.
fn limits(file: &ArchiveFile, schema: &Schema) -> Statistics {
    let mut statistics = Statistics::new_unknown(schema);
    let Ok(bounds) = file.bounds() else { return statistics };
    statistics.num_rows = Precision::Exact(usize::try_from(bounds.rows).unwrap_or(usize::MAX));
    let mut set = |name: &str, least: ScalarValue, most: ScalarValue| {
        if let Ok(column) = schema.index_of(name) {
            statistics.column_statistics[column] = ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: Precision::Exact(least),
                max_value: Precision::Exact(most),
                ..ColumnStatistics::new_unknown()
            };
        }
    };
    let epoch =
        |epoch: citytwin_core::time::Epoch| ScalarValue::Int64(Some(epoch.number().cast_signed()));
    set("epoch", epoch(file.first()), epoch(file.last()));
    if let Some((first, last)) = bounds.event_times {
        let time = |time: citytwin_core::time::EventTime| {
            ScalarValue::TimestampMillisecond(Some(time.ms()), Some("UTC".into()))
        };
        set("event_time", time(first), time(last));
        set("window_start", time(first), time(last));
    }
    statistics
}

/// That a path is one of this machine's.
pub(super) fn local(path: &std::path::Path) -> Result<object_store::path::Path> {
    object_store::path::Path::from_absolute_path(path)
        .map_err(|error| DataFusionError::External(Box::new(error)))
}
