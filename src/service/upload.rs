//! A road network that comes in pieces: its files are put together in a temporary folder, which is
//! gone afterwards.

use std::io;
use std::path::Path;

use citytwin_proto::v1::ImportNetworkRequest;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio_stream::StreamExt as _;
use tonic::Streaming;

use crate::network::{self, Import};
use crate::planner::PlannerError;

/// Most bytes of all files: a country's extract.
const MAX_BYTES: usize = 1 << 30;
/// Most files.
const MAX_FILES: usize = 32;

/// Files that have arrived.
#[derive(Debug)]
pub(super) struct Upload {
    folder: TempDir,
    /// The only file, where it is one that is a network by itself.
    pbf: Option<String>,
}

fn wrong(text: impl Into<String>) -> PlannerError {
    PlannerError::Upload(text.into())
}

fn disk(folder: &Path) -> impl Fn(io::Error) -> PlannerError + '_ {
    move |cause| PlannerError::File { path: folder.to_owned(), cause }
}

/// Receives all pieces.
///
/// # Errors
/// When a name is none, pieces are out of order, it is too much, or the sender breaks off.
pub(super) async fn receive(
    mut pieces: Streaming<ImportNetworkRequest>,
) -> Result<Upload, PlannerError> {
    let folder = tempfile::tempdir().map_err(disk(&std::env::temp_dir()))?;
    let mut files: Vec<String> = Vec::new();
    let mut open: Option<File> = None;
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|status| wrong(format!("broken off: {}", status.message())))?;
        bytes += piece.piece.len();
        if bytes > MAX_BYTES {
            return Err(wrong(format!("more than {MAX_BYTES} bytes")));
        }
        if files.last() != Some(&piece.file) {
            check_name(&piece.file, &files)?;
            if let Some(mut done) = open.take() {
                done.flush().await.map_err(disk(folder.path()))?;
            }
            let path = folder.path().join(&piece.file);
            open = Some(File::create(&path).await.map_err(disk(&path))?);
            files.push(piece.file);
        }
        if let Some(file) = &mut open {
            file.write_all(&piece.piece).await.map_err(disk(folder.path()))?;
        }
    }
    if let Some(mut done) = open {
        done.flush().await.map_err(disk(folder.path()))?;
    }
    let pbf = files.iter().find(|name| is_pbf(name)).cloned();
    match (files.len(), &pbf) {
        (0, _) => Err(wrong("no file came")),
        (1, _) | (_, None) => Ok(Upload { folder, pbf }),
        (_, Some(name)) => Err(wrong(format!("{name} is a network by itself; send it alone"))),
    }
}

fn is_pbf(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "pbf")
}

fn check_name(name: &str, before: &[String]) -> Result<(), PlannerError> {
    let plain = name.len() <= 100
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_table = Path::new(name).extension().is_some_and(|extension| extension == "csv");
    if !plain || !(is_table || is_pbf(name)) {
        return Err(wrong(format!(
            "file: {name:?} is not allowed; allowed: the tables of GMNS such as link.csv, or one \
             .osm.pbf"
        )));
    }
    if before.iter().any(|other| other == name) {
        return Err(wrong(format!("file: the pieces of {name} do not come in a row")));
    }
    if before.len() >= MAX_FILES {
        return Err(wrong(format!("more than {MAX_FILES} files")));
    }
    Ok(())
}

impl Upload {
    /// Reads the network.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(&self) -> Result<Import, PlannerError> {
        let path = self.folder.path();
        let path = self.pbf.as_ref().map_or_else(|| path.to_owned(), |name| path.join(name));
        network::read(&path, &mut |_done| ()).map_err(PlannerError::Import)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_of_known_files_are_taken() {
        let before = ["node.csv".to_owned()];
        for name in ["link.csv", "city.osm.pbf", "use_definition.csv"] {
            assert!(check_name(name, &before).is_ok(), "{name}");
        }
        for name in ["", "../link.csv", "/etc/passwd", ".csv", "link.txt", "a b.csv", "node.csv"] {
            assert!(check_name(name, &before).is_err(), "{name}");
        }
        let many: Vec<String> = (0..MAX_FILES).map(|n| format!("{n}.csv")).collect();
        assert!(check_name("link.csv", &many).is_err());
    }
}
