//! Random networks against what defines an equilibrium, and against a solver that shares nothing
//! with ours: Frank & Wolfe (1956) with its own costs and Bellman–Ford, which brackets the optimum
//! between its objective and its bound.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;

const EXACT: Settings = Settings { target_gap: 1e-11, max_iterations: 3000 };

#[derive(Clone, Debug)]
struct Case {
    junctions: u32,
    first_thru: u32,
    links: Vec<Link>,
    trips: Vec<(u32, u32, f64)>,
}

fn a_link(junctions: u32) -> impl Strategy<Value = Link> {
    let power = prop::sample::select(vec![0.0, 1.0, 1.7, 4.0, 4.118]);
    let time = prop_oneof![1 => Just(0.0), 6 => 0.5..10.0];
    let ends = (0..junctions, 0..junctions);
    (ends, 1.0..20.0, time, 0.0..2.0, power).prop_map(
        |((from, to), capacity, free_flow_time, b, power)| Link {
            from,
            to,
            capacity,
            length: 1.0,
            free_flow_time,
            b,
            power,
            toll: 0.0,
        },
    )
}

fn a_case() -> impl Strategy<Value = Case> {
    (3_u32..9).prop_flat_map(|junctions| {
        let links = prop::collection::vec(a_link(junctions), 1..30);
        let trips = prop::collection::vec((0..junctions, 0..junctions, 0.0..15.0), 1..8);
        (Just(junctions), 0..3_u32, links, trips).prop_map(
            |(junctions, first_thru, links, trips)| Case { junctions, first_thru, links, trips },
        )
    })
}

impl Case {
    fn equilibrium(&self) -> Equilibrium {
        let network = Network::new(
            self.junctions,
            self.first_thru,
            self.links.clone(),
            CostFactors::default(),
        );
        Equilibrium::new(network.unwrap(), Demand::new(self.trips.clone()).unwrap()).unwrap()
    }

    fn cost(&self, link: usize, flow: f64) -> f64 {
        let link = &self.links[link];
        link.free_flow_time * (1.0 + link.b * (flow / link.capacity).powf(link.power))
    }

    fn objective(&self, flows: &[f64]) -> f64 {
        let parts = self.links.iter().zip(flows).map(|(link, flow)| {
            let beyond = link.b / (link.power + 1.0) * (flow / link.capacity).powf(link.power);
            link.free_flow_time * flow * (1.0 + beyond)
        });
        parts.sum()
    }

    /// Bellman–Ford: cost by junction and the link that reaches it.
    fn cheapest(&self, costs: &[f64], origin: u32) -> (Vec<f64>, Vec<usize>) {
        let mut least = vec![f64::INFINITY; self.junctions as usize];
        let mut by = vec![usize::MAX; self.junctions as usize];
        least[origin as usize] = 0.0;
        for _ in 0..self.junctions {
            for (at, link) in self.links.iter().enumerate() {
                let thru = link.from >= self.first_thru || link.from == origin;
                let there = least[link.from as usize] + costs[at];
                if thru && there < least[link.to as usize] {
                    (least[link.to as usize], by[link.to as usize]) = (there, at);
                }
            }
        }
        (least, by)
    }

    /// All trips on cheapest paths at these costs: flows and their cost together.
    fn all_or_nothing(&self, costs: &[f64]) -> (Vec<f64>, f64) {
        let mut flows = vec![0.0; self.links.len()];
        let mut total = 0.0;
        for &(origin, destination, trips) in &self.trips {
            let (least, by) = self.cheapest(costs, origin);
            if origin == destination || least[destination as usize].is_infinite() {
                continue;
            }
            total += trips * least[destination as usize];
            let mut at = destination;
            while at != origin {
                flows[by[at as usize]] += trips;
                at = self.links[by[at as usize]].from;
            }
        }
        (flows, total)
    }

    fn costs(&self, flows: &[f64]) -> Vec<f64> {
        flows.iter().enumerate().map(|(at, flow)| self.cost(at, *flow)).collect()
    }

    /// Frank–Wolfe with bisection: the lowest objective and the highest lower bound it saw.
    fn frank_wolfe(&self, rounds: usize) -> (f64, f64) {
        let (mut flows, _) = self.all_or_nothing(&self.costs(&vec![0.0; self.links.len()]));
        let mut bound = f64::NEG_INFINITY;
        for _ in 0..rounds {
            let costs = self.costs(&flows);
            let (target, cheapest) = self.all_or_nothing(&costs);
            let total: f64 = flows.iter().zip(&costs).map(|(flow, cost)| flow * cost).sum();
            bound = bound.max(self.objective(&flows) - (total - cheapest));
            let at = |step: f64| -> Vec<f64> {
                flows.iter().zip(&target).map(|(x, y)| x + step * (y - x)).collect()
            };
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..40 {
                let middle = f64::midpoint(low, high);
                let costs = self.costs(&at(middle));
                let slope: f64 = costs
                    .iter()
                    .zip(flows.iter().zip(&target))
                    .map(|(c, (x, y))| c * (y - x))
                    .sum();
                if slope < 0.0 { low = middle } else { high = middle }
            }
            flows = at(low);
        }
        (self.objective(&flows), bound)
    }
}

