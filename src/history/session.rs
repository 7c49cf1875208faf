//! A question and the session in which it is planned: the tables as of one view, our functions, and
//! nothing that writes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use citytwin_core::time::Epoch;
use citytwin_core::twin::Snapshot;
use citytwin_ingest::archive::{Table, View};
use datafusion::catalog::{
    CatalogProvider as _, MemTable, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, TableProvider,
};
use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::{SQLOptions, SessionContext, SessionState};
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionConfig;
use datafusion::scalar::ScalarValue;

use super::files::Leniency;
use super::living::Living;
use super::table::ArchiveTable;
use super::windows::{Form, Windows};

/// The names under which tables are found in full: `citytwin.public.readings`.
pub const CATALOG: &str = "citytwin";
/// See [`CATALOG`].
pub const SCHEMA: &str = "public";

/// Longest list of values that rules out row groups and pages, one look at their bounds for each:
/// the cells of a ward or of the sensors of [`whereabouts`](super::whereabouts).
const MOST_IN_LIST: usize = 256;

/// A question in SQL.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// One statement that only asks.
    pub sql: String,
    /// What stands for `$1`, `$2`, … in it.
    pub parameters: Vec<ScalarValue>,
    /// All tables as they were known in this epoch; nothing: as they are.
    pub known_at: Option<Epoch>,
    /// Leave out files that are missing or damaged.
    pub allow_partial: bool,
    /// More tables, for this question alone.
    pub tables: Vec<(&'static str, RecordBatch)>,
}

/// The city and its archive at one moment.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) view: Arc<View>,
    /// Of the view's last epoch, or of the one in which it is known.
    pub(super) snapshot: Arc<Snapshot>,
    /// Rows of later epochs are not known.
    pub(super) known: Option<Epoch>,
    pub(super) window_ms: i64,
}

impl Question {
    /// Without parameters; fails on damaged files.
    pub fn new(sql: impl Into<String>) -> Question {
        Question { sql: sql.into(), ..Question::default() }
    }
}

/// Settings of all sessions. Texts come in the types in which they are stored.
pub(super) fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(true)
        .with_information_schema(true)
        .with_parquet_pruning(true)
        .with_parquet_page_index_pruning(true)
        .with_collect_statistics(false);
    let parquet = &mut config.options_mut().execution.parquet;
    parquet.reorder_filters = true;
    parquet.schema_force_view_types = false;
    parquet.max_in_list_size = MOST_IN_LIST;
    config
}

/// The tables of a scene, and those of the question.
pub(super) fn session(
    base: &SessionState,
    scene: &Scene,
    question: &Question,
    leniency: &Leniency,
) -> Result<SessionContext> {
    let state = SessionStateBuilder::new_from_existing(base.clone())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let context = SessionContext::new_with_state(state);
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(MemorySchemaProvider::new()))?;
    context.register_catalog(CATALOG, Arc::new(catalog));
    for (name, table) in tables(scene, leniency)? {
        context.register_table(name, table)?;
    }
    for (name, batch) in &question.tables {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
        context.register_table(*name, Arc::new(table))?;
    }
    Ok(context)
}

/// All tables and their names.
pub(super) fn tables(
    scene: &Scene,
    leniency: &Leniency,
) -> Result<Vec<(&'static str, Arc<dyn TableProvider>)>> {
    let Scene { view, snapshot, known, window_ms } = scene;
    let stored = |table: Table| {
        let table = ArchiveTable::new(Arc::clone(view), table, leniency.clone());
        as_known(Arc::new(table), *known)
    };
    let readings = stored(Table::Readings)?;
    let windows = |form: Form, revisions: &Arc<dyn TableProvider>| -> Arc<dyn TableProvider> {
        let tables = (Arc::clone(revisions), Arc::clone(&readings));
        Arc::new(Windows::new(form, tables, snapshot.watermark, *window_ms))
    };
    let (of_sensors, of_cells) = (stored(Table::Windows)?, stored(Table::CellWindows)?);
    Ok(vec![
        ("windows", windows(Form::Sensors, &of_sensors)),
        ("cell_windows", windows(Form::Cells, &of_cells)),
        ("readings", Arc::clone(&readings)),
        ("window_revisions", of_sensors),
        ("cell_window_revisions", of_cells),
        ("refusals", stored(Table::Refusals)?),
        ("dead_letters", stored(Table::DeadLetters)?),
        ("sensor_changes", stored(Table::Sensors)?),
        ("files", Arc::new(Living::files(view))),
        ("sensors", Arc::new(Living::sensors(snapshot))),
        ("ledger", Arc::new(Living::ledger(snapshot))),
    ])
}

/// The rows of a table that were known in an epoch.
fn as_known(table: Arc<dyn TableProvider>, known: Option<Epoch>) -> Result<Arc<dyn TableProvider>> {
    let Some(known) = known else { return Ok(table) };
    let plan = LogicalPlanBuilder::scan("known", provider_as_source(table), None)?
        .filter(col("epoch").lt_eq(lit(i64::try_from(known.number()).unwrap_or(i64::MAX))))?
        .build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

/// What a question asks, checked, with its parameters.
pub(super) async fn frame(context: &SessionContext, question: &Question) -> Result<DataFrame> {
    let plan = context.state().create_logical_plan(&question.sql).await?;
    let asks_only =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    asks_only.verify_plan(&plan)?;
    let frame = DataFrame::new(context.state(), plan);
    if question.parameters.is_empty() {
        return Ok(frame);
    }
    frame.with_param_values(ParamValues::from(question.parameters.clone()))
}
