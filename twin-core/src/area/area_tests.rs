//! Areas against a second opinion, groups against their members, and errors that name the field.

use proptest::prelude::*;

use super::arbitrary::{Frame, Sketch, frames, offsets, polygons, sketches};
use super::*;

fn spots(frame: Frame, offsets: &[(i32, i32)]) -> Vec<Spot> {
    offsets.iter().map(|offset| Spot::at(frame.position(*offset))).collect()
}

/// A few positions near each other.
fn groups() -> impl Strategy<Value = Vec<(i32, i32)>> {
    let size = prop::sample::select(vec![1, 4, 20, 100]);
    (offsets(), size).prop_flat_map(|(middle, size)| {
        let near = (-size..=size, -size..=size);
        let near = near.prop_map(move |by| (middle.0 + by.0, middle.1 + by.1));
        prop::collection::vec(near, 1..20)
    })
}

/// What a group is judged must be true of each member.
fn check_group(area: &Area, spots: &[Spot]) -> Result<Side, TestCaseError> {
    let side = area.judge(&Extent::of(spots.iter().copied()));
    for spot in spots {
        prop_assert_eq!(area.holds(spot), area.contains(spot.position));
        match side {
            Side::Inside => prop_assert!(area.holds(spot), "{:?} is not inside", spot.position),
            Side::Outside => prop_assert!(!area.holds(spot), "{:?} is inside", spot.position),
            Side::Border => {}
        }
    }
    Ok(side)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_group_is_judged_as_its_members_are(
        frame in frames(),
        sketch in sketches(),
        groups in prop::collection::vec(groups(), 1..12),
    ) {
        let area = sketch.area(frame);
        for group in groups {
            check_group(&area, &spots(frame, &group))?;
        }
    }

    #[test]
    fn an_area_holds_what_the_second_opinion_says(
        frame in frames().prop_filter("clear of the poles", |frame| frame.is_flat()),
        sketch in prop_oneof![sketches(), polygons()],
        tests in prop::collection::vec(offsets(), 1..40),
    ) {
        let Some(area) = sketch.try_area(frame) else {
            prop_assert!(!matches!(sketch, Sketch::Box(..) | Sketch::Cells(_) | Sketch::Corridor(..)));
            return Ok(());
        };
        let mut corners = tests;
        if let Sketch::Polygon(parts) = &sketch {
            corners.extend(parts.iter().flatten().flatten());
        }
        for at in corners {
            prop_assert_eq!(area.contains(frame.position(at)), sketch.holds_slowly(frame, at), "{:?}", at);
        }
    }

    #[test]
    fn a_long_ring_is_cut_into_strips_without_losing_an_edge(
        heights in prop::collection::vec(1..90, 40..400),
        tests in prop::collection::vec((0..100, 0..400), 50),
    ) {
        // A saw: teeth up to the heights, back along the bottom.
        let width = i32::try_from(heights.len()).unwrap();
        let mut ring: Vec<(i32, i32)> = (0..).zip(&heights).map(|(east, up)| (*up, east)).collect();
        ring.extend([(0, width), (0, -1)]);
        let at = |(north, east): (i32, i32)| Point {
            latitude_deg: f64::from(north) / 64.0,
            longitude_deg: f64::from(east) / 64.0,
        };
        let points = ring.iter().map(|corner| at(*corner)).collect();
        let area = Area::polygon(&[vec![points]]).unwrap();
        let flat = Sketch::Polygon(vec![vec![ring.clone()]]);
        for test in tests {
            let Point { latitude_deg, longitude_deg } = at(test);
            let position = Position::new(latitude_deg, longitude_deg).unwrap();
            prop_assert_eq!(area.contains(position), flat.holds_slowly(Frame::HOME, test));
        }
    }
}

fn p(latitude_deg: f64, longitude_deg: f64) -> Point {
    Point { latitude_deg, longitude_deg }
}

fn square(size: f64) -> Vec<Point> {
    vec![p(0.0, 0.0), p(0.0, size), p(size, size), p(size, 0.0)]
}

