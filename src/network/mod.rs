//! Road networks in files: OpenStreetMap PBF in, GMNS in and out, `GeoJSON` out. What a network is
//! and what is wrong with one is decided in [`citytwin_core::road`]; here bytes become drafts.
//!
//! | format | module | recognised by |
//! |---|---|---|
//! | OpenStreetMap PBF | [`osm`] | a file that ends in `.pbf` |
//! | GMNS | [`gmns`] | a folder with `node.csv` and `link.csv` |
//! | GeoJSON | [`geojson`] | only written |
//! | TNTP | [`tntp`] | a file that ends in `.tntp`, with its units: read by `citytwin assign` as a graph, by `citytwin network import` as roads |

pub mod geojson;
pub mod gmns;
pub mod osm;
pub mod tntp;

#[cfg(test)]
mod city_tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_core::road::{Built, Draft, Network, Problem};
use thiserror::Error;

/// Problems of a kind that are logged one by one.
const LOGGED: usize = 3;

/// What was seen on the way in, counted by a short text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<String, u64>);

impl Notes {
    fn add(&mut self, what: &str, count: u64) {
        if count > 0 {
            *self.0.entry(what.to_owned()).or_default() += count;
        }
    }

    /// All counts, by their text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(what, count)| (what.as_str(), *count))
    }

    /// One count; 0 where nothing was seen.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

/// A network from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// What is sound.
    pub network: Network,
    /// What was left out and why.
    pub faults: Vec<Problem>,
    /// What was seen on the way.
    pub notes: Notes,
}

impl Import {
    pub(crate) fn of((draft, notes): (Draft, Notes)) -> Import {
        let Built { network, faults } = draft.build();
        Import { network, faults, notes }
    }
}

/// How a network is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenStreetMap PBF.
    Osm,
    /// GMNS, a folder of CSV files.
    Gmns,
}

/// Why a network could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// A file or folder is not there or cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is no network that is known.
    #[error(
        "{} is no network: allowed are a file .osm.pbf, or a folder with node.csv and link.csv",
        .0.display()
    )]
    Format(PathBuf),
    /// A PBF file is broken.
    #[error("{}", path.display())]
    Pbf {
        /// Which.
        path: PathBuf,
        /// Where and how.
        #[source]
        cause: osm::PbfError,
    },
    /// A GMNS table is broken.
    #[error("{}", path.display())]
    Gmns {
        /// Which.
        path: PathBuf,
        /// Where and how.
        #[source]
        cause: gmns::TableError,
    },
}

/// Which format a file or folder has.
///
/// # Errors
/// When it is not there or none that is known.
pub fn detect(path: &Path) -> Result<Format, FileError> {
    let about = path.metadata();
    let about = about.map_err(|cause| FileError::File { path: path.to_owned(), cause })?;
    if about.is_dir() && gmns::is_folder(path) {
        return Ok(Format::Gmns);
    }
    if about.is_file() && path.extension().is_some_and(|extension| extension == "pbf") {
        return Ok(Format::Osm);
    }
    Err(FileError::Format(path.to_owned()))
}

/// Bytes that reading reports as progress, in all.
pub fn work(path: &Path) -> u64 {
    // PBF is read twice; GMNS reports nothing.
    path.metadata().map_or(0, |about| if about.is_file() { about.len() * 2 } else { 0 })
}

/// Reads a network in any format that is known; `progress` gets what is done of [`work`].
///
/// # Errors
/// When a file cannot be read or is broken as a whole. What is wrong with single links is in the
/// import's faults.
pub fn read(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Import, FileError> {
    match detect(path)? {
        Format::Gmns => gmns::read(path).map(Import::of),
        Format::Osm => {
            let file = File::open(path);
            let mut file =
                file.map_err(|cause| FileError::File { path: path.to_owned(), cause })?;
            let read = osm::read(&mut file, progress);
            read.map(Import::of).map_err(|cause| FileError::Pbf { path: path.to_owned(), cause })
        }
    }
}

/// The roads that the configuration names, at the start of an engine: problems are logged, the
/// sound rest is taken.
///
/// # Errors
/// When the file cannot be read; the error names the key.
pub fn at_start(path: &Path) -> anyhow::Result<Network> {
    let import = read(path, &mut |_done| {});
    let Import { network, faults, notes: _ } =
        import.with_context(|| format!("network = {}", path.display()))?;
    let links = network.links().len();
    let (junctions, zones) = (network.junctions().len(), network.zones().len());
    tracing::info!(links, junctions, zones, file = %path.display(), "roads");
    let odd = network.check();
    for (what, problems) in [("left out", faults), ("odd", odd)] {
        for problem in problems.iter().take(LOGGED) {
            tracing::warn!(%problem, "roads: {what}");
        }
        if problems.len() > LOGGED {
            let count = problems.len();
            tracing::warn!(count, "roads: {what} in all; `citytwin network check` lists them");
        }
    }
    Ok(network)
}
