//! The one writer of what commands print. Answers go to standard output, errors and progress to
//! standard error; colour only on a terminal without `NO_COLOR`.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write};

use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};

use super::failure::Failure;

/// Where a command prints.
pub struct Screen {
    out: Box<dyn Write + Send>,
    color: bool,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("color", &self.color).finish_non_exhaustive()
    }
}

impl Screen {
    /// Standard output; `no_color` as the environment has it.
    pub fn stdout(no_color: bool) -> Screen {
        let stdout = std::io::stdout();
        let color = stdout.is_terminal() && !no_color;
        Screen { out: Box::new(stdout), color }
    }

    /// Standard error.
    pub fn stderr(no_color: bool) -> Screen {
        let stderr = std::io::stderr();
        let color = stderr.is_terminal() && !no_color;
        Screen { out: Box::new(stderr), color }
    }

    /// Any writer, without colour; for tests.
    pub fn to(out: impl Write + Send + 'static) -> Screen {
        Screen { out: Box::new(out), color: false }
    }

    /// Whether it shows colour.
    pub fn color(&self) -> bool {
        self.color
    }

    /// One line (or several with line feeds between).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        self.out.flush()?;
        Ok(())
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        self.out.flush()?;
        Ok(())
    }

    /// A table with a head and rows; without rows, the word `none`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        if rows.is_empty() {
            return self.line("none");
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        if !self.color {
            table.force_no_tty();
        }
        let head = head.iter().map(|name| Cell::new(*name).add_attribute(Attribute::Bold));
        table.set_header(head);
        for row in rows {
            let cells = row.into_iter().map(|text| {
                let number = text.replace(['.', '-', '+', ',', '%', ' '], "");
                let right = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                let side = if right { CellAlignment::Right } else { CellAlignment::Left };
                Cell::new(text).set_alignment(side)
            });
            table.add_row(cells);
        }
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        self.line(lines.join("\n"))
    }

    /// Names and values below each other.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn facts(&mut self, facts: &[(&str, String)]) -> Result<(), Failure> {
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let lines: Vec<String> = facts
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name:width$}  {value}"))
            .collect();
        self.line(lines.join("\n"))
    }
}
