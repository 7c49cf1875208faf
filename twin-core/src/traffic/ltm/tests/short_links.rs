//! Links that are passed in less than a step.

use super::*;

/// A circle of four links of 12 m; who comes to it goes half round it, and then half of them once
/// more round it, and so on.
fn circle() -> Network {
    let around = (0..4).map(|n| link(n, (n + 1) % 4, 12.0));
    let links = around.chain([link(4, 0, 200.0), link(2, 5, 200.0)]).collect();
    Network::new(6, links, vec![origin(4)], vec![destination(5)], &[]).unwrap()
}

#[test]
fn a_circle_of_short_links_takes_its_travel_time() {
    let network = circle();
    for step_s in [4.0, 10.0] {
        let plan = plan(&network, inputs(step_s, vec![demand(0, 600.0, 0.2)]));
        let mut state = State::empty(&plan);
        all(&plan, &mut state, 1200.0);
        let totals = state.totals();
        assert!((totals.left_pcu - 120.0).abs() < 1e-5, "{totals:?}");
        // 200 + 24 + 200 m, and on average once round.
        let travel_s = totals.time_pcu_s / 120.0;
        assert!((travel_s - 472.0 / 20.0).abs() < 1e-3, "{travel_s} s in steps of {step_s} s");
    }
}

#[test]
fn a_row_of_short_links_lets_through_as_much_as_in_short_steps() {
    // Each holds less than enters in a step.
    let links = (0..12).map(|n| link(n, n + 1, 9.0)).collect();
    let network = Network::new(13, links, vec![origin(0)], vec![destination(12)], &[]).unwrap();
    let through = |step_s: f64, flow: f64| {
        let plan = plan(&network, inputs(step_s, vec![demand(0, 1e9, flow)]));
        let mut state = State::empty(&plan);
        all(&plan, &mut state, 1200.0);
        state.totals()
    };
    let (coarse, fine) = (through(4.0, 0.6), through(0.25, 0.6));
    assert!((coarse.left_pcu - fine.left_pcu).abs() < 1e-3, "{coarse:?} and {fine:?}");
    assert!((coarse.delay_pcu_s - fine.delay_pcu_s).abs() < 1.0, "{coarse:?} and {fine:?}");
}
