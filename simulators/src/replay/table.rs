//! Rows of a CSV or Parquet file, cell by cell, with the number of the line (or row) they come
//! from. Nothing here knows what a cell means.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use arrow::array::{
    Array, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use thiserror::Error;

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum TableError {
    /// The file.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No CSV.
    #[error("{} is no readable CSV", path.display())]
    Csv {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// No Parquet.
    #[error("{} is no readable Parquet", path.display())]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// Rows of it.
    #[error("rows of {} cannot be read", path.display())]
    Rows {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArrowError,
    },
    /// A name that ends neither way.
    #[error("{} is neither .csv nor .parquet", .0.display())]
    Unknown(PathBuf),
    /// A column that the mapping names.
    #[error("{} has no column {column:?}; it has {}", path.display(), list(has))]
    NoColumn {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        column: String,
        /// What there is.
        has: Vec<String>,
    },
}

/// The first few of many names.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// One cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Null.
    Nothing,
    Text(&'a str),
    Whole(i64),
    Number(f64),
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// Milliseconds since 1970 of a clock whose offset the file does not say.
    LocalTime(i64),
}

/// A file with named columns.
pub(super) struct Table {
    path: PathBuf,
    pub(super) columns: Vec<String>,
    rows: Rows,
}

enum Rows {
    Csv(Box<csv::Reader<Box<dyn Read>>>),
    Parquet(ParquetRecordBatchReader),
}

/// A row's cells.
pub(super) enum Row<'a> {
    Csv(&'a csv::StringRecord),
    Parquet(&'a [Column], usize),
}

impl Row<'_> {
    pub(super) fn cell(&self, column: usize) -> Cell<'_> {
        match self {
            Row::Csv(record) => record.get(column).map_or(Cell::Nothing, Cell::Text),
            Row::Parquet(columns, row) => columns[column].cell(*row),
        }
    }

    /// How many cells it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Row::Csv(record) => record.len(),
            Row::Parquet(columns, _) => columns.len(),
        }
    }
}

impl Table {
    pub(super) fn open(path: &Path) -> Result<Table, TableError> {
        let is = |extension| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        let open =
            || File::open(path).map_err(|source| TableError::Io { path: path.to_owned(), source });
        if is("csv") || is("txt") {
            Table::csv(path, Box::new(BufReader::new(open()?)))
        } else if is("parquet") {
            let wrong = |source| TableError::Parquet { path: path.to_owned(), source };
            let builder = ParquetRecordBatchReaderBuilder::try_new(open()?).map_err(wrong)?;
            let columns = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
            let rows = Rows::Parquet(builder.build().map_err(wrong)?);
            Ok(Table { path: path.to_owned(), columns, rows })
        } else {
            Err(TableError::Unknown(path.to_owned()))
        }
    }

    /// CSV from any bytes.
    pub(super) fn csv(path: &Path, bytes: Box<dyn Read>) -> Result<Table, TableError> {
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
        let headers =
            reader.headers().map_err(|source| TableError::Csv { path: path.to_owned(), source })?;
        let columns = headers.iter().map(|h| h.trim_start_matches('\u{feff}').to_owned()).collect();
        Ok(Table { path: path.to_owned(), columns, rows: Rows::Csv(Box::new(reader)) })
    }

    /// Position of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, TableError> {
        self.columns.iter().position(|column| column == name).ok_or_else(|| TableError::NoColumn {
            path: self.path.clone(),
            column: name.to_owned(),
            has: self.columns.clone(),
        })
    }

    /// Calls `visit` with the line number (CSV; the header is line 1) or row number (Parquet, from
    /// 1) and the cells of every row. A CSV record that is no text is given as an error.
    pub(super) fn for_each<E: From<TableError>>(
        self,
        mut visit: impl FnMut(u64, Result<Row<'_>, csv::Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.rows {
            Rows::Csv(mut reader) => {
                let mut record = csv::StringRecord::new();
                loop {
                    let line = reader.position().line();
                    match reader.read_record(&mut record) {
                        Ok(false) => return Ok(()),
                        Ok(true) => {
                            let line = record.position().map_or(line, csv::Position::line);
                            visit(line, Ok(Row::Csv(&record)))?;
                        }
                        Err(error) if error.is_io_error() => {
                            let wrong = TableError::Csv { path: self.path, source: error };
                            return Err(wrong.into());
                        }
                        Err(error) => visit(line, Err(error))?,
                    }
                }
            }
            Rows::Parquet(reader) => {
                let mut number = 0;
                for batch in reader {
                    let columns = batch.and_then(|batch| columns_of(&batch));
                    let columns = columns
                        .map_err(|source| TableError::Rows { path: self.path.clone(), source })?;
                    let rows = columns.first().map_or(0, Column::len);
                    for row in 0..rows {
                        number += 1;
                        visit(number, Ok(Row::Parquet(&columns, row)))?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// A column of a Parquet batch in one of the few forms that matter.
#[derive(Debug)]
pub(super) enum Column {
    Text(StringArray),
    Whole(Int64Array),
    Number(Float64Array),
    Time(Int64Array),
    LocalTime(Int64Array),
}

impl Column {
    fn of(array: &ArrayRef) -> Result<Column, ArrowError> {
        let to = |to: &DataType| cast(array, to);
        let whole = |array: &ArrayRef| array.as_primitive::<Int64Type>().clone();
        let kind = array.data_type();
        if let DataType::Timestamp(_, zone) = kind {
            let millis = to(&DataType::Timestamp(TimeUnit::Millisecond, zone.clone()))?;
            let millis = whole(&cast(&millis, &DataType::Int64)?);
            let known = zone.is_some();
            return Ok(if known { Column::Time(millis) } else { Column::LocalTime(millis) });
        }
        Ok(if kind.is_integer() {
            Column::Whole(whole(&to(&DataType::Int64)?))
        } else if kind.is_numeric() {
            Column::Number(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
        } else {
            Column::Text(to(&DataType::Utf8)?.as_string::<i32>().clone())
        })
    }

    fn len(&self) -> usize {
        match self {
            Column::Text(array) => array.len(),
            Column::Number(array) => array.len(),
            Column::Whole(array) | Column::Time(array) | Column::LocalTime(array) => array.len(),
        }
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        fn at<'a, A: Array>(array: &'a A, row: usize, of: impl Fn(&'a A) -> Cell<'a>) -> Cell<'a> {
            if array.is_null(row) { Cell::Nothing } else { of(array) }
        }
        match self {
            Column::Text(array) => at(array, row, |array| Cell::Text(array.value(row))),
            Column::Whole(array) => at(array, row, |array| Cell::Whole(array.value(row))),
            Column::Number(array) => at(array, row, |array| Cell::Number(array.value(row))),
            Column::Time(array) => at(array, row, |array| Cell::Time(array.value(row))),
            Column::LocalTime(array) => at(array, row, |array| Cell::LocalTime(array.value(row))),
        }
    }
}

fn columns_of(batch: &RecordBatch) -> Result<Vec<Column>, ArrowError> {
    batch.columns().iter().map(Column::of).collect()
}
