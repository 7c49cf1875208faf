//! The state of the engine at a cut: everything a later run needs to go on as if it had never
//! stopped, byte for byte. It does not know how many workers wrote it; any number may read it.
//!
//! Taking it costs pointer copies: the tables of the workers are shared until they change. It is
//! brought into one order (by sensor and quantity) only when it is written or restored:
//!
//! ```text
//! epoch, newest event time, window length, snapshot
//! series    every series with the event times dedupe remembers
//! windows   by start: rows (series, revision, sums), and the sums of cells while it is open
//! roaming   sensors that have moved, and where their readings of live windows were counted
//! cells     by start: held rows per resolution
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::quantity::Quantity;
use crate::sensor::SensorIndex;
use crate::time::{Epoch, EventTime};
use crate::twin::Snapshot;

use super::cells::Partial;
use super::column::Column;
use super::packet::{PartialKey, TOP_RESOLUTION, ancestor, base_cell, worker_of};
use super::rollup::{CellRow, Held, Levels};
use super::row::Row;
use super::series::SeriesIndex;
use super::settings::Settings;
use super::times::Times;
use super::windows::Windows;

/// One worker's series at a cut.
#[derive(Clone, Debug)]
pub(super) struct SeriesPart {
    pub(super) times: Column<Times>,
    pub(super) windows: Windows,
}

/// The engine at a cut. A clone copies pointers.
#[derive(Clone)]
pub struct EngineState {
    /// The epoch through which frames are folded in.
    pub epoch: Epoch,
    newest: EventTime,
    window_ms: i64,
    snapshot: Arc<Snapshot>,
    form: Form,
}

#[derive(Clone)]
enum Form {
    /// As the workers had it.
    Live(Arc<Live>),
    /// In order.
    Ordered(Arc<Ordered>),
}

struct Live {
    series: Vec<SeriesPart>,
    cells: Vec<Held>,
}

