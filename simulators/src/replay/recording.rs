//! A recorded file as readings in order of time: [`Recording`]. Cells that hold nothing are
//! skipped and counted; what cannot be read is counted and the first of it listed with its line.
//! Neither ends a replay.
//!
//! Memory: 24 bytes a reading, bounded by [`MAX_READINGS`].

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use citytwin_proto::ingest::v1::{Quantity, SensorDescription};
use serde::Serialize;
use thiserror::Error;

use super::mapping::{Mapping, PositionsFile, is_position};
use super::reader::{Reader, number, text};
use super::table::{Table, TableError};
use super::units;

/// Most readings of one replay: 1.2 GB. Longer recordings are cut into files.
pub const MAX_READINGS: usize = 50_000_000;

/// Why a file cannot be replayed at all.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file, or the one with positions.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Sensors without a position cannot be described.
    #[error(
        "no position for {} of {of} sensors, such as {:?}: give a file with --positions, or \
         [[position]] in the mapping",
        missing.len(),
        missing.first()
    )]
    NoPosition {
        /// Their ids.
        missing: Vec<String>,
        /// How many sensors there are.
        of: usize,
    },
    /// A sensor's key.
    #[error("{0:?} is no key of a sensor; such a key is agency/id")]
    Key(String),
    /// Too many readings.
    #[error("more than {MAX_READINGS} readings: take it in parts")]
    TooLong,
    /// Nothing to send.
    #[error("no readings in it: {0}")]
    Empty(Source),
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line of the CSV, or row of the Parquet file.
    pub line: u64,
    /// Which column, if it is one.
    pub column: String,
    /// What is wrong.
    pub what: String,
}

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Rows, broken ones too.
    pub rows: u64,
    /// Readings taken.
    pub readings: u64,
    /// Cells that hold nothing.
    pub missing: u64,
    /// Cells or rows that could not be read.
    pub unreadable: u64,
    /// The first of those.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows, {} readings, {} empty cells, {} unreadable",
            self.rows, self.readings, self.missing, self.unreadable
        )?;
        for problem in &self.problems {
            write!(f, "\n  line {}, column {:?}: {}", problem.line, problem.column, problem.what)?;
        }
        Ok(())
    }
}

/// One recorded reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Recorded {
    pub(super) event_time_ms: i64,
    pub(super) value: f64,
    pub(super) sensor: u32,
    pub(super) quantity: u8,
}

/// A recorded file, ready to be sent.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What it is called: the agency, where there is one.
    pub(super) name: String,
    /// First parts of the sensors' keys, by number.
    pub(super) agencies: Vec<Arc<str>>,
    /// Second parts.
    pub(super) ids: Vec<Arc<str>>,
    pub(super) descriptions: Vec<SensorDescription>,
    /// By event time; within one, as in the file.
    pub(super) readings: Vec<Recorded>,
    /// What was found.
    pub source: Source,
}

impl Recording {
    /// Reads a file by its mapping. `folder` is where a relative positions file is looked for.
    ///
    /// # Errors
    /// When a file or column is not there, a sensor has no position, or there is nothing to send.
    pub fn read(
        path: &Path,
        mapping: &Mapping,
        folder: &Path,
    ) -> Result<Recording, RecordingError> {
        let table = Table::open(path)?;
        let positions = match &mapping.positions {
            Some(file) => {
                let path = folder.join(&file.file);
                read_positions(Table::open(&path)?, file)?
            }
            None => HashMap::new(),
        };
        Recording::from_table(table, mapping, &positions)
    }

    pub(super) fn from_table(
        table: Table,
        mapping: &Mapping,
        positions: &HashMap<String, (f64, f64)>,
    ) -> Result<Recording, RecordingError> {
        let mut reader = Reader::new(&table, mapping)?;
        table.for_each(|line, row| reader.row(line, row))?;
        let Reader { names, mut readings, mut source, .. } = reader;
        source.readings = readings.len() as u64;
        if readings.is_empty() {
            return Err(RecordingError::Empty(source));
        }
        readings.sort_by_key(|recorded| recorded.event_time_ms);
        let descriptions = describe(&names, mapping, positions)?;
        let prefix = &mapping.prefix;
        Ok(Recording {
            name: mapping.agency.clone(),
            agencies: vec![Arc::from(mapping.agency.as_str()); names.len()],
            ids: names.iter().map(|name| Arc::from(format!("{prefix}{name}"))).collect(),
            descriptions,
            readings,
            source,
        })
    }

