//! Where a file lies and what it is called: a function of the epochs it holds and nothing else.
//!
//! ```text
//! archive/readings/date=2026-11-22/readings-{first}-{last}.parquet             by arrival, UTC
//! archive/readings/date=2026-11-22/readings-{first}-{last}.merged.parquet      compacted
//! dead-letters/date=2026-11-22/dead-letters-{first}-{last}.parquet
//! ```
//!
//! All files of a table lie equally deep: readers of partitioned folders ask for that.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use citytwin_core::time::{EPOCH_MS, Epoch};

use super::cell_windows::CellWindowRows;
use super::columns::{self, Columns};
use super::dead_letters::DeadLetterRows;
use super::readings::ReadingRows;
use super::refusals::RefusalRows;
use super::sensors::SensorRows;
use super::waiting::Rows as _;
use super::windows::WindowRows;

/// Epochs in one hour of arrival time.
const EPOCHS_PER_HOUR: u64 = 3_600_000 / EPOCH_MS.unsigned_abs();
/// In the name of a compacted file.
const MERGED: &str = ".merged";
const EPOCHS_PER_DAY: u64 = 24 * EPOCHS_PER_HOUR;

/// One hour of arrival time, counted from the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour(u64);

/// A table of the archive: the files of one kind, and the rows that wait for the next of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row for each reading that was applied.
    Readings,
    /// One row for each publication of a window of one sensor and quantity.
    Windows,
    /// One row for each publication of a window of one H3 cell and quantity.
    CellWindows,
    /// One row for each registration or change of description.
    Sensors,
    /// One row for each reading that does not count.
    Refusals,
    /// One row for each message that could not be taken.
    DeadLetters,
}

impl Table {
    /// All of them, in the order of their numbers.
    pub const ALL: [Table; 6] = [
        Table::Readings,
        Table::Windows,
        Table::CellWindows,
        Table::Sensors,
        Table::Refusals,
        Table::DeadLetters,
    ];

    /// Its name, as in the names of its files: `dead-letters` with a hyphen.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Readings => "readings",
            Table::Windows => "windows",
            Table::CellWindows => "cell_windows",
            Table::Sensors => "sensors",
            Table::Refusals => "refusals",
            Table::DeadLetters => "dead-letters",
        }
    }

    /// The schema of its files, as the Arrow reader gives them.
    pub fn schema(self) -> SchemaRef {
        columns::schema(self.columns())
    }

    /// How its columns are stored.
    pub(super) const fn columns(self) -> &'static Columns {
        match self {
            Table::Readings => ReadingRows::COLUMNS,
            Table::Windows => WindowRows::COLUMNS,
            Table::CellWindows => CellWindowRows::COLUMNS,
            Table::Sensors => SensorRows::COLUMNS,
            Table::Refusals => RefusalRows::COLUMNS,
            Table::DeadLetters => DeadLetterRows::COLUMNS,
        }
    }

    /// What its rows of one hour of arrival are sorted by; of windows that are not compacted, within
    /// each row group only. The hours of a file come one after the other.
    pub(super) const fn order(self) -> &'static [&'static str] {
        match self {
            Table::Readings | Table::Refusals => &["cell", "sensor", "event_time", "quantity"],
            Table::Windows => &["cell", "sensor", "window_start", "quantity", "revision"],
            Table::CellWindows => &["cell", "window_start", "quantity", "revision"],
            Table::Sensors | Table::DeadLetters => &["epoch"],
        }
    }

    /// Whether a file of this path is sorted in each row group by itself and not as a whole.
    pub(super) fn has_sorted_groups(self, path: &Path) -> bool {
        matches!(self, Table::Windows | Table::CellWindows) && !is_compacted(path)
    }

    /// The column that says when something was measured.
    pub(super) const fn time_column(self) -> Option<&'static str> {
        match self {
            Table::Readings | Table::Refusals => Some("event_time"),
            Table::Windows | Table::CellWindows => Some("window_start"),
            Table::Sensors | Table::DeadLetters => None,
        }
    }

    /// The table and the epochs of a file below the data folder; nothing if it is not ours.
    pub(super) fn parse(path: &Path) -> Option<(Table, (Epoch, Epoch))> {
        let name = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
        let name = name.strip_suffix(MERGED).unwrap_or(name);
        let mut parts = name.rsplitn(3, '-');
        let mut epoch = || parts.next()?.parse().ok().map(Epoch::new);
        let (last, first) = (epoch()?, epoch()?);
        let table = parts.next()?;
        let table = Table::ALL.into_iter().find(|known| known.name() == table)?;
        (first <= last && path.starts_with(table.folder())).then_some((table, (first, last)))
    }

    /// The folder of its files, below the data folder.
    pub(super) fn folder(self) -> PathBuf {
        match self {
            Table::DeadLetters => PathBuf::from(self.name()),
            Table::Readings
            | Table::Windows
            | Table::CellWindows
            | Table::Sensors
            | Table::Refusals => Path::new("archive").join(self.name()),
        }
    }

    /// Its compacted file for the epochs from `first` to `last`, both of one day, below the data
    /// folder.
    pub(super) fn compacted(self, first: Epoch, last: Epoch) -> PathBuf {
        self.folder_of(last).join(format!("{}-{first}-{last}{MERGED}.parquet", self.name()))
    }

    /// Its file for the epochs from `first` to `last`, both of one hour, below the data folder.
    pub(super) fn file(self, first: Epoch, last: Epoch) -> PathBuf {
        self.folder_of(last).join(format!("{}-{first}-{last}.parquet", self.name()))
    }

    /// The folder of the day of an epoch.
    pub(super) fn folder_of(self, epoch: Epoch) -> PathBuf {
        self.folder().join(format!("date={}", date_of(epoch)))
    }
}

