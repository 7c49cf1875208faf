//! Operator: merges what home shards gave to a cell's window, and cells into their parents, from
//! resolution 9 to 5. All of a resolution 5 cell meets on one worker.
//!
//! Partials are merged in order of (quantity, cell, home shard), children in order of their cell,
//! so that sums do not depend on the number of workers. Rows are held for the revision horizon;
//! when a late reading changes a cell, that cell and its ancestors are published again.
//!
//! A held row takes 80 bytes and its packed sketch.

use std::collections::BTreeMap;
use std::sync::Arc;

use h3o::{CellIndex, Resolution};
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;

use crate::quantity::Quantity;
use crate::time::{Epoch, EventTime};
use crate::window::CellWindowRow;

use super::packet::{CellPartial, Close, RollupCargo, RollupPacket, ancestor};
use super::publish::{CellPart, Tray};
use super::row::Row;
use super::settings::Settings;
use super::sketch::{PackedSketch, Sketch};

/// From the base to the top.
const RESOLUTIONS: [Resolution; 5] =
    [Resolution::Nine, Resolution::Eight, Resolution::Seven, Resolution::Six, Resolution::Five];

/// Which quantiles a row has, in percent.
const RANKS: [u64; 4] = [15, 50, 85, 95];

/// One cell's window at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CellRow {
    pub(super) cell: CellIndex,
    pub(super) quantity: Quantity,
    revision: u32,
    sensors: u32,
    row: Row,
    sketch: PackedSketch,
}

impl CellRow {
    pub(super) fn key(&self) -> (Quantity, CellIndex) {
        (self.quantity, self.cell)
    }
}

/// Rows of one window by resolution as in [`RESOLUTIONS`], each in order of quantity and cell.
pub(super) type Levels = [Vec<CellRow>; RESOLUTIONS.len()];

/// By window start.
pub(super) type Held = BTreeMap<i64, Arc<Levels>>;

/// The closed cell windows of one worker.
#[derive(Debug)]
pub(super) struct Rollup {
    window_ms: i64,
    revision_horizon_ms: i64,
    held: Held,
}

impl Rollup {
    /// Goes on from what is held.
    pub(super) fn new(settings: &Settings, held: Held) -> Rollup {
        Rollup {
            window_ms: settings.window_ms,
            revision_horizon_ms: settings.revision_horizon_ms,
            held,
        }
    }

    /// Merges an epoch's partials; gives every row that is new or changed.
    fn merge(&mut self, mut partials: Vec<CellPartial>, epoch: Epoch) -> Vec<CellWindowRow> {
        partials.sort_unstable_by_key(|one| (one.start, one.key));
        let mut published = Vec::new();
        for window in partials.chunk_by(|a, b| a.start == b.start) {
            let start = window[0].start;
            let levels = Arc::make_mut(self.held.entry(start).or_default());
            let mut drafts = base_drafts(&levels[0], window);
            for depth in 0..RESOLUTIONS.len() {
                published.extend(drafts.iter_mut().map(|draft| draft.publish(start, epoch)));
                let changed: Vec<_> = drafts.iter().map(Draft::key).collect();
                store(&mut levels[depth], drafts);
                drafts = match RESOLUTIONS.get(depth + 1) {
                    Some(coarser) => {
                        parents(&levels[depth], &levels[depth + 1], &changed, *coarser)
                    }
                    None => Vec::new(),
                };
            }
        }
        published
    }

    /// Drops windows that can no longer be revised.
    fn drop_old(&mut self, watermark: EventTime) {
        let held_from = watermark.plus_ms(-self.revision_horizon_ms);
        let window_ms = self.window_ms;
        let dropped = |start: i64| EventTime::from_ms(start).plus_ms(window_ms) <= held_from;
        while let Some(entry) = self.held.first_entry().filter(|e| dropped(*e.key())) {
            entry.remove();
        }
    }
}

/// A row being merged.
#[derive(Debug)]
struct Draft {
    cell: CellIndex,
    quantity: Quantity,
    revision: u32,
    sensors: u32,
    row: Row,
    sketch: Sketch,
}

impl Draft {
    /// An empty one that follows on the row published before.
    fn after(before: Option<&CellRow>, (quantity, cell): (Quantity, CellIndex)) -> Draft {
        Draft {
            cell,
            quantity,
            revision: before.map_or(0, |row| row.revision + 1),
            sensors: 0,
            row: Row::default(),
            sketch: Sketch::default(),
        }
    }

    fn key(&self) -> (Quantity, CellIndex) {
        (self.quantity, self.cell)
    }

    fn add(&mut self, row: &CellRow) {
        self.sensors += row.sensors;
        self.row.merge(&row.row);
        self.sketch.merge_packed(&row.sketch);
    }

