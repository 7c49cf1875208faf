//! The entry points of the fuzz targets hold for a small corpus: the seeds beside them, each one
//! also cut short and with single bytes changed. The long runs are cargo-fuzz's.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "all of it is tests; the entries are shared with the fuzz targets"
)]

#[path = "../fuzz/entries.rs"]
mod entries;

use std::fs;
use std::path::Path;

fn check(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut seeds = 0;
    for file in fs::read_dir(folder).unwrap() {
        let seed = fs::read(file.unwrap().path()).unwrap();
        seeds += 1;
        entry(&seed);
        for at in 0..seed.len() {
            entry(&seed[..at]);
            for change in [1, 0x20, 0x80, 0xFF] {
                let mut changed = seed.clone();
                changed[at] ^= change;
                entry(&changed);
            }
        }
    }
    assert!(seeds > 0, "no seeds for {target}");
}

#[test]
fn protobuf() {
    check("decode_protobuf", entries::decode_protobuf);
}

#[test]
fn json() {
    check("decode_json", entries::decode_json);
}

#[test]
fn frames() {
    check("log_frame", entries::log_frame);
}
