//! What drivers ask about a server: catalogs, tables and what it can do.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::error::Result;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables, SqlInfo,
    SqlSupportedTransaction,
};

use crate::history::{CATALOG, SCHEMA};

/// The only type of table: nothing here can be written.
const TABLE: &str = "TABLE";

/// What the server says of itself.
pub(super) static SERVER: LazyLock<SqlInfoData> = LazyLock::new(|| {
    let mut facts = SqlInfoDataBuilder::new();
    facts.append(SqlInfo::FlightSqlServerName, "citytwin");
    facts.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    facts.append(SqlInfo::FlightSqlServerReadOnly, true);
    facts.append(SqlInfo::FlightSqlServerSql, true);
    facts.append(SqlInfo::FlightSqlServerSubstrait, false);
    facts.append(SqlInfo::FlightSqlServerTransaction, SqlSupportedTransaction::None as i32);
    facts.append(SqlInfo::FlightSqlServerCancel, true);
    facts.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    facts.build().expect("these facts have the types of the specification")
});

pub(super) fn catalogs(query: CommandGetCatalogs) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    rows.append(CATALOG);
    rows.build()
}

pub(super) fn schemas(query: CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    rows.append(CATALOG, SCHEMA);
    rows.build()
}

pub(super) fn tables(
    query: CommandGetTables,
    tables: &[(String, SchemaRef)],
) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    for (name, schema) in tables {
        rows.append(CATALOG, SCHEMA, name, TABLE, &super::hydrated(schema))?;
    }
    rows.build()
}

pub(super) fn table_types(query: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut rows = query.into_builder();
    rows.append(TABLE);
    rows.build()
}
