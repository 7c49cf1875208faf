//! A checkpoint of a Delta log: all lines that hold, as one Parquet file (PROTOCOL.md of
//! delta-io/delta, "V1 checkpoints"), so that a reader need not go through every commit.
//!
//! Lines go in and come out as the same JSON that commits have; only the schema is said here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, ReaderBuilder};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// The Parquet file of lines that are given as JSON.
pub(super) fn encode(lines: &[u8]) -> Result<Vec<u8>, ArrowError> {
    let schema = schema();
    let reader = ReaderBuilder::new(SchemaRef::clone(&schema)).build(lines)?;
    let properties = WriterProperties::builder()
        .set_created_by("citytwin".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    for batch in reader {
        writer.write(&batch?)?;
    }
    Ok(writer.into_inner()?)
}

/// The lines of a Parquet file, as JSON.
pub(super) fn decode(file: Vec<u8>) -> Result<Vec<u8>, ArrowError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file))?.build()?;
    let mut lines = LineDelimitedWriter::new(Vec::new());
    for batch in reader {
        lines.write(&batch?)?;
    }
    lines.finish()?;
    Ok(lines.into_inner())
}

fn schema() -> SchemaRef {
    let part = |name: &str, fields: Vec<Field>| {
        Field::new(name, DataType::Struct(Fields::from(fields)), true)
    };
    let values = || map("partitionValues");
    Arc::new(Schema::new(vec![
        part("protocol", vec![whole("minReaderVersion"), whole("minWriterVersion")]),
        part(
            "metaData",
            vec![
                text("id"),
                text("name"),
                part("format", vec![text("provider"), map("options")]),
                text("schemaString"),
                Field::new_list(
                    "partitionColumns",
                    Field::new("element", DataType::Utf8, true),
                    true,
                ),
                map("configuration"),
                long("createdTime"),
            ],
        ),
        part("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        part(
            "add",
            vec![
                text("path"),
                values(),
                long("size"),
                long("modificationTime"),
                flag("dataChange"),
                text("stats"),
            ],
        ),
        part(
            "remove",
            vec![
                text("path"),
                long("deletionTimestamp"),
                flag("dataChange"),
                flag("extendedFileMetadata"),
                values(),
                long("size"),
            ],
        ),
    ]))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

fn whole(name: &str) -> Field {
    Field::new(name, DataType::Int32, true)
}

fn flag(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn map(name: &str) -> Field {
    let key = Field::new("key", DataType::Utf8, false);
    Field::new_map(name, "key_value", key, text("value"), false, true)
}
