//! Summing up sensors: how many there are and how they do, their latest values by quantity, and
//! the state of traffic. Dense tables, no maps: this runs once per sensor and query.

use super::filter::QuantitySet;
use super::health::Judge;
use super::layout::Profile;
use super::shard::{Heard, Slot};
use crate::quantity::Quantity;
use crate::sensor::SensorKind;
use crate::time::Epoch;

/// How many sensors stand behind an answer. `sensors = live + silent + never_heard`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SensorCounts {
    /// All of them.
    pub sensors: u32,
    /// Heard within three expected intervals.
    pub live: u32,
    /// Not heard for longer.
    pub silent: u32,
    /// Registered, but no reading came yet.
    pub never_heard: u32,
    /// Those of the live ones that are stuck.
    pub suspect: u32,
}

/// The latest values of one quantity, over the live sensors (stuck ones too).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantityAggregate {
    /// Of what.
    pub quantity: Quantity,
    /// How many sensors have a value.
    pub sensors: u32,
    /// Mean, in the quantity's unit.
    pub mean: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Sum.
    pub sum: f64,
}

/// Traffic, over the live loops, radars and camera counters that have a speed or a flow. Each
/// figure is absent where no sensor gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficState {
    /// How many sensors.
    pub sensors: u32,
    /// Mean of the speeds.
    pub mean_speed_kmh: Option<f64>,
    /// Mean of the flows: flow per sensor.
    pub flow_veh_h: Option<f64>,
    /// Mean of flow / speed, over the sensors that report both and a speed above 0.
    pub density_veh_km: Option<f64>,
    /// Mean of speed / free-flow speed, over the sensors whose free-flow speed is known.
    pub speed_ratio: Option<f64>,
    /// From the speed ratio.
    pub level_of_service: Option<LevelOfService>,
}

/// Level of service of urban street segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "A is free flow, F is breakdown")]
pub enum LevelOfService {
    A,
    B,
    C,
    D,
    E,
    F,
}

impl LevelOfService {
    /// From mean speed / free-flow speed: HCM 6th edition, exhibit 18-1.
    pub fn of_speed_ratio(ratio: f64) -> LevelOfService {
        match ratio {
            r if r > 0.85 => LevelOfService::A,
            r if r > 0.67 => LevelOfService::B,
            r if r > 0.50 => LevelOfService::C,
            r if r > 0.40 => LevelOfService::D,
            r if r > 0.30 => LevelOfService::E,
            _ => LevelOfService::F,
        }
    }
}

/// Count and sum of some numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: u32,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
    }

    fn merge(&mut self, other: Mean) {
        self.count += other.count;
        self.sum += other.sum;
    }

    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// Count, sum and range of one quantity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    mean: Mean,
    min: f64,
    max: f64,
}

const NOTHING: Spread =
    Spread { mean: Mean { count: 0, sum: 0.0 }, min: f64::INFINITY, max: f64::NEG_INFINITY };

impl Spread {
    fn add(&mut self, value: f64) {
        self.mean.add(value);
        // Values are finite, so a plain choice will do: one instruction, where `f64::min` takes
        // five and a branch would often be guessed wrong.
        self.min = if value < self.min { value } else { self.min };
        self.max = if value > self.max { value } else { self.max };
    }

    fn merge(&mut self, other: &Spread) {
        self.mean.merge(other.mean);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// What traffic state is made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TrafficSums {
    sensors: u32,
    speed: Mean,
    flow: Mean,
    density: Mean,
    ratio: Mean,
}

impl TrafficSums {
    fn add(&mut self, speed: Option<f64>, flow: Option<f64>, free_flow_speed_kmh: f64) {
        if speed.is_none() && flow.is_none() {
            return;
        }
        self.sensors += 1;
        if let Some(flow) = flow {
            self.flow.add(flow);
        }
        let Some(speed) = speed else { return };
        self.speed.add(speed);
        if free_flow_speed_kmh > 0.0 {
            self.ratio.add(speed / free_flow_speed_kmh);
        }
        if let Some(flow) = flow.filter(|_| speed > 0.0) {
            self.density.add(flow / speed);
        }
    }

    fn merge(&mut self, other: &TrafficSums) {
        self.sensors += other.sensors;
        self.speed.merge(other.speed);
        self.flow.merge(other.flow);
        self.density.merge(other.density);
        self.ratio.merge(other.ratio);
    }

    fn state(&self) -> Option<TrafficState> {
        let speed_ratio = self.ratio.get();
        (self.sensors > 0).then(|| TrafficState {
            sensors: self.sensors,
            mean_speed_kmh: self.speed.get(),
            flow_veh_h: self.flow.get(),
            density_veh_km: self.density.get(),
            speed_ratio,
            level_of_service: speed_ratio.map(LevelOfService::of_speed_ratio),
        })
    }
}

/// The sums over some sensors.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) counts: SensorCounts,
    traffic: TrafficSums,
    /// Bit of each quantity that has a spread.
    seen: u32,
    spreads: [Spread; Quantity::COUNT],
}