#[test]
fn plain_groups_are_not_border() {
    let at = |latitude: f64, longitude: f64| Spot::at(Position::new(latitude, longitude).unwrap());
    let near = [at(10.0, 106.0), at(10.001, 106.001)];
    let far = [at(10.0, 107.0), at(10.001, 107.001)];
    let cell = near[0].position.cell(h3o::Resolution::Five).to_string();
    let ring = vec![p(9.9, 105.9), p(9.9, 106.1), p(10.1, 106.1), p(10.1, 105.9)];
    let areas = [
        Area::cells(&[cell]),
        Area::polygon(&[vec![ring]]),
        Area::circle(p(10.0, 106.0), 2_000.0),
        Area::bounding_box(p(9.9, 105.9), p(10.1, 106.1)),
        Area::corridor(&[p(9.0, 106.0), p(11.0, 106.0)], 2_000.0),
    ];
    for area in areas {
        let area = area.unwrap();
        assert_eq!(area.judge(&Extent::of(near.into_iter())), Side::Inside, "{area:?}");
        assert_eq!(area.judge(&Extent::of(far.into_iter())), Side::Outside, "{area:?}");
        let both = near.into_iter().chain(far);
        assert_eq!(area.judge(&Extent::of(both)), Side::Border, "{area:?}");
        assert_eq!(area.judge(&Extent::EMPTY), Side::Outside);
    }
}

#[test]
fn the_date_line_is_no_border() {
    let west = Position::new(0.5, -179.5).unwrap();
    let east = Position::new(0.5, 179.5).unwrap();
    let line = Position::new(0.5, -180.0).unwrap();
    let far = Position::new(0.5, 0.0).unwrap();
    let ring = vec![p(0.0, 179.0), p(0.0, -179.0), p(1.0, -179.0), p(1.0, 179.0)];
    let ends_at_it = vec![p(0.0, 179.0), p(0.0, 180.0), p(1.0, 180.0), p(1.0, 179.0)];
    let across = [
        Area::polygon(&[vec![ring]]).unwrap(),
        Area::bounding_box(p(0.0, 179.0), p(1.0, -179.0)).unwrap(),
        Area::circle(p(0.5, 180.0), 60_000.0).unwrap(),
        Area::corridor(&[p(0.5, 179.4), p(0.5, -179.4)], 1_000.0).unwrap(),
    ];
    for area in across {
        for inside in [west, east, line] {
            assert!(area.contains(inside), "{area:?} {inside:?}");
        }
        assert!(!area.contains(far), "{area:?}");
    }
    let area = Area::polygon(&[vec![ends_at_it]]).unwrap();
    assert!(area.contains(east) && area.contains(line) && !area.contains(west));
}

#[test]
fn lines_count_as_inside_and_a_ring_may_touch_itself() {
    let hole = vec![p(1.0, 1.0), p(1.0, 3.0), p(3.0, 3.0), p(3.0, 1.0), p(1.0, 1.0)];
    let area = Area::polygon(&[vec![square(4.0), hole]]).unwrap();
    let contains = |area: &Area, lat, lon| area.contains(Position::new(lat, lon).unwrap());
    for (lat, lon) in [(0.0, 0.0), (4.0, 4.0), (0.0, 2.0), (2.0, 4.0), (1.0, 1.0), (2.0, 1.0)] {
        assert!(contains(&area, lat, lon), "{lat} {lon}");
    }
    assert!(!contains(&area, 2.0, 2.0) && !contains(&area, -0.001, 2.0));
    let pinched = vec![p(0., 0.), p(1., 1.), p(0., 2.), p(2., 2.), p(1., 1.), p(2., 0.)];
    let area = Area::polygon(&[vec![pinched]]).unwrap();
    assert!(contains(&area, 1.0, 1.0) && contains(&area, 1.0, 0.5) && !contains(&area, 0.2, 1.0));
}

/// The error of an area, as people read it.
fn check(area: Result<Area, AreaError>, expected: &str) {
    assert_eq!(area.unwrap_err().to_string(), expected);
}

