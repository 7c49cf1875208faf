//! No reading twice: identities (sensor, quantity, event time) by day of event time, where all
//! copies of one must be, however late they came.
//!
//! A day is read in as many passes as keep the hashes of one pass within memory; which pass an
//! identity belongs to says its hash. Hashes of 128 bits that are equal are taken for the same
//! identity.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMillisecondType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::Finding;
use crate::archive::error::ArchiveError;
use crate::archive::file::ArchiveFile;

const DAY_MS: i64 = 86_400_000;
/// Hashes in memory: 512 MB, and as much again while the list of them grows.
const MAX_HASHES: u64 = if cfg!(test) { 50 } else { 1 << 25 };

/// Finds readings that are there twice among whole files of readings.
pub(super) fn check(
    files: &[Arc<ArchiveFile>],
    findings: &mut Vec<Finding>,
) -> Result<(), ArchiveError> {
    let mut days: BTreeMap<i64, Vec<&Arc<ArchiveFile>>> = BTreeMap::new();
    for file in files {
        if let Some((oldest, newest)) = file.bounds()?.event_times {
            for day in oldest.ms().div_euclid(DAY_MS)..=newest.ms().div_euclid(DAY_MS) {
                days.entry(day).or_default().push(file);
            }
        }
    }
    for (day, files) in days {
        let mut rows = 0;
        for file in &files {
            rows += file.bounds()?.rows;
        }
        let passes = u128::from(rows.div_ceil(MAX_HASHES).max(1));
        for pass in 0..passes {
            let of_pass = |hash: &u128| hash % passes == pass;
            let mut hashes = Vec::new();
            for file in &files {
                each(file, day, |hash, _| hashes.extend(of_pass(&hash).then_some(hash)))?;
            }
            hashes.sort_unstable();
            let twice = hashes.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            let twice: BTreeSet<u128> = twice.collect();
            if !twice.is_empty() {
                name(&files, day, &twice, findings)?;
            }
        }
    }
    Ok(())
}

/// Adds a finding for every file that holds a reading which a file before it, or itself, holds.
fn name(
    files: &[&Arc<ArchiveFile>],
    day: i64,
    twice: &BTreeSet<u128>,
    findings: &mut Vec<Finding>,
) -> Result<(), ArchiveError> {
    let mut seen = BTreeSet::new();
    for file in files {
        let (mut count, mut example) = (0_u64, None);
        each(file, day, |hash, identity| {
            if twice.contains(&hash) && !seen.insert(hash) {
                count += 1;
                example.get_or_insert_with(|| identity.to_string());
            }
        })?;
        if let Some(example) = example {
            let problem = format!("{count} readings are there twice, such as {example}");
            findings.push(Finding::new(file, problem));
        }
    }
    Ok(())
}

/// What makes a reading one and not another.
#[derive(Hash)]
struct Identity<'a> {
    sensor: &'a str,
    quantity: &'a str,
    event_time: i64,
}

impl std::fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} at {} ms", self.sensor, self.quantity, self.event_time)
    }
}

/// Goes over the identities of a file that are of a day.
fn each(
    file: &ArchiveFile,
    day: i64,
    mut act: impl FnMut(u128, Identity<'_>),
) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Read { path: file.path().to_owned(), source };
    let open = File::open(file.path()).map_err(|e| ArchiveError::io("open", file.path(), e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(failed)?;
    let columns = ["sensor", "quantity", "event_time"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    for batch in builder.with_projection(mask).build().map_err(failed)? {
        let batch = batch.map_err(|error| failed(ParquetError::from(error)))?;
        identities(&batch, day, &mut act);
    }
    Ok(())
}

fn identities(batch: &RecordBatch, day: i64, act: &mut impl FnMut(u128, Identity<'_>)) {
    let names = |at: usize| batch.column(at).as_dictionary::<Int32Type>();
    let (sensors, quantities) = (names(0), names(1));
    let (ids, words) =
        (sensors.values().as_string::<i32>(), quantities.values().as_string::<i32>());
    let times = batch.column(2).as_primitive::<TimestampMillisecondType>();
    for row in 0..times.len() {
        let event_time = times.value(row);
        if event_time.div_euclid(DAY_MS) != day {
            continue;
        }
        let slot = |keys: &[i32]| keys[row].cast_unsigned() as usize;
        let identity = Identity {
            sensor: ids.value(slot(sensors.keys().values())),
            quantity: words.value(slot(quantities.keys().values())),
            event_time,
        };
        act(hash(&identity), identity);
    }
}

fn hash(identity: &Identity<'_>) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, identity).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
