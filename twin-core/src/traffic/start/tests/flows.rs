//! Closed cases of balance, density and quality.

use super::*;

// A primary link of the tests: 2 lanes of 1,600 veh/h at 50 km/h with 150 veh/km each, so q = 3,200,
// k_c = 64, k_j = 300, w = 3,200 / 236 = 13.559 km/h.
const CAPACITY: f64 = 3_200.0;
const JAM: f64 = 300.0;
const WAVE: f64 = 3_200.0 / 236.0;

#[test]
fn a_diverge_with_two_of_three_links_measured_gives_the_third() {
    let y = network("a-b b-c b-d");
    for (given, key, expected) in [
        ([("a-b", 1_000.0), ("b-c", 600.0)], "b-d", 400.0),
        ([("a-b", 1_000.0), ("b-d", 600.0)], "b-c", 400.0),
        ([("b-c", 700.0), ("b-d", 600.0)], "a-b", 1_300.0),
    ] {
        let start = estimate(&y, &flows(&y, &given));
        let third = start.links[link(&y, key).slot()];
        near(third.flow_veh_h, expected, 1e-3);
        assert_eq!((third.source, third.branch), (Source::Estimated, Branch::Free));
        near(third.density_veh_km, expected / 50.0, 1e-4);
        near(third.speed_kmh, 50.0, 1e-9);
        near(third.quality, 0.7, 1e-12);
        near(worst_imbalance(&y, |at| start.links[at.slot()].flow_veh_h), 0.0, 1e-3);
    }
}

#[test]
fn a_merge_and_a_chain_follow_one_measured_link() {
    let long = network("a-b b-c c-d d-e");
    let start = estimate(&long, &flows(&long, &[("b-c", 900.0)]));
    assert_eq!(told(&long, &start), ["a-b 900.000", "b-c 900.000", "c-d 900.000", "d-e 900.000"]);
    let quality: Vec<f64> = start.links.iter().map(|link| link.quality).collect();
    for (found, expected) in quality.iter().zip([0.7, 1.0, 0.7, 0.49]) {
        near(*found, expected, 1e-12);
    }
    let merge = network("a-c b-c c-d");
    let start = estimate(&merge, &flows(&merge, &[("c-d", 1_000.0), ("a-c", 300.0)]));
    near(start.links[link(&merge, "b-c").slot()].flow_veh_h, 700.0, 1e-3);
}

#[test]
fn a_contradiction_begins_trips_between_the_links_that_contradict() {
    let chain = network("a-b b-c c-d d-e");
    let start = estimate(&chain, &flows(&chain, &[("a-b", 500.0), ("d-e", 800.0)]));
    // Junctions b, c and d begin the 300 in proportion to what could change there, V of the links
    // between that are not measured: V1, V1 + V2, V2. So c begins half.
    near(start.ends[2].begin_veh_h, 150.0, 1e-3);
    near(start.ends[1].begin_veh_h + start.ends[3].begin_veh_h, 150.0, 1e-3);
    assert!(start.ends[1].begin_veh_h > 50.0 && start.ends[3].begin_veh_h > 50.0);
    near(start.ends[0].begin_veh_h, 500.0, 1e-9);
    near(start.ends[4].end_veh_h, 800.0, 1e-9);
}

#[test]
fn flows_stay_between_none_and_capacity() {
    let y = network("a-b b-c b-d");
    let start = estimate(&y, &flows(&y, &[("a-b", 500.0), ("b-c", 900.0)]));
    near(start.links[link(&y, "b-d").slot()].flow_veh_h, 0.0, 1e-9);
    near(start.ends[1].begin_veh_h, 400.0, 1e-6);
    let merge = network("a-c b-c c-d");
    let start = estimate(&merge, &flows(&merge, &[("a-c", 3_000.0), ("b-c", 3_000.0)]));
    near(start.links[link(&merge, "c-d").slot()].flow_veh_h, CAPACITY, 1e-9);
    near(start.ends[2].end_veh_h, 2_800.0, 1e-6);
}

#[test]
fn nothing_measured_is_an_empty_city_of_no_quality() {
    let grid = network("a=b b=c c=d b=l c=m l=m");
    let start = estimate(&grid, &Measurements::default());
    for link in &start.links {
        assert_eq!(
            (link.source, link.branch, link.clamped),
            (Source::Estimated, Branch::Free, false)
        );
        near(link.flow_veh_h + link.density_veh_km + link.quality, 0.0, 0.0);
        near(link.speed_kmh, 50.0, 1e-9);
    }
    assert!(start.demand.is_none());
}

