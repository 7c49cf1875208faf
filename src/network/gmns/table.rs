//! One CSV table of a GMNS folder: columns by name, cells with their line, missing values as the
//! specification has them (empty or `NaN`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use thiserror::Error;

/// Why a table cannot be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum TableError {
    #[error("{table} cannot be opened")]
    Open {
        table: &'static str,
        #[source]
        cause: std::io::Error,
    },
    #[error("{table} is no CSV")]
    Csv {
        table: &'static str,
        #[source]
        cause: csv::Error,
    },
    #[error("{table} has no column {column:?}")]
    Column { table: &'static str, column: &'static str },
    #[error("{table}, line {line}: {column} is {text:?}, not {allowed}")]
    Cell {
        table: &'static str,
        line: u64,
        column: &'static str,
        text: String,
        allowed: &'static str,
    },
    #[error("cannot write {table}")]
    Write {
        table: &'static str,
        #[source]
        cause: csv::Error,
    },
}

/// A table in memory.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    columns: BTreeMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    table: &'a Table,
    cells: &'a csv::StringRecord,
}

impl Table {
    /// Reads a table; `None` where the folder does not have it.
    pub(super) fn read(folder: &Path, name: &'static str) -> Result<Option<Table>, TableError> {
        match Table::open(&folder.join(name), name) {
            Err(TableError::Open { cause, .. }) if cause.kind() == ErrorKind::NotFound => Ok(None),
            table => table.map(Some),
        }
    }

    /// Reads a table that lies anywhere; errors call it `name`.
    pub(super) fn open(path: &Path, name: &'static str) -> Result<Table, TableError> {
        let file = File::open(path).map_err(|cause| TableError::Open { table: name, cause })?;
        let broken = |cause| TableError::Csv { table: name, cause };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let heads = reader.headers().map_err(broken)?;
        // A byte order mark is part of the first name otherwise.
        let heads = heads.iter().map(|head| head.trim_start_matches('\u{feff}').to_lowercase());
        let columns = heads.zip(0..).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(broken)?;
        Ok(Table { name, columns, rows })
    }

    /// Reads a table that must be there and have these columns.
    pub(super) fn require(
        folder: &Path,
        name: &'static str,
        columns: &[&'static str],
    ) -> Result<Table, TableError> {
        Table::open(&folder.join(name), name)?.with(columns)
    }

    /// The same table, if it has these columns.
    pub(super) fn with(self, columns: &[&'static str]) -> Result<Table, TableError> {
        match columns.iter().find(|column| !self.columns.contains_key(**column)) {
            Some(column) => Err(TableError::Column { table: self.name, column }),
            None => Ok(self),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { table: self, cells })
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }
}

impl<'a> Row<'a> {
    /// A cell's text; empty where it is missing.
    pub(super) fn text(&self, column: &str) -> &'a str {
        let at = self.table.columns.get(column);
        let text = at.and_then(|at| self.cells.get(*at)).unwrap_or("");
        if text == "NaN" { "" } else { text }
    }

    pub(super) fn number(&self, column: &'static str) -> Result<Option<f64>, TableError> {
        self.parsed(column, "a number", |text| text.parse().ok())
    }

    /// A count; `2.0` is one too, as spreadsheets write it.
    pub(super) fn count(&self, column: &'static str) -> Result<Option<i64>, TableError> {
        self.parsed(column, "a whole number", |text| {
            let text = text.strip_suffix(".0").unwrap_or(text);
            text.parse().ok()
        })
    }

    pub(super) fn flag(&self, column: &'static str) -> Result<Option<bool>, TableError> {
        self.parsed(column, "true or false", |text| match text.to_lowercase().as_str() {
            "true" | "1" | "1.0" | "yes" | "t" => Some(true),
            "false" | "0" | "0.0" | "no" | "f" => Some(false),
            _ => None,
        })
    }

    /// Points of a WKT `LINESTRING` or of the outer ring of a `POLYGON`, as latitude and longitude.
    pub(super) fn line(&self, column: &'static str) -> Result<Vec<(f64, f64)>, TableError> {
        let found = self.parsed(column, "WKT, LINESTRING or POLYGON", wkt)?;
        Ok(found.unwrap_or_default())
    }

    pub(super) fn parsed<T>(
        &self,
        column: &'static str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, TableError> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        parse(text).map(Some).ok_or_else(|| self.wrong(column, allowed))
    }

    /// The same of a cell that must hold something.
    pub(super) fn required<T>(
        &self,
        column: &'static str,
        allowed: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, TableError> {
        self.parsed(column, allowed, parse)?.ok_or_else(|| self.wrong(column, allowed))
    }

    fn wrong(&self, column: &'static str, allowed: &'static str) -> TableError {
        TableError::Cell {
            table: self.table.name,
            line: self.cells.position().map_or(0, csv::Position::line),
            column,
            text: self.text(column).chars().take(60).collect(),
            allowed,
        }
    }
}

fn wkt(text: &str) -> Option<Vec<(f64, f64)>> {
    let (kind, rest) = text.split_once('(')?;
    let kind = kind.trim().to_uppercase();
    let kind = kind.strip_suffix(" Z").unwrap_or(&kind).trim_end();
    let points = match kind {
        "LINESTRING" => rest.strip_suffix(')')?,
        "POLYGON" => rest.trim_start().strip_prefix('(')?.split_once(')')?.0,
        _ => return None,
    };
    let point = |text: &str| {
        let mut numbers = text.split_whitespace().map(str::parse::<f64>);
        let (x, y) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some((y, x))
    };
    points.split(',').map(point).collect()
}
