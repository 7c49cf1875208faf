//! Closed forms and traps, by hand.

use std::ops::ControlFlow;

use super::*;

const EXACT: Settings = Settings { target_gap: 1e-12, max_iterations: 500 };

fn link(from: u32, to: u32, free_flow_time: f64, (b, power): (f64, f64)) -> Link {
    Link { from, to, capacity: 1.0, length: 0.0, free_flow_time, b, power, toll: 0.0 }
}

/// Braess' network: links 1→3, 1→4, 3→2, 3→4, 4→2, and 6 trips from 1 to 2.
fn braess() -> Equilibrium {
    let steep = (1e9, 1.0);
    let links = vec![
        link(0, 2, 1e-8, steep),
        link(0, 3, 50.0, (0.02, 1.0)),
        link(2, 1, 50.0, (0.02, 1.0)),
        link(2, 3, 10.0, (0.1, 1.0)),
        link(3, 1, 1e-8, steep),
    ];
    equilibrium(4, 0, links, &[(0, 1, 6.0)])
}

fn equilibrium(
    junctions: u32,
    first_thru: u32,
    links: Vec<Link>,
    trips: &[(u32, u32, f64)],
) -> Equilibrium {
    let network = Network::new(junctions, first_thru, links, CostFactors::default()).unwrap();
    Equilibrium::new(network, Demand::new(trips.iter().copied()).unwrap()).unwrap()
}

fn solved(equilibrium: &mut Equilibrium) -> Summary {
    let summary = equilibrium.solve(EXACT, |_| ControlFlow::Continue(()));
    assert_eq!(summary.ended, Ended::Converged, "{summary:?}");
    summary
}

fn check(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}

#[test]
fn braess_both_ways_and_back() {
    let mut city = braess();
    let with = solved(&mut city);
    check(city.flows(), &[4.0, 2.0, 2.0, 2.0, 4.0]);
    check(&[with.total_cost, with.objective], &[552.0, 386.0]);
    check(&[city.costs()[0] + city.costs()[2]], &[92.0]);

    city.change(&[(3, LinkChange::Close)]).unwrap();
    let without = solved(&mut city);
    check(city.flows(), &[3.0, 3.0, 3.0, 0.0, 3.0]);
    check(&[without.total_cost, city.costs()[0] + city.costs()[2]], &[498.0, 83.0]);
    assert!(city.costs()[3].is_infinite());

    city.change(&[(3, LinkChange::Open)]).unwrap();
    solved(&mut city);
    check(city.flows(), &[4.0, 2.0, 2.0, 2.0, 4.0]);
}

#[test]
fn a_fork_does_not_disturb_its_base() {
    let mut base = braess();
    solved(&mut base);
    let before: Vec<u64> = base.flows().iter().map(|flow| flow.to_bits()).collect();
    let mut fork = base.clone();
    fork.change(&[(0, LinkChange::Close)]).unwrap();
    solved(&mut fork);
    check(fork.flows(), &[0.0, 6.0, 0.0, 0.0, 6.0]);
    let after: Vec<u64> = base.flows().iter().map(|flow| flow.to_bits()).collect();
    assert_eq!(before, after);
}

#[test]
fn nobody_passes_through_a_centroid() {
    // 0 → 1 → 2 costs 2, the road 0 → 3 → 2 costs 10; 0, 1 and 2 are centroids.
    let flat = (0.0, 1.0);
    let links = vec![
        link(0, 1, 1.0, flat),
        link(1, 2, 1.0, flat),
        link(0, 3, 5.0, flat),
        link(3, 2, 5.0, flat),
    ];
    let trips = [(0, 1, 1.0), (0, 2, 3.0), (1, 2, 2.0)];
    let mut city = equilibrium(4, 3, links.clone(), &trips);
    assert!((solved(&mut city).total_cost - (1.0 + 30.0 + 2.0)).abs() < 1e-9);
    check(city.flows(), &[1.0, 2.0, 3.0, 3.0]);
    let mut open = equilibrium(4, 0, links, &trips);
    solved(&mut open);
    check(open.flows(), &[4.0, 5.0, 0.0, 0.0]);
}

