//! The names under which a scenario is written.

use super::super::edit::{Flood, SpeedLimit};
use super::*;

const TEXT: &str = r#"
name = "flooded market"
model = "dynamic"
horizon_s = 3600
interval_s = 60
base = { epoch = 17953074000, utc_offset_s = 25200 }
journeys = [{ from = "osm:1", to = "osm:2" }]

[demand]
factor = 1.2
trips = [{ origin = "d1", destination = "d3", flow_pcu_h = 400.0 }]

[[edits]]
from_clock = "07:30"
until_s = 5400
flood = { depth_m = 0.2, on.area.circle = { center = { latitude_deg = 10.7, longitude_deg = 106.6 }, radius_m = 500 } }

[[edits]]
speed = { on.links = ["osm:1:2-3"], limit_kmh = 30 }

[[edits]]
ban_classes = { classes = ["truck", "bus"], on.area.polygon.parts = [{ rings = [{ points = [] }] }] }
"#;

#[test]
fn a_file_is_read_by_its_names() {
    let read: Scenario = toml::from_str(TEXT).unwrap();
    assert_eq!((read.model, read.horizon_s.to_bits()), (Model::Dynamic, 3_600.0_f64.to_bits()));
    assert_eq!(read.edits[0].span.from_clock.as_deref(), Some("07:30"));
    let center = LatLon { latitude_deg: 10.7, longitude_deg: 106.6 };
    let area = AreaShape::Circle { center, radius_m: 500.0 };
    let flood = Flood { on: Place::area(area), depth_m: 0.2, cut_depth_m: None };
    assert_eq!(read.edits[0].change, flood.into());
    let speed = SpeedLimit { on: on(&["osm:1:2-3"]), limit_kmh: 30.0, raises: false };
    assert_eq!(read.edits[1], Edit::always(speed.into()));
    let written = toml::to_string(&read).unwrap();
    assert_eq!(toml::from_str::<Scenario>(&written).unwrap(), read);
    let bytes = postcard::to_stdvec(&read).unwrap();
    assert_eq!(postcard::from_bytes::<Scenario>(&bytes).unwrap(), read);
}

#[test]
fn an_edit_is_of_one_kind_and_has_no_other_fields() {
    let told = |edit: &str| toml::from_str::<Edit>(edit).unwrap_err().to_string();
    assert!(told("from_s = 1").contains("an edit is of one kind, not of 0"));
    let two = "close.on.links = [\"a\"]\ntoll = { on.links = [\"a\"], worth_s = 1 }";
    assert!(told(two).contains("an edit is of one kind, not of 2"));
    assert!(told("clsoe.on.links = []").contains("unknown field `clsoe`"));
    assert!(told("close.on.lnks = []").contains("unknown field `lnks`"));
}

#[test]
fn the_newest_epoch_is_meant_where_none_is_given() {
    let read = |base: &str| {
        let text = format!("model = \"static\"\nhorizon_s = 60\n{base}");
        toml::from_str::<Scenario>(&text).unwrap().base
    };
    for newest in ["", "base = {}", "[base]"] {
        assert_eq!(read(newest), Base { epoch: None, utc_offset_s: 25_200 }, "{newest}");
    }
    let given = read("base = { epoch = 5, utc_offset_s = 0 }");
    assert_eq!(given, Base { epoch: Some(5), utc_offset_s: 0 });
}
