//! How rows are shown. All forms but the table are written as rows come; a table is held back until
//! its columns' widths are known, a few thousand rows at a time.

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::super::failure::Failure;
use super::super::output::Screen;

/// Rows of one table; more follow as another.
const TABLE_ROWS: usize = 5_000;

/// How rows are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Form {
    Table,
    Json,
    Csv,
    Parquet(PathBuf),
}

/// Shows the rows of one answer.
pub(super) struct Printer {
    schema: SchemaRef,
    state: State,
    rows: u64,
}

enum State {
    Table(Vec<Vec<String>>),
    Json,
    Csv { head: bool },
    Parquet(Box<ArrowWriter<File>>, PathBuf),
}

impl Printer {
    pub(super) fn new(form: Form, schema: SchemaRef) -> Result<Printer, Failure> {
        let state = match form {
            Form::Table => State::Table(Vec::new()),
            Form::Json => State::Json,
            Form::Csv => State::Csv { head: true },
            Form::Parquet(path) => {
                let file = File::create(&path)
                    .with_context(|| format!("cannot create {}", path.display()))?;
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                let writer =
                    ArrowWriter::try_new(file, SchemaRef::clone(&schema), Some(properties));
                State::Parquet(Box::new(writer.map_err(anyhow::Error::from)?), path)
            }
        };
        Ok(Printer { schema, state, rows: 0 })
    }

    pub(super) fn take(&mut self, batch: &RecordBatch, screen: &mut Screen) -> Result<(), Failure> {
        self.rows += batch.num_rows() as u64;
        match &mut self.state {
            State::Table(rows) => {
                rows.extend(texts(batch)?);
                if rows.len() >= TABLE_ROWS {
                    table(&self.schema, std::mem::take(rows), screen)?;
                }
                Ok(())
            }
            State::Json => {
                let mut lines = Vec::new();
                let mut writer = arrow::json::LineDelimitedWriter::new(&mut lines);
                writer.write(batch).and_then(|()| writer.finish()).map_err(anyhow::Error::from)?;
                screen.bytes(&lines)
            }
            State::Csv { head } => {
                let mut lines = Vec::new();
                let mut writer =
                    arrow::csv::WriterBuilder::new().with_header(*head).build(&mut lines);
                writer.write(batch).map_err(anyhow::Error::from)?;
                drop(writer);
                *head = false;
                screen.bytes(&lines)
            }
            State::Parquet(writer, _) => Ok(writer.write(batch).map_err(anyhow::Error::from)?),
        }
    }

    /// Shows what was held back. Returns how many rows there were.
    pub(super) fn finish(self, screen: &mut Screen) -> Result<u64, Failure> {
        match self.state {
            State::Table(rows) if rows.is_empty() && self.rows > 0 => {}
            State::Table(rows) => table(&self.schema, rows, screen)?,
            State::Json | State::Csv { head: false } => {}
            State::Csv { head: true } => {
                let names = self.schema.fields().iter().map(|field| field.name().as_str());
                screen.line(names.collect::<Vec<_>>().join(","))?;
            }
            State::Parquet(writer, path) => {
                writer.close().map_err(anyhow::Error::from)?;
                screen.line(format_args!("{} rows in {}", self.rows, path.display()))?;
            }
        }
        Ok(self.rows)
    }
}

fn table(schema: &SchemaRef, rows: Vec<Vec<String>>, screen: &mut Screen) -> Result<(), Failure> {
    let head: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    screen.table(&head, rows)
}

fn texts(batch: &RecordBatch) -> Result<Vec<Vec<String>>, Failure> {
    let options = FormatOptions::default().with_null("");
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::from)?;
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}