/// A tally as it is kept per cell: its spreads lie in a common list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed {
    counts: SensorCounts,
    traffic: TrafficSums,
    seen: u32,
    first_spread: usize,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            counts: SensorCounts::default(),
            traffic: TrafficSums::default(),
            seen: 0,
            spreads: [NOTHING; Quantity::COUNT],
        }
    }

    /// Adds a sensor; says whether it is silent.
    #[inline]
    pub(crate) fn add(
        &mut self,
        judge: &Judge,
        heard: Heard,
        profile: &Profile,
        sensor: (&[Slot], QuantitySet),
    ) -> bool {
        self.counts.sensors += 1;
        if heard.arrival == Epoch::ZERO {
            self.counts.never_heard += 1;
            return false;
        }
        if judge.silent(heard, profile.interval_ms) {
            self.counts.silent += 1;
            return true;
        }
        self.counts.live += 1;
        self.counts.suspect += u32::from(self.add_values(judge, profile, sensor));
        false
    }

    /// Adds the latest values of a live sensor; says whether one of them is stuck.
    #[inline]
    fn add_values(
        &mut self,
        judge: &Judge,
        profile: &Profile,
        (values, wanted): (&[Slot], QuantitySet),
    ) -> bool {
        let mut stuck = false;
        for slot in values {
            let Some(quantity) = slot.quantity else { break };
            stuck |= judge.stuck(quantity, slot);
            if wanted.contains(quantity) {
                self.seen |= 1 << quantity.slot();
                self.spreads[quantity.slot()].add(slot.value);
            }
        }
        let traffic = matches!(
            profile.kind,
            SensorKind::TrafficLoop | SensorKind::Radar | SensorKind::CameraCounter
        );
        if traffic {
            // Slots are in order of quantity, and these two are the first there are.
            let value = |place: usize, quantity| {
                let slot = values.get(place).filter(|slot| slot.quantity == Some(quantity));
                slot.map(|slot| slot.value)
            };
            let speed = value(0, Quantity::SpeedKmh);
            let flow = value(usize::from(speed.is_some()), Quantity::FlowVehH);
            self.traffic.add(speed, flow, profile.free_flow_speed_kmh);
        }
        stuck
    }

    /// Moves the sums behind a list of spreads and starts over.
    pub(crate) fn pack(&mut self, spreads: &mut Vec<Spread>) -> Packed {
        let packed = Packed {
            counts: std::mem::take(&mut self.counts),
            traffic: std::mem::take(&mut self.traffic),
            seen: self.seen,
            first_spread: spreads.len(),
        };
        for slot in slots(std::mem::take(&mut self.seen)) {
            spreads.push(std::mem::replace(&mut self.spreads[slot], NOTHING));
        }
        packed
    }

    /// Adds sums that were packed.
    pub(crate) fn merge(&mut self, packed: &Packed, spreads: &[Spread]) {
        let (mine, more) = (&mut self.counts, &packed.counts);
        mine.sensors += more.sensors;
        mine.live += more.live;
        mine.silent += more.silent;
        mine.never_heard += more.never_heard;
        mine.suspect += more.suspect;
        self.traffic.merge(&packed.traffic);
        self.seen |= packed.seen;
        for (slot, spread) in slots(packed.seen).zip(&spreads[packed.first_spread..]) {
            self.spreads[slot].merge(spread);
        }
    }

    /// The values, in order of quantity.
    pub(crate) fn quantities(&self) -> Vec<QuantityAggregate> {
        let mut quantities = Vec::with_capacity(self.seen.count_ones() as usize);
        quantities.extend(slots(self.seen).map(|slot| aggregate(slot, &self.spreads[slot])));
        quantities
    }

    /// The state of traffic, if a live sensor tells of it.
    pub(crate) fn traffic(&self) -> Option<TrafficState> {
        self.traffic.state()
    }
}

impl Packed {
    /// Counts, values and traffic.
    pub(crate) fn open(
        &self,
        spreads: &[Spread],
    ) -> (SensorCounts, Vec<QuantityAggregate>, Option<TrafficState>) {
        let mut quantities = Vec::with_capacity(self.seen.count_ones() as usize);
        let spreads = slots(self.seen).zip(&spreads[self.first_spread..]);
        quantities.extend(spreads.map(|(slot, spread)| aggregate(slot, spread)));
        (self.counts, quantities, self.traffic.state())
    }
}

fn aggregate(slot: usize, spread: &Spread) -> QuantityAggregate {
    let number = u8::try_from(slot + 1).expect("quantities have numbers of 8 bits");
    QuantityAggregate {
        quantity: Quantity::from_number(number).expect("a slot is that of a quantity"),
        sensors: spread.mean.count,
        mean: spread.mean.sum / f64::from(spread.mean.count),
        min: spread.min,
        max: spread.max,
        sum: spread.mean.sum,
    }
}

/// The numbers of the bits that are set, in order.
fn slots(mut seen: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = (seen != 0).then_some(seen.trailing_zeros())?;
        seen &= seen - 1;
        Some(slot as usize)
    })
}
