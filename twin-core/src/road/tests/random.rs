//! Random small networks against slow and plain answers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Links between up to 12 junctions, some two-way, some short, some unlike.
fn drafts() -> impl Strategy<Value = Draft> {
    let one = (0..12_u8, 0..12_u8, any::<bool>(), 0..3_u8, 5.0..400.0_f64);
    let signals = prop::collection::vec(any::<bool>(), 12);
    let bans = prop::collection::vec((0..50_usize, 0..50_usize), 0..200);
    (prop::collection::vec(one, 1..25), signals, bans).prop_map(|(links, signals, bans)| {
        let name = |at: u8| char::from(b'a' + at).to_string();
        let mut draft = Draft::default();
        for (at, signal) in (0..12).zip(signals) {
            let mut one = junction(&name(at));
            one.control = if signal && at % 3 == 0 { Control::Signal } else { Control::None };
            draft.junctions.push(one);
        }
        for (from, to, both, kind, length_m) in links {
            for (from, to) in [(from, to), (to, from)].into_iter().take(1 + usize::from(both)) {
                let key = format!("{}-{}", name(from), name(to));
                if from == to || draft.links.iter().any(|link| link.key == key) {
                    continue;
                }
                let class = [RoadClass::Residential, RoadClass::Primary, RoadClass::Tertiary];
                let class = class[usize::from(kind)];
                let mut link = DraftLink::new(&key, &name(from), &name(to), class);
                link.length_m = Some(length_m);
                draft.links.push(link);
            }
        }
        for (one, other) in bans {
            if let Some((one, other)) = draft.links.get(one).zip(draft.links.get(other))
                && one.to == other.from
            {
                let (from, to) = (one.key.clone(), other.key.clone());
                draft.turns.push(DraftTurn { from, to, rule: TurnRule::Banned });
            }
        }
        draft
    })
}

fn totals(network: &Network) -> (f64, f64, f64) {
    network.links().iter().fold((0.0, 0.0, 0.0), |(time, storage, length), link| {
        (time + link.travel_time_s(), storage + link.storage_veh(), length + link.length().get())
    })
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(1.0)
}

/// Which original link can be driven to from which, the slow way.
fn reach(network: &Network, from: &str) -> BTreeSet<LinkIndex> {
    let reached = network.reached_from(network.find_link(from));
    network.link_indexes().filter(|link| reached[link.slot()]).collect()
}

proptest! {
    #[test]
    fn merging_keeps_time_storage_length_and_ways(draft in drafts(), threshold_m in 0.0..200.0_f64) {
        let old = sound(draft);
        let merged = old.merge_below(threshold_m);
        let new = &merged.network;
        let (before, after) = (totals(&old), totals(new));
        prop_assert!(close(before.0, after.0), "travel time {before:?} {after:?}");
        prop_assert!(close(before.1, after.1), "storage {before:?} {after:?}");
        prop_assert!(close(before.2, after.2), "length {before:?} {after:?}");
        prop_assert_eq!(old.links().len() - merged.links_gone, new.links().len());
        prop_assert_eq!(old.junctions().len() - merged.junctions_gone, new.junctions().len());
        for link in old.links() {
            let key = link.key().as_str();
            prop_assert!(new.find_link(key).is_some(), "{key} is lost");
            // Whatever was reached is reached, by its new name; nothing else is.
            let renamed: BTreeSet<_> = reach(&old, key)
                .into_iter()
                .filter_map(|one| new.find_link(old.link(one).key().as_str()))
                .collect();
            prop_assert_eq!(renamed, reach(new, key), "from {}", key);
        }
        // Done once is done.
        prop_assert_eq!(&new.merge_below(0.0).network.content_hash(),
            &new.merge_below(0.0).network.merge_below(0.0).network.content_hash());
    }

    #[test]
    fn strong_parts_are_mutual_reach(draft in drafts()) {
        let network = sound(draft);
        let parts = network.strong_parts();
        let all: Vec<_> = network.link_indexes().collect();
        let reach: Vec<_> = all.iter().map(|link| network.reached_from([*link])).collect();
        for one in &all {
            for other in &all {
                let mutual = reach[one.slot()][other.slot()] && reach[other.slot()][one.slot()];
                prop_assert_eq!(parts.part(*one) == parts.part(*other), mutual);
            }
        }
        prop_assert_eq!(parts.sizes().iter().sum::<usize>(), all.len());
    }

    #[test]
    fn near_links_are_those_of_asking_all(
        draft in drafts(),
        point in (9.998..10.003_f64, 105.998..106.011_f64),
        distance_m in 1.0..400.0_f64,
    ) {
        let network = sound(draft);
        let point = at(point.0, point.1);
        let near = LinkFinder::new(&network).within(point, distance_m);
        let mut all: Vec<_> = network
            .link_indexes()
            .filter_map(|link| Some((foot(&network.line(link), point)?.distance_m, link)))
            .filter(|(far_m, _)| *far_m <= distance_m)
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let expected: Vec<_> = all.into_iter().map(|(_, link)| link).collect();
        prop_assert_eq!(near.iter().map(|one| one.link).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_network_taken_apart_is_built_again(draft in drafts()) {
        let network = sound(draft);
        prop_assert_eq!(sound(network.to_draft()), network);
    }
}
