//! House rules that no compiler checks: which crate may know which, that every file says what it is
//! for, how long a file may be, where the clock and the environment are read, and that no word of
//! whoever built it is left in the tree. A rule here is a rule; an exception is a line in a table
//! with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may name, in any kind of dependency.
const ARROWS: &[(&str, &[&str])] = &[
    ("citytwin", &["citytwin-core", "citytwin-ingest", "citytwin-proto", "citytwin-simulators"]),
    ("citytwin-core", &[]),
    ("citytwin-ingest", &["citytwin-core", "citytwin-proto"]),
    ("citytwin-proto", &[]),
    ("citytwin-simulators", &["citytwin-proto"]),
];

/// The engine is a pure function: none of these may be near it.
const NOT_IN_CORE: &[&str] =
    &["tokio", "rumqttc", "tonic", "parquet", "arrow", "rustix", "chrono", "tracing", "rand"];

const MAX_LINES: usize = 500;

/// Files that may be longer, each with the reason.
const LONGER: &[(&str, &str)] = &[];

/// What is read in few places only, and in which.
const GUARDED: &[(&str, &[&str])] = &[
    ("SystemTime::now", &["ingest/src/clock.rs", "simulators/src/"]),
    (
        "Instant::now",
        &[
            "ingest/src/clock.rs",
            "ingest/src/endpoint/",
            "ingest/src/broker/",
            "simulators/src/",
            "ingest/tests/",
            "benches/",
            "tests/it/",
        ],
    ),
    ("env::var", &["src/config/raw.rs", "proto/build.rs", "ingest/tests/", "tests/it/"]),
    ("thread_rng", &[]),
    ("from_os_rng", &[]),
];

/// Lower case; spelt in halves so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    ("cha", "tgpt"),
    ("open", "ai"),
    ("anth", "ropic"),
    ("cla", "ude"),
    ("co-aut", "hored-by"),
    ("language ", "model"),
    ("sub", "agent"),
    ("/work", "/"),
    ("fix", "me"),
    ("xx", "x:"),
    ("//! to be ", "written"),
    ("simplified ", "for now"),
    ("not yet ", "implemented"),
];

/// Names that must not stand alone as file names: nobody finds anything in them.
const NO_NAMES: &[&str] =
    &["utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs", "types.rs"];

/// Folders that are not ours.
const SKIPPED: &[&str] =
    &["target", ".git", ".venv", "node_modules", "__pycache__", "data", "citytwin-data"];

const TEXT: &[&str] = &[
    "rs", "toml", "md", "proto", "yaml", "yml", "json", "py", "service", "conf", "txt", "csv",
    "geojson",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of the tree by their path from the root, in order.
fn files() -> Vec<(String, PathBuf)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root().to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !SKIPPED.contains(&name) {
                    waiting.push(path);
                }
            } else {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.insert(relative, path);
            }
        }
    }
    found.into_iter().collect()
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or("")
}

/// Our Rust sources with their text.
fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|(_, path)| extension(path) == "rs");
    rust.map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter().map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn crates_know_only_whom_they_may() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let packages = packages();
    let ours: BTreeSet<String> =
        packages.iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ours.iter().map(String::as_str).collect::<Vec<_>>(), {
        let mut expected: Vec<_> = allowed.keys().copied().collect();
        expected.sort_unstable();
        expected
    });
    let mut problems = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        for dependency in dependencies(package).intersection(&ours) {
            if !allowed[name].contains(&dependency.as_str()) {
                problems.push(format!("{name} may not know {dependency}"));
            }
        }
    }
    none(&problems);
}

#[test]
fn the_engine_is_pure() {
    let packages = packages();
    let engine = packages.iter().find(|package| package["name"] == "citytwin-core").unwrap();
    let found = dependencies(engine);
    let forbidden: Vec<_> = NOT_IN_CORE.iter().filter(|name| found.contains(**name)).collect();
    assert!(forbidden.is_empty(), "citytwin-core depends on {forbidden:?}");
    let words = ["std::fs", "std::net", "Instant", "SystemTime", "std::env", "async fn"];
    let mut problems = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("twin-core/src/")) {
        for word in words {
            // Tests may read files of expected answers.
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            if !name.contains("test") && code.clone().any(|line| line.contains(word)) {
                problems.push(format!("{name}: {word} in the engine"));
            }
        }
    }
    none(&problems);
}

#[test]
fn every_source_says_what_lives_in_it() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//! "));
    none(&silent.map(|(name, _)| format!("{name}: does not begin with //!")).collect::<Vec<_>>());
}

#[test]
fn no_source_is_too_long_to_read() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        let lines = text.lines().count();
        let excused = LONGER.iter().any(|(file, _)| *file == name);
        if lines > MAX_LINES && !excused {
            problems.push(format!("{name}: {lines} lines, {MAX_LINES} are enough"));
        }
        if lines <= MAX_LINES && excused {
            problems.push(format!("{name}: is short enough again, take it off the list"));
        }
    }
    none(&problems);
}

#[test]
fn clock_environment_and_chance_are_read_where_they_may_be() {
    let mut problems = Vec::new();
    for (name, text) in sources() {
        for (word, places) in GUARDED {
            let code = text.lines().enumerate().filter(|(_, line)| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(word)
            });
            if name != "tests/it/tidy.rs" && !places.iter().any(|place| name.starts_with(place)) {
                problems.extend(code.map(|(at, _)| format!("{name}:{}: {word}", at + 1)));
            }
        }
    }
    none(&problems);
}

#[test]
fn no_word_of_another_place() {
    let mut problems = Vec::new();
    for (name, path) in files() {
        let known = TEXT.contains(&extension(&path)) || name == ".ci/run" || !name.contains('.');
        let Ok(text) = fs::read_to_string(&path) else { continue };
        if !known || name == "LICENSE" {
            continue;
        }
        for (at, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for (head, tail) in FORBIDDEN {
                if line.contains(&format!("{head}{tail}")) {
                    problems.push(format!("{name}:{}: says {head:?} + {tail:?}", at + 1));
                }
            }
        }
    }
    none(&problems);
}

#[test]
fn files_are_named_for_what_they_hold() {
    let vague = |name: &str| NO_NAMES.contains(&name.rsplit('/').next().unwrap_or(name));
    let found = sources().into_iter().map(|(name, _)| name).filter(|name| vague(name));
    none(&found.map(|name| format!("{name}: holds what?")).collect::<Vec<_>>());
}

/// A source that no `mod` names is compiled by nobody.
#[test]
fn no_source_is_dead() {
    let sources = sources();
    let all: String = sources.iter().map(|(_, text)| text.as_str()).collect();
    let mut problems = Vec::new();
    for (name, _) in &sources {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let stem = file.trim_end_matches(".rs");
        let noun = if stem == "mod" { folder.rsplit('/').next().unwrap_or(folder) } else { stem };
        let is_root = ["main", "lib", "build"].contains(&stem)
            || folder.ends_with("src/bin")
            || folder.ends_with("fuzz_targets")
            || folder.ends_with("examples")
            || folder.ends_with("tests") && !folder.contains("src/")
            || folder.ends_with("benches");
        let named = [format!("mod {noun};"), format!("mod {noun} {{"), format!("{file}\"]")];
        if !is_root && !named.iter().any(|text| all.contains(text)) {
            problems.push(format!("{name}: no module names it"));
        }
    }
    none(&problems);
}
