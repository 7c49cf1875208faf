//! The schema of a table in the words of Delta Lake (PROTOCOL.md of delta-io/delta, "Schema
//! serialization format").

use arrow::datatypes::{DataType, Field};
use serde_json::{Value, json};

use super::super::partition::Table;

/// The column that a file's folder stands for: the day of arrival, UTC.
pub(super) const DATE: &str = "date";

/// The columns of a table and the day of arrival, as JSON.
pub(super) fn schema(table: Table) -> String {
    let schema = table.schema();
    let fields = schema.fields().iter().map(|field| {
        json!({"name": field.name(), "type": type_of(field), "nullable": false, "metadata": {}})
    });
    let date = json!({"name": DATE, "type": "date", "nullable": false, "metadata": {}});
    let fields: Vec<Value> = fields.chain([date]).collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "no column of ours has another type")]
fn type_of(field: &Field) -> &'static str {
    match field.data_type() {
        DataType::Int64 => "long",
        DataType::Float64 => "double",
        DataType::Float32 => "float",
        DataType::Timestamp(..) => "timestamp",
        DataType::Binary => "binary",
        _ => "string",
    }
}
