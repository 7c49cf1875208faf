//! Which files of a table a question needs: those whose bounds do not rule it out.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use citytwin_ingest::archive::{ArchiveFile, Store};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use futures::{StreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::error::HistoryError;

/// Files that are looked for in the store at a time.
const LOOKS_AT_ONCE: usize = 16;

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

/// Where files are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This machine.
    Disk,
    /// The archive's store.
    Store,
}

impl Origin {
    /// Where a file is to be read from.
    pub(super) fn of(file: &ArchiveFile) -> Origin {
        if file.is_away() { Origin::Store } else { Origin::Disk }
    }

    /// Under which URL it is registered.
    pub(super) fn url(self) -> Result<ObjectStoreUrl> {
        match self {
            Origin::Disk => Ok(ObjectStoreUrl::local_filesystem()),
            Origin::Store => ObjectStoreUrl::parse("archive://store"),
        }
    }

    /// The path of a file there.
    pub(super) fn path(self, file: &ArchiveFile) -> Result<Path> {
        let path = match self {
            Origin::Disk => Path::from_absolute_path(file.path()),
            Origin::Store => Path::parse(file.relative().to_string_lossy()),
        };
        path.map_err(|error| DataFusionError::External(Box::new(error)))
    }
}

/// Has files that are away read from a store.
pub(super) fn register(runtime: &RuntimeEnv, store: &Store) -> Result<()> {
    runtime.register_object_store(Origin::Store.url()?.as_ref(), Arc::clone(store.objects()));
    Ok(())
}

/// Of files that are away, those that the store has; where none may be left out they are not looked
/// for, and reading says what is wrong. Some milliseconds a file, several at a time.
pub(super) async fn reachable(
    files: Vec<Arc<ArchiveFile>>,
    runtime: &RuntimeEnv,
    leniency: &Leniency,
) -> Result<Vec<Arc<ArchiveFile>>> {
    let (away, mut here): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_away());
    if away.is_empty() {
        return Ok(here);
    }
    let Ok(store) = runtime.object_store(Origin::Store.url()?) else {
        for file in away {
            let problem = "it is in a store, and archive.store is not set";
            leniency.judge(HistoryError::damaged(file.path(), problem))?;
        }
        return Ok(here);
    };
    if leniency.left_out.is_none() {
        here.extend(away);
        return Ok(here);
    }
    let looks = away.into_iter().map(|file| {
        let store = &store;
        async move {
            let found = store.head(&Origin::Store.path(&file)?).await;
            Ok::<_, DataFusionError>((file, found))
        }
    });
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS_AT_ONCE);
    while let Some(looked) = looks.next().await {
        let (file, found) = looked?;
        let problem = match found {
            Ok(found) if found.size == file.bytes() => {
                here.push(file);
                continue;
            }
            Ok(found) => format!("it has {} bytes in the store", found.size),
            Err(error) => error.to_string(),
        };
        leniency.judge(HistoryError::damaged(file.path(), problem))?;
    }
    Ok(here)
}
