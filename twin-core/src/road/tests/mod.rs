//! Small networks written as text: `a-b` is a link from a to b with the key `a-b`, `a=b` two links.
//! Junctions lie on a grid by their letter: `a` to `j` west to east, then the next row to the north,
//! 111 m apart.

mod faults;
mod mergers;
mod networks;
mod random;
mod sensors;
mod signals;
mod zoning;

use super::*;
use crate::position::Position;

pub(super) fn junction(key: &str) -> DraftJunction {
    let at = u32::from(key.as_bytes()[0] - b'a');
    let point = (10.0 + f64::from(at / 10) * 0.001, 106.0 + f64::from(at % 10) * 0.001);
    DraftJunction { key: key.to_owned(), point, control: Control::None, passable: true }
}

pub(super) fn draft(text: &str) -> Draft {
    let mut draft = Draft::default();
    for word in text.split_whitespace() {
        let (from, to) = word.split_once(['-', '=']).unwrap();
        let mut put = |from: &str, to: &str| {
            let key = format!("{from}-{to}");
            draft.links.push(DraftLink::new(&key, from, to, RoadClass::Residential));
            for key in [from, to] {
                if draft.junctions.iter().all(|known| known.key != key) {
                    draft.junctions.push(junction(key));
                }
            }
        };
        put(from, to);
        if word.contains('=') {
            put(to, from);
        }
    }
    draft
}

pub(super) fn network(text: &str) -> Network {
    sound(draft(text))
}

pub(super) fn sound(draft: Draft) -> Network {
    let built = draft.build();
    assert_eq!(built.faults, []);
    built.network
}

pub(super) fn link(network: &Network, key: &str) -> LinkIndex {
    network.find_link(key).unwrap_or_else(|| panic!("no link {key}"))
}

/// `a-b>c b>d` for all movements from a link.
pub(super) fn onto(network: &Network, from: &str) -> String {
    let names = network.movements_from(link(network, from)).iter();
    let names: Vec<_> = names.map(|one| network.link(one.to).key().as_str()).collect();
    names.join(" ")
}

pub(super) fn at(latitude: f64, longitude: f64) -> Position {
    Position::new(latitude, longitude).unwrap()
}
