//! What is merged and what is not.

use super::*;

fn keys(network: &Network) -> String {
    let keys: Vec<_> = network.links().iter().map(|link| link.key().as_str()).collect();
    keys.join(" ")
}

fn check(draft: &Draft, threshold_m: f64, expected: &str) -> Network {
    let merged = sound(draft.clone()).merge_below(threshold_m);
    assert_eq!(keys(&merged.network), expected);
    merged.network
}

#[test]
fn alike_links_become_one() {
    let road = check(&draft("a=b b=c c=d"), 0.0, "a-b d-c");
    let one = road.link(link(&road, "a-b"));
    assert_eq!(road.junction(one.to()).key().as_str(), "d");
    let originals: Vec<_> = one.originals().iter().map(LinkKey::as_str).collect();
    assert_eq!(originals, ["a-b", "b-c", "c-d"]);
    assert_eq!(one.geometry().len(), 4);
    assert_eq!(road.find_link("b-c"), Some(link(&road, "a-b")));
    assert_eq!(road.find_link("c-b"), Some(link(&road, "d-c")));
    assert_eq!(road.junctions().len(), 2);
}

#[test]
fn what_decides_stays() {
    check(&draft("a=b b=c b=l"), 0.0, "a-b b-a b-c b-l c-b l-b");
    check(&draft("a-b b=c"), 0.0, "a-b b-c c-b");
    let mut signal = draft("a=b b=c");
    signal.junctions[1].control = Control::Signal;
    check(&signal, 1e3, "a-b b-a b-c c-b");
    let mut ruled = draft("a=b b=c");
    ruled.turns = vec![DraftTurn { from: "a-b".into(), to: "b-a".into(), rule: TurnRule::Allowed }];
    check(&ruled, 1e3, "a-b b-a b-c c-b");
    let mut zone = draft("a=b b=c");
    zone.zones = vec![DraftZone {
        key: "z".into(),
        name: String::new(),
        point: None,
        ring: Vec::new(),
        connectors: vec!["b".into()],
    }];
    check(&zone, 1e3, "a-b b-a b-c c-b");
}

#[test]
fn a_ring_of_nothing_else_keeps_its_junctions() {
    let merged = sound(draft("a-b b-c c-a")).merge_below(1e3);
    assert_eq!((merged.junctions_gone, merged.links_gone), (0, 0));
}

#[test]
fn unlike_links_only_where_one_is_short() {
    let mut road = draft("a-b b-c");
    road.links[1].lanes = Some(3);
    road.links[1].free_speed_mps = Some(20.0);
    check(&road, 50.0, "a-b b-c");
    road.links[1].length_m = Some(120.0);
    let merged = check(&road, 115.0, "a-b");
    let (old, one) = (sound(road), merged.link(LinkIndex::new(0)));
    assert_eq!(one.lanes().get(), 3, "of the longest part");
    assert!((one.capacity_veh_h() - 800.0).abs() < 1e-9, "of the narrowest part");
    let time: f64 = old.links().iter().map(Link::travel_time_s).sum();
    assert!((one.travel_time_s() - time).abs() < 1e-9 * time);
    let storage: f64 = old.links().iter().map(Link::storage_veh).sum();
    assert!((one.storage_veh() - storage).abs() < 1e-9 * storage);
}

#[test]
fn rings_and_loops_stay_roads() {
    // All of it could go: a ring without an entry.
    check(&draft("a-b b-l l-a"), 0.0, "a-b b-l l-a");
    // A loop street at b: one junction of it stays.
    let street = check(&draft("a=b b=c c=m m=l l=b b=d"), 0.0, "a-b b-a b-c b-d b-l c-b c-m d-b");
    assert_eq!(street.check(), []);
    let before = network("a=b b=c c=m m=l l=b b=d");
    assert_eq!(before.strong_parts().sizes(), [12]);
    assert_eq!(street.strong_parts().sizes(), [8]);
}

#[test]
fn rules_and_signals_follow_the_merged_links() {
    let mut road = draft("a-b b-c c-d c-m l-c");
    road.junctions[2].control = Control::Signal;
    road.turns = vec![DraftTurn { from: "b-c".into(), to: "c-d".into(), rule: TurnRule::Banned }];
    let releases = vec![("b-c".into(), Some("c-m".into()))];
    let phase = DraftPhase { ring: 1, green_s: 30.0, clearance_s: 4.0, releases };
    let signal =
        DraftSignal { junction: "c".into(), cycle_s: 60.0, offset_s: 5.0, phases: vec![phase] };
    road.signals = vec![signal];
    road.links[1].length_m = Some(500.0);
    let merged = check(&road, 0.0, "a-b c-d c-m l-c");
    assert_eq!(onto(&merged, "a-b"), "c-m");
    let plan = merged.signal_plan(merged.find_junction("c").unwrap()).unwrap();
    let share = plan.green_share(link(&merged, "b-c"), link(&merged, "c-m"));
    assert!((share - 0.5).abs() < 1e-12);
}
