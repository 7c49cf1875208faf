//! Opaque tokens. A resume token is 20 bytes in hexadecimal: the data folder's id (8), the
//! fingerprint of the watch (4: area, resolution, filters), the epoch (8), all big-endian. So a
//! token can be told from one of another engine, and from one of another question, either of
//! which would leave a gap that nobody sees. A page token is the last sensor id of its page.

use std::path::Path;

use citytwin_core::sensor::SensorKey;
use citytwin_core::time::{ArrivalTime, Epoch};
use thiserror::Error;

/// FNV-1a, 64 bits: stable over builds and machines, as tokens outlive both.
#[derive(Debug)]
pub struct Fingerprint;

impl Fingerprint {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }
}

/// Which data folder: epochs of two folders have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderId(u64);

impl FolderId {
    /// With this number.
    pub const fn new(number: u64) -> FolderId {
        FolderId(number)
    }

    /// Of a data folder: read from its file `folder-id`, or made from path, time and process when
    /// there is none yet. The folder must exist and be locked by us.
    ///
    /// # Errors
    /// When the file can neither be read nor written, or holds something else.
    pub fn of_folder(dir: &Path, now: ArrivalTime) -> std::io::Result<FolderId> {
        let path = dir.join("folder-id");
        match std::fs::read_to_string(&path) {
            Ok(text) => u64::from_str_radix(text.trim(), 16).map(FolderId).map_err(|error| {
                let what = format!("{}: {text:?} is no folder id ({error})", path.display());
                std::io::Error::new(std::io::ErrorKind::InvalidData, what)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let seed = format!("{} {} {}", dir.display(), now.ms(), std::process::id());
                let id = Fingerprint::of(seed.as_bytes());
                let new = dir.join("folder-id.new");
                std::fs::write(&new, format!("{}\n", FolderId(id)))?;
                std::fs::File::open(&new)?.sync_all()?;
                std::fs::rename(&new, &path)?;
                std::fs::File::open(dir)?.sync_all()?;
                Ok(FolderId(id))
            }
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Display for FolderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a watch may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    /// In which folder's epochs.
    pub folder: FolderId,
    /// Of which watch.
    pub watch: u32,
    /// After which epoch.
    pub epoch: Epoch,
}

/// A text that is no token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a token of this API; allowed: one from an earlier answer, unchanged")]
pub struct TokenError(String);

const HEX_DIGITS: usize = 40;

impl ResumeToken {
    /// As text.
    pub fn encode(self) -> String {
        format!("{:016x}{:08x}{:016x}", self.folder.0, self.watch, self.epoch.number())
    }

    /// From text.
    ///
    /// # Errors
    /// When it is not one.
    pub fn decode(text: &str) -> Result<ResumeToken, TokenError> {
        let wrong = || TokenError(text.chars().take(100).collect());
        let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != HEX_DIGITS || !lower {
            return Err(wrong());
        }
        let number = |part: Option<&str>| {
            part.and_then(|part| u64::from_str_radix(part, 16).ok()).ok_or_else(wrong)
        };
        let watch = u32::try_from(number(text.get(16..24))?).ok().ok_or_else(wrong)?;
        Ok(ResumeToken {
            folder: FolderId(number(text.get(..16))?),
            watch,
            epoch: Epoch::new(number(text.get(24..))?),
        })
    }
}

/// The sensor after which a page begins; `None`: the first page.
///
/// # Errors
/// When the token is not one.
pub fn page(token: &str) -> Result<Option<SensorKey>, TokenError> {
    if token.is_empty() {
        return Ok(None);
    }
    SensorKey::parse(token)
        .map(Some)
        .map_err(|_not_a_key| TokenError(token.chars().take(100).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_others_are_refused() {
        let token = ResumeToken {
            folder: FolderId::new(u64::MAX - 1),
            watch: 7,
            epoch: Epoch::new(17_000_000_000),
        };
        assert_eq!(ResumeToken::decode(&token.encode()), Ok(token));
        let good = token.encode();
        let long = format!("{good}0");
        for bad in [
            "x",
            good.trim_start_matches('f'),
            &long,
            &good.replace('f', "g"),
            &good.to_uppercase(),
            "đđđđ",
        ] {
            assert!(ResumeToken::decode(bad).is_err(), "{bad}");
        }
        assert_eq!(page("").unwrap(), None);
        assert_eq!(page("a/b").unwrap().unwrap().as_str(), "a/b");
        assert!(page("a").is_err());
    }

    #[test]
    fn a_folder_keeps_its_id_and_others_have_another() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = ArrivalTime::from_ms(1);
        let id = FolderId::of_folder(a.path(), now).unwrap();
        assert_eq!(FolderId::of_folder(a.path(), ArrivalTime::from_ms(2)).unwrap(), id);
        assert_ne!(FolderId::of_folder(b.path(), now).unwrap(), id);
        std::fs::write(a.path().join("folder-id"), "nonsense").unwrap();
        let error = FolderId::of_folder(a.path(), now).unwrap_err().to_string();
        assert!(error.contains("\"nonsense\" is no folder id"), "{error}");
    }
}
