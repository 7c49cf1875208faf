//! Trips from counts: on a city whose trips are known and hidden.

use std::ops::ControlFlow;

use super::random::{Chance, grid};
use super::*;
use crate::road::DraftZone;
use crate::traffic::assign::{Demand, Equilibrium, Settings};

/// A grid with a zone at each of 12 stubs and inner junctions.
fn city() -> Network {
    let plain = grid(7, |great| if great { RoadClass::Primary } else { RoadClass::Tertiary });
    let mut draft = Draft::default();
    for junction in plain.junctions() {
        let (at, key) = (junction.position(), junction.key().as_str().to_owned());
        let point = (at.latitude_deg(), at.longitude_deg());
        draft.junctions.push(DraftJunction { key, point, control: Control::None, passable: true });
    }
    for link in plain.links() {
        let key = |at| plain.junction(at).key().as_str();
        let (from, to) = (key(link.from()), key(link.to()));
        draft.links.push(DraftLink::new(link.key().as_str(), from, to, link.class()));
    }
    for (number, junction) in draft.junctions.iter().step_by(4).enumerate() {
        draft.zones.push(DraftZone {
            key: format!("z{number:02}"),
            name: String::new(),
            point: None,
            ring: Vec::new(),
            connectors: vec![junction.key.clone()],
        });
    }
    sound(draft)
}

