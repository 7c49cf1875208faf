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
//! The watermark at the close of `e` is the highest of: what it was; the newest credible event
//! time less the lateness; in live mode the end of `e` less the lateness and `idle_after`, so that
//! silence does not hold windows open for ever. Credible is what admission took: a refused reading
//! moves nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use timely::dataflow::InputHandleVec;

use crate::frame::{DeadLetter, Frame, SensorChange};
use crate::reading::{Reading, Verdict};
use crate::time::{Epoch, EventTime, TimeMode};
use crate::twin::{DeadLetters, SensorTable, Snapshot};

use super::packet::{Batch, Cargo, Close, Packet, Settlement, worker_of};
use super::publish::Header;
use super::settings::{EngineError, Settings};

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
    /// By sensor; empty with one worker.
    workers: Vec<u8>,
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
            workers: Vec::new(),
            watermark: snapshot.watermark,
            newest,
            open: None,
            closed,
            headers: VecDeque::new(),
        };
        feeder.route_new_sensors();
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
        self.route_new_sensors();
        let mut shares = vec![Vec::new(); self.settings.workers];
        for change in &changes {
            let home = self.table.home(change.index).expect("it was just registered");
            let worker = self.workers.get(change.index.slot()).copied().unwrap_or(0);
            let description = change.description.clone();
            shares[usize::from(worker)].push(Settlement {
                sensor: change.index,
                home,
                description,
            });
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
            let share = &mut shares[usize::from(self.workers[reading.sensor.slot()])];
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
        let lateness_ms = self.settings.lateness_ms;
        self.watermark = self.watermark.max(self.newest.plus_ms(-lateness_ms));
        if self.settings.mode == TimeMode::Live {
            let end = EventTime::from_ms(open.epoch.end().ms());
            let silent = end.plus_ms(-lateness_ms).plus_ms(-self.settings.idle_after_ms);
            self.watermark = self.watermark.max(silent);
        }
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

    fn route_new_sensors(&mut self) {
        let workers = self.settings.workers;
        if workers == 1 {
            return;
        }
        for slot in self.workers.len()..self.table.len() {
            let sensor = u32::try_from(slot).expect("sensor numbers have 32 bits");
            let home = self.table.home(crate::sensor::SensorIndex::new(sensor));
            let worker = worker_of(home.expect("the table has no gaps"), workers);
            self.workers.push(u8::try_from(worker).expect("at most 64 workers"));
        }
    }
}
