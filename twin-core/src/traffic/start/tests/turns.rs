//! Turning shares from flows, and learned from counts.

use super::random::Chance;
use super::*;
use crate::road::{DraftTurn, TurnRule};

#[track_caller]
fn check(network: &Network, turning: &Turning, from: &str, expected: &[(&str, f64)], near_by: f64) {
    let from = link(network, from);
    let movements = network.movements_from(from);
    let keys: Vec<&str> =
        movements.iter().map(|movement| network.link(movement.to).key().as_str()).collect();
    assert_eq!(keys, expected.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    for (found, (_, expected)) in turning.of(network, from).iter().zip(expected) {
        near(*found, *expected, near_by);
    }
}

/// Two streets that meet: a and b in, n and o out.
const CROSS: &str = "a-e b-e e-n e-o";

#[test]
fn shares_are_in_proportion_to_the_flows_out() {
    let cross = network(CROSS);
    let given = [("a-e", 600.0), ("b-e", 400.0), ("e-n", 700.0), ("e-o", 300.0)];
    let turning = estimate(&cross, &flows(&cross, &given)).turning;
    for from in ["a-e", "b-e"] {
        check(&cross, &turning, from, &[("e-n", 0.7), ("e-o", 0.3)], 1e-9);
    }
    let turning = Turning::by_capacity(&cross);
    check(&cross, &turning, "a-e", &[("e-n", 0.5), ("e-o", 0.5)], 1e-12);
    assert!(turning.of(&cross, link(&cross, "e-n")).is_empty());
}

#[test]
fn a_ban_sends_the_others_where_the_flow_is_missing() {
    let mut banned = draft(CROSS);
    banned.turns = vec![DraftTurn { from: "b-e".into(), to: "e-o".into(), rule: TurnRule::Banned }];
    let cross = sound(banned);
    let given = [("a-e", 600.0), ("b-e", 400.0), ("e-n", 700.0), ("e-o", 300.0)];
    let turning = estimate(&cross, &flows(&cross, &given)).turning;
    check(&cross, &turning, "a-e", &[("e-n", 0.5), ("e-o", 0.5)], 1e-6);
    check(&cross, &turning, "b-e", &[("e-n", 1.0)], 1e-12);
}

/// Counts of minutes with hidden shares, each count off by up to 3 %.
fn minutes(network: &Network, hidden: &[(&str, &str, f64)], count: usize) -> Vec<TurnCounts> {
    let mut chance = Chance(11);
    let minute = |_| {
        let mut veh = vec![Some(0.0); network.links().len()];
        let mut inflow = std::collections::BTreeMap::new();
        for (from, to, share) in hidden {
            let all = *inflow.entry(*from).or_insert_with(|| 5.0 + 25.0 * chance.share());
            veh[link(network, from).slot()] = Some(all);
            *veh[link(network, to).slot()].as_mut().unwrap() += share * all;
        }
        for count in veh.iter_mut().flatten() {
            *count *= 0.97 + 0.06 * chance.share();
        }
        TurnCounts { veh }
    };
    (0..count).map(minute).collect()
}

fn learned(network: &Network, minutes: &[TurnCounts]) -> Turning {
    let mut turning = Turning::by_capacity(network);
    let mut recursion = Recursion::new(network, &turning);
    for minute in minutes {
        recursion.learn(network, minute);
    }
    recursion.teach(network, &mut turning);
    turning
}

#[test]
fn hidden_shares_are_learned_from_counts() {
    let cross = network("a-e b-e l-e e-n e-o e-p");
    let hidden = [
        ("a-e", "e-n", 0.2),
        ("a-e", "e-o", 0.7),
        ("a-e", "e-p", 0.1),
        ("b-e", "e-n", 0.5),
        ("b-e", "e-o", 0.0),
        ("b-e", "e-p", 0.5),
        ("l-e", "e-n", 0.05),
        ("l-e", "e-o", 0.15),
        ("l-e", "e-p", 0.8),
    ];
    let turning = learned(&cross, &minutes(&cross, &hidden, 300));
    for rows in hidden.chunks(3) {
        let expected: Vec<(&str, f64)> = rows.iter().map(|(_, to, share)| (*to, *share)).collect();
        check(&cross, &turning, rows[0].0, &expected, 0.03);
        assert!(turning.learned[link(&cross, rows[0].0).slot()]);
    }
    assert!(!turning.learned[link(&cross, "e-n").slot()]);
}

#[test]
fn shares_that_change_are_followed() {
    let cross = network(CROSS);
    let shares = |a: f64, b: f64| {
        [("a-e", "e-n", a), ("a-e", "e-o", 1.0 - a), ("b-e", "e-n", b), ("b-e", "e-o", 1.0 - b)]
    };
    let mut counts = minutes(&cross, &shares(0.9, 0.3), 200);
    counts.extend(minutes(&cross, &shares(0.4, 0.3), 200));
    let turning = learned(&cross, &counts);
    check(&cross, &turning, "a-e", &[("e-n", 0.4), ("e-o", 0.6)], 0.05);
    check(&cross, &turning, "b-e", &[("e-n", 0.3), ("e-o", 0.7)], 0.05);
}

#[test]
fn nothing_is_learned_where_a_link_is_not_counted() {
    let cross = network(CROSS);
    let hidden =
        [("a-e", "e-n", 0.9), ("a-e", "e-o", 0.1), ("b-e", "e-n", 0.2), ("b-e", "e-o", 0.8)];
    let mut counts = minutes(&cross, &hidden, 50);
    for minute in &mut counts {
        minute.veh[link(&cross, "e-o").slot()] = None;
    }
    assert_eq!(learned(&cross, &counts), Turning::by_capacity(&cross));
}
