//! A table in the making, as CSV or as Parquet, row by row. At most one row group is in memory.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::{OutcomeFileError, TableFormat};

/// Said in every file instead of a version that changes with each build.
const CREATED_BY: &str = "citytwin";

/// Rows handed to the encoder at once.
const BATCH_ROWS: usize = 32_768;

/// Rows in a row group.
const ROW_GROUP_ROWS: usize = 262_144;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// May be missing.
    Number,
    Flag,
}

/// Columns of a table.
pub(super) type Columns = [(&'static str, Kind)];

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    /// Missing where it is not finite.
    Number(f64),
    Flag(bool),
}

impl Value<'_> {
    pub(super) fn maybe(number: Option<f64>) -> Self {
        Value::Number(number.unwrap_or(f64::NAN))
    }

    pub(super) fn json(self) -> serde_json::Value {
        match self {
            Value::Text(text) => text.into(),
            Value::Number(number) => Value::number(number).into(),
            Value::Flag(flag) => flag.into(),
        }
    }

    fn number(number: f64) -> Option<f64> {
        // 0 and -0 are one number
        number.is_finite().then_some(number + 0.0)
    }
}

/// A table that rows are added to.
pub(super) struct Table<W: Write + Send> {
    columns: &'static Columns,
    writer: Writer<W>,
}

enum Writer<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    Parquet(Box<Batches<W>>),
}

impl<W: Write + Send> std::fmt::Debug for Table<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Table<W> {
    /// With its head.
    pub(super) fn new(
        out: W,
        format: TableFormat,
        columns: &'static Columns,
    ) -> Result<Table<W>, OutcomeFileError> {
        let writer = match format {
            TableFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns.iter().map(|(name, _)| name))?;
                Writer::Csv(Box::new(writer))
            }
            TableFormat::Parquet => Writer::Parquet(Box::new(Batches::new(out, columns)?)),
        };
        Ok(Table { columns, writer })
    }

    /// A row, with a value of its kind for each column.
    pub(super) fn push(&mut self, row: &[Value<'_>]) -> Result<(), OutcomeFileError> {
        assert_eq!(row.len(), self.columns.len(), "a value for each column");
        match &mut self.writer {
            Writer::Csv(writer) => {
                for value in row {
                    match value {
                        Value::Text(text) => writer.write_field(text)?,
                        Value::Number(number) => {
                            let text = Value::number(*number).map(|number| number.to_string());
                            writer.write_field(text.unwrap_or_default())?;
                        }
                        Value::Flag(flag) => writer.write_field(flag.to_string())?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Writer::Parquet(batches) => batches.push(row)?,
        }
        Ok(())
    }

    /// Writes the rest; without it the file is not whole.
    pub(super) fn finish(self) -> Result<(), OutcomeFileError> {
        match self.writer {
            Writer::Csv(mut writer) => Ok(writer.flush()?),
            Writer::Parquet(batches) => Ok(batches.finish()?),
        }
    }
}

/// Rows on their way into a Parquet file.
struct Batches<W: Write + Send> {
    schema: SchemaRef,
    writer: ArrowWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

enum Column {
    Text(StringBuilder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
}

impl<W: Write + Send> Batches<W> {
    fn new(out: W, columns: &Columns) -> Result<Batches<W>, ParquetError> {
        let field = |(name, kind): &(&str, Kind)| match kind {
            Kind::Text => Field::new(*name, DataType::Utf8, false),
            Kind::Number => Field::new(*name, DataType::Float64, true),
            Kind::Flag => Field::new(*name, DataType::Boolean, false),
        };
        let schema: SchemaRef =
            Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(out, SchemaRef::clone(&schema), Some(properties))?;
        let column = |(_, kind): &(&str, Kind)| match kind {
            Kind::Text => Column::Text(StringBuilder::new()),
            Kind::Number => Column::Number(Float64Builder::new()),
            Kind::Flag => Column::Flag(BooleanBuilder::new()),
        };
        Ok(Batches { schema, writer, columns: columns.iter().map(column).collect(), rows: 0 })
    }

    fn push(&mut self, row: &[Value<'_>]) -> Result<(), ParquetError> {
        for (column, value) in self.columns.iter_mut().zip(row) {
            match (column, value) {
                (Column::Text(texts), Value::Text(text)) => texts.append_value(text),
                (Column::Number(numbers), Value::Number(number)) => {
                    numbers.append_option(Value::number(*number));
                }
                (Column::Flag(flags), Value::Flag(flag)) => flags.append_value(*flag),
                (column, value) => unreachable!("{value:?} in a column of {}", column.kind()),
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), ParquetError> {
        let arrays = self.columns.iter_mut().map(Column::take).collect();
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), arrays)?;
        self.rows = 0;
        self.writer.write(&batch)
    }

    fn finish(mut self) -> Result<(), ParquetError> {
        if self.rows > 0 {
            self.write()?;
        }
        self.writer.into_inner()?.flush()?;
        Ok(())
    }
}

impl Column {
    const fn kind(&self) -> &'static str {
        match self {
            Column::Text(_) => "texts",
            Column::Number(_) => "numbers",
            Column::Flag(_) => "flags",
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Column::Text(texts) => Arc::new(texts.finish()),
            Column::Number(numbers) => Arc::new(numbers.finish()),
            Column::Flag(flags) => Arc::new(flags.finish()),
        }
    }
}
