//! Sends recorded data (Parquet, CSV) through MQTT, as seen or shifted to now, at any speed.
//!
//! A [`Mapping`] says which column is what, [`Recording::read`] makes readings of it, [`replay`]
//! sends them on the road every fleet takes, with the same report and the same verdict.
//!
//! Readings as seen are days or years old: the engine has to run with `time = "event"`, or it
//! refuses them as too old. All expectations of the verdict are those of such an engine, or of a
//! live one when shifted to now.

mod feed;
mod mapping;
mod reader;
mod recording;
mod table;
#[cfg(test)]
mod tests;
mod times;
mod units;

use std::sync::Arc;

use thiserror::Error;
use tokio_util::sync::CancellationToken;

use self::feed::RecordedFeed;
pub use self::mapping::{Layout, Mapping, MappingError, Measured, Place, PositionsFile};
pub use self::recording::{MAX_READINGS, Problem, Recording, RecordingError, Source};
pub use self::table::TableError;
pub use self::times::{TimeFormat, TimeReader, TimeSource};
pub use self::units::{Conversion, conversion_names, kind_names, quantity_names, range};
use crate::publish::{Feed, Pace};
use crate::simulate::{Finished, Load, SimulateError, SimulateOptions, Start, drive};

/// Which event times readings get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shift {
    /// As recorded.
    #[default]
    AsSeen,
    /// The first reading is measured now and the others after it, as much closer together as the
    /// pace is faster. At full pace the last is measured now and the others before it.
    ToNow,
}

/// How to replay; the rest is in [`SimulateOptions`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayOptions {
    /// How fast.
    pub pace: Pace,
    /// With which event times.
    pub shift: Shift,
    /// Most readings in one message; with 1 each goes out on its own sensor's topic.
    pub readings_per_message: usize,
    /// MQTT clients. More than one at full pace run apart in event time, and an engine with
    /// event time then sees late readings.
    pub connections: u32,
    /// Quality of service, 0 to 2.
    pub qos: u8,
}

impl Default for ReplayOptions {
    fn default() -> ReplayOptions {
        ReplayOptions {
            pace: Pace::RealTime,
            shift: Shift::AsSeen,
            readings_per_message: 50,
            connections: 1,
            qos: 1,
        }
    }
}

/// Why an option cannot be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReplayOptionError {
    /// Readings per message.
    #[error("{0} readings per message are impossible; 1 to 1,000 are")]
    Batch(usize),
    /// Connections.
    #[error("{0} connections are impossible; 1 to 10,000 are")]
    Connections(u32),
    /// Quality of service.
    #[error("QoS {0} does not exist; 0, 1 and 2 do")]
    Qos(u8),
    /// Speed.
    #[error("a speed of {0} is impossible; more than 0, up to 1,000,000 is")]
    Speed(f64),
}

impl ReplayOptions {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the first that makes no sense.
    pub fn check(&self) -> Result<(), ReplayOptionError> {
        if !(1..=1_000).contains(&self.readings_per_message) {
            return Err(ReplayOptionError::Batch(self.readings_per_message));
        }
        if !(1..=10_000).contains(&self.connections) {
            return Err(ReplayOptionError::Connections(self.connections));
        }
        if self.qos > 2 {
            return Err(ReplayOptionError::Qos(self.qos));
        }
        match self.pace {
            Pace::Times(factor) if !(factor > 0.0 && factor <= 1e6) => {
                Err(ReplayOptionError::Speed(factor))
            }
            Pace::RealTime | Pace::Times(_) | Pace::Full => Ok(()),
        }
    }
}

/// Why a replay did not take place.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// An option.
    #[error(transparent)]
    Option(#[from] ReplayOptionError),
    /// The server or the twin.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
}

/// Sends a recording to its end, or until `shutdown`.
///
/// # Errors
/// When an option makes no sense, or the server or the twin cannot be reached at all.
pub async fn replay(
    recording: &Arc<Recording>,
    how: ReplayOptions,
    options: &SimulateOptions,
    shutdown: &CancellationToken,
) -> Result<Finished, ReplayError> {
    how.check()?;
    let sensors = recording.sensors();
    let (first_ms, last_ms) = recording.span_ms();
    let until_ms = options.duration.map_or(last_ms.saturating_add(1), |duration| {
        first_ms.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    });
    let recorded = Arc::clone(recording);
    let start = move |now_ms: i64| {
        let feeds = (0..how.connections)
            .map(|part| Box::new(RecordedFeed::new(&recorded, how, part, now_ms)) as Box<dyn Feed>)
            .collect();
        Start { feeds, pace: how.pace, from_ms: first_ms, until_ms }
    };
    let name = format!("citytwin-replay-{}", recording.name);
    let load = Load { sensors, name, start: Box::new(start) };
    let mut finished = drive(load, options, shutdown).await?;
    finished.report.recording = Some(recording.source.clone());
    Ok(finished)
}