/// The state in one order, as it is written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Ordered {
    series: Vec<StoredSeries>,
    windows: Vec<StoredWindow>,
    roaming: Vec<SensorIndex>,
    visits: Vec<StoredVisit>,
    cells: Vec<StoredCells>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StoredSeries {
    sensor: SensorIndex,
    quantity: Quantity,
    times: Times,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StoredWindow {
    start: i64,
    rows: Vec<StoredRow>,
    cells: Vec<(PartialKey, Partial)>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StoredRow {
    /// Position among the state's series.
    series: u32,
    revision: u32,
    row: Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct StoredVisit {
    start: i64,
    /// Position among the state's series.
    series: u32,
    cell: PartialKey,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct StoredCells {
    start: i64,
    levels: Levels,
}

/// What one worker goes on from.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) index: SeriesIndex,
    pub(super) times: Column<Times>,
    pub(super) windows: Windows,
    pub(super) held: Held,
}

impl EngineState {
    pub(super) fn live(
        snapshot: Arc<Snapshot>,
        (newest, window_ms): (EventTime, i64),
        series: Vec<SeriesPart>,
        cells: Vec<Held>,
    ) -> EngineState {
        let form = Form::Live(Arc::new(Live { series, cells }));
        EngineState { epoch: snapshot.epoch, newest, window_ms, snapshot, form }
    }

    /// The twin at the cut.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Length of the windows in it, milliseconds.
    pub fn window_ms(&self) -> i64 {
        self.window_ms
    }

    /// The newest credible event time so far; [`EventTime::MIN`] before the first.
    pub fn newest(&self) -> EventTime {
        self.newest
    }

    /// The state in one order; cheap when it was read from a file.
    pub(super) fn ordered(&self) -> Arc<Ordered> {
        match &self.form {
            Form::Live(live) => Arc::new(Sorter::new(live).ordered()),
            Form::Ordered(ordered) => Arc::clone(ordered),
        }
    }
}

impl Ordered {
    /// What belongs to one worker.
    pub(super) fn share(&self, settings: &Settings, snapshot: &Snapshot, worker: u64) -> Share {
        let workers = settings.workers;
        let home = |sensor| snapshot.sensors.home(sensor).expect("the state's sensors are known");
        let mine = |sensor| worker_of(home(sensor), workers) == worker;
        let mut windows = Windows::new(settings, snapshot.watermark);
        for (sensor, registered) in snapshot.sensors.iter().filter(|(sensor, _)| mine(*sensor)) {
            let cell = base_cell(registered.description.position);
            windows.cells.place(sensor, registered.home, cell);
        }
        let mut times = Column::new();
        let numbers: Vec<Option<u32>> = self
            .series
            .iter()
            .map(|series| {
                mine(series.sensor).then(|| {
                    let number = windows.index.number(series.sensor, series.quantity);
                    *times.get_mut(number) = series.times.clone();
                    // Its cell, so that a sensor that moves next is known to have been here.
                    windows.cells.number(number, series.sensor, series.quantity);
                    number
                })
            })
            .collect();
        self.restore_windows(&mut windows, &numbers, |key| worker_of(key.home, workers) == worker);
        for sensor in self.roaming.iter().copied().filter(|sensor| mine(*sensor)) {
            windows.cells.roam(sensor);
        }
        for visit in &self.visits {
            if let Some(series) = numbers[visit.series as usize] {
                let cell = windows.cells.number_of_key(visit.cell);
                windows.cells.visit((visit.start, series, cell));
            }
        }
        let held =
            self.held(|row| worker_of(ancestor(row.cell, TOP_RESOLUTION), workers) == worker);
        Share { index: windows.index.clone(), times, windows, held }
    }

    /// That numbers point at something.
    fn check(&self, snapshot: &Snapshot) -> Result<(), &'static str> {
        let series = |position: u32| (position as usize) < self.series.len();
        if !self.series.iter().all(|one| snapshot.sensors.get(one.sensor).is_some()) {
            return Err("a series of an unknown sensor");
        }
        let mut rows = self.windows.iter().flat_map(|window| &window.rows);
        if !rows.all(|row| series(row.series)) {
            return Err("a window row of an unknown series");
        }
        if !self.visits.iter().all(|visit| series(visit.series)) {
            return Err("a visit of an unknown series");
        }
        if !self.roaming.iter().all(|sensor| snapshot.sensors.get(*sensor).is_some()) {
            return Err("a roaming sensor that is unknown");
        }
        Ok(())
    }

    fn restore_windows(
        &self,
        windows: &mut Windows,
        numbers: &[Option<u32>],
        mine: impl Fn(&PartialKey) -> bool,
    ) {
        for stored in &self.windows {
            for StoredRow { series, revision, row } in &stored.rows {
                if let Some(series) = numbers[*series as usize] {
                    let window = windows.window(stored.start);
                    *window.rows.get_mut(series) = *row;
                    if *revision > 0 {
                        window.revisions.insert(series, *revision);
                    }
                }
            }
            for (key, partial) in stored.cells.iter().filter(|(key, _)| mine(key)) {
                let number = windows.cells.number_of_key(*key);
                *windows.window(stored.start).cells.get_mut(number) = partial.clone();
            }
        }
    }

    fn held(&self, mine: impl Fn(&CellRow) -> bool) -> Held {
        let mut held = Held::new();
        for stored in &self.cells {
            let levels = stored
                .levels
                .each_ref()
                .map(|rows| rows.iter().filter(|row| mine(row)).cloned().collect::<Vec<_>>());
            if !levels[0].is_empty() {
                held.insert(stored.start, Arc::new(levels));
            }
        }
        held
    }
}

/// Brings the tables of several workers into one order.
struct Sorter<'a> {
    live: &'a Live,
    /// Worker and number of each series, by sensor and quantity.
    order: Vec<(usize, u32)>,
    /// By worker and number: the position in `order`.
    positions: Vec<Vec<u32>>,
}

impl<'a> Sorter<'a> {
    fn new(live: &'a Live) -> Sorter<'a> {
        let mut keyed = Vec::new();
        for (worker, part) in live.series.iter().enumerate() {
            keyed.extend((0..).zip(part.windows.index.keys()).map(|(n, key)| (key, worker, n)));
        }
        keyed.sort_unstable();
        let mut positions: Vec<Vec<u32>> =
            live.series.iter().map(|part| vec![0; part.windows.index.len() as usize]).collect();
        for (position, (_, worker, number)) in (0..).zip(&keyed) {
            positions[*worker][*number as usize] = position;
        }
        let order = keyed.into_iter().map(|(_, worker, number)| (worker, number)).collect();
        Sorter { live, order, positions }
    }

    fn ordered(&self) -> Ordered {
        Ordered {
            series: self.order.iter().map(|at| self.series(*at)).collect(),
            windows: self.starts().into_iter().map(|start| self.window(start)).collect(),
            roaming: self.roaming(),
            visits: self.visits(),
            cells: self.cell_starts().into_iter().map(|start| self.cells(start)).collect(),
        }
    }

    fn series(&self, (worker, number): (usize, u32)) -> StoredSeries {
        let part = &self.live.series[worker];
        let (sensor, quantity) = part.windows.index.key(number);
        let times = part.times.get(number).cloned().unwrap_or_default();
        StoredSeries { sensor, quantity, times }
    }

    fn starts(&self) -> Vec<i64> {
        let parts = self.live.series.iter();
        let starts: BTreeSet<i64> =
            parts.flat_map(|part| part.windows.live.keys().copied()).collect();
        starts.into_iter().collect()
    }

    fn window(&self, start: i64) -> StoredWindow {
        let windows: Vec<_> =
            self.live.series.iter().map(|part| part.windows.live.get(&start)).collect();
        let mut rows = Vec::new();
        for (series, (worker, number)) in (0..).zip(&self.order) {
            let Some(window) = windows[*worker] else { continue };
            if let Some(row) = window.rows.get(*number).filter(|row| row.count > 0) {
                let revision = window.revisions.get(number).copied().unwrap_or(0);
                rows.push(StoredRow { series, revision, row: *row });
            }
        }
        let mut cells = Vec::new();
        for (part, window) in self.live.series.iter().zip(windows) {
            let partials = window.into_iter().flat_map(|window| window.cells.iter());
            let filled = partials.filter(|(_, partial)| partial.row.count > 0);
            cells.extend(filled.map(|(n, partial)| (part.windows.cells.key(n), partial.clone())));
        }
        cells.sort_unstable_by_key(|(key, _)| *key);
        StoredWindow { start, rows, cells }
    }

    fn roaming(&self) -> Vec<SensorIndex> {
        let parts = self.live.series.iter();
        let mut roaming: Vec<_> = parts.flat_map(|part| part.windows.cells.roaming()).collect();
        roaming.sort_unstable();
        roaming
    }

    fn visits(&self) -> Vec<StoredVisit> {
        let mut visits = Vec::new();
        for (part, positions) in self.live.series.iter().zip(&self.positions) {
            let cells = &part.windows.cells;
            visits.extend(cells.visits().map(|(start, series, cell)| StoredVisit {
                start,
                series: positions[series as usize],
                cell: cells.key(cell),
            }));
        }
        visits.sort_unstable();
        visits
    }

    fn cell_starts(&self) -> Vec<i64> {
        let starts: BTreeSet<i64> =
            self.live.cells.iter().flat_map(|held| held.keys().copied()).collect();
        starts.into_iter().collect()
    }

    fn cells(&self, start: i64) -> StoredCells {
        let mut levels = Levels::default();
        for held in self.live.cells.iter().filter_map(|held| held.get(&start)) {
            for (all, rows) in levels.iter_mut().zip(held.iter()) {
                all.extend_from_slice(rows);
            }
        }
        for rows in &mut levels {
            rows.sort_by_key(CellRow::key);
        }
        StoredCells { start, levels }
    }
}

/// A sequence that is made while it is written.
struct Each<'a, T, F>(&'a [T], F);

impl<T: Copy, R: Serialize, F: Fn(T) -> R> Serialize for Each<'_, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| self.1(*item)))
    }
}

