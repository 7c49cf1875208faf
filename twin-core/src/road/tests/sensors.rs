//! Sensors find their links.

use super::*;
use crate::sensor::SensorKey;

fn place(link: &str, position: Position, bearing_deg: Option<f64>) -> SensorPlace {
    let key = SensorKey::parse("me/s").unwrap();
    SensorPlace { key, position, link: link.to_owned(), lane: 1, bearing_deg }
}

fn check(network: &Network, sensor: SensorPlace, expected: &str) {
    let finder = LinkFinder::new(network);
    let matching = match_sensors(&finder, &[sensor], MatchSettings::default());
    let told = match (matching.matched.first(), matching.unmatched.first()) {
        (Some(matched), None) => {
            let name = network.link(matched.link).key();
            match matched.by {
                MatchedBy::Name => format!("{name} by name"),
                MatchedBy::Distance { distance_m, offset_m } => {
                    format!("{name} at {distance_m:.0} m, {offset_m:.0} m along")
                }
            }
        }
        (None, Some((_, why))) => why.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(told, expected);
}

#[test]
fn by_name_by_distance_by_bearing() {
    let cross = network("a=b b=c b-l l-k");
    // 5 m north of the middle of a=b.
    let beside = at(10.000_045, 106.000_5);
    check(&cross, place("b-c", beside, None), "b-c by name");
    check(&cross, place("", beside, Some(100.0)), "a-b at 5 m, 55 m along");
    check(&cross, place("gone", beside, Some(260.0)), "b-a at 5 m, 55 m along");
    check(&cross, place("", beside, Some(0.0)), "2 links are near, none goes in its direction");
    check(
        &cross,
        place("", beside, None),
        "2 links are equally near; it needs a link or a bearing",
    );
    check(&cross, place("", at(10.0005, 106.001_05), None), "b-l at 5 m, 56 m along");
    check(&cross, place("", at(10.5, 106.0), None), "no link within 30 m");
    let merged = cross.merge_below(0.0).network;
    check(&merged, place("l-k", beside, None), "b-l by name");
}

#[test]
fn a_lane_the_link_does_not_have_is_no_lane() {
    let road = network("a-b");
    let finder = LinkFinder::new(&road);
    let lane = |lane: u32| {
        let sensor = SensorPlace { lane, ..place("a-b", at(10.0, 106.0), None) };
        match_sensors(&finder, &[sensor], MatchSettings::default()).matched[0].lane
    };
    assert_eq!((lane(0), lane(1), lane(2)), (None, Some(1), None));
}
