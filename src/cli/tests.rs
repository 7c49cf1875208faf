//! The command line as typed, and what is printed.

use std::sync::{Arc, Mutex};

use citytwin_proto::v1;
use clap::{CommandFactory as _, Parser as _};

use super::*;
use crate::config::Flags;
use crate::service::tests::{Town, report, set_aside, trouble};
use crate::service::{Health, serve};

/// A writer whose text can be read afterwards.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn printed(command: &[&str], environment: &Environment) -> Result<String, String> {
    let cli = Cli::try_parse_from(command).map_err(|error| error.to_string())?;
    let paper = Paper::default();
    let mut screen = Screen::to(paper.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(run(cli.command, environment, &mut screen))
        .map_err(|failure| failure.to_string())?;
    let text = paper.0.lock().unwrap().clone();
    Ok(String::from_utf8(text).unwrap())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

/// Splits as a shell does, as far as the examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_example_parses() {
    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        found.extend(help.lines().filter_map(|l| l.trim().strip_prefix("$ ")).map(str::to_owned));
        for inner in command.get_subcommands() {
            examples(inner, found);
        }
    }
    let mut found = Vec::new();
    examples(&Cli::command(), &mut found);
    assert!(found.len() > 30, "{found:?}");
    for line in found {
        let parsed = Cli::try_parse_from(words(&line));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

#[test]
fn wrong_words_say_what_is_allowed() {
    let table: &[(&[&str], &str)] = &[
        (&["area"], "the following required arguments were not provided"),
        (&["area", "--everywhere", "--bbox", "1,2,3,4"], "cannot be used with"),
        (&["area", "--bbox", "1,2,3"], "has 3 numbers; allowed: 4 numbers"),
        (&["area", "--circle", "a,b,c"], "allowed: 3 numbers with commas between"),
        (&["area", "--corridor", "x.geojson"], "--buffer-m"),
        (&["area", "--everywhere", "--buffer-m", "5"], "cannot be used with"),
        (&["area", "--everywhere", "--kind", "trafic_loop"], "did you mean traffic_loop?"),
        (&["area", "--everywhere", "--quantity", "speed_mph"], "did you mean speed_kmh?"),
        (&["sensors", "--health", "dead"], "possible values: never-heard, live, silent, stuck"),
        (&["serve", "--set", "twin.window"], "allowed: KEY=VALUE"),
        (&["demo", "--sensors", "0"], "0 is not in 1..=1000000"),
        (&["staus"], "a similar subcommand exists: 'status'"),
    ];
    for (command, expected) in table {
        let command: Vec<&str> =
            std::iter::once("citytwin").chain(command.iter().copied()).collect();
        let error = Cli::try_parse_from(&command).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{command:?}\n{error}");
    }
}

#[test]
fn flags_become_keys() {
    let cli = Cli::try_parse_from([
        "citytwin",
        "serve",
        "--set",
        "twin.window=5m",
        "--data",
        "d",
        "--register",
        "a.csv",
        "--register",
        "b.csv",
        "--no-endpoint",
        "--broker",
        "mqtt://b",
        "--grpc-listen",
        "[::1]:1",
    ])
    .unwrap();
    let Command::Serve(args) = cli.command else { unreachable!() };
    let Flags { values, .. } = args.flags();
    let config = Config::load(&Flags { file: None, values }, &Environment::default()).unwrap();
    assert_eq!(config.twin.window_ms, 300_000);
    assert_eq!(config.endpoint, None);
    assert_eq!(config.sensors.len(), 2);
    assert_eq!(config.broker.unwrap().url, "mqtt://b");
    assert_eq!(config.grpc_listen, "[::1]:1".parse().unwrap());
}

#[test]
fn config_show_names_value_and_origin() {
    let environment = Environment::new([("CITYTWIN_TWIN_LATENESS".to_owned(), "20s".to_owned())]);
    let command = ["citytwin", "config", "show", "--set", "twin.window=30s"];
    let text = printed(&command, &environment).unwrap();
    let line = |key: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("twin.window"), "twin.window 30s flag --set");
    assert_eq!(line("twin.lateness"), "twin.lateness 20s environment CITYTWIN_TWIN_LATENESS");
    assert_eq!(line("twin.workers"), "twin.workers 1 default");
    let json = printed(&["citytwin", "config", "show", "--json"], &environment).unwrap();
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    let lateness =
        all.as_array().unwrap().iter().find(|key| key["key"] == "twin.lateness").unwrap();
    assert_eq!(lateness["origin"]["name"], "CITYTWIN_TWIN_LATENESS");
}

