//! `--offline`: roads and trips from files in place of an engine.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_core::scenario::Trips;
use clap::{Args, ValueHint};

use super::document::Document;
use crate::cli::failure::Failure;

/// Where roads and trips come from without an engine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Without an engine")]
pub(super) struct OfflineArgs {
    /// Ask no engine: run here, on empty roads
    #[arg(long, requires = "network")]
    offline: bool,
    /// Road network: a GMNS folder or an OpenStreetMap extract (.osm.pbf)
    #[arg(long, value_name = "FILE|FOLDER", requires = "offline", value_hint = ValueHint::AnyPath)]
    network: Option<PathBuf>,
    /// Trips between zones: CSV with columns origin, destination, flow_pcu_h
    #[arg(long, value_name = "FILE", requires = "offline", value_hint = ValueHint::FilePath)]
    demand: Option<PathBuf>,
}

impl OfflineArgs {
    /// The roads; none where an engine is to be asked.
    pub(super) fn network(&self) -> Option<&Path> {
        self.network.as_deref().filter(|_| self.offline)
    }

    /// Gives every scenario without trips of its own those of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn prepare(&self, documents: &mut [Document]) -> Result<(), Failure> {
        let Some(path) = &self.demand else { return Ok(()) };
        let trips = read(path)?;
        for document in documents {
            if document.scenario.demand.trips.is_empty() {
                document.scenario.demand.trips.clone_from(&trips);
                document.scenario.demand.estimate = false;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<Trips>, Failure> {
    let reader = csv::Reader::from_path(path);
    let mut reader = reader.with_context(|| format!("cannot read {}", path.display()))?;
    let rows = reader.deserialize().map(|row| {
        let row: csv::Result<Trips> = row;
        row.map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trips_are_read_by_the_names_of_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trips.csv");
        std::fs::write(&path, "destination,origin,flow_pcu_h\nz2,z1,12.5\n").unwrap();
        let trips = read(&path).unwrap();
        assert_eq!((trips[0].origin.as_str(), trips[0].destination.as_str()), ("z1", "z2"));
        std::fs::write(&path, "destination,origin,flow_pcu_h\nz2,z1,many\n").unwrap();
        let told = read(&path).unwrap_err().to_string();
        assert!(told.contains("trips.csv") && told.contains("line: 2"), "{told}");
    }
}
