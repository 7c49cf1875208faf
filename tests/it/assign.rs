//! Equilibria of real networks against their best-known flows, and of changed networks against
//! flows whose gap was checked by an independent program. The data are not part of the
//! repository: where they are missing the tests say so.

use std::fs;
use std::ops::ControlFlow;

use citytwin::network::tntp::{NetworkFile, read_trips};
use citytwin_core::traffic::assign::{
    CostFactors, Demand, Ended, Equilibrium, LinkChange, Settings, Summary,
};

use crate::foreign::real_data;

const EXACT: Settings = Settings { target_gap: 1e-12, max_iterations: 500 };

/// A network of the collection: its folder, the beginning of its file names, what tolls and
/// lengths cost.
type City = (&'static str, &'static str, CostFactors);

const SIOUX_FALLS: City = ("SiouxFalls", "SiouxFalls", CostFactors { toll: 0.0, distance: 0.0 });
const ANAHEIM: City = ("Anaheim", "Anaheim", CostFactors { toll: 0.0, distance: 0.0 });
const CHICAGO: City =
    ("Chicago-Sketch", "ChicagoSketch", CostFactors { toll: 0.02, distance: 0.04 });

fn text(relative: &str) -> Option<String> {
    real_data(&format!("tntp/{relative}")).map(|path| fs::read_to_string(path).unwrap())
}

fn equilibrium((folder, name, factors): City) -> Option<Equilibrium> {
    let file = NetworkFile::read(&text(&format!("{folder}/{name}_net.tntp"))?).unwrap();
    let trips = read_trips(&text(&format!("{folder}/{name}_trips.tntp"))?, file.zones).unwrap();
    let demand = Demand::new(trips).unwrap();
    Some(Equilibrium::new(file.network(factors).unwrap(), demand).unwrap())
}

fn solved(equilibrium: &mut Equilibrium) -> Summary {
    let summary = equilibrium.solve(EXACT, |_| ControlFlow::Continue(()));
    assert_eq!(summary.ended, Ended::Converged, "{summary:?}");
    assert!(summary.unserved.abs() < 1e-9);
    summary
}

/// Objective to ten digits and TSTT to nine: as far as the gaps of the known solutions reach.
fn check_sums(summary: &Summary, objective: f64, total: f64) {
    let off = |found: f64, expected: f64| (found / expected - 1.0).abs();
    assert!(off(summary.objective, objective) < 1e-10, "{summary:?} instead of {objective}");
    assert!(off(summary.total_cost, total) < 1e-9, "{summary:?} instead of {total}");
}

/// Flows of a file with a head and from, to, …, the flow in `column`, within 1e-4 (or a thousandth
/// of a vehicle) of ours. Links that the file does not have must be closed.
fn check_flows(found: &Equilibrium, known: &str, column: usize) {
    let network = found.network();
    let mut open = (0_u32..).zip(network.links()).filter(|(link, _)| !network.is_closed(*link));
    let mut compared = 0;
    for line in known.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (link, ends) = open.next().unwrap();
        assert_eq!(fields[..2], [(ends.from + 1).to_string(), (ends.to + 1).to_string()]);
        let ours = found.flows()[link as usize];
        let theirs: f64 = fields[column].parse().unwrap();
        let near = (ours - theirs).abs() <= 1e-4 * theirs.max(10.0);
        assert!(near, "link {link}: {ours} instead of {theirs}");
        compared += 1;
    }
    assert!(open.next().is_none() && compared > 50, "{compared} links compared");
}

#[test]
fn sioux_falls_and_a_closure_there() {
    let Some(mut city) = equilibrium(SIOUX_FALLS) else { return };
    check_sums(&solved(&mut city), 4_231_335.287_107_44, 7_480_225.344_9);
    check_flows(&city, &text("SiouxFalls/SiouxFalls_flow.tntp").unwrap(), 2);

    let closed: Vec<u32> = [(10, 16), (16, 10)]
        .iter()
        .flat_map(|(from, to)| city.network().between(from - 1, to - 1).collect::<Vec<_>>())
        .collect();
    assert_eq!(closed.len(), 2);
    let changes: Vec<_> = closed.iter().map(|link| (*link, LinkChange::Close)).collect();
    city.change(&changes).unwrap();
    check_sums(&solved(&mut city), 4_805_328.703_5, 9_486_411.087_8);
    let known = text("whatif_gold/SiouxFalls_close_10_16_16_10_flow.tsv").unwrap();
    check_flows(&city, &known, 3);

    let back: Vec<_> = closed.iter().map(|link| (*link, LinkChange::Open)).collect();
    city.change(&back).unwrap();
    check_sums(&solved(&mut city), 4_231_335.287_107_44, 7_480_225.344_9);
}

#[test]
fn anaheim() {
    let Some(mut city) = equilibrium(ANAHEIM) else { return };
    check_sums(&solved(&mut city), 1_286_032.171_096_03, 1_419_913.851_1);
    check_flows(&city, &text("Anaheim/Anaheim_flow.tntp").unwrap(), 2);
}

#[test]
fn chicago_and_half_its_busiest_roads() {
    let Some(mut city) = equilibrium(CHICAGO) else { return };
    let base = solved(&mut city);
    check_sums(&base, 17_313_018.738_747_79, 18_935_450.261_6);
    check_flows(&city, &text("Chicago-Sketch/ChicagoSketch_flow.tntp").unwrap(), 2);
    assert!((base.trips - 1_137_493.44).abs() < 1e-6);
    let all = base.trips + city.demand().within();
    assert!((all - 1_260_907.44).abs() < 1e-6, "{all}");

    // The known solution names the changed links by their capacity.
    let known = text("whatif_gold/ChicagoSketch_halfcap_top20_flow.tsv").unwrap();
    let rows = known.lines().skip(1).map(|line| line.split_whitespace().nth(2).unwrap());
    let capacities: Vec<f64> = rows.map(|capacity| capacity.parse().unwrap()).collect();
    let changes: Vec<(u32, LinkChange)> = (0_u32..)
        .zip(city.network().links().iter().zip(capacities))
        .filter(|(_, (link, capacity))| (link.capacity - capacity).abs() > 0.25 * link.capacity)
        .map(|(link, _)| (link, LinkChange::CapacityFactor(0.5)))
        .collect();
    assert_eq!(changes.len(), 20);
    city.change(&changes).unwrap();
    check_sums(&solved(&mut city), 17_486_025.474_7, 19_511_676.635_9);
    check_flows(&city, &known, 3);

    // Whose trips a busy link carries, together, is its flow.
    let (link, flow) = (0_u32..).zip(city.flows()).max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    let through: f64 = city.through(link).iter().map(|pair| pair.trips).sum();
    assert!((through - flow).abs() < 1e-6 * flow, "{through} instead of {flow}");
}