#[test]
fn what_is_far_from_sensors_says_so() {
    let two = network("a-b b-c l-m m-n");
    let start = estimate(&two, &flows(&two, &[("a-b", 500.0)]));
    assert!(start.links[link(&two, "l-m").slot()].quality <= 0.0);
    assert!(start.links[link(&two, "b-c").slot()].quality > 0.6);
    // No neighbour to ask: the load of the class.
    near(start.links[link(&two, "l-m").slot()].flow_veh_h, 500.0, 1e-6);
}

/// One link with these numbers: flow, speed, density, branch, clamped, quality.
fn check(given: (Option<f64>, Option<f64>, Option<f64>), expected: (f64, f64, Branch, bool, f64)) {
    let one = network("a-b");
    let mut measurements = flows(&one, &[("a-b", 0.0)]);
    measurements.links[0].flow_veh_h = given.0;
    measurements.links[0].speed_kmh = given.1;
    measurements.links[0].occupancy_ratio = given.2;
    let found = estimate(&one, &measurements).links[0];
    near(found.flow_veh_h, expected.0, 1e-6);
    near(found.density_veh_km, expected.1, 1e-6);
    assert_eq!((found.branch, found.clamped), (expected.2, expected.3), "{given:?} {found:?}");
    near(found.quality, expected.4, 1e-9);
}

#[test]
fn density_follows_from_what_is_measured() {
    use Branch::{Free, Queued};
    check((Some(1_000.0), Some(50.0), None), (1_000.0, 20.0, Free, false, 1.0));
    check((Some(1_600.0), Some(16.0), None), (1_600.0, 100.0, Queued, false, 1.0));
    // Flow and speed beat occupancy, except where nothing moves.
    check((Some(1_600.0), Some(16.0), Some(0.9)), (1_600.0, 100.0, Queued, false, 1.0));
    check((Some(0.0), Some(0.0), Some(1.0)), (0.0, JAM, Queued, false, 1.0));
    check((Some(0.0), Some(30.0), None), (0.0, 0.0, Free, false, 1.0));
    check((Some(900.0), None, Some(0.1)), (900.0, 30.0, Free, false, 0.9));
    check((Some(1_000.0), None, None), (1_000.0, 20.0, Free, false, 0.8));
    check((None, Some(20.0), Some(0.3)), (1_800.0, 90.0, Queued, false, 0.6));
    check((None, None, Some(0.1)), (1_500.0, 30.0, Free, false, 0.5));
    check((None, None, Some(0.5)), (150.0 * WAVE, 150.0, Queued, false, 0.5));
    let queued = 10.0 * WAVE * JAM / (10.0 + WAVE);
    check((None, Some(10.0), None), (queued, queued / 10.0, Queued, false, 0.5));
}

#[test]
fn what_the_diagram_does_not_allow_is_moved_to_its_edge_and_said() {
    use Branch::{Free, Queued};
    check((Some(1_000.0), Some(80.0), None), (1_000.0, 20.0, Free, true, 1.0));
    check((Some(5_000.0), Some(50.0), None), (CAPACITY, 100.0_f64.min(64.0), Free, true, 1.0));
    let most = JAM - 1_000.0 / WAVE;
    check((Some(1_000.0), Some(1.0), None), (1_000.0, most, Queued, true, 1.0));
    check((Some(1_000.0), Some(0.0), None), (1_000.0, most, Queued, true, 1.0));
}

#[test]
fn a_free_speed_alone_measures_no_flow() {
    let chain = network("a-b b-c");
    let mut measurements = flows(&chain, &[("a-b", 800.0), ("b-c", 0.0)]);
    (measurements.links[1].flow_veh_h, measurements.links[1].speed_kmh) = (None, Some(40.0));
    let found = estimate(&chain, &measurements).links[1];
    assert_eq!(found.source, Source::Estimated);
    near(found.flow_veh_h, 800.0, 1e-3);
    near(found.density_veh_km, 20.0, 1e-4);
    near(found.quality, 0.7, 1e-12);
}

#[test]
fn every_class_has_a_triangle() {
    for class in RoadClass::all() {
        let mut draft = draft("a-b");
        draft.links[0].class = class;
        let network = sound(draft);
        let diagram = Diagram::of(&network.links()[0]);
        let critical = diagram.critical_density_veh_km();
        near(diagram.flow_veh_h(critical), diagram.capacity_veh_h, 1e-6);
        near(diagram.flow_veh_h(diagram.jam_density_veh_km), 0.0, 1e-6);
        assert!(diagram.wave_speed_kmh > 0.0 && diagram.wave_speed_kmh <= diagram.free_speed_kmh);
    }
}
