//! Our own log lines (tracing): human on a terminal, JSON otherwise, on standard error, so that
//! standard output stays for answers. Metrics are elsewhere.

use std::io::IsTerminal as _;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogFormat, TelemetryConfig};

/// Each request to a store that is tried again would have a line: an outage is said once, by us.
const QUIET: &str = "object_store::client::retry=warn";

/// Why there are no log lines.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error(
        "telemetry.level = {level:?} is not allowed ({source}); allowed: error, warn, info, debug, \
         trace, or a list such as info,citytwin=debug"
    )]
    Level {
        /// As given.
        level: String,
        /// Where it is wrong.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody set up log lines before.
    #[error("log lines are set up twice in one process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up log lines for the whole process; once.
///
/// # Errors
/// When the level is not a filter, or at the second call.
pub fn start(config: &TelemetryConfig, color: bool) -> Result<(), TelemetryError> {
    let filter = filter(&config.level)?;
    let json = match config.format {
        LogFormat::Human => false,
        LogFormat::Json => true,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = if json {
        lines.json().flatten_event(true).with_current_span(false).finish().try_init()
    } else {
        lines.with_ansi(color).with_target(false).compact().finish().try_init()
    };
    set.map_err(TelemetryError::Twice)
}

/// Whether a level is a filter; for `citytwin check`.
///
/// # Errors
/// When it is not.
pub fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(format!("{QUIET},{level}"))
        .map_err(|source| TelemetryError::Level { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for good in ["info", "warn,citytwin=debug", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["citytwin=loud", "info,=,"] {
            let error = filter(bad).unwrap_err().to_string();
            assert!(error.contains(bad) && error.contains("allowed: error, warn"), "{error}");
        }
    }
}
