//! The archive's readings, read as any foreign tool would, held against what was sent: nothing
//! acknowledged missing, nothing twice, values equal to the last bit, nothing invented.
//!
//! Reads `{data folder}/archive/readings/date=*/*.parquet`, only the columns `epoch`, `sensor`,
//! `quantity`, `event_time` and `value`. Memory: one bit a reading beside the ledger.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, UInt64Type};
use arrow::error::ArrowError;
use citytwin_proto::ingest::v1::Quantity;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use thiserror::Error;

use super::{Fault, Proof, Verdict, Violation, quantity_name, time_text};
use crate::fleet::Expectation;
use crate::ledger::{Entry, value_hash};

/// Rows decoded at once.
const BATCH_ROWS: usize = 65_536;
/// What is read.
const COLUMNS: [&str; 5] = ["epoch", "sensor", "quantity", "event_time", "value"];

/// Whether everything acknowledged is in the archive by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// It must be: the server is shut down, or has archived past the run.
    Whole,
    /// Some of it is still in the log: what is missing says nothing.
    Partial,
}

/// Why the archive cannot be read.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A file or folder.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file that is no Parquet.
    #[error("{} is no readable Parquet", path.display())]
    Parquet {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// Rows that cannot be decoded or have the wrong type.
    #[error("rows of {} cannot be read", path.display())]
    Rows {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArrowError,
    },
}

/// Holds the archive in a data folder against what was sent. Needs no server.
///
/// # Errors
/// When a file cannot be read. A folder without an archive is an empty one.
pub fn verify_archive(
    data_folder: &Path,
    proof: &Proof,
    completeness: Completeness,
) -> Result<Verdict, ArchiveError> {
    let mut files = Vec::new();
    let folder = data_folder.join("archive").join("readings");
    if folder.exists() {
        find_files(&folder, &mut files)?;
    }
    files.sort();
    let files = valid(files);
    let mut check = Check::new(proof);
    for path in &files {
        read_file(path, &mut check)?;
    }
    Ok(check.finish(completeness))
}

