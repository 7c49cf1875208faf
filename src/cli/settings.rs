//! `citytwin config`: what is set, who said it, and an example file made from the table of keys.

use std::fmt::Write as _;

use serde::Serialize;

use super::args::ConfigArgs;
use super::failure::Failure;
use super::output::Screen;
use crate::config::keys::{KEYS, Kind};
use crate::config::value::allowed;
use crate::config::{Config, Environment, Origin, Raw};

#[derive(Serialize)]
struct Shown<'a> {
    key: &'a str,
    value: String,
    origin: &'a Origin,
    environment: String,
    allowed: String,
    help: &'a str,
}

/// Prints every key with its value and where it came from.
///
/// # Errors
/// When the configuration is wrong, or the output cannot be written.
pub fn show(
    args: &ConfigArgs,
    environment: &Environment,
    json: bool,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let raw = Raw::gather(&args.flags(), environment)?;
    Config::check(&raw)?;
    let settings = raw.settings().iter().zip(KEYS);
    if json {
        let all: Vec<Shown<'_>> = settings
            .map(|(setting, key)| Shown {
                key: key.name,
                value: setting.value.to_string(),
                origin: &setting.origin,
                environment: key.environment_name(),
                allowed: allowed(key.kind),
                help: key.help,
            })
            .collect();
        let text = serde_json::to_string_pretty(&all).map_err(anyhow::Error::from)?;
        return screen.line(text);
    }
    let rows = settings.map(|(setting, key)| {
        vec![key.name.to_owned(), setting.value.to_string(), setting.origin.to_string()]
    });
    screen.table(&["key", "value", "from"], rows.collect())
}

/// A TOML file with every key at its default and explained; keys without a default are commented
/// out. It is a valid configuration as it stands.
pub fn example() -> String {
    let mut text = String::from(
        "# citytwin: every key with its default. Flags and the environment beat this file.\n\
         # Relative paths are relative to this file.\n",
    );
    let mut table = "";
    for key in KEYS {
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != table {
            write!(text, "\n[{of}]\n").expect("a String takes all");
            table = of;
        }
        let value = match key.kind {
            Kind::Flag | Kind::Count(..) => key.default.to_owned(),
            Kind::Paths => "[]".to_owned(),
            Kind::Path
            | Kind::Address
            | Kind::BrokerUrl
            | Kind::StoreUrl
            | Kind::Name
            | Kind::Text
            | Kind::Duration(..)
            | Kind::Size(..)
            | Kind::Choice(_) => format!("{:?}", key.default),
        };
        let off = if key.default.is_empty() { "# " } else { "" };
        let environment = key.environment_name();
        let allowed = allowed(key.kind);
        write!(
            text,
            "\n# {}\n# Allowed: {allowed}. Environment: {environment}\n{off}{name} = {value}\n",
            key.help
        )
        .expect("a String takes all");
    }
    text
}
