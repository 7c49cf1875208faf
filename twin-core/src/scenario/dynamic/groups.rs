//! Groups of vehicles under bans of classes: classes with the same bans are one, and each has
//! destinations of its own in the model, because it may have ways of its own. Without a ban all
//! vehicles are one group, and the model is the one that knows no classes.

use std::collections::BTreeMap;

use super::super::definition::{Scenario, Vehicles};
use super::super::fault::{Fault, What};
use super::super::resolve::{ClassBan, Resolved};
use super::super::run::ScenarioError;
use crate::traffic::ltm::{Change, Effect, MAX_DESTINATIONS};

/// Vehicles that may enter the same links.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// Its part of all demand, in passenger-car equivalents.
    pub(super) share: f64,
    /// The first of its destinations, and how many they are.
    pub(super) first: u32,
    count: u32,
    /// The bans that keep it off, by their places.
    bans: Vec<usize>,
}

/// The groups of a scenario with trips to so many zones. The first may enter all links; where
/// every class is banned somewhere it is empty, and only shows the way to those who have none.
pub(super) fn of(
    scenario: &Scenario,
    resolved: &Resolved<'_>,
    zones: usize,
) -> Result<Vec<Group>, ScenarioError> {
    let vehicles = &scenario.vehicles;
    let holds =
        |ban: &ClassBan, class| ban.times.0 < scenario.horizon_s && ban.classes.contains(&class);
    let mut shares: BTreeMap<Vec<usize>, f64> = BTreeMap::from([(Vec::new(), 0.0)]);
    for class in Vehicles::CLASSES.into_iter().filter(|class| vehicles.share(*class) > 0.0) {
        let bans = resolved.class_bans.iter().enumerate();
        let bans = bans.filter(|(_, ban)| holds(ban, class)).map(|(place, _)| place).collect();
        *shares.entry(bans).or_default() += vehicles.pcu_share(class);
    }
    if shares.len() == 1 {
        // All of it, to the last bit.
        shares = BTreeMap::from([(Vec::new(), 1.0)]);
    }
    let given = zones * shares.len();
    if shares.len() > 1 && given > MAX_DESTINATIONS {
        let what = What::Groups { zones, groups: shares.len(), most: MAX_DESTINATIONS };
        let edit = resolved.class_bans.first().map(|ban| ban.edit);
        let field = format!("edits[{}].ban_classes", edit.unwrap_or_default());
        return Err(ScenarioError::Faults(vec![Fault { field, edit, what }]));
    }
    let count = u32::try_from(zones).expect("zones are counted in u32");
    let firsts = (0..).map(|group| group * count);
    let groups = shares.into_iter().zip(firsts);
    Ok(groups.map(|((bans, share), first)| Group { share, first, count, bans }).collect())
}

/// The bans as edits of the model.
pub(super) fn changes(groups: &[Group], resolved: &Resolved<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    for Group { first, count, bans, .. } in groups {
        for ClassBan { times, links, .. } in bans.iter().map(|ban| &resolved.class_bans[*ban]) {
            changes.extend(links.iter().map(|link| Change {
                from_s: times.0,
                until_s: times.1,
                effect: Effect::Avoid { link: link.number(), first: *first, count: *count },
            }));
        }
    }
    changes
}