impl Serialize for EngineState {
    /// Windows are brought into order one by one: the whole is never in memory twice.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("EngineState", 9)?;
        out.serialize_field("epoch", &self.epoch)?;
        out.serialize_field("newest", &self.newest)?;
        out.serialize_field("window_ms", &self.window_ms)?;
        out.serialize_field("snapshot", &self.snapshot)?;
        match &self.form {
            Form::Live(live) => {
                let sorter = Sorter::new(live);
                out.serialize_field("series", &Each(&sorter.order, |at| sorter.series(at)))?;
                let starts = sorter.starts();
                out.serialize_field("windows", &Each(&starts, |start| sorter.window(start)))?;
                out.serialize_field("roaming", &sorter.roaming())?;
                out.serialize_field("visits", &sorter.visits())?;
                let starts = sorter.cell_starts();
                out.serialize_field("cells", &Each(&starts, |start| sorter.cells(start)))?;
            }
            Form::Ordered(ordered) => {
                out.serialize_field("series", &ordered.series)?;
                out.serialize_field("windows", &ordered.windows)?;
                out.serialize_field("roaming", &ordered.roaming)?;
                out.serialize_field("visits", &ordered.visits)?;
                out.serialize_field("cells", &ordered.cells)?;
            }
        }
        out.end()
    }
}

impl<'de> Deserialize<'de> for EngineState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EngineState, D::Error> {
        /// The fields as they are written.
        #[derive(Deserialize)]
        #[serde(rename = "EngineState")]
        struct Stored {
            epoch: Epoch,
            newest: EventTime,
            window_ms: i64,
            snapshot: Arc<Snapshot>,
            series: Vec<StoredSeries>,
            windows: Vec<StoredWindow>,
            roaming: Vec<SensorIndex>,
            visits: Vec<StoredVisit>,
            cells: Vec<StoredCells>,
        }
        let Stored { epoch, newest, window_ms, snapshot, series, windows, roaming, visits, cells } =
            Stored::deserialize(deserializer)?;
        let ordered = Ordered { series, windows, roaming, visits, cells };
        ordered.check(&snapshot).map_err(serde::de::Error::custom)?;
        let form = Form::Ordered(Arc::new(ordered));
        Ok(EngineState { epoch, newest, window_ms, snapshot, form })
    }
}

impl PartialEq for EngineState {
    fn eq(&self, other: &EngineState) -> bool {
        (self.epoch, self.newest, self.window_ms) == (other.epoch, other.newest, other.window_ms)
            && self.snapshot == other.snapshot
            && self.ordered() == other.ordered()
    }
}

impl fmt::Debug for EngineState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineState")
            .field("epoch", &self.epoch)
            .field("newest", &self.newest)
            .field("window_ms", &self.window_ms)
            .finish_non_exhaustive()
    }
}
