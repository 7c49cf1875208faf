//! The table of dead letters: messages that could not be taken, in order of arrival.
//!
//! Columns: `epoch`, `reason`, `detail`, `topic`, `head` (the first bytes of the payload),
//! `payload_bytes` (its whole length).

use arrow::array::ArrayRef;
use citytwin_core::frame::DeadLetter;
use citytwin_core::time::Epoch;

use super::columns::{self, Columns, Kind};
use super::places::PlaceList;
use super::waiting::{Rows, Wording};

const COLUMNS: &Columns = &[
    ("epoch", Kind::Number),
    ("reason", Kind::Name),
    ("detail", Kind::Text),
    ("topic", Kind::Text),
    ("head", Kind::Bytes),
    ("payload_bytes", Kind::Number),
];

/// The dead letters of one epoch.
#[derive(Debug)]
pub(super) struct DeadLetterRows {
    epoch: Epoch,
    letters: Vec<DeadLetter>,
}

impl DeadLetterRows {
    pub(super) fn of(epoch: Epoch, letters: &[DeadLetter]) -> DeadLetterRows {
        DeadLetterRows { epoch, letters: letters.to_vec() }
    }
}

impl Rows for DeadLetterRows {
    const COLUMNS: &'static Columns = COLUMNS;

    type Row<'a> = (Epoch, &'a DeadLetter);

    fn rows(&self) -> impl ExactSizeIterator<Item = Self::Row<'_>> {
        self.letters.iter().map(|letter| (self.epoch, letter))
    }

    fn bytes(&self) -> usize {
        let texts =
            |letter: &DeadLetter| letter.detail.len() + letter.topic.len() + letter.head.len();
        self.letters.iter().map(|letter| size_of::<(Epoch, DeadLetter)>() + texts(letter)).sum()
    }

    fn sort(_rows: &mut Vec<Self::Row<'_>>, _places: &PlaceList) {}

    fn arrays(rows: &[Self::Row<'_>], _wording: &Wording) -> Vec<ArrayRef> {
        let epochs = rows.iter().map(|(epoch, _)| epoch.number());
        let rows = || rows.iter().map(|(_, letter)| *letter);
        vec![
            columns::numbers(epochs),
            columns::repeated(rows().map(|letter| letter.reason.name())),
            columns::texts(rows().map(|letter| letter.detail.as_str())),
            columns::texts(rows().map(|letter| letter.topic.as_str())),
            columns::bytes(rows().map(|letter| letter.head.as_slice())),
            columns::numbers(rows().map(|letter| letter.payload_bytes)),
        ]
    }
}
