//! GMNS tables into a draft.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use citytwin_core::road::{
    Control, Draft, DraftJunction, DraftLink, DraftPoint, DraftTurn, DraftZone, RoadClass, TurnRule,
};

use super::super::Notes;
use super::signals;
use super::table::{Row, Table, TableError};

/// Metres in a foot.
const M_PER_FOOT: f64 = 0.3048;
/// Metres in a mile.
const M_PER_MILE: f64 = 1_609.344;

/// Facilities that no motor vehicle uses.
const OTHERS: [&str; 7] =
    ["footway", "cycleway", "path", "pedestrian", "sidewalk", "steps", "track"];

/// Reads all tables.
pub(super) fn read(folder: &Path) -> Result<(Draft, Notes), TableError> {
    let mut notes = Notes::default();
    let units = Units::read(folder, &mut notes)?;
    let mut draft = Draft::default();
    let places = Table::require(folder, "node.csv", &["node_id", "x_coord", "y_coord"])?;
    draft.junctions = places.rows().map(|row| junction(&row)).collect::<Result<_, _>>()?;
    let shapes = shapes(folder)?;
    let columns = ["link_id", "from_node_id", "to_node_id"];
    for row in Table::require(folder, "link.csv", &columns)?.rows() {
        let facility = row.text("facility_type").to_lowercase();
        if OTHERS.contains(&facility.as_str()) {
            notes.add(&format!("links left out: facility_type={facility}"), 1);
            continue;
        }
        let class = class(&facility).unwrap_or_else(|| {
            if !facility.is_empty() {
                notes.add(&format!("links taken as unclassified: facility_type={facility}"), 1);
            }
            RoadClass::Unclassified
        });
        let (forward, backward) = link(&row, class, &units, &shapes)?;
        draft.links.push(forward);
        draft.links.extend(backward);
    }
    if let Some(zones) = Table::read(folder, "zone.csv")? {
        draft.zones = zones_of(&zones, &places)?;
    }
    if let Some(movements) = Table::read(folder, "movement.csv")? {
        draft.turns = turns(&movements, &draft);
        draft.signals = signals::read(folder, &movements, &mut notes)?;
    }
    Ok((draft, notes))
}

struct Units {
    length_m: f64,
    speed_mps: f64,
}

impl Units {
    fn read(folder: &Path, notes: &mut Notes) -> Result<Units, TableError> {
        let mut units = Units { length_m: 1.0, speed_mps: 1.0 / 3.6 };
        let Some(table) = Table::read(folder, "config.csv")? else {
            notes.add("no config.csv: metres, km/h and WGS 84 are taken", 1);
            return Ok(units);
        };
        let Some(row) = table.rows().next() else { return Ok(units) };
        let length = row.parsed("long_length", "m, km, ft or mi", |text| {
            match text.to_lowercase().as_str() {
                "m" | "meter" | "meters" | "metre" | "metres" => Some(1.0),
                "km" | "kilometer" | "kilometers" | "kilometre" | "kilometres" => Some(1_000.0),
                "ft" | "foot" | "feet" => Some(M_PER_FOOT),
                "mi" | "mile" | "miles" => Some(M_PER_MILE),
                _ => None,
            }
        })?;
        let speed =
            row.parsed("speed", "km/h, mph or m/s", |text| match text.to_lowercase().as_str() {
                "km/h" | "kmh" | "kph" | "kmph" => Some(1.0 / 3.6),
                "mph" | "mi/h" => Some(M_PER_MILE / 3_600.0),
                "m/s" | "mps" => Some(1.0),
                _ => None,
            })?;
        row.parsed("crs", "EPSG:4326 (WGS 84)", |text| {
            let text = text.to_uppercase().replace([' ', ':', '-'], "");
            matches!(text.as_str(), "EPSG4326" | "4326" | "WGS84" | "CRS84" | "OGCCRS84")
                .then_some(())
        })?;
        units.length_m = length.unwrap_or(units.length_m);
        units.speed_mps = speed.unwrap_or(units.speed_mps);
        Ok(units)
    }
}

fn junction(row: &Row<'_>) -> Result<DraftJunction, TableError> {
    // A missing coordinate is none, which the draft's check says.
    let longitude = row.number("x_coord")?.unwrap_or(f64::NAN);
    let latitude = row.number("y_coord")?.unwrap_or(f64::NAN);
    let control = match row.text("ctrl_type").to_lowercase().as_str() {
        "signal" | "signalized" | "traffic_signals" | "signal_with_rtor" => Control::Signal,
        "no_control" => Control::None,
        "stop_2_way" => Control::Stop,
        "stop_4_way" => Control::AllWayStop,
        name => Control::from_name(name).unwrap_or_default(),
    };
    let kind = row.text("node_type").to_lowercase();
    let passable = row.flag("passable")?.unwrap_or(kind != "centroid");
    Ok(DraftJunction {
        key: row.text("node_id").to_owned(),
        point: (latitude, longitude),
        control,
        passable,
    })
}

