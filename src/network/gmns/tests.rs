//! GMNS folders written, read, broken.

use std::fs;

use citytwin_core::road::{Built, Control, Link, RoadClass};
use proptest::prelude::*;

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

const NODES: (&str, &str) = (
    "node.csv",
    "node_id,x_coord,y_coord,ctrl_type,zone_id\n\
     1,106.0,10.0,none,\n2,106.01,10.0,signal,z\n3,106.02,10.0,,\n4,106.01,10.01,,z\n",
);
const LINKS: (&str, &str) = (
    "link.csv",
    "link_id,from_node_id,to_node_id,directed,length,facility_type,capacity,free_speed,lanes\n\
     a,1,2,true,1100,primary,1600,60,2\nb,2,3,false,1100,collector,,,\nc,2,4,1,1150,,,30,1.0\n",
);

fn built(files: &[(&str, &str)]) -> (Network, Notes) {
    let folder = folder(files);
    let (draft, notes) = read(folder.path()).unwrap();
    let Built { network, faults } = draft.build();
    assert_eq!(faults, []);
    let again = tempfile::tempdir().unwrap();
    write(again.path(), &network).unwrap();
    let (draft, _) = read(again.path()).unwrap();
    assert_eq!(draft.build(), Built { network: network.clone(), faults: vec![] });
    (network, notes)
}

fn link<'a>(network: &'a Network, key: &str) -> &'a Link {
    network.link(network.find_link(key).unwrap())
}

fn onto(network: &Network, from: &str) -> String {
    let from = network.find_link(from).unwrap();
    let names = network.movements_from(from).iter();
    let names: Vec<_> = names.map(|one| network.link(one.to).key().as_str()).collect();
    names.join(" ")
}

#[test]
fn links_with_and_without_units() {
    let (network, notes) = built(&[NODES, LINKS]);
    assert_eq!(network.links().len(), 4, "an undirected link is two");
    assert_eq!(notes.get("no config.csv: metres, km/h and WGS 84 are taken"), 1);
    let a = link(&network, "a");
    assert!((a.capacity_veh_h() - 3_200.0).abs() < 1e-9);
    assert!((a.free_speed().kmh() - 60.0).abs() < 1e-9);
    assert_eq!(link(&network, "b:back").class(), RoadClass::Tertiary);
    assert_eq!(network.junction(a.to()).control(), Control::Signal);
    let config = ("config.csv", "long_length,speed,crs\nmi,mph,EPSG:4326\n");
    let links = ("link.csv", "link_id,from_node_id,to_node_id,length,free_speed\na,1,2,1,30\n");
    let (miles, _) = built(&[NODES, links, config]);
    let a = link(&miles, "a");
    assert!((a.length().get() - 1_609.344).abs() < 1e-9);
    assert!((a.travel_time_s() - 120.0).abs() < 1e-9);
}

#[test]
fn shapes_by_id_and_against_the_direction() {
    let links = (
        "link.csv",
        "link_id,from_node_id,to_node_id,geometry_id,geometry,dir_flag\n\
         a,1,2,g,,1\nb,2,1,g,,-1\nc,2,3,,\"LINESTRING (106.01 10, 106.015 10.001, 106.02 10)\",1\n",
    );
    let shape = "geometry_id,geometry\ng,\"LINESTRING (106 10, 106.005 10.002, 106.01 10)\"\n";
    let (network, _) = built(&[NODES, links, ("geometry.csv", shape)]);
    let (a, b) = (link(&network, "a"), link(&network, "b"));
    let reversed: Vec<_> = b.geometry().iter().rev().copied().collect();
    assert_eq!(a.geometry(), reversed);
    assert_eq!(link(&network, "c").geometry().len(), 3);
}

#[test]
fn what_a_movement_table_does_not_name_is_banned() {
    let movements =
        "mvmt_id,node_id,ib_link_id,ob_link_id,type\nm,2,a,b,thru\nn,2,b:back,c,right\n";
    let (network, _) = built(&[NODES, LINKS, ("movement.csv", movements)]);
    assert_eq!(onto(&network, "a"), "b");
    assert_eq!(onto(&network, "b:back"), "c");
    let (free, _) = built(&[NODES, LINKS]);
    assert_eq!(onto(&free, "a"), "b c");
}

#[test]
fn zones_and_signals() {
    let files = [
        NODES,
        LINKS,
        (
            "zone.csv",
            "zone_id,name,boundary\nz,Z,\"POLYGON ((106 10, 106.1 10, 106.1 10.1, 106 10))\"\n",
        ),
        (
            "movement.csv",
            "mvmt_id,node_id,ib_link_id,ob_link_id,type\n1,2,a,b,thru\n2,2,a,c,left\n3,2,b:back,c,right\n",
        ),
        ("signal_timing_plan.csv", "timing_plan_id,controller_id,cycle_length\np,k,90\nq,k,60\n"),
        (
            "signal_timing_phase.csv",
            "timing_phase_id,timing_plan_id,signal_phase_num,min_green,clearance,ring,barrier,position\n\
             2,p,2,30,5,1,1,2\n1,p,1,45,5,1,1,1\n",
        ),
        (
            "signal_phase_mvmt.csv",
            "signal_phase_mvmt_id,timing_phase_id,mvmt_id\nx,1,1\ny,1,2\nz,2,3\n",
        ),
        (
            "signal_coordination.csv",
            "coordination_id,timing_plan_id,controller_id,offset\nc,p,k,12\n",
        ),
    ];
    let (network, notes) = built(&files);
    assert_eq!(notes.get("signal plans left out: not the first of their controller"), 1);
    let plan = &network.signal_plans()[&network.find_junction("2").unwrap()];
    let spans: Vec<_> = plan.greens().map(|(_, start, end)| (start, end)).collect();
    assert_eq!(spans, [(0.0, 45.0), (50.0, 80.0)]);
    assert!((plan.offset_s() - 12.0).abs() < 1e-12);
    let link = |key| network.find_link(key).unwrap();
    assert!((plan.green_share(link("a"), link("c")) - 0.5).abs() < 1e-12);
    assert!((plan.green_share(link("b:back"), link("c")) - 1.0 / 3.0).abs() < 1e-12);
    let zone = &network.zones()[0];
    assert_eq!((zone.name(), zone.ring().len(), zone.connectors().len()), ("Z", 3, 2));
}

