//! `citytwin replay`: sends what was recorded through MQTT again, from a file or from the archive of
//! an engine, which is asked as any SQL driver would ask.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use citytwin_core::quantity;
use citytwin_core::sensor::SensorKind;
use citytwin_proto::ingest::v1::{Quantity, SensorDescription};
use citytwin_simulators::publish::{MqttVersion, Pace};
use citytwin_simulators::replay::{
    MAX_READINGS, Mapping, PositionsFile, Recording, ReplayOptions, Shift, replay,
};
use clap::{Args, ValueHint};

use super::args::key_value;
use super::failure::Failure;
use super::moments::{Period, period};
use super::output::Screen;
use super::simulate::{RunArgs, options, read, report, stopped_by_ctrl_c, usage, with_progress};
use super::sql::Asker;

/// `citytwin replay`
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Recorded data, .csv or .parquet
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, requires = "map", required_unless_present = "from_archive")]
    file: Option<PathBuf>,
    /// TOML file that says which column is what
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    map: Option<PathBuf>,
    /// Send what the engine at this API address has in its archive
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:50051", conflicts_with_all = ["file", "map", "set", "positions"])]
    from_archive: Option<String>,
    /// Of the archive, the readings of this time by the sensors' clocks: BEGIN/END, such as
    /// "2026-11-20 07:00/09:00" or -2h/-1h; left out: all
    #[arg(long, value_name = "BEGIN/END", allow_hyphen_values = true, value_parser = period, requires = "from_archive")]
    at: Option<Period>,
    /// Set a key of the mapping, such as time.utc_offset=+07:00
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// CSV file of the sensors' positions
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    positions: Option<PathBuf>,
    /// How fast: a factor, or full
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = pace)]
    speed: Pace,
    /// Shift event times so that the recording happens now; left out: as recorded (the engine
    /// then has to run with --time event)
    #[arg(long)]
    to_now: bool,
    /// Most readings in one message
    #[arg(long, value_name = "N", default_value_t = 50)]
    readings_per_message: usize,
    /// MQTT connections
    #[arg(long, value_name = "N", default_value_t = 1)]
    connections: u32,
    /// Quality of service, 0, 1 or 2
    #[arg(long, value_name = "QOS", default_value_t = 1)]
    qos: u8,
    /// MQTT version, 5 or 3.1.1
    #[arg(long, value_name = "VERSION", default_value = "5")]
    mqtt_version: MqttVersion,
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "full" => Ok(Pace::Full),
        "1" => Ok(Pace::RealTime),
        factor => factor
            .parse()
            .ok()
            .filter(|factor| *factor > 0.0 && *factor <= 1e6)
            .map(Pace::Times)
            .ok_or_else(|| "allowed: a factor above 0, up to 1000000, or full".to_owned()),
    }
}

/// Sends recorded data.
///
/// # Errors
/// When the file or the mapping is wrong, nobody can be reached, or the verdict is: failed.
pub async fn run_replay(args: &ReplayArgs, screen: &mut Screen) -> Result<(), Failure> {
    let recording = match (&args.from_archive, &args.file, &args.map) {
        (Some(server), ..) => of_archive(server, args.at).await?,
        (None, Some(file), Some(map)) => of_file(file, map, args)?,
        (None, ..) => {
            return Err(Failure::Usage("give a FILE and --map, or --from-archive".to_owned()));
        }
    };
    let mut options = options(&args.run)?;
    options.publish.version = args.mqtt_version;
    let how = ReplayOptions {
        pace: args.speed,
        shift: if args.to_now { Shift::ToNow } else { Shift::AsSeen },
        readings_per_message: args.readings_per_message,
        connections: args.connections,
        qos: args.qos,
    };
    how.check().map_err(usage)?;
    let (recording, shutdown) = (Arc::new(recording), stopped_by_ctrl_c());
    let run = replay(&recording, how, &options, &shutdown);
    let finished = with_progress(run, &options.progress).await.map_err(anyhow::Error::from)?;
    report(&finished, args.run.json, screen)
}

/// A recorded file.
fn of_file(file: &Path, map: &Path, args: &ReplayArgs) -> Result<Recording, Failure> {
    let text = read(map)?;
    let mut mapping = Mapping::from_toml(&text, &args.set)
        .map_err(|error| Failure::Usage(format!("{}: {error}", map.display())))?;
    if let Some(file) = &args.positions {
        // From the command line, so relative to where we are and not to the mapping.
        let file = std::path::absolute(file)?;
        match &mut mapping.positions {
            Some(positions) => positions.file = file,
            none => *none = Some(PositionsFile::new(file)),
        }
    }
    let folder = map.parent().unwrap_or(Path::new(""));
    Recording::read(file, &mapping, folder).map_err(usage)
}

