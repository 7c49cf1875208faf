//! What is going on in an area: all of it, or what changed there since an epoch.
//!
//! Shards and blocks that lie outside are skipped, those inside are taken whole, and at the border
//! [`Area::holds`] decides for each sensor: the answer equals asking it for all of them. Residents
//! come in the order of their cells, so the sensors of a cell of any resolution are neighbours
//! and one tally serves after the other; only a cell whose sensors live in several shards (some
//! moved, or the cell is larger than a shard) is put together afterwards, in order of shard.

use std::collections::{BTreeMap, BTreeSet};

use h3o::{CellIndex, Resolution};

use super::Snapshot;
use super::filter::{KindSet, QuantitySet};
use super::health::Judge;
use super::layout::{BLOCK, Profile};
use super::shard::{Heard, Shard};
use super::table::Departure;
use super::tally::{Packed, QuantityAggregate, SensorCounts, Spread, Tally, TrafficState};
use super::view::SensorView;
use crate::area::{Area, Parents, Side};
use crate::sensor::{SensorIndex, SensorKey};
use crate::time::Epoch;

/// What is asked of an area.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaQuery {
    /// Where.
    pub area: Area,
    /// Also cell by cell at this resolution.
    pub resolution: Option<Resolution>,
    /// Which values are shown and summed up. Does not choose sensors, nor touch the traffic state.
    pub quantities: QuantitySet,
    /// Which sensors count.
    pub kinds: KindSet,
    /// Also sensor by sensor.
    pub include_sensors: bool,
}

impl AreaQuery {
    /// The totals of an area over all sensors and quantities.
    pub fn new(area: Area) -> AreaQuery {
        AreaQuery {
            area,
            resolution: None,
            quantities: QuantitySet::ALL,
            kinds: KindSet::ALL,
            include_sensors: false,
        }
    }
}

/// The answer. Counts, totals and traffic are always those of the whole area.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaAnswer {
    /// Whether cells and sensors are all of them, and not only those that changed.
    pub full: bool,
    /// How many sensors.
    pub counts: SensorCounts,
    /// Their latest values, in order of quantity.
    pub totals: Vec<QuantityAggregate>,
    /// The state of traffic.
    pub traffic: Option<TrafficState>,
    /// The cells, in order; of a change, those with a changed sensor, each with all its sensors.
    pub cells: Vec<CellState>,
    /// The sensors, in order of number.
    pub sensors: Vec<SensorView>,
    /// Sensors that were in the area and are no longer: moved, or now of another kind.
    pub removed_sensors: Vec<SensorKey>,
    /// Cells that had a sensor of the area and have none now, in order.
    pub removed_cells: Vec<CellIndex>,
}

/// The sensors of one cell that are in the area.
#[derive(Clone, Debug, PartialEq)]
pub struct CellState {
    /// Which cell.
    pub cell: CellIndex,
    /// How many sensors.
    pub counts: SensorCounts,
    /// Their latest values, in order of quantity.
    pub quantities: Vec<QuantityAggregate>,
    /// The state of traffic.
    pub traffic: Option<TrafficState>,
}

impl Snapshot {
    /// The state of an area; with `since`, only what changed in (since, this epoch]: sensors that
    /// were heard, fell silent, were registered, described anew or moved, and what they left.
    ///
    /// A `since` before [`deltas_from`](super::SensorTable::deltas_from) cannot be answered: the
    /// answer is then a full one and says so.
    pub fn area(&self, query: &AreaQuery, since: Option<Epoch>) -> AreaAnswer {
        let since = since.filter(|epoch| *epoch >= self.sensors.deltas_from());
        let mut survey = Survey::new(self, query, since);
        for shard in self.shards.iter() {
            survey.walk(shard);
        }
        survey.answer()
    }

    /// How many sensors there are and how they do. Walks all of them.
    pub fn counts(&self) -> SensorCounts {
        let everywhere =
            AreaQuery { quantities: QuantitySet::NONE, ..AreaQuery::new(Area::everywhere()) };
        self.area(&everywhere, None).counts
    }
}

/// Neighbouring residents of one cell.
struct Run {
    cell: u64,
    changed: bool,
    packed: Packed,
}

struct Survey<'a> {
    snapshot: &'a Snapshot,
    query: &'a AreaQuery,
    judge: Judge,
    since: Option<Since>,
    parents: Option<Parents>,
    cell: u64,
    changed: bool,
    tally: Tally,
    runs: Vec<Run>,
    spreads: Vec<Spread>,
    sensors: Vec<SensorView>,
}

/// Since when changes are asked for.
struct Since {
    epoch: Epoch,
    /// Who was silent then; `None` if that is forgotten, and all that are silent now are shown.
    judge: Option<Judge>,
}

impl Since {
    /// Whether a sensor was heard, settled or fell silent since.
    fn saw(&self, heard: Heard, profile: &Profile, silent: bool) -> bool {
        let fell_silent =
            || !self.judge.is_some_and(|then| then.silent(heard, profile.interval_ms));
        heard.arrival > self.epoch || profile.settled > self.epoch || (silent && fell_silent())
    }
}

