//! The table of dead letters: messages that could not be taken, in order of arrival.
//!
//! Columns: `epoch`, `reason`, `detail`, `topic`, `head` (the first bytes of the payload),
//! `payload_bytes` (its whole length).

use citytwin_core::frame::DeadLetter;
use citytwin_core::time::Epoch;
use parquet::errors::ParquetError;

use super::columns::{self, Columns, File, Kind};

const COLUMNS: &Columns = &[
    ("epoch", Kind::Number),
    ("reason", Kind::Name),
    ("detail", Kind::Text),
    ("topic", Kind::Text),
    ("head", Kind::Bytes),
    ("payload_bytes", Kind::Number),
];

/// Dead letters that wait for the cut.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    rows: Vec<(Epoch, DeadLetter)>,
    bytes: usize,
}

impl DeadLetters {
    /// What they take in memory.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, epoch: Epoch, letter: &DeadLetter) {
        self.bytes += size_of::<(Epoch, DeadLetter)>()
            + letter.detail.len()
            + letter.topic.len()
            + letter.head.len();
        self.rows.push((epoch, letter.clone()));
    }

    /// All rows as a Parquet file, or nothing when there are none; begins anew.
    pub(super) fn encode(&mut self) -> Result<Option<Vec<u8>>, ParquetError> {
        let all = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if all.is_empty() {
            return Ok(None);
        }
        let rows = || all.iter().map(|(_, letter)| letter);
        let mut file = File::new(COLUMNS);
        file.push(vec![
            columns::numbers(all.iter().map(|(epoch, _)| epoch.number())),
            columns::repeated(rows().map(|letter| letter.reason.name())),
            columns::texts(rows().map(|letter| letter.detail.as_str())),
            columns::texts(rows().map(|letter| letter.topic.as_str())),
            columns::bytes(rows().map(|letter| letter.head.as_slice())),
            columns::numbers(rows().map(|letter| letter.payload_bytes)),
        ])?;
        file.finish()
    }
}
