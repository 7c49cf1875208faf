//! Functions of H3 cells, which are signed numbers, as in the tables of all SQL engines.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Int64Array, Int64Builder, ListBuilder, StringArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;
use h3o::{CellIndex, LatLng, Resolution};

use super::plain::{plain, wrong};

/// Cells that one row may ask for: more is a question of another kind.
const MOST_CELLS: u64 = 1_000_000;

pub(super) fn all() -> Vec<ScalarUDF> {
    use DataType::{Float64, Int64, Utf8};
    let cells = || DataType::List(Arc::new(Field::new_list_field(Int64, true)));
    vec![
        plain("h3_cell", vec![Float64, Float64, Int64], Int64, of_point),
        parent(),
        plain("h3_children", vec![Int64, Int64], cells(), children),
        plain("h3_grid_disk", vec![Int64, Int64], cells(), grid_disk),
        plain("h3_resolution", vec![Int64], Int64, resolution_of),
        plain("h3_boundary_wkt", vec![Int64], Utf8, boundary),
        plain("h3_to_string", vec![Int64], Utf8, to_text),
        plain("h3_from_string", vec![Utf8], Int64, from_text),
    ]
}

pub(super) fn parent() -> ScalarUDF {
    plain("h3_parent", vec![DataType::Int64, DataType::Int64], DataType::Int64, parent_of)
}

fn cell(index: i64) -> Result<CellIndex> {
    CellIndex::try_from(index.cast_unsigned())
        .map_err(|_no_cell| wrong(format!("{index} is no H3 cell")))
}

fn number_of(cell: CellIndex) -> i64 {
    u64::from(cell).cast_signed()
}

fn resolution(number: i64) -> Result<Resolution> {
    let resolution = u8::try_from(number).ok().and_then(|n| Resolution::try_from(n).ok());
    resolution.ok_or_else(|| wrong(format!("H3 resolution {number} is not allowed: 0 to 15")))
}

/// Row by row, where neither is null.
fn zip<T>(
    args: &[ArrayRef],
    mut each: impl FnMut(i64, i64) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    let (cells, numbers) =
        (args[0].as_primitive::<Int64Type>(), args[1].as_primitive::<Int64Type>());
    let rows = cells.iter().zip(numbers.iter());
    rows.map(|(cell, number)| cell.zip(number).map(|(c, n)| each(c, n)).transpose()).collect()
}

fn of_point(args: &[ArrayRef]) -> Result<ArrayRef> {
    let latitudes = args[0].as_primitive::<Float64Type>().iter();
    let longitudes = args[1].as_primitive::<Float64Type>().iter();
    let numbers = args[2].as_primitive::<Int64Type>().iter();
    let rows = latitudes.zip(longitudes).zip(numbers).map(|((latitude, longitude), number)| {
        let (Some(latitude), Some(longitude), Some(number)) = (latitude, longitude, number) else {
            return Ok(None);
        };
        let point = LatLng::new(latitude, longitude)
            .map_err(|error| wrong(format!("({latitude}, {longitude}) is no point: {error}")))?;
        Ok(Some(number_of(point.to_cell(resolution(number)?))))
    });
    Ok(Arc::new(rows.collect::<Result<Int64Array>>()?))
}

fn parent_of(args: &[ArrayRef]) -> Result<ArrayRef> {
    let parents = zip(args, |index, number| {
        let (from, to) = (cell(index)?, resolution(number)?);
        from.parent(to).map(number_of).ok_or_else(|| {
            wrong(format!("cell {from} of resolution {} has no parent of {to}", from.resolution()))
        })
    })?;
    Ok(Arc::new(Int64Array::from(parents)))
}

fn children(args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = zip(args, |index, number| {
        let (from, to) = (cell(index)?, resolution(number)?);
        let count = from.children_count(to);
        if to < from.resolution() || count > MOST_CELLS {
            let allowed = format!("{} and finer, at most {MOST_CELLS} cells", from.resolution());
            return Err(wrong(format!(
                "children of {from} at resolution {to}: allowed: {allowed}"
            )));
        }
        Ok(from.children(to).map(number_of).collect())
    })?;
    Ok(lists_of(lists))
}

fn grid_disk(args: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = zip(args, |index, number| {
        let steps = u32::try_from(number).ok().filter(|k| *k <= 500);
        let steps = steps.ok_or_else(|| wrong(format!("{number} steps: allowed: 0 to 500")))?;
        let mut disk: Vec<i64> =
            cell(index)?.grid_disk::<Vec<_>>(steps).into_iter().map(number_of).collect();
        disk.sort_unstable();
        Ok(disk)
    })?;
    Ok(lists_of(lists))
}

fn lists_of(lists: Vec<Option<Vec<i64>>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int64Builder::new());
    for list in lists {
        match list {
            Some(cells) => {
                builder.values().append_slice(&cells);
                builder.append(true);
            }
            None => builder.append(false),
        }
    }
    Arc::new(builder.finish())
}

/// Row by row over cells.
fn each<T>(args: &[ArrayRef], mut one: impl FnMut(CellIndex) -> T) -> Result<Vec<Option<T>>> {
    let cells = args[0].as_primitive::<Int64Type>().iter();
    cells.map(|index| Ok(index.map(cell).transpose()?.map(&mut one))).collect()
}

fn resolution_of(args: &[ArrayRef]) -> Result<ArrayRef> {
    Ok(Arc::new(Int64Array::from(each(args, |cell| i64::from(u8::from(cell.resolution())))?)))
}

fn boundary(args: &[ArrayRef]) -> Result<ArrayRef> {
    let outlines = each(args, |cell| {
        let corners = cell.boundary();
        let mut text = String::from("POLYGON((");
        for corner in corners.iter().chain(corners.first()) {
            let comma = if text.ends_with('(') { "" } else { "," };
            write!(text, "{comma}{:.7} {:.7}", corner.lng(), corner.lat())
                .expect("a text can be written to");
        }
        text + "))"
    })?;
    Ok(Arc::new(StringArray::from(outlines)))
}

fn to_text(args: &[ArrayRef]) -> Result<ArrayRef> {
    Ok(Arc::new(StringArray::from(each(args, |cell| cell.to_string())?)))
}

fn from_text(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = args[0].as_string::<i32>();
    let cells = texts.iter().map(|text| {
        let parse = |text: &str| {
            let cell: CellIndex =
                text.parse().map_err(|_no_cell| wrong(format!("`{text}` is no H3 cell")))?;
            Ok(number_of(cell))
        };
        text.map(parse).transpose()
    });
    let cells = cells.collect::<Result<Int64Array>>()?;
    debug_assert_eq!(cells.len(), texts.len());
    Ok(Arc::new(cells))
}