impl<'a> Survey<'a> {
    fn new(snapshot: &'a Snapshot, query: &'a AreaQuery, since: Option<Epoch>) -> Survey<'a> {
        Survey {
            snapshot,
            query,
            judge: Judge::now(snapshot),
            since: since.map(|epoch| Since { epoch, judge: Judge::at(snapshot, epoch) }),
            parents: query.resolution.map(Parents::at),
            cell: 0,
            changed: false,
            tally: Tally::new(),
            runs: Vec::new(),
            spreads: Vec::new(),
            sensors: Vec::new(),
        }
    }

    fn walk(&mut self, shard: &Shard) {
        let layout = &shard.layout;
        let area = &self.query.area;
        match area.judge(&layout.whole) {
            Side::Outside => {}
            Side::Inside => self.take(shard, 0..layout.len()),
            Side::Border => {
                for (block, extent) in layout.blocks.iter().enumerate() {
                    let rows = block * BLOCK..layout.len().min((block + 1) * BLOCK);
                    match area.judge(extent) {
                        Side::Outside => {}
                        Side::Inside => self.take(shard, rows),
                        Side::Border => {
                            self.take(shard, rows.filter(|row| area.holds(&layout.spot(*row))));
                        }
                    }
                }
            }
        }
        self.close_cell();
    }

    /// Takes in sensors that are in the area.
    fn take(&mut self, shard: &Shard, rows: impl Iterator<Item = usize>) {
        let layout = &*shard.layout;
        for row in rows {
            let profile = &layout.profiles[row];
            if !self.query.kinds.contains(profile.kind) {
                continue;
            }
            if let Some(parents) = self.parents {
                let cell = parents.of(layout.cells[row]);
                if cell != self.cell {
                    self.close_cell();
                    self.cell = cell;
                }
            }
            let heard = shard.heard[row];
            let sensor = (shard.values(row), self.query.quantities);
            let silent = self.tally.add(&self.judge, heard, profile, sensor);
            let changed = self.since.as_ref().is_none_or(|since| since.saw(heard, profile, silent));
            self.changed |= changed;
            if changed && self.query.include_sensors {
                self.show(shard, row);
            }
        }
    }

    #[cold]
    fn show(&mut self, shard: &Shard, row: usize) {
        let wanted = self.query.quantities;
        self.sensors.push(self.snapshot.view_at(&self.judge, (shard, row), wanted));
    }

    /// Puts away the sums since the last call.
    #[inline(never)]
    fn close_cell(&mut self) {
        if self.tally.counts.sensors == 0 {
            return;
        }
        let changed = std::mem::take(&mut self.changed);
        let packed = self.tally.pack(&mut self.spreads);
        self.runs.push(Run { cell: self.cell, changed, packed });
    }

    fn answer(mut self) -> AreaAnswer {
        let left = self.departed();
        let mut total = Tally::new();
        for run in &self.runs {
            total.merge(&run.packed, &self.spreads);
        }
        let mut answer = AreaAnswer {
            full: self.since.is_none(),
            counts: total.counts,
            totals: total.quantities(),
            traffic: total.traffic(),
            cells: Vec::new(),
            sensors: std::mem::take(&mut self.sensors),
            removed_sensors: Vec::new(),
            removed_cells: Vec::new(),
        };
        answer.sensors.sort_unstable_by_key(|view| view.index);
        if self.query.include_sensors {
            let gone = left.keys().filter(|sensor| !self.is_here(**sensor));
            let key = |sensor: &SensorIndex| Some(self.snapshot.sensors.get(*sensor)?.key.clone());
            answer.removed_sensors = gone.filter_map(key).collect();
        }
        if let Some(parents) = self.parents {
            self.runs.sort_by_key(|run| run.cell);
            let touched = left.values().map(|departure| parents.of(departure.cell)).collect();
            self.cells(&touched, &mut answer);
        }
        answer
    }

    /// The cells of the runs, which are sorted; `touched` are those that a sensor left.
    fn cells(&self, touched: &BTreeSet<u64>, answer: &mut AreaAnswer) {
        let mut gone = touched.clone();
        answer.cells.reserve(if self.since.is_none() { self.runs.len() } else { 0 });
        for runs in self.runs.chunk_by(|a, b| a.cell == b.cell) {
            let number = runs[0].cell;
            gone.remove(&number);
            if !runs.iter().any(|run| run.changed) && !touched.contains(&number) {
                continue;
            }
            let (counts, quantities, traffic) = if let [run] = runs {
                run.packed.open(&self.spreads)
            } else {
                let mut tally = Tally::new();
                for run in runs {
                    tally.merge(&run.packed, &self.spreads);
                }
                (tally.counts, tally.quantities(), tally.traffic())
            };
            answer.cells.push(CellState { cell: cell(number), counts, quantities, traffic });
        }
        answer.removed_cells = gone.into_iter().map(cell).collect();
    }

    /// The sensors that were in the area at `since` and changed place or kind after, with what
    /// they were then: the first departure after it tells.
    fn departed(&self) -> BTreeMap<SensorIndex, Departure> {
        let mut first = BTreeMap::new();
        let Some(since) = &self.since else { return first };
        for departure in self.snapshot.sensors.departures_after(since.epoch) {
            first.entry(departure.sensor).or_insert_with(|| departure.clone());
        }
        first.retain(|_, then| {
            self.query.kinds.contains(then.kind) && self.query.area.holds(&then.spot())
        });
        first
    }

    /// Whether a sensor is in the area now.
    fn is_here(&self, sensor: SensorIndex) -> bool {
        let registered = self.snapshot.sensors.get(sensor);
        registered.is_some_and(|registered| {
            let description = &registered.description;
            self.query.kinds.contains(description.kind)
                && self.query.area.contains(description.position)
        })
    }
}

fn cell(number: u64) -> CellIndex {
    CellIndex::try_from(number).expect("the parent of a cell is a cell")
}
