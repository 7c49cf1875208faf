//! What the edits make of one link over time: pieces of time in which it is the same, each told as
//! parts of what it is without edits, so that both models read the same numbers.
//!
//! Edits count in their order: a later number of lanes or speed limit replaces an earlier one,
//! factors multiply, lanes lost add up, of several floods the deepest counts.

use super::flood;
use crate::road::Link;
use crate::traffic::roads::Now;

/// The slowest and the fastest that edits make a link, as parts of its free speed.
const SPEEDS: (f64, f64) = (0.05, 4.0);

/// The most that edits make of a link's capacity, and of its lanes.
pub(super) const MOST: f64 = 10.0;

/// What one edit does to one link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Touch {
    Close,
    Lanes(f64),
    AddLanes(f64),
    Factor(f64),
    FlowPcuH(f64),
    Speed { limit_mps: f64, raises: bool },
    Lost { lanes: f64, remaining: f64 },
    Water { depth_m: f64, cut_m: f64 },
    Toll { worth_s: f64 },
}

/// A time in which a link is the same: begin and end in seconds from the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) from_s: f64,
    pub(super) until_s: f64,
    pub(super) now: Now,
}

/// The edits of one link, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timeline {
    touches: Vec<(f64, f64, Touch)>,
}

impl Timeline {
    pub(super) fn add(&mut self, (from_s, until_s): (f64, f64), touch: Touch) {
        self.touches.push((from_s, until_s, touch));
    }

    /// The pieces in which the link is not as without edits, in order of time.
    pub(super) fn pieces(&self, link: &Link) -> Vec<Piece> {
        let mut cuts: Vec<f64> =
            self.touches.iter().flat_map(|(from, until, _)| [*from, *until]).collect();
        cuts.sort_by(f64::total_cmp);
        cuts.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let mut pieces: Vec<Piece> = Vec::new();
        for cut in cuts.windows(2) {
            let (from_s, until_s) = (cut[0], cut[1]);
            let holds =
                |(from, until, _): &&(f64, f64, Touch)| *from <= from_s && until_s <= *until;
            let touches = self.touches.iter().filter(holds).map(|(_, _, touch)| touch);
            let now = now(link, touches);
            match pieces.last_mut() {
                Some(last) if last.until_s >= from_s && last.now == now => last.until_s = until_s,
                Some(_) | None => pieces.push(Piece { from_s, until_s, now }),
            }
        }
        pieces.retain(|piece| piece.now != Now::BASE);
        pieces
    }

    /// How the link is at a time.
    pub(super) fn at(&self, link: &Link, time_s: f64) -> Now {
        let holds = |(from, until, _): &&(f64, f64, Touch)| *from <= time_s && time_s < *until;
        now(link, self.touches.iter().filter(holds).map(|(_, _, touch)| touch))
    }
}

