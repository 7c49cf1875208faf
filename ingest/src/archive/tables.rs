//! What waits for the cut, all tables: each with the first epoch that its next file covers.

use std::sync::Arc;

use citytwin_core::dataflow::ClosedEpoch;
use citytwin_core::sensor::SensorIndex;
use citytwin_core::time::Epoch;

use super::cell_windows::CellWindowRows;
use super::dead_letters::DeadLetterRows;
use super::error::ArchiveError;
use super::partition::Table;
use super::places::{Place, Places};
use super::readings::ReadingRows;
use super::refusals::RefusalRows;
use super::sensors::SensorRows;
use super::waiting::{Buffer, Buffered, Encoded, Waits, Wording};
use super::windows::WindowRows;

/// How much of one table may wait in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// Rows that are not packed.
    pub(super) rows: usize,
    /// Bytes of packed rows; of dead letters as they came.
    pub(super) bytes: usize,
}

/// By table. Cuts of the log come earlier than these limits in ordinary use; they are what holds
/// when a setting or a flood would have it otherwise. Where early files end depends on them: with
/// other limits, a replay writes other files.
pub(super) const LIMITS: [Limit; Table::ALL.len()] = [
    Limit { rows: 1_048_576, bytes: usize::MAX },
    Limit { rows: usize::MAX, bytes: 32 << 20 },
    Limit { rows: usize::MAX, bytes: 32 << 20 },
    Limit { rows: 200_000, bytes: usize::MAX },
    Limit { rows: 524_288, bytes: usize::MAX },
    Limit { rows: usize::MAX, bytes: 16 << 20 },
];

/// Rows that are in no file.
#[derive(Debug)]
pub(super) struct Tables {
    window_ms: u32,
    limits: [Limit; Table::ALL.len()],
    places: Places,
    readings: Buffer<ReadingRows>,
    windows: Buffer<WindowRows>,
    cell_windows: Buffer<CellWindowRows>,
    sensors: Buffer<SensorRows>,
    refusals: Buffer<RefusalRows>,
    dead_letters: Buffer<DeadLetterRows>,
    /// By table.
    first: [Option<Epoch>; Table::ALL.len()],
}

impl Tables {
    pub(super) fn new(window_ms: u32) -> Tables {
        Tables {
            window_ms,
            limits: LIMITS,
            places: Places::default(),
            readings: Buffer::default(),
            windows: Buffer::default(),
            cell_windows: Buffer::default(),
            sensors: Buffer::default(),
            refusals: Buffer::default(),
            dead_letters: Buffer::default(),
            first: [None; Table::ALL.len()],
        }
    }

    #[cfg(test)]
    pub(super) fn set_limits(&mut self, limit: Limit) {
        self.limits = [limit; Table::ALL.len()];
    }

    /// Takes the rows of one epoch. What is said of sensors in it holds for its readings, too.
    pub(super) fn push(&mut self, epoch: Epoch, closed: &ClosedEpoch) {
        for first in &mut self.first {
            first.get_or_insert(epoch);
        }
        let places = &mut self.places;
        for change in &closed.sensors {
            places.settle(change.index, Place::of(&change.key, &change.description));
        }
        let describe = |sensor: SensorIndex| {
            let record = closed.snapshot.sensors.get(sensor)?;
            Some(Place::of(&record.key, &record.description))
        };
        let mut place = |sensor: SensorIndex| places.number(sensor, &describe);
        self.readings.push(ReadingRows::of(epoch, &closed.readings, &mut place));
        self.refusals.push(RefusalRows::of(epoch, &closed.refusals, &mut place));
        self.windows.push(WindowRows::of(&closed.windows, &mut place));
        self.cell_windows.push(CellWindowRows::of(&closed.cell_windows));
        self.sensors.push(SensorRows::of(epoch, &closed.sensors));
        self.dead_letters.push(DeadLetterRows::of(epoch, &closed.dead_letters));
    }

    /// Packs what is worth it. Called between epochs, so that where a row group ends does not
    /// depend on how the epochs were handed over.
    pub(super) fn pack(&mut self) -> Result<(), ArchiveError> {
        let wording = self.wording();
        for table in Table::ALL {
            let packed = self.buffer(table).pack(&wording);
            packed.map_err(|source| ArchiveError::Encode { table: table.name(), source })?;
        }
        Ok(())
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&mut self, table: Table) -> bool {
        let limit = self.limits[table as usize];
        let buffer = self.buffer(table);
        buffer.loose_rows() >= limit.rows || buffer.bytes() >= limit.bytes
    }

    /// Ends the table's file with `last`; nothing when it has no rows.
    pub(super) fn encode(
        &mut self,
        table: Table,
        last: Epoch,
    ) -> Result<Option<Encoded>, ArchiveError> {
        let Some(first) = self.first[table as usize].take() else { return Ok(None) };
        let wording = self.wording();
        let buffer = self.buffer(table);
        let Some(rows) = buffer.show(&wording) else { return Ok(None) };
        let bytes = buffer
            .encode(&wording)
            .map_err(|source| ArchiveError::Encode { table: table.name(), source })?;
        Ok(bytes.map(|bytes| Encoded { table, first, last, bytes, rows }))
    }

    /// What waits of a table, shared; nothing when it has no rows.
    pub(super) fn show(&mut self, table: Table) -> Option<Arc<dyn Waits>> {
        let wording = self.wording();
        self.buffer(table).show(&wording)
    }

    /// Forgets where sensors once stood. Only when no rows wait.
    pub(super) fn forget_former_places(&mut self) {
        self.places.forget_former();
    }

    fn wording(&self) -> Wording {
        Wording { window_ms: self.window_ms, places: self.places.list() }
    }

    fn buffer(&mut self, table: Table) -> &mut dyn Buffered {
        match table {
            Table::Readings => &mut self.readings,
            Table::Windows => &mut self.windows,
            Table::CellWindows => &mut self.cell_windows,
            Table::Sensors => &mut self.sensors,
            Table::Refusals => &mut self.refusals,
            Table::DeadLetters => &mut self.dead_letters,
        }
    }
}
