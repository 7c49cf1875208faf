//! Hidden truth: a town lives by demand that only it knows. The twin is told, over MQTT, what the
//! sensors on some of its links count, minute by minute for an hour; then it is forked and forecasts
//! the next. What it says of links that it never saw is held against what happened there, beside
//! three plain guesses: nothing changes, the mean of the past hour, the nearest sensor.
//!
//! The truth is the same link transmission model with other inputs, so it flatters the forecast as
//! far as the model goes; what is tested is all that lies between sensors and the model's start.
//!
//! `cargo test --test it hidden_truth -- --nocapture` prints the tables.

use std::io::Write as _;
use std::ops::ControlFlow;

use citytwin_core::road::{LinkIndex, Network};
use citytwin_core::scenario::edit::DemandChange;
use citytwin_core::scenario::{
    Base, Demand, Edit, Model, Outcome, Scenario, Span, Trips, Vehicles, run,
};
use citytwin_core::traffic::start::Start;
use citytwin_proto::ingest::v1::{Quantity, SensorDescription, SensorKind};
use citytwin_proto::v1;
use citytwin_proto::v1::get_outcome_response::Part;
use citytwin_proto::v1::planner_client::PlannerClient;
use citytwin_simulators::chance::{draw, unit};
use prost::Message as _;

use crate::api::Api;
use crate::grids;
use crate::letters::{self, Letter};
use crate::process::{Server, text};

/// 2026-11-20 07:00 in Ho Chi Minh City: when the truth begins.
const BEGIN_MS: i64 = 1_795_132_800_000;
const MINUTE_S: f64 = 60.0;
/// Minutes that the sensors tell of, and that are forecast.
const TOLD: usize = 60;
const FORECAST: usize = 60;
/// Of all demand, by quarter of an hour: a morning that swells and ebbs. The twin knows none of it.
const SWELL: [f64; 8] = [0.9, 1.1, 1.3, 1.45, 1.55, 1.6, 1.5, 1.3];
/// Ends of the forecasts that are judged, minutes.
const AHEAD: [usize; 3] = [15, 30, 60];

/// Trips, pcu/h at a factor of 1.
const TRIPS: [(&str, &str, f64); 8] = [
    ("south-west", "south-east", 620.0),
    ("south-west", "north-east", 420.0),
    ("south-west", "north-west", 380.0),
    ("north-west", "north-east", 560.0),
    ("north-west", "south-east", 350.0),
    ("north-east", "north-west", 430.0),
    ("north-east", "south-east", 300.0),
    ("south-east", "south-west", 480.0),
];

/// What happens, by minute.
fn truth(network: &Network) -> Outcome {
    let trips = TRIPS.map(|(origin, destination, flow_pcu_h)| Trips {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        flow_pcu_h,
    });
    let swell = (0_u8..).zip(SWELL).map(|(quarter, factor)| Edit {
        span: Span {
            from_s: Some(f64::from(quarter) * 900.0),
            until_s: Some(f64::from(quarter + 1) * 900.0),
            ..Span::default()
        },
        change: DemandChange { factor: Some(factor), ..DemandChange::default() }.into(),
    });
    let scenario = Scenario {
        interval_s: MINUTE_S,
        demand: Demand { trips: trips.into(), ..Demand::default() },
        edits: swell.collect(),
        ..scenario(((TOLD + FORECAST) * 60) as f64)
    };
    run(network, &Start::empty(network), &scenario, |_| ControlFlow::Continue(())).unwrap()
}

fn scenario(horizon_s: f64) -> Scenario {
    Scenario {
        name: String::new(),
        model: Model::Dynamic,
        horizon_s,
        interval_s: 300.0,
        seed: 0,
        base: Base::default(),
        demand: Demand::default(),
        vehicles: Vehicles::default(),
        journeys: Vec::new(),
        through: Vec::new(),
        edits: Vec::new(),
    }
}

/// Between -1 and 1, by link and what it is for.
fn noise(link: u64, of: u64) -> f64 {
    2.0 * unit(draw(draw(7, link), of)) - 1.0
}

/// Which links have a sensor: the same share of every part of the town.
fn seen(network: &Network, share: f64) -> Vec<LinkIndex> {
    let is_seen = |link: &LinkIndex| unit(draw(11, u64::from(link.number()))) < share;
    network.link_indexes().filter(is_seen).collect()
}