#[test]
fn the_example_file_is_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("citytwin.toml");
    std::fs::write(&path, settings::example()).unwrap();
    let flags = Flags { file: Some(path), values: Vec::new() };
    let mut config = Config::load(&flags, &Environment::default()).unwrap();
    config.data = "citytwin-data".into();
    assert_eq!(config, Config::load(&Flags::default(), &Environment::default()).unwrap());
}

#[test]
fn nobody_at_the_address_says_what_to_do() {
    let command = ["citytwin", "status", "--server", "http://127.0.0.1:1"];
    let error = printed(&command, &Environment::default()).unwrap_err();
    assert!(error.contains("no engine answers at http://127.0.0.1:1"), "{error}");
    assert!(error.contains("citytwin serve"), "{error}");
    for bad in ["127.0.0.1:1", "https://x:1", "nonsense"] {
        let command = ["citytwin", "status", "--server", bad];
        let error = printed(&command, &Environment::default()).unwrap_err();
        assert!(error.contains("allowed: http://HOST:PORT"), "{error}");
    }
}

#[test]
fn completions_are_printed() {
    let text = printed(&["citytwin", "completions", "bash"], &Environment::default()).unwrap();
    assert!(text.contains("dead-letters"));
}

#[test]
fn geojson_files_become_areas() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let square = r#"{"type":"Feature","properties":{},"geometry":{"type":"Polygon","coordinates":
        [[[106.0,10.0],[107.0,10.0],[107.0,11.0],[106.0,10.0]]]}}"#;
    let line = r#"{"type":"LineString","coordinates":[[106.0,10.0],[107.0,10.5]]}"#;
    let polygon = shapes::polygon(&file("a.geojson", square)).unwrap();
    let corner = v1::Point { latitude_deg: 10.0, longitude_deg: 107.0 };
    assert_eq!(polygon.parts[0].rings[0].points[1], corner);
    let end = v1::Point { latitude_deg: 10.5, longitude_deg: 107.0 };
    assert_eq!(shapes::line(&file("b.geojson", line)).unwrap()[1], end);
    let error = |result: Result<_, Failure>| match result {
        Ok(()) => unreachable!(),
        Err(failure) => failure.to_string(),
    };
    let wrong = error(shapes::polygon(&file("c.geojson", line)).map(|_| ()));
    assert!(wrong.ends_with("holds LineString; allowed: Polygon or MultiPolygon"), "{wrong}");
    assert!(error(shapes::line(&file("d", "{")).map(|_| ())).contains("is not GeoJSON"));
    assert!(error(shapes::line(&folder.path().join("e")).map(|_| ())).contains("cannot read"));
}

/// Runs commands against an engine in this process; `{server}` is its address.
async fn asked(town: &Town, commands: &[&[&str]]) -> Vec<Result<String, Failure>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let health = Health::new(Arc::clone(&town.city));
    tokio::spawn(serve(town.served(health), listener, town.shutdown.clone()));
    let mut answers = Vec::new();
    for command in commands {
        let words = ["citytwin"].into_iter().chain(command.iter().copied());
        let cli = Cli::try_parse_from(words.chain(["--server", &server])).unwrap();
        let paper = Paper::default();
        let mut screen = Screen::to(paper.clone());
        let done = run(cli.command, &Environment::default(), &mut screen).await;
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        answers.push(done.map(|()| text));
    }
    answers
}

fn engine() -> Town {
    let mut town = Town::new(30);
    town.epoch(|snapshot, epoch| {
        (0..20).for_each(|n| report(snapshot, epoch, n, f64::from(n)));
        trouble(snapshot, epoch, 3);
        set_aside(snapshot, epoch, "neither protobuf nor JSON");
    });
    town
}

