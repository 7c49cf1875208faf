//! A scenario's file: TOML in, and findings told with the line they are about.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use citytwin_core::scenario::Scenario;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::cli::failure::Failure;

/// A file that holds a scenario.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) scenario: Scenario,
    text: String,
}

/// A file that names several.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    /// Files of scenarios, beside this one.
    scenarios: Vec<PathBuf>,
}

/// All scenarios of some files; a file with the one key `scenarios` stands for those it lists.
///
/// # Errors
/// When a file cannot be read or is none; the error names file and line.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for path in paths {
        let text = read(path)?;
        let is_batch =
            DeTable::parse(&text).is_ok_and(|table| table.get_ref().contains_key("scenarios"));
        if !is_batch {
            documents.push(Document::parse(path, text)?);
            continue;
        }
        let batch: Batch = toml::from_str(&text).map_err(|error| broken(path, &text, &error))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for one in batch.scenarios {
            let path = folder.join(one);
            let text = read(&path)?;
            documents.push(Document::parse(&path, text)?);
        }
    }
    Ok(documents)
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    Ok(text.with_context(|| format!("cannot read {}", path.display()))?)
}

/// A syntax or type error, with its line.
fn broken(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    Failure::Usage(format!("{}:{line}: {}", path.display(), error.message()))
}

/// Counted from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

impl Document {
    fn parse(path: &Path, text: String) -> Result<Document, Failure> {
        let mut scenario: Scenario =
            toml::from_str(&text).map_err(|error| broken(path, &text, &error))?;
        if scenario.name.is_empty() {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            scenario.name = stem.unwrap_or_default();
        }
        Ok(Document { path: path.to_owned(), scenario, text })
    }

    /// A finding of the engine, such as `edits[1].close.on.links[0]: …`, with its line in front.
    pub(super) fn told(&self, field: &str, what: &str) -> String {
        let line = self.line_of(field);
        format!("{}:{line}: {field}: {what}", self.path.display())
    }

    /// The line of a field, or of the nearest thing around it that the file has.
    fn line_of(&self, field: &str) -> usize {
        let Ok(table) = DeTable::parse(&self.text) else { return 1 };
        let mut offset = 0;
        let mut at: Option<&DeValue<'_>> = None;
        for step in steps(field) {
            let next = match (&step, at) {
                (Step::Name(name), None) => table.get_ref().get(*name),
                (Step::Name(name), Some(value)) => {
                    value.as_table().and_then(|table| table.get(*name))
                }
                (Step::Row(row), Some(value)) => value.as_array().and_then(|rows| rows.get(*row)),
                (Step::Row(_), None) => None,
            };
            let Some(next) = next else { break };
            offset = next.span().start;
            at = Some(next.get_ref());
        }
        line_at(&self.text, offset)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Name(&'a str),
    Row(usize),
}

/// `edits[1].close` → name, row, name.
fn steps(field: &str) -> impl Iterator<Item = Step<'_>> {
    field.split('.').flat_map(|part| {
        let (name, rows) = part.split_once('[').unwrap_or((part, ""));
        let rows = rows.split('[').filter_map(|row| row.trim_end_matches(']').parse().ok());
        let name = (!name.is_empty()).then_some(Step::Name(name));
        name.into_iter().chain(rows.map(Step::Row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
model = "dynamic"
horizon_s = 3600

[[edits]]
close.on.links = ["a"]

[[edits]]
until_s = 60
lanes.on.links = [
    "b",
    "c",
]
lanes.set = -1
"#;

    fn document() -> Document {
        Document::parse(Path::new("x/close-bridge.toml"), FILE.to_owned()).unwrap()
    }

    #[test]
    fn findings_name_the_line() {
        let check = |field: &str, line: usize| {
            assert_eq!(document().line_of(field), line, "{field}");
        };
        check("horizon_s", 3);
        check("edits[0].close.on.links[0]", 6);
        check("edits[1].lanes.on.links[1]", 12);
        check("edits[1].lanes.set", 14);
        check("edits[1].until_s", 9);
        // What the file does not have is told where it would be.
        check("edits[1].from_s", 8);
        check("nothing", 1);
        let told = document().told("edits[1].lanes.set", "-1 is not allowed");
        assert_eq!(told, "x/close-bridge.toml:14: edits[1].lanes.set: -1 is not allowed");
    }

    #[test]
    fn a_file_without_a_name_has_the_name_of_its_file() {
        assert_eq!(document().scenario.name, "close-bridge");
    }

    #[test]
    fn errors_of_form_name_file_and_line() {
        let check = |text: &str, begin: &str, part: &str| {
            let error = Document::parse(Path::new("f.toml"), text.to_owned()).unwrap_err();
            let told = error.to_string();
            assert!(told.starts_with(begin) && told.contains(part), "{told}");
        };
        check("model = \"dynamic\"\nhorizon_s = [", "f.toml:2:", "");
        check("model = \"dynamic\"\nhorizon_s = 60\nhorison = 1", "f.toml:3:", "horison");
        check("model = \"fast\"\nhorizon_s = 60", "f.toml:1:", "fast");
        check("model = \"static\"\nhorizon_s = 1\n[[edits]]\nfrom_s = 1", "f.toml:3:", "one kind");
    }

    #[test]
    fn a_batch_stands_for_its_scenarios() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("one.toml", "model = \"dynamic\"\nhorizon_s = 60");
        put("two.toml", "name = \"Zwei\"\nmodel = \"static\"\nhorizon_s = 60");
        put("all.toml", "scenarios = [\"one.toml\", \"two.toml\"]");
        let all = read_all(&[folder.path().join("all.toml")]).unwrap();
        let names: Vec<&str> = all.iter().map(|one| one.scenario.name.as_str()).collect();
        assert_eq!(names, ["one", "Zwei"]);
        put("wrong.toml", "scenarios = [\"one.toml\"]\nthreads = 2");
        let error = read_all(&[folder.path().join("wrong.toml")]).unwrap_err();
        assert!(error.to_string().contains("wrong.toml:2"), "{error}");
    }
}
