//! Operator: sums applied readings up in tumbling windows of event time, per series and per cell.
//!
//! A window is *open* until the watermark passes its end, then published and *held* for the
//! revision horizon, then dropped. A late reading in a held window has the series' row published
//! again, one revision higher, when the epoch closes.
//!
//! Rows of a window are a [`Column`] by series number: 40 bytes a row, no search per reading, and
//! a checkpoint that copies pointers. Cell sums leave for the roll-up when their window closes;
//! from then on only what late readings add is sent after them.

use std::collections::BTreeMap;

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::reading::Reading;
use crate::time::{Epoch, EventTime};
use crate::window::WindowRow;

use super::cells::{Cells, Partial};
use super::closed::Lateness;
use super::column::Column;
use super::packet::{
    CellPartial, Close, Judgement, RollupCargo, RollupPacket, Settlement, Step, TOP_RESOLUTION,
    ancestor, base_cell, worker_of,
};
use super::publish::Tray;
use super::row::Row;
use super::series::SeriesIndex;
use super::settings::Settings;

/// One open or held window.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// By series.
    pub(super) rows: Column<Row>,
    /// Whether it has closed and its rows were published.
    pub(super) published: bool,
    /// By series: how often its row was published again.
    pub(super) revisions: BTreeMap<u32, u32>,
    /// By cell number, until it closes.
    pub(super) cells: Column<Partial>,
}

/// The windows of one worker's series.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    window_ms: i64,
    revision_horizon_ms: i64,
    workers: usize,
    watermark: EventTime,
    /// The same numbers as dedupe gives.
    pub(super) index: SeriesIndex,
    /// By start.
    pub(super) live: BTreeMap<i64, Window>,
    pub(super) cells: Cells,
    /// Of this epoch: revisions of rows in closed windows, by start and series.
    late_rows: BTreeMap<(i64, u32), u32>,
    /// Of this epoch: what late readings add to closed windows, by start and cell number.
    late_cells: BTreeMap<(i64, u32), Partial>,
    /// Series numbers by sensor and quantity.
    order: Vec<u32>,
}

impl Windows {
    /// No windows yet.
    pub(super) fn new(settings: &Settings, watermark: EventTime) -> Windows {
        Windows {
            window_ms: settings.window_ms,
            revision_horizon_ms: settings.revision_horizon_ms,
            workers: settings.workers,
            watermark,
            index: SeriesIndex::default(),
            live: BTreeMap::new(),
            cells: Cells::default(),
            late_rows: BTreeMap::new(),
            late_cells: BTreeMap::new(),
            order: Vec::new(),
        }
    }

    /// Follows sensors that move.
    pub(super) fn settle(&mut self, settlement: &Settlement) {
        let sensor = settlement.sensor;
        let cell = base_cell(settlement.description.position);
        if self.cells.place(sensor, settlement.home, cell).is_none() {
            return;
        }
        let first_move = self.cells.roam(sensor);
        for series in self.index.of_sensor(sensor) {
            let Some(left) = self.cells.leave(series) else { continue };
            if !first_move {
                continue;
            }
            for (start, window) in &self.live {
                if window.rows.get(series).is_some_and(|row| row.count > 0) {
                    self.cells.visit((*start, series, left));
                }
            }
        }
    }

    /// Adds the readings that count.
    pub(super) fn add(&mut self, readings: &[Reading], judgements: &[Judgement]) {
        for (reading, judgement) in readings.iter().zip(judgements) {
            let Some((series, lateness)) = judgement.counts else { continue };
            if series == self.index.len() {
                self.index.number(reading.sensor, reading.quantity);
            }
            if lateness != Lateness::ArchivedOnly {
                self.add_one(reading, series);
            }
        }
    }

    fn add_one(&mut self, reading: &Reading, series: u32) {
        let offset = reading.event_time.ms().rem_euclid(self.window_ms);
        let start = reading.event_time.ms().saturating_sub(offset);
        let offset = u32::try_from(offset).expect("a window is at most a day");
        let closed = self.is_over(start);
        let window = self.live.entry(start).or_default();
        let row = window.rows.get_mut(series);
        let first = row.count == 0;
        row.add(reading.value, offset);
        let number = self.cells.number(series, reading.sensor, reading.quantity);
        let new = self.cells.arrives(reading.sensor, (start, series, number), first);
        if !closed {
            window.cells.get_mut(number).add(reading.value, offset, new);
            return;
        }
        let revisions = &window.revisions;
        self.late_rows.entry((start, series)).or_insert_with(|| {
            if first { 0 } else { revisions.get(&series).map_or(1, |revision| revision + 1) }
        });
        let late = self.late_cells.entry((start, number)).or_default();
        late.add(reading.value, offset, new);
    }

