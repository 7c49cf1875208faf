//! Textbook cases whose answers are known by hand.

use super::*;

/// Origin, link 0, link 1, destination.
fn corridor(length_m: f64) -> Network {
    let links = vec![link(0, 1, length_m), link(1, 2, 1000.0)];
    Network::new(3, links, vec![origin(0)], vec![destination(2)], &[]).unwrap()
}

#[test]
fn a_bottleneck_clears_when_it_has_served_all() {
    let network = corridor(4000.0);
    let limits = vec![limit(&network, 0, 1, 0.4)];
    let given = inputs(5.0, vec![demand(0, 1000.0, 0.6)]);
    let plan = plan(&network, PlanInputs { limits, ..given });
    let mut state = State::empty(&plan);
    // L/u = 200 s: the first is at the bottleneck then, number n at 200 + n/0.6.
    let (mut cleared_s, mut longest_s) = (0.0, 0.0_f64);
    let mut delay = 0.0;
    for _ in 0..480 {
        delay += state.step(&plan).map_or(0.0, |interval| interval.links[0].delay_pcu_s);
        let (time_s, (_, left)) = (state.time_s(&plan), state.counts_pcu(0).unwrap());
        if left > 0.0 && left < 600.0 - 1e-6 {
            cleared_s = time_s + 5.0;
        }
        if left > 0.0 {
            longest_s = longest_s.max(time_s.min(cleared_s) - (200.0 + left / 0.6));
        }
    }
    close(cleared_s, 1700.0);
    close(longest_s, 500.0);
    close(delay, 150_000.0);
    let totals = state.totals();
    close(totals.delay_pcu_s, 150_000.0);
    close(totals.waited_pcu_s, 0.0);
    close(totals.left_pcu, 600.0);
}

#[test]
fn a_queue_spills_back_at_the_speed_of_its_shock() {
    for step_s in [10.0, 5.0, 2.5, 0.5] {
        let sink = Destination { junction: 1, capacity_pcu_s: Some(0.4) };
        let links = vec![link(0, 1, 1000.0)];
        let network = Network::new(2, links, vec![origin(0)], vec![sink], &[]).unwrap();
        let given = PlanInputs { interval_s: 20.0, ..inputs(step_s, vec![demand(0, 1e9, 0.6)]) };
        let plan = plan(&network, given);
        let mut state = State::empty(&plan);
        let mut before = 0.0;
        while state.time_s(&plan) < 2000.0 - 1e-9 {
            state.step(&plan);
            let (time_s, (entered, _)) = (state.time_s(&plan), state.counts_pcu(0).unwrap());
            let inflow = (entered - before) / step_s;
            // 1000 m in 450 s are 2.222 m/s.
            close(inflow, if time_s <= 500.0 { 0.6 } else { 0.4 });
            before = entered;
            if (time_s - 1000.0).abs() < 1e-9 {
                close(entered, 500.0);
            }
        }
        close(state.counts_pcu(0).unwrap().0, 900.0);
        // 0.2·(t − 500) wait before the link.
        close(state.totals().waiting_pcu, 300.0);
        close(state.totals().waited_pcu_s, 0.2 * 1500.0 * 1500.0 / 2.0);
    }
}

#[test]
fn a_full_branch_holds_the_other() {
    let mut narrow = link(1, 2, 1000.0);
    narrow.capacity_pcu_s = Some(0.3);
    let links = vec![link(0, 1, 1000.0), narrow, link(1, 3, 1000.0)];
    let sinks = vec![destination(2), destination(3)];
    let network = Network::new(4, links, vec![origin(0)], sinks, &[]).unwrap();
    let piece = TurningPiece { from: Entrance::Link(0), from_s: 0.0, shares: vec![0.75, 0.25] };
    let routing = Routing::Turning(Turning { pieces: vec![piece] });
    let plan = plan(&network, PlanInputs { routing, ..inputs(5.0, vec![demand(0, 1e9, 0.8)]) });
    let mut state = State::empty(&plan);
    let intervals = all(&plan, &mut state, 1800.0);
    let last = &intervals.last().unwrap().links;
    close(last[1].inflow_pcu / 60.0, 0.3);
    close(last[2].inflow_pcu / 60.0, 0.1);
}