    /// Of readings that are at hand: sensors by key, `agency/id`, and of each reading the number
    /// of its sensor, what it measures, when (milliseconds) and how much.
    ///
    /// # Errors
    /// When there are too many readings or none, or a key has no agency.
    pub fn of_readings(
        name: &str,
        sensors: Vec<(String, SensorDescription)>,
        readings: impl Iterator<Item = (u32, Quantity, i64, f64)>,
    ) -> Result<Recording, RecordingError> {
        let recorded = readings.map(|(sensor, quantity, event_time_ms, value)| Recorded {
            event_time_ms,
            value,
            sensor,
            quantity: units::number(quantity),
        });
        let mut readings: Vec<Recorded> = recorded.take(MAX_READINGS + 1).collect();
        if readings.len() > MAX_READINGS {
            return Err(RecordingError::TooLong);
        }
        let count = readings.len() as u64;
        let source = Source { rows: count, readings: count, ..Source::default() };
        if readings.is_empty() {
            return Err(RecordingError::Empty(source));
        }
        readings.sort_by_key(|recorded| (recorded.event_time_ms, recorded.sensor));
        let mut recording = Recording {
            name: name.to_owned(),
            agencies: Vec::new(),
            ids: Vec::new(),
            descriptions: Vec::new(),
            readings,
            source,
        };
        for (key, description) in sensors {
            let Some((agency, id)) = key.split_once('/') else {
                return Err(RecordingError::Key(key));
            };
            let last = recording.agencies.last().filter(|last| last.as_ref() == agency);
            recording.agencies.push(last.map_or_else(|| Arc::from(agency), Arc::clone));
            recording.ids.push(Arc::from(id));
            recording.descriptions.push(description);
        }
        Ok(recording)
    }

    /// Event times of the first and last reading.
    pub fn span_ms(&self) -> (i64, i64) {
        let at = |recorded: Option<&Recorded>| recorded.map_or(0, |r| r.event_time_ms);
        (at(self.readings.first()), at(self.readings.last()))
    }

    /// `agency/id` and description of every sensor.
    pub(super) fn sensors(&self) -> Vec<(String, SensorDescription)> {
        self.ids
            .iter()
            .zip(&self.agencies)
            .zip(&self.descriptions)
            .map(|((id, agency), description)| (format!("{agency}/{id}"), description.clone()))
            .collect()
    }
}

fn describe(
    names: &[String],
    mapping: &Mapping,
    positions: &HashMap<String, (f64, f64)>,
) -> Result<Vec<SensorDescription>, RecordingError> {
    let mut missing = Vec::new();
    let mut descriptions = Vec::with_capacity(names.len());
    for name in names {
        let place = mapping.places.iter().find(|place| place.sensor == *name);
        let position = place
            .map(|place| (place.latitude_deg, place.longitude_deg))
            .or_else(|| positions.get(name).copied());
        let Some((latitude_deg, longitude_deg)) = position else {
            missing.push(name.clone());
            continue;
        };
        descriptions.push(SensorDescription {
            kind: mapping.kind.into(),
            latitude_deg,
            longitude_deg,
            expected_interval_ms: mapping.expected_interval_ms,
            name: place.map(|place| place.name.clone()).unwrap_or_default(),
            zone: place.map(|place| place.zone.clone()).unwrap_or_default(),
            ..SensorDescription::default()
        });
    }
    if missing.is_empty() {
        Ok(descriptions)
    } else {
        Err(RecordingError::NoPosition { missing, of: names.len() })
    }
}

/// Sensor's id to latitude and longitude. Lines that hold no position are left out: a sensor that
/// needs one of them is named later.
pub(super) fn read_positions(
    table: Table,
    file: &PositionsFile,
) -> Result<HashMap<String, (f64, f64)>, TableError> {
    let id = table.column(&file.id)?;
    let latitude = table.column(&file.latitude)?;
    let longitude = table.column(&file.longitude)?;
    let mut positions = HashMap::new();
    table.for_each::<TableError>(|_, row| {
        if let Ok(row) = row {
            let degrees = |column| number(row.cell(column));
            if let (Some(id), Some(latitude), Some(longitude)) =
                (text(row.cell(id)), degrees(latitude), degrees(longitude))
                && is_position(latitude, longitude)
            {
                positions.insert(id, (latitude, longitude));
            }
        }
        Ok(())
    })?;
    Ok(positions)
}

/// The quantity of a [`Recorded`].
pub(super) fn quantity_of(recorded: &Recorded) -> Quantity {
    Quantity::try_from(i32::from(recorded.quantity)).expect("it came from one")
}

/// What the twin refuses of it.
pub(super) fn refusal_of(recorded: &Recorded) -> Option<&'static str> {
    units::refusal(quantity_of(recorded), recorded.value)
}
