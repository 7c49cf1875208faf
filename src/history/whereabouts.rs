//! Where sensors stood: rows of a few sensors lie in a few cells, and files are sorted by cell, so
//! a question for them need not look anywhere else.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use citytwin_ingest::archive::{Table, View};
use datafusion::catalog::Session;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlanBuilder, Operator, ident, lit};
use datafusion::physical_plan::collect;

use super::files::Leniency;
use super::table::ArchiveTable;

/// Most sensors whose cells are looked up: more are spread over the city.
const MOST: usize = 64;

/// That a row's cell is one in which a sensor stood that the filters name; nothing when they name
/// none, too many, or such as are not known. One look at the table of registrations: milliseconds.
///
/// # Errors
/// A fault of ours. Files of registrations that are missing or damaged only leave the question as
/// wide as it was.
pub(super) async fn of_named(
    state: &dyn Session,
    view: &Arc<View>,
    filters: &[Expr],
) -> Result<Option<Expr>> {
    let named = filters.iter().filter_map(named).min_by_key(BTreeSet::len);
    let Some(named) = named.filter(|named| named.len() <= MOST) else { return Ok(None) };
    let registrations = ArchiveTable::new(Arc::clone(view), Table::Sensors, Leniency::default());
    let one_of = ident("sensor").in_list(named.into_iter().map(lit).collect(), false);
    let plan =
        LogicalPlanBuilder::scan("stood", provider_as_source(Arc::new(registrations)), None)?
            .filter(one_of)?
            .project([ident("cell")])?
            .distinct()?
            .build()?;
    let plan = state.create_physical_plan(&plan).await;
    let found = match plan {
        Ok(plan) => collect(plan, state.task_ctx()).await,
        Err(error) => Err(error),
    };
    let Ok(batches) = found else { return Ok(None) };
    let cells =
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values());
    let cells: Vec<Expr> = cells.copied().map(lit).collect();
    Ok((!cells.is_empty()).then(|| ident("cell").in_list(cells, false)))
}

/// The sensors that rows can at most be of for which a filter holds.
fn named(filter: &Expr) -> Option<BTreeSet<String>> {
    if let Expr::InList(InList { expr, list, negated: false }) = filter {
        return if is_sensor(expr) { list.iter().map(text).collect() } else { None };
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    if *op == Operator::And {
        return match (named(left), named(right)) {
            (Some(one), Some(other)) => Some(one.intersection(&other).cloned().collect()),
            (one, other) => one.or(other),
        };
    }
    if *op == Operator::Or {
        let (mut all, mut more) = (named(left)?, named(right)?);
        all.append(&mut more);
        return Some(all);
    }
    let name = if is_sensor(left) { right } else { left };
    let is_one = *op == Operator::Eq && (is_sensor(left) || is_sensor(right));
    Some([text(name).filter(|_| is_one)?].into())
}

fn is_sensor(expression: &Expr) -> bool {
    matches!(expression, Expr::Column(column) if column.name() == "sensor")
}

fn text(expression: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expression else { return None };
    value.try_as_str().flatten().map(str::to_owned)
}
