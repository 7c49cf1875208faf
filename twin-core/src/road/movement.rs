//! Which link may be entered from which: the general rule and its exceptions.
//!
//! At a junction that may be passed, every link that comes in leads onto every link that goes out,
//! but a U-turn only where there is no other way on. A U-turn is a turn by more than 170 degrees:
//! the shape alone decides, so that merging links changes no turn, and so that the second half of a
//! small roundabout, which leads back to where one came from, is none. A file may ban pairs, and
//! allow U-turns. At a junction that may not be passed nothing goes on.

use super::key::LinkIndex;
use super::link::{Movement, Turn, TurnRule};
use super::network::Network;
use super::shape::{bearing_between, bearing_difference};

/// A turn by more than this is a U-turn, degrees.
const U_TURN_DEG: f64 = 170.0;

/// All movements by link, and where those of each link begin.
pub(super) fn all(network: &Network) -> (Vec<Movement>, Vec<u32>) {
    let mut movements = Vec::new();
    let mut first = Vec::with_capacity(network.links().len() + 1);
    first.push(0);
    for link in network.link_indexes() {
        from(network, link, &mut movements);
        first.push(u32::try_from(movements.len()).expect("a network counts in u32"));
    }
    (movements, first)
}

/// The least rules that give the movements of this network: those that change nothing are dropped.
/// So networks with the same movements are equal.
pub(super) fn least_turns(network: &Network) -> Vec<Turn> {
    let mut turns = Vec::new();
    for link in network.link_indexes() {
        let junction = network.link(link).to();
        if !network.junction(junction).is_passable() {
            continue;
        }
        let own = network.movements_from(link);
        let exits = network.outgoing(junction);
        let straight = exits.iter().any(|to| !is_u_turn(network, link, *to));
        for to in exits {
            let allowed = own.iter().any(|movement| movement.to == *to);
            let usual = !(straight && is_u_turn(network, link, *to));
            // Without any other way on, a U-turn that is not banned would be back.
            let rule = match (allowed, usual) {
                (true, false) => TurnRule::Allowed,
                (false, _) if usual || own.is_empty() => TurnRule::Banned,
                (true, true) | (false, _) => continue,
            };
            turns.push(Turn { from: link, to: *to, rule });
        }
    }
    turns
}

fn from(network: &Network, link: LinkIndex, movements: &mut Vec<Movement>) {
    let junction = network.link(link).to();
    if !network.junction(junction).is_passable() {
        return;
    }
    let start = movements.len();
    let mut back = Vec::new();
    for to in network.outgoing(junction) {
        let movement = Movement { from: link, to: *to };
        match network.turn_rule(link, *to) {
            Some(TurnRule::Banned) => {}
            None if is_u_turn(network, link, *to) => back.push(movement),
            Some(TurnRule::Allowed) | None => movements.push(movement),
        }
    }
    if movements.len() == start {
        movements.extend(back);
    }
}

/// Whether going from one link onto the next means turning round.
pub fn is_u_turn(network: &Network, from: LinkIndex, to: LinkIndex) -> bool {
    let (arriving, leaving) = (network.line(from), network.line(to));
    let (Some([a, b]), Some([c, d])) = (arriving.last_chunk::<2>(), leaving.first_chunk::<2>())
    else {
        return false;
    };
    bearing_difference(bearing_between(*a, *b), bearing_between(*c, *d)) > U_TURN_DEG
}
