//! The roads as GMNS tables (General Modeling Network Specification, version 0.97): junctions,
//! directed links, wards as zones, and the fixed-time plans of the traffic lights.
//!
//! ```text
//! config.csv                 units: metres, km/h, WGS 84, WKT
//! node.csv                   node_id,x_coord,y_coord,node_type,ctrl_type
//! link.csv                   link_id,name,from_node_id,to_node_id,directed,geometry,dir_flag,length,
//!                            facility_type,capacity,free_speed,lanes + jam_density
//! zone.csv                   zone_id,name,boundary + x_coord,y_coord,connectors
//! movement.csv               mvmt_id,node_id,ib_link_id,ob_link_id,type; at traffic lights only
//! signal_controller.csv      controller_id
//! signal_timing_plan.csv     timing_plan_id,controller_id,time_day,cycle_length
//! signal_timing_phase.csv    timing_phase_id,timing_plan_id,signal_phase_num,min_green,clearance,
//!                            ring,barrier,position
//! signal_phase_mvmt.csv      signal_phase_mvmt_id,timing_phase_id,mvmt_id,protection
//! signal_coordination.csv    coordination_id,timing_plan_id,controller_id,offset
//! ```
//!
//! Capacity (veh/h) and jam density (veh/km) are of one lane. `+` are columns that GMNS does not
//! have. A controller, its plan and its coordination bear the name of their junction.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::connectors::connectors;
use super::files::{CityFileError, Out, make, put, ring};
use super::plane::turn;
use super::signals::{CLEARANCE_S, Plan};
use super::{City, Junction, Link, Place, PlaceKind, place};
use crate::shapes::traffic::JAM_DENSITY_VEH_KM;

/// Writes all tables into a folder, which is made if it is not there.
pub(super) fn write(dir: &Path, city: &City) -> Result<(), CityFileError> {
    make(dir)?;
    put(dir, "config.csv", |out| config(out, city))?;
    put(dir, "node.csv", |out| nodes(out, city))?;
    put(dir, "link.csv", |out| links(out, city))?;
    put(dir, "zone.csv", |out| zones(out, city))?;
    let lights = lights(city);
    put(dir, "movement.csv", |out| movements(out, &lights))?;
    put(dir, "signal_controller.csv", |out| {
        let ids = lights.iter().map(|light| [light.key.clone()]);
        table(out, ["controller_id"], ids)
    })?;
    put(dir, "signal_timing_plan.csv", |out| {
        let head = ["timing_plan_id", "controller_id", "time_day", "cycle_length"];
        let row = |light: &Light<'_>| {
            let day = "11111111_0000_2400".to_owned();
            [light.key.clone(), light.key.clone(), day, light.plan.cycle_s.to_string()]
        };
        table(out, head, lights.iter().map(row))
    })?;
    put(dir, "signal_timing_phase.csv", |out| phases(out, &lights))?;
    put(dir, "signal_phase_mvmt.csv", |out| releases(out, &lights))?;
    put(dir, "signal_coordination.csv", |out| {
        let head = ["coordination_id", "timing_plan_id", "controller_id", "offset"];
        let row = |light: &Light<'_>| {
            let key = || light.key.clone();
            [key(), key(), key(), light.plan.offset_s.to_string()]
        };
        table(out, head, lights.iter().map(row))
    })
}

fn table<const N: usize>(
    out: &mut Out,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(head)?;
    for row in rows {
        csv.write_record(row)?;
    }
    csv.flush()
}

fn config(out: &mut Out, city: &City) -> io::Result<()> {
    let head = [
        "dataset_name",
        "short_length",
        "long_length",
        "speed",
        "crs",
        "geometry_field_format",
        "currency",
        "version_number",
        "id_type",
    ];
    let name = format!("Generated city over Ho Chi Minh City, seed {}", city.seed());
    let row = [&name, "m", "m", "km/h", "EPSG:4326", "WKT", "VND", "0.97", "string"];
    table(out, head, [row.map(str::to_owned)].into_iter())
}

fn nodes(out: &mut Out, city: &City) -> io::Result<()> {
    let head = ["node_id", "x_coord", "y_coord", "node_type", "ctrl_type"];
    let row = |junction: &Junction| {
        let (latitude, longitude) = junction.spot.degrees();
        let kind = if junction.arms >= 3 { "intersection" } else { "street_end_or_bend" };
        let control = if junction.signal.is_some() { "signal" } else { "none" };
        [
            junction.key(),
            longitude.to_string(),
            latitude.to_string(),
            kind.to_owned(),
            control.to_owned(),
        ]
    };
    table(out, head, city.junctions().iter().map(row))
}

fn links(out: &mut Out, city: &City) -> io::Result<()> {
    let head = [
        "link_id",
        "name",
        "from_node_id",
        "to_node_id",
        "directed",
        "geometry",
        "dir_flag",
        "length",
        "facility_type",
        "capacity",
        "free_speed",
        "lanes",
        "jam_density",
    ];
    let key = |junction: u32| city.junctions()[place(junction)].key();
    let row = |link: &Link| {
        let ((y1, x1), (y2, x2)) = (link.start.degrees(), link.end.degrees());
        [
            link.key.clone(),
            link.name.clone(),
            key(link.from),
            key(link.to),
            "true".to_owned(),
            format!("LINESTRING ({x1} {y1}, {x2} {y2})"),
            "1".to_owned(),
            format!("{:.1}", link.length_m()),
            link.class.name().to_owned(),
            link.class.capacity_veh_h().to_string(),
            link.class.free_flow_speed_kmh().to_string(),
            link.class.lanes().to_string(),
            JAM_DENSITY_VEH_KM.to_string(),
        ]
    };
    table(out, head, city.links().iter().map(row))
}

