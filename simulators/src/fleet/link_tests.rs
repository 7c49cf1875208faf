//! Traffic sensors against the links they name: where they stand, and whether what they say could
//! be the traffic of that link.

use std::collections::BTreeMap;

use citytwin_proto::ingest::v1::{Quantity, SensorKind};

use super::*;
use crate::city::Link;
use crate::city::plane::nearest_part;
use crate::shapes::day::Moment;
use crate::shapes::sky::Sky;
use crate::shapes::traffic::{JAM_DENSITY_VEH_KM, VEHICLE_KM};

/// Monday 2026-06-01 00:00 at Ho Chi Minh City.
const MIDNIGHT: i64 = 1_780_246_800_000;

fn demo() -> (&'static City, Fleet) {
    let city = City::shared();
    let fleet = Fleet::new(&FleetSpec { sensors: 8_000, ..FleetSpec::default() }, city).unwrap();
    (city, fleet)
}

/// The traffic sensors with their shapes and links.
fn traffic<'a>(city: &'a City, fleet: &'a Fleet) -> Vec<(&'a SimSensor, &'a Shape, &'a Link)> {
    let links: BTreeMap<&str, &Link> =
        city.links().iter().map(|link| (link.key.as_str(), link)).collect();
    assert_eq!(links.len(), city.links().len(), "a link's name is its own");
    let pairs = fleet.sensors().iter().zip(fleet.shapes());
    let traffic = pairs.filter(|(sensor, _)| {
        matches!(
            sensor.kind,
            SensorKind::TrafficLoop
                | SensorKind::Radar
                | SensorKind::CameraCounter
                | SensorKind::SignalController
        )
    });
    traffic.map(|(sensor, shape)| (sensor, shape, links[sensor.link.as_str()])).collect()
}

fn measured(shape: &Shape, time_ms: i64) -> BTreeMap<Quantity, f64> {
    let moment = Moment::at(time_ms, true);
    let mut sky = Sky::new(1, true);
    sky.turn_to(&moment);
    shape.measure(&moment, &sky).as_slice().iter().copied().collect()
}

#[test]
fn traffic_sensors_stand_in_their_lane() {
    let (city, fleet) = demo();
    let traffic = traffic(city, &fleet);
    assert!(traffic.len() > 2_000, "{}", traffic.len());
    for (sensor, shape, link) in traffic {
        assert!(sensor.lane <= sensor.lanes && sensor.lanes == link.class.lanes(), "{sensor:?}");
        assert!((sensor.free_flow_speed_kmh - link.class.free_flow_speed_kmh()).abs() < 1e-9);
        let part = nearest_part(link.start, link.end, shape.spot);
        assert!((0.05..0.99).contains(&part), "{sensor:?} is beyond its link");
        let away_m = link.spot_at(part, 0.0).distance_km(shape.spot) * 1_000.0;
        assert!(away_m < f64::from(sensor.lanes) * 3.3, "{sensor:?} is {away_m} m from its link");
    }
}

#[test]
fn readings_lie_inside_the_diagram_of_the_link() {
    let (city, fleet) = demo();
    let mut fullest = 0.0_f64;
    for (sensor, shape, link) in traffic(city, &fleet) {
        let (free, capacity) = (link.class.free_flow_speed_kmh(), link.class.capacity_veh_h());
        let lanes = if sensor.lane == 0 { f64::from(sensor.lanes) } else { 1.0 };
        let light = city.light(link).map_or(1.0, |light| light.share());
        let wave = capacity / (JAM_DENSITY_VEH_KM - capacity / free);
        for hour in 0..24 {
            let values = measured(shape, MIDNIGHT + hour * 3_600_000 + 420_000);
            let flow = values[&Quantity::FlowVehH] / lanes;
            assert!(flow <= capacity, "{flow} of {capacity}: {sensor:?}");
            assert!(flow <= capacity * light + 6.0, "{flow} of {capacity} · {light}: {sensor:?}");
            fullest = fullest.max(flow / (capacity * light));
            let (Some(speed), Some(occupancy)) =
                (values.get(&Quantity::SpeedKmh), values.get(&Quantity::OccupancyRatio))
            else {
                continue;
            };
            assert!(*speed <= free * 1.051, "{speed} of {free}: {sensor:?}");
            let density = occupancy / VEHICLE_KM;
            let most = wave * (JAM_DENSITY_VEH_KM - density);
            // A step of flow, a step of occupancy.
            assert!(flow <= most + 6.0 + wave * 0.08, "{flow} of {most}: {sensor:?}");
        }
    }
    assert!(fullest > 0.8, "nobody comes near to capacity: {fullest}");
}

#[test]
fn sensors_of_a_link_agree() {
    let (city, fleet) = demo();
    let mut by_link: BTreeMap<&str, Vec<(&SimSensor, &Shape)>> = BTreeMap::new();
    for (sensor, shape, link) in traffic(city, &fleet) {
        by_link.entry(&link.key).or_default().push((sensor, shape));
    }
    let mut pairs = 0;
    for own in by_link.values().filter(|own| own.len() > 1) {
        for hour in [3, 9, 13] {
            let per_lane = own.iter().map(|(sensor, shape)| {
                let lanes = if sensor.lane == 0 { f64::from(sensor.lanes) } else { 1.0 };
                measured(shape, MIDNIGHT + hour * 3_600_000)[&Quantity::FlowVehH] / lanes
            });
            let flows: Vec<f64> = per_lane.collect();
            let most = flows.iter().copied().fold(0.0, f64::max);
            let least = flows.iter().copied().fold(f64::MAX, f64::min);
            // The noise of two sensors and a step of counting each.
            assert!(most - least <= most * 0.07 + 12.0, "{flows:?} on {:?}", own[0].0);
            pairs += 1;
        }
    }
    assert!(pairs > 1_000, "{pairs}");
}

#[test]
fn flows_are_the_load_of_the_link_times_the_share_of_the_hour() {
    let (city, fleet) = demo();
    let (mut seen, mut meant, mut great) = (0.0, 0.0, 0);
    for (sensor, shape, link) in traffic(city, &fleet) {
        let load = city.loads().flow_pcu_h()[link.id as usize - 1];
        let part = if sensor.lane == 0 { 1.0 } else { 1.0 / f64::from(sensor.lanes) };
        for (hour, share) in [(3, 0.05), (10, 0.65), (17, 1.0)] {
            let flow = measured(shape, MIDNIGHT + hour * 3_600_000)[&Quantity::FlowVehH];
            let wanted = load * part * share;
            // Drift and noise, and half a step of counting.
            assert!((flow - wanted).abs() <= wanted * 0.051 + 6.1, "{flow} {wanted} {sensor:?}");
            seen += flow;
            meant += wanted;
            great += u32::from(wanted > 500.0);
        }
    }
    assert!((seen / meant - 1.0).abs() < 0.02, "{seen} of {meant}");
    assert!(great > 500, "{great}");
}
