//! Whoever watches a run waits for no long piece of work: counted, not timed.

use super::*;
use crate::pace::{UNASKED, tests::walked_since};
use crate::traffic::start::{CalibrationSettings, DemandError, Source};

/// A town of `side` by `side` junctions, each with a zone, and streets both ways; every third link
/// is measured.
fn town(side: usize) -> (Network, Start) {
    let mut draft = Draft::default();
    let name = |row: usize, column: usize| format!("j{row:02}{column:02}");
    for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
        let (key, control) = (name(row, column), Control::None);
        let point = (10.7 + 0.004 * row as f64, 106.7 + 0.004 * column as f64);
        let zone = DraftZone {
            key: key.to_uppercase(),
            name: String::new(),
            point: None,
            ring: Vec::new(),
            connectors: vec![key.clone()],
        };
        draft.zones.push(zone);
        draft.junctions.push(DraftJunction { key, point, control, passable: true });
        for (other_row, other_column) in [(row + 1, column), (row, column + 1)] {
            if other_row < side && other_column < side {
                let ends = [name(row, column), name(other_row, other_column)];
                for (from, to) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
                    let key = format!("{from}-{to}");
                    draft.links.push(DraftLink::new(&key, from, to, RoadClass::Primary));
                }
            }
        }
    }
    let network = sound(draft);
    let mut start = Start::empty(&network);
    for (at, link) in start.links.iter_mut().enumerate().filter(|(at, _)| at % 3 == 0) {
        link.flow_veh_h = 200.0 + 97.0 * (at % 7) as f64;
        link.density_veh_km = link.flow_veh_h / link.speed_kmh;
        (link.source, link.quality) = (Source::Measured, 1.0);
    }
    (network, start)
}

/// Everything that takes long: trips to estimate, links whose users are asked for, journeys.
fn asking(network: &Network, model: Model) -> Scenario {
    let mut scenario = scenario(model, 600.0);
    scenario.demand.estimate = true;
    let keys = network.links().iter().step_by(5).map(|link| link.key().as_str().to_owned());
    scenario.through = if model == Model::Static { keys.collect() } else { Vec::new() };
    let junctions: Vec<&str> = network.junctions().iter().map(|one| one.key().as_str()).collect();
    for at in 0..junctions.len() {
        scenario = journey(scenario, junctions[at], junctions[junctions.len() - 1 - at]);
    }
    scenario
}

/// What may be walked over between two questions: what the promise says, and the piece at hand.
fn most(network: &Network) -> usize {
    let zones = network.zones().len();
    // Roads, ways from and to zones; a few passes over them.
    UNASKED + 8 * (network.links().len() + 4 * zones)
}

#[test]
fn between_two_questions_little_is_done() {
    let (network, start) = town(8);
    for model in [Model::Static, Model::Dynamic] {
        let asked = asking(&network, model);
        let (mut longest, mut place, mut all, mut count) = (0, String::new(), 0, 0);
        walked_since();
        let ran = run(&network, &start, &asked, |progress| {
            let walked = walked_since();
            if walked > longest {
                (longest, place) = (walked, format!("{progress:?}"));
            }
            (all, count) = (all + walked, count + 1);
            ControlFlow::Continue(())
        });
        let outcome = ran.unwrap();
        assert!(outcome.demand_fit.is_some_and(|fit| fit.iterations > 2));
        assert!(walked_since() <= most(&network), "after the last question");
        assert!(longest <= most(&network), "{longest} at {place}, of {all} in {count}");
        // A single pass over the ways of all zones is far more.
        assert!(all > 100 * most(&network) && count < 4 * all / UNASKED, "{all} in {count}");
    }
}

#[test]
fn who_says_stop_is_obeyed_at_once_wherever_it_is() {
    let (network, start) = town(6);
    for model in [Model::Static, Model::Dynamic] {
        let asked = asking(&network, model);
        let mut questions = 0;
        let ran = run(&network, &start, &asked, |_| {
            questions += 1;
            ControlFlow::Continue(())
        });
        assert!(ran.is_ok());
        for last in (0..questions).step_by(questions / 60 + 1).chain([questions - 1]) {
            let mut count = 0;
            let ended = run(&network, &start, &asked, |_| {
                count += 1;
                walked_since();
                if count > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(matches!(ended, Err(ScenarioError::Cancelled)), "{last} of {questions}");
            assert_eq!((count, walked_since()), (last + 1, 0), "nothing more is done or asked");
        }
    }
}

#[test]
fn an_estimation_by_itself_is_watched_as_closely() {
    let (network, start) = town(8);
    let mut longest = 0;
    walked_since();
    let found = start.with_estimated_demand(&network, CalibrationSettings::default(), |done| {
        assert!((0.0..=1.0).contains(&done));
        longest = longest.max(walked_since());
        ControlFlow::Continue(())
    });
    assert!(found.is_ok() && longest <= most(&network), "{longest}");
    let stopped = start.with_estimated_demand(&network, CalibrationSettings::default(), |_| {
        ControlFlow::Break(())
    });
    assert_eq!(stopped.unwrap_err(), DemandError::Cancelled);
}

/// Few vehicles to many places: next to all of it is looking for ways, and a step passes far more
/// labels than lie between two questions.
#[test]
fn a_search_for_routes_is_watched_as_closely() {
    let (network, _) = town(14);
    let start = Start::empty(&network);
    let zones: Vec<&str> = network.zones().iter().map(|zone| zone.key().as_str()).collect();
    let mut asked = Scenario { interval_s: 60.0, ..scenario(Model::Dynamic, 60.0) };
    asked.demand.trips = zones[1..]
        .iter()
        .map(|to| Trips {
            origin: zones[0].to_owned(),
            destination: (*to).to_owned(),
            flow_pcu_h: 9.0,
        })
        .collect();
    let (mut longest, mut all, mut questions) = (0, 0, 0);
    walked_since();
    let ran = run(&network, &start, &asked, |_| {
        let walked = walked_since();
        (longest, all, questions) = (longest.max(walked), all + walked, questions + 1);
        ControlFlow::Continue(())
    });
    assert!(ran.is_ok());
    assert!(longest <= most(&network), "{longest} of {all} in {questions}");
    assert!(all > 50 * most(&network) && questions > 100, "{all} in {questions}");
    for last in (0..questions).step_by(17) {
        let mut count = 0;
        let ended = run(&network, &start, &asked, |_| {
            count += 1;
            walked_since();
            if count > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(ScenarioError::Cancelled)), "{last} of {questions}");
        assert_eq!((count, walked_since()), (last + 1, 0), "nothing more is done or asked");
    }
}
