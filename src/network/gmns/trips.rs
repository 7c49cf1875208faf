//! Trips between the zones of a folder, and what an assignment makes of them: tables beside GMNS, in
//! the form that programs on GMNS networks share (`o_zone_id,d_zone_id,volume`).

use std::collections::BTreeMap;
use std::path::Path;

use super::table::{Table, TableError};

/// Reads a table of trips: origin, destination, vehicles an hour; zones by their place in `zones`.
/// Rows without a volume are left out.
///
/// # Errors
/// At the first row that is wrong.
pub fn read(path: &Path, zones: &[String]) -> Result<Vec<(u32, u32, f64)>, TableError> {
    let places: BTreeMap<&str, u32> = zones.iter().map(String::as_str).zip(0_u32..).collect();
    let table =
        Table::open(path, "the table of trips")?.with(&["o_zone_id", "d_zone_id", "volume"])?;
    let mut trips = Vec::new();
    for row in table.rows() {
        let zone = |column| {
            row.required(column, "a zone of the network", |text| places.get(text).copied())
        };
        let volume = row.number("volume")?.unwrap_or(0.0);
        if volume > 0.0 {
            trips.push((zone("o_zone_id")?, zone("d_zone_id")?, volume));
        }
    }
    Ok(trips)
}

/// Volume and travel time of every link, as CSV.
///
/// # Errors
/// None that memory has.
pub fn volumes(keys: &[String], volumes: &[f64], times_s: &[f64]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["link_id", "volume", "travel_time"])?;
    for ((key, volume), time) in keys.iter().zip(volumes).zip(times_s) {
        writer.write_record([key, &volume.to_string(), &time.to_string()])?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
