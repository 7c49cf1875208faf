//! Real roads: the centre of Ho Chi Minh City as OpenStreetMap has it, through the command line.
//! Map data © OpenStreetMap contributors, ODbL 1.0.

use serde_json::Value;

use crate::foreign;
use crate::process::{citytwin_ok, text};

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&citytwin_ok(arguments)).unwrap()
}

/// 4,220 highway ways, all of classes for motor vehicles; some closed to them.
#[test]
fn the_centre_of_the_city() {
    let Some(file) = foreign::real_data("hcmc/hcmc_center_20260327.osm.pbf") else { return };
    let out = tempfile::tempdir().unwrap();
    let (plain, merged) = (out.path().join("plain"), out.path().join("merged"));
    let all = json(&["network", "import", text(&file), "--out", text(&plain), "--json"]);
    let ways = all["notes"]["ways taken"].as_u64().unwrap();
    assert!((4_100..=4_220).contains(&ways), "{all:#}");
    let links = all["links"].as_u64().unwrap();
    assert!((8_000..=16_000).contains(&links), "{all:#}");
    assert!((450..=580).contains(&all["signals"].as_u64().unwrap()), "{all:#}");
    assert_eq!(all["left_out"], 0, "{all:#}");
    assert!(all["strong_part_links"].as_u64().unwrap() * 10 > links * 9, "{all:#}");
    let again = json(&["network", "show", text(&plain), "--json"]);
    assert_eq!(again["content_hash"], all["content_hash"], "written and read again");
    let below = ["--merge-below", "30m", "--json"];
    let arguments = ["network", "import", text(&file), "--out", text(&merged)];
    let fewer = json(&[&arguments[..], &below[..]].concat());
    assert!(fewer["links"].as_u64().unwrap() < links, "{fewer:#}");
    let km = |about: &Value| -> f64 {
        about["classes"].as_object().unwrap().values().map(|one| one["km"].as_f64().unwrap()).sum()
    };
    assert!((km(&all) - km(&fewer)).abs() < 1e-6, "{} km became {}", km(&all), km(&fewer));
    let drawn = out.path().join("roads.geojson");
    let arguments = ["export", text(&merged), "--format", "geojson", "--out", text(&drawn)];
    citytwin_ok(&[&["network"], &arguments[..]].concat());
    let drawn: Value = serde_json::from_slice(&std::fs::read(&drawn).unwrap()).unwrap();
    assert_eq!(
        drawn["features"].as_array().unwrap().len() as u64,
        fewer["links"].as_u64().unwrap()
    );
    citytwin_ok(&["network", "check", text(&merged)]);
}
