//! Traffic on a link: its load of the peak hour times the hour's share of it, on a triangular
//! fundamental diagram (Newell 1993, Daganzo 1994). Up to capacity vehicles run freely, a little
//! slower the fuller the street is; beyond it the queue's density grows and flow falls along the
//! wave speed. Flow is density times speed in both regimes. Before a traffic light the peak is what
//! its green lets through, so that states lie inside the link's own triangle. Rain lowers speed and
//! capacity, not what is wanted: only then the fullest streets queue.
//!
//! All links share the hour's factor and its slow drift, so that flows balance at junctions at every
//! moment as the loads do. All sensors of a link see the same traffic, each with a little noise of
//! its own.

use super::day::Moment;
use super::sky::Sky;
use super::{Shape, Values, rounded};
use crate::chance::{bits, draw, hill, smooth};
use citytwin_proto::ingest::v1::Quantity;

/// Vehicles in a kilometre of lane when nothing moves.
pub const JAM_DENSITY_VEH_KM: f64 = 130.0;
/// Length of a vehicle as a detector sees it, in kilometres.
pub const VEHICLE_KM: f64 = 0.0065;
/// Noise of one sensor: its speed, and its flow.
const SPEED_NOISE: f64 = 0.05;
const FLOW_NOISE: f64 = 0.03;
/// How far the whole city's traffic drifts from the usual, and within what time.
const DRIFT: f64 = 0.02;
const DRIFT_MS: i64 = 1_800_000;
/// Delay at capacity in times of the empty link, and its power (Bureau of Public Roads 1964).
const DELAY: (f64, i32) = (0.15, 4);

/// One lane of a link at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LaneState {
    /// Vehicles an hour.
    pub flow_veh_h: f64,
    /// Their speed.
    pub speed_kmh: f64,
    /// Vehicles in a kilometre.
    pub density_veh_km: f64,
    /// How far the density is between the critical one (0) and that of a jam (1).
    pub jam: f64,
}

/// The lane when `load` times its capacity is wanted.
pub fn lane_state(free_kmh: f64, capacity_veh_h: f64, load: f64) -> LaneState {
    let critical = capacity_veh_h / free_kmh;
    if load <= 1.0 {
        let flow_veh_h = capacity_veh_h * load.max(0.0);
        let density_veh_km = flow_veh_h / free_kmh;
        return LaneState { flow_veh_h, speed_kmh: free_kmh, density_veh_km, jam: 0.0 };
    }
    let jam = (1.0 - 1.0 / (load * load)).min(0.95);
    let density_veh_km = critical + (JAM_DENSITY_VEH_KM - critical) * jam;
    let wave_kmh = capacity_veh_h / (JAM_DENSITY_VEH_KM - critical);
    let flow_veh_h = wave_kmh * (JAM_DENSITY_VEH_KM - density_veh_km);
    LaneState { flow_veh_h, speed_kmh: flow_veh_h / density_veh_km, density_veh_km, jam }
}

/// What is wanted of a link at a moment, as a share of what its green lets through when dry. Sensors
/// see it with noise.
pub fn wanted(shape: &Shape, moment: &Moment) -> f64 {
    let drift = smooth(shape.city_seed, moment.time_ms, DRIFT_MS);
    moment.demand() * shape.busy * (1.0 + DRIFT * drift)
}

/// What a traffic sensor of this shape sees.
pub(super) fn lane(shape: &Shape, moment: &Moment, sky: &Sky) -> LaneState {
    let wet = (sky.rain_mm_h(shape.spot, moment.hour) / 40.0).min(1.0);
    let lot = draw(shape.seed, bits(moment.time_ms));
    let seen = wanted(shape, moment) * (1.0 + FLOW_NOISE * hill(lot.rotate_left(17)));
    let pace = 1.0 + SPEED_NOISE * hill(lot);
    let slow = 1.0 + DELAY.0 * seen.min(1.0).powi(DELAY.1);
    let free = shape.free_flow_kmh * (1.0 - 0.25 * wet) * pace / slow;
    let green = shape.light.map_or(1.0, |light| light.share());
    let dry = shape.capacity_veh_h * green;
    let capacity = dry * (1.0 - 0.15 * wet);
    lane_state(free, capacity, seen * dry / capacity)
}