#[tokio::test]
async fn answers_for_people() {
    let table: &[(&[&str], &[&str])] = &[
        (&["status"], &["SERVING", "30 (20 live, 0 silent, 10 never heard", "endpoint mqtt://"]),
        (
            &["status"],
            &["received 23 = applied 20 + duplicate 1 + late 1 + refused 1 (clock_ahead 1)"],
        ),
        (&["sensors", "--limit", "2"], &["town/s-00001", "speed_kmh=0", "--limit 0 shows all"]),
        (&["sensors", "--health", "never-heard", "--limit", "0"], &["town/s-00029", "never heard"]),
        (&["sensor", "town/s-00004"], &["traffic_loop", "speed_kmh", "reports every  10 s"]),
        (
            &["area", "--everywhere", "--resolution", "9"],
            &["level of service", "pm25_ug_m3", "8965"],
        ),
        (&["area", "--place", "tan thuan", "--list"], &["9 (", "town/s-00000"]),
        (&["nearest", "10.77,106.69", "--limit", "1"], &["0.0 m", "town/s-00000"]),
        (&["watch", "--everywhere", "--messages", "1"], &["everything: 30 sensors", "--resume "]),
        (&["ledger", "--all"], &["undecodable 1", "town/s-00003  received 4"]),
        (&["dead-letters"], &["undecodable", "neither protobuf nor JSON", "nonsense"]),
        (&["places"], &["p1", "Tân Thuận", "ward"]),
        (
            &["register", "town/new", "--kind", "radar", "--at", "10.77,106.7"],
            &["town/new is registered (epoch 77)"],
        ),
    ];
    let commands: Vec<&[&str]> = table.iter().map(|(command, _)| *command).collect();
    let answers = asked(&engine(), &commands).await;
    for ((command, expected), answer) in table.iter().zip(answers) {
        let text = answer.unwrap();
        for part in *expected {
            assert!(text.contains(part), "{command:?} lacks {part:?}:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "colour where no terminal is");
    }
}

#[tokio::test]
async fn answers_for_scripts() {
    let table: &[(&[&str], &str, serde_json::Value)] = &[
        (&["status"], "/counts/live", 20.into()),
        (&["sensors", "--limit", "3"], "/sensors/2/sensor", "town/s-00002".into()),
        (&["sensor", "town/s-00004"], "/latest/0/quantity", "QUANTITY_SPEED_KMH".into()),
        (&["area", "--everywhere"], "/counts/silent", 0.into()),
        (&["nearest", "10.77,106.69"], "/neighbours/0/sensor/health", "SENSOR_HEALTH_LIVE".into()),
        (&["watch", "--everywhere", "--messages", "1"], "/full", true.into()),
        (&["ledger", "town/s-00003"], "/sensors/0/ledger/received", "4".into()),
        (&["dead-letters"], "/deadLetters/0/reason", "undecodable".into()),
        (&["places"], "/places/0/id", "p1".into()),
    ];
    let commands: Vec<Vec<&str>> =
        table.iter().map(|(command, ..)| [*command, &["--json"]].concat()).collect();
    let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
    let answers = asked(&engine(), &commands).await;
    for ((command, pointer, expected), answer) in table.iter().zip(answers) {
        let text = answer.unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json.pointer(pointer), Some(expected), "{command:?}:\n{text}");
        assert!(command[0] != "watch" || text.trim_end().lines().count() == 1);
    }
}

#[tokio::test]
async fn refusals_keep_message_and_code() {
    let commands: [&[&str]; 3] = [
        &["sensor", "town/none"],
        &["area", "--bbox", "2,0,1,0"],
        &["watch", "--everywhere", "--resume", "x"],
    ];
    let mut answers = asked(&engine(), &commands).await.into_iter();
    let mut told = || answers.next().unwrap().unwrap_err().to_string();
    let message = told();
    assert!(message.contains("town/none is not registered") && message.ends_with("(NOT_FOUND)"));
    let message = told();
    assert!(
        message.starts_with("area.box") && message.ends_with("(INVALID_ARGUMENT)"),
        "{message}"
    );
    let message = told();
    assert!(message.starts_with("resume_token: "), "{message}");
}
