//! Tables, movements, parts, hash.

use super::*;

#[test]
fn order_does_not_matter() {
    let forward = draft("a=b b=c c-d");
    let mut backward = forward.clone();
    backward.links.reverse();
    backward.junctions.reverse();
    let (one, other) = (sound(forward.clone()), sound(backward));
    assert_eq!(one, other);
    assert_eq!(one.content_hash(), other.content_hash());
    let mut changed = forward;
    changed.links[0].lanes = Some(2);
    assert_ne!(one.content_hash(), sound(changed).content_hash());
}

#[test]
fn the_hash_is_the_same_for_ever() {
    let hash = network("a=b b-c").content_hash();
    let expected = "bf67e170c3b23ec305f647622830a4443a715766fd268fe5539fe536141eb642";
    assert_eq!(hash.to_string(), expected);
}

#[test]
fn every_field_is_in_the_hash() {
    let base = || {
        let mut draft = draft("a=b b=c c=a");
        draft.links[0].originals = vec!["x".into()];
        draft.turns =
            vec![DraftTurn { from: "a-b".into(), to: "b-c".into(), rule: TurnRule::Banned }];
        draft
    };
    let hash = |change: &dyn Fn(&mut Draft)| {
        let mut draft = base();
        change(&mut draft);
        sound(draft).content_hash()
    };
    let changes: &[&dyn Fn(&mut Draft)] = &[
        &|_| {},
        &|d| d.junctions[0].control = Control::Stop,
        &|d| d.junctions[0].passable = false,
        &|d| d.junctions[0].point.0 += 1e-7,
        &|d| d.links[0].class = RoadClass::Tertiary,
        &|d| d.links[0].name = "n".into(),
        &|d| d.links[0].length_m = Some(200.0),
        &|d| d.links[0].lanes = Some(3),
        &|d| d.links[0].free_speed_mps = Some(3.0),
        &|d| d.links[0].capacity_veh_h_lane = Some(3.0),
        &|d| d.links[0].jam_density_veh_km_lane = Some(3.0),
        &|d| d.links[0].geometry = vec![(10.0, 106.0), (10.001, 106.0), (10.0, 106.001)],
        &|d| d.links[0].originals = vec!["x".into(), "y".into()],
        &|d| {
            let (from, to) = ("a-b".into(), "b-a".into());
            d.turns[0] = DraftTurn { from, to, rule: TurnRule::Allowed };
        },
        &|d| d.turns.clear(),
        &|d| {
            d.zones = vec![DraftZone {
                key: "z".into(),
                name: String::new(),
                point: Some((10.0, 106.0)),
                ring: Vec::new(),
                connectors: Vec::new(),
            }];
        },
        &|d| {
            let phase = DraftPhase {
                ring: 1,
                green_s: 20.0,
                clearance_s: 4.0,
                releases: vec![("a-b".into(), None)],
            };
            let junction = "b".into();
            d.signals =
                vec![DraftSignal { junction, cycle_s: 60.0, offset_s: 0.0, phases: vec![phase] }];
        },
    ];
    let mut hashes: Vec<_> = changes.iter().map(|change| hash(*change)).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len());
}

#[test]
fn a_network_survives_the_disk_and_a_damaged_one_does_not() {
    let mut draft = draft("a=b b=c c-d");
    draft.turns = vec![DraftTurn { from: "a-b".into(), to: "b-c".into(), rule: TurnRule::Banned }];
    let network = sound(draft);
    let bytes = postcard::to_stdvec(&network).unwrap();
    let back: Network = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(back, network);
    assert_eq!(back.movements(), network.movements());
    let key = bytes.windows(3).position(|three| three == b"c-d").unwrap();
    let mut damaged = bytes.clone();
    damaged[key + 1] = b';';
    assert!(postcard::from_bytes::<Network>(&damaged).is_err());
    let mut unsorted = bytes;
    unsorted[key] = b'0';
    assert!(postcard::from_bytes::<Network>(&unsorted).is_err());
}

