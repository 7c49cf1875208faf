//! Who shares a connection: some sensors have their own, the rest is behind gateways. A gateway
//! serves neighbours of one agency.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Roster;
use super::source::Role;

/// One role for each connection: gateways by agency, then single sensors.
pub(super) fn roles(roster: &Roster) -> Vec<Role> {
    let total = roster.spec.sensors;
    let direct = roster.spec.connections.direct;
    // Spread evenly over the sensors: the n-th begins a new whole of n × direct / total.
    let is_direct = |n: u32| {
        let before = u64::from(n) * u64::from(direct) / u64::from(total);
        (u64::from(n) + 1) * u64::from(direct) / u64::from(total) > before
    };
    let (own, shared): (Vec<u32>, Vec<u32>) = (0..total).partition(|n| is_direct(*n));
    let mut roles = gateways(roster, &shared);
    roles.extend(own.into_iter().map(|sensor| single(roster, sensor)));
    roles
}

fn single(roster: &Roster, sensor: u32) -> Role {
    let known = &roster.sensors[sensor as usize];
    Role {
        client_id: format!("sensor-{}", known.id),
        agency: known.agency.clone(),
        sensors: vec![sensor],
        topic: None,
        flush_ms: 1,
        readings_per_message: roster.spec.connections.readings_per_message as usize,
        full_only: false,
    }
}

fn gateways(roster: &Roster, shared: &[u32]) -> Vec<Role> {
    let mut agencies: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for sensor in shared {
        let agency = roster.sensors[*sensor as usize].agency.as_str();
        agencies.entry(agency).or_default().push(*sensor);
    }
    let mut roles = Vec::new();
    let wanted = wanted_gateways(roster, &agencies);
    for ((agency, mut sensors), parts) in agencies.into_iter().zip(wanted) {
        sensors.sort_by_key(|sensor| (curve(roster, *sensor), *sensor));
        for part in 0..parts {
            let (from, to) = (sensors.len() * part / parts, sensors.len() * (part + 1) / parts);
            let mut members = sensors[from..to].to_vec();
            members.sort_unstable();
            roles.push(gateway(roster, agency, part + 1, members));
        }
    }
    roles
}

fn gateway(roster: &Roster, agency: &str, number: usize, sensors: Vec<u32>) -> Role {
    let connections = &roster.spec.connections;
    let topic = format!("city/v1/{agency}/gateway-{number:05}/readings");
    Role {
        client_id: format!("gateway-{agency}-{number:05}"),
        agency: agency.to_owned(),
        sensors,
        topic: (connections.readings_per_message > 1).then(|| Arc::from(topic)),
        flush_ms: i64::from(connections.flush_ms),
        readings_per_message: connections.readings_per_message as usize,
        full_only: false,
    }
}

/// How many gateways each agency gets, at least one: by the size of a gateway, or as its share
/// of the number asked for.
fn wanted_gateways(roster: &Roster, agencies: &BTreeMap<&str, Vec<u32>>) -> Vec<usize> {
    let connections = &roster.spec.connections;
    let sizes: Vec<usize> = agencies.values().map(Vec::len).collect();
    let Some(wanted) = connections.gateways else {
        let size = connections.sensors_per_gateway as usize;
        return sizes.iter().map(|sensors| sensors.div_ceil(size)).collect();
    };
    let all: usize = sizes.iter().sum();
    let spare = (wanted as usize).saturating_sub(sizes.len());
    let mut seen = 0;
    sizes
        .iter()
        .map(|sensors| {
            let before = spare * seen / all;
            seen += sensors;
            (1 + spare * seen / all - before).min(*sensors)
        })
        .collect()
}

/// Position on a Z-order curve of about 200 m squares: neighbours are mostly close.
fn curve(roster: &Roster, sensor: u32) -> u64 {
    let spot = roster.shapes[sensor as usize].spot;
    let east = square(spot.east_km);
    let north = square(spot.north_km);
    (0..16).fold(0, |code, bit| {
        code | (east >> bit & 1) << (2 * bit) | (north >> bit & 1) << (2 * bit + 1)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "kilometres of a city, moved above 0"
)]
fn square(km: f64) -> u64 {
    ((km + 100.0).max(0.0) * 5.0) as u64
}