/// What an archive holds of a period, and the sensors as they are described now.
async fn of_archive(server: &str, at: Option<Period>) -> Result<Recording, Failure> {
    let mut asker = Asker::connect(server).await?;
    let when = at.map_or_else(String::new, |at| {
        let (begin, end) = (at.begin.rfc3339(), at.end.rfc3339());
        format!(" WHERE event_time >= '{begin}' AND event_time < '{end}'")
    });
    let count = rows(&mut asker, &format!("SELECT count(*) FROM readings{when}")).await?;
    let count =
        count.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0));
    if usize::try_from(count).is_ok_and(|count| count > MAX_READINGS) {
        let much = format!("{count} readings are too many for one replay; allowed: {MAX_READINGS}");
        return Err(Failure::Usage(format!("{much}: take a shorter time with --at")));
    }
    let (mut sensors, mut numbers) = (Vec::new(), HashMap::new());
    for batch in rows(&mut asker, SENSORS).await? {
        let keys = texts(&batch, 0)?;
        for (row, key) in keys.iter().enumerate() {
            numbers.insert(key.clone(), u32::try_from(sensors.len()).unwrap_or(u32::MAX));
            sensors.push((key.clone(), description(&batch, row)?));
        }
    }
    let sql = format!("SELECT sensor, quantity, event_time, value FROM readings{when}");
    let mut readings = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut answer = asker.rows(&sql).await?;
    while let Some(batch) = answer.next().await? {
        let (keys, quantities) = (texts(&batch, 0)?, texts(&batch, 1)?);
        let times = cast(batch.column(2), &DataType::Int64).map_err(anyhow::Error::from)?;
        let times = times.as_primitive::<Int64Type>();
        let values = batch.column(3).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let sensor = numbers.get(&keys[row]).copied();
            let what = quantity_of(&quantities[row]);
            // A sensor that came between the two questions is left for the next replay.
            if let Some((sensor, what)) = sensor.zip(what) {
                readings.push((sensor, what, times.value(row), values.value(row)));
            }
        }
    }
    Recording::of_readings("archive", sensors, readings.into_iter()).map_err(usage)
}

const SENSORS: &str = "SELECT sensor, kind, name, latitude_deg, longitude_deg, link, lane, zone, \
     interval_ms, free_flow_speed_kmh, lanes FROM sensors ORDER BY sensor";

async fn rows(asker: &mut Asker, sql: &str) -> Result<Vec<RecordBatch>, Failure> {
    let mut answer = asker.rows(sql).await?;
    let mut batches = Vec::new();
    while let Some(batch) = answer.next().await? {
        batches.push(batch);
    }
    Ok(batches)
}

fn texts(batch: &RecordBatch, column: usize) -> Result<Vec<String>, Failure> {
    let texts = cast(batch.column(column), &DataType::Utf8).map_err(anyhow::Error::from)?;
    let texts = texts.as_string::<i32>();
    Ok((0..texts.len()).map(|row| texts.value(row).to_owned()).collect())
}

fn description(batch: &RecordBatch, row: usize) -> Result<SensorDescription, Failure> {
    let text = |column: usize| -> Result<String, Failure> {
        Ok(texts(&batch.slice(row, 1), column)?.remove(0))
    };
    let number = |column: usize| batch.column(column).as_primitive::<Float64Type>().value(row);
    let count = |column: usize| batch.column(column).as_primitive::<Int64Type>().value(row);
    let small = |column: usize| u32::try_from(count(column)).unwrap_or_default();
    let kind = SensorKind::from_name(&text(1)?).map_or(0, |kind| i32::from(kind.number()));
    Ok(SensorDescription {
        kind,
        name: text(2)?,
        latitude_deg: number(3),
        longitude_deg: number(4),
        link: text(5)?,
        lane: small(6),
        zone: text(7)?,
        expected_interval_ms: count(8),
        free_flow_speed_kmh: number(9),
        lanes: small(10),
    })
}

fn quantity_of(name: &str) -> Option<Quantity> {
    let known = quantity::Quantity::from_name(name)?;
    Quantity::try_from(i32::from(known.number())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces() {
        assert_eq!(pace("full"), Ok(Pace::Full));
        assert_eq!(pace("1"), Ok(Pace::RealTime));
        assert_eq!(pace("2.5"), Ok(Pace::Times(2.5)));
        for bad in ["0", "-1", "fast", "nan", "1e9"] {
            assert!(pace(bad).is_err(), "{bad}");
        }
    }
}
