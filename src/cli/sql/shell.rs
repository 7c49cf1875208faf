//! The shell: questions over several lines, up to a semicolon, with history and completion of
//! tables, columns and functions.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper};

use super::super::failure::Failure;
use super::super::output::Screen;
use super::Asker;
use super::print::Form;

const HELP: &str = "\
A question ends with a semicolon.
  \\d          tables            \\d TABLE    its columns
  \\x json     JSON lines        \\x csv      CSV          \\x table    a table
  \\?          this              \\q          leaves (or Ctrl-D)";

/// Names that can be completed.
const NAMES: &str = "\
    SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
    UNION SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' \
    UNION SELECT DISTINCT routine_name FROM information_schema.routines";

/// Words of SQL that are typed often.
const WORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "JOIN", "ON", "AND", "OR", "NOT",
    "IN", "BETWEEN", "AS", "DISTINCT", "HAVING", "WITH", "EXPLAIN", "DESC",
];

/// What helps at the prompt.
#[derive(Debug, Default)]
struct Prompt {
    names: Vec<String>,
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..at).unwrap_or_default();
        let begins = |c: char| !(c.is_alphanumeric() || c == '_' || c == '\\');
        let start = typed.rfind(begins).map_or(0, |space| space + 1);
        let word = typed.get(start..).unwrap_or_default().to_lowercase();
        let all = self.names.iter().map(String::as_str).chain(WORDS.iter().copied());
        let fit = all.filter(|name| name.to_lowercase().starts_with(&word));
        let pair = |name: &str| Pair { display: name.to_owned(), replacement: name.to_owned() };
        Ok((start, fit.map(pair).collect()))
    }
}

impl Validator for Prompt {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim();
        let whole = text.is_empty() || text.starts_with('\\') || text.ends_with(';');
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Prompt {
    type Hint = String;
}

impl Highlighter for Prompt {
    fn highlight<'l>(&self, line: &'l str, _at: usize) -> Cow<'l, str> {
        Cow::Borrowed(line)
    }
}

impl Helper for Prompt {}

/// Asks until the end of the input.
pub(super) async fn run(
    asker: &mut Asker,
    mut form: Form,
    (screen, folder): (&mut Screen, Option<PathBuf>),
) -> Result<(), Failure> {
    let mut editor: Editor<Prompt, _> = Editor::new().context("the terminal cannot be used")?;
    editor.set_helper(Some(Prompt { names: asker.names().await? }));
    let kept = folder.as_deref().and_then(history_file);
    if let Some(kept) = &kept {
        // The first time there is none.
        editor.load_history(kept).ok();
    }
    loop {
        let read = tokio::task::block_in_place(|| editor.readline("citytwin> "));
        let line = match read {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(Failure::Other(error.into())),
        };
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        editor.add_history_entry(text).context("the history cannot be kept")?;
        if text == "\\q" {
            break;
        }
        obey(asker, text, &mut form, screen).await?;
    }
    if let Some(kept) = &kept {
        editor.save_history(kept).ok();
    }
    Ok(())
}

/// Does what one line says. A wrong question is told, and the shell goes on.
async fn obey(
    asker: &mut Asker,
    text: &str,
    form: &mut Form,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut words = text.split_whitespace();
    let shown = match (words.next(), words.next()) {
        (Some("\\?" | "help;"), _) => return screen.line(HELP),
        (Some("\\d"), None) => asker.ask("SHOW TABLES", form.clone(), screen).await,
        (Some("\\d"), Some(table)) => {
            let columns = format!("DESCRIBE {}", table.trim_end_matches(';'));
            asker.ask(&columns, form.clone(), screen).await
        }
        (Some("\\x"), Some(name)) => {
            match name {
                "json" => *form = Form::Json,
                "csv" => *form = Form::Csv,
                "table" => *form = Form::Table,
                other => return screen.line(format_args!("no such form: {other}\n{HELP}")),
            }
            return Ok(());
        }
        (Some(word), _) if word.starts_with('\\') => return screen.line(HELP),
        _ => asker.ask(text.trim_end_matches(';'), form.clone(), screen).await,
    };
    match shown {
        Ok(rows) if *form == Form::Table => screen.line(format_args!("({rows} rows)")),
        Ok(_) => Ok(()),
        Err(failure @ (Failure::Refused { .. } | Failure::Other(_))) => {
            screen.line(format_args!("error: {failure}"))
        }
        Err(failure) => Err(failure),
    }
}

impl Asker {
    /// Names of tables, columns and functions.
    async fn names(&mut self) -> Result<Vec<String>, Failure> {
        let (mut names, kept) =
            (Vec::new(), std::sync::Arc::new(parking_lot::Mutex::new(Vec::new())));
        let mut quiet = Screen::to(Sink(std::sync::Arc::clone(&kept)));
        self.ask(NAMES, Form::Csv, &mut quiet).await?;
        let text = String::from_utf8_lossy(&kept.lock()).into_owned();
        names.extend(text.lines().skip(1).map(str::to_owned));
        names.sort_unstable();
        Ok(names)
    }
}

/// Keeps what is written.
struct Sink(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where the shell's history is kept.
fn history_file(folder: &Path) -> Option<PathBuf> {
    std::fs::create_dir_all(folder).ok()?;
    Some(folder.join("sql-history"))
}
