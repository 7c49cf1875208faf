//! A network as `GeoJSON` (RFC 7946): every link a `LineString` with its properties, to look at in
//! any map program.

use citytwin_core::road::{Link, LinkIndex, Network};
use geojson::{Feature, FeatureCollection, Geometry, GeometryValue, JsonObject};

/// All links, in the order of their keys.
pub fn links(network: &Network) -> FeatureCollection {
    let all = network.link_indexes().zip(network.links());
    FeatureCollection::new(all.map(|(index, link)| feature(network, index, link)))
}

fn feature(network: &Network, index: LinkIndex, link: &Link) -> Feature {
    let mut properties = JsonObject::new();
    let mut put = |key: &str, value: serde_json::Value| {
        properties.insert(key.to_owned(), value);
    };
    put("link", link.key().as_str().into());
    put("from", network.junction(link.from()).key().as_str().into());
    put("to", network.junction(link.to()).key().as_str().into());
    put("name", link.name().into());
    put("class", link.class().name().into());
    put("length_m", link.length().get().into());
    put("lanes", link.lanes().get().into());
    put("free_speed_kmh", link.free_speed().kmh().into());
    put("capacity_veh_h", link.capacity_veh_h().into());
    put("storage_veh", link.storage_veh().into());
    put("signal", network.signal_plan(link.to()).is_some().into());
    let originals: Vec<_> = link.originals().iter().map(ToString::to_string).collect();
    if !originals.is_empty() {
        put("originals", originals.into());
    }
    let points = network.line(index);
    let points = points.iter().map(|position| [position.longitude_deg(), position.latitude_deg()]);
    Feature {
        bbox: None,
        geometry: Some(Geometry::new(GeometryValue::new_line_string(points.collect::<Vec<_>>()))),
        id: None,
        properties: Some(properties),
        foreign_members: None,
    }
}
