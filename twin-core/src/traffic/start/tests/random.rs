//! Random networks with a hidden flow in balance, of which some links are measured.

use proptest::prelude::*;

use super::*;
use crate::road::{bearing_between, bearing_difference};

/// SplitMix64: the same numbers for the same seed.
pub(in crate::traffic::start) struct Chance(pub(in crate::traffic::start) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(in crate::traffic::start) fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// Below a number.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % end
    }
}

/// A grid of two-way streets, every fourth line of them greater, with stubs at its rim where trips
/// come in and leave.
pub(in crate::traffic::start) fn grid(side: usize, class: impl Fn(bool) -> RoadClass) -> Network {
    let mut draft = Draft::default();
    let name = |row: usize, column: usize| format!("{row:04}.{column:04}");
    for row in 0..side {
        for column in 0..side {
            let point = (10.0 + 0.001 * row as f64, 106.0 + 0.001 * column as f64);
            let (key, control) = (name(row, column), Control::None);
            draft.junctions.push(DraftJunction { key, point, control, passable: true });
        }
    }
    let rim = |at: usize| at == 0 || at + 1 == side;
    let mut street = |from: &str, to: &str, great: bool| {
        for (from, to) in [(from, to), (to, from)] {
            draft.links.push(DraftLink::new(&format!("{from}-{to}"), from, to, class(great)));
        }
    };
    for row in 0..side {
        for column in 0..side.saturating_sub(1) {
            if !rim(row) {
                street(&name(row, column), &name(row, column + 1), row % 4 == 2);
                street(&name(column, row), &name(column + 1, row), row % 4 == 2);
            }
        }
    }
    draft.junctions.retain(|junction| {
        let ends = |link: &DraftLink| link.from == junction.key || link.to == junction.key;
        draft.links.iter().any(ends)
    });
    sound(draft)
}

/// A flow in balance: paths from stub to stub, more often straight on and onto greater
/// streets than not.
pub(in crate::traffic::start) fn hidden(
    network: &Network,
    paths: usize,
    chance: &mut Chance,
) -> Vec<f64> {
    let edges: Vec<_> =
        network.junction_indexes().filter(|at| estimate::is_edge(network, *at)).collect();
    let mut flow = vec![0.0; network.links().len()];
    for _ in 0..paths {
        let mut link = network.outgoing(edges[chance.below(edges.len())])[0];
        let trips = 20.0 + 60.0 * chance.share();
        let mut walked = vec![link];
        while !estimate::is_edge(network, network.link(link).to()) && walked.len() < 400 {
            let next = network.movements_from(link);
            let on = link;
            let wide = |to: LinkIndex| {
                let shape = |at| network.line(at);
                let (before, after) = (shape(on), shape(to));
                let turn = bearing_difference(
                    bearing_between(before[0], before[1]),
                    bearing_between(after[0], after[1]),
                );
                network.link(to).capacity_veh_h() * if turn < 45.0 { 3.0 } else { 1.0 }
            };
            let all: f64 = next.iter().map(|one| wide(one.to)).sum();
            let mut left = chance.share() * all;
            let chosen = next.iter().find(|one| {
                left -= wide(one.to);
                left <= 0.0
            });
            link = chosen.unwrap_or(&next[0]).to;
            walked.push(link);
        }
        if estimate::is_edge(network, network.link(link).to()) {
            for link in walked {
                flow[link.slot()] += trips;
            }
        }
    }
    // Within every capacity.
    let full = network.links().iter().zip(&flow);
    let most = full.map(|(link, flow)| flow / link.capacity_veh_h()).fold(1.0, f64::max);
    for flow in &mut flow {
        *flow /= most;
    }
    flow
}

pub(super) fn measured(
    network: &Network,
    truth: &[f64],
    share: f64,
    chance: &mut Chance,
) -> Measurements {
    let mut links = Vec::new();
    for link in network.link_indexes() {
        if chance.share() < share {
            links.push(LinkMeasurement {
                link,
                flow_veh_h: Some(truth[link.slot()]),
                speed_kmh: Some(network.link(link).free_speed().kmh()),
                occupancy_ratio: None,
                sensors: 1,
                freshness: 1.0,
            });
        }
    }
    Measurements { links, ..Measurements::default() }
}

