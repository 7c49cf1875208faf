//! Forks and edits: nothing else changes, nobody is lost.

use super::*;

/// Two ways from junction 1 to 2, a short and a long.
fn diamond() -> Network {
    let links = vec![link(0, 1, 600.0), link(1, 2, 500.0), link(1, 2, 900.0), link(2, 3, 410.0)];
    Network::new(4, links, vec![origin(0)], vec![destination(3)], &[]).unwrap()
}

fn base() -> PlanInputs {
    let second = Demand { from_s: 333.0, ..demand(0, 2000.0, 0.31) };
    inputs(5.0, vec![demand(0, 1500.0, 0.37), second])
}

fn changed(effect: Effect, from_s: f64, until_s: f64) -> PlanInputs {
    PlanInputs { changes: vec![Change { from_s, until_s, effect }], ..base() }
}

/// Equal to the last bit, not to a tolerance.
fn same(a: &State, b: &State) {
    assert!(a == b, "the states differ");
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
}

#[test]
fn a_fork_goes_on_as_if_it_were_the_base() {
    let network = diamond();
    let plan = plan(&network, base());
    let mut state = State::empty(&plan);
    // In the middle of an interval.
    all(&plan, &mut state, 785.0);
    let mut fork = state.clone();
    let mut adopted = state.adopt(&plan, &plan).unwrap();
    let expected = all(&plan, &mut state, 2400.0);
    assert_eq!(all(&plan, &mut fork, 2400.0), expected);
    assert_eq!(all(&plan, &mut adopted, 2400.0), expected);
    same(&fork, &state);
    same(&adopted, &state);
}

#[test]
fn an_edit_that_changes_nothing_gives_the_bytes_of_the_base() {
    let network = diamond();
    let plan_a = plan(&network, base());
    let mut state = State::empty(&plan_a);
    all(&plan_a, &mut state, 785.0);
    for inputs in [
        base(),
        changed(Effect::Close { link: 1 }, 9000.0, 9999.0),
        changed(Effect::Close { link: 1 }, 0.0, 500.0),
        changed(Effect::Capacity { link: 1, factor: 1.0 }, 0.0, f64::INFINITY),
    ] {
        let plan_b = plan(&network, inputs);
        let mut fork = state.adopt(&plan_a, &plan_b).unwrap();
        let mut base = state.clone();
        let expected = all(&plan_a, &mut base, 2400.0);
        assert_eq!(all(&plan_b, &mut fork, 2400.0), expected);
    }
}

#[test]
fn nobody_enters_a_closed_link_and_all_leave_it() {
    let network = diamond();
    let (plan_a, plan_b) =
        (plan(&network, base()), plan(&network, changed(Effect::Close { link: 1 }, 600.0, 1200.0)));
    let mut state = State::empty(&plan_a);
    all(&plan_a, &mut state, 600.0);
    let mut fork = state.adopt(&plan_a, &plan_b).unwrap();
    let (before, _) = fork.counts_pcu(1).unwrap();
    assert!(fork.vehicles_pcu(1).unwrap() > 1.0);
    all(&plan_b, &mut fork, 1200.0);
    let (entered, left) = fork.counts_pcu(1).unwrap();
    close(entered, before);
    close(left, before);
    // The other way takes what the closed one had.
    let (other, _) = fork.counts_pcu(2).unwrap();
    all(&plan_a, &mut state, 1200.0);
    assert!(other > state.counts_pcu(2).unwrap().0 + 50.0);
    all(&plan_b, &mut fork, 2400.0);
    assert!(fork.counts_pcu(1).unwrap().0 > before + 50.0, "it is open again");
    all(&plan_b, &mut fork, 9000.0);
    close(fork.totals().left_pcu, 0.37 * 1500.0 + 0.31 * (2000.0 - 333.0));
}

