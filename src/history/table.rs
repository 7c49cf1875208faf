//! A table of the archive: the rows of its files and those that wait for one, each once, as of one
//! view.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use citytwin_ingest::archive::{ArchiveError, ArchiveFile, Table, View};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use super::files::{Leniency, Origin, reachable, wanted};
use super::whereabouts;

/// Bytes read at a file's end at first: holds nearly every footer.
const FOOTER_BYTES: usize = 64 << 10;

/// A table as of one view.
#[derive(Debug)]
pub(super) struct ArchiveTable {
    view: Arc<View>,
    table: Table,
    schema: SchemaRef,
    leniency: Leniency,
}

impl ArchiveTable {
    pub(super) fn new(view: Arc<View>, table: Table, leniency: Leniency) -> ArchiveTable {
        ArchiveTable { view, table, schema: table.schema(), leniency }
    }

    /// The plan over files of one origin.
    fn filed(
        &self,
        state: &dyn Session,
        (origin, wanted): (Origin, Vec<Arc<ArchiveFile>>),
        (projection, predicate): (Option<&Vec<usize>>, Option<Arc<dyn PhysicalExpr>>),
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let url = origin.url()?;
        let runtime = state.runtime_env();
        let reader = CachedParquetFileReaderFactory::new(
            runtime.object_store(&url)?,
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let mut options = state.table_options().parquet.clone();
        options.global.pushdown_filters = predicate.as_ref().is_some_and(names_places);
        let mut source = ParquetSource::new(SchemaRef::clone(&self.schema))
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER_BYTES)
            .with_parquet_file_reader_factory(Arc::new(reader));
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let groups = groups(origin, wanted, state.config().target_partitions())?;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Whether a predicate is about cells or sensors. Rows of these lie together, so what else is asked of
/// them is decoded for those rows only. Rows of a time are strewn over an hour: to decode them one by
/// one costs more than to decode all and leave out the rest.
fn names_places(predicate: &Arc<dyn PhysicalExpr>) -> bool {
    let columns = collect_columns(predicate);
    columns.iter().any(|column| ["cell", "sensor"].contains(&column.name()))
}

/// Files dealt out to as many readers as there are threads, the large ones first, each to whoever
/// has least.
fn groups(
    origin: Origin,
    mut wanted: Vec<Arc<ArchiveFile>>,
    readers: usize,
) -> Result<Vec<FileGroup>> {
    wanted.sort_by_key(|file| (std::cmp::Reverse(file.bytes()), file.first()));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); readers.max(1)];
    for file in wanted {
        let meta = object_store::ObjectMeta {
            location: origin.path(&file)?,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            size: file.bytes(),
            e_tag: None,
            version: None,
        };
        let (bytes, files) =
            groups.iter_mut().min_by_key(|(bytes, _)| *bytes).expect("at least one reader");
        *bytes += file.bytes();
        files.push(PartitionedFile::new_from_meta(meta));
    }
    let filled = groups.into_iter().filter(|(_, files)| !files.is_empty());
    Ok(filled.map(|(_, files)| FileGroup::new(files)).collect())
}

/// The conjunction of filters over a table's own columns.
pub(super) fn predicate(
    state: &dyn Session,
    schema: &SchemaRef,
    filters: &[Expr],
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let Some(all) = conjunction(filters.iter().cloned()) else { return Ok(None) };
    let schema = DFSchema::try_from(SchemaRef::clone(schema))?;
    state.create_physical_expr(all, &schema).map(Some)
}

#[async_trait]
impl TableProvider for ArchiveTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut filters = filters.to_vec();
        if matches!(self.table, Table::Readings | Table::Windows | Table::Refusals) {
            filters.extend(whereabouts::of_named(state, &self.view, &filters).await?);
        }
        let predicate = predicate(state, &self.schema, &filters)?;
        let files = self.view.files(self.table);
        let wanted = wanted(files, &self.schema, predicate.as_ref(), &self.leniency)?;
        let waiting = self.view.waiting(self.table).map_err(broken)?;
        let wanted = reachable(wanted, state.runtime_env(), &self.leniency).await?;
        let mut parts: Vec<Arc<dyn ExecutionPlan>> = Vec::with_capacity(3);
        for origin in [Origin::Disk, Origin::Store] {
            let of = |file: &&Arc<ArchiveFile>| Origin::of(file) == origin;
            let wanted: Vec<_> = wanted.iter().filter(of).map(Arc::clone).collect();
            if !wanted.is_empty() {
                let asked = (projection, predicate.clone());
                parts.push(self.filed(state, (origin, wanted), asked, limit)?);
            }
        }
        if !waiting.is_empty() {
            let schema = SchemaRef::clone(&self.schema);
            let memory = MemorySourceConfig::try_new(&[waiting], schema, projection.cloned())?;
            parts.push(DataSourceExec::from_data_source(memory.with_limit(limit)));
        }
        match parts.len() {
            0 => {
                let schema = datafusion::physical_plan::project_schema(&self.schema, projection)?;
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            1 => Ok(parts.remove(0)),
            _ => UnionExec::try_new(parts),
        }
    }
}

fn broken(error: ArchiveError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
