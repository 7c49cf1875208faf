//! Trips that nobody gave: estimated from what the start has measured.

use super::super::edit::NewLink;
use super::*;
use crate::traffic::start::{CalibrationSettings, OdFlow, Source, StartDemand};

/// A town of 16 junctions, each a zone, of which one road in three is measured; its trips are known
/// and hidden.
fn town() -> (Network, Start) {
    let mut text = Vec::new();
    let letter = |row: u8, column: u8| char::from(b'a' + 4 * row + column);
    for (row, column) in (0..4).flat_map(|row| (0..4).map(move |column| (row, column))) {
        for (other_row, other_column) in [(row + 1, column), (row, column + 1)] {
            if other_row < 4 && other_column < 4 {
                let (one, other) = (letter(row, column), letter(other_row, other_column));
                text.push(format!("{one}{other}:500 {other}{one}:500"));
            }
        }
    }
    let mut draft = draft(&text.join(" "));
    for junction in &mut draft.junctions {
        let at = junction.key.as_bytes()[0] - b'a';
        let (row, column) = (f64::from(at / 4), f64::from(at % 4));
        junction.point = (10.77 + 0.004 * row, 106.7 + 0.004 * column);
    }
    let network = sound(draft);
    let mut hidden = Vec::new();
    for one in 0..16_u8 {
        for step in [3_u8, 5, 6, 9, 13] {
            let zone = |at: u8| char::from(b'A' + at % 16);
            let (to, share) = (one + step, 1 + (one + step) % 4);
            hidden.push(format!("{}>{}:0.0{share}", zone(one), zone(to)));
        }
    }
    let truth = answer(&network, &trips(scenario(Model::Static, 3_600.0), &hidden.join(" ")));
    let mut start = Start::empty(&network);
    for (at, link) in start.links.iter_mut().enumerate().filter(|(at, _)| at % 3 == 0) {
        link.flow_veh_h = truth.intervals[0].links[at].flow_veh_h;
        link.density_veh_km = link.flow_veh_h / link.speed_kmh;
        (link.source, link.quality) = (Source::Measured, 1.0);
    }
    (network, start)
}

fn estimating(model: Model) -> Scenario {
    let mut scenario = scenario(model, 900.0);
    scenario.demand.estimate = true;
    scenario
}

fn ready(network: &Network, start: &Start) -> Start {
    let settings = CalibrationSettings::default();
    let found = start.with_estimated_demand(network, settings, |_| ControlFlow::Continue(()));
    found.unwrap().0
}

#[test]
fn a_start_that_has_the_trips_ready_gives_the_same_outcome() {
    let (network, start) = town();
    let with_trips = ready(&network, &start);
    for model in [Model::Dynamic, Model::Static] {
        let asked = with(&estimating(model), closed(&["ab"]));
        let (found, again) =
            (outcome(&network, &start, &asked), outcome(&network, &with_trips, &asked));
        conserved(&found);
        assert!(found == again, "{model:?}");
        let fit = found.demand_fit.unwrap();
        let measured = start.counts().len();
        assert_eq!(fit.used.counts + fit.held_out.counts, measured);
        assert!(fit.held_out.counts * 5 >= measured - 4, "{fit:?}");
        assert!(fit.used.geh_under_5_share > 0.9 && fit.used.relative_error < 0.1, "{fit:?}");
        assert!(fit.held_out.relative_error < 0.5, "{fit:?}");
        // The same outcome under the same name, whoever estimated.
        let other = Start { demand: Some(StartDemand::default()), ..start.clone() };
        let id = |start: &Start| OutcomeId::of(&network, start, &asked);
        assert_eq!((id(&start), id(&with_trips)), (found.id, found.id));
        assert_ne!(id(&other), found.id, "trips from elsewhere are another question");
        let settings = CalibrationSettings { seed: 3, ..CalibrationSettings::default() };
        let found = start.with_estimated_demand(&network, settings, |_| ControlFlow::Continue(()));
        assert_ne!(id(&found.unwrap().0), id(&start), "so are trips by another estimation");
    }
}