/// Without those that a merged file replaces: their epochs lie within its own, and they stay on
/// disk for a while.
fn valid(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let epochs = |path: &PathBuf| -> Option<(u64, u64)> {
        let mut parts = path.file_name()?.to_str()?.split(['-', '.']).skip(1);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let is_merged = |path: &&PathBuf| path.to_string_lossy().ends_with(".merged.parquet");
    let merged: Vec<_> = files.iter().filter(is_merged).filter_map(epochs).collect();
    let is_replaced = |path: &PathBuf| {
        let own = epochs(path).unwrap_or_default();
        merged.iter().any(|of| *of != own && of.0 <= own.0 && own.1 <= of.1)
    };
    let (_, valid) = files.into_iter().partition(is_replaced);
    valid
}

fn find_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ArchiveError> {
    let wrong = |source| ArchiveError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let first = path.file_name().and_then(|name| name.as_encoded_bytes().first());
        let hidden = first.is_some_and(|byte| matches!(byte, b'.' | b'_'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            find_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_file(path: &Path, check: &mut Check<'_>) -> Result<(), ArchiveError> {
    let file =
        File::open(path).map_err(|source| ArchiveError::Io { path: path.to_owned(), source })?;
    let wrong = |source| ArchiveError::Parquet { path: path.to_owned(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(wrong)?;
    let columns = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
    let reader =
        builder.with_projection(columns).with_batch_size(BATCH_ROWS).build().map_err(wrong)?;
    for batch in reader {
        batch
            .and_then(|batch| check.batch(&batch))
            .map_err(|source| ArchiveError::Rows { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// A column of few texts as numbers into a list of texts.
struct Names {
    keys: Vec<usize>,
    texts: StringArray,
}

impl Names {
    fn of(batch: &RecordBatch, column: &str) -> Result<Names, ArrowError> {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let array = cast(column_of(batch, column)?, &dictionary)?;
        let array = array.as_dictionary::<Int32Type>();
        let keys = array
            .keys()
            .values()
            .iter()
            .map(|key| usize::try_from(*key).expect("a key is no negative number"))
            .collect();
        Ok(Names { keys, texts: array.values().as_string::<i32>().clone() })
    }
}

fn column_of<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch
        .column_by_name(column)
        .filter(|array| array.null_count() == 0)
        .ok_or_else(|| ArrowError::SchemaError(format!("no column {column}, or nulls in it")))
}

/// One sensor of the run.
struct Sent<'a> {
    key: &'a str,
    entries: &'a [Entry],
    /// By position of an identity's first entry.
    seen: Vec<u64>,
}

struct Check<'a> {
    sent: Vec<Sent<'a>>,
    by_key: HashMap<&'a str, usize>,
    quantities: BTreeMap<String, u8>,
    after_epoch: u64,
    rows: u64,
    verdict: Verdict,
}

impl<'a> Check<'a> {
    fn new(proof: &'a Proof) -> Check<'a> {
        let mut sent = Vec::new();
        for (number, account) in &proof.ledger.sensors {
            let number = usize::try_from(*number).expect("32 bits fit");
            let key = proof.sensors.get(number).map_or("", String::as_str);
            let seen = vec![0; account.entries.len().div_ceil(64)];
            sent.push(Sent { key, entries: &account.entries, seen });
        }
        let by_key = sent.iter().enumerate().map(|(slot, sent)| (sent.key, slot)).collect();
        let quantities = (1..=u8::MAX)
            .filter_map(|number| {
                let quantity = Quantity::try_from(i32::from(number)).ok()?;
                Some((quantity_name(quantity), number))
            })
            .collect();
        let verdict = Verdict { sensors: sent.len(), ..Verdict::default() };
        Check { sent, by_key, quantities, after_epoch: proof.after_epoch, rows: 0, verdict }
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let sensors = Names::of(batch, "sensor")?;
        let quantities = Names::of(batch, "quantity")?;
        let epochs = cast(column_of(batch, "epoch")?, &DataType::UInt64)?;
        let epochs = epochs.as_primitive::<UInt64Type>().values();
        let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let times = column_of(batch, "event_time")?;
        let times = if *times.data_type() == DataType::Int64 {
            ArrayRef::clone(times)
        } else {
            cast(&cast(times, &millis)?, &DataType::Int64)?
        };
        let times = times.as_primitive::<Int64Type>().values();
        let values = cast(column_of(batch, "value")?, &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>().values();
        // look each name up once
        let slots: Vec<Option<usize>> = sensors
            .texts
            .iter()
            .map(|key| self.by_key.get(key.unwrap_or_default()).copied())
            .collect();
        let numbers: Vec<Option<u8>> = quantities
            .texts
            .iter()
            .map(|name| self.quantities.get(name.unwrap_or_default()).copied())
            .collect();
        for row in 0..batch.num_rows() {
            let Some(slot) = slots[sensors.keys[row]] else { continue };
            if epochs[row] <= self.after_epoch {
                continue;
            }
            let quantity = quantities.keys[row];
            if let Some(number) = numbers[quantity] {
                self.row(slot, number, times[row], values[row]);
            } else {
                let name = quantities.texts.value(quantity).to_owned();
                let detail = "a quantity that does not exist".to_owned();
                self.violation(Fault::Invented, slot, (name, times[row]), detail);
            }
        }
        Ok(())
    }

    fn row(&mut self, slot: usize, quantity: u8, event_time_ms: i64, value: f64) {
        self.rows += 1;
        let sent = &mut self.sent[slot];
        let identity = Entry::identity_of(event_time_ms, quantity);
        let first = sent.entries.partition_point(|entry| entry.identity() < identity);
        let group = group_at(sent.entries, first, identity);
        let values = allowed_values(group);
        let fault = if group.is_empty() {
            Some((Fault::Invented, format!("{value} was never sent")))
        } else if values.is_empty() {
            Some((Fault::NotRefused, format!("{value} was to be refused")))
        } else {
            let bit = 1 << (first % 64);
            let again = sent.seen[first / 64] & bit != 0;
            sent.seen[first / 64] |= bit;
            if again {
                Some((Fault::Twice, format!("once more with {value}")))
            } else if values.contains(&value_hash(value)) {
                None
            } else {
                Some((Fault::WrongValue, format!("{value} is not what was sent")))
            }
        };
        if let Some((fault, detail)) = fault {
            self.violation(fault, slot, (name_of(quantity), event_time_ms), detail);
        }
    }

    fn violation(&mut self, fault: Fault, slot: usize, of: (String, i64), detail: String) {
        let sensor = self.sent[slot].key.to_owned();
        self.verdict.violation(Violation {
            fault,
            sensor,
            quantity: Some(of.0),
            event_time: Some(time_text(of.1)),
            detail,
        });
    }

    fn finish(mut self, completeness: Completeness) -> Verdict {
        for slot in 0..self.sent.len() {
            let entries = self.sent[slot].entries;
            let mut first = 0;
            while let Some(entry) = entries.get(first) {
                let group = group_at(entries, first, entry.identity());
                let acked = group.iter().any(|entry| is_expected(entry) && entry.fate().acked);
                self.verdict.readings += u64::from(acked);
                let seen = self.sent[slot].seen[first / 64] & 1 << (first % 64) != 0;
                if acked && !seen && completeness == Completeness::Whole {
                    let quantity = entry.quantity().map_or_else(String::new, quantity_name);
                    let detail = "acknowledged, but not in the archive".to_owned();
                    let of = (quantity, entry.event_time_ms());
                    self.violation(Fault::Missing, slot, of, detail);
                }
                first += group.len();
            }
        }
        self.verdict.archive_rows = Some(self.rows);
        self.verdict
    }
}

fn name_of(quantity: u8) -> String {
    Quantity::try_from(i32::from(quantity)).map_or_else(|_| quantity.to_string(), quantity_name)
}

/// All entries of an identity, which begin at `first`.
fn group_at(entries: &[Entry], first: usize, identity: u64) -> &[Entry] {
    let rest = &entries[first.min(entries.len())..];
    let count = rest.iter().take_while(|entry| entry.identity() == identity).count();
    &rest[..count]
}

fn is_expected(entry: &Entry) -> bool {
    match entry.fate().expect {
        Expectation::Taken | Expectation::Duplicate => true,
        Expectation::Refused(_) => false,
    }
}

/// Hashes of the values that may be archived: those of the first copy; where a run holds only
/// repeats, theirs.
fn allowed_values(group: &[Entry]) -> Vec<u32> {
    let of = |expect| {
        let values = group.iter().filter(|entry| entry.fate().expect == expect);
        values.map(|entry| entry.value()).collect::<Vec<u32>>()
    };
    let first = of(Expectation::Taken);
    if first.is_empty() { of(Expectation::Duplicate) } else { first }
}