/// Whether a file was made by compaction.
pub(super) fn is_compacted(path: &Path) -> bool {
    let name = path.file_stem().and_then(std::ffi::OsStr::to_str);
    name.is_some_and(|name| name.ends_with(MERGED))
}

/// The day of arrival time, UTC, counted from the Unix epoch.
pub(super) const fn day_of(epoch: Epoch) -> u64 {
    epoch.number() / EPOCHS_PER_DAY
}

/// The first epoch of a day.
pub(super) const fn begin_of(day: u64) -> Epoch {
    Epoch::new(day.saturating_mul(EPOCHS_PER_DAY))
}

impl Hour {
    pub(super) const fn of(epoch: Epoch) -> Hour {
        Hour(epoch.number() / EPOCHS_PER_HOUR)
    }

    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// The day of arrival, UTC, as `YYYY-MM-DD` in the proleptic Gregorian calendar: Howard Hinnant's
/// `civil_from_days`, for days since 1970 that are never negative.
pub(super) fn date_of(epoch: Epoch) -> String {
    let days = day_of(epoch) + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use citytwin_core::time::ArrivalTime;

    use super::*;

    fn check(arrival_ms: i64, expected: &str) {
        let epoch = Epoch::of(ArrivalTime::from_ms(arrival_ms));
        let path = Table::Readings.file(epoch, epoch);
        let expected = format!("archive/readings/{expected}/readings-{epoch}-{epoch}.parquet");
        assert_eq!(path.to_str(), Some(expected.as_str()));
        for table in Table::ALL {
            let later = Epoch::new(epoch.number() + 7);
            assert_eq!(Table::parse(&table.file(epoch, later)), Some((table, (epoch, later))));
        }
    }

    #[test]
    fn other_files_are_not_ours() {
        for other in [
            "archive/readings/notes.txt",
            "archive/readings/readings-5-4.parquet",
            "archive/readings/readings-5.parquet",
            "archive/readings/readings--5-6.parquet",
            "archive/windows/readings-5-6.parquet",
            "archive/readings/copy of readings-5-6.parquet",
        ] {
            assert_eq!(Table::parse(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn an_epoch_lies_in_its_day_of_utc() {
        check(0, "date=1970-01-01");
        check(951_782_399_999, "date=2000-02-28");
        check(951_782_400_000, "date=2000-02-29");
        check(1_709_251_199_000, "date=2024-02-29");
        check(1_767_225_599_999, "date=2025-12-31");
        check(1_767_225_600_000, "date=2026-01-01");
        check(4_107_542_400_000, "date=2100-03-01");
    }

    #[test]
    fn dead_letters_lie_by_date() {
        let file = Table::DeadLetters.file(Epoch::new(3), Epoch::new(9));
        assert_eq!(file.to_str(), Some("dead-letters/date=1970-01-01/dead-letters-3-9.parquet"));
    }
}
