//! Tolls and bans for some: who chooses a way heeds them, and nobody is slower for it.

use super::*;

fn charged(effect: Effect, from_s: f64, until_s: f64, theta_per_s: Option<f64>) -> PlanInputs {
    let changes = vec![Change { from_s, until_s, effect }];
    PlanInputs { changes, ..routed(600.0, theta_per_s, vec![to(0, 0, 900.0, 0.3)]) }
}

/// Who has taken the short and the long way.
fn split(network: &Network, inputs: PlanInputs) -> (f64, f64) {
    let plan = plan(network, inputs);
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1800.0);
    let totals = state.totals();
    assert!(totals.missing_pcu.abs() < 1e-9 && totals.delay_pcu_s.abs() < 1e-6, "{totals:?}");
    (state.counts_pcu(1).unwrap().0, state.counts_pcu(2).unwrap().0)
}

#[test]
fn a_toll_shifts_all_when_it_is_worth_more_than_the_detour() {
    let network = two_ways(1);
    let taken = |worth_s: f64, from_s: f64, until_s: f64| {
        split(&network, charged(Effect::Toll { link: 1, worth_s }, from_s, until_s, None))
    };
    let near = |(short, long): (f64, f64), expected: f64| {
        close(short, 270.0 - expected);
        close(long, expected);
    };
    near(taken(9.9, 0.0, f64::INFINITY), 0.0);
    near(taken(10.1, 0.0, f64::INFINITY), 270.0);
    // While it holds, though nobody looks for a better way at those times.
    near(taken(10.1, 300.0, 500.0), 60.0);
    // Two that hold together add up.
    let one =
        Change { from_s: 300.0, until_s: 500.0, effect: Effect::Toll { link: 1, worth_s: 6.0 } };
    let other = Change { from_s: 400.0, until_s: 800.0, ..one };
    let inputs = routed(600.0, None, vec![to(0, 0, 900.0, 0.3)]);
    near(split(&network, PlanInputs { changes: vec![one, other], ..inputs }), 30.0);
}

#[test]
fn a_toll_as_long_as_the_detour_halves_the_traffic_by_logit() {
    let effect = Effect::Toll { link: 1, worth_s: 10.0 };
    let (short, long) = split(&two_ways(1), charged(effect, 0.0, f64::INFINITY, Some(0.1)));
    assert!((short - 135.0).abs() < 1e-4 && (long - 135.0).abs() < 1e-4, "{short} {long}");
}

#[test]
fn no_toll_gives_the_figures_of_the_base() {
    let network = two_ways(1);
    let figures = |worth_s: f64, from_s: f64| {
        let effect = Effect::Toll { link: 1, worth_s };
        let plan = plan(&network, charged(effect, from_s, 600.0, Some(0.1)));
        all(&plan, &mut State::empty(&plan), 1800.0)
    };
    let base = plan(&network, routed(600.0, Some(0.1), vec![to(0, 0, 900.0, 0.3)]));
    let base = all(&base, &mut State::empty(&base), 1800.0);
    assert_eq!(figures(0.0, 200.0), base);
    assert_eq!(figures(-0.0, 0.0), base);
    assert_ne!(figures(1.0, 200.0), base);
}

#[test]
fn a_charge_that_is_none_is_refused() {
    let network = Arc::new(two_ways(2));
    let refused = |effect| {
        let made = Plan::new(Arc::clone(&network), charged(effect, 0.0, 9.0, None));
        assert_eq!(made.err(), Some(PlanError::Change(0)), "{effect:?}");
    };
    for worth_s in [-1.0, f64::NAN, f64::INFINITY, 86_401.0] {
        refused(Effect::Toll { link: 1, worth_s });
    }
    refused(Effect::Toll { link: 4, worth_s: 1.0 });
    refused(Effect::Avoid { link: 4, first: 0, count: 1 });
    refused(Effect::Avoid { link: 1, first: 1, count: 2 });
    refused(Effect::Avoid { link: 1, first: u32::MAX, count: u32::MAX });
}

/// Two groups with one place to go to: 0.2 a second may enter all links, 0.1 a second may not.
fn groups(avoided: &[u32], from_s: f64, until_s: f64) -> (Network, PlanInputs) {
    let demand = vec![to(0, 0, 900.0, 0.2), to(0, 1, 900.0, 0.1)];
    let avoid = |link: &u32| {
        let effect = Effect::Avoid { link: *link, first: 1, count: 1 };
        Change { from_s, until_s, effect }
    };
    let changes = avoided.iter().map(avoid).collect();
    (two_ways(2), PlanInputs { changes, ..routed(600.0, None, demand) })
}

#[test]
fn who_may_not_enter_takes_another_way_while_that_holds() {
    let (network, inputs) = groups(&[1], 0.0, f64::INFINITY);
    let (short, long) = split(&network, inputs);
    close(short, 180.0);
    close(long, 90.0);
    let (network, inputs) = groups(&[1], 300.0, 500.0);
    let (short, long) = split(&network, inputs);
    close(short, 250.0);
    close(long, 20.0);
    // By logit, too, nobody enters what they avoid.
    let (network, inputs) = groups(&[2], 0.0, f64::INFINITY);
    let routing = Routing::Destinations(RouteChoice { every_s: 600.0, theta_per_s: Some(0.1) });
    let (_, long) = split(&network, PlanInputs { routing, ..inputs });
    let part = 1.0 / (1.0 + 1.0_f64.exp());
    assert!((long - 180.0 * part).abs() < 1e-4, "{long}");
}

#[test]
fn who_has_no_way_left_waits_at_the_origin_and_strands_on_no_road() {
    let (network, inputs) = groups(&[1, 2], 300.0, 1200.0);
    let plan = plan(&network, inputs);
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1200.0);
    // Who was under way at 300 s has arrived, and all others of the first group.
    close(state.totals().waiting_pcu, 60.0);
    close(state.totals().present_pcu, 0.0);
    close(state.totals().left_pcu, 180.0 + 30.0);
    all(&plan, &mut state, 1800.0);
    close(state.totals().left_pcu, 270.0);
}
