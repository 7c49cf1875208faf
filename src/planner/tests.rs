//! The room over a town whose engine is played by hand.

use std::sync::Arc;

use citytwin_core::road::{
    Control, Draft, DraftJunction, DraftLink, DraftZone, Network, RoadClass,
};
use citytwin_core::scenario::{Base as Laid, Demand, Model, Trips, Vehicles};
use citytwin_core::twin::Snapshot;

use super::*;
use crate::service::tests::{Town, position, report};

/// A street through the sensors of the first row, both ways.
fn street() -> Network {
    let mut draft = Draft::default();
    for (name, sensor) in [("west", 0), ("middle", 4), ("east", 9)] {
        let at = position(sensor);
        draft.junctions.push(DraftJunction {
            key: name.to_owned(),
            point: (at.latitude_deg(), at.longitude_deg()),
            control: Control::None,
            passable: true,
        });
        draft.zones.push(DraftZone {
            key: name.to_owned(),
            name: String::new(),
            point: None,
            ring: Vec::new(),
            connectors: vec![name.to_owned()],
        });
    }
    for (from, to) in
        [("west", "middle"), ("middle", "east"), ("east", "middle"), ("middle", "west")]
    {
        let key = format!("{from}-{to}");
        draft.links.push(DraftLink::new(&key, from, to, RoadClass::Secondary));
    }
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

fn scenario() -> Scenario {
    let trips =
        Trips { origin: "west".to_owned(), destination: "east".to_owned(), flow_pcu_h: 300.0 };
    Scenario {
        name: "through".to_owned(),
        model: Model::Dynamic,
        horizon_s: 1_800.0,
        interval_s: 300.0,
        seed: 1,
        base: Laid::default(),
        demand: Demand { trips: vec![trips], ..Demand::default() },
        vehicles: Vehicles::default(),
        journeys: Vec::new(),
        through: Vec::new(),
        edits: Vec::new(),
    }
}

fn bytes(snapshot: &Snapshot) -> Vec<u8> {
    postcard::to_stdvec(snapshot).unwrap()
}

fn room(town: &Town, folder: &tempfile::TempDir) -> Arc<Planner> {
    let city = Arc::clone(&town.city);
    Arc::new(Planner::open(city, folder.path(), Some(street()), 1).unwrap())
}

async fn finished(planner: &Planner, id: &Id, reproduce: bool) -> Box<Finished> {
    match planner.run(id.as_str(), reproduce).unwrap() {
        Run::Kept(kept) => kept,
        Run::Running(running) => running.end().await.unwrap(),
    }
}

/// One epoch of readings, different in each.
fn live(town: &mut Town, round: u32) {
    town.epoch(|snapshot, epoch| {
        for sensor in 0..20 {
            report(snapshot, epoch, sensor, f64::from(20 + (sensor * 7 + round * 3) % 30));
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_that_was_forked_goes_on_as_one_that_was_not() {
    let (mut forked, mut plain) = (Town::new(20), Town::new(20));
    let folder = tempfile::tempdir().unwrap();
    let planner = room(&forked, &folder);
    for round in 0..6 {
        live(&mut forked, round);
        live(&mut plain, round);
        let before = bytes(&forked.city.snapshot());
        let laid = planner.create(scenario(), CreateOptions::default()).unwrap();
        assert_eq!(laid.scenario.base.epoch, Some(forked.snapshot.epoch.number()));
        finished(&planner, &laid.id, false).await;
        assert_eq!(bytes(&forked.city.snapshot()), before);
        assert_eq!(before, bytes(&plain.city.snapshot()), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_with_one_past_have_one_outcome() {
    let mut shas = Vec::new();
    for _ in 0..2 {
        let mut town = Town::new(20);
        let folder = tempfile::tempdir().unwrap();
        let planner = room(&town, &folder);
        live(&mut town, 1);
        let laid = planner.create(scenario(), CreateOptions::default()).unwrap();
        // The city goes on; the scenario is laid on what it was.
        live(&mut town, 2);
        let done = finished(&planner, &laid.id, false).await;
        let again = finished(&planner, &laid.id, true).await;
        assert_eq!(again.before.as_ref(), Some(&done.stored.sha256));
        assert_eq!(again.stored, done.stored);
        // Named by its epoch it is the same one, long after.
        let same = Scenario { base: laid.scenario.base, ..scenario() };
        assert_eq!(planner.create(same, CreateOptions::default()).unwrap(), laid);
        shas.push((laid.id, done.stored.sha256));
    }
    assert_eq!(shas[0], shas[1]);
}

#[test]
fn what_is_only_looked_at_leaves_no_trace() {
    let mut town = Town::new(20);
    live(&mut town, 0);
    let folder = tempfile::tempdir().unwrap();
    let planner = room(&town, &folder);
    let look = CreateOptions { validate_only: true, skip_unfit: false };
    planner.create(scenario(), look).unwrap();
    assert!(planner.scenarios().unwrap().is_empty());
    assert!(!folder.path().join("planner/measured").exists());
    let mut wrong = scenario();
    wrong.horizon_s = -1.0;
    assert!(matches!(planner.create(wrong, look), Err(PlannerError::Faults(_))));
}

#[test]
fn a_base_lives_as_long_as_something_is_laid_on_it() {
    let mut town = Town::new(20);
    live(&mut town, 0);
    let folder = tempfile::tempdir().unwrap();
    let planner = room(&town, &folder);
    let bases = || std::fs::read_dir(folder.path().join("planner/measured")).unwrap().count();
    let one = planner.create(scenario(), CreateOptions::default()).unwrap();
    let other = Scenario { horizon_s: 600.0, ..scenario() };
    let other = planner.create(other, CreateOptions::default()).unwrap();
    assert_eq!(bases(), 1);
    planner.delete_scenario(one.id.as_str()).unwrap();
    assert_eq!(bases(), 1);
    planner.delete_scenario(other.id.as_str()).unwrap();
    assert_eq!(bases(), 0);
    assert!(matches!(planner.scenario(one.id.as_str()), Err(PlannerError::Id(_))));
}

#[test]
fn a_network_in_use_stays() {
    let town = Town::new(20);
    let folder = tempfile::tempdir().unwrap();
    let planner = room(&town, &folder);
    let first = planner.current().unwrap().id.clone();
    assert!(matches!(planner.delete_network(first.as_str()), Err(PlannerError::InUse(_))));
    planner.create(scenario(), CreateOptions::default()).unwrap();
    let mut other = street().to_draft();
    other.links.pop();
    planner.adopt(other.build().network).unwrap();
    assert_eq!(planner.networks().unwrap().len(), 2);
    assert!(matches!(planner.delete_network(first.as_str()), Err(PlannerError::InUse(_))));
    let laid = planner.scenarios().unwrap().remove(0);
    planner.delete_scenario(laid.id.as_str()).unwrap();
    planner.delete_network(first.as_str()).unwrap();
    assert_eq!(planner.networks().unwrap().len(), 1);
}