#[test]
fn what_cannot_be_served_is_told_and_the_rest_is_solved() {
    let flat = (0.0, 1.0);
    let links = vec![link(0, 1, 1.0, flat), link(1, 0, 1.0, flat), link(2, 1, 1.0, flat)];
    let trips = [(0, 1, 4.0), (0, 2, 7.0), (2, 0, 1.0), (1, 1, 9.0)];
    let mut city = equilibrium(3, 0, links, &trips);
    let summary = solved(&mut city);
    check(&[summary.trips, summary.unserved, city.demand().within()], &[5.0, 7.0, 9.0]);
    check(city.flows(), &[4.0, 1.0, 1.0]);
    let unserved: Vec<Unserved> = city.unserved().collect();
    assert_eq!(unserved, [Unserved { origin: 0, destination: 2, trips: 7.0 }]);

    // A closure can cut off, and an opening brings back.
    city.change(&[(2, LinkChange::Close)]).unwrap();
    let cut = solved(&mut city);
    check(&[cut.trips, cut.unserved], &[4.0, 8.0]);
    city.change(&[(2, LinkChange::Open)]).unwrap();
    check(&[solved(&mut city).unserved], &[7.0]);
    check(city.flows(), &[4.0, 1.0, 1.0]);
}

#[test]
fn parallel_links_share() {
    // Times 1·(1 + x) and 2·(1 + x/2): 3 trips balance at 5/3 and 4/3, cost 8/3 … and 10/3.
    let links = vec![link(0, 1, 1.0, (1.0, 1.0)), link(0, 1, 2.0, (0.5, 1.0))];
    let mut city = equilibrium(2, 0, links, &[(0, 1, 3.0)]);
    solved(&mut city);
    check(city.flows(), &[2.0, 1.0]);
    check(city.costs(), &[3.0, 3.0]);
    assert_eq!(city.network().between(0, 1).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(city.network().between(9, 1).count(), 0);
}

#[test]
fn flat_and_fractional_powers_and_links_of_no_time() {
    // A flat way of 10, and one of 4·(1 + x^1.5): x = 1.5^(2/3). Links of no time around, both
    // directions, so that a cycle costs nothing.
    let flat = (0.5, 0.0);
    let links = vec![
        link(0, 1, 0.0, (0.15, 4.0)),
        link(1, 0, 0.0, (0.15, 4.0)),
        link(1, 2, 20.0 / 3.0, flat),
        link(1, 2, 4.0, (1.0, 1.5)),
        link(2, 3, 0.0, (0.0, 0.0)),
        link(3, 2, 0.0, (0.0, 0.0)),
    ];
    let mut city = equilibrium(4, 0, links, &[(0, 3, 6.0), (1, 3, 4.0)]);
    solved(&mut city);
    let x = 1.5_f64.powf(2.0 / 3.0);
    check(city.flows(), &[6.0, 0.0, 10.0 - x, x, 10.0, 0.0]);
}

/// Once, junction 0 seemed as cheap to reach through 2 as directly, because 2 was cheap through 0.
#[test]
fn a_cycle_of_no_cost_hides_no_way() {
    let links = vec![
        link(2, 0, 0.0, (0.0, 0.0)),
        link(0, 2, 0.0, (0.0, 0.0)),
        link(1, 0, 10.0, (0.0, 0.0)),
        link(1, 2, 8.0, (1.0, 1.0)),
    ];
    let mut city = equilibrium(3, 0, links, &[(1, 0, 9.0)]);
    solved(&mut city);
    check(city.flows(), &[0.25, 0.0, 8.75, 0.25]);
}

#[test]
fn every_change_of_a_link_counts() {
    let links = vec![link(0, 1, 1.0, (1.0, 1.0)), link(0, 1, 2.0, (0.5, 1.0))];
    let network = Network::new(2, 0, links, CostFactors { toll: 0.5, distance: 0.0 }).unwrap();
    let demand = Demand::new([(0, 1, 3.0)]).unwrap();
    let base = Equilibrium::new(network, demand).unwrap();
    let table = [
        // 1 + x/c₀ = 2 + y/c₁ with x + y = 3
        (LinkChange::Capacity(2.0), 8.0 / 3.0),
        (LinkChange::CapacityFactor(3.0), 3.0),
        (LinkChange::FreeFlowTime(2.0), 5.0 / 3.0 - 2.0 / 3.0),
        (LinkChange::SpeedFactor(0.5), 5.0 / 3.0 - 2.0 / 3.0),
        (LinkChange::Toll(1.0), 2.0 - 0.25),
        (LinkChange::Close, 0.0),
    ];
    for (change, expected) in table {
        let mut city = base.clone();
        city.change(&[(0, change)]).unwrap();
        solved(&mut city);
        check(&[city.flows()[0]], &[expected]);
    }
    let mut city = base;
    for wrong in [
        (9, LinkChange::Close),
        (0, LinkChange::CapacityFactor(0.0)),
        (0, LinkChange::SpeedFactor(f64::NAN)),
        (0, LinkChange::Capacity(-1.0)),
        (0, LinkChange::Toll(-9.0)),
    ] {
        assert!(city.change(&[wrong]).is_err(), "{wrong:?}");
    }
    solved(&mut city);
    check(city.flows(), &[2.0, 1.0]);
}

#[test]
fn whoever_watches_may_stop_it_and_go_on_later() {
    let mut city = braess();
    let mut seen = Vec::new();
    let summary = city.solve(EXACT, |progress| {
        seen.push(progress.iterations);
        if progress.iterations == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((summary.ended, seen), (Ended::Cancelled, vec![0, 1]));
    let none = Settings { max_iterations: 0, ..EXACT };
    let still = city.solve(none, |_| ControlFlow::Continue(()));
    assert_eq!((still.ended, still.iterations), (Ended::OutOfIterations, 0));
    solved(&mut city);
    check(city.flows(), &[4.0, 2.0, 2.0, 2.0, 4.0]);
}

#[test]
fn what_is_no_problem_is_refused() {
    let wrong = Network::new(2, 0, vec![link(0, 2, 1.0, (0.0, 1.0))], CostFactors::default());
    assert_eq!(wrong.unwrap_err().to_string(), "link 0 ends at junction 2, of 2");
    let network = Network::new(2, 0, Vec::new(), CostFactors::default()).unwrap();
    let demand = Demand::new([(0, 5, 1.0)]).unwrap();
    let error = Equilibrium::new(network, demand).unwrap_err();
    assert_eq!(error.to_string(), "the demand names junction 5, of 2");
    for trips in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(Demand::new([(0, 1, trips)]).is_err());
    }
}

#[test]
fn nothing_to_do_is_done() {
    let mut city = equilibrium(2, 0, Vec::new(), &[]);
    let summary = solved(&mut city);
    check(&[summary.total_cost, summary.objective, summary.trips], &[0.0, 0.0, 0.0]);
}

#[test]
fn a_way_that_is_flat_when_empty_is_filled_no_further_than_it_pays() {
    let link = |from, to, capacity, free_flow_time, b, power| Link {
        capacity,
        ..link(from, to, free_flow_time, (b, power))
    };
    let links = vec![
        link(4, 0, 12.882_699_066_099_565, 1.820_195_495_969_452, 1.750_330_930_429_663, 1.0),
        link(3, 0, 4.175_688_677_967_217_5, 1.550_674_225_668_784_7, 0.572_388_595_505_469, 1.7),
        link(1, 4, 1.0, 0.0, 0.0, 0.0),
        link(4, 3, 1.0, 1.040_592_682_794_837, 1.664_211_717_609_869_2, 1.7),
        link(4, 3, 1.0, 0.5, 1.170_630_466_626_386_7, 0.0),
    ];
    let trips = [(1, 3, 12.407_944_673_840_22), (1, 0, 14.457_752_856_224_317)];
    let mut city = equilibrium(5, 0, links, &trips);
    solved(&mut city);
    check(&[city.costs()[3]], &[city.costs()[4]]);
}