fn quietly(_: u32, _: f64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn prior(roads: &Network) -> Vec<(u32, u32, f64)> {
    let network = assignment(roads, &Edited::default()).unwrap();
    gravity_prior(roads, &network, |_| ControlFlow::Continue(())).unwrap()
}

fn solved(roads: &Network, demand: Demand) -> Equilibrium {
    let mut equilibrium =
        Equilibrium::new(assignment(roads, &Edited::default()).unwrap(), demand).unwrap();
    let settings = Settings { target_gap: 1e-6, max_iterations: 200 };
    equilibrium.solve(settings, |_| ControlFlow::Continue(()));
    equilibrium
}

/// The gravity prior at another level, each pair with 0.3 to 1.7 times its trips.
fn hidden(roads: &Network, level: f64, chance: &mut Chance) -> Demand {
    let vary = |(from, to, trips): (u32, u32, f64)| {
        (from, to, level * trips * (0.3 + 1.4 * chance.share()))
    };
    Demand::new(prior(roads).into_iter().map(vary)).unwrap()
}

/// Counts on some of the road links.
fn counts(roads: &Network, truth: &Equilibrium, share: f64, chance: &mut Chance) -> Vec<Count> {
    let links = roads.link_indexes().map(LinkIndex::number);
    let counted = links.filter(|_| chance.share() < share);
    counted.map(|link| Count { link, flow_veh_h: truth.flows()[link as usize] }).collect()
}

#[test]
fn hidden_trips_are_found_from_counts() {
    let (roads, mut chance) = (city(), Chance(5));
    let network = assignment(&roads, &Edited::default()).unwrap();
    let prior = Demand::new(prior(&roads)).unwrap();
    let (mut before, mut after) = (0.0, 0.0);
    for seed in 0..6 {
        let truth = solved(&roads, hidden(&roads, 2.0, &mut chance));
        let counts = counts(&roads, &truth, 0.6, &mut chance);
        let settings = CalibrationSettings { seed, ..CalibrationSettings::default() };
        let found = calibrate(&network, &prior, &counts, settings, quietly).unwrap().unwrap();
        assert!(found.geh_under_5_share > 0.95, "{:?}", found.used);
        assert_eq!(found.used.counts + found.held_out.counts, counts.len());
        near(found.equilibrium.demand().trips() / truth.demand().trips(), 1.0, 0.05);
        before += found.prior_held_out.rms_error_veh_h;
        after += found.held_out.rms_error_veh_h;
        let again = calibrate(&network, &prior, &counts, settings, quietly).unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{again:?}"));
    }
    // 0.479 as measured.
    assert!(after < 0.55 * before, "held out: {after} of {before}");
}

#[test]
fn without_counts_the_prior_stays() {
    let roads = city();
    let network = assignment(&roads, &Edited::default()).unwrap();
    let prior = Demand::new(prior(&roads)).unwrap();
    let wrong = [
        Count { link: 99_999, flow_veh_h: 1.0 },
        Count { link: 0, flow_veh_h: f64::NAN },
        Count { link: 1, flow_veh_h: -1.0 },
    ];
    let settings = CalibrationSettings::default();
    let found = calibrate(&network, &prior, &wrong, settings, quietly).unwrap().unwrap();
    assert_eq!((found.iterations, found.used), (0, Fit::default()));
    assert_eq!(found.equilibrium.demand(), &prior);
    let stop = calibrate(&network, &prior, &wrong, settings, |_, _| ControlFlow::Break(()));
    assert!(stop.unwrap().is_none());
}

#[test]
fn proportions_reproduce_flows_and_sums() {
    let roads = city();
    let truth = solved(&roads, hidden(&roads, 4.0, &mut Chance(9)));
    let trips: Vec<f64> = truth.demand().pairs().map(|(.., trips)| trips).collect();
    for (loaded, flow) in truth.load(&trips).iter().zip(truth.flows()) {
        near(*loaded, *flow, 1e-6);
    }
    // The cost of all paths is the cost of all links.
    let sums = truth.path_sums(truth.costs());
    let by_pair: f64 = sums.iter().zip(&trips).map(|(cost, trips)| cost * trips).sum();
    let by_link: f64 = truth.flows().iter().zip(truth.costs()).map(|(v, t)| v * t).sum();
    near(by_pair / by_link, 1.0, 1e-9);
    // One link: the share of each pair that uses it, as `through` has it.
    let mut one = vec![0.0; truth.flows().len()];
    one[7] = 1.0;
    let through = truth.through(7);
    let shares = truth.path_sums(&one);
    let used = truth.demand().pairs().zip(&shares).filter(|(_, share)| **share > 0.0);
    let used: Vec<(u32, u32, f64)> =
        used.map(|((from, to, trips), share)| (from, to, trips * share)).collect();
    assert_eq!(used.len(), through.len());
    for (found, expected) in used.iter().zip(&through) {
        assert_eq!((found.0, found.1), (expected.origin, expected.destination));
        near(found.2, expected.trips, 1e-9);
    }
}

#[test]
fn gravity_sends_and_receives_what_it_is_given() {
    let costs = [vec![0.0, 1.0, 2.0], vec![1.0, 0.0, f64::INFINITY], vec![2.0, 1.0, 0.0]];
    let model = Gravity {
        begin_veh_h: &[100.0, 50.0, 50.0],
        end_veh_h: &[180.0, 120.0, 100.0],
        costs: &costs,
        deterrence: Some(0.5),
    };
    let trips = gravity(&model).unwrap();
    let sum = |of: &dyn Fn(&(u32, u32, f64)) -> bool| -> f64 {
        trips.iter().filter(|row| of(row)).map(|row| row.2).sum()
    };
    for (zone, begin) in (0..).zip([100.0, 50.0, 50.0]) {
        near(sum(&|row| row.0 == zone), begin, 1e-3);
    }
    for (zone, end) in (0..).zip([90.0, 60.0, 50.0]) {
        near(sum(&|row| row.1 == zone), end, 1e-3);
    }
    assert!(trips.iter().all(|(from, to, _)| from != to && (*from, *to) != (1, 2)));
    let short = Gravity { end_veh_h: &[1.0], ..model.clone() };
    assert_eq!(gravity(&short), Err(GravityError::Zones { begin: 3, end: 1, costs: 3 }));
    let bad = Gravity { begin_veh_h: &[1.0, f64::NAN, 1.0], ..model };
    assert_eq!(gravity(&bad), Err(GravityError::Value(1)));
}
