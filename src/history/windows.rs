//! Windows as they hold: of each the highest revision, and those that still run, summed up from
//! their readings. `window_revisions` and `cell_window_revisions` have the rows as published.
//!
//! A window runs while its end is behind the watermark, so a running one has no published row yet,
//! and all its readings are as new as the watermark less a window: few, and near the end of the
//! archive. Quantiles of cells come when the window closes.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use citytwin_core::time::EventTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct, first_value, max, min, sum};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast, col,
    ident, lit, try_cast,
};
use datafusion::physical_plan::ExecutionPlan;

use super::functions::{date_bin_ms, h3_parent};

/// Whose windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Sensors,
    Cells,
}

impl Form {
    /// What names a window.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Form::Sensors => &["sensor", "quantity", "window_start"],
            Form::Cells => &["cell", "quantity", "window_start"],
        }
    }
}

/// Resolutions of cell windows.
const RESOLUTIONS: std::ops::RangeInclusive<u8> = 5..=9;

/// The table of valid windows.
#[derive(Debug)]
pub(super) struct Windows {
    form: Form,
    revisions: Arc<dyn TableProvider>,
    readings: Arc<dyn TableProvider>,
    /// Begin of the first window that runs.
    running_from: EventTime,
    window_ms: i64,
    schema: SchemaRef,
}

