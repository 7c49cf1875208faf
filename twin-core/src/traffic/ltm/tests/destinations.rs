//! Routing by destination: everybody gets where they want, by the way that is short now.

use super::*;

/// Origins at junctions 0 and 1, which meet in 2; destinations behind links 3 and 4.
fn crossing() -> Network {
    let links = vec![
        link(0, 2, 400.0),
        link(1, 2, 400.0),
        link(2, 3, 800.0),
        link(3, 4, 400.0),
        link(3, 5, 400.0),
    ];
    let origins = vec![origin(0), origin(1)];
    Network::new(6, links, origins, vec![destination(4), destination(5)], &[]).unwrap()
}

#[test]
fn all_arrive_where_they_want() {
    let network = crossing();
    let demand = vec![to(0, 0, 700.0, 0.25), to(0, 1, 700.0, 0.05), to(1, 1, 700.0, 0.4)];
    let plan = plan(&network, routed(300.0, None, demand));
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1800.0);
    close(state.counts_pcu(3).unwrap().1, 175.0);
    close(state.counts_pcu(4).unwrap().1, 315.0);
    close(state.totals().left_pcu, 490.0);
}

#[test]
fn a_blend_does_not_overtake_by_more_than_a_quarter_link() {
    let network = crossing();
    // First all to one destination, then all to the other.
    let second = Demand { from_s: 200.0, ..to(0, 1, 400.0, 0.3) };
    let plan = plan(&network, routed(300.0, None, vec![to(0, 0, 200.0, 0.3), second]));
    let mut state = State::empty(&plan);
    // The first of the second lot leaves link 2 at 200 + 20 + 40 s; a quarter of that is 15 s.
    for _ in 0..245 / 5 {
        state.step(&plan);
    }
    close(state.counts_pcu(4).unwrap().0, 0.0);
    for _ in 0..60 / 5 {
        state.step(&plan);
    }
    assert!(state.counts_pcu(4).unwrap().0 > 5.0);
}

#[test]
fn vehicles_take_the_short_way_until_it_is_slow() {
    let network = two_ways(1);
    let demand = || vec![to(0, 0, 3000.0, 0.7)];
    let short = plan(&network, routed(60.0, None, demand()));
    let mut state = State::empty(&short);
    all(&short, &mut state, 600.0);
    close(state.counts_pcu(2).unwrap().0, 0.0);
    // At a quarter of its capacity, the short way fills up: many go round.
    let effect = Effect::Capacity { link: 1, factor: 0.25 };
    let changes = vec![Change { from_s: 600.0, until_s: 9e9, effect }];
    let edited = plan(&network, PlanInputs { changes, ..routed(60.0, None, demand()) });
    let mut fork = state.adopt(&short, &edited).unwrap();
    all(&edited, &mut fork, 1800.0);
    assert!(fork.counts_pcu(2).unwrap().0 > 200.0, "{:?}", fork.counts_pcu(2));
    assert!(fork.totals().missing_pcu.abs() < 1e-9);
}

#[test]
fn logit_splits_by_the_difference_in_time() {
    let network = two_ways(1);
    // 20 s against 30 s: e^(−0.1·10) of the shorter's share.
    let plan = plan(&network, routed(60.0, Some(0.1), vec![to(0, 0, 1000.0, 0.3)]));
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1800.0);
    let (short, long) = (state.counts_pcu(1).unwrap().0, state.counts_pcu(2).unwrap().0);
    assert!((long / short - (-1.0_f64).exp()).abs() < 1e-5, "{short} and {long}");
    close(short + long, 300.0);
}

#[test]
fn a_closed_way_is_avoided_at_once() {
    let network = two_ways(1);
    let closed = Change { from_s: 305.0, until_s: 9e9, effect: Effect::Close { link: 1 } };
    let inputs = routed(3000.0, None, vec![to(0, 0, 1000.0, 0.3)]);
    let plan = plan(&network, PlanInputs { changes: vec![closed], ..inputs });
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1800.0);
    close(state.counts_pcu(1).unwrap().0, 0.3 * 295.0);
    close(state.totals().left_pcu, 300.0);
}

#[test]
fn at_an_origin_who_has_no_way_does_not_hold_the_others() {
    let network = crossing();
    let closed = Change { from_s: 0.0, until_s: 600.0, effect: Effect::Close { link: 3 } };
    let demand = vec![to(0, 0, 300.0, 0.2), to(0, 1, 300.0, 0.1)];
    let plan = plan(&network, PlanInputs { changes: vec![closed], ..routed(300.0, None, demand) });
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 600.0);
    close(state.totals().waiting_pcu, 60.0);
    close(state.counts_pcu(4).unwrap().0, 30.0);
    all(&plan, &mut state, 1800.0);
    close(state.counts_pcu(3).unwrap().0, 60.0);
    close(state.totals().left_pcu, 90.0);
}

#[test]
fn who_is_on_the_road_at_the_start_goes_where_it_is_said() {
    let network = crossing();
    let plan = plan(&network, routed(300.0, None, vec![to(0, 0, 9.0, 0.1)]));
    let mut starts = vec![LinkStart::EMPTY; 5];
    starts[2] = LinkStart::uniform(&network.links()[2], 0.03);
    let mut state = State::new(&plan, &starts).unwrap();
    state.set_mix(2, &[(0, 1.0), (1, 3.0)]).unwrap();
    assert_eq!(state.set_mix(2, &[(7, 1.0)]), Err(StartError::Mix(2)));
    all(&plan, &mut state, 600.0);
    assert!((state.counts_pcu(4).unwrap().0 - 18.0).abs() < 1e-3);
    assert!((state.counts_pcu(3).unwrap().0 - 6.9).abs() < 1e-3);
}

/// Seen: a blend was drained and taken into within one step of one junction; shares became NaN.
#[test]
fn a_link_that_ends_where_it_begins_keeps_its_blends() {
    let links = vec![link(0, 1, 300.0), link(1, 1, 101.0), link(1, 2, 303.0), link(2, 1, 200.0)];
    let sinks = vec![destination(2), destination(1)];
    let network = Network::new(3, links, vec![origin(0)], sinks, &[(0, 2)]).unwrap();
    // From link 0 one must go round link 1 to get to link 2.
    let plan = plan(&network, routed(60.0, None, vec![to(0, 0, 700.0, 0.5), to(0, 1, 700.0, 0.1)]));
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1800.0);
    close(state.totals().left_pcu, 420.0);
    close(state.counts_pcu(1).unwrap().1, 350.0);
}