/// Root mean squared errors at links that are not measured: ours, and of the mean load of the class.
fn errors(network: &Network, truth: &[f64], measurements: &Measurements) -> (f64, f64) {
    let start = estimate(network, measurements);
    let mut loads = vec![(0.0, 0.0); RoadClass::all().count()];
    for one in &measurements.links {
        let link = network.link(one.link);
        let (sum, count) = &mut loads[link.class() as usize];
        *sum += truth[one.link.slot()] / link.capacity_veh_h();
        *count += 1.0;
    }
    let (mut ours, mut mean, mut others) = (0.0, 0.0, 0.0_f64);
    for link in network.link_indexes().filter(|link| measurements.find(*link).is_none()) {
        let road = network.link(link);
        let (sum, links) = loads[road.class() as usize];
        let by_class = sum / f64::max(links, 1.0) * road.capacity_veh_h();
        ours += (start.links[link.slot()].flow_veh_h - truth[link.slot()]).powi(2);
        mean += (by_class - truth[link.slot()]).powi(2);
        others += 1.0;
    }
    ((ours / others.max(1.0)).sqrt(), (mean / others.max(1.0)).sqrt())
}

fn classes(great: bool) -> RoadClass {
    if great { RoadClass::Primary } else { RoadClass::Tertiary }
}

/// Ratio of our error to that of the class mean, over 20 networks of a fixed seed.
fn ratio(share: f64) -> f64 {
    let mut chance = Chance(7);
    let (mut ours, mut mean) = (0.0, 0.0);
    for _ in 0..20 {
        let network = grid(8, classes);
        let truth = hidden(&network, 300, &mut chance);
        near(worst_imbalance(&network, |at| truth[at.slot()]), 0.0, 1e-6);
        let measurements = measured(&network, &truth, share, &mut chance);
        let (a, b) = errors(&network, &truth, &measurements);
        ours += a;
        mean += b;
    }
    ours / mean
}

#[test]
fn estimates_beat_the_mean_of_the_class() {
    let (third, more) = (ratio(0.3), ratio(0.6));
    // 0.933 and 0.798 as measured. A hidden flow has three quarters as many degrees of freedom as
    // links here, and most of them are noise: little more can be known.
    assert!(third < 0.95, "30 % measured: {third}");
    assert!(more < 0.82, "60 % measured: {more}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn estimates_are_possible_balanced_and_the_same_twice(
        seed in any::<u64>(),
        side in 3..9_usize,
        share in prop::sample::select(vec![0.0, 0.05, 0.3, 0.6, 1.0]),
        wrong in 0.0..0.5_f64,
    ) {
        let mut chance = Chance(seed);
        let network = grid(side, classes);
        let truth = hidden(&network, 60, &mut chance);
        let mut measurements = measured(&network, &truth, share, &mut chance);
        let consistent = estimate(&network, &measurements);
        let flow = |at: LinkIndex| consistent.links[at.slot()].flow_veh_h;
        let scale = truth.iter().fold(1.0, |most: f64, flow| most.max(*flow));
        prop_assert!(worst_imbalance(&network, flow) <= 1e-4 * scale);
        for one in &mut measurements.links {
            *one.flow_veh_h.as_mut().unwrap() *= 1.0 + wrong * (2.0 * chance.share() - 1.0);
        }
        let start = estimate(&network, &measurements);
        for (road, link) in network.links().iter().zip(&start.links) {
            prop_assert!((0.0..=road.capacity_veh_h()).contains(&link.flow_veh_h));
            let diagram = Diagram::of(road);
            let slack = 1e-9 * diagram.jam_density_veh_km;
            prop_assert!(link.density_veh_km >= link.flow_veh_h / diagram.free_speed_kmh - slack);
            prop_assert!(link.density_veh_km <= diagram.jam_density_veh_km);
            prop_assert!((0.0..=1.0).contains(&link.quality) && link.speed_kmh.is_finite());
        }
        for one in network.link_indexes() {
            let shares = start.turning.of(&network, one);
            prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            prop_assert!(shares.is_empty() || (shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        let again = estimate(&network, &measurements);
        prop_assert_eq!(format!("{start:?}"), format!("{again:?}"));
    }
}