fn name(link: LinkIndex) -> String {
    format!("town/l{}", link.number())
}

/// Descriptions, then a flow and a speed a minute with 5 % of noise.
fn telling(network: &Network, truth: &Outcome, seen: &[LinkIndex]) -> Vec<Letter> {
    let mut letters = Vec::new();
    for link in seen {
        let road = network.link(*link);
        let at = network.line(*link)[0];
        let about = SensorDescription {
            kind: SensorKind::Radar.into(),
            latitude_deg: at.latitude_deg(),
            longitude_deg: at.longitude_deg(),
            expected_interval_ms: 60_000,
            link: road.key().to_string(),
            ..Default::default()
        };
        letters.push((format!("city/v1/{}/about", name(*link)), about.encode_to_vec()));
    }
    for (minute, interval) in (0_u64..).zip(&truth.intervals).take(TOLD) {
        for link in seen {
            let row = &interval.links[link.slot()];
            let number = u64::from(link.number());
            let told = |value: f64, of: u64| value * (1.0 + 0.05 * noise(number, 2 * minute + of));
            let at_ms = BEGIN_MS + 60_000 * (i64::try_from(minute).unwrap() + 1);
            let readings = [
                (Quantity::FlowVehH, at_ms, told(row.flow_veh_h, 0)),
                (Quantity::SpeedKmh, at_ms, told(row.speed_kmh, 1)),
            ];
            letters.push(letters::readings(&name(*link), &readings));
        }
    }
    letters
}

/// A figure of every link at some time.
struct Guess {
    name: &'static str,
    /// By forecast, by link: flow (pcu/h) and speed (km/h).
    rows: Vec<Vec<(f64, f64)>>,
}

/// Means of the truth over the five minutes that end at each judged time.
fn happened(truth: &Outcome) -> Vec<Vec<(f64, f64)>> {
    AHEAD.map(|ahead| mean(truth, TOLD + ahead - 5, TOLD + ahead)).into()
}

fn mean(truth: &Outcome, from: usize, until: usize) -> Vec<(f64, f64)> {
    let minutes = (until - from) as f64;
    let one = |slot: usize| {
        let rows = truth.intervals[from..until].iter().map(|interval| interval.links[slot]);
        let sum = rows.fold((0.0, 0.0), |sum, row| (sum.0 + row.flow_veh_h, sum.1 + row.speed_kmh));
        (sum.0 / minutes, sum.1 / minutes)
    };
    (0..truth.links.len()).map(one).collect()
}

/// The plain guesses.
fn guesses(network: &Network, truth: &Outcome, seen: &[LinkIndex]) -> Vec<Guess> {
    let (now, past) = (mean(truth, TOLD - 5, TOLD), mean(truth, 0, TOLD));
    let nearest = |link: LinkIndex| {
        let at = network.line(link)[0];
        let far = |other: &&LinkIndex| at.distance_m(network.line(**other)[0]);
        *seen.iter().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap()
    };
    // Of all sensors: nothing else is known of a link without one.
    let over = |rows: &[(f64, f64)]| {
        let count = seen.len() as f64;
        let sum = seen.iter().fold((0.0, 0.0), |sum, link| {
            let row = rows[link.slot()];
            (sum.0 + row.0 / count, sum.1 + row.1 / count)
        });
        vec![sum; rows.len()]
    };
    let by_sensor: Vec<(f64, f64)> =
        network.link_indexes().map(|link| now[nearest(link).slot()]).collect();
    let always = |name, rows: Vec<(f64, f64)>| Guess { name, rows: vec![rows; AHEAD.len()] };
    vec![
        always("nothing changes (mean of the sensors now)", over(&now)),
        always("mean of the past hour of all sensors", over(&past)),
        always("nearest sensor now", by_sensor),
    ]
}