fn run(equilibrium: &mut Equilibrium) -> Summary {
    equilibrium.solve(EXACT, |_| ControlFlow::Continue(()))
}

/// What comes in goes out or ends here, in every bush and so in all; every promise of a bush.
fn check_flows(case: &Case, found: &Equilibrium) {
    let mut sums = vec![0.0; case.links.len()];
    for bush in &found.bushes {
        let mut surplus: Vec<f64> = bush.trips.iter().map(|trips| -trips).collect();
        surplus[0] += bush.trips.iter().sum::<f64>();
        for position in 1..bush.len() {
            assert!(!bush.ways_in(position).is_empty());
            for way in bush.ways_in(position) {
                let (tail, flow) = (bush.tail[way] as usize, bush.flow[way]);
                let link = &case.links[bush.link[way] as usize];
                assert!(tail < position && flow >= 0.0);
                assert_eq!((link.from, link.to), (bush.junction[tail], bush.junction[position]));
                assert!(tail == 0 || link.from >= case.first_thru);
                surplus[tail] -= flow;
                surplus[position] += flow;
                sums[bush.link[way] as usize] += flow;
            }
        }
        assert!(surplus.iter().all(|rest| rest.abs() < 1e-9), "{surplus:?}");
    }
    for (sum, flow) in sums.iter().zip(found.flows()) {
        assert!((sum - flow).abs() < 1e-9);
    }
}

/// Wardrop: no used way is costlier than the cheapest path, weighed by who uses it.
fn check_wardrop(case: &Case, found: &Equilibrium, summary: &Summary) {
    let costs = case.costs(found.flows());
    let mut excess = 0.0;
    for bush in &found.bushes {
        let (least, _) = case.cheapest(&costs, bush.junction[0]);
        for (link, flow) in bush.link.iter().zip(&bush.flow) {
            let link = *link as usize;
            let (from, to) = (case.links[link].from as usize, case.links[link].to as usize);
            excess += flow * (least[from] + costs[link] - least[to]);
        }
    }
    assert!(excess <= 1e-9 * summary.total_cost.max(1.0), "{excess} of {}", summary.total_cost);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_the_equilibrium(case in a_case()) {
        let mut found = case.equilibrium();
        let summary = run(&mut found);
        prop_assert_eq!(summary.ended, Ended::Converged);
        check_flows(&case, &found);
        check_wardrop(&case, &found, &summary);
        let ours = case.objective(found.flows());
        let scale = ours.max(1.0);
        prop_assert!((ours - summary.objective).abs() < 1e-9 * scale);
        let (upper, lower) = case.frank_wolfe(200);
        prop_assert!(ours <= upper + 1e-9 * scale, "{} above {}", ours, upper);
        prop_assert!(ours >= lower - 1e-9 * scale, "{} below {}", ours, lower);
        for link in 0..case.links.len() {
            let through = found.through(u32::try_from(link).unwrap());
            let sum: f64 = through.iter().map(|pair| pair.trips).sum();
            prop_assert!((sum - found.flows()[link]).abs() < 1e-9 * found.flows()[link].max(1.0));
        }
    }

    #[test]
    fn warm_is_cold_and_the_same_run_gives_the_same_bytes(
        case in a_case(),
        picked in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8), 1..6),
    ) {
        let mut warm = case.equilibrium();
        run(&mut warm);
        let changes: Vec<(u32, LinkChange)> = picked
            .iter()
            .map(|(at, kind)| {
                let change = match kind {
                    0 | 1 => LinkChange::Close,
                    2 => LinkChange::Open,
                    3 => LinkChange::CapacityFactor(0.5),
                    4 => LinkChange::SpeedFactor(0.4),
                    _ => LinkChange::Toll(0.0),
                };
                (u32::try_from(at.index(case.links.len())).unwrap(), change)
            })
            .collect();
        warm.change(&changes).unwrap();
        let mut network = case.equilibrium().network().clone();
        for (link, change) in &changes {
            network.change(*link, *change).unwrap();
        }
        let mut cold = Equilibrium::new(network, warm.demand().clone()).unwrap();
        let mut again = cold.clone();
        let (warm_end, cold_end) = (run(&mut warm), run(&mut cold));
        prop_assert_eq!((warm_end.ended, cold_end.ended), (Ended::Converged, Ended::Converged));
        let scale = cold_end.objective.max(1.0);
        prop_assert!((warm_end.objective - cold_end.objective).abs() < 1e-8 * scale);
        prop_assert!((warm_end.unserved - cold_end.unserved).abs() < 1e-9);
        check_flows(&case, &warm);
        prop_assert_eq!(cold_end, run(&mut again));
        prop_assert_eq!(cold.flows(), again.flows());
    }
}
