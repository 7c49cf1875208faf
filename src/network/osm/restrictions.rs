//! Turn restrictions: relations with the roles `from`, `via` and `to` (OSM wiki,
//! Relation:restriction). `no_…` bans the pair, `only_…` bans every other pair. Those that go via a
//! way say something about three links in a row, which a pair cannot; they are counted.

use citytwin_core::road::{DraftTurn, TurnRule};

use super::Notes;
use super::cut::Cut;
use super::pbf::{NODE, PrimitiveBlock, Relation, WAY, undelta};

/// A restriction as it is in the file.
#[derive(Debug)]
pub(super) struct Restriction {
    kind: String,
    exempt: bool,
    from: Vec<i64>,
    via_nodes: Vec<i64>,
    via_ways: usize,
    to: Vec<i64>,
}

impl Restriction {
    /// From a relation, if it is one. Restrictions of some vehicles (`restriction:hgv`) or hours
    /// (`restriction:conditional`) are none for the traffic at large.
    pub(super) fn of(block: &PrimitiveBlock, relation: &Relation) -> Option<Restriction> {
        let (mut kind, mut exempt, mut typed) = (String::new(), false, false);
        for (key, value) in block.tags(&relation.keys, &relation.values) {
            match key {
                "type" => typed = value == "restriction",
                "restriction" => value.clone_into(&mut kind),
                // What cars or motorcycles may do, traffic does.
                "except" => {
                    exempt =
                        value.split(';').any(|who| matches!(who.trim(), "motorcar" | "motorcycle"));
                }
                _ => {}
            }
        }
        if !typed || kind.is_empty() {
            return None;
        }
        let mut found = Restriction {
            kind,
            exempt,
            from: Vec::new(),
            via_nodes: Vec::new(),
            via_ways: 0,
            to: Vec::new(),
        };
        let members = undelta(&relation.members).zip(&relation.kinds).zip(&relation.roles);
        for ((id, kind), role) in members {
            let role = block.text(usize::try_from(*role).unwrap_or(usize::MAX));
            match (role, *kind) {
                ("from", WAY) => found.from.push(id),
                ("to", WAY) => found.to.push(id),
                ("via", NODE) => found.via_nodes.push(id),
                ("via", WAY) => found.via_ways += 1,
                _ => {}
            }
        }
        Some(found)
    }
}

/// Rules for pairs of links.
pub(super) fn turns(all: &[Restriction], cut: &Cut, notes: &mut Notes) -> Vec<DraftTurn> {
    let mut turns = Vec::new();
    for restriction in all {
        let before = turns.len();
        let note = if restriction.via_ways > 0 {
            "restrictions via a way, not supported"
        } else if restriction.exempt {
            "restrictions that do not hold for cars or motorcycles"
        } else if apply(restriction, cut, &mut turns).is_none() {
            "restrictions of an unknown kind"
        } else if turns.len() == before {
            "restrictions whose roads are not in the network"
        } else {
            "restrictions"
        };
        notes.add(note, 1);
    }
    turns
}

fn apply(restriction: &Restriction, cut: &Cut, turns: &mut Vec<DraftTurn>) -> Option<()> {
    let only = restriction.kind.starts_with("only_");
    if !only && !restriction.kind.starts_with("no_") {
        return None;
    }
    for via in &restriction.via_nodes {
        let onto: Vec<&String> = restriction
            .to
            .iter()
            .filter_map(|way| cut.starting.get(&(*way, *via)))
            .flatten()
            .collect();
        let ending = restriction.from.iter().filter_map(|way| cut.ending.get(&(*way, *via)));
        for from in ending.flatten() {
            let mut put = |to: &str, rule| {
                turns.push(DraftTurn { from: from.clone(), to: to.to_owned(), rule });
            };
            if !only {
                for to in &onto {
                    put(to, TurnRule::Banned);
                }
            } else if !onto.is_empty() {
                for to in cut.leaving.get(via).into_iter().flatten() {
                    let meant = onto.contains(&to);
                    put(to, if meant { TurnRule::Allowed } else { TurnRule::Banned });
                }
            }
        }
    }
    Some(())
}
