//! A full disk, on a small file system of the test's own: the twin stops acknowledging and says so,
//! goes on by itself when space returns, and has lost nothing. Skipped where nothing may be mounted.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use citytwin_simulators::verdict::{Completeness, verify_archive};

use crate::api::Api;
use crate::process::{Server, text};
use crate::{fleets, foreign};

/// Room for the log and the archive of the run.
const SIZE: &str = "size=32m";
/// Looks at a twin whose disk stays full; each lasts about 0.2 s, and the log tries every second.
const LOOKS: u32 = 10;

/// A file system in memory, unmounted when dropped.
struct Disk<'a>(&'a Path);

impl Disk<'_> {
    fn mount(at: &Path) -> Option<Disk<'_>> {
        let mut mount = Command::new("mount");
        let made = mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs", text(at)]).output();
        if made.is_ok_and(|made| made.status.success()) {
            return Some(Disk(at));
        }
        foreign::skipped("a full disk: no small file system may be mounted here");
        None
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: a killed server may not have closed its files yet.
        drop(Command::new("umount").args(["-l", text(self.0)]).output());
    }
}

/// Writes a file until nothing more fits.
fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    for block in [1 << 16, 1 << 12, 1] {
        let error = loop {
            if let Err(error) = ballast.write_all(&vec![0; block]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }
}

#[test]
fn a_full_disk_stops_acknowledgements_until_space_returns() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path()) else { return };
    let data = disk.0.join("twin");
    let ballast = disk.0.join("ballast");
    let mut server = Server::start(&data, &["--set", "archive.every=24h"]);
    let api = Api::of(&server.grpc);
    let mut options = fleets::options(&server.mqtt, &server.grpc);
    let progress = Arc::clone(&options.progress);
    options.publish.drain = std::time::Duration::from_secs(60);
    let run = fleets::start(&fleets::spec(200, 12), options);
    api.until_received(1_000);

    fill(&ballast);
    api.until("DISK_FULL", |status| status.state == "DISK_FULL");
    let acknowledged = progress.glance().messages_acked;
    let looks = Cell::new(0);
    api.until("looked at for a while", |status| {
        assert_eq!(status.state, "DISK_FULL");
        looks.set(looks.get() + 1);
        looks.get() > LOOKS
    });
    let glance = progress.glance();
    assert_eq!(glance.messages_acked, acknowledged, "acknowledged with a full disk");
    assert!(glance.in_flight > 0, "{glance:?}");

    std::fs::remove_file(&ballast).unwrap();
    api.until("SERVING", |status| status.state == "SERVING");
    let finished = run.finish();
    fleets::passed(&finished);
    server.stop();
    let verdict = verify_archive(&data, &finished.proof, Completeness::Whole).unwrap();
    assert!(verdict.passed(), "{verdict}");
}
