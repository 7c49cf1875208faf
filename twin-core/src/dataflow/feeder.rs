//! The feeder, on worker 0 alone: takes frames in log order, runs the watermark, and sends every
//! worker its share.
//!
//! An epoch stays open while frames of it may come: until a frame of a later epoch, or until its
//! frame with the cut. **When the frames end, an open epoch stays open**: nothing of it was
//! published, its frames are in the log, and after the restart (from a cut, which never lies
//! within an epoch) they come again, with what the log may add to the same epoch. Publishing half
//! of it now would let a reader see two snapshots of one epoch. Only who knows that no more will
//! ever come ([`fold`](super::fold) over a finished list) closes it.
//!
//! Readings of a large frame are put in order of home shard first (each sensor's stay in log
//! order): shard after shard fits the processor's cache, a whole city does not.
//!
//! The watermark at the close of `e` is what it was, or what the rule of `watermark.rs` gives if
//! that is higher. Credible is what admission took: a refused reading moves nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use h3o::CellIndex;
use timely::dataflow::InputHandleVec;

use crate::frame::{DeadLetter, Frame, SensorChange};
use crate::reading::{Reading, Verdict};
use crate::sensor::SensorIndex;
use crate::time::{Epoch, EventTime};
use crate::twin::{DeadLetters, SensorTable, Snapshot};

use super::packet::{Batch, Cargo, Close, Packet, Settlement, worker_of};
use super::publish::Header;
use super::settings::{EngineError, Settings};

/// Readings from which a frame is worth putting in order; shorter ones are in the cache anyway.
pub(super) const LARGE_FRAME: usize = if cfg!(test) { 8 } else { 4_096 };

/// Where packets enter the dataflow.
pub(super) type Input = InputHandleVec<Epoch, Packet>;

/// The epoch whose frames are coming.
#[derive(Debug)]
struct Open {
    epoch: Epoch,
    sensors: Vec<SensorChange>,
    dead_letters: Vec<DeadLetter>,
    /// How many readings came.
    readings: u32,
}

/// Reads the log into the dataflow.
#[derive(Debug)]
pub(super) struct Feeder {
    settings: Settings,
    table: Arc<SensorTable>,
    letters: Arc<DeadLetters>,
    homes: Homes,
    watermark: EventTime,
    newest: EventTime,
    open: Option<Open>,
    /// The newest closed epoch; none before the first.
    closed: Option<Epoch>,
    headers: VecDeque<Header>,
}

impl Feeder {
    /// Goes on behind a closed epoch, or begins.
    pub(super) fn new(
        settings: &Settings,
        snapshot: &Snapshot,
        newest: EventTime,
        closed: Option<Epoch>,
    ) -> Feeder {
        let mut feeder = Feeder {
            settings: settings.clone(),
            table: Arc::clone(&snapshot.sensors),
            letters: Arc::clone(&snapshot.dead_letters),
            homes: Homes::default(),
            watermark: snapshot.watermark,
            newest,
            open: None,
            closed,
            headers: VecDeque::new(),
        };
        feeder.homes.learn(&feeder.table, settings.workers);
        feeder
    }

    /// Takes a frame; closes what it closes.
    ///
    /// # Errors
    /// When the frame breaks the order of the log or speaks of an unknown sensor.
    pub(super) fn take(&mut self, frame: Frame, input: &mut Input) -> Result<(), EngineError> {
        let Frame { epoch, cut, records } = frame;
        if let Some(closed) = self.closed.filter(|closed| epoch <= *closed) {
            return Err(EngineError::EpochClosed { frame: epoch, closed });
        }
        match self.open.as_ref().map(|open| open.epoch) {
            Some(open) if epoch < open => {
                return Err(EngineError::EpochBack { frame: epoch, open });
            }
            Some(open) if epoch > open => self.close(false, input),
            Some(_) | None => {}
        }
        if self.open.is_none() {
            input.advance_to(epoch);
            let (sensors, dead_letters) = (Vec::new(), Vec::new());
            self.open = Some(Open { epoch, sensors, dead_letters, readings: 0 });
        }
        self.feed_sensors(epoch, records.sensors, input)?;
        self.feed_readings(epoch, records.readings, input)?;
        self.feed_dead_letters(epoch, records.dead_letters);
        if cut {
            self.close(true, input);
        }
        Ok(())
    }

    /// Closes the open epoch, if there is one: no more will come.
    pub(super) fn finish(&mut self, input: &mut Input) {
        if self.open.is_some() {
            self.close(false, input);
        }
    }

    /// The oldest closed epoch that was not yet published.
    pub(super) fn oldest(&self) -> Option<Epoch> {
        self.headers.front().map(|header| header.epoch)
    }

    /// How many closed epochs are not yet published.
    pub(super) fn in_flight(&self) -> usize {
        self.headers.len()
    }

    /// Hands over the oldest closed epoch.
    pub(super) fn take_header(&mut self) -> Option<Header> {
        self.headers.pop_front()
    }