#[test]
fn links_say_whether_they_were_measured() {
    let (network, start) = town();
    let new = NewLink {
        key: "new".to_owned(),
        from: "a".to_owned(),
        to: "p".to_owned(),
        class: "primary".to_owned(),
        ..NewLink::default()
    };
    let asked = with(&estimating(Model::Static), new);
    let found = outcome(&network, &start, &asked);
    for link in &found.links {
        let old = network.find_link(link.key.as_str()).map(|old| start.links[old.slot()]);
        let expected = old.map_or((Source::Estimated, 0.0), |old| (old.source, old.quality));
        assert_eq!((link.source, link.quality), expected, "{link:?}");
    }
    assert!(found.links.iter().any(|link| link.source == Source::Measured));
    assert!(entered(&found, "new") > 0.0, "estimated trips find a new link");
}

#[test]
fn given_trips_are_not_estimated_over() {
    let (network, start) = town();
    let own = trips(estimating(Model::Static), "A>P:0.2");
    let found = outcome(&network, &start, &own);
    close(found.totals.demanded_veh, 180.0);
    assert_eq!(found.demand_fit, None);
    let (origin, destination) = (network.find_zone("A").unwrap(), network.find_zone("P").unwrap());
    let flows = vec![OdFlow { origin, destination, flow_veh_h: 360.0 }];
    let known = Start { demand: Some(StartDemand { flows, fit: None }), ..start };
    let found = outcome(&network, &known, &estimating(Model::Static));
    close(found.totals.demanded_veh, 90.0);
    assert_eq!(found.demand_fit, None);
}

#[test]
fn what_an_estimation_needs_is_named() {
    let network = network("ab:1000 bc:1000");
    let told =
        |network: &Network, start: &Start| refused(network, start, &estimating(Model::Static));
    let start = Start::empty(&network);
    assert_eq!(
        told(&network, &start),
        "demand.estimate: needs measured flows: no link of the start has live sensors"
    );
    let mut zoneless = draft("ab:1000 bc:1000");
    zoneless.zones.truncate(1);
    let zoneless = sound(zoneless);
    let told_at_once = estimating(Model::Dynamic).check(&zoneless);
    assert_eq!(told_at_once.len(), 1);
    let expected = "demand.estimate: needs two zones or more with connectors: wards, joined to \
                    junctions of the network";
    assert_eq!(told(&zoneless, &Start::empty(&zoneless)), expected);
    let mut ends = draft("ab:1000 bc:1000");
    ends.zones.retain(|zone| zone.key != "B");
    ends.links.remove(1);
    let apart = sound(ends);
    let mut start = Start::empty(&apart);
    start.links[0].source = Source::Measured;
    let expected = "demand.estimate: needs zones that can be reached from each other";
    assert_eq!(told(&apart, &start), expected);
}

#[test]
fn a_listener_hears_of_the_estimation_and_ends_it() {
    let (network, start) = town();
    let asked = estimating(Model::Static);
    let mut heard = Vec::new();
    let ran = run(&network, &start, &asked, |progress| {
        heard.push(progress);
        ControlFlow::Continue(())
    });
    assert!(ran.is_ok());
    let stages: Vec<Stage> = heard.iter().map(|one| one.stage).collect();
    let first = stages.iter().position(|stage| *stage == Stage::Running).unwrap();
    assert!(first > 30 && stages[first..].iter().all(|stage| *stage == Stage::Running));
    for part in [&heard[..first], &heard[first..]] {
        assert!(part.iter().all(|one| (0.0..=1.0).contains(&one.done)));
    }
    // Wherever in the estimation.
    for last in [0, 5, 20, first / 2, first - 1] {
        let mut count = 0;
        let ended = run(&network, &start, &asked, |_| {
            count += 1;
            if count > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(matches!(ended, Err(ScenarioError::Cancelled)), "{last}");
        assert_eq!(count, last + 1, "nobody is asked again");
    }
}

#[test]
fn a_start_can_be_stored() {
    let (network, start) = town();
    let start = ready(&network, &start);
    let bytes = postcard::to_stdvec(&start).unwrap();
    let back: Start = postcard::from_bytes(&bytes).unwrap();
    assert!(back == start && back.check(&network).is_ok());
    let asked = estimating(Model::Static);
    assert!(outcome(&network, &back, &asked) == outcome(&network, &start, &asked));
}
