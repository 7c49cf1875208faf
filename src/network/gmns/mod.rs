//! Roads as GMNS, the General Modeling Network Specification (Zephyr Foundation, version 0.97): a
//! folder of CSV tables that other programs of the field read and write.
//!
//! ```text
//! config.csv                 units, WGS 84; without it metres and km/h are taken
//! node.csv                   node_id,x_coord,y_coord,ctrl_type + passable
//! link.csv                   link_id,name,from_node_id,to_node_id,directed,geometry,dir_flag,length,
//!                            facility_type,capacity,free_speed,lanes
//!                            + free_speed_mps, jam_density, originals
//! geometry.csv               shapes by geometry_id, if link.csv refers to them (read only)
//! movement.csv               at nodes it names, what it does not name is banned
//! zone.csv                   zone_id,name,boundary + x_coord,y_coord,connectors
//! signal_controller.csv, signal_timing_plan.csv, signal_timing_phase.csv,
//! signal_phase_mvmt.csv, signal_coordination.csv
//!                            fixed-time plans; of several plans of a controller the first
//! ```
//!
//! `+` are columns of our own, which the specification allows; they make writing and reading again
//! give the same network, byte for byte. Where a speed was edited, the edit in free_speed holds.

mod read;
mod signals;
mod table;
mod trips;
mod write;

#[cfg(test)]
mod tests;

use std::path::Path;

use citytwin_core::road::{Draft, Network};

pub use table::TableError;
pub use trips::{read as read_trips, volumes};

use super::{FileError, Notes};

/// Whether a folder looks like GMNS.
pub fn is_folder(path: &Path) -> bool {
    path.join("node.csv").is_file() && path.join("link.csv").is_file()
}

/// Reads a folder.
///
/// # Errors
/// When a table is missing or broken; the error names table, line and column.
pub fn read(folder: &Path) -> Result<(Draft, Notes), FileError> {
    read::read(folder).map_err(|cause| FileError::Gmns { path: folder.to_owned(), cause })
}

/// Writes a network into a folder, which is made if it is not there; tables that are there are
/// replaced, and those this network does not need are removed.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, network: &Network) -> Result<(), FileError> {
    let file = |cause| FileError::File { path: folder.to_owned(), cause };
    std::fs::create_dir_all(folder).map_err(file)?;
    for table in write::OPTIONAL {
        match std::fs::remove_file(folder.join(table)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(file(cause)),
            Ok(()) | Err(_) => {}
        }
    }
    write::write(folder, network)
        .map_err(|cause| FileError::Gmns { path: folder.to_owned(), cause })
}
