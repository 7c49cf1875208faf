//! What if, over the wire and by the command line: a network comes in, scenarios are checked, run,
//! cancelled, compared, reproduced and forgotten, and the living city goes on untouched.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use citytwin_proto::v1;
use citytwin_proto::v1::planner_client::PlannerClient;
use citytwin_proto::v1::run_scenario_response::Step;
use serde_json::Value;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use crate::api::Api;
use crate::foreign;
use crate::grids;
use crate::process::{Server, citytwin, citytwin_ok, text};

/// All trips of the town cross the river or not, pcu/h.
const TRIPS: &str = "\
[demand]
trips = [
    { origin = \"south-west\", destination = \"south-east\", flow_pcu_h = 700 },
    { origin = \"north-west\", destination = \"north-east\", flow_pcu_h = 700 },
    { origin = \"south-east\", destination = \"north-west\", flow_pcu_h = 500 },
]
";

/// A town with an engine.
struct Town {
    data: tempfile::TempDir,
    server: Server,
}

impl Town {
    fn open() -> Town {
        let data = tempfile::tempdir().unwrap();
        let network = data.path().join("town");
        grids::write(&network);
        let server = Server::start(data.path(), &["--network", text(&network)]);
        Town { data, server }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.data.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// `citytwin scenario …` against this engine.
    fn scenario(&self, arguments: &[&str]) -> String {
        let server = ["--server", &self.server.grpc];
        citytwin_ok(&[&["scenario"], arguments, &server[..]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.scenario(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn close_bridge(&self) -> PathBuf {
        let [there, back] = grids::bridge(1);
        self.file(
            "close-bridge.toml",
            &format!(
                "model = \"dynamic\"\nhorizon_s = 3600\n{TRIPS}\n[[edits]]\nfrom_s = 600\n\
                 until_s = 2400\nclose.on.links = [\"{there}\", \"{back}\"]\n"
            ),
        )
    }
}

fn total(of: &Value, name: &str) -> f64 {
    of["totals"][name].as_f64().unwrap()
}

#[test]
fn a_closed_bridge_costs_time_and_its_outcome_is_the_same_bytes_again() {
    let town = Town::open();
    let file = town.close_bridge();
    let found = town.json(&["run", text(&file)]);
    let (before, after) = (&found["baseline"], &found["outcome"]);
    assert_eq!(after["name"], "close-bridge");
    assert!(total(after, "vehicleH") > 1.05 * total(before, "vehicleH"), "{found:#}");
    let outside = total(before, "demandedVeh") - total(before, "enteredVeh");
    assert!(outside.abs() < 1e-3, "{found:#}");
    let worst = found["comparison"]["links"].as_array().unwrap();
    assert!(!worst.is_empty() && worst.len() <= 10, "{worst:#?}");
    // Trips that crossed the closed bridge take the other one: links there have more flow.
    let [other, _] = grids::bridge(6);
    let all = town.json(&[
        "compare",
        before["id"].as_str().unwrap(),
        after["id"].as_str().unwrap(),
        "--limit",
        "1000",
    ]);
    let other = all["links"].as_array().unwrap().iter().find(|link| link["link"] == other);
    assert!(other.unwrap()["flowVehH"].as_f64().unwrap() > 10.0, "{all:#}");
    // Most affected first.
    let delays: Vec<f64> = all["links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["delayVehH"].as_f64().unwrap().abs())
        .collect();
    assert!(delays.is_sorted_by(|a, b| a >= b), "{delays:?}");

    let id = after["id"].as_str().unwrap();
    let again = town.json(&["reproduce", id.get(..12).unwrap()]);
    assert_eq!(again["identical"], true, "{again:#}");
    assert_eq!(again["freshSha256"], after["sha256"]);
    // What is damaged on disk is told as such.
    let stored = town.data.path().join("planner/scenarios").join(id).join("outcome");
    let mut bytes = fs::read(&stored).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&stored, bytes).unwrap();
    let server = ["--server", &town.server.grpc];
    let output = citytwin(&[&["scenario", "reproduce", id], &server[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn without_edits_it_is_the_base() {
    let town = Town::open();
    let plain = town.file("plain.toml", &format!("model = \"dynamic\"\nhorizon_s = 1800\n{TRIPS}"));
    let closed = town.close_bridge();
    let short = fs::read_to_string(closed).unwrap().replace("3600", "1800");
    let closed = town.file("short.toml", &short);
    let batch = town.file("all.toml", "scenarios = [\"plain.toml\", \"short.toml\"]");
    let plain_alone = town.scenario(&["check", text(&plain), text(&closed)]);
    assert_eq!(plain_alone.lines().count(), 2, "{plain_alone}");
    let answer = town.scenario(&["run", text(&batch), "--json"]);
    let lines: Vec<Value> =
        answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["outcome"]["id"], lines[1]["baseline"]["id"]);
    assert_eq!(lines[0]["outcome"]["sha256"], lines[1]["baseline"]["sha256"]);
    let told = town.scenario(&["run", text(&batch), "--no-files"]);
    let last: Vec<&str> = told.lines().rev().take(3).collect();
    assert!(last[2].contains("SCENARIO") && last[0].contains("short"), "{told}");
}

#[test]
fn what_does_not_fit_is_told_by_file_and_line() {
    let town = Town::open();
    let wrong = town.file(
        "wrong.toml",
        &format!(
            "model = \"dynamic\"\nhorizon_s = 31536000\n{TRIPS}\n[[edits]]\n\
             close.on.links = [\"nowhere\"]\n[[edits]]\nlanes.set = -2\nlanes.on.links = [\"{}\"]\n",
            grids::bridge(1)[0]
        ),
    );
    let server = ["--server", &town.server.grpc];
    let output = citytwin(&[&["scenario", "check", text(&wrong)], &server[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    for part in [
        "wrong.toml:2: horizon_s",
        "wrong.toml:11: edits[0].close.on.links[0]",
        "nowhere",
        "wrong.toml:13: edits[1].lanes",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // With leave to skip, the edits that do not fit are named and left out; the horizon stays wrong.
    let day = fs::read_to_string(&wrong).unwrap().replace("31536000", "600");
    let day = town.file("skipped.toml", &day);
    let told = town.scenario(&["run", text(&day), "--skip-unfit", "--no-files"]);
    assert!(told.contains("left out: edits[0].close.on.links[0]"), "{told}");
    assert!(told.contains("left out: edits[1].lanes"), "{told}");
}

fn planner(town: &Town) -> (Api, PlannerClient<Channel>) {
    let api = Api::of(&town.server.grpc);
    let channel = api.runtime.block_on(async {
        tonic::transport::Endpoint::from_shared(town.server.grpc.clone()).unwrap().connect_lazy()
    });
    (api, PlannerClient::new(channel))
}

fn scenario(horizon_s: f64) -> v1::Scenario {
    let trip = |origin: &str, destination: &str| v1::Trips {
        origin: origin.to_owned(),
        destination: destination.to_owned(),
        flow_pcu_h: 800.0,
    };
    let trips = vec![trip("south-west", "north-east"), trip("north-east", "south-west")];
    v1::Scenario {
        model: "dynamic".to_owned(),
        horizon_s,
        interval_s: Some(60.0),
        base: Some(v1::ScenarioBase::default()),
        demand: Some(v1::Demand { trips, ..v1::Demand::default() }),
        ..v1::Scenario::default()
    }
}

fn create(scenario: v1::Scenario) -> v1::CreateScenarioRequest {
    v1::CreateScenarioRequest { scenario: Some(scenario), ..Default::default() }
}

#[test]
fn every_refusal_has_its_code() {
    let town = Town::open();
    let (api, mut planner) = planner(&town);
    api.until_now();
    api.runtime.block_on(async {
        let unknown = v1::GetScenarioRequest { id: "abcdef123".to_owned() };
        assert_eq!(planner.get_scenario(unknown).await.unwrap_err().code(), Code::NotFound);
        let digits = v1::GetScenarioRequest { id: "../../etc".to_owned() };
        assert_eq!(planner.get_scenario(digits).await.unwrap_err().code(), Code::InvalidArgument);
        let none = v1::CreateScenarioRequest::default();
        assert_eq!(planner.create_scenario(none).await.unwrap_err().code(), Code::InvalidArgument);
        let mut past = scenario(600.0);
        past.base = Some(v1::ScenarioBase { epoch: Some(17), utc_offset_s: None });
        let refused = planner.create_scenario(create(past)).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert!(
            refused.message().starts_with("base.epoch: no sensor was ever heard of"),
            "{refused}"
        );
        let mut wrong = scenario(-1.0);
        wrong.edits = vec![v1::Edit {
            change: Some(v1::edit::Change::Close(v1::Close {
                on: Some(v1::Where { links: vec!["x".to_owned()], ..Default::default() }),
            })),
            ..v1::Edit::default()
        }];
        let refused = planner.create_scenario(create(wrong)).await.unwrap_err();
        let details = refused.get_details_bad_request().unwrap();
        let fields: Vec<&str> =
            details.field_violations.iter().map(|one| one.field.as_str()).collect();
        assert!(fields.contains(&"horizon_s"), "{fields:?}");
        assert!(fields.contains(&"edits[0].close.on.links[0]"), "{fields:?}");

        let kept = planner.create_scenario(create(scenario(600.0))).await.unwrap().into_inner();
        let id = kept.id.clone();
        let early = v1::GetOutcomeRequest { id: id.clone(), ..Default::default() };
        let refused = planner.get_outcome(early).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        let network = v1::DeleteNetworkRequest { id: kept.network };
        let refused = planner.delete_network(network).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
        planner.delete_scenario(v1::DeleteScenarioRequest { id: id.clone() }).await.unwrap();
        let gone = planner.get_scenario(v1::GetScenarioRequest { id }).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound, "{gone}");
    });
    assert_eq!(fs::read_dir(town.data.path().join("planner/measured")).unwrap().count(), 0);
}

/// A scenario on a past epoch is the one that was made when the epoch was the newest.
#[test]
fn any_epoch_of_the_archive_is_a_base() {
    let town = Town::open();
    let (api, mut planner) = planner(&town);
    let at = ["--kind", "traffic_loop", "--at", "10.7701,106.6901", "--server", &town.server.grpc];
    citytwin_ok(&[&["register", "town/loop"], &at[..]].concat());
    api.until_now();
    let (mut made, mut id) = (scenario(600.0), String::new());
    api.runtime.block_on(async {
        let kept = planner.create_scenario(create(made.clone())).await.unwrap().into_inner();
        (made.base, id) = (kept.scenario.unwrap().base, kept.id);
        // Its start goes with it.
        planner.delete_scenario(v1::DeleteScenarioRequest { id: id.clone() }).await.unwrap();
    });
    let epoch = made.base.unwrap().epoch.unwrap();
    api.until("later", |status| crate::api::epoch_of(status) > epoch);
    api.runtime.block_on(async {
        let again = planner.create_scenario(create(made.clone())).await.unwrap().into_inner();
        assert_eq!(again.id, id);
        made.base = Some(v1::ScenarioBase { epoch: Some(epoch - 100_000), ..made.base.unwrap() });
        let refused = planner.create_scenario(create(made)).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert!(refused.message().contains("before the archive begins"), "{refused}");
    });
}

/// A day by steps of a few seconds takes long; whoever hangs up ends it, and the next run need not
/// wait for it.
#[test]
fn hanging_up_cancels() {
    let town = Town::open();
    let (api, mut planner) = planner(&town);
    api.runtime.block_on(async {
        let long = planner.create_scenario(create(scenario(86_400.0))).await.unwrap().into_inner();
        let short = planner.create_scenario(create(scenario(60.0))).await.unwrap().into_inner();
        let request = v1::RunScenarioRequest { id: long.id.clone(), reproduce: false };
        let mut run = planner.run_scenario(request).await.unwrap().into_inner();
        loop {
            let step = run.message().await.unwrap().unwrap().step.unwrap();
            let Step::Progress(progress) = step else { panic!("it ended: {step:?}") };
            if progress.stage == "running" && progress.done > 0.0 {
                break;
            }
        }
        drop(run);
        let request = v1::RunScenarioRequest { id: short.id, reproduce: false };
        let mut run = planner.run_scenario(request).await.unwrap().into_inner();
        let mut outcome = None;
        while let Some(message) = run.message().await.unwrap() {
            if let Some(Step::Outcome(found)) = message.step {
                outcome = Some(found);
            }
        }
        assert_eq!(outcome.unwrap().intervals.len(), 1);
        // One thread: had the day gone on, the minute would have waited for all of it.
        let request = v1::GetScenarioRequest { id: long.id };
        assert!(!planner.get_scenario(request).await.unwrap().into_inner().has_outcome);
    });
}

#[test]
fn a_network_comes_in_pieces_and_stays() {
    let data = tempfile::tempdir().unwrap();
    let network = data.path().join("town");
    grids::write(&network);
    let folder = data.path().join("data");
    let mut server = Server::start(&folder, &[]);
    let grpc = server.grpc.clone();
    let ask = |arguments: &[&str]| citytwin(&[arguments, &["--server", &grpc]].concat());
    let file = data.path().join("s.toml");
    fs::write(&file, format!("model = \"static\"\nhorizon_s = 3600\n{TRIPS}")).unwrap();
    let refused = ask(&["scenario", "run", text(&file)]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no road network"), "{refused:?}");
    let sent = ask(&["network", "upload", text(&network), "--json"]);
    let sent: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(sent["id"], grids::town().content_hash().to_string().as_str());
    assert_eq!((&sent["zones"], &sent["leftOut"]), (&Value::from(4), &Value::from(0)));
    server.stop();
    server.restart();
    let listed = ask(&["network", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["networks"][0]["id"], sent["id"]);
    assert_eq!(listed["networks"][0]["current"], true);
    let told = ask(&["scenario", "run", text(&file), "--no-files"]);
    assert!(told.status.success(), "{told:?}");
    let links = ask(&["network", "links", "--name", "cầu thử"]);
    assert_eq!(String::from_utf8(links.stdout).unwrap().lines().count(), 1 + 4);
    // What is no network is refused and changes nothing.
    let broken = data.path().join("broken.osm.pbf");
    fs::write(&broken, [0, 0, 0, 13, 10, 9, b'O', b'S', b'M', b'H', b'e']).unwrap();
    let refused = ask(&["network", "upload", text(&broken)]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("osm.pbf"), "{refused:?}");
}

#[test]
fn offline_is_the_same_without_an_engine() {
    let town = Town::open();
    let network = town.data.path().join("town");
    let demand = town.file(
        "trips.csv",
        "origin,destination,flow_pcu_h\nsouth-west,south-east,700\nnorth-west,north-east,700\n\
         south-east,north-west,500\n",
    );
    let [there, back] = grids::bridge(1);
    let mut text_of = String::from("model = \"static\"\nhorizon_s = 3600\n");
    writeln!(text_of, "through = [\"{}\"]", grids::bridge(6)[0]).unwrap();
    writeln!(text_of, "[[edits]]\nclose.on.links = [\"{there}\", \"{back}\"]").unwrap();
    let file = town.file("static.toml", &text_of);
    let arguments = ["scenario", "run", text(&file), "--json", "--offline", "--network"];
    let more = [text(&network), "--demand", text(&demand)];
    let found: Value =
        serde_json::from_str(&citytwin_ok(&[&arguments[..], &more[..]].concat())).unwrap();
    // All 1,400 that cross to the east or west now use the other bridge.
    let users = &found["outcome"]["through"][0];
    assert!((users["flowPcuH"].as_f64().unwrap() - 1_400.0).abs() < 1e-6, "{users:#}");
    let pairs: f64 =
        users["pairs"].as_array().unwrap().iter().map(|p| p["flowPcuH"].as_f64().unwrap()).sum();
    assert!((pairs - 1_400.0).abs() < 1e-6, "{users:#}");
    let online =
        town.file("online.toml", &text_of.replace("[[edits]]", &format!("{TRIPS}\n[[edits]]")));
    let engine = town.json(&["run", text(&online)]);
    assert_eq!(engine["outcome"]["totals"], found["outcome"]["totals"]);
}

/// grpcio, which knows the API from reflection alone, runs a scenario to its outcome.
#[test]
fn a_foreign_client_asks_what_if() {
    let Some(python) = foreign::python() else { return };
    let town = Town::open();
    let [there, back] = grids::bridge(1);
    let flags = [town.server.grpc.trim_start_matches("http://"), "--close", &there, &back];
    let answer = foreign::run_script(&python, "grpc_what_if.py", &flags);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["progress"].as_u64().unwrap() > 0, "{answer:#}");
    let id = answer["outcome"]["id"].as_str().unwrap();
    let own = town.json(&["reproduce", id]);
    assert_eq!(own["freshSha256"], answer["outcome"]["sha256"]);
    assert_eq!(answer["rows"], answer["outcome"]["links"].as_u64().unwrap() * 12);
    assert_eq!(answer["refused"], "INVALID_ARGUMENT");
    let listed = town.json(&["list"]);
    assert_eq!(listed["scenarios"].as_array().unwrap().len(), 1);
}

/// A folder on disk that is no network stops the start with the key's name.
#[test]
fn a_wrong_network_stops_the_start() {
    let data = tempfile::tempdir().unwrap();
    let output =
        citytwin(&["serve", "--data", text(data.path()), "--network", text(Path::new("/nowhere"))]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("network") && told.contains("/nowhere"), "{told}");
}