#[test]
fn a_merge_shares_by_capacity_whatever_the_step() {
    let mut side = link(1, 2, 1000.0);
    side.capacity_pcu_s = Some(0.4);
    let check = |step_s: f64, demands: [f64; 2], expected: [f64; 2]| {
        let links = vec![link(0, 2, 1000.0), side, link(2, 3, 1000.0)];
        let sink = Destination { junction: 3, capacity_pcu_s: None };
        let origins = vec![origin(0), origin(1)];
        let network = Network::new(4, links, origins, vec![sink], &[]).unwrap();
        // Link 2 takes 0.8; the merge of the closed form takes 0.9 of (0.8, 0.4): scale by 8/9.
        let scale = 8.0 / 9.0;
        let demand = vec![demand(0, 1e9, demands[0] * scale), demand(1, 1e9, demands[1] * scale)];
        let plan = plan(&network, inputs(step_s, demand));
        let mut state = State::empty(&plan);
        let intervals = all(&plan, &mut state, 600.0);
        let last = &intervals.last().unwrap().links;
        close(last[0].outflow_pcu / 60.0, expected[0] * scale);
        close(last[1].outflow_pcu / 60.0, expected[1] * scale);
    };
    for step_s in [20.0, 5.0, 2.5] {
        check(step_s, [0.8, 0.4], [0.6, 0.3]);
        check(step_s, [0.8, 0.2], [0.7, 0.2]);
    }
}

#[test]
fn a_signal_delays_by_the_uniform_formula() {
    let network = corridor(1000.0);
    for (step_s, mode, expected_s) in [
        (5.0, SignalMode::OnOff, 18.75),
        (2.5, SignalMode::OnOff, 18.75),
        (1.0, SignalMode::OnOff, 18.75),
        (5.0, SignalMode::Average, 0.0),
    ] {
        // L/u = 50 s: the first vehicle meets the first red.
        let signal = Signal { cycle_s: 90.0, offset_s: 50.0, greens: vec![(45.0, 90.0)], mode };
        let limits = vec![MovementLimit { signal: Some(0), ..limit(&network, 0, 1, 0.5) }];
        let given = inputs(step_s, vec![demand(0, 9000.0, 0.2)]);
        let given = PlanInputs { limits, signals: vec![signal], interval_s: 30.0, ..given };
        let plan = plan(&network, given);
        let mut state = State::empty(&plan);
        all(&plan, &mut state, 9300.0);
        let totals = state.totals();
        close(totals.left_pcu, 1800.0);
        close(totals.delay_pcu_s / 1800.0, expected_s);
    }
}

#[test]
fn a_free_road_takes_its_travel_time_also_where_links_are_short() {
    // 37 links of 3 to 39 m: none is as long as a step, and no length is a multiple of one.
    let lengths: Vec<f64> = (0_u32..37).map(|link| 3.0 + f64::from(link % 7) * 6.1).collect();
    let links = lengths.iter().zip(0..).map(|(length_m, n)| link(n, n + 1, *length_m)).collect();
    let network = Network::new(38, links, vec![origin(0)], vec![destination(37)], &[]).unwrap();
    let plan = plan(&network, inputs(4.0, vec![demand(0, 600.0, 0.5)]));
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 1200.0);
    let totals = state.totals();
    let length_m: f64 = lengths.iter().sum();
    close(totals.left_pcu, 300.0);
    let travel_s = totals.time_pcu_s / 300.0;
    assert!((travel_s - length_m / 20.0).abs() < 1e-3, "{travel_s} s for {length_m} m");
    assert!((totals.distance_pcu_m / 300.0 - length_m).abs() < 0.05, "{totals:?}");
}

