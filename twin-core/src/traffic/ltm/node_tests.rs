//! The node model against its closed forms, its defining properties and a slow filling.

use proptest::prelude::*;

use super::*;

/// A junction with a full table of shares.
#[derive(Clone, Debug)]
struct Junction {
    sending: Vec<f64>,
    priority: Vec<f64>,
    shares: Vec<Vec<f64>>,
    rooms: Vec<f64>,
}

impl Junction {
    fn solve(&self) -> Vec<f64> {
        let outs = self.rooms.len();
        let first: Vec<usize> = (0..=self.sending.len()).map(|way| way * outs).collect();
        let places: Vec<u16> =
            self.sending.iter().flat_map(|_| 0..u16::try_from(outs).unwrap()).collect();
        let ways = WaysIn {
            sending: &self.sending,
            priority: &self.priority,
            first: &first,
            places: &places,
            shares: &self.shares.concat(),
        };
        let mut flows = vec![0.0; self.sending.len()];
        solve(&ways, &mut self.rooms.clone(), &mut vec![0.0; outs], &mut flows);
        flows
    }

    fn reaching(&self, flows: &[f64], out: usize) -> f64 {
        flows.iter().zip(&self.shares).map(|(flow, shares)| flow * shares[out]).sum()
    }

    /// Opens all ways in, in small increments of their priority, until each is empty or held.
    fn fill(&self, increments: u32) -> Vec<f64> {
        let mut flows = vec![0.0; self.sending.len()];
        let mut held = vec![false; self.sending.len()];
        for _ in 0..increments {
            for way in 0..flows.len() {
                let rise = self.priority[way] / f64::from(increments);
                if !held[way] {
                    flows[way] = (flows[way] + rise).min(self.sending[way]);
                }
            }
            for (out, room) in self.rooms.iter().enumerate() {
                if self.reaching(&flows, out) >= *room {
                    for (held, shares) in held.iter_mut().zip(&self.shares) {
                        *held |= shares[out] > 0.0;
                    }
                }
            }
        }
        flows
    }
}

fn check(sending: &[f64], priority: &[f64], shares: &[&[f64]], rooms: &[f64], expected: &[f64]) {
    let junction = Junction {
        sending: sending.to_vec(),
        priority: priority.to_vec(),
        shares: shares.iter().map(|row| row.to_vec()).collect(),
        rooms: rooms.to_vec(),
    };
    let flows = junction.solve();
    for (flow, expected) in flows.iter().zip(expected) {
        assert!((flow - expected).abs() < 1e-12, "{flows:?}, expected {expected}");
    }
}

#[test]
fn a_diverge_holds_everybody_behind_the_first_in_line() {
    check(&[0.8], &[0.8], &[&[0.75, 0.25]], &[0.3, 0.8], &[0.4]);
    check(&[0.8], &[0.8], &[&[0.75, 0.25]], &[f64::INFINITY, 0.8], &[0.8]);
    check(&[0.8], &[0.8], &[&[1.0, 0.0]], &[0.3, 0.0], &[0.3]);
}

#[test]
fn a_merge_shares_by_capacity_and_leaves_nothing_unused() {
    let one: &[&[f64]] = &[&[1.0], &[1.0]];
    check(&[0.8, 0.4], &[0.8, 0.4], one, &[0.9], &[0.6, 0.3]);
    check(&[0.8, 0.2], &[0.8, 0.4], one, &[0.9], &[0.7, 0.2]);
    check(&[0.1, 0.4], &[0.8, 0.4], one, &[0.4], &[0.1, 0.3]);
    check(&[0.8, 0.4], &[0.8, 0.4], one, &[0.0], &[0.0, 0.0]);
}

/// The junction of Tampère et al. 2011 with four ways in and out, worked by hand. Way out 2 fills
/// first; way in 0 is empty before; ways 1 and 3 share the 850 left at (1000 − 150)/(300 + 941.18)
/// of their capacity of 2000; way 2 then has room.
#[test]
fn a_crossing_of_four_ways() {
    let shares: &[&[f64]] = &[
        &[0.0, 50.0 / 500.0, 150.0 / 500.0, 300.0 / 500.0],
        &[100.0 / 2000.0, 0.0, 300.0 / 2000.0, 1600.0 / 2000.0],
        &[100.0 / 800.0, 100.0 / 800.0, 0.0, 600.0 / 800.0],
        &[100.0 / 1700.0, 800.0 / 1700.0, 800.0 / 1700.0, 0.0],
    ];
    let junction = Junction {
        sending: vec![500.0, 2000.0, 800.0, 1700.0],
        priority: vec![1000.0, 2000.0, 1000.0, 2000.0],
        shares: shares.iter().map(|row| row.to_vec()).collect(),
        rooms: vec![1000.0, 2000.0, 1000.0, 2000.0],
    };
    let flows = junction.solve();
    let expected = [500.0, 1_369.668_246, 800.0, 1_369.668_246];
    for (flow, expected) in flows.iter().zip(expected) {
        assert!((flow - expected).abs() < 1e-6, "{flows:?}");
    }
}

fn junctions() -> impl Strategy<Value = Junction> {
    (1_usize..5, 1_usize..5).prop_flat_map(|(ins, outs)| {
        let part = || prop_oneof![Just(0.0), 0.01..1.0_f64];
        let row = move || {
            prop::collection::vec(part(), outs).prop_map(|mut shares| {
                shares[0] += f64::from(shares.iter().sum::<f64>() <= 0.0);
                let sum: f64 = shares.iter().sum();
                shares.iter().map(|share| share / sum).collect::<Vec<f64>>()
            })
        };
        let rooms = prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.5_f64], outs);
        let ways = prop::collection::vec((part(), 0.1..1.0_f64, row()), ins);
        (ways, rooms).prop_map(|(ways, rooms)| Junction {
            sending: ways.iter().map(|(part, priority, _)| part * priority).collect(),
            priority: ways.iter().map(|(_, priority, _)| *priority).collect(),
            shares: ways.into_iter().map(|(_, _, shares)| shares).collect(),
            rooms,
        })
    })
}

proptest! {
    #[test]
    fn nobody_is_held_without_a_full_way_out(junction in junctions()) {
        let flows = junction.solve();
        let full = |out: usize| junction.reaching(&flows, out) >= junction.rooms[out] - 1e-9;
        for (way, flow) in flows.iter().enumerate() {
            prop_assert!((0.0..=junction.sending[way] + 1e-12).contains(flow));
            let held = (0..junction.rooms.len())
                .any(|out| junction.shares[way][out] > 0.0 && full(out));
            prop_assert!(*flow >= junction.sending[way] - 1e-12 || held, "{flows:?}");
        }
        for (out, room) in junction.rooms.iter().enumerate() {
            prop_assert!(junction.reaching(&flows, out) <= room + 1e-9);
        }
    }

    #[test]
    fn who_is_held_passes_the_same_when_it_wants_more(junction in junctions()) {
        let flows = junction.solve();
        let mut eager = junction.clone();
        for (way, flow) in flows.iter().enumerate() {
            if *flow < junction.sending[way] - 1e-9 {
                eager.sending[way] = junction.priority[way];
            }
        }
        for (eager, flow) in eager.solve().iter().zip(&flows) {
            prop_assert!((eager - flow).abs() < 1e-9);
        }
    }

    #[test]
    fn it_equals_a_slow_filling(junction in junctions()) {
        let (flows, slow) = (junction.solve(), junction.fill(20_000));
        for (flow, slow) in flows.iter().zip(&slow) {
            prop_assert!((flow - slow).abs() < 2e-3, "{flows:?} and {slow:?}");
        }
    }
}
