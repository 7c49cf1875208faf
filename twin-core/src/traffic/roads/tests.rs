//! Roads as both models have them: one diagram, one capacity, bans that hold.

use std::collections::BTreeMap;

use super::*;
use crate::road::{
    Control, Draft, DraftJunction, DraftLink, DraftTurn, DraftZone, Network, RoadClass, TurnRule,
};

/// Links of letters on a bow, such as `ab bc`; zone `A` at junction `a`.
fn draft(text: &str) -> Draft {
    let mut draft = Draft::default();
    for word in text.split_whitespace() {
        let (from, to) = word.split_at(1);
        draft.links.push(DraftLink::new(word, from, to, RoadClass::Primary));
        for key in [from, to] {
            if draft.junctions.iter().all(|known| known.key != key) {
                let angle = f64::from(key.as_bytes()[0] - b'a') * 0.4;
                let point = (10.77 + 0.02 * angle.sin(), 106.7 + 0.02 * angle.cos());
                let (control, passable) = (Control::None, true);
                let connectors = vec![key.to_owned()];
                let (key, zone) = (key.to_owned(), key.to_uppercase());
                draft.junctions.push(DraftJunction { key, point, control, passable });
                draft.zones.push(DraftZone {
                    key: zone,
                    name: String::new(),
                    point: None,
                    ring: Vec::new(),
                    connectors,
                });
            }
        }
    }
    draft
}

fn sound(draft: Draft) -> Network {
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
}

#[test]
fn every_class_carries_its_capacity_in_both_models() {
    for class in RoadClass::all() {
        let mut roads = draft("ab");
        roads.links[0].class = class;
        let network = sound(roads);
        let given = network.links()[0].capacity_veh_h();
        let none = BTreeMap::new();
        let dynamic = with_ends(&network, &none, &[0], &[1]).unwrap();
        let link = &dynamic.links()[0];
        near(link.capacity_pcu_s() * 3_600.0, given);
        near(link.peak_pcu_s() * 3_600.0, given);
        let balance = assignment(&network, &Edited::default()).unwrap();
        near(balance.links()[0].capacity, given);
        near(balance.links()[0].length, link.length_m);
        near(balance.links()[0].free_flow_time, link.length_m / link.free_speed_mps);
    }
}

#[test]
fn raised_capacity_has_a_steeper_wave_up_to_free_speed() {
    let network = sound(draft("ab"));
    let (index, road) = (network.find_link("ab").unwrap(), &network.links()[0]);
    let base = Diagram::of(road);
    assert_eq!(base.raised(1.0), base);
    assert_eq!(base.raised(0.5), base);
    let most = base.most_capacity_veh_h() / base.capacity_veh_h;
    for times in [1.2, 2.0, most] {
        let raised = base.raised(times);
        near(raised.peak_veh_h(raised.free_speed_kmh), base.capacity_veh_h * times);
        assert!(raised.wave_speed_kmh > base.wave_speed_kmh);
        let raise = BTreeMap::from([(index, Raised { capacity: times, lanes: 2.0 })]);
        let model = with_ends(&network, &raise, &[0], &[1]).unwrap();
        let gate = model.origins()[0].capacity_pcu_s.unwrap();
        near(gate * 3_600.0, base.capacity_veh_h * times * 2.0);
        // Its own capacity until an edit multiplies it; the peak is where the edit ends.
        near(model.links()[0].capacity_pcu_s() * 3_600.0, base.capacity_veh_h);
        near(model.links()[0].peak_pcu_s() * 3_600.0, base.capacity_veh_h * times);
    }
    near(base.raised(9.0).wave_speed_kmh, base.free_speed_kmh);
}

#[test]
fn a_ban_of_the_file_and_one_of_an_edit_hold_alike() {
    // From a to d by c, or longer by e; c may not be left for d by who comes from b.
    let mut banned = draft("ab bc cd be ed");
    let (from, to) = ("bc".to_owned(), "cd".to_owned());
    banned.turns.push(DraftTurn { from, to, rule: TurnRule::Banned });
    let (plain, banned) = (sound(draft("ab bc cd be ed")), sound(banned));
    let cost = |network: &Network, edited: &Edited| {
        let roads = assignment(network, edited).unwrap();
        roads.least_costs(network.find_zone("A").unwrap().number())
            [network.find_zone("D").unwrap().slot()]
    };
    let time = |keys: &str| -> f64 {
        let link = |key| plain.link(plain.find_link(key).unwrap()).travel_time_s();
        keys.split_whitespace().map(link).sum()
    };
    near(cost(&plain, &Edited::default()), time("ab bc cd").min(time("ab be ed")));
    near(cost(&banned, &Edited::default()), time("ab be ed"));
    let link = |key| plain.find_link(key).unwrap();
    let ban = plain.find_movement(link("bc"), link("cd")).unwrap();
    let edited = Edited { bans: [ban].into(), ..Edited::default() };
    near(cost(&plain, &edited), time("ab be ed"));
    let closed = Now { open: false, ..Now::BASE };
    let shut = Edited { links: BTreeMap::from([(link("be"), closed)]), ..edited };
    assert!(cost(&plain, &shut).is_infinite());
}
