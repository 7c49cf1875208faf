//! What can be wrong with a configuration. All mistakes are told at once, one line each, and each
//! line names the key, the value, who said it and what is allowed.

use std::path::PathBuf;

use thiserror::Error;

use super::raw::Origin;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read configuration file {}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("configuration file {} is not TOML: {source}", path.display())]
    NotToml {
        /// Which.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// Wrong keys and values.
    #[error("{}", list(mistakes))]
    Mistakes {
        /// At least one.
        mistakes: Vec<Mistake>,
    },
}

/// One wrong key or value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// There is no such key.
    #[error("unknown key {given} ({origin}){}; `citytwin config show` lists all keys", hint(nearest.as_deref()))]
    Key {
        /// As written.
        given: String,
        /// Who wrote it.
        origin: Origin,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The value is not allowed.
    #[error("{key} = {given} ({origin}) is not allowed; allowed: {allowed}")]
    Value {
        /// Of which key.
        key: &'static str,
        /// As written.
        given: String,
        /// Who wrote it.
        origin: Origin,
        /// What may be written.
        allowed: String,
    },
    /// The value is allowed by itself, but not beside another one.
    #[error("{key} = {given} ({origin}): {conflict}")]
    Conflict {
        /// Of which key.
        key: &'static str,
        /// The value in force.
        given: String,
        /// Who said it.
        origin: Origin,
        /// With what, and what to do.
        conflict: String,
    },
}

impl ConfigError {
    /// Nothing wrong, or everything that is.
    pub(super) fn of(mistakes: Vec<Mistake>) -> Result<(), ConfigError> {
        if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Mistakes { mistakes }) }
    }
}

fn list(mistakes: &[Mistake]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}
