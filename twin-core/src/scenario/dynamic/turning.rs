//! Turning shares under bans of classes: who may not enter a link turns as the others do.

use std::collections::{BTreeMap, BTreeSet};

use super::super::definition::Vehicles;
use super::super::resolve::ClassBan;
use super::super::run::Given;
use crate::traffic::ltm::{self, Exit, TurningPiece, VehicleClass};

/// Turning shares with the bans of classes that touch them; anew whenever one begins or ends.
pub(super) fn banned(
    given: &Given<'_>,
    roads: &ltm::Network,
    pieces: Vec<TurningPiece>,
) -> Vec<TurningPiece> {
    let bans = &given.resolved.class_bans;
    let banned: BTreeSet<u32> =
        bans.iter().flat_map(|ban| &ban.links).map(|link| link.number()).collect();
    let mut times: Vec<f64> = bans.iter().flat_map(|ban| [ban.times.0, ban.times.1]).collect();
    times.push(0.0);
    times.sort_by(f64::total_cmp);
    times.dedup_by(|a, b| a.total_cmp(b).is_eq());
    times.retain(|time| *time < given.scenario.horizon_s);
    let mut found = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let exits: Vec<Exit> = roads.exits(piece.from).collect();
        if !exits.iter().any(|exit| matches!(exit, Exit::Link(link) if banned.contains(link))) {
            found.push(piece);
            continue;
        }
        for from_s in &times {
            let off = kept_off(bans, &given.scenario.vehicles, *from_s);
            let part = |exit: &Exit| match exit {
                Exit::Link(link) => off.get(link).copied().unwrap_or(0.0),
                Exit::Destination(_) => 0.0,
            };
            let off: Vec<f64> = exits.iter().map(part).collect();
            let shares = turned_away(&piece.shares, &off);
            found.push(TurningPiece { from: piece.from, from_s: *from_s, shares });
        }
    }
    found
}

/// Parts of the flow that bans of classes keep off each link, at a time.
fn kept_off(bans: &[ClassBan], vehicles: &Vehicles, time_s: f64) -> BTreeMap<u32, f64> {
    let mut classes: BTreeMap<u32, Vec<VehicleClass>> = BTreeMap::new();
    for ban in bans.iter().filter(|ban| ban.times.0 <= time_s && time_s < ban.times.1) {
        for link in &ban.links {
            classes.entry(link.number()).or_default().extend(&ban.classes);
        }
    }
    let part = |mut classes: Vec<VehicleClass>| {
        classes.sort_unstable();
        classes.dedup();
        classes.into_iter().map(|class| vehicles.pcu_share(class)).sum::<f64>().min(1.0)
    };
    classes.into_iter().map(|(link, classes)| (link, part(classes))).collect()
}

/// Shares with a part of each taken off and given to the others in proportion to what those let
/// in; as they were where nobody lets them in.
fn turned_away(shares: &[f64], off: &[f64]) -> Vec<f64> {
    let left: Vec<f64> = shares.iter().zip(off).map(|(share, off)| share * (1.0 - off)).collect();
    let mut result = left.clone();
    for (at, (share, off)) in shares.iter().zip(off).enumerate() {
        let away = share * off;
        let others: f64 = left.iter().sum::<f64>() - left[at];
        if away <= 0.0 {
            continue;
        }
        if others <= 1e-12 {
            result[at] += away;
            continue;
        }
        for (other, part) in left.iter().enumerate().filter(|(other, _)| *other != at) {
            result[other] += away * part / others;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shares: &[f64], off: &[f64], expected: &[f64]) {
        let found = turned_away(shares, off);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn who_may_not_enter_goes_where_the_others_go() {
        check(&[0.5, 0.3, 0.2], &[0.0, 0.0, 0.0], &[0.5, 0.3, 0.2]);
        check(&[0.5, 0.3, 0.2], &[1.0, 0.0, 0.0], &[0.0, 0.6, 0.4]);
        check(&[0.5, 0.3, 0.2], &[0.4, 0.0, 0.0], &[0.3, 0.42, 0.28]);
        // Nowhere else to go: the ban cannot be kept.
        check(&[1.0], &[0.7], &[1.0]);
        check(&[0.5, 0.5], &[1.0, 1.0], &[0.5, 0.5]);
    }
}