fn shapes(folder: &Path) -> Result<BTreeMap<String, Vec<DraftPoint>>, TableError> {
    let Some(table) = Table::read(folder, "geometry.csv")? else { return Ok(BTreeMap::new()) };
    let one = |row: Row<'_>| Ok((row.text("geometry_id").to_owned(), row.line("geometry")?));
    table.rows().map(one).collect()
}

fn class(facility: &str) -> Option<RoadClass> {
    RoadClass::from_name(facility).or_else(|| {
        Some(match facility.replace('_', " ").as_str() {
            "freeway" | "interstate" => RoadClass::Motorway,
            "expressway" | "highway" => RoadClass::Trunk,
            "arterial" | "major arterial" | "principal arterial" => RoadClass::Primary,
            "minor arterial" => RoadClass::Secondary,
            "collector" | "major collector" | "minor collector" => RoadClass::Tertiary,
            "local" => RoadClass::Residential,
            "ramp" => RoadClass::PrimaryLink,
            "centroid connector" => RoadClass::Connector,
            _ => return None,
        })
    })
}

/// A link, and its other direction where the row has both.
fn link(
    row: &Row<'_>,
    class: RoadClass,
    units: &Units,
    shapes: &BTreeMap<String, Vec<DraftPoint>>,
) -> Result<(DraftLink, Option<DraftLink>), TableError> {
    let (from, to) = (row.text("from_node_id"), row.text("to_node_id"));
    let mut link = DraftLink::new(row.text("link_id"), from, to, class);
    row.text("name").clone_into(&mut link.name);
    link.length_m = row.number("length")?.map(|length| length * units.length_m);
    link.lanes = row.count("lanes")?;
    link.capacity_veh_h_lane = row.number("capacity")?;
    link.jam_density_veh_km_lane = row.number("jam_density")?;
    let speed = row.number("free_speed")?.map(|speed| speed * units.speed_mps);
    // The exact number, unless somebody changed the one that others read.
    let exact = row.number("free_speed_mps")?;
    let same = |(a, b): (f64, f64)| (a - b).abs() <= 1e-6 * b.abs();
    link.free_speed_mps = if exact.zip(speed).is_some_and(same) { exact } else { speed };
    link.geometry = row.line("geometry")?;
    if link.geometry.is_empty() {
        link.geometry = shapes.get(row.text("geometry_id")).cloned().unwrap_or_default();
    }
    if row.count("dir_flag")? == Some(-1) {
        link.geometry.reverse();
    }
    let originals = row.text("originals").split(';').filter(|key| !key.is_empty());
    link.originals = originals.map(str::to_owned).collect();
    if row.flag("directed")?.unwrap_or(true) {
        return Ok((link, None));
    }
    let mut back = link.clone();
    back.key.push_str(":back");
    std::mem::swap(&mut back.from, &mut back.to);
    back.geometry.reverse();
    Ok((link, Some(back)))
}

/// Zones; their connectors are listed, or are the nodes that name the zone.
fn zones_of(zones: &Table, nodes: &Table) -> Result<Vec<DraftZone>, TableError> {
    let mut named: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in nodes.rows().filter(|row| !row.text("zone_id").is_empty()) {
        named.entry(row.text("zone_id")).or_default().push(row.text("node_id").to_owned());
    }
    let zone = |row: Row<'_>| {
        let key = row.text("zone_id");
        let listed = row.text("connectors").split(';').filter(|key| !key.is_empty());
        let mut connectors: Vec<String> = listed.map(str::to_owned).collect();
        if !zones.has("connectors") {
            connectors = named.get(key).cloned().unwrap_or_default();
        }
        Ok(DraftZone {
            key: key.to_owned(),
            name: row.text("name").to_owned(),
            point: row.number("y_coord")?.zip(row.number("x_coord")?),
            ring: row.line("boundary")?,
            connectors,
        })
    };
    zones.rows().map(zone).collect()
}

/// At every node that the table names, what it lists is allowed and the rest is banned.
fn turns(movements: &Table, draft: &Draft) -> Vec<DraftTurn> {
    let named: BTreeSet<&str> = movements.rows().map(|row| row.text("node_id")).collect();
    let listed: BTreeSet<(&str, &str)> =
        movements.rows().map(|row| (row.text("ib_link_id"), row.text("ob_link_id"))).collect();
    let mut leaving: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for link in draft.links.iter().filter(|link| named.contains(link.from.as_str())) {
        leaving.entry(&link.from).or_default().push(&link.key);
    }
    let rule = |from: &str, to: &str, rule| DraftTurn { from: from.into(), to: to.into(), rule };
    // A listed pair that does not meet is a fault, which the draft's check says.
    let mut turns: Vec<DraftTurn> =
        listed.iter().map(|(from, to)| rule(from, to, TurnRule::Allowed)).collect();
    for link in draft.links.iter().filter(|link| named.contains(link.to.as_str())) {
        let exits = leaving.get(link.to.as_str()).into_iter().flatten();
        let others = exits.filter(|to| !listed.contains(&(link.key.as_str(), **to)));
        turns.extend(others.map(|to| rule(&link.key, to, TurnRule::Banned)));
    }
    turns
}
