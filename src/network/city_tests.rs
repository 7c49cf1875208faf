//! The generated city's roads and sensors, written by the simulators, read by the engine: whether
//! the two, who share no code, mean the same city.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use citytwin_core::road::{
    Control, LinkFinder, MatchSettings, MatchedBy, SensorPlace, Unmatched, foot, match_sensors,
};
use citytwin_core::scenario::{Change, Scenario};
use citytwin_ingest::sensors_file;
use citytwin_simulators::city::{City, files};
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::spec::FleetSpec;

use super::*;

/// The city of `citytwin demo`, with its sensors.
fn demo() -> (tempfile::TempDir, Network) {
    let folder = tempfile::tempdir().unwrap();
    let spec = FleetSpec::default();
    let city = City::generate(spec.seed);
    let fleet = Fleet::new(&spec, &city).unwrap();
    files::write(folder.path(), &city, fleet.sensors()).unwrap();
    let import = read(&folder.path().join("network"), &mut |_done| {}).unwrap();
    assert_eq!(import.faults, []);
    assert_eq!(import.notes, Notes::default());
    (folder, import.network)
}

fn sensors(folder: &Path) -> Vec<SensorPlace> {
    let entries = sensors_file::read(&folder.join("sensors.geojson")).unwrap();
    let place = |(key, about): sensors_file::Entry| SensorPlace {
        key,
        position: about.position,
        link: about.link,
        lane: about.lane,
        bearing_deg: None,
    };
    entries.into_iter().map(place).collect()
}

#[test]
fn nothing_is_wrong_or_odd_with_the_roads() {
    let (_folder, network) = demo();
    assert_eq!(network.check(), []);
    assert_eq!(network.strong_parts().sizes().iter().max(), Some(&network.links().len()));
    assert!((15_000..25_000).contains(&network.links().len()), "{}", network.links().len());
    let signals = network.junctions().iter().filter(|one| one.control() == Control::Signal);
    assert_eq!(signals.count(), network.signal_plans().len(), "every light has a plan");
    assert!(network.signal_plans().len() > 1_000);
    assert!(network.turns().is_empty(), "{} turns are not as usual", network.turns().len());
    for (junction, plan) in network.signal_plans() {
        for link in network.incoming(*junction) {
            for movement in network.movements_from(*link) {
                let share = plan.green_share(movement.from, movement.to);
                assert!((0.15..0.85).contains(&share), "{}", network.link(*link).key());
            }
        }
    }
}

#[test]
fn zones_cover_the_wards_and_lead_onto_the_roads() {
    let (_folder, network) = demo();
    assert!((100..=113).contains(&network.zones().len()), "{}", network.zones().len());
    let mut seen = BTreeSet::new();
    for zone in network.zones() {
        assert!(!zone.connectors().is_empty(), "{}", zone.name());
        assert!(zone.ring().len() >= 3 && zone.key().as_str().starts_with("ward-"));
        for connector in zone.connectors() {
            assert!(seen.insert(*connector), "a junction is in two zones");
        }
    }
    assert!(network.zones().iter().any(|zone| zone.name() == "Thủ Đức"));
    assert!(seen.len() > 500, "{} connectors", seen.len());
}

#[test]
fn sensors_stand_on_the_link_and_lane_they_name() {
    let (folder, network) = demo();
    let sensors = sensors(folder.path());
    let named: Vec<SensorPlace> = sensors.into_iter().filter(|one| !one.link.is_empty()).collect();
    assert!(named.len() > 10_000, "{} sensors name a link", named.len());
    let finder = LinkFinder::new(&network);
    let matching = match_sensors(&finder, &named, MatchSettings::default());
    assert_eq!(matching.unmatched, []);
    for (sensor, matched) in named.iter().zip(&matching.matched) {
        assert_eq!(matched.by, MatchedBy::Name, "{sensor:?}");
        assert_eq!(matched.lane.map_or(0, u32::from), sensor.lane, "{sensor:?}");
        let foot = foot(&network.line(matched.link), sensor.position).unwrap();
        assert!(foot.distance_m < 15.0, "{sensor:?} stands {} m away", foot.distance_m);
    }
}

/// A lane of a two-way street is on its right, and the position alone shows it.
#[test]
fn without_names_most_sensors_are_still_found_or_left_out_but_hardly_mistaken() {
    let (folder, network) = demo();
    let sensors = sensors(folder.path());
    let mut blind: Vec<SensorPlace> = Vec::new();
    let mut meant = Vec::new();
    for (n, sensor) in sensors.iter().filter(|one| one.lane > 0).enumerate() {
        let link = network.find_link(&sensor.link).unwrap();
        let bearing_deg = foot(&network.line(link), sensor.position).map(|one| one.bearing_deg);
        // Without its bearing every other one could be on either side.
        let bearing_deg = bearing_deg.filter(|_| n % 2 == 0);
        blind.push(SensorPlace { link: String::new(), bearing_deg, ..sensor.clone() });
        meant.push(link);
    }
    let finder = LinkFinder::new(&network);
    let matching = match_sensors(&finder, &blind, MatchSettings::default());
    let ambiguous = matching
        .unmatched
        .iter()
        .all(|(_, why)| matches!(why, Unmatched::Ambiguous { .. } | Unmatched::WrongWay { .. }));
    assert!(ambiguous, "{:?}", matching.unmatched.first());
    assert!(matching.matched.len() * 20 > blind.len() * 9, "{}", matching.matched.len());
    let links: BTreeMap<_, _> = blind.iter().map(|one| &one.key).zip(&meant).collect();
    let right = matching.matched.iter().filter(|one| *links[&one.sensor] == one.link).count();
    assert!(right * 100 > matching.matched.len() * 97, "{right} of {}", matching.matched.len());
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/scenarios")
}

fn scenario(name: &str) -> Scenario {
    let text = std::fs::read_to_string(deploy().join(name)).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn at_the_start_an_error_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let told = format!("{:#}", at_start(folder.path()).unwrap_err());
    assert!(told.starts_with("network = ") && told.contains("is no network"), "{told}");
}

#[test]
fn the_example_scenarios_fit_the_city() {
    let (_folder, network) = demo();
    let batch = std::fs::read_to_string(deploy().join("batch.toml")).unwrap();
    let batch: toml::Table = toml::from_str(&batch).unwrap();
    let listed: Vec<&str> =
        batch["scenarios"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(listed, ["close-bridge.toml", "flood-wards.toml", "retime-signals.toml"]);
    for name in listed {
        let scenario = scenario(name);
        assert_eq!(scenario.check(&network), [], "{name}");
        assert!(!scenario.name.is_empty() && !scenario.edits.is_empty(), "{name}");
    }
    let bridge = scenario("close-bridge.toml");
    let Change::Close(close) = &bridge.edits[0].change else { panic!("{:?}", bridge.edits[0]) };
    let ends: Vec<_> = close
        .on
        .links
        .iter()
        .map(|key| network.link(network.find_link(key).unwrap()))
        .map(|link| (link.name(), link.from(), link.to()))
        .collect();
    assert!(ends.iter().all(|(name, ..)| *name == "Cầu Sài Gòn"), "{ends:?}");
    assert!(ends.len() == 2 && ends[0].1 == ends[1].2 && ends[0].2 == ends[1].1, "{ends:?}");
}
