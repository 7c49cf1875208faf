//! What is odd about a network that is sound in itself: roads that lead nowhere, lengths that
//! cannot be, signals without traffic. Findings come in the order of the tables.

use super::key::LinkIndex;
use super::link::Control;
use super::network::Network;
use super::problem::{Problem, Subject, What};

/// A link may be this much shorter than its straight line: rounded lengths and coordinates.
const SHORT_SHARE: f64 = 0.01;
/// And this much, metres.
const SHORT_M: f64 = 1.0;
/// The ends of a shape may be this far from their junctions, metres.
const APART_M: f64 = 5.0;

impl Network {
    /// Everything that somebody should look at. O(links + movements).
    pub fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.links().is_empty() {
            found.push(Problem::new(Subject::Network, "", "links", What::Empty("link")));
        }
        self.check_junctions(&mut found);
        self.check_lengths(&mut found);
        self.check_connection(&mut found);
        for zone in self.zones().iter().filter(|zone| zone.connectors().is_empty()) {
            let key = zone.key().as_str();
            found.push(Problem::new(Subject::Zone, key, "connectors", What::Unconnected));
        }
        found
    }

    fn check_junctions(&self, found: &mut Vec<Problem>) {
        for index in self.junction_indexes() {
            let junction = self.junction(index);
            let mut put = |subject, field, what: What| {
                found.push(Problem::new(subject, junction.key().as_str(), field, what));
            };
            if self.incoming(index).is_empty() && self.outgoing(index).is_empty() {
                put(Subject::Junction, "links", What::Unused);
            } else if junction.control() == Control::Signal && self.incoming(index).is_empty() {
                put(Subject::Junction, "control", What::IdleSignal);
            }
            if self.signal_plans().contains_key(&index) && junction.control() != Control::Signal {
                put(Subject::Signal, "junction", What::NoSignal);
            }
        }
    }

    fn check_lengths(&self, found: &mut Vec<Problem>) {
        for (index, link) in self.link_indexes().zip(self.links()) {
            let mut put = |field, what: What| {
                found.push(Problem::new(Subject::Link, link.key().as_str(), field, what));
            };
            let (start, end) =
                (self.junction(link.from()).position(), self.junction(link.to()).position());
            let (length_m, straight_m) = (link.length().get(), start.distance_m(end));
            let least_m = straight_m * (1.0 - SHORT_SHARE) - SHORT_M;
            if length_m < least_m && link.class() != super::RoadClass::Connector {
                put("length_m", What::TooShort { length_m, straight_m });
            }
            let line = self.line(index);
            let ends = line.first().zip(line.last());
            let apart_m = ends.map_or(0.0, |(a, b)| a.distance_m(start).max(b.distance_m(end)));
            if apart_m > APART_M {
                put("geometry", What::OffJunction { apart_m });
            }
        }
    }

    fn check_connection(&self, found: &mut Vec<Problem>) {
        let islands = self.islands();
        let main_island = islands.largest();
        let parts = self.strong_parts();
        let Some(main) = parts.largest() else { return };
        let size = parts.sizes()[main];
        let within = |link: &LinkIndex| parts.part(*link) == main;
        let reached = self.reached_from(self.link_indexes().find(within));
        let leading = self.leading_to(main, &parts);
        let mut told = vec![false; islands.sizes().len()];
        for (index, link) in self.link_indexes().zip(self.links()) {
            let mut put = |field, what: What| {
                found.push(Problem::new(Subject::Link, link.key().as_str(), field, what));
            };
            let island = islands.part(index);
            if Some(island) != main_island {
                if !std::mem::replace(&mut told[island], true) {
                    put("from", What::Island { links: islands.sizes()[island] });
                }
                continue;
            }
            if self.movements_from(index).is_empty() && self.junction(link.to()).is_passable() {
                put("to", What::DeadEnd);
            } else if !leading[index.slot()] {
                put("to", What::NoWayOut { main: size });
            }
            if !reached[index.slot()] {
                put("from", What::Unreachable { main: size });
            }
        }
    }

    /// Links from which the main part can be reached.
    fn leading_to(&self, main: usize, parts: &super::Parts) -> Vec<bool> {
        let mut before: Vec<Vec<LinkIndex>> = vec![Vec::new(); self.links().len()];
        for movement in self.movements() {
            before[movement.to.slot()].push(movement.from);
        }
        let mut leading = vec![false; self.links().len()];
        let mut waiting: Vec<_> =
            self.link_indexes().filter(|link| parts.part(*link) == main).collect();
        while let Some(link) = waiting.pop() {
            if !std::mem::replace(&mut leading[link.slot()], true) {
                waiting.extend(&before[link.slot()]);
            }
        }
        leading
    }
}
