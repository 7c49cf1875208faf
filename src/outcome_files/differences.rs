//! What differs between two outcomes, by link: the second less the first, the most affected first.
//!
//! | column | holds |
//! |---|---|
//! | `link`, `name`, `class` | its key, street and class |
//! | `found` | which of the two outcomes has it: `both`, `first`, `second` |
//! | `flow_change_pcu_h`, `speed_change_kmh`, `density_change_pcu_km` | of the means over the horizon |
//! | `queue_max_change_pcu` | of the longest queues |
//! | `delay_change_pcu_h` | of all delay, pcu hours |

use std::io::Write;

use citytwin_proto::v1;
use geojson::{FeatureWriter, JsonObject};

use super::table::{Columns, Kind, Table, Value};
use super::{OutcomeFileError, RoadLinks, TableFormat, finish};

const COLUMNS: &Columns = &[
    ("link", Kind::Text),
    ("name", Kind::Text),
    ("class", Kind::Text),
    ("found", Kind::Text),
    ("flow_change_pcu_h", Kind::Number),
    ("speed_change_kmh", Kind::Number),
    ("density_change_pcu_km", Kind::Number),
    ("queue_max_change_pcu", Kind::Number),
    ("delay_change_pcu_h", Kind::Number),
];

/// The values of a link, in the order of the columns. A link that a scenario adds has the name it
/// was compared with.
fn row<'a>(link: &'a v1::LinkDifference, roads: &RoadLinks<'a>) -> [Value<'a>; COLUMNS.len()] {
    let name = roads.name(&link.link);
    [
        Value::Text(&link.link),
        Value::Text(if name.is_empty() { &link.name } else { name }),
        Value::Text(roads.class(&link.link)),
        Value::Text(&link.found),
        Value::Number(link.flow_veh_h),
        Value::Number(link.speed_kmh),
        Value::Number(link.density_veh_km),
        Value::Number(link.queue_veh),
        Value::Number(link.delay_veh_h),
    ]
}

/// Writes `differences.csv` or `differences.parquet`.
///
/// # Errors
/// When it cannot be written.
pub fn write_differences<W: Write + Send>(
    out: W,
    format: TableFormat,
    comparison: &v1::CompareOutcomesResponse,
    roads: &RoadLinks<'_>,
) -> Result<(), OutcomeFileError> {
    let mut table = Table::new(out, format, COLUMNS)?;
    for link in &comparison.links {
        table.push(&row(link, roads))?;
    }
    table.finish()
}

/// Writes `differences.geojson`: the same as properties of the links' lines.
///
/// # Errors
/// When it cannot be written.
pub fn write_difference_lines(
    out: impl Write,
    comparison: &v1::CompareOutcomesResponse,
    roads: &RoadLinks<'_>,
) -> Result<(), OutcomeFileError> {
    let mut writer = FeatureWriter::from_writer(out);
    for link in &comparison.links {
        let fields = COLUMNS.iter().zip(row(link, roads));
        let named = fields.map(|((name, _), value)| ((*name).to_owned(), value.json()));
        writer.write_feature(&roads.feature(&link.link, named.collect::<JsonObject>()))?;
    }
    finish(writer)
}