/// Wards that have a street.
fn zones(out: &mut Out, city: &City) -> io::Result<()> {
    let head = ["zone_id", "name", "boundary", "x_coord", "y_coord", "connectors"];
    let wards = city.places_of(PlaceKind::Ward).zip(connectors(city));
    let row = |(ward, own): (&Place, Vec<usize>)| {
        let connectors: Vec<String> = own.iter().map(|n| city.junctions()[*n].key()).collect();
        let (latitude, longitude) = ward.middle.degrees();
        (!connectors.is_empty()).then(|| {
            [
                ward.id.clone(),
                ward.name.clone(),
                outline(ward),
                longitude.to_string(),
                latitude.to_string(),
                connectors.join(";"),
            ]
        })
    };
    table(out, head, wards.filter_map(row))
}

fn outline(ward: &Place) -> String {
    let mut text = String::from("POLYGON ((");
    for (n, [x, y]) in ring(ward).iter().enumerate() {
        let comma = if n == 0 { "" } else { ", " };
        write!(text, "{comma}{x} {y}").expect("a String takes all");
    }
    text + "))"
}

/// A junction with traffic lights.
struct Light<'a> {
    key: String,
    plan: Plan,
    /// From which link onto which, in order.
    movements: Vec<(&'a Link, &'a Link)>,
}

impl Light<'_> {
    fn movement_id(&self, n: usize) -> String {
        format!("{}:{}", self.key, n + 1)
    }

    fn phase_id(&self, phase: usize) -> String {
        format!("{}/{}", self.key, phase + 1)
    }
}

fn lights(city: &City) -> Vec<Light<'_>> {
    let mut arriving = vec![Vec::new(); city.junctions().len()];
    let mut leaving = vec![Vec::new(); city.junctions().len()];
    for link in city.links() {
        arriving[place(link.to)].push(link);
        leaving[place(link.from)].push(link);
    }
    let with_lights = city.junctions().iter().filter_map(|one| one.signal.map(|plan| (one, plan)));
    let light = |(junction, plan): (&Junction, Plan)| {
        let at = place(junction.id);
        let ways = arriving[at].iter().flat_map(|from: &&Link| {
            let onward = leaving[at].iter().filter(|to: &&&Link| to.to != from.from);
            onward.map(|to| (*from, *to))
        });
        Light { key: junction.key(), plan, movements: ways.collect() }
    };
    with_lights.map(light).collect()
}

fn movements(out: &mut Out, lights: &[Light<'_>]) -> io::Result<()> {
    let head = ["mvmt_id", "node_id", "ib_link_id", "ob_link_id", "type"];
    let rows = lights.iter().flat_map(|light| {
        light.movements.iter().enumerate().map(|(n, (from, to))| {
            [
                light.movement_id(n),
                light.key.clone(),
                from.key.clone(),
                to.key.clone(),
                kind(from, to).to_owned(),
            ]
        })
    });
    table(out, head, rows)
}

/// Straight on is along the same direction of the grid.
fn kind(from: &Link, to: &Link) -> &'static str {
    if from.upright == to.upright {
        "thru"
    } else if turn(from.start, from.end, to.end) > 0.0 {
        "left"
    } else {
        "right"
    }
}

fn phases(out: &mut Out, lights: &[Light<'_>]) -> io::Result<()> {
    let head = [
        "timing_phase_id",
        "timing_plan_id",
        "signal_phase_num",
        "min_green",
        "clearance",
        "ring",
        "barrier",
        "position",
    ];
    let rows = lights.iter().flat_map(|light| {
        light.plan.greens_s.iter().enumerate().map(|(n, green_s)| {
            let number = || (n + 1).to_string();
            [
                light.phase_id(n),
                light.key.clone(),
                number(),
                green_s.to_string(),
                CLEARANCE_S.to_string(),
                "1".to_owned(),
                "1".to_owned(),
                number(),
            ]
        })
    });
    table(out, head, rows)
}

/// Who comes along the columns of the grid goes in the first phase, along the rows in the second.
/// Left turns give way to those who come towards them.
fn releases(out: &mut Out, lights: &[Light<'_>]) -> io::Result<()> {
    let head = ["signal_phase_mvmt_id", "timing_phase_id", "mvmt_id", "protection"];
    let rows = lights.iter().flat_map(|light| {
        light.movements.iter().enumerate().map(|(n, (from, to))| {
            let phase = light.phase_id(usize::from(!from.upright));
            let movement = light.movement_id(n);
            let left = kind(from, to) == "left";
            let protection = if left { "permitted" } else { "protected" };
            [format!("{phase}/{}", n + 1), phase, movement, protection.to_owned()]
        })
    });
    table(out, head, rows)
}
