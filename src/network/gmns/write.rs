//! A network into GMNS tables.

use std::collections::BTreeSet;
use std::path::Path;

use citytwin_core::position::Position;
use citytwin_core::road::{
    JunctionIndex, LinkIndex, Network, SignalPlan, bearing_between, bearing_difference,
};

use super::table::TableError;

/// Tables that are only written where the network has something for them.
pub(super) const OPTIONAL: [&str; 7] = [
    "movement.csv",
    "zone.csv",
    "signal_controller.csv",
    "signal_timing_plan.csv",
    "signal_timing_phase.csv",
    "signal_phase_mvmt.csv",
    "signal_coordination.csv",
];

type Rows = Vec<Vec<String>>;

/// Writes all tables.
pub(super) fn write(folder: &Path, network: &Network) -> Result<(), TableError> {
    let config = ["road network", "m", "m", "km/h", "EPSG:4326", "WKT", "0.97", "string"];
    let head = "dataset_name,short_length,long_length,speed,crs,geometry_field_format,\
                version_number,id_type";
    put(folder, "config.csv", head, &vec![config.map(str::to_owned).to_vec()])?;
    put(folder, "node.csv", "node_id,x_coord,y_coord,ctrl_type,passable", &nodes(network))?;
    let head = "link_id,name,from_node_id,to_node_id,directed,geometry,dir_flag,length,\
                facility_type,capacity,free_speed,lanes,free_speed_mps,jam_density,originals";
    put(folder, "link.csv", head, &links(network))?;
    if !network.zones().is_empty() {
        let head = "zone_id,name,boundary,x_coord,y_coord,connectors";
        put(folder, "zone.csv", head, &zones(network))?;
    }
    let ruled = ruled(network);
    if !ruled.is_empty() {
        let head = "mvmt_id,node_id,ib_link_id,ob_link_id,type";
        put(folder, "movement.csv", head, &movements(network, &ruled))?;
    }
    if network.signal_plans().is_empty() { Ok(()) } else { signals(folder, network) }
}

fn put(folder: &Path, table: &'static str, head: &str, rows: &Rows) -> Result<(), TableError> {
    let write = || -> Result<(), csv::Error> {
        let mut csv = csv::Writer::from_path(folder.join(table))?;
        csv.write_record(head.split(','))?;
        rows.iter().try_for_each(|row| csv.write_record(row))?;
        Ok(csv.flush()?)
    };
    write().map_err(|cause| TableError::Write { table, cause })
}

fn key(network: &Network, junction: JunctionIndex) -> String {
    network.junction(junction).key().as_str().to_owned()
}

fn link_key(network: &Network, link: LinkIndex) -> String {
    network.link(link).key().as_str().to_owned()
}

fn points(line: impl Iterator<Item = Position>) -> String {
    let points: Vec<_> =
        line.map(|at| format!("{} {}", at.longitude_deg(), at.latitude_deg())).collect();
    points.join(", ")
}

fn nodes(network: &Network) -> Rows {
    let row = |junction: &citytwin_core::road::Junction| {
        vec![
            junction.key().to_string(),
            junction.position().longitude_deg().to_string(),
            junction.position().latitude_deg().to_string(),
            junction.control().name().to_owned(),
            junction.is_passable().to_string(),
        ]
    };
    network.junctions().iter().map(row).collect()
}

fn links(network: &Network) -> Rows {
    let row = |(index, link): (LinkIndex, &citytwin_core::road::Link)| {
        let originals: Vec<_> = link.originals().iter().map(ToString::to_string).collect();
        vec![
            link.key().to_string(),
            link.name().to_owned(),
            key(network, link.from()),
            key(network, link.to()),
            "true".to_owned(),
            format!("LINESTRING ({})", points(network.line(index).into_iter())),
            "1".to_owned(),
            link.length().get().to_string(),
            link.class().name().to_owned(),
            link.capacity_per_lane().get().to_string(),
            // 60, not 60.00000000000001; the exact number is in a column of its own.
            ((link.free_speed().kmh() * 1e9).round() / 1e9).to_string(),
            link.lanes().get().to_string(),
            link.free_speed().get().to_string(),
            link.jam_density_per_lane().get().to_string(),
            originals.join(";"),
        ]
    };
    network.link_indexes().zip(network.links()).map(row).collect()
}

