//! What goes wrong, and how often. Rates live here with the draw that decides them; what a fault
//! does to a message is in `fleet::source`. Every fault has one expected outcome, so that a
//! verdict is a comparison and not an opinion.

use serde::{Deserialize, Serialize};

use crate::spec::SpecError;

/// Rates from 0 (never) to 1 (always). Faults of one group shut each other out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultRates {
    /// Per reading: measured, but never sent.
    pub lost: f64,
    /// Per reading: a value no such sensor can measure; refused as `out_of_range`.
    pub out_of_range: f64,
    /// Per measurement: sent 5 s to 15 min after it was taken.
    pub late: f64,
    /// Per measurement: sent after its successor.
    pub reordered: f64,
    /// Per measurement: stamped 7 h ahead (local time taken for UTC); refused as `clock_ahead`.
    pub clock_ahead: f64,
    /// Per measurement: stamped up to 2 s behind; taken.
    pub clock_behind: f64,
    /// Share of the sensors that are frozen at any time; each freezes for 2 h.
    pub stuck: f64,
    /// Per message: sent a second time within 5 s; every reading in it is a duplicate.
    pub repeated: f64,
    /// Per message: cut short; a dead letter.
    pub malformed: f64,
    /// Per message: one more message, of a sensor nobody has described; a dead letter.
    pub unknown_sensor: f64,
    /// Storms an hour in which many connections drop at the same instant.
    pub disconnect_storms_per_hour: f64,
    /// Share of the connections that a storm drops.
    pub disconnect_share: f64,
    /// Bursts an hour: connections hold everything back for 20 s, then send it at once.
    pub bursts_per_hour: f64,
    /// Share of the connections that a burst holds back.
    pub burst_share: f64,
}

impl FaultRates {
    /// Whether nothing goes wrong at all.
    pub fn none(&self) -> bool {
        *self == FaultRates::default()
    }

    /// A little of everything: what a verified run should survive.
    pub fn some_of_everything() -> FaultRates {
        FaultRates {
            lost: 0.002,
            out_of_range: 0.002,
            late: 0.005,
            reordered: 0.005,
            clock_ahead: 0.001,
            clock_behind: 0.005,
            stuck: 0.002,
            repeated: 0.02,
            malformed: 0.005,
            unknown_sensor: 0.005,
            disconnect_storms_per_hour: 30.0,
            disconnect_share: 0.3,
            bursts_per_hour: 30.0,
            burst_share: 0.3,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SpecError> {
        let rates = [
            ("lost", self.lost),
            ("out_of_range", self.out_of_range),
            ("late", self.late),
            ("reordered", self.reordered),
            ("clock_ahead", self.clock_ahead),
            ("clock_behind", self.clock_behind),
            ("stuck", self.stuck),
            ("repeated", self.repeated),
            ("malformed", self.malformed),
            ("unknown_sensor", self.unknown_sensor),
            ("disconnect_share", self.disconnect_share),
            ("burst_share", self.burst_share),
        ];
        for (name, rate) in rates {
            between(name, rate, 1.0)?;
        }
        between("disconnect_storms_per_hour", self.disconnect_storms_per_hour, 60.0)?;
        between("bursts_per_hour", self.bursts_per_hour, 60.0)?;
        let groups = [
            ("lost + faults.out_of_range", self.lost + self.out_of_range),
            (
                "late + faults.reordered + faults.clock_ahead + faults.clock_behind",
                self.late + self.reordered + self.clock_ahead + self.clock_behind,
            ),
            ("repeated + faults.malformed", self.repeated + self.malformed),
        ];
        for (names, sum) in groups {
            between(names, sum, 1.0)?;
        }
        Ok(())
    }
}

fn between(name: &str, value: f64, most: f64) -> Result<(), SpecError> {
    if (0.0..=most).contains(&value) {
        Ok(())
    } else {
        Err(SpecError::value(format!("faults.{name}"), value, format!("0 to {most}")))
    }
}