impl Windows {
    /// Over the tables of revisions and of readings.
    pub(super) fn new(
        form: Form,
        (revisions, readings): (Arc<dyn TableProvider>, Arc<dyn TableProvider>),
        watermark: EventTime,
        window_ms: i64,
    ) -> Windows {
        let begin = watermark.ms().div_euclid(window_ms).saturating_mul(window_ms);
        let stored = revisions.schema();
        // Sums may be null for all that the planner knows.
        let fields = stored.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let mut fields: Vec<Field> = fields.collect();
        fields.push(Field::new("closed", DataType::Boolean, true));
        Windows {
            form,
            revisions,
            readings,
            running_from: EventTime::from_ms(begin),
            window_ms,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn plan(&self, filters: &[Expr]) -> Result<LogicalPlan> {
        let mut both = LogicalPlanBuilder::from(self.published(filters)?);
        match self.form {
            Form::Sensors => both = both.union(self.running_of_sensors()?)?,
            Form::Cells => {
                for resolution in RESOLUTIONS {
                    both = both.union(self.running_of_cells(resolution)?)?;
                }
            }
        }
        filters.iter().try_fold(both, |plan, filter| plan.filter(filter.clone()))?.build()
    }

    /// Published rows that no higher revision replaces.
    fn published(&self, filters: &[Expr]) -> Result<LogicalPlan> {
        let keys = self.form.keys();
        let stored = |name: &str| self.revisions.schema().index_of(name).is_ok();
        let of = |names: &dyn Fn(&str) -> bool| -> Vec<Expr> {
            let all = filters
                .iter()
                .filter(|filter| filter.column_refs().iter().all(|column| names(column.name())));
            all.cloned().collect()
        };
        let scan = |name: &str| {
            LogicalPlanBuilder::scan(name, provider_as_source(Arc::clone(&self.revisions)), None)
        };
        let rows = of(&stored).into_iter().try_fold(scan("valid")?, LogicalPlanBuilder::filter)?;
        // What names a window may narrow both sides; anything else would hide what replaces it.
        let mut later = of(&|name| keys.contains(&name))
            .into_iter()
            .try_fold(scan("later")?, LogicalPlanBuilder::filter)?
            .filter(ident("revision").gt(lit(0_i64)))?;
        let renamed = |name: &str| format!("later_{name}");
        let names = keys.iter().chain([&"revision"]);
        later = later.project(names.map(|name| ident(*name).alias(renamed(name))))?;
        let same = keys.iter().map(|name| ident(*name).eq(ident(renamed(name))));
        let newer = ident(renamed("revision")).gt(ident("revision"));
        let valid = rows.join_on(later.build()?, JoinType::LeftAnti, same.chain([newer]))?;
        let stored = self.revisions.schema();
        let columns = stored.fields().iter().map(|field| ident(field.name()));
        valid.project(columns.chain([lit(true).alias("closed")]))?.build()
    }

    /// Readings of windows that run, each with the begin of its window.
    fn current(&self) -> Result<LogicalPlanBuilder> {
        let from =
            ScalarValue::TimestampMillisecond(Some(self.running_from.ms()), Some("UTC".into()));
        let readings = provider_as_source(Arc::clone(&self.readings));
        let begin = date_bin_ms(self.window_ms, ident("event_time")).alias("window_start");
        let columns = self.readings.schema();
        let columns: Vec<Expr> =
            columns.fields().iter().map(|field| ident(field.name())).chain([begin]).collect();
        LogicalPlanBuilder::scan("current", readings, None)?
            .filter(ident("event_time").gt_eq(lit(from)))?
            .project(columns)
    }

    /// Sums over readings, named as the columns of windows are.
    fn sums() -> Vec<Expr> {
        let newest = || vec![col("event_time").sort(false, false)];
        vec![
            max(ident("epoch")).alias("epoch"),
            count(ident("value")).alias("count"),
            sum(ident("value")).alias("sum"),
            min(ident("value")).alias("min"),
            max(ident("value")).alias("max"),
            first_value(ident("value"), newest()).alias("last"),
            max(ident("event_time")).alias("last_time"),
        ]
    }

    fn running_of_sensors(&self) -> Result<LogicalPlan> {
        let groups = ["sensor", "kind", "quantity", "cell", "window_start"].map(ident);
        let summed = self.current()?.aggregate(groups, Windows::sums())?;
        self.shaped(summed)
    }

    fn running_of_cells(&self, resolution: u8) -> Result<LogicalPlan> {
        let cell = match resolution {
            9 => ident("cell"),
            coarse => h3_parent(ident("cell"), coarse).alias("cell"),
        };
        let columns = ["epoch", "sensor", "quantity", "window_start", "event_time", "value"];
        let rows = self.current()?.project(columns.map(ident).into_iter().chain([cell]))?;
        let mut sums = Windows::sums();
        sums.push(count_distinct(ident("sensor")).alias("sensors"));
        let groups = ["cell", "quantity", "window_start"].map(ident);
        let summed = rows.aggregate(groups, sums)?;
        let all = summed.schema().columns().into_iter().map(Expr::Column);
        let all: Vec<Expr> = all.chain([lit(i64::from(resolution)).alias("resolution")]).collect();
        self.shaped(summed.project(all)?)
    }

    /// In the columns of the table; what sums do not have is constant or unknown.
    fn shaped(&self, summed: LogicalPlanBuilder) -> Result<LogicalPlan> {
        let columns = self.schema.fields().iter().map(|field| {
            let value = match field.name().as_str() {
                "window_ms" => lit(self.window_ms),
                "revision" => lit(0_i64),
                "closed" => lit(false),
                "p15" | "p50" | "p85" | "p95" => {
                    try_cast(lit(ScalarValue::Null), field.data_type().clone())
                }
                name => cast(ident(name), field.data_type().clone()),
            };
            value.alias(field.name())
        });
        let columns: Vec<Expr> = columns.collect();
        summed.project(columns)?.build()
    }
}

/// A filter without the name of the table in front of its columns.
fn bare(filter: &Expr) -> Result<Expr> {
    let bared = filter.clone().transform(|part| {
        if let Expr::Column(column) = part {
            let bare = Expr::Column(Column::new_unqualified(column.name));
            return Ok(Transformed::yes(bare));
        }
        Ok(Transformed::no(part))
    })?;
    Ok(bared.data)
}

#[async_trait]
impl TableProvider for Windows {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let filters = filters.iter().map(bare).collect::<Result<Vec<_>>>()?;
        let mut plan = LogicalPlanBuilder::from(self.plan(&filters)?);
        if let Some(projection) = projection {
            let fields = self.schema.fields();
            plan = plan.project(projection.iter().map(|column| ident(fields[*column].name())))?;
        }
        let plan = plan.limit(0, limit)?.build()?;
        state.create_physical_plan(&plan).await
    }
}
