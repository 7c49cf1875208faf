//! Results as a Markdown table, on standard output and, with `--save`, in `benches/results/`.

use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;

use crate::machine;

/// One question's results.
#[derive(Debug)]
pub(crate) struct Report {
    question: &'static str,
    text: String,
}

impl Report {
    pub(crate) fn new(question: &'static str) -> Report {
        let head =
            format!("# {question}\n\n{}\n\n| what | measured |\n|---|---|\n", machine::describe());
        Report { question, text: head }
    }

    /// One figure.
    pub(crate) fn row(&mut self, what: &str, measured: &str) {
        self.text.push_str(&format!("| {what} | {measured} |\n"));
    }

    /// What one must know to read the figures.
    pub(crate) fn note(&mut self, text: &str) {
        self.text.push_str(&format!("\n{text}\n"));
    }

    /// Prints, and saves if asked to.
    pub(crate) fn finish(self, save: bool) {
        writeln!(stdout(), "{}", self.text).expect("somebody reads");
        if save {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
            fs::create_dir_all(&folder).expect("the folder can be made");
            let path = folder.join(format!("{}.md", self.question));
            fs::write(path, self.text).expect("the result can be written");
        }
    }
}
