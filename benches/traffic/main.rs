//! Roads and traffic, one question a file, each with its input, unit and baseline:
//!
//! ```sh
//! cargo bench --bench traffic -- assign ltm import [--save] [DATA]
//! cargo bench --bench traffic -- peer FOLDER [TRIPS] [DATA]
//! ```
//!
//! `DATA` is a folder with test data (left out: `../shared/data`); what a question does not find
//! there it leaves out and says so. Without a question all three are asked. With `--save` results
//! go to `benches/results/`. `peer` runs our side of the comparison of `benches/peers/` and leaves
//! its tables in a folder, for 9,500 vehicles in the hour or as many as are said. Nothing here is a
//! test: figures depend on the machine.

#![expect(
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark reads the clock and prints; nobody depends on its form"
)]

mod assign;
mod city;
mod fine;
mod grid;
mod import;
mod ltm;
#[path = "../engine/machine.rs"]
#[expect(dead_code, reason = "the engine's questions use more of it")]
mod machine;
mod osm_file;
mod peer;
#[path = "../engine/report.rs"]
mod report;

use std::path::{Path, PathBuf};

use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // cargo itself adds --bench.
    let save = arguments.iter().any(|argument| argument == "--save");
    let mut words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let known = ["assign", "ltm", "import"];
    let asked: Vec<_> = known.into_iter().filter(|question| words.contains(question)).collect();
    words.retain(|word| !known.contains(word));
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if let ["peer", folder, rest @ ..] = &words[..] {
        let trips = rest.first().and_then(|word| word.parse().ok());
        let data = rest.get(usize::from(trips.is_some())).map_or(default, PathBuf::from);
        return peer::run(Path::new(folder), trips.unwrap_or(peer::TRIPS), &data);
    }
    let data = words.first().map_or(default, PathBuf::from);
    for question in if asked.is_empty() { known.to_vec() } else { asked } {
        let mut report = Report::new(question);
        match question {
            "assign" => assign::run(&data, &mut report),
            "ltm" => ltm::run(&data, &mut report),
            "import" => import::run(&data, &mut report),
            other => unreachable!("{other} is not in the list"),
        }
        report.finish(save);
    }
}
