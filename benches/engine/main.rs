//! One question a file, each with its input, unit and baseline:
//!
//! ```sh
//! cargo bench --bench engine -- path queries endpoint connections broker watch restart forks history [--save] [--long]
//! ```
//!
//! With `--save` results go to `benches/results/`; `--long` runs for the full time (5 and 10
//! minutes) instead of 20 s, and on 100 million archived readings instead of 10. Nothing here is a test: figures depend on the machine.

#![expect(
    clippy::disallowed_methods,
    clippy::unchecked_time_subtraction,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    clippy::fn_params_excessive_bools,
    reason = "a benchmark reads the clock and prints; nobody depends on its form"
)]

mod doors;
mod fleets;
mod forks;
mod history;
mod machine;
mod past;
mod path;
#[path = "../../tests/it/process.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod process;
mod queries;
mod report;
mod rig;
mod screen;

use report::Report;

const QUESTIONS: [&str; 9] = [
    "path",
    "queries",
    "endpoint",
    "connections",
    "broker",
    "watch",
    "restart",
    "forks",
    "history",
];

/// How long a short run is.
const SHORT_S: u64 = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wants = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let (save, long) = (wants("--save"), wants("--long"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("threads can be started").block_on(async {
        if let [question, url] = &arguments[..]
            && question == "bare-subscriber"
        {
            return doors::bare_subscriber(url).await;
        }
        for question in QUESTIONS {
            if wants(question) {
                answer(question, save, long).await;
            }
        }
    });
}

async fn answer(question: &'static str, save: bool, long: bool) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder of our own");
    let (data, mut report) = (folder.path(), Report::new(question));
    let seconds = |full: u64| if long { full } else { SHORT_S };
    match question {
        "path" => path::run(10_000_000, data, &mut report).await,
        "queries" => queries::run(data, &mut report).await,
        "endpoint" => doors::endpoint(seconds(300), data, &mut report).await,
        "connections" => doors::connections(seconds(600), data, &mut report).await,
        "broker" => doors::broker(SHORT_S, data, &mut report).await,
        "watch" => screen::watch(seconds(60), data, &mut report).await,
        "forks" => forks::run(data, &mut report).await,
        "history" => {
            let readings = if long { 100_000_000 } else { 10_000_000 };
            history::run(readings, data, &mut report).await;
        }
        "restart" => screen::restart(seconds(300), data, &mut report).await,
        other => unreachable!("{other} is not in the list"),
    }
    report.finish(save);
}