#[test]
fn errors_name_the_field() {
    let polygon = |rings: Vec<Vec<Point>>| Area::polygon(&[rings]);
    check(Area::polygon(&[]), "polygon.parts: is empty");
    check(polygon(vec![]), "polygon.parts[0].rings: is empty");
    check(
        polygon(vec![square(1.0), vec![p(0.1, 0.1), p(0.2, 0.2), p(0.1, 0.1)]]),
        "polygon.parts[0].rings[1]: fewer than 3 points (2 that differ)",
    );
    check(polygon(vec![vec![]]), "polygon.parts[0].rings[0]: fewer than 3 points (0 that differ)");
    check(
        polygon(vec![vec![p(0.0, 0.0), p(91.0, 1.0), p(0.0, 1.0)]]),
        "polygon.parts[0].rings[0].points[1]: latitude 91 is not within -90 to 90 degrees",
    );
    check(
        polygon(vec![vec![p(0.0, 0.0), p(1.0, 1.0), p(0.0, f64::NAN)]]),
        "polygon.parts[0].rings[0].points[2]: longitude NaN is not within -180 to 180 degrees",
    );
    check(
        polygon(vec![vec![p(0.0, 0.0), p(1.0, 1.0), p(0.0, 1.0), p(1.0, 0.0)]]),
        "polygon.parts[0].rings[0]: crosses itself: the edges from points 0 and 2 meet at latitude 0.5, longitude 0.5",
    );
    check(
        polygon(vec![vec![p(0.0, 0.0), p(0.0, 2.0), p(0.0, 1.0)]]),
        "polygon.parts[0].rings[0]: crosses itself: the edges from points 0 and 2 meet at latitude 0, longitude 1",
    );
    check(
        polygon(vec![vec![p(80.0, 0.0), p(80.0, 120.0), p(80.0, -120.0)]]),
        "polygon.parts[0].rings[0]: goes round a pole; cut it along a meridian",
    );
    check(
        polygon(vec![vec![p(0.0, 0.0); MAX_VERTICES + 1]]),
        "polygon: 10001 points in all, at most 10000 are allowed",
    );
    check(Area::cells::<&str>(&[]), "cells.cells: is empty");
    check(
        Area::cells(&["8928308280fffff", "x"]),
        "cells.cells[1]: \"x\" is not an H3 cell in hexadecimal",
    );
    check(
        Area::cells(&vec!["8928308280fffff"; MAX_CELLS + 1]),
        "cells.cells: 10001 cells, at most 10000 are allowed",
    );
    check(
        Area::circle(p(0.0, 181.0), 1.0),
        "circle.center: longitude 181 is not within -180 to 180 degrees",
    );
    check(
        Area::circle(p(0.0, 0.0), 0.0),
        "circle.radius_m: 0 m is not above 0 and at most 20015114.442035925 m",
    );
    check(
        Area::circle(p(0.0, 0.0), f64::NAN),
        "circle.radius_m: NaN m is not above 0 and at most 20015114.442035925 m",
    );
    check(Area::bounding_box(p(2.0, 0.0), p(1.0, 0.0)), "box.south_deg: 2 is north of north_deg 1");
    check(
        Area::bounding_box(p(-91.0, 0.0), p(1.0, 0.0)),
        "box (south_deg, west_deg): latitude -91 is not within -90 to 90 degrees",
    );
    check(
        Area::corridor(&[p(0.0, 0.0)], 5.0),
        "corridor.line: fewer than 2 points (1 that differ)",
    );
    check(
        Area::corridor(&[p(0.0, 0.0), p(0.0, 1.0)], 50_001.0),
        "corridor.buffer_m: 50001 m is not above 0 and at most 50000 m",
    );
    check(
        Area::corridor(&[p(0.0, 0.0), p(f64::INFINITY, 1.0)], 5.0),
        "corridor.line[1]: latitude inf is not within -90 to 90 degrees",
    );
}