fn zones(network: &Network) -> Rows {
    let row = |zone: &citytwin_core::road::Zone| {
        let connectors: Vec<_> = zone.connectors().iter().map(|at| key(network, *at)).collect();
        let ring = zone.ring().iter().chain(zone.ring().first()).copied();
        let boundary = if zone.ring().is_empty() {
            String::new()
        } else {
            format!("POLYGON (({}))", points(ring))
        };
        vec![
            zone.key().to_string(),
            zone.name().to_owned(),
            boundary,
            zone.position().longitude_deg().to_string(),
            zone.position().latitude_deg().to_string(),
            connectors.join(";"),
        ]
    };
    network.zones().iter().map(row).collect()
}

/// Junctions at which the general rule does not say everything, or a plan names movements.
fn ruled(network: &Network) -> BTreeSet<JunctionIndex> {
    let turns = network.turns().iter().map(|turn| network.link(turn.from).to());
    turns.chain(network.signal_plans().keys().copied()).collect()
}

fn movement_id(network: &Network, from: LinkIndex, to: LinkIndex) -> String {
    format!("{}>{}", link_key(network, from), link_key(network, to))
}

fn movements(network: &Network, ruled: &BTreeSet<JunctionIndex>) -> Rows {
    let of = |link: &LinkIndex| network.movements_from(*link).iter().copied();
    let all = ruled.iter().flat_map(|junction| network.incoming(*junction)).flat_map(of);
    all.map(|movement| {
        vec![
            movement_id(network, movement.from, movement.to),
            key(network, network.link(movement.from).to()),
            link_key(network, movement.from),
            link_key(network, movement.to),
            kind(network, movement.from, movement.to).to_owned(),
        ]
    })
    .collect()
}

/// Left, right, thru or uturn, by the angle.
fn kind(network: &Network, from: LinkIndex, to: LinkIndex) -> &'static str {
    let (arriving, leaving) = (network.line(from), network.line(to));
    let (Some([a, b]), Some([c, d])) = (arriving.last_chunk::<2>(), leaving.first_chunk::<2>())
    else {
        return "thru";
    };
    let (before, after) = (bearing_between(*a, *b), bearing_between(*c, *d));
    match bearing_difference(before, after) {
        turn if turn > 170.0 => "uturn",
        turn if turn < 45.0 => "thru",
        _ if (after - before).rem_euclid(360.0) < 180.0 => "right",
        _ => "left",
    }
}

fn signals(folder: &Path, network: &Network) -> Result<(), TableError> {
    let (mut controllers, mut plans, mut phases) = (Rows::new(), Rows::new(), Rows::new());
    let (mut released, mut coordinations) = (Rows::new(), Rows::new());
    for (junction, plan) in network.signal_plans() {
        let id = key(network, *junction);
        controllers.push(vec![id.clone()]);
        let day = "11111111_0000_2400".to_owned();
        plans.push(vec![id.clone(), id.clone(), day, plan.cycle_s().to_string()]);
        let offset = plan.offset_s().to_string();
        coordinations.push(vec![id.clone(), id.clone(), id.clone(), offset]);
        put_phases(network, plan, &id, (&mut phases, &mut released));
    }
    put(folder, "signal_controller.csv", "controller_id", &controllers)?;
    let head = "timing_plan_id,controller_id,time_day,cycle_length";
    put(folder, "signal_timing_plan.csv", head, &plans)?;
    let head = "timing_phase_id,timing_plan_id,signal_phase_num,min_green,clearance,ring,barrier,\
                position";
    put(folder, "signal_timing_phase.csv", head, &phases)?;
    let head = "signal_phase_mvmt_id,timing_phase_id,mvmt_id,protection";
    put(folder, "signal_phase_mvmt.csv", head, &released)?;
    let head = "coordination_id,timing_plan_id,controller_id,offset";
    put(folder, "signal_coordination.csv", head, &coordinations)
}

fn put_phases(
    network: &Network,
    plan: &SignalPlan,
    id: &str,
    (phases, released): (&mut Rows, &mut Rows),
) {
    for (number, phase) in (1..).zip(plan.phases()) {
        let phase_id = format!("{id}/{number}");
        phases.push(vec![
            phase_id.clone(),
            id.to_owned(),
            number.to_string(),
            phase.green_s.to_string(),
            phase.clearance_s.to_string(),
            phase.ring.to_string(),
            "1".to_owned(),
            number.to_string(),
        ]);
        for release in &phase.releases {
            let own = network.movements_from(release.from).iter();
            for one in own.filter(|one| release.to.is_none_or(|to| to == one.to)) {
                let movement = movement_id(network, one.from, one.to);
                let row_id = format!("{phase_id}/{movement}");
                released.push(vec![row_id, phase_id.clone(), movement, "protected".to_owned()]);
            }
        }
    }
}
