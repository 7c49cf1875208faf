//! What a scenario is laid on: the traffic of the city at one epoch, estimated from its sensors.

use citytwin_core::time::{Epoch, EventTime};
use citytwin_core::traffic::start::{
    EstimateSettings, LeftOut, MeasureSettings, Measurements, Source, Start,
};
use citytwin_core::twin::Snapshot;
use serde::{Deserialize, Serialize};

use super::roads::Roads;

/// A start and what it is known from. Stored as postcard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// What it is known from.
    pub state: BaseState,
    /// The traffic.
    pub start: Start,
}

/// What a start is known from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaseState {
    /// Of the snapshot.
    pub epoch: Epoch,
    /// Of the snapshot.
    pub watermark: EventTime,
    /// Links with live sensors.
    pub links_measured: u32,
    /// All others.
    pub links_estimated: u32,
    /// Mean quality of the links by length, 0 to 1.
    pub quality: f64,
    /// Traffic sensors on a link whose readings count.
    pub sensors_used: u32,
    /// Those on a link whose readings do not count.
    pub sensors_left_out: u32,
    /// Those without a link.
    pub sensors_unmatched: u32,
}

impl Base {
    /// From a snapshot, which is only read. The same snapshot and roads give the same bytes.
    pub fn of(snapshot: &Snapshot, roads: &Roads) -> Base {
        let matching = roads.matching(snapshot);
        let settings = MeasureSettings::default();
        let measured = Measurements::of(snapshot, &roads.network, &matching.matched, settings);
        let start = Start::estimate(&roads.network, &measured, EstimateSettings::default());
        let links_measured = start.links.iter().filter(|one| one.source == Source::Measured);
        let links_measured = count(links_measured.count());
        let state = BaseState {
            epoch: snapshot.epoch,
            watermark: snapshot.watermark,
            links_measured,
            links_estimated: count(start.links.len()) - links_measured,
            quality: start.quality(&roads.network),
            sensors_used: measured.links.iter().map(|link| link.sensors).sum(),
            sensors_left_out: left_out(measured.left_out),
            sensors_unmatched: count(matching.unmatched.len()),
        };
        Base { state, start }
    }
}

const fn left_out(sensors: LeftOut) -> u32 {
    let LeftOut { never_heard, silent, stuck, nothing_fresh, unknown } = sensors;
    never_heard + silent + stuck + nothing_fresh + unknown
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("sensors and links are counted in u32")
}
