//! Functions of SQL that a city needs and DataFusion does not have.
//!
//! | function | gives |
//! |---|---|
//! | `h3_cell(latitude, longitude, resolution)` | H3 index of a point, uint64 |
//! | `h3_parent(cell, resolution)`, `h3_children(cell, resolution)` | the cell around it; the list of cells in it |
//! | `h3_grid_disk(cell, k)` | list of all cells within k steps |
//! | `h3_resolution(cell)`, `h3_boundary_wkt(cell)` | 0 to 15; its outline as WKT |
//! | `h3_to_string(cell)`, `h3_from_string(text)` | to and from hexadecimal |
//! | `st_within(latitude, longitude, wkt)` | whether a point lies in a POLYGON or MULTIPOLYGON, by the rules of areas |
//! | `time_bucket(interval, time)` | begin of the interval it lies in, counted from 1970 UTC |
//! | `epoch_time(epoch)`, `epoch_of(time)` | end of a slice of arrival time; the slice of a time |
//!
//! Where an argument is null, so is the answer. What cannot be (a resolution of 16, a text that is
//! no cell) is an error that names it.

mod cells;
mod plain;
mod points;
mod times;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{Expr, ScalarUDF, lit};

pub(super) use times::date_bin_ms;

/// Adds all functions.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    for function in cells::all().into_iter().chain(points::all()).chain(times::all()) {
        state.register_udf(Arc::new(function))?;
    }
    Ok(())
}

/// `h3_parent` as an expression.
pub(super) fn h3_parent(cell: Expr, resolution: u8) -> Expr {
    let function: ScalarUDF = cells::parent();
    function.call(vec![cell, lit(i64::from(resolution))])
}
