//! The first step: gather what flags, environment and file say, remember who said it, and let
//! the strongest voice win (flags > environment > file > defaults).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use citytwin_ingest::archive::Credentials;
use serde::Serialize;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Mistake};
use super::keys::{KEYS, KUBERNETES_PREFIXES, Key, OTHER_ENVIRONMENT, nearest};
use super::value::{Given, Value, allowed, parse};

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody: the default.
    Default,
    /// A line of the file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// With its dashes.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "file {}, line {line}", path.display()),
            Origin::Environment { name } => write!(f, "environment {name}"),
            Origin::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file to read; stronger than `CITYTWIN_CONFIG`.
    pub file: Option<PathBuf>,
    /// (flag with dashes, key, value); a later one wins.
    pub values: Vec<(String, String, String)>,
}

/// The `CITYTWIN_…` part of the environment, by name, `NO_COLOR`, where state is kept, and what opens
/// a store.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    ours: BTreeMap<String, String>,
    no_color: bool,
    state_folder: Option<PathBuf>,
    credentials: Credentials,
}

impl Environment {
    /// Of this process. The one place that reads it.
    pub fn of_process() -> Environment {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        Environment::new(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// From pairs of name and value; names without our prefix are left out.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Environment {
        let mut environment = Environment::default();
        let mut others = Vec::new();
        for (name, value) in pairs {
            if name.starts_with("CITYTWIN_") {
                environment.ours.insert(name, value);
            } else if name == "NO_COLOR" {
                environment.no_color = !value.is_empty();
            } else if name == "XDG_STATE_HOME" && !value.is_empty() {
                environment.state_folder = Some(PathBuf::from(value).join("citytwin"));
            } else if name == "HOME" && environment.state_folder.is_none() {
                environment.state_folder = Some(PathBuf::from(value).join(".local/state/citytwin"));
            } else {
                others.push((name, value));
            }
        }
        environment.credentials = Credentials::new(others);
        environment
    }

    /// Whether the user wants no colour (`NO_COLOR` set to anything).
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    /// Where a program keeps what a person may lose, such as the lines typed before.
    pub fn state_folder(&self) -> Option<PathBuf> {
        self.state_folder.clone()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.ours.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// One key with its value and who said it.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The key.
    pub name: &'static str,
    /// The value in force.
    pub value: Value,
    /// Who said it.
    pub origin: Origin,
}

/// All keys with the value in force, each valid by itself.
#[derive(Clone, Debug)]
pub struct Raw {
    settings: Vec<Setting>,
    credentials: Credentials,
}

type Said = BTreeMap<&'static str, (Given, Origin)>;

impl Raw {
    /// Gathers everything that was said.
    ///
    /// # Errors
    /// Every unknown key and every value that is not allowed, or the file that cannot be read.
    pub fn gather(flags: &Flags, environment: &Environment) -> Result<Raw, ConfigError> {
        let mut said = Said::new();
        let mut mistakes = Vec::new();
        let file =
            flags.file.clone().or_else(|| environment.get("CITYTWIN_CONFIG").map(Into::into));
        if let Some(file) = &file {
            said_by_file(file, &mut said, &mut mistakes)?;
        }
        said_by_environment(environment, &mut said, &mut mistakes);
        said_by_flags(flags, &mut said, &mut mistakes);
        let mut settings = Vec::with_capacity(KEYS.len());
        for key in KEYS {
            let default = Given::Text { text: key.default.to_owned(), typed: false };
            let (given, origin) = said.remove(key.name).unwrap_or((default, Origin::Default));
            let folder = match &origin {
                Origin::File { path, .. } => path.parent().filter(|p| !p.as_os_str().is_empty()),
                Origin::Default | Origin::Environment { .. } | Origin::Flag { .. } => None,
            };
            match parse(key.kind, &given, folder) {
                Some(value) => settings.push(Setting { name: key.name, value, origin }),
                None => mistakes.push(Mistake::Value {
                    key: key.name,
                    given: super::value::without_password(&given.to_string()),
                    origin,
                    allowed: allowed(key.kind),
                }),
            }
        }
        ConfigError::of(mistakes)?;
        Ok(Raw { settings, credentials: environment.credentials.clone() })
    }

    /// All keys in the order of the table.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// What opens a store.
    pub(super) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// One key.
    pub(super) fn setting(&self, name: &str) -> &Setting {
        let found = self.settings.iter().find(|setting| setting.name == name);
        found.expect("gather() fills in every key of the table")
    }
}

fn said_by_file(
    path: &Path,
    said: &mut Said,
    mistakes: &mut Vec<Mistake>,
) -> Result<(), ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let table = DeTable::parse(&text).map_err(|source| ConfigError::NotToml {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let mut flat = Vec::new();
    flatten("", table.get_ref(), &mut flat);
    for (name, given, offset) in flat {
        let line = 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        let origin = Origin::File { path: path.to_owned(), line };
        say(&name, (given, origin), said, mistakes);
    }
    Ok(())
}

/// Nested tables to dotted names; a table under a name that is a key is that key's (wrong) value.
fn flatten(prefix: &str, table: &DeTable<'_>, flat: &mut Vec<(String, Given, usize)>) {
    for (name, value) in table {
        let dotted = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        let offset = name.span().start;
        if let DeValue::Table(inner) = value.get_ref()
            && Key::find(&dotted).is_none()
        {
            flatten(&dotted, inner, flat);
        } else {
            flat.push((dotted, given(value.get_ref()), offset));
        }
    }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text { text: text.to_string(), typed: true },
        DeValue::Integer(number) => {
            let text = number.to_string();
            text.parse().map_or(Given::Other(text), Given::Integer)
        }
        DeValue::Float(number) => Given::Other(number.to_string()),
        DeValue::Boolean(flag) => Given::Flag(*flag),
        DeValue::Datetime(time) => Given::Other(time.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Given::Other("a list with other things than texts".into()), Given::List)
        }
        DeValue::Table(_) => Given::Other("a table".into()),
    }
}

fn said_by_environment(environment: &Environment, said: &mut Said, mistakes: &mut Vec<Mistake>) {
    let names: Vec<String> = KEYS.iter().map(Key::environment_name).collect();
    for (name, value) in &environment.ours {
        let other = OTHER_ENVIRONMENT.contains(&name.as_str())
            || KUBERNETES_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if other || value.is_empty() {
            continue;
        }
        let origin = Origin::Environment { name: name.clone() };
        match names.iter().position(|known| known == name) {
            Some(slot) => {
                let given = Given::Text { text: value.clone(), typed: false };
                said.insert(KEYS[slot].name, (given, origin));
            }
            None => mistakes.push(Mistake::Key {
                given: name.clone(),
                origin,
                nearest: nearest(name, names.iter().map(String::as_str)).map(str::to_owned),
            }),
        }
    }
}

fn said_by_flags(flags: &Flags, said: &mut Said, mistakes: &mut Vec<Mistake>) {
    for (flag, name, value) in &flags.values {
        let given = Given::Text { text: value.clone(), typed: false };
        say(name, (given, Origin::Flag { name: flag.clone() }), said, mistakes);
    }
}

fn say(name: &str, (given, origin): (Given, Origin), said: &mut Said, wrong: &mut Vec<Mistake>) {
    match Key::find(name) {
        Some(key) => {
            said.insert(key.name, (given, origin));
        }
        None => wrong.push(Mistake::Key {
            given: name.to_owned(),
            origin,
            nearest: nearest(name, KEYS.iter().map(|key| key.name)).map(str::to_owned),
        }),
    }
}
