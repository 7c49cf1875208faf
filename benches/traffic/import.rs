//! How long it takes until a file of roads is a checked network, on one core.
//!
//! Input: the extract of central Ho Chi Minh City (`DATA/hcmc`), and a town of a million ways that
//! is written here. Unit: seconds, the median of some runs; the file is in the system's cache.
//! Baseline: the same file read and unpacked twice, as the import reads it, and nothing made of it.

use std::path::Path;
use std::time::Instant;

use citytwin::network;

use crate::report::Report;
use crate::{machine, osm_file};

/// Junctions each way of the made-up town: so that it has just over a million ways.
const SIDE: i64 = 708;

pub(crate) fn run(data: &Path, report: &mut Report) {
    let center = data.join("hcmc/hcmc_center_20260327.osm.pbf");
    if center.exists() {
        measure("central HCMC", &center, 5, report);
    } else {
        report.note(&format!("No such file: {}", center.display()));
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder of our own");
    let town = folder.path().join("town.osm.pbf");
    osm_file::write(&town, SIDE).expect("the file can be written");
    measure(&format!("made-up town of {} ways", osm_file::ways(SIDE)), &town, 1, report);
}

fn measure(what: &str, path: &Path, runs: usize, report: &mut Report) {
    let megabytes = path.metadata().expect("it is there").len() as f64 / 1e6;
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    let mut size = (0, 0);
    for _ in 0..runs {
        bare.push(seconds(|| {
            for _ in 0..2 {
                std::hint::black_box(osm_file::unpack(path).expect("a sound file"));
            }
        }));
        whole.push(seconds(|| {
            let import = network::read(path, &mut |_| {}).expect("a file of roads");
            size = (import.network.links().len(), import.network.junctions().len());
        }));
    }
    let (bare, whole) = (machine::quantile(&mut bare, 0.5), machine::quantile(&mut whole, 0.5));
    let made = format!("{whole:.3} s, {} links, {} junctions", size.0, size.1);
    report.row(&format!("{what} ({megabytes:.1} MB): import"), &made);
    report.row(&format!("{what}: only unpacked"), &format!("{bare:.3} s"));
    let peak = machine::peak_mib(None);
    report.row(&format!("{what}: peak memory so far"), &format!("{peak:.0} MiB"));
}

fn seconds(mut what: impl FnMut()) -> f64 {
    let start = Instant::now();
    what();
    start.elapsed().as_secs_f64()
}
