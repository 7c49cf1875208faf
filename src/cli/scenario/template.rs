//! `citytwin scenario new`: a file to start from.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::cli::failure::Failure;
use crate::cli::output::Screen;

/// Each kind of edit with an example; one is alive, the others are comments.
const TEMPLATE: &str = include_str!("template.toml");

/// Writes it; never over a file.
///
/// # Errors
/// When there is such a file, or it cannot be written.
pub(super) fn write(file: Option<&Path>, screen: &mut Screen) -> Result<(), Failure> {
    let Some(path) = file else { return screen.line(TEMPLATE.trim_end()) };
    let mut out = std::fs::File::create_new(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    out.write_all(TEMPLATE.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    screen.line(format_args!("written to {0}; next: citytwin scenario check {0}", path.display()))
}

#[cfg(test)]
mod tests {
    use citytwin_core::scenario::Scenario;

    use super::*;

    #[test]
    fn the_example_reads_with_every_comment_alive() {
        let dead: Scenario = toml::from_str(TEMPLATE).unwrap();
        assert_eq!(dead.edits.len(), 1);
        // What is told as an example behind `#:` is one.
        let alive: Vec<&str> =
            TEMPLATE.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect();
        let alive: Scenario = toml::from_str(&alive.join("\n")).unwrap();
        let mut kinds: Vec<&str> = alive.edits.iter().map(|edit| edit.change.name()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 12, "{kinds:?}");
    }

    #[test]
    fn a_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, "mine").unwrap();
        assert!(write(Some(&path), &mut Screen::to(Vec::new())).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let fresh = folder.path().join("new.toml");
        write(Some(&fresh), &mut Screen::to(Vec::new())).unwrap();
        assert_eq!(std::fs::read_to_string(&fresh).unwrap(), TEMPLATE);
    }
}