    /// Publishes windows that close or were revised, drops those no longer held.
    pub(super) fn close(&mut self, epoch: Epoch, watermark: EventTime) -> Closing {
        self.watermark = watermark;
        let mut closing = Closing::default();
        let late_rows = std::mem::take(&mut self.late_rows);
        if self.live.iter().any(|(start, w)| !w.published && self.is_over(*start)) {
            self.sort_order();
        }
        for (start, window) in &mut self.live {
            let due = EventTime::from_ms(*start).plus_ms(self.window_ms) <= watermark;
            let publish = |series: u32, row: &Row, revision: u32| {
                let (sensor, quantity) = self.index.key(series);
                let aggregate = row.aggregate(*start);
                let start = EventTime::from_ms(*start);
                WindowRow { sensor, quantity, start, revision, epoch, aggregate }
            };
            if due && !window.published {
                window.published = true;
                let rows = self.order.iter().filter_map(|series| {
                    let row = window.rows.get(*series).filter(|row| row.count > 0)?;
                    Some(publish(*series, row, 0))
                });
                closing.rows.extend(rows);
                let cells = std::mem::take(&mut window.cells);
                for (number, partial) in cells.into_values().filter(|(_, p)| p.row.count > 0) {
                    closing.partials.push(CellPartial {
                        start: *start,
                        key: self.cells.key(number),
                        partial,
                    });
                }
            } else if window.published {
                let first_row = closing.rows.len();
                for ((_, series), revision) in late_rows.range((*start, 0)..=(*start, u32::MAX)) {
                    if *revision > 0 {
                        window.revisions.insert(*series, *revision);
                    }
                    let row = window.rows.get(*series).expect("a revised row exists");
                    closing.rows.push(publish(*series, row, *revision));
                }
                closing.rows[first_row..].sort_unstable_by_key(|row| (row.sensor, row.quantity));
            }
        }
        for ((start, number), partial) in std::mem::take(&mut self.late_cells) {
            closing.partials.push(CellPartial { start, key: self.cells.key(number), partial });
        }
        self.drop_old();
        closing
    }

    /// Whether the watermark has passed a window's end.
    fn is_over(&self, start: i64) -> bool {
        EventTime::from_ms(start).plus_ms(self.window_ms) <= self.watermark
    }

    fn drop_old(&mut self) {
        let held_from = self.watermark.plus_ms(-self.revision_horizon_ms);
        let window_ms = self.window_ms;
        let dropped = |start: i64| EventTime::from_ms(start).plus_ms(window_ms) <= held_from;
        let mut any = false;
        while let Some(entry) = self.live.first_entry().filter(|e| dropped(*e.key())) {
            entry.remove();
            any = true;
        }
        if any {
            self.cells.forget_before(self.live.first_key_value().map_or(i64::MAX, |(s, _)| *s));
        }
    }

    fn sort_order(&mut self) {
        if self.order.len() != self.index.len() as usize {
            self.order = (0..self.index.len()).collect();
            let index = &self.index;
            self.order.sort_unstable_by_key(|series| index.key(*series));
        }
    }

    /// A window that is restored: published if the watermark has passed it.
    pub(super) fn window(&mut self, start: i64) -> &mut Window {
        let published = self.is_over(start);
        self.live.entry(start).or_insert_with(|| Window { published, ..Window::default() })
    }
}

/// What a closing epoch gives.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// By start, sensor, quantity.
    pub(super) rows: Vec<WindowRow>,
    pub(super) partials: Vec<CellPartial>,
}

impl Closing {
    /// The partials as packets to the workers that roll them up, and the close behind them.
    fn packets(self, close: Close, workers: usize, index: usize) -> Vec<RollupPacket> {
        let mut by_worker = vec![Vec::new(); workers];
        for partial in self.partials {
            let to = worker_of(ancestor(partial.key.cell, TOP_RESOLUTION), workers);
            by_worker[usize::try_from(to).expect("a worker's number")].push(partial);
        }
        let mut packets: Vec<RollupPacket> = (0..)
            .zip(by_worker)
            .filter(|(_, partials)| !partials.is_empty())
            .map(|(to, partials)| RollupPacket { to, cargo: RollupCargo::Partials(partials) })
            .collect();
        packets.push(RollupPacket { to: index as u64, cargo: RollupCargo::Close(close) });
        packets
    }
}

/// Adds windows to the stream; the last operator that stays on a worker, so it lays the epoch's
/// part in the tray.
pub(super) fn windows(
    steps: StreamVec<'_, Epoch, Step>,
    mut windows: Windows,
    tray: Tray,
    worker: usize,
) -> StreamVec<'_, Epoch, RollupPacket> {
    steps.unary(Pipeline, "windows", move |_, _| {
        move |input, output| {
            input.for_each(|capability, steps| {
                let epoch = *capability.least().expect("every step has an epoch");
                let mut session = output.session(&capability);
                for step in steps.drain(..) {
                    match step {
                        Step::Sensors(settlements) => {
                            for settlement in &settlements {
                                windows.settle(settlement);
                            }
                        }
                        Step::Readings(readings, judgements) => windows.add(&readings, &judgements),
                        Step::Close(close, mut part) => {
                            let mut closing = windows.close(epoch, close.watermark);
                            part.windows = std::mem::take(&mut closing.rows);
                            if close.cut {
                                part.live = Some(windows.clone());
                            }
                            tray.lay(*part);
                            for packet in closing.packets(close, windows.workers, worker) {
                                session.give(packet);
                            }
                        }
                    }
                }
            });
        }
    })
}
