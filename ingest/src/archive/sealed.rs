//! Files that tell by themselves whether they are whole, and for which epoch they were written:
//! checkpoints and keyframes.
//!
//! ```text
//!   0  8  magic
//!   8  4  version, u32 little-endian
//!  12  4  CRC-32 of everything behind it, u32 little-endian
//!  16  8  epoch, u64 little-endian
//!  24  8  length of the body, u64 little-endian
//!  32  …  note: as many bytes as the kind has, for whoever reads the head alone
//!   …  …  body
//! ```

use citytwin_core::time::Epoch;

use super::error::CheckpointProblem;

const HEAD_BYTES: usize = 32;
/// Where the bytes begin that the CRC covers.
pub(super) const COVERED_FROM: usize = 16;

/// One kind of such files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    pub(super) magic: [u8; 8],
    pub(super) version: u32,
    /// Bytes between head and body.
    pub(super) note_bytes: usize,
}

impl Seal {
    /// Where the body begins.
    pub(super) const fn body_from(&self) -> usize {
        HEAD_BYTES + self.note_bytes
    }

    /// A file whose body is to be appended.
    pub(super) fn begin(&self) -> Vec<u8> {
        vec![0; self.body_from()]
    }

    /// Fills in the head and the note of a file whose body is complete.
    pub(super) fn close(&self, epoch: Epoch, note: &[u8], file: &mut [u8]) {
        let body_bytes = (file.len() - self.body_from()) as u64;
        file[HEAD_BYTES..self.body_from()].copy_from_slice(note);
        file[..8].copy_from_slice(&self.magic);
        file[8..12].copy_from_slice(&self.version.to_le_bytes());
        file[16..24].copy_from_slice(&epoch.number().to_le_bytes());
        file[24..32].copy_from_slice(&body_bytes.to_le_bytes());
        let crc = crc32fast::hash(&file[COVERED_FROM..]);
        file[12..16].copy_from_slice(&crc.to_le_bytes());
    }

    /// The body of a file that is named after `epoch`.
    pub(super) fn open<'a>(
        &self,
        epoch: Epoch,
        file: &'a [u8],
    ) -> Result<&'a [u8], CheckpointProblem> {
        let found = file.len() as u64;
        self.check_head(file)?;
        let expected = u64_at(file, 24).saturating_add(self.body_from() as u64);
        if expected != found {
            return Err(CheckpointProblem::Torn { expected, found });
        }
        if crc32fast::hash(&file[COVERED_FROM..]) != u32_at(file, 12) {
            return Err(CheckpointProblem::Checksum);
        }
        check_epoch(epoch, file)?;
        Ok(&file[self.body_from()..])
    }

    /// That a file, of which at least everything before the body is given, is of this kind. What
    /// the CRC covers is not checked.
    pub(super) fn check_head(&self, file: &[u8]) -> Result<(), CheckpointProblem> {
        let (found, expected) = (file.len() as u64, self.body_from() as u64);
        if found < expected {
            return Err(CheckpointProblem::Torn { expected, found });
        }
        if file[..8] != self.magic {
            return Err(CheckpointProblem::Magic);
        }
        let version = u32_at(file, 8);
        if version != self.version {
            return Err(CheckpointProblem::Version { expected: self.version, found: version });
        }
        Ok(())
    }
}

/// That a file named after `epoch` is of that epoch.
pub(super) fn check_epoch(epoch: Epoch, file: &[u8]) -> Result<(), CheckpointProblem> {
    let found = Epoch::new(u64_at(file, 16));
    if found == epoch { Ok(()) } else { Err(CheckpointProblem::Epoch { expected: epoch, found }) }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
