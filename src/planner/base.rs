//! What a scenario is laid on: what the city's sensors measured on its roads at one epoch. The
//! traffic that follows from it is estimated when a run needs it.

use std::ops::ControlFlow;

use citytwin_core::road::Network;
use citytwin_core::time::{Epoch, EventTime};
use citytwin_core::traffic::start::{
    EstimateSettings, LeftOut, MeasureSettings, Measurements, Origin, Start,
};
use citytwin_core::twin::Snapshot;
use serde::{Deserialize, Serialize};

use super::error::PlannerError;
use super::roads::Roads;

/// What a start is estimated from. Stored as postcard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// In short.
    pub state: BaseState,
    /// By link.
    pub measured: Measurements,
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
        let (links_measured, quality) = measured.reach(&roads.network);
        let state = BaseState {
            epoch: snapshot.epoch,
            watermark: snapshot.watermark,
            links_measured: count(links_measured),
            links_estimated: count(roads.network.links().len() - links_measured),
            quality,
            sensors_used: measured.links.iter().map(|link| link.sensors).sum(),
            sensors_left_out: left_out(measured.left_out),
            sensors_unmatched: count(matching.unmatched.len()),
        };
        Base { state, measured }
    }

    /// The name of the start that follows from it.
    pub fn origin(&self) -> Origin {
        Origin::of(&self.measured, EstimateSettings::default())
    }

    /// The traffic of every link, estimated: tens to hundreds of milliseconds, in which whoever
    /// watches is asked every few.
    ///
    /// # Errors
    /// [`PlannerError::Cancelled`] when told to stop.
    pub fn start(
        &self,
        network: &Network,
        watch: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Start, PlannerError> {
        let settings = EstimateSettings::default();
        let start = Start::estimate_watched(network, &self.measured, settings, watch);
        start.continue_value().ok_or(PlannerError::Cancelled)
    }
}

const fn left_out(sensors: LeftOut) -> u32 {
    let LeftOut { never_heard, silent, stuck, nothing_fresh, unknown } = sensors;
    never_heard + silent + stuck + nothing_fresh + unknown
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("sensors and links are counted in u32")
}
