//! Bans of classes where trips are known: who may not enter chooses another way.

use super::super::edit::ClassBan;
use super::*;
use crate::traffic::ltm::VehicleClass;

/// Parts of the traffic, in equivalents: 0.78·0.3 and 0.03·2 of 0.514.
const MOTORCYCLES: f64 = 0.234 / 0.514;
const TRUCKS: f64 = 0.06 / 0.514;

fn ban(keys: &[&str], classes: &[VehicleClass]) -> ClassBan {
    ClassBan { on: on(keys), classes: classes.to_vec() }
}

/// From a to c by b, or 25 s longer round by d.
fn town() -> (Network, Scenario) {
    let base = trips(scenario(Model::Dynamic, 1_800.0), "A>C:0.3");
    (network("ab:1000 bc:2000 bd:1000 dc:1500"), base)
}

fn flow(outcome: &Outcome, at: usize, key: &str) -> f64 {
    outcome.intervals[at].links[slot(outcome, key)].entered_veh_h
}

#[test]
fn a_banned_class_takes_the_other_way_and_the_others_stay() {
    let (network, base) = town();
    let share = 1.0 / (1.0 + (-25.0_f64 / 30.0).exp());
    let only = ban(&["bc"], &[VehicleClass::Motorcycle]);
    let outcome = answer(&network, &during(&base, Some(600.0), Some(1_200.0), only));
    conserved(&outcome);
    close(outcome.totals.unserved_veh, 0.0);
    let near = |at: usize, expected: f64| {
        let found = flow(&outcome, at, "bc");
        assert!((found - expected).abs() < 0.05, "{at}: {found}, expected {expected}");
        close(flow(&outcome, at, "bd"), 1_080.0 - found);
    };
    near(1, 1_080.0 * share);
    near(2, 1_080.0 * share * (1.0 - MOTORCYCLES));
    near(3, 1_080.0 * share * (1.0 - MOTORCYCLES));
    near(5, 1_080.0 * share);
    assert!(outcome.notes.contains(&Note::ClassesByShare), "{:?}", outcome.notes);
}

#[test]
fn classes_with_other_bans_go_other_ways() {
    let (network, base) = town();
    let scenario = with(&base, ban(&["bc"], &[VehicleClass::Motorcycle]));
    let scenario = with(&scenario, ban(&["bd"], &[VehicleClass::Truck]));
    let outcome = answer(&network, &scenario);
    conserved(&outcome);
    let share = 1.0 / (1.0 + (-25.0_f64 / 30.0).exp());
    let expected = 1_080.0 * (TRUCKS + share * (1.0 - TRUCKS - MOTORCYCLES));
    let found = flow(&outcome, 4, "bc");
    assert!((found - expected).abs() < 0.05, "{found}, expected {expected}");
    // Both bans on one class leave it no way: it alone is not served.
    let outcome = answer(&network, &with(&scenario, ban(&["bc"], &[VehicleClass::Truck])));
    conserved(&outcome);
    close(outcome.totals.unserved_veh, 540.0 * TRUCKS);
}

#[test]
fn a_class_without_a_way_is_not_served_and_says_so() {
    let (network, base) = town();
    let cut = ban(&["bc", "dc"], &[VehicleClass::Motorcycle]);
    let outcome = answer(&network, &with(&base, cut.clone()));
    conserved(&outcome);
    close(outcome.totals.unserved_veh, 540.0 * MOTORCYCLES);
    let unserved = |note: &Note| matches!(note, Note::Unserved { .. });
    assert!(outcome.notes.iter().any(unserved), "{:?}", outcome.notes);
    // It holds up nobody, and who was under way when the ban began arrives.
    close(outcome.totals.delay_veh_h, 0.0);
    let outcome = answer(&network, &during(&base, Some(600.0), None, cut));
    conserved(&outcome);
    close(outcome.totals.unserved_veh, 360.0 * MOTORCYCLES);
    close(outcome.totals.delay_veh_h, 0.0);
    let last = outcome.intervals.last().unwrap().links[slot(&outcome, "ab")];
    close(last.flow_veh_h, 1_080.0 * (1.0 - MOTORCYCLES));
}

#[test]
fn a_ban_of_all_classes_is_a_closure() {
    let (network, base) = town();
    let all = with(&base, ban(&["bc"], &Vehicles::CLASSES));
    let (banned, shut) = (answer(&network, &all), answer(&network, &with(&base, closed(&["bc"]))));
    conserved(&banned);
    for (one, other) in banned.intervals.iter().zip(&shut.intervals) {
        for (one, other) in one.links.iter().zip(&other.links) {
            close(one.entered_veh_h, other.entered_veh_h);
            close(one.density_veh_km, other.density_veh_km);
        }
    }
}
