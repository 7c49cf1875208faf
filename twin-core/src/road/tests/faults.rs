//! What is wrong in a draft is left out and named.

use super::*;

fn check(change: impl FnOnce(&mut Draft), expected: &[&str]) {
    let mut draft = draft("a=b b=c c=a");
    change(&mut draft);
    let built = draft.build();
    let told: Vec<String> = built.faults.iter().map(ToString::to_string).collect();
    assert_eq!(told, expected);
    assert!(built.faults.iter().all(|fault| fault.severity() == Severity::Fault));
}

fn last(draft: &mut Draft) -> &mut DraftLink {
    draft.links.last_mut().unwrap()
}

#[test]
fn links() {
    check(|_| {}, &[]);
    check(
        |d| last(d).length_m = Some(0.0),
        &["link a-c: length_m: the length is 0; only connectors may have none"],
    );
    check(
        |d| {
            last(d).length_m = Some(0.0);
            last(d).class = RoadClass::Connector;
        },
        &[],
    );
    check(
        |d| last(d).length_m = Some(f64::NAN),
        &["link a-c: length_m: NaN is not within 0 to 1000000"],
    );
    check(|d| last(d).lanes = Some(-2), &["link a-c: lanes: -2 is not within 1 to 50"]);
    check(|d| last(d).lanes = Some(0), &["link a-c: lanes: 0 is not within 1 to 50"]);
    check(
        |d| last(d).capacity_veh_h_lane = Some(0.0),
        &["link a-c: capacity_veh_h_lane: 0 is not within 0.001 to 1000000"],
    );
    check(
        |d| last(d).free_speed_mps = Some(f64::INFINITY),
        &["link a-c: free_speed_mps: inf is not within 0.1 to 100"],
    );
    check(
        |d| last(d).jam_density_veh_km_lane = Some(-1.0),
        &["link a-c: jam_density_veh_km_lane: -1 is not within 0.001 to 1000000"],
    );
    check(
        |d| last(d).to = "z".into(),
        &[r#"link a-c: to: there is no junction "z", or it was left out"#],
    );
    check(|d| last(d).to = "a".into(), &["link a-c: to: it ends where it starts"]);
    check(|d| last(d).key = "a-b".into(), &["link a-b: key: there is another one with this key"]);
    check(
        |d| last(d).geometry = vec![(10.0, 106.0), (99.0, 106.0)],
        &["link a-c: geometry: latitude 99 is not within -90 to 90 degrees"],
    );
    check(
        |d| last(d).key = "a;c".into(),
        &["link a;c: key: \"a;c\" is no key: 1 to 128 bytes, no space at the ends, no control \
         character, no ';'"],
    );
}

#[test]
fn junctions_take_their_links_with_them() {
    check(
        |d| d.junctions[2].point = (f64::NAN, 0.0),
        &[
            "junction c: position: latitude NaN is not within -90 to 90 degrees",
            r#"link b-c: to: there is no junction "c", or it was left out"#,
            r#"link c-b: from: there is no junction "c", or it was left out"#,
            r#"link c-a: from: there is no junction "c", or it was left out"#,
            r#"link a-c: to: there is no junction "c", or it was left out"#,
        ],
    );
    check(
        |d| d.junctions.push(junction("a")),
        &["junction a: key: there is another one with this key"],
    );
}

#[test]
fn turns_signals_and_zones() {
    let turn = |from: &str, to: &str| DraftTurn {
        from: from.into(),
        to: to.into(),
        rule: TurnRule::Banned,
    };
    check(
        |d| d.turns = vec![turn("a-b", "c-a"), turn("a-b", "x")],
        &[
            "turn a-b > c-a: to: link a-b does not end where link c-a starts",
            r#"turn a-b > x: to: there is no link "x", or it was left out"#,
        ],
    );
    let signal = |cycle_s: f64, green_s: f64, from: &str| DraftSignal {
        junction: "b".into(),
        cycle_s,
        offset_s: 0.0,
        phases: vec![DraftPhase {
            ring: 1,
            green_s,
            clearance_s: 4.0,
            releases: vec![(from.into(), None)],
        }],
    };
    check(
        |d| d.signals = vec![signal(60.0, 57.0, "a-b")],
        &["signal b: phases: ring 1 takes 61 s, more than its cycle"],
    );
    check(
        |d| d.signals = vec![signal(60.0, 20.0, "b-a"), signal(0.0, 20.0, "a-b")],
        &[
            "signal b: phases: link b-a does not lead to this junction",
            "signal b: phases: cycle 0 s is not within 1 to 600",
        ],
    );
    let zone = |ring: usize, connectors: &[&str]| DraftZone {
        key: "z".into(),
        name: String::new(),
        point: None,
        ring: vec![(10.0, 106.0); ring],
        connectors: connectors.iter().map(|key| (*key).to_owned()).collect(),
    };
    check(
        |d| d.zones = vec![zone(1, &["a"])],
        &["zone z: ring: the outline has 1 points, 3 are needed"],
    );
    check(
        |d| d.zones = vec![zone(0, &[])],
        &["zone z: position: it has no position, no outline and no connector"],
    );
    check(
        |d| d.zones = vec![zone(0, &["q"])],
        &[r#"zone z: connectors: there is no junction "q", or it was left out"#],
    );
}

#[test]
fn a_network_is_told_what_is_odd() {
    let told = |draft: Draft| -> Vec<String> {
        sound(draft).check().iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(draft("a=b b=c")), Vec::<String>::new());
    assert_eq!(told(Draft::default()), ["network : links: there is no link"]);
    let mut lonely = draft("a=b b=c");
    lonely.junctions.push(junction("d"));
    assert_eq!(told(lonely), ["junction d: links: no link touches it"]);
    assert_eq!(
        told(draft("a=b b=c p=q")),
        ["link p-q: from: the part of 2 links around it is not connected with the rest",]
    );
    // A block with a spur at which one can turn, and ways in and out.
    assert_eq!(
        told(draft("a=b b=l l=a a=k b-c b-d d-e f-a g-f")),
        [
            "link b-c: to: nothing may go on from it",
            "link b-d: to: nothing in the main part of 8 links can be reached from it",
            "link d-e: to: nothing may go on from it",
            "link f-a: from: it cannot be reached from the main part, which has 8 links",
            "link g-f: from: it cannot be reached from the main part, which has 8 links",
        ]
    );
    let mut short = draft("a=b");
    short.links[0].length_m = Some(50.0);
    short.links[1].geometry = vec![(10.0, 106.0009), (10.0, 106.0)];
    assert_eq!(
        told(short),
        [
            "link a-b: length_m: 50.0 m is shorter than the straight line of 109.5 m",
            "link b-a: length_m: 98.6 m is shorter than the straight line of 109.5 m",
            "link b-a: geometry: its shape starts or ends 11 m from its junctions",
        ]
    );
}
