//! Operator: says of every reading what becomes of it. A reading's identity is (sensor, quantity,
//! event time); the second with the same identity is a repeat. Readings that count, and those that
//! do not, are noted for the archive here; everything is passed on.

use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;

use crate::ledger::Outcome;
use crate::reading::{Reading, RefusalReason, Verdict};
use crate::time::{Epoch, EventTime};

use super::closed::{AppliedReading, Lateness, RefusedReading};
use super::column::Column;
use super::packet::{Batch, Cargo, Judgement, Packet, Step};
use super::publish::Part;
use super::series::SeriesIndex;
use super::settings::Settings;
use super::times::{Seen, Times};

/// The event times of one worker's series.
#[derive(Debug)]
pub(super) struct Dedupe {
    horizon_ms: i64,
    window_ms: i64,
    revision_horizon_ms: i64,
    /// At the close of the epoch before this one.
    watermark: EventTime,
    index: SeriesIndex,
    times: Column<Times>,
}

impl Dedupe {
    /// Goes on from what is remembered of each series, by number.
    pub(super) fn new(
        settings: &Settings,
        watermark: EventTime,
        index: SeriesIndex,
        times: Column<Times>,
    ) -> Dedupe {
        Dedupe {
            horizon_ms: settings.dedupe_horizon_ms,
            window_ms: settings.window_ms,
            revision_horizon_ms: settings.revision_horizon_ms,
            watermark,
            index,
            times,
        }
    }

    /// Judges a batch and notes in the epoch's part what counts and what does not.
    fn judge(&mut self, epoch: Epoch, batch: &Batch, part: &mut Part) -> Vec<Judgement> {
        part.readings.rows.reserve(batch.readings.len());
        let mut judgements = Vec::with_capacity(batch.readings.len());
        for (position, reading) in batch.readings.iter().enumerate() {
            let judgement = self.judge_one(reading);
            judgements.push(judgement);
            let ordinal = batch.ordinals.get(position).copied();
            let Reading { event_time, value, sensor, quantity, verdict: _ } = *reading;
            if let Some((_, lateness)) = judgement.counts {
                let row = AppliedReading { event_time, value, epoch, sensor, quantity, lateness };
                part.readings.push(row, ordinal);
            } else {
                let outcome = judgement.outcome;
                let row = RefusedReading { event_time, epoch, sensor, quantity, outcome };
                part.refusals.push(row, ordinal);
            }
        }
        judgements
    }

    #[inline]
    fn judge_one(&mut self, reading: &Reading) -> Judgement {
        if let Verdict::Refused(reason) = reading.verdict {
            return Judgement { outcome: Outcome::Refused(reason), counts: None };
        }
        let series = self.index.number(reading.sensor, reading.quantity);
        let seen = self.times.get_mut(series).insert(reading.event_time.ms(), self.horizon_ms);
        let outcome = match seen {
            Seen::New if reading.event_time >= self.watermark => {
                return Judgement {
                    outcome: Outcome::Applied,
                    counts: Some((series, Lateness::OnTime)),
                };
            }
            Seen::New => {
                let counts = Some((series, self.lateness(reading.event_time)));
                return Judgement { outcome: Outcome::LateApplied, counts };
            }
            Seen::Repeat => Outcome::Duplicate,
            Seen::Behind => Outcome::Refused(RefusalReason::BehindDedupeHorizon),
        };
        Judgement { outcome, counts: None }
    }

    /// Of a late reading: whether its window is still open or held.
    fn lateness(&self, event_time: EventTime) -> Lateness {
        let offset = event_time.ms().rem_euclid(self.window_ms);
        let end = event_time.plus_ms(-offset).plus_ms(self.window_ms);
        let held_from = self.watermark.plus_ms(-self.revision_horizon_ms);
        if end > held_from { Lateness::Revised } else { Lateness::ArchivedOnly }
    }
}

/// Adds dedupe to the stream: the first operator of a worker, to which the packets are exchanged.
pub(super) fn dedupe(
    packets: StreamVec<'_, Epoch, Packet>,
    mut dedupe: Dedupe,
) -> StreamVec<'_, Epoch, Step> {
    let exchange = Exchange::new(|packet: &Packet| packet.to);
    packets.unary(exchange, "dedupe", move |_, _| {
        let mut part = Box::<Part>::default();
        move |input, output| {
            input.for_each(|capability, packets| {
                let epoch = *capability.least().expect("every packet has an epoch");
                let mut session = output.session(&capability);
                for packet in packets.drain(..) {
                    session.give(match packet.cargo {
                        Cargo::Sensors(settlements) => Step::Sensors(settlements),
                        Cargo::Readings(batch) => {
                            let judgements = dedupe.judge(epoch, &batch, &mut part);
                            Step::Readings(batch.readings, judgements)
                        }
                        Cargo::Close(close) => {
                            dedupe.watermark = close.watermark;
                            let mut part = std::mem::take(&mut part);
                            part.epoch = epoch;
                            if close.cut {
                                part.times = Some(dedupe.times.clone());
                            }
                            Step::Close(close, part)
                        }
                    });
                }
            });
        }
    })
}
