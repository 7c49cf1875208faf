//! Operator: records readings into the twin's shards: ledger, last arrival, latest values. A
//! shard that is touched in an epoch is copied once and published when the epoch closes; the
//! snapshots before keep theirs.
//!
//! A copy of a city every 100 ms is dear when few sensors have reported. So a published shard that
//! was followed by a newer one is kept as a *spare*, with the rows that have changed since: when
//! all snapshots have let go of it, it is brought up to date row by row and written to next.

use std::collections::BTreeMap;
use std::sync::Arc;

use h3o::CellIndex;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::operator::Operator;

use crate::ledger::Outcome;
use crate::reading::Reading;
use crate::time::Epoch;
use crate::twin::Shard;

use super::packet::{Judgement, Settlement, Step};

/// Spares of one shard at most: as many snapshots as are usually on their way.
const SPARES: usize = 4;

/// A spare is worth keeping while at most one in this many rows differs.
const WORTHWHILE: usize = 4;

/// A shard as published, and the copy this epoch writes to.
#[derive(Debug)]
struct Home {
    published: Arc<Shard>,
    open: Option<Shard>,
    /// Rows of `open` that differ from `published`; maybe twice. Complete while `few` says so.
    touched: Vec<u32>,
    spares: Vec<Spare>,
}

/// An older copy and the rows in which it differs from the one published now.
#[derive(Debug)]
struct Spare {
    shard: Arc<Shard>,
    stale: Vec<u32>,
}

impl Home {
    fn new(published: Arc<Shard>) -> Home {
        Home { published, open: None, touched: Vec::new(), spares: Vec::new() }
    }

    #[inline]
    fn open(&mut self) -> &mut Shard {
        if self.open.is_none() {
            self.open = Some(self.copy());
        }
        self.open.as_mut().expect("it was just opened")
    }

    /// A copy of the published shard.
    fn copy(&mut self) -> Shard {
        let published = &self.published;
        self.spares.retain(|spare| spare.shard.is_alike(published));
        let free = self.spares.iter().position(|spare| Arc::strong_count(&spare.shard) == 1);
        let spare = free.map(|at| self.spares.swap_remove(at));
        let Some((mut shard, stale)) =
            spare.and_then(|spare| Some((Arc::into_inner(spare.shard)?, spare.stale)))
        else {
            return Shard::clone(published);
        };
        for row in stale {
            shard.copy_row(published, row as usize);
        }
        shard
    }

    #[inline]
    fn record(&mut self, row: u32, reading: &Reading, outcome: Outcome, epoch: Epoch) {
        if self.touched.len() < self.few() {
            self.touched.push(row);
        }
        self.open().record(row as usize, reading, outcome, epoch);
    }

    /// Publishes what is open.
    fn close(&mut self) -> Option<Arc<Shard>> {
        let shard = Arc::new(self.open.take()?);
        let before = std::mem::replace(&mut self.published, Arc::clone(&shard));
        let few = self.few();
        if self.touched.len() < few {
            self.spares.push(Spare { shard: before, stale: Vec::new() });
            for spare in &mut self.spares {
                spare.stale.extend_from_slice(&self.touched);
            }
            self.spares.retain(|spare| spare.stale.len() < few);
            if self.spares.len() > SPARES {
                self.spares.remove(0);
            }
        } else {
            self.spares.clear();
        }
        self.touched.clear();
        Some(shard)
    }

    fn few(&self) -> usize {
        self.published.len() / WORTHWHILE
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
            latest.homes[number as usize] = Home::new(shard);
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
            let home = &mut self.homes[place.home as usize];
            home.record(place.row, reading, judgement.outcome, epoch);
        }
    }

    /// The shards that were touched since the last close.
    fn close(&mut self) -> Vec<Arc<Shard>> {
        self.homes.iter_mut().filter_map(Home::close).collect()
    }

    fn number(&mut self, id: CellIndex) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            self.homes.push(Home::new(Arc::new(Shard::new(id))));
            u32::try_from(self.homes.len() - 1).expect("fewer shards than 32 bits")
        })
    }

    fn find_rows(&mut self, home: u32) {
        let Home { published, open, .. } = &self.homes[home as usize];
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
pub(super) fn latest(
    steps: StreamVec<'_, Epoch, Step>,
    mut latest: Latest,
) -> StreamVec<'_, Epoch, Step> {
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use crate::position::Position;
    use crate::quantity::Quantity;
    use crate::reading::Verdict;
    use crate::sensor::{SensorDescription, SensorIndex, SensorKind};
    use crate::time::EventTime;

    use super::*;

    const SENSORS: u32 = 40;

    fn settlement(sensor: u32, place: u32) -> Settlement {
        let place = f64::from(place) * 0.000_1;
        let description = SensorDescription {
            kind: SensorKind::Noise,
            position: Position::new(10.77 + place, 106.69).unwrap(),
            expected_interval_ms: 1_000,
            name: String::new(),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 0.0,
            lanes: 0,
        };
        let home = Position::new(10.77, 106.69).unwrap().cell(h3o::Resolution::Six);
        Settlement { sensor: SensorIndex::new(sensor), home, description }
    }

    fn reading((sensor, quantity, value): (u32, u8, i32)) -> Reading {
        Reading {
            event_time: EventTime::from_ms(i64::from(value)),
            value: f64::from(value),
            sensor: SensorIndex::new(sensor),
            quantity: Quantity::from_number(quantity).unwrap(),
            verdict: Verdict::Admitted,
        }
    }

    proptest! {
        /// Whatever snapshots are held for how long, what is published is what a shard gives that
        /// is never copied.
        #[test]
        fn spares_never_show_old_rows(epochs in proptest::collection::vec(
            (
                proptest::collection::vec((0..SENSORS, 1u8..5, 0..1_000i32), 0..5),
                proptest::option::weighted(0.05, (0..SENSORS, 0..90u32)),
                0..7usize,
            ),
            1..120,
        )) {
            let everyone: Vec<_> = (0..SENSORS).map(|n| settlement(n, n)).collect();
            let mut plain = Shard::new(everyone[0].home);
            for one in &everyone {
                plain.settle(one.sensor, &one.description, Epoch::new(1));
            }
            let mut latest = Latest::default();
            latest.settle(everyone, Epoch::new(1));
            latest.close();
            let mut held = VecDeque::new();
            for (epoch, (readings, moved, holds)) in (2..).map(Epoch::new).zip(epochs) {
                if let Some((sensor, place)) = moved {
                    let one = settlement(sensor, place);
                    plain.settle(one.sensor, &one.description, epoch);
                    latest.settle(vec![one], epoch);
                }
                let readings: Vec<_> = readings.into_iter().map(reading).collect();
                let applied = Judgement { outcome: Outcome::Applied, counts: None };
                latest.record(&readings, &vec![applied; readings.len()], epoch);
                for one in &readings {
                    let row = plain.position_of(one.sensor).unwrap();
                    plain.record(row, one, Outcome::Applied, epoch);
                }
                for published in latest.close() {
                    prop_assert_eq!(&*published, &plain);
                    held.push_back(published);
                }
                while held.len() > holds {
                    held.pop_front();
                }
            }
        }
    }
}
