//! Operator: records readings into the twin's shards: ledger, last arrival, latest values. A
//! shard that is touched in an epoch is copied once and published when the epoch closes; the
//! snapshots before keep theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use h3o::CellIndex;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::reading::Reading;
use crate::time::Epoch;
use crate::twin::Shard;

use super::packet::{Judgement, Settlement, Step};

/// A shard as published, and the copy this epoch writes to.
#[derive(Debug)]
struct Home {
    published: Arc<Shard>,
    open: Option<Shard>,
}

impl Home {
    fn open(&mut self) -> &mut Shard {
        self.open.get_or_insert_with(|| Shard::clone(&self.published))
    }
}

/// Where a sensor's columns are.
#[derive(Clone, Copy, Debug)]
struct Place {
    home: u32,
    row: u32,
}

/// Nowhere: the sensor belongs to another worker or is not registered.
const NOWHERE: Place = Place { home: u32::MAX, row: 0 };

/// The shards of one worker.
#[derive(Debug, Default)]
pub(super) struct Latest {
    homes: Vec<Home>,
    numbers: BTreeMap<CellIndex, u32>,
    /// By sensor.
    places: Vec<Place>,
}

impl Latest {
    /// Goes on from these shards.
    pub(super) fn new(shards: impl IntoIterator<Item = Arc<Shard>>) -> Latest {
        let mut latest = Latest::default();
        for shard in shards {
            let number = latest.number(shard.id());
            latest.homes[number as usize].published = shard;
            latest.find_rows(number);
        }
        latest
    }

    /// Takes in described sensors.
    fn settle(&mut self, mut settlements: Vec<Settlement>, epoch: Epoch) -> Vec<Settlement> {
        settlements.sort_by_key(|settlement| settlement.home);
        for group in settlements.chunk_by(|a, b| a.home == b.home) {
            let number = self.number(group[0].home);
            let changes: Vec<_> = group.iter().map(|one| (one.sensor, &one.description)).collect();
            self.homes[number as usize].open().settle_all(&changes, epoch);
            self.find_rows(number);
        }
        settlements
    }

    /// Records a batch.
    fn record(&mut self, readings: &[Reading], judgements: &[Judgement], epoch: Epoch) {
        for (reading, judgement) in readings.iter().zip(judgements) {
            let place = self.places[reading.sensor.slot()];
            self.homes[place.home as usize].open().record(
                place.row as usize,
                reading,
                judgement.outcome,
                epoch,
            );
        }
    }

    /// The shards that were touched since the last close.
    fn close(&mut self) -> Vec<Arc<Shard>> {
        let mut touched = Vec::new();
        for home in &mut self.homes {
            if let Some(shard) = home.open.take() {
                home.published = Arc::new(shard);
                touched.push(Arc::clone(&home.published));
            }
        }
        touched
    }

    fn number(&mut self, id: CellIndex) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.homes.push(Home { published: Arc::new(Shard::new(id)), open: None });
            u32::try_from(self.homes.len() - 1).expect("fewer shards than 32 bits")
        })
    }

    fn find_rows(&mut self, home: u32) {
        let Home { published, open } = &self.homes[home as usize];
        let shard = open.as_ref().unwrap_or(published);
        for row in 0..shard.len() {
            let slot = shard.resident(row).sensor.slot();
            if slot >= self.places.len() {
                self.places.resize(slot + 1, NOWHERE);
            }
            let row = u32::try_from(row).expect("fewer rows than 32 bits");
            self.places[slot] = Place { home, row };
        }
    }
}

/// Adds the latest values to the stream.
pub(super) fn latest<'scope>(
    steps: StreamVec<'scope, Epoch, Step>,
    mut latest: Latest,
) -> StreamVec<'scope, Epoch, Step> {
    steps.unary(Pipeline, "latest", move |_, _| {
        move |input, output| {
            input.for_each(|capability, steps| {
                let epoch = *capability.least().expect("every step has an epoch");
                let mut session = output.session(&capability);
                for step in steps.drain(..) {
                    session.give(match step {
                        Step::Sensors(settlements) => {
                            Step::Sensors(latest.settle(settlements, epoch))
                        }
                        Step::Readings(readings, judgements) => {
                            latest.record(&readings, &judgements, epoch);
                            Step::Readings(readings, judgements)
                        }
                        Step::Close(close, mut part) => {
                            part.shards = latest.close();
                            Step::Close(close, part)
                        }
                    });
                }
            });
        }
    })
}
