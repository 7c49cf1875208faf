//! Values: from what is written to what is meant, with the sentence that says what is allowed.
//! A file must write numbers as numbers and flags as flags; flags of the command line and the
//! environment can only be text.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use citytwin_ingest::archive::StoreAddress;

use super::keys::Kind;

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// A string of the file, a flag's argument or an environment variable; `typed` is false where
    /// nothing but text can be written.
    Text {
        /// The text.
        text: String,
        /// Whether the writer could have written a number or a flag instead.
        typed: bool,
    },
    /// A whole number of the file.
    Integer(i64),
    /// A flag of the file.
    Flag(bool),
    /// A list of strings of the file.
    List(Vec<String>),
    /// Anything else of the file, as written.
    Other(String),
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Text { text, .. } => write!(f, "{text:?}"),
            Given::Integer(number) => number.fmt(f),
            Given::Flag(flag) => flag.fmt(f),
            Given::List(items) => write!(f, "{items:?}"),
            Given::Other(text) => f.write_str(text),
        }
    }
}

/// What is meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Left out.
    Unset,
    /// A file or folder.
    Path(PathBuf),
    /// Files.
    Paths(Vec<PathBuf>),
    /// A flag.
    Flag(bool),
    /// Where to listen.
    Address(SocketAddr),
    /// A name, a text, a choice or a broker's address.
    Text(String),
    /// Milliseconds.
    Duration(u64),
    /// Bytes.
    Size(u64),
    /// A number.
    Count(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Unset => Ok(()),
            Value::Path(path) => path.display().fmt(f),
            Value::Paths(paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                f.write_str(&paths.join(", "))
            }
            Value::Flag(flag) => flag.fmt(f),
            Value::Address(address) => address.fmt(f),
            Value::Text(text) => f.write_str(&without_password(text)),
            Value::Duration(ms) => f.write_str(&show_duration(*ms)),
            Value::Size(bytes) => f.write_str(&show_size(*bytes)),
            Value::Count(count) => count.fmt(f),
        }
    }
}

/// What may be written for a kind of value, for errors and for help.
pub fn allowed(kind: Kind) -> String {
    match kind {
        Kind::Path => "the path of a file or folder".into(),
        Kind::Paths => "a list of paths (in the environment, separated by commas)".into(),
        Kind::Flag => "true or false".into(),
        Kind::Address => "an IP address and a port, such as 127.0.0.1:1883 or [::1]:1883".into(),
        Kind::BrokerUrl => {
            "mqtt://host:port or mqtts://host:port, with user:password@ before the host if needed"
                .into()
        }
        Kind::StoreUrl => "s3://bucket, s3://bucket/prefix or file:///folder".into(),
        Kind::Name => "1 to 64 of A-Z a-z 0-9 . _ -".into(),
        Kind::Text => "a text".into(),
        Kind::Duration(min, max) => format!(
            "a duration with its unit, from {} to {}, such as \"90s\", \"5m\" or \"250ms\"",
            show_duration(min),
            show_duration(max)
        ),
        Kind::Size(min, max) => format!(
            "a size with its unit (B, KiB, MiB, GiB), from {} to {}",
            show_size(min),
            show_size(max)
        ),
        Kind::Count(min, max) => format!("a whole number from {min} to {max}"),
        Kind::Choice(words) => words.join(" or "),
    }
}

/// Reads what was written; relative paths of a file are relative to the file's `folder`. `None`
/// when it is not allowed.
pub fn parse(kind: Kind, given: &Given, folder: Option<&Path>) -> Option<Value> {
    match (kind, given) {
        (Kind::Flag, Given::Flag(flag)) => Some(Value::Flag(*flag)),
        (Kind::Count(min, max), Given::Integer(number)) => {
            let number = u64::try_from(*number).ok()?;
            (min..=max).contains(&number).then_some(Value::Count(number))
        }
        (Kind::Paths, Given::List(items)) => {
            Some(Value::Paths(items.iter().map(|item| place(item, folder)).collect()))
        }
        // Who could have written a number or a flag and wrote a text has mistaken the key.
        (kind, Given::Text { text, typed }) => {
            let as_text = !(*typed && matches!(kind, Kind::Flag | Kind::Count(..)));
            as_text.then(|| parse_text(kind, text.trim(), folder)).flatten()
        }
        (_, Given::Integer(_) | Given::Flag(_) | Given::List(_) | Given::Other(_)) => None,
    }
}

fn parse_text(kind: Kind, text: &str, folder: Option<&Path>) -> Option<Value> {
    match kind {
        Kind::Path | Kind::Address | Kind::BrokerUrl | Kind::StoreUrl if text.is_empty() => {
            Some(Value::Unset)
        }
        Kind::Path => Some(Value::Path(place(text, folder))),
        Kind::Paths => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Paths(items.map(|item| place(item, folder)).collect()))
        }
        Kind::Flag => text.parse().ok().map(Value::Flag),
        Kind::Address => text.parse().ok().map(Value::Address),
        Kind::BrokerUrl => is_broker_url(text).then(|| Value::Text(text.to_owned())),
        Kind::StoreUrl => {
            text.parse::<StoreAddress>().is_ok().then(|| Value::Text(text.to_owned()))
        }
        Kind::Name => citytwin_core::sensor::is_id(text).then(|| Value::Text(text.to_owned())),
        Kind::Text => Some(Value::Text(text.to_owned())),
        Kind::Duration(min, max) => {
            let duration: Duration = humantime::parse_duration(text).ok()?;
            let ms = u64::try_from(duration.as_millis()).ok()?;
            let whole = u128::from(ms) * 1_000_000 == duration.as_nanos();
            (whole && (min..=max).contains(&ms)).then_some(Value::Duration(ms))
        }
        Kind::Size(min, max) => {
            let bytes = parse_size(text)?;
            (min..=max).contains(&bytes).then_some(Value::Size(bytes))
        }
        Kind::Count(min, max) => {
            let number = text.parse().ok()?;
            (min..=max).contains(&number).then_some(Value::Count(number))
        }
        Kind::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
    }
}

fn place(text: &str, folder: Option<&Path>) -> PathBuf {
    folder.map_or_else(|| PathBuf::from(text), |folder| folder.join(text))
}

fn is_broker_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("mqtt://").or_else(|| text.strip_prefix("mqtts://")) else {
        return false;
    };
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (address, None),
    };
    let clean = !host.is_empty() && !host.contains(|c: char| c == '/' || c.is_whitespace());
    clean && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// A broker's address without its password, for people and logs.
pub fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (user, address))) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}:***@{address}")
        }
        None => url.to_owned(),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Milliseconds as humantime writes them, `1m 30s`.
pub fn show_duration(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

fn show_size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} B")
}
