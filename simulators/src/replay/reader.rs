//! The rows of a recorded file, one after the other: which cells are readings, and what is wrong with
//! the others.

use std::collections::HashMap;

use super::mapping::{Layout, Mapping, Measured, is_id};
use super::recording::{MAX_READINGS, Problem, Recorded, RecordingError, Source};
use super::table::{Cell, Row, Table, TableError};
use super::times::TimeSource;
use super::units;

/// How many problems are listed.
const LISTED: usize = 20;

pub(super) fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.to_owned()),
        Cell::Whole(whole) => Some(whole.to_string()),
        Cell::Number(number) => Some(number.to_string()),
        Cell::Nothing | Cell::Time(_) | Cell::LocalTime(_) => None,
    }
}

pub(super) fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Text(text) => text.parse().ok(),
        Cell::Whole(whole) => Some(whole as f64),
        Cell::Number(number) => Some(number),
        Cell::Nothing | Cell::Time(_) | Cell::LocalTime(_) => None,
    }
}

/// Where in a row the readings are.
enum Places<'a> {
    Long {
        sensor: usize,
        columns: Vec<(usize, &'a Measured)>,
    },
    /// Column and the sensor's number.
    Wide {
        columns: Vec<(usize, u32)>,
        measured: &'a Measured,
    },
}

/// What was read so far.
pub(super) struct Reader<'a> {
    mapping: &'a Mapping,
    places: Places<'a>,
    time: Option<usize>,
    columns: Vec<String>,
    pub(super) names: Vec<String>,
    numbers: HashMap<String, u32>,
    pub(super) readings: Vec<Recorded>,
    pub(super) source: Source,
}

impl<'a> Reader<'a> {
    pub(super) fn new(table: &Table, mapping: &'a Mapping) -> Result<Reader<'a>, TableError> {
        let time = match &mapping.time {
            TimeSource::Column(column) => Some(table.column(column)?),
            TimeSource::Steps { .. } => None,
        };
        let mut names = Vec::new();
        let places = match &mapping.layout {
            Layout::Long { sensor, columns } => {
                let columns = columns.iter();
                let columns = columns.map(|one| Ok((table.column(&one.column)?, one)));
                let columns = columns.collect::<Result<_, TableError>>()?;
                Places::Long { sensor: table.column(sensor)?, columns }
            }
            Layout::Wide { measured, skip } => {
                let mut columns = Vec::new();
                for (column, name) in table.columns.iter().enumerate() {
                    if Some(column) != time && !skip.contains(name) {
                        columns.push((column, number_of(names.len())));
                        names.push(name.clone());
                    }
                }
                Places::Wide { columns, measured }
            }
        };
        Ok(Reader {
            mapping,
            places,
            time,
            columns: table.columns.clone(),
            names,
            numbers: HashMap::new(),
            readings: Vec::new(),
            source: Source::default(),
        })
    }

    pub(super) fn row(
        &mut self,
        line: u64,
        row: Result<Row<'_>, csv::Error>,
    ) -> Result<(), RecordingError> {
        self.source.rows += 1;
        let row = match row {
            Ok(row) if row.len() == self.columns.len() => row,
            Ok(row) => {
                let what = format!("{} cells, the header has {}", row.len(), self.columns.len());
                self.problem(line, None, what);
                return Ok(());
            }
            Err(error) => {
                self.problem(line, None, error.to_string());
                return Ok(());
            }
        };
        let Some(event_time_ms) = self.event_time(line, &row) else { return Ok(()) };
        // taken out and put back, so that a problem can be noted while they are walked
        let places =
            std::mem::replace(&mut self.places, Places::Long { sensor: 0, columns: Vec::new() });
        match &places {
            Places::Long { sensor, columns } => {
                if let Some(number) = self.sensor(line, &row, *sensor) {
                    for (column, measured) in columns {
                        self.value(line, &row, (*column, number, measured), event_time_ms);
                    }
                }
            }
            Places::Wide { columns, measured } => {
                for (column, number) in columns {
                    self.value(line, &row, (*column, *number, measured), event_time_ms);
                }
            }
        }
        self.places = places;
        if self.readings.len() > MAX_READINGS {
            return Err(RecordingError::TooLong);
        }
        Ok(())
    }

    fn event_time(&mut self, line: u64, row: &Row<'_>) -> Option<i64> {
        let Some(column) = self.time else {
            let TimeSource::Steps { start_ms, step_ms } = self.mapping.time else {
                unreachable!("without a column times come in steps");
            };
            let steps = i64::try_from(self.source.rows - 1).unwrap_or(i64::MAX);
            return Some(start_ms.saturating_add(steps.saturating_mul(step_ms)));
        };
        let reader = &self.mapping.time_reader;
        let cell = row.cell(column);
        let time = match cell {
            Cell::Text(text) => reader.read(text),
            Cell::Time(ms) => Some(ms),
            Cell::LocalTime(ms) => Some(reader.local_ms(ms)),
            Cell::Whole(whole) => reader.number(whole as f64),
            Cell::Number(number) => reader.number(number),
            Cell::Nothing => None,
        };
        if time.is_none() {
            let what = format!("{cell:?} is no time as the mapping says");
            self.problem(line, Some(column), what);
        }
        time
    }

    fn sensor(&mut self, line: u64, row: &Row<'_>, column: usize) -> Option<u32> {
        let cell = row.cell(column);
        let name = text(cell).unwrap_or_default();
        if let Some(number) = self.numbers.get(&name) {
            return Some(*number);
        }
        if !is_id(&format!("{}{name}", self.mapping.prefix)) {
            let what = format!("{cell:?} is no sensor id: 1 to 64 of A-Z a-z 0-9 . _ -");
            self.problem(line, Some(column), what);
            return None;
        }
        let number = number_of(self.names.len());
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        Some(number)
    }

    fn value(
        &mut self,
        line: u64,
        row: &Row<'_>,
        (column, sensor, measured): (usize, u32, &Measured),
        event_time_ms: i64,
    ) {
        let cell = row.cell(column);
        let is_missing = match cell {
            Cell::Nothing => true,
            Cell::Text(text) => {
                let is = |missing: &String| missing == text;
                self.mapping.missing.iter().any(is) || measured.missing.iter().any(is)
            }
            Cell::Number(number) if number.is_nan() => true,
            Cell::Whole(_) | Cell::Number(_) => {
                let number = number(cell);
                measured.missing.iter().any(|missing| missing.parse().ok() == number)
            }
            Cell::Time(_) | Cell::LocalTime(_) => false,
        };
        if is_missing {
            self.source.missing += 1;
            return;
        }
        let Some(value) = number(cell) else {
            self.problem(line, Some(column), format!("{cell:?} is no number"));
            return;
        };
        self.readings.push(Recorded {
            event_time_ms,
            value: measured.conversion.apply(value),
            sensor,
            quantity: units::number(measured.quantity),
        });
    }

    fn problem(&mut self, line: u64, column: Option<usize>, what: String) {
        self.source.unreadable += 1;
        if self.source.problems.len() < LISTED {
            let column = column.and_then(|column| self.columns.get(column)).cloned();
            let column = column.unwrap_or_default();
            self.source.problems.push(Problem { line, column, what });
        }
    }
}

fn number_of(count: usize) -> u32 {
    u32::try_from(count).expect("fewer sensors than readings, and those are bounded")
}
