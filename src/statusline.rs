//! The one line that says how a running engine is doing: rewritten in place on a terminal, a line
//! every few seconds elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::cli::failure::Failure;
use crate::cli::output::Screen;
use crate::rooms::Rooms;
use crate::service::{City, State};

/// How often the line changes on a terminal.
const ON_TERMINAL: Duration = Duration::from_millis(500);
/// How often there is a line elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Where the line goes.
#[derive(Debug)]
pub struct StatusLine {
    bar: Option<ProgressBar>,
}

impl StatusLine {
    /// On a terminal if standard error is one.
    ///
    /// # Panics
    /// Never: the template is a constant.
    pub fn new() -> StatusLine {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("a valid template");
            ProgressBar::new_spinner().with_style(style)
        });
        StatusLine { bar }
    }

    /// How long to wait before the next one.
    pub fn every(&self) -> Duration {
        if self.bar.is_some() { ON_TERMINAL } else { ELSEWHERE }
    }

    /// Shows how things are now.
    ///
    /// # Errors
    /// When nobody reads standard output any more.
    pub fn show(&self, text: String, screen: &mut Screen) -> Result<(), Failure> {
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.tick();
                Ok(())
            }
            None => screen.line(text),
        }
    }

    /// Leaves the terminal clean.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for StatusLine {
    fn default() -> StatusLine {
        StatusLine::new()
    }
}

/// How the engine is doing, in one line.
pub fn text(city: &City, rooms: &Rooms) -> String {
    let (snapshot, vitals) = (city.snapshot(), rooms.vitals());
    let (counts, ledger) = (snapshot.counts(), snapshot.ledger_total());
    let mut line = format!(
        "sensors {} live, {} silent, {} not heard yet · {} readings/s · frontier {:.2} s · durable {:.0} ms · \
         refused {} · archive {}",
        HumanCount(counts.live.into()),
        HumanCount(counts.silent.into()),
        HumanCount(counts.never_heard.into()),
        HumanCount(whole(vitals.readings_per_second)),
        vitals.frontier_lag_s,
        vitals.durable_lag_s * 1_000.0,
        HumanCount(ledger.refused_total()),
        HumanBytes(vitals.archive_bytes),
    );
    if vitals.state != State::Serving {
        line.insert_str(0, &format!("{} · ", vitals.state.name()));
    }
    line
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn whole(rate: f64) -> u64 {
    rate.round().clamp(0.0, 1e15) as u64
}
