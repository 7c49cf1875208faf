//! The files of `deploy/` against the program: every setting and every metric that they name is one
//! that the program has. Whether the files are well-formed is checked by `deploy/check.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// What the program prints, with nothing in its environment.
fn citytwin(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_citytwin"))
        .args(arguments)
        .env_clear()
        .current_dir(folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "citytwin {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// All text files of the folder, by name.
fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![folder()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

/// The words of a text that begin with `prefix` and go on with letters of an identifier.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let ident = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !ident(c));
    words.filter(|word| word.starts_with(prefix) && *word != prefix).collect()
}

fn settings() -> BTreeSet<String> {
    let shown: Value = serde_json::from_str(&citytwin(&["config", "show", "--json"])).unwrap();
    let variable = |name: &str| format!("CITYTWIN_{}", name.replace('.', "_").to_uppercase());
    let mut names = BTreeSet::new();
    match &shown {
        Value::Object(keys) => names.extend(keys.keys().map(|key| variable(key))),
        Value::Array(rows) => {
            names.extend(rows.iter().filter_map(|row| row["key"].as_str()).map(variable));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    assert!(names.contains("CITYTWIN_TWIN_WINDOW"), "config show --json says {shown}");
    names
}

#[test]
fn the_example_configuration_is_the_programs_own() {
    let written = fs::read_to_string(folder().join("citytwin.toml")).unwrap();
    assert_eq!(
        written.trim_end(),
        citytwin(&["config", "example"]).trim_end(),
        "write it anew: citytwin config example >deploy/citytwin.toml"
    );
    citytwin(&["config", "show", "--config", "citytwin.toml"]);
}

#[test]
fn every_setting_in_the_environment_is_known() {
    let known = settings();
    let beside = ["CITYTWIN_CONFIG", "CITYTWIN_SERVER", "CITYTWIN_REQUIRE_FOREIGN"];
    let mut seen = 0;
    for (name, text) in texts() {
        for word in words(&text, "CITYTWIN_") {
            seen += 1;
            assert!(known.contains(word) || beside.contains(&word), "{name}: {word}");
        }
    }
    assert!(seen > 40, "only {seen} settings found");
}

#[test]
fn every_metric_in_dashboard_and_alerts_exists() {
    let declared = include_str!("../../src/metrics.rs");
    let declared = words(declared, "citytwin_");
    let shown = ["alerts.yml", "citytwin.json"];
    let mut seen = 0;
    for (name, text) in texts() {
        if shown.iter().any(|file| name.ends_with(file)) {
            for word in words(&text, "citytwin_") {
                seen += 1;
                assert!(declared.contains(word), "{name}: {word}");
            }
        }
    }
    assert!(seen > 20, "only {seen} metrics found");
}

#[test]
fn the_simulator_of_the_compose_file_parses() {
    let compose = fs::read_to_string(folder().join("compose.yaml")).unwrap();
    let command = compose.lines().find_map(|line| line.trim().strip_prefix("command: [")).unwrap();
    let arguments: Vec<&str> =
        command.trim_end_matches(']').split(", ").map(|word| word.trim_matches('"')).collect();
    assert_eq!(arguments[0], "simulate");
    let mut asked = arguments.clone();
    asked.push("--help");
    citytwin(&asked);
    // `--help` would forgive an unknown flag: look for each in what it prints.
    let help = citytwin(&["simulate", "--help"]);
    for flag in arguments.iter().filter(|argument| argument.starts_with("--")) {
        assert!(help.contains(flag), "simulate has no {flag}");
    }
}
