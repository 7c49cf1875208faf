//! Which link a sensor watches: the one it names, else the nearest in its direction. A sensor that
//! could be on either side of a two-way street and does not say which is left out, not guessed.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::key::LinkIndex;
use super::nearest::{LinkFinder, Near};
use super::shape::bearing_difference;
use crate::position::Position;
use crate::sensor::SensorKey;

/// Where a sensor is and what it says of its link.
#[derive(Clone, Debug, PartialEq)]
pub struct SensorPlace {
    /// The sensor.
    pub key: SensorKey,
    /// Where it stands.
    pub position: Position,
    /// The link it says it watches; may be empty.
    pub link: String,
    /// The lane it says it watches, 1 = kerb side, 0 = all.
    pub lane: u32,
    /// Direction of the traffic it watches, degrees clockwise from north, where it is known.
    pub bearing_deg: Option<f64>,
}

/// How far a guess may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchSettings {
    /// A sensor is this near to its link, metres.
    pub distance_m: f64,
    /// A link goes this much in the sensor's direction, degrees.
    pub bearing_deg: f64,
    /// Links whose distances differ by less than this could both be meant, metres: carriageways
    /// and positions are not known better.
    pub tie_m: f64,
}

impl Default for MatchSettings {
    fn default() -> MatchSettings {
        MatchSettings { distance_m: 30.0, bearing_deg: 45.0, tie_m: 2.0 }
    }
}

/// A sensor and its link.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The sensor.
    pub sensor: SensorKey,
    /// Its link.
    pub link: LinkIndex,
    /// Its lane, if the link has it; `None`: all of them, or a lane the link does not have.
    pub lane: Option<u8>,
    /// How it was found.
    pub by: MatchedBy,
}

/// How a sensor's link was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum MatchedBy {
    /// The sensor names it.
    Name,
    /// It is the nearest, or the nearest in the sensor's direction.
    Distance {
        /// How near, metres.
        distance_m: f64,
        /// How far along the link, metres.
        offset_m: f64,
    },
}

/// Why a sensor has no link.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[expect(missing_docs, reason = "each message is its documentation")]
pub enum Unmatched {
    #[error("no link within {within_m} m")]
    TooFar { within_m: f64 },
    #[error("{links} links are near, none goes in its direction")]
    WrongWay { links: usize },
    #[error("{links} links are equally near; it needs a link or a bearing")]
    Ambiguous { links: usize },
}

/// All sensors with a link and all without, each in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// Those with a link.
    pub matched: Vec<Matched>,
    /// Those without, and why.
    pub unmatched: Vec<(SensorKey, Unmatched)>,
}

/// Finds the link of every sensor. O(log links) a sensor.
pub fn match_sensors(
    finder: &LinkFinder<'_>,
    sensors: &[SensorPlace],
    settings: MatchSettings,
) -> Matching {
    let mut matching = Matching::default();
    for sensor in sensors {
        match one(finder, sensor, settings) {
            Ok((link, by)) => {
                let lanes = finder.network().link(link).lanes().get();
                let lane = u8::try_from(sensor.lane).ok();
                let lane = lane.filter(|lane| (1..=lanes).contains(lane));
                matching.matched.push(Matched { sensor: sensor.key.clone(), link, lane, by });
            }
            Err(why) => matching.unmatched.push((sensor.key.clone(), why)),
        }
    }
    matching
}

fn one(
    finder: &LinkFinder<'_>,
    sensor: &SensorPlace,
    settings: MatchSettings,
) -> Result<(LinkIndex, MatchedBy), Unmatched> {
    if let Some(link) = finder.network().find_link(&sensor.link) {
        return Ok((link, MatchedBy::Name));
    }
    let near = finder.within(sensor.position, settings.distance_m);
    if near.is_empty() {
        return Err(Unmatched::TooFar { within_m: settings.distance_m });
    }
    let candidates: Vec<Near> = match sensor.bearing_deg {
        None => near.clone(),
        Some(bearing_deg) => {
            let along = |one: &&Near| {
                bearing_difference(one.foot.bearing_deg, bearing_deg) <= settings.bearing_deg
            };
            near.iter().filter(along).copied().collect()
        }
    };
    let Some(best) = candidates.first() else {
        return Err(Unmatched::WrongWay { links: near.len() });
    };
    // Before and behind a junction one drives the same way; there the nearest is as good.
    let other_way = |one: &&Near| {
        one.foot.distance_m <= best.foot.distance_m + settings.tie_m
            && bearing_difference(one.foot.bearing_deg, best.foot.bearing_deg)
                > settings.bearing_deg
    };
    let rivals = candidates.iter().filter(other_way).count();
    if rivals > 0 {
        return Err(Unmatched::Ambiguous { links: rivals + 1 });
    }
    let (distance_m, offset_m) = (best.foot.distance_m, best.foot.offset_m);
    Ok((best.link, MatchedBy::Distance { distance_m, offset_m }))
}