/// What the twin says.
fn forecast(api: &Api, server: &Server, estimate: bool) -> Guess {
    let demand = v1::Demand { estimate, ..v1::Demand::default() };
    let scenario = v1::Scenario {
        model: "dynamic".to_owned(),
        horizon_s: (FORECAST * 60) as f64,
        base: Some(v1::ScenarioBase::default()),
        demand: Some(demand),
        ..v1::Scenario::default()
    };
    let rows = api.runtime.block_on(async {
        let mut planner = PlannerClient::connect(server.grpc.clone()).await.unwrap();
        let request = v1::CreateScenarioRequest { scenario: Some(scenario), ..Default::default() };
        let id = planner.create_scenario(request).await.unwrap().into_inner().id;
        let request = v1::RunScenarioRequest { id: id.clone(), reproduce: false };
        let mut steps = planner.run_scenario(request).await.unwrap().into_inner();
        while steps.message().await.unwrap().is_some() {}
        let request = v1::GetOutcomeRequest { id, links: true, ..Default::default() };
        let mut parts = planner.get_outcome(request).await.unwrap().into_inner();
        let mut rows = vec![Vec::new(); AHEAD.len()];
        while let Some(message) = parts.message().await.unwrap() {
            let Some(Part::Figures(figures)) = message.part else { continue };
            let until_s = figures.interval.unwrap().until_s;
            for (row, ahead) in rows.iter_mut().zip(AHEAD) {
                if (until_s - (ahead * 60) as f64).abs() < 1.0 {
                    row.extend(figures.links.iter().map(|l| (l.flow_veh_h, l.speed_kmh)));
                }
            }
        }
        rows
    });
    let name = if estimate { "forecast, trips estimated" } else { "forecast, turning as now" };
    Guess { name, rows }
}

/// Mean absolute errors of flow and speed over the links without a sensor.
fn errors(guess: &[(f64, f64)], truth: &[(f64, f64)], unseen: &[usize]) -> (f64, f64) {
    let count = unseen.len() as f64;
    unseen.iter().fold((0.0, 0.0), |sum, slot| {
        let (guess, truth) = (guess[*slot], truth[*slot]);
        (sum.0 + (guess.0 - truth.0).abs() / count, sum.1 + (guess.1 - truth.1).abs() / count)
    })
}

/// Errors by guess and forecast, the twin's first.
fn judged(share: f64) -> Vec<(&'static str, Vec<(f64, f64)>)> {
    let network = grids::town();
    let (truth, seen) = (truth(&network), seen(&network, share));
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("town");
    grids::write(&folder);
    let server = Server::start(data.path(), &["--network", text(&folder), "--time", "event"]);
    let api = Api::of(&server.grpc);
    let letters = telling(&network, &truth, &seen);
    letters::publish_all(&api, &server.mqtt, &letters);
    api.until_received((seen.len() * TOLD * 2) as u64);
    let mut all = vec![forecast(&api, &server, true), forecast(&api, &server, false)];
    all.extend(guesses(&network, &truth, &seen));
    let happened = happened(&truth);
    let links = network.link_indexes().filter(|link| seen.binary_search(link).is_err());
    let unseen: Vec<usize> = links.map(LinkIndex::slot).collect();
    let flow: f64 =
        unseen.iter().map(|slot| happened[0][*slot].0).sum::<f64>() / unseen.len() as f64;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\n{} of {} links with a sensor; mean flow of the others after 15 minutes {flow:.0} pcu/h\n\n\
         | mean absolute error at links never seen | 15 min | 30 min | 60 min |\n|---|---|---|---|",
        seen.len(),
        truth.links.len()
    )
    .unwrap();
    let rows: Vec<_> = all
        .iter()
        .map(|guess| {
            let rows = guess.rows.iter().zip(&happened);
            let rows: Vec<_> = rows.map(|(guess, truth)| errors(guess, truth, &unseen)).collect();
            let cells: Vec<String> = rows
                .iter()
                .map(|(flow, speed)| format!("{flow:.0} pcu/h, {speed:.1} km/h"))
                .collect();
            writeln!(out, "| {} | {} |", guess.name, cells.join(" | ")).unwrap();
            (guess.name, rows)
        })
        .collect();
    rows
}

/// The forecast by trips beats every plain guess of the flow at links it never saw.
#[test]
fn the_forecast_beats_plain_guesses_where_nothing_is_measured() {
    for share in [0.3, 0.6] {
        let rows = judged(share);
        let (name, best) = &rows[0];
        for (other, errors) in &rows[2..] {
            for (ahead, (own, plain)) in AHEAD.iter().zip(best.iter().zip(errors)) {
                assert!(
                    own.0 < plain.0,
                    "{share}, {ahead} min: {name} {:.0} pcu/h, {other} {:.0} pcu/h",
                    own.0,
                    plain.0
                );
            }
        }
    }
}