fn now<'a>(link: &Link, touches: impl Iterator<Item = &'a Touch>) -> Now {
    let (base_lanes, free) = (link.lanes().count(), link.free_speed().get());
    let (mut lanes, mut lost, mut remaining) = (base_lanes, 0.0, 1.0);
    let (mut factor, mut speed, mut water) = (1.0, free, free);
    let mut now = Now::BASE;
    for touch in touches {
        match *touch {
            Touch::Close => now.open = false,
            Touch::Lanes(set) => lanes = set,
            Touch::AddLanes(more) => lanes = (lanes + more).max(1.0),
            Touch::Factor(times) => factor *= times,
            Touch::FlowPcuH(flow) => factor = flow / (link.capacity_veh_h() * lanes / base_lanes),
            Touch::Speed { limit_mps, raises } => {
                speed = if raises { limit_mps } else { free.min(limit_mps) };
            }
            Touch::Lost { lanes, remaining: rest } => {
                lost += lanes;
                remaining *= rest;
            }
            Touch::Water { depth_m, cut_m } => match flood::speed_kmh(depth_m) {
                Some(kmh) if depth_m < cut_m => water = water.min(kmh / 3.6),
                Some(_) | None => now.open = false,
            },
            Touch::Toll { worth_s } => now.toll_s += worth_s,
        }
    }
    let open_lanes = if lost > 0.0 { (lanes - lost).max(0.0) / lanes * remaining } else { 1.0 };
    now.lanes = (lanes / base_lanes).min(MOST);
    now.capacity = (factor * open_lanes).min(MOST);
    // A flood slows a raised link as it would any other.
    let speed = if water < free { speed.min(water) } else { speed };
    now.speed = (speed / free).clamp(SPEEDS.0, SPEEDS.1);
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::road::{Control, Draft, DraftJunction, DraftLink, Network, RoadClass};

    /// One link of two lanes, 50 km/h, 3200 pcu/h.
    fn network() -> Network {
        let junction = |key: &str, latitude| DraftJunction {
            key: key.to_owned(),
            point: (latitude, 106.7),
            control: Control::None,
            passable: true,
        };
        let draft = Draft {
            junctions: vec![junction("a", 10.77), junction("b", 10.78)],
            links: vec![DraftLink::new("1", "a", "b", RoadClass::Primary)],
            ..Draft::default()
        };
        draft.build().network
    }

    fn check(touches: &[(f64, f64, Touch)], expected: &[(f64, f64, Now)]) {
        let network = network();
        let timeline = Timeline { touches: touches.to_vec() };
        let pieces = timeline.pieces(&network.links()[0]);
        let found: Vec<_> =
            pieces.iter().map(|piece| (piece.from_s, piece.until_s, piece.now)).collect();
        assert_eq!(found, expected);
    }

    const END: f64 = f64::INFINITY;

    #[test]
    fn what_changes_nothing_leaves_no_piece() {
        let free = 50.0 / 3.6;
        check(
            &[
                (0.0, END, Touch::Factor(1.0)),
                (5.0, 9.0, Touch::Lanes(2.0)),
                (5.0, 9.0, Touch::AddLanes(0.0)),
                (0.0, END, Touch::Speed { limit_mps: free * 2.0, raises: false }),
                (0.0, END, Touch::FlowPcuH(3_200.0)),
                (0.0, END, Touch::Toll { worth_s: 0.0 }),
            ],
            &[],
        );
    }

    #[test]
    fn later_limits_replace_factors_multiply_and_lanes_lost_add_up() {
        let speed = |kmh: f64| Touch::Speed { limit_mps: kmh / 3.6, raises: false };
        check(
            &[(0.0, 100.0, speed(30.0)), (50.0, END, speed(25.0))],
            &[
                (0.0, 50.0, Now { speed: 30.0 / 3.6 / (50.0 / 3.6), ..Now::BASE }),
                (50.0, END, Now { speed: 25.0 / 3.6 / (50.0 / 3.6), ..Now::BASE }),
            ],
        );
        let lost = Touch::Lost { lanes: 1.0, remaining: 1.0 };
        check(
            &[(0.0, 10.0, Touch::Factor(0.5)), (5.0, 10.0, lost), (7.0, 10.0, lost)],
            &[
                (0.0, 5.0, Now { capacity: 0.5, ..Now::BASE }),
                (5.0, 7.0, Now { capacity: 0.25, ..Now::BASE }),
                (7.0, 10.0, Now { capacity: 0.0, ..Now::BASE }),
            ],
        );
    }

    #[test]
    fn water_slows_to_the_published_speed_and_then_cuts() {
        let water = |depth_m| Touch::Water { depth_m, cut_m: 0.3 };
        let slow = Now { speed: 24.2598 / 3.6 / (50.0 / 3.6), ..Now::BASE };
        let network = network();
        let timeline = Timeline { touches: vec![(0.0, END, water(0.15)), (9.0, END, water(0.31))] };
        let now = timeline.at(&network.links()[0], 1.0);
        assert!((now.speed - slow.speed).abs() < 1e-12 && now.open, "{now:?}");
        assert!(!timeline.at(&network.links()[0], 9.0).open);
        check(&[(0.0, END, water(0.05))], &[]);
    }
}