#[test]
fn short_links_hold_no_more_than_fits() {
    let links = (0..20).map(|n| link(n, n + 1, 7.0)).collect();
    let sink = Destination { junction: 20, capacity_pcu_s: Some(0.2) };
    let network = Network::new(21, links, vec![origin(0)], vec![sink], &[]).unwrap();
    let plan = plan(&network, inputs(4.0, vec![demand(0, 1e9, 0.7)]));
    let mut state = State::empty(&plan);
    let intervals = all(&plan, &mut state, 1800.0);
    // Queued at 0.2 pcu/s: density k_j − q/w = 0.2 − 0.2/5.
    let last = &intervals.last().unwrap().links;
    for figures in last {
        close(figures.inflow_pcu / 60.0, 0.2);
        assert!((figures.density_pcu_m - 0.16).abs() < 1e-3, "{figures:?}");
    }
}

#[test]
fn a_start_in_balance_stays_in_balance() {
    let network = corridor(1000.0);
    let roads = network.links();
    let limits = vec![limit(&network, 0, 1, 0.4)];
    let plan = plan(&network, PlanInputs { limits, ..inputs(5.0, vec![demand(0, 1e9, 0.4)]) });
    // Link 0 queued at 0.4 pcu/s: density 0.12; link 1 free at 0.4 pcu/s: density 0.02.
    let starts = [LinkStart::uniform(&roads[0], 0.12), LinkStart::uniform(&roads[1], 0.02)];
    let mut state = State::new(&plan, &starts).unwrap();
    close(state.vehicles_pcu(0).unwrap(), 120.0);
    for interval in all(&plan, &mut state, 1200.0) {
        for (figures, (density, speed)) in
            interval.links.iter().zip([(0.12, 0.4 / 0.12), (0.02, 20.0)])
        {
            close(figures.inflow_pcu, 24.0);
            close(figures.outflow_pcu, 24.0);
            close(figures.density_pcu_m, density);
            close(figures.speed_mps, speed);
        }
        close(interval.totals.present_pcu, 140.0);
    }
}

#[test]
fn a_start_that_cannot_be_is_refused() {
    let network = corridor(1000.0);
    let plan = plan(&network, inputs(5.0, Vec::new()));
    let check = |vehicles_pcu: f64, inflow_pcu_s: f64, outflow_pcu_s: f64, expected| {
        let start = LinkStart { vehicles_pcu, inflow_pcu_s, outflow_pcu_s };
        assert_eq!(State::new(&plan, &[start, LinkStart::EMPTY]).err(), expected);
    };
    check(10.0, 0.2, 0.4, None);
    check(9.9, 0.2, 0.0, Some(StartError::TooFew(0)));
    check(200.0, 0.0, 0.0, None);
    check(200.0, 0.0, 0.1, Some(StartError::TooMany(0)));
    check(100.0, 0.9, 0.0, Some(StartError::Flow(0)));
    let count = StartError::Count { given: 0, links: 2 };
    assert_eq!(State::new(&plan, &[]).err(), Some(count));
}

#[test]
fn turns_that_share_a_light_share_its_green() {
    let links = vec![link(0, 1, 1000.0), link(1, 2, 1000.0), link(1, 3, 1000.0)];
    let sinks = vec![destination(2), destination(3)];
    let network = Network::new(4, links, vec![origin(0)], sinks, &[]).unwrap();
    let mut limits = vec![limit(&network, 0, 1, 0.8), limit(&network, 0, 2, 0.8)];
    for limit in &mut limits {
        limit.signal = Some(0);
    }
    // Steps of 4 s do not divide a green of 30 s: some see both colours.
    let greens = vec![(0.0, 30.0)];
    for mode in [SignalMode::OnOff, SignalMode::Average] {
        let signals = vec![Signal { cycle_s: 60.0, offset_s: 0.0, greens: greens.clone(), mode }];
        let given = inputs(4.0, vec![demand(0, 1e9, 0.8)]);
        let plan = plan(&network, PlanInputs { limits: limits.clone(), signals, ..given });
        let mut state = State::empty(&plan);
        all(&plan, &mut state, 600.0);
        let (_, before) = state.counts_pcu(0).unwrap();
        all(&plan, &mut state, 1200.0);
        let (_, after) = state.counts_pcu(0).unwrap();
        // Ten cycles of half green.
        close(after - before, 0.4 * 600.0);
    }
}