#[test]
fn where_no_way_is_left_vehicles_wait() {
    let network = diamond();
    let close_both =
        [1, 2].map(|link| Change { from_s: 300.0, until_s: 900.0, effect: Effect::Close { link } });
    let plan = plan(&network, PlanInputs { changes: close_both.to_vec(), ..base() });
    let mut state = State::empty(&plan);
    all(&plan, &mut state, 300.0);
    let (_, left) = state.counts_pcu(0).unwrap();
    all(&plan, &mut state, 900.0);
    close(state.counts_pcu(0).unwrap().1, left);
    all(&plan, &mut state, 9000.0);
    close(state.totals().present_pcu, 0.0);
}

#[test]
fn a_slower_link_takes_longer_and_a_faster_one_is_stepped_finer() {
    let network = diamond();
    for (factor, travel_s) in [(0.25, 120.0 + 20.5), (8.0 / 3.0, 11.25 + 20.5)] {
        let given = changed(Effect::Speed { link: 0, factor }, 0.0, 1e9);
        let shares = TurningPiece { from: Entrance::Link(0), from_s: 0.0, shares: vec![1.0, 0.0] };
        let routing = Routing::Turning(Turning { pieces: vec![shares] });
        let plan =
            plan(&network, PlanInputs { routing, demand: vec![demand(0, 600.0, 0.2)], ..given });
        let mut state = State::empty(&plan);
        all(&plan, &mut state, 1200.0);
        let totals = state.totals();
        close(totals.left_pcu, 120.0);
        let mean_s = totals.time_pcu_s / 120.0;
        assert!((mean_s - travel_s - 25.0).abs() < 0.01, "{mean_s}, expected {travel_s} + 25");
    }
}

#[test]
fn a_fork_that_needs_finer_steps_keeps_the_past() {
    let network = diamond();
    let plan_a = plan(&network, base());
    let mut state = State::empty(&plan_a);
    all(&plan_a, &mut state, 600.0);
    // From 5 s steps to finer ones: 410 m at 80 m/s and 500 m at 5 m/s are on the way.
    let fast = Effect::Speed { link: 3, factor: 4.0 };
    let slow = Effect::Speed { link: 1, factor: 0.25 };
    let changes = [fast, slow].map(|effect| Change { from_s: 5000.0, until_s: 6000.0, effect });
    let plan_b = plan(&network, PlanInputs { changes: changes.to_vec(), step_s: 5.0, ..base() });
    let mut fork = state.adopt(&plan_a, &plan_b).unwrap();
    all(&plan_a, &mut state, 3000.0);
    all(&plan_b, &mut fork, 3000.0);
    for link in 0..4 {
        let (a, b) = (state.counts_pcu(link).unwrap(), fork.counts_pcu(link).unwrap());
        close(a.0, b.0);
        close(a.1, b.1);
    }
    close(state.totals().delay_pcu_s, fork.totals().delay_pcu_s);
}

#[test]
fn a_plan_for_something_else_is_refused() {
    let network = diamond();
    let plan_a = plan(&network, base());
    let other = plan(&network, PlanInputs { step_s: 2.0, ..base() });
    let state = State::empty(&plan_a);
    assert_eq!(state.adopt(&plan_a, &other).err(), Some(PlanError::OtherPlan));
}

#[test]
fn a_listener_ends_a_run() {
    let network = diamond();
    let plan = plan(&network, base());
    let mut state = State::empty(&plan);
    let end = run(&plan, &mut state, 2400.0, |interval| {
        if interval.until_s >= 180.0 {
            ControlFlow::Break("enough")
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(end, ControlFlow::Break("enough"));
    close(state.time_s(&plan), 180.0);
}

#[test]
fn a_fork_just_after_an_event_is_the_base() {
    let network = diamond();
    for number in 0..60_u8 {
        // The step after the fork is the first that sees the edit, in the middle of an interval.
        let fork_s = 400.0 + 5.0 * f64::from(number);
        let none = Effect::Lanes { link: u32::from(number % 4), factor: 1.0 };
        let plan = plan(&network, changed(none, fork_s - 3.0, fork_s - 2.0));
        let mut state = State::empty(&plan);
        all(&plan, &mut state, fork_s);
        let mut fork = state.adopt(&plan, &plan).unwrap();
        let expected = all(&plan, &mut state, 900.0);
        assert_eq!(all(&plan, &mut fork, 900.0), expected);
        same(&fork, &state);
    }
}
