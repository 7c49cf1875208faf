//! Our side of the comparison with other programs (`benches/peers/`): one demand on the roads of
//! central Ho Chi Minh City, everybody on the way that is shortest without traffic, as it is and
//! with one busy link closed. Leaves in a folder, as CSV with link keys of the network:
//!
//! ```text
//! nodes.csv   key, x_m, y_m, signal
//! links.csv   key, from, to, length_m, speed_mps, lanes, capacity_veh_h, jam_veh_m, class
//! trips.csv   depart_s, links of the way, links of the way when one is closed (both by ;)
//! ours.csv    link, seconds of all vehicles on it: base, closed
//! ours.txt    link that is closed; per run vehicle seconds, seconds of wall and processor, arrived
//! ```

use std::fmt::Write as _;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use citytwin_core::traffic::ltm::{
    Change, Effect, Plan, PlanInputs, RouteChoice, Routing, State, run as go,
};

use crate::city::{self, City, HOUR_S};
use crate::ltm::processor_s;

/// Vehicles an hour, if nothing else is said.
pub(crate) const TRIPS: usize = 9_500;
/// Places they go to.
const DESTINATIONS: usize = 100;

/// Metres in a degree of latitude.
const M_PER_DEGREE: f64 = 111_195.0;

pub(crate) fn run(folder: &Path, trips_an_hour: usize, data: &Path) {
    let roads = city::read(&data.join("hcmc/hcmc_center_20260327.osm.pbf"));
    let mut city =
        City::new(roads.expect("the roads are in the data"), trips_an_hour, DESTINATIONS);
    fs::create_dir_all(folder).expect("the folder can be made");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("the table can be written");
    };
    write("nodes.csv", nodes(&city));
    write("links.csv", links(&city));
    let base = routes(&city);
    let closed = busiest(&mut city, &base);
    let detours = routes(&city);
    write("trips.csv", trips(&city, &base, &detours));
    let key = |link: u32| city.roads.links()[link as usize].key().to_string();
    let (open, detour) = (hour(&city, None), hour(&city, Some(closed)));
    let mut table = "link,base_s,closed_s\n".to_owned();
    for (link, (base, closed)) in (0..).zip(open.0.iter().zip(&detour.0)) {
        writeln!(table, "{},{base},{closed}", key(link)).expect("texts grow");
    }
    write("ours.csv", table);
    let told = |name: &str, (seconds, [wall_s, cpu_s], arrived): &Hour| {
        format!("{name} {} {wall_s} {cpu_s} {arrived}\n", seconds.iter().sum::<f64>())
    };
    let text = format!("link {}\n", key(closed)) + &told("base", &open) + &told("closed", &detour);
    write("ours.txt", text);
}

fn routes(city: &City) -> Vec<Vec<u32>> {
    city.trips.iter().map(|trip| city.route(trip).expect("all have a way")).collect()
}

/// The link that most pass and nobody begins or ends on, that leaves everybody a way when it is
/// closed; it is closed then.
fn busiest(city: &mut City, routes: &[Vec<u32>]) -> u32 {
    let mut counts: Vec<(i64, u32)> = (0..).take(city.links.len()).map(|link| (0, link)).collect();
    for link in routes.iter().flat_map(|route| route.iter().skip(1).rev().skip(1)) {
        counts[*link as usize].0 -= 1;
    }
    counts.sort_unstable();
    for (_, link) in counts {
        city.find_ways(Some(link));
        if city.trips.iter().all(|trip| city.route(trip).is_some()) {
            return link;
        }
    }
    unreachable!("a town has more than one way")
}

/// Seconds of all vehicles on each link, seconds of wall and processor, vehicles that arrived.
type Hour = (Vec<f64>, [f64; 2], f64);

/// Runs an hour.
fn hour(city: &City, closed: Option<u32>) -> Hour {
    let (network, starts) = city.network();
    let change =
        |link| Change { from_s: 0.0, until_s: f64::INFINITY, effect: Effect::Close { link } };
    let inputs = PlanInputs {
        step_s: 4.0,
        interval_s: 60.0,
        demand: city.demand(&starts),
        // Longer than the hour: routes stay as they are at the start.
        routing: Routing::Destinations(RouteChoice { every_s: 2.0 * HOUR_S, theta_per_s: None }),
        limits: Vec::new(),
        signals: Vec::new(),
        changes: closed.map(change).into_iter().collect(),
    };
    let plan = Plan::new(Arc::new(network), inputs).expect("a sound plan");
    let mut state = State::empty(&plan);
    let mut seconds = vec![0.0; city.links.len()];
    let (wall, cpu_s) = (Instant::now(), processor_s());
    let ended = go(&plan, &mut state, HOUR_S, |interval| {
        for ((sum, figures), link) in seconds.iter_mut().zip(&interval.links).zip(&city.links) {
            *sum += figures.density_pcu_m * link.length_m * (interval.until_s - interval.from_s);
        }
        ControlFlow::<()>::Continue(())
    });
    let times = [wall.elapsed().as_secs_f64(), processor_s() - cpu_s];
    (seconds, times, ended.continue_value().expect("it is not stopped").left_pcu)
}

fn nodes(city: &City) -> String {
    let places = city.roads.junctions();
    let origin = places[0].position();
    let narrow = origin.latitude_deg().to_radians().cos();
    let mut table = "key,x_m,y_m,signal\n".to_owned();
    for place in places {
        let east = (place.position().longitude_deg() - origin.longitude_deg()) * narrow;
        let north = place.position().latitude_deg() - origin.latitude_deg();
        let (x, y) = (east * M_PER_DEGREE, north * M_PER_DEGREE);
        let signal = place.control().name() == "signal";
        writeln!(table, "{},{x:.2},{y:.2},{signal}", place.key()).expect("texts grow");
    }
    table
}

fn links(city: &City) -> String {
    let key = |junction: u32| city.roads.junctions()[junction as usize].key().to_string();
    let head = "key,from,to,length_m,speed_mps,lanes,capacity_veh_h,jam_veh_m,class\n";
    let mut table = head.to_owned();
    for (road, link) in city.roads.links().iter().zip(&city.links) {
        let ends = format!("{},{},{}", road.key(), key(link.from), key(link.to));
        let size = format!("{},{}", link.length_m, link.free_speed_mps);
        let lanes = format!("{},{}", road.lanes().get(), road.capacity_veh_h());
        let class = format!("{},{}", link.jam_density_pcu_m, road.class().name());
        writeln!(table, "{ends},{size},{lanes},{class}").expect("texts grow");
    }
    table
}

fn trips(city: &City, base: &[Vec<u32>], detours: &[Vec<u32>]) -> String {
    let keys = |route: &[u32]| {
        let keys = route.iter().map(|link| city.roads.links()[*link as usize].key().to_string());
        keys.collect::<Vec<_>>().join(";")
    };
    let mut table = "depart_s,links,links_closed\n".to_owned();
    for (trip, (base, detour)) in city.trips.iter().zip(base.iter().zip(detours)) {
        let row = format!("{:.2},{},{}", trip.depart_s, keys(base), keys(detour));
        writeln!(table, "{row}").expect("texts grow");
    }
    table
}