    fn feed_sensors(
        &mut self,
        epoch: Epoch,
        mut changes: Vec<SensorChange>,
        input: &mut Input,
    ) -> Result<(), EngineError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut known = self.table.len();
        for change in &changes {
            if change.index.slot() > known {
                return Err(EngineError::SensorGap { epoch, sensor: change.index, known });
            }
            known = known.max(change.index.slot() + 1);
        }
        Arc::make_mut(&mut self.table).apply(&changes, epoch, self.settings.shard_resolution);
        self.homes.learn(&self.table, self.settings.workers);
        let mut shares = vec![Vec::new(); self.settings.workers];
        for change in &changes {
            let home = self.table.home(change.index).expect("it was just registered");
            let worker = self.homes.worker(change.index);
            let description = change.description.clone();
            shares[worker].push(Settlement { sensor: change.index, home, description });
        }
        for (to, share) in (0..).zip(shares) {
            if !share.is_empty() {
                input.send(Packet { to, cargo: Cargo::Sensors(share) });
            }
        }
        self.opened().sensors.append(&mut changes);
        Ok(())
    }

    fn feed_readings(
        &mut self,
        epoch: Epoch,
        readings: Vec<Reading>,
        input: &mut Input,
    ) -> Result<(), EngineError> {
        if readings.is_empty() {
            return Ok(());
        }
        let known = self.table.len();
        let mut newest = self.newest;
        for reading in &readings {
            if reading.sensor.slot() >= known {
                return Err(EngineError::UnknownSensor { epoch, sensor: reading.sensor });
            }
            if reading.verdict == Verdict::Admitted && reading.event_time > newest {
                newest = reading.event_time;
            }
        }
        self.newest = newest;
        let readings = self.homes.gather(readings);
        let first = self.opened().readings;
        let count = u32::try_from(readings.len()).expect("a frame has fewer readings than 2^32");
        self.opened().readings = first.saturating_add(count);
        if self.settings.workers == 1 {
            let batch = Batch { readings, ordinals: Vec::new() };
            input.send(Packet { to: 0, cargo: Cargo::Readings(batch) });
            return Ok(());
        }
        let empty = Batch { readings: Vec::new(), ordinals: Vec::new() };
        let mut shares = vec![empty; self.settings.workers];
        for (ordinal, reading) in (first..).zip(readings) {
            let share = &mut shares[self.homes.worker(reading.sensor)];
            share.readings.push(reading);
            share.ordinals.push(ordinal);
        }
        for (to, batch) in (0..).zip(shares) {
            if !batch.readings.is_empty() {
                input.send(Packet { to, cargo: Cargo::Readings(batch) });
            }
        }
        Ok(())
    }

    fn feed_dead_letters(&mut self, epoch: Epoch, mut letters: Vec<DeadLetter>) {
        if !letters.is_empty() {
            Arc::make_mut(&mut self.letters).apply(&letters, epoch);
            self.opened().dead_letters.append(&mut letters);
        }
    }

    fn close(&mut self, cut: bool, input: &mut Input) {
        let open = self.open.take().expect("only an open epoch is closed");
        let rule = self.settings.watermark_rule();
        self.watermark = self.watermark.max(rule.at(self.newest, open.epoch));
        let close = Close { watermark: self.watermark, cut };
        for to in 0..self.settings.workers as u64 {
            input.send(Packet { to, cargo: Cargo::Close(close) });
        }
        input.advance_to(open.epoch.next());
        self.closed = Some(open.epoch);
        self.headers.push_back(Header {
            epoch: open.epoch,
            cut,
            watermark: self.watermark,
            newest: self.newest,
            sensors: open.sensors,
            dead_letters: open.dead_letters,
            table: Arc::clone(&self.table),
            letters: Arc::clone(&self.letters),
        });
    }

    fn opened(&mut self) -> &mut Open {
        self.open.as_mut().expect("records are fed into an open epoch")
    }
}

/// Home shards in order of first registration, and which sensor lives where.
#[derive(Debug, Default)]
struct Homes {
    numbers: BTreeMap<CellIndex, u32>,
    /// By home.
    workers: Vec<usize>,
    /// By sensor.
    of_sensor: Vec<u32>,
}

impl Homes {
    /// Takes in the sensors that are new in the table.
    fn learn(&mut self, table: &SensorTable, workers: usize) {
        for slot in self.of_sensor.len()..table.len() {
            let sensor = SensorIndex::new(u32::try_from(slot).expect("sensors have 32 bits"));
            let home = table.home(sensor).expect("the table has no gaps");
            let next = u32::try_from(self.workers.len()).expect("fewer homes than 32 bits");
            let number = *self.numbers.entry(home).or_insert_with(|| {
                let worker = worker_of(home, workers);
                self.workers.push(usize::try_from(worker).expect("at most 64 workers"));
                next
            });
            self.of_sensor.push(number);
        }
    }

    fn worker(&self, sensor: SensorIndex) -> usize {
        self.workers[self.of_sensor[sensor.slot()] as usize]
    }

    /// The readings of a large frame in order of home; those of one home stay in log order.
    fn gather(&self, readings: Vec<Reading>) -> Vec<Reading> {
        if readings.len() < LARGE_FRAME || self.workers.len() < 2 {
            return readings;
        }
        let home = |reading: &Reading| self.of_sensor[reading.sensor.slot()] as usize;
        let mut ends = vec![0_usize; self.workers.len() + 1];
        for reading in &readings {
            ends[home(reading) + 1] += 1;
        }
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut gathered = vec![readings[0]; readings.len()];
        for reading in &readings {
            let at = &mut ends[home(reading)];
            gathered[*at] = *reading;
            *at += 1;
        }
        gathered
    }
}
