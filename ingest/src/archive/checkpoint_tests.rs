//! Checkpoints come back as they were, and damage of any kind is named and survived where the log
//! allows it.

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::sealed::COVERED_FROM;
use super::*;

fn folder_with(epochs: &[u64]) -> (TempDir, Folder) {
    let dir = TempDir::new().unwrap();
    let mut folder = Folder::open(dir.path()).unwrap();
    let mut before = None;
    for epoch in epochs {
        let epoch = Epoch::new(*epoch);
        let file = encode(epoch, &format!("state of {epoch}")).unwrap();
        assert_eq!(write(&mut folder, epoch, &file).unwrap(), before, "the log is kept for it");
        before = Some(epoch);
    }
    (dir, folder)
}

fn damage(folder: &Folder, epoch: u64, damage: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.path(&name(Epoch::new(epoch)));
    let mut bytes = fs::read(&path).unwrap();
    damage(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_newest_two_are_kept() {
    let (_dir, folder) = folder_with(&[5, 9, 100, 1_000]);
    assert_eq!(epochs(&folder).unwrap(), [Epoch::new(1_000), Epoch::new(100)]);
    let state: Option<String> = newest(&folder, None).unwrap();
    assert_eq!(state.as_deref(), Some("state of 1000"));
}

#[test]
fn no_checkpoint_is_a_fresh_start() {
    let (_dir, folder) = folder_with(&[]);
    assert_eq!(newest::<String>(&folder, Some(Epoch::new(7))).unwrap(), None);
}

#[test]
fn a_damaged_newest_falls_back_when_the_log_reaches_back() {
    let (_dir, folder) = folder_with(&[5, 9]);
    damage(&folder, 9, |bytes| bytes[40] ^= 1);
    for (oldest, expected) in [(Some(3), true), (Some(6), true), (Some(7), false), (None, false)] {
        let found = newest::<String>(&folder, oldest.map(Epoch::new));
        match found {
            Ok(state) => assert!(expected && state.as_deref() == Some("state of 5"), "{oldest:?}"),
            Err(error) => {
                assert!(!expected, "{oldest:?}");
                let text = error.to_string();
                assert!(text.contains("9.checkpoint is damaged (checksum differs)"), "{text}");
            }
        }
    }
}

#[test]
fn damage_is_named() {
    fn check(expected: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let (_dir, folder) = folder_with(&[9]);
        damage(&folder, 9, change);
        let error = newest::<String>(&folder, Some(Epoch::new(1))).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    check("torn: 0 bytes, 32 expected", Vec::clear);
    check("torn: 31 bytes, 32 expected", |bytes| bytes.truncate(31));
    check("torn: 42 bytes, 43 expected", |bytes| bytes.truncate(42));
    check("torn: 44 bytes, 43 expected", |bytes| bytes.push(0));
    check("not a checkpoint", |bytes| bytes[0] = b'X');
    check("format 2, this citytwin reads format 1", |bytes| bytes[8] = 2);
    check("checksum differs", |bytes| bytes[16] = 8);
    check("does not decode", |bytes| {
        bytes[32] = 200;
        let crc = crc32fast::hash(&bytes[COVERED_FROM..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    });
}

#[test]
fn a_renamed_checkpoint_is_not_believed() {
    let (dir, folder) = folder_with(&[9]);
    let checkpoints = dir.path().join("checkpoint");
    fs::rename(checkpoints.join("9.checkpoint"), checkpoints.join("12.checkpoint")).unwrap();
    let error = newest::<String>(&folder, None).unwrap_err().to_string();
    assert!(error.contains("holds epoch 9, named after epoch 12"), "{error}");
}

proptest! {
    #[test]
    fn no_flipped_bit_is_believed(at in 0_usize..40, bit in 0_u8..8) {
        let file = encode(Epoch::new(7), &[1_u64, 2, 3]).unwrap();
        let mut flipped = file.clone();
        let at = at % file.len();
        flipped[at] ^= 1 << bit;
        prop_assert_eq!(decode::<[u64; 3]>(Epoch::new(7), &file), Ok([1, 2, 3]));
        prop_assert!(decode::<[u64; 3]>(Epoch::new(7), &flipped).is_err());
    }
}