/// Speed, flow and occupancy. Flow in steps of 12: five-minute counts.
pub(super) fn detector(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let lane = lane(shape, moment, sky);
    out.put(Quantity::SpeedKmh, rounded(lane.speed_kmh, 10.0));
    out.put(Quantity::FlowVehH, counted(shape, &lane));
    let occupancy = (lane.density_veh_km * VEHICLE_KM).min(1.0);
    out.put(Quantity::OccupancyRatio, rounded(occupancy, 1_000.0));
}

/// Flow, queue before the stop line and travel time over the link.
pub(super) fn camera(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let lane = lane(shape, moment, sky);
    out.put(Quantity::FlowVehH, counted(shape, &lane));
    out.put(Quantity::QueueM, queue_m(shape, moment, &lane));
    let wait = shape.light.map_or(0.0, |light| {
        let red_s = light.cycle_s - light.green_s;
        red_s * red_s / (2.0 * light.cycle_s)
    });
    let travel = shape.length_km / lane.speed_kmh.max(1.0) * 3_600.0 + wait * (1.0 + lane.jam);
    out.put(Quantity::TravelTimeS, rounded(travel, 10.0));
}

/// Queue and flow at the stop line.
pub(super) fn controller(shape: &Shape, moment: &Moment, sky: &Sky, out: &mut Values) {
    let lane = lane(shape, moment, sky);
    out.put(Quantity::QueueM, queue_m(shape, moment, &lane));
    out.put(Quantity::FlowVehH, counted(shape, &lane));
}

/// Grows through red, falls through green; in a jam it reaches back along the link.
fn queue_m(shape: &Shape, moment: &Moment, lane: &LaneState) -> f64 {
    let vehicles = shape.light.map_or(0.0, |light| {
        let red_s = light.cycle_s - light.green_s;
        let into_s = (moment.time_ms as f64 / 1_000.0 - light.red_from_s).rem_euclid(light.cycle_s);
        let arriving = lane.flow_veh_h / 3_600.0 * into_s;
        let leaving = shape.capacity_veh_h / 3_600.0 * (into_s - red_s).max(0.0);
        (arriving - leaving).max(0.0)
    });
    let back = shape.length_km * 1_000.0 * lane.jam;
    rounded(vehicles * 7.5 + back, 1.0)
}

/// Five-minute counts of the lanes that are seen, as vehicles an hour; rounded, but never to more
/// than the lanes can carry.
fn counted(shape: &Shape, lane: &LaneState) -> f64 {
    let most = shape.capacity_veh_h * shape.seen_lanes;
    let flow = (lane.flow_veh_h * shape.seen_lanes / 12.0).round();
    flow.min((most / 12.0).floor()) * 12.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_is_density_times_speed_on_both_sides_of_a_triangle() {
        for free in [30.0, 50.0, 70.0] {
            for capacity in [800.0, 1_800.0] {
                let critical = capacity / free;
                let wave = capacity / (JAM_DENSITY_VEH_KM - critical);
                let mut last_flow = -1.0;
                for step in 0..200 {
                    let load = f64::from(step) / 100.0;
                    let lane = lane_state(free, capacity, load);
                    let product = lane.density_veh_km * lane.speed_kmh;
                    assert!((lane.flow_veh_h - product).abs() < 1e-6);
                    let left = free * lane.density_veh_km;
                    let right = wave * (JAM_DENSITY_VEH_KM - lane.density_veh_km);
                    assert!((lane.flow_veh_h - left.min(right)).abs() < 1e-6, "{lane:?}");
                    assert_eq!(load <= 1.0, lane.flow_veh_h > last_flow || step == 0);
                    last_flow = lane.flow_veh_h;
                }
            }
        }
    }
}