#[test]
fn every_link_leads_on_but_not_back() {
    let cross = network("a=b b=c b=l");
    assert_eq!(onto(&cross, "a-b"), "b-c b-l");
    assert_eq!(onto(&cross, "b-a"), "a-b", "the end of a road is where one turns");
    assert_eq!(cross.find_movement(link(&cross, "a-b"), link(&cross, "b-a")), None);
    let movement = cross.find_movement(link(&cross, "a-b"), link(&cross, "b-l")).unwrap();
    assert_eq!(cross.movements()[movement.slot()].to, link(&cross, "b-l"));
}

#[test]
fn rules_of_turns_beat_the_general_rule() {
    let rule = |from: &str, to: &str, rule| DraftTurn { from: from.into(), to: to.into(), rule };
    let mut cross = draft("a=b b=c b=l");
    cross.turns = vec![
        rule("a-b", "b-l", TurnRule::Banned),
        rule("a-b", "b-a", TurnRule::Allowed),
        rule("c-b", "b-a", TurnRule::Banned),
        rule("c-b", "b-l", TurnRule::Banned),
        rule("l-b", "b-a", TurnRule::Allowed),
        rule("l-b", "b-a", TurnRule::Banned),
    ];
    let cross = sound(cross);
    assert_eq!(onto(&cross, "a-b"), "b-a b-c");
    assert_eq!(onto(&cross, "c-b"), "b-c", "nothing else is left");
    assert_eq!(onto(&cross, "l-b"), "b-c", "of two rules the stricter");
}

#[test]
fn nobody_drives_through_a_centroid() {
    let mut star = draft("a=b b=c");
    star.junctions[1].passable = false;
    assert_eq!(onto(&sound(star), "a-b"), "");
}

#[test]
fn the_second_half_of_a_small_roundabout_is_no_u_turn() {
    let mut round = draft("a-b b-a c-a b-d");
    round.links[0].geometry = vec![(10.0, 106.0), (9.9995, 106.0005), (10.0, 106.001)];
    round.links[1].geometry = vec![(10.0, 106.001), (10.0005, 106.0005), (10.0, 106.0)];
    assert_eq!(onto(&sound(round), "a-b"), "b-a b-d");
    assert_eq!(onto(&network("a-b b-a c-a b-d"), "a-b"), "b-d");
}

#[test]
fn islands_and_strong_parts() {
    let two = network("a=b b=c b-d p=q");
    let islands = two.islands();
    assert_eq!(islands.sizes(), [5, 2]);
    let parts = two.strong_parts();
    assert_eq!(parts.sizes(), [4, 1, 2]);
    assert_eq!(parts.largest(), Some(0));
    assert_eq!(parts.first(2), Some(link(&two, "p-q")));
    assert_eq!(network("").islands().largest(), None);
}

#[test]
fn defaults_come_from_the_class() {
    let mut road = draft("a-b");
    road.links[0].class = RoadClass::Primary;
    let road = sound(road);
    let link = road.link(LinkIndex::new(0));
    assert_eq!(link.lanes().get(), 2);
    assert!((link.capacity_veh_h() - 3_200.0).abs() < 1e-9);
    assert!((link.length().get() - 109.5).abs() < 0.1);
    assert!((link.travel_time_s() - link.length().get() / (50.0 / 3.6)).abs() < 1e-9);
    assert!((link.storage_veh() - 0.3 * link.length().get()).abs() < 1e-9);
}

#[test]
fn rules_that_change_nothing_are_dropped() {
    let rule = |from: &str, to: &str, rule| DraftTurn { from: from.into(), to: to.into(), rule };
    let mut cross = draft("a=b b=c b=l");
    cross.turns = vec![rule("a-b", "b-c", TurnRule::Allowed), rule("a-b", "b-a", TurnRule::Banned)];
    assert_eq!(sound(cross), network("a=b b=c b=l"));
    let mut end = draft("a=b");
    end.turns = vec![rule("a-b", "b-a", TurnRule::Banned)];
    let end = sound(end);
    assert_eq!(onto(&end, "a-b"), "");
    assert_eq!(end.turns().len(), 1);
    assert_eq!(sound(end.to_draft()), end);
}