    fn publish(&mut self, start: i64, epoch: Epoch) -> CellWindowRow {
        CellWindowRow {
            cell: self.cell,
            quantity: self.quantity,
            start: EventTime::from_ms(start),
            revision: self.revision,
            epoch,
            sensors: self.sensors,
            aggregate: self.row.aggregate(start),
            quantiles: self.sketch.quantiles(RANKS),
        }
    }

    fn at_rest(mut self) -> CellRow {
        CellRow {
            cell: self.cell,
            quantity: self.quantity,
            revision: self.revision,
            sensors: self.sensors,
            row: self.row,
            sketch: self.sketch.packed(),
        }
    }
}

/// The base rows that partials change: what is held, and the partials on top.
fn base_drafts(held: &[CellRow], partials: &[CellPartial]) -> Vec<Draft> {
    let key = |one: &CellPartial| (one.key.quantity, one.key.cell);
    let mut drafts = Vec::new();
    for group in partials.chunk_by(|a, b| key(a) == key(b)) {
        let before = find(held, key(&group[0]));
        let mut draft = Draft::after(before, key(&group[0]));
        if let Some(row) = before {
            draft.add(row);
        }
        for CellPartial { partial, .. } in group {
            draft.sensors += partial.sensors;
            draft.row.merge(&partial.row);
            draft.sketch.merge(&partial.sketch);
        }
        drafts.push(draft);
    }
    drafts
}

/// The parents of changed cells, merged anew from all their children.
fn parents(
    finer: &[CellRow],
    held: &[CellRow],
    changed: &[(Quantity, CellIndex)],
    resolution: Resolution,
) -> Vec<Draft> {
    let mut keys: Vec<_> =
        changed.iter().map(|(quantity, cell)| (*quantity, ancestor(*cell, resolution))).collect();
    keys.dedup();
    let mut drafts = Vec::with_capacity(keys.len());
    for key in keys {
        let mut draft = Draft::after(find(held, key), key);
        let parent_of = |row: &CellRow| (row.quantity, ancestor(row.cell, resolution));
        let first = finer.partition_point(|row| parent_of(row) < key);
        for child in finer[first..].iter().take_while(|row| parent_of(row) == key) {
            draft.add(child);
        }
        drafts.push(draft);
    }
    drafts
}

fn find(rows: &[CellRow], key: (Quantity, CellIndex)) -> Option<&CellRow> {
    rows.binary_search_by_key(&key, CellRow::key).ok().map(|at| &rows[at])
}

/// Puts drafts in the place of the rows they follow on, or between them.
fn store(rows: &mut Vec<CellRow>, drafts: Vec<Draft>) {
    let mut new = Vec::new();
    for draft in drafts {
        match rows.binary_search_by_key(&draft.key(), CellRow::key) {
            Ok(at) => rows[at] = draft.at_rest(),
            Err(_) => new.push(draft.at_rest()),
        }
    }
    if !new.is_empty() {
        rows.reserve_exact(new.len());
        rows.append(&mut new);
        rows.sort_by_key(CellRow::key);
    }
}

/// The roll-up sends nothing.
type NothingOut = CapacityContainerBuilder<Vec<()>>;

/// What has come of an epoch that is not through yet.
struct Pending {
    capability: Capability<Epoch>,
    partials: Vec<CellPartial>,
    close: Option<Close>,
}

/// Adds the roll-up to the stream. It waits until the frontier proves that all workers have given
/// all of an epoch. Nothing comes out but the proof that it is done; the rows are in the tray.
pub(super) fn rollup(
    packets: StreamVec<'_, Epoch, RollupPacket>,
    mut rollup: Rollup,
    tray: Tray,
) -> StreamVec<'_, Epoch, ()> {
    let exchange = Exchange::new(|packet: &RollupPacket| packet.to);
    packets.unary_frontier::<NothingOut, _, _, _>(exchange, "rollup", move |_, _| {
        let mut pending = BTreeMap::<Epoch, Pending>::new();
        move |(input, frontier), _output| {
            input.for_each(|capability, packets| {
                let capability = capability.retain_least(0).expect("every packet has an epoch");
                let pending = pending.entry(*capability.time()).or_insert_with(|| Pending {
                    capability,
                    partials: Vec::new(),
                    close: None,
                });
                for packet in packets.drain(..) {
                    match packet.cargo {
                        RollupCargo::Partials(partials) => pending.partials.extend(partials),
                        RollupCargo::Close(close) => pending.close = Some(close),
                    }
                }
            });
            while let Some(entry) = pending.first_entry() {
                if frontier.less_equal(entry.key()) {
                    break;
                }
                let (epoch, pending) = entry.remove_entry();
                let rows = rollup.merge(pending.partials, epoch);
                let close = pending.close.expect("the windows of this worker closed the epoch");
                rollup.drop_old(close.watermark);
                let held = close.cut.then(|| rollup.held.clone());
                tray.lay_cells(CellPart { epoch, rows, held });
                drop(pending.capability);
            }
        }
    })
}
