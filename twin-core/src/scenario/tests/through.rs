//! Who uses a link.

use proptest::prelude::*;

use super::*;

fn asked(scenario: Scenario, keys: &[&str]) -> Scenario {
    Scenario { through: keys.iter().map(|key| (*key).to_owned()).collect(), ..scenario }
}

fn used(users: &LinkUsers, key: &str) -> f64 {
    let found = users.links.iter().find(|one| one.key.as_str() == key);
    found.map_or(0.0, |one| one.flow_veh_h)
}

#[test]
fn users_are_told_by_pair_and_by_road() {
    let network = network("ab:1000 bc:1000 cd:1000 xb:1000 cy:1000");
    let base = trips(scenario(Model::Static, 3_600.0), "A>D:0.1 A>B:0.05 X>D:0.03 X>Y:0.02");
    let found = answer(&network, &asked(base, &["ab", "cy", "bc"]));
    let [ab, cy, bc] = &found.through[..] else { panic!("{:?}", found.through) };
    close(ab.flow_veh_h, 540.0);
    close(used(ab, "ab"), 540.0);
    close(used(ab, "bc"), 360.0);
    close(used(ab, "cd"), 360.0);
    close(used(ab, "cy") + used(ab, "xb"), 0.0);
    let pairs = |users: &LinkUsers| {
        let pair = |pair: &PairFlow| {
            format!("{}>{} {:.0}", pair.origin, pair.destination, pair.flow_veh_h)
        };
        users.pairs.iter().map(pair).collect::<Vec<_>>()
    };
    assert_eq!(pairs(ab), ["A>B 180", "A>D 360"]);
    assert_eq!(pairs(cy), ["X>Y 72"]);
    assert_eq!(pairs(bc), ["A>D 360", "X>D 108", "X>Y 72"]);
    close(used(cy, "xb"), 72.0);
    close(used(cy, "bc"), 72.0);
    assert!(
        bc.links[0].key.as_str() == "bc"
            && bc.links.is_sorted_by(|a, b| a.flow_veh_h >= b.flow_veh_h)
    );
}

#[test]
fn nobody_uses_a_closed_link_and_the_dynamic_model_is_not_asked() {
    let network = network("ab:1000 bc:1000 ad:1000 dc:1000");
    let base = trips(scenario(Model::Static, 3_600.0), "A>C:0.1");
    let shut = with(&asked(base, &["bc"]), closed(&["bc"]));
    let users = &answer(&network, &shut).through[0];
    close(users.flow_veh_h, 0.0);
    assert!(users.pairs.is_empty() && users.links.is_empty());
    let unknown = asked(scenario(Model::Static, 600.0), &["ab", "zz"]);
    let faults: Vec<String> = unknown.check(&network).iter().map(ToString::to_string).collect();
    assert_eq!(faults, [r#"through[1]: the network has no link "zz""#]);
    let dynamic = asked(scenario(Model::Dynamic, 600.0), &["ab"]);
    let faults: Vec<String> = dynamic.check(&network).iter().map(ToString::to_string).collect();
    let expected = "through: needs the static model: the dynamic one does not keep who goes where";
    assert_eq!(faults, [expected]);
}

/// A grid of nine junctions with roads both ways and many ways round.
fn grid() -> Network {
    let text = "ab:900 ba:900 bc:700 cb:700 de:800 ed:800 ef:900 fe:900 gh:900 hg:900 hi:800 ih:800 \
                ad:900 da:900 dg:700 gd:700 be:800 eb:800 eh:900 he:900 cf:900 fc:900 fi:800 if:800";
    network(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn users_add_up_and_share_roads_evenly(
        rows in prop::collection::vec((0..9_u8, 0..9_u8, 0.05..1.2_f64), 3..14),
    ) {
        let network = grid();
        let zone = |at: u8| char::from(b'A' + at);
        let apart = rows.iter().filter(|(from, to, _)| from != to);
        let text: Vec<String> =
            apart.map(|(from, to, flow)| format!("{}>{}:{flow}", zone(*from), zone(*to))).collect();
        prop_assume!(!text.is_empty());
        let keys: Vec<String> = network.links().iter().map(|link| link.key().to_string()).collect();
        let all = Scenario { through: keys, ..trips(scenario(Model::Static, 3_600.0), &text.join(" ")) };
        let found = answer(&network, &all);
        let flows = &found.intervals[0].links;
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + a.abs().max(b.abs()));
        for (users, flow) in found.through.iter().zip(flows) {
            let key = users.key.as_str();
            let pairs: f64 = users.pairs.iter().map(|pair| pair.flow_veh_h).sum();
            prop_assert!(near(pairs, flow.flow_veh_h), "{key}: {pairs} {}", flow.flow_veh_h);
            prop_assert!(near(used(users, key), flow.flow_veh_h), "{key}");
            prop_assert!(near(users.flow_veh_h, flow.flow_veh_h), "{key}");
            for (other, all) in found.through.iter().zip(flows) {
                // Those of one who use the other are those of the other who use the one.
                let (there, back) = (used(users, other.key.as_str()), used(other, key));
                prop_assert!(near(there, back), "{key} {}: {there} {back}", other.key);
                prop_assert!(there <= all.flow_veh_h.min(flow.flow_veh_h) * (1.0 + 1e-9) + 1e-6);
            }
        }
    }
}