#[test]
fn an_edited_speed_holds() {
    let folder = folder(&[NODES, LINKS]);
    let (draft, _) = read(folder.path()).unwrap();
    write(folder.path(), &draft.build().network).unwrap();
    let path = folder.path().join("link.csv");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(",primary,1600,60,2,16.6"), "{text}");
    fs::write(&path, text.replace(",primary,1600,60,2,", ",primary,1600,40,2,")).unwrap();
    let network = read(folder.path()).unwrap().0.build().network;
    assert!((link(&network, "a").free_speed().kmh() - 40.0).abs() < 1e-9);
}

#[test]
fn broken_tables_say_where() {
    fn chain(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let error = anyhow::Error::from(read(folder.path()).unwrap_err());
        error.chain().skip(1).map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }
    let head = "link_id,from_node_id,to_node_id,length,lanes,geometry\n";
    let line = |row: &str| chain(&[NODES, ("link.csv", &format!("{head}{row}\n"))]);
    assert_eq!(line("a,1,2,long,,"), "link.csv, line 2: length is \"long\", not a number");
    assert_eq!(line("a,1,2,1,1.5,"), "link.csv, line 2: lanes is \"1.5\", not a whole number");
    let told = line("a,1,2,1,1,POINT (1 2)");
    assert!(told.contains("geometry is \"POINT (1 2)\", not WKT"), "{told}");
    assert!(line("a,1").starts_with("link.csv is no CSV"));
    assert_eq!(chain(&[NODES, ("link.csv", "")]), "link.csv has no column \"link_id\"");
    assert!(chain(&[NODES]).starts_with("link.csv cannot be opened"));
    let utm = ("config.csv", "crs\nEPSG:32648\n");
    assert!(chain(&[NODES, LINKS, utm]).contains("crs is \"EPSG:32648\", not EPSG:4326"));
}

#[test]
fn bad_rows_are_faults() {
    let head = "link_id,from_node_id,to_node_id,length,capacity,lanes,free_speed\n";
    let rows = "a,1,2,0,1,1,1\nb,1,9,1,1,1,1\nc,1,2,1,0,1,1\nd,1,2,1,1,-1,1\ne,1,2,inf,1,1,1\nf,2,2,1,1,1,1\n";
    let folder = folder(&[NODES, ("link.csv", &format!("{head}{rows}"))]);
    let faults = read(folder.path()).unwrap().0.build().faults;
    let told: Vec<_> =
        faults.iter().map(|one| (one.key.as_str(), one.field, one.what.kind())).collect();
    assert_eq!(
        told,
        [
            ("a", "length_m", "zero_length"),
            ("b", "to", "missing_junction"),
            ("c", "capacity_veh_h_lane", "out_of_range"),
            ("d", "lanes", "out_of_range"),
            ("e", "length_m", "out_of_range"),
            ("f", "to", "loop"),
        ]
    );
}

#[test]
fn the_generated_city_has_nothing_wrong() {
    let city = citytwin_simulators::city::City::generate(1);
    let folder = tempfile::tempdir().unwrap();
    citytwin_simulators::city::files::write(folder.path(), &city, &[]).unwrap();
    let Built { network, faults } = read(&folder.path().join("network")).unwrap().0.build();
    assert_eq!(faults, []);
    assert_eq!(network.links().len(), city.links().len());
    let findings = network.check();
    assert_eq!(findings, [], "{} findings", findings.len());
}

proptest! {
    #[test]
    fn numbers_survive(speed in 0.1..100.0_f64, length in 200.0..1e5_f64, flow in 0.1..9e3_f64) {
        let mut links = Draft::default();
        for (key, latitude) in [("a", 10.0), ("b", 10.0 + length / 1e9)] {
            links.junctions.push(citytwin_core::road::DraftJunction {
                key: key.into(),
                point: (latitude, 106.0 + flow / 1e4),
                control: Control::Yield,
                passable: key == "a",
            });
        }
        let mut link = citytwin_core::road::DraftLink::new("1", "a", "b", RoadClass::Trunk);
        link.length_m = Some(length);
        link.free_speed_mps = Some(speed);
        link.capacity_veh_h_lane = Some(flow);
        link.jam_density_veh_km_lane = Some(flow / 7.0);
        link.originals = vec!["x y".into(), "z".into()];
        links.links.push(link);
        let network = links.build().network;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &network).unwrap();
        let again = read(folder.path()).unwrap().0.build();
        prop_assert_eq!(again.network.content_hash(), network.content_hash());
    }
}
