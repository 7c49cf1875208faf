//! Random networks, starts, demand, signals and edits: no vehicle from nowhere, none lost, none
//! above what a link holds or lets pass.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Case {
    network: Network,
    inputs: PlanInputs,
    /// Per link, density as a part of jam density.
    start: Vec<f64>,
}

fn links(junctions: u32) -> impl Strategy<Value = Vec<Link>> {
    let link = (0..junctions, 0..junctions, 2.0..400.0_f64, 5.0..30.0_f64, 3.0..7.0_f64);
    let sizes = (0.1..0.6_f64, prop::option::of(0.2..1.0_f64));
    let link = (link, sizes).prop_map(|((from, to, length_m, u, w), (k, part))| {
        let link = Link {
            from,
            to,
            length_m,
            free_speed_mps: u,
            wave_speed_mps: w,
            jam_density_pcu_m: k,
            capacity_pcu_s: None,
        };
        Link { capacity_pcu_s: part.map(|part| part * link.peak_pcu_s()), ..link }
    });
    prop::collection::vec(link, 1..16)
}

fn effect(links: u32, movements: u32, sinks: u32) -> impl Strategy<Value = Effect> {
    prop_oneof![
        (0..links).prop_map(|link| Effect::Close { link }),
        (0..links, 0.0..2.0_f64).prop_map(|(link, factor)| Effect::Capacity { link, factor }),
        (0..links, 0.2..2.0_f64).prop_map(|(link, factor)| Effect::Speed { link, factor }),
        (0..links, 1.0..2.0_f64).prop_map(|(link, factor)| Effect::Lanes { link, factor }),
        (0..links, 0.0..60.0_f64).prop_map(|(link, worth_s)| Effect::Toll { link, worth_s }),
        (0..links, 0..sinks).prop_map(|(link, first)| Effect::Avoid { link, first, count: 1 }),
        (0..movements.max(1)).prop_map(move |movement| {
            if movements == 0 { Effect::Close { link: 0 } } else { Effect::Ban { movement } }
        }),
    ]
}

fn networks() -> impl Strategy<Value = Network> {
    (3_u32..8).prop_flat_map(|junctions| {
        let ends = prop::collection::vec((0..junctions, prop::option::of(0.1..1.0_f64)), 1..4);
        (links(junctions), ends.clone(), ends).prop_map(move |(links, origins, sinks)| {
            let origins = origins
                .into_iter()
                .map(|(junction, capacity_pcu_s)| Origin { junction, capacity_pcu_s });
            let sinks = sinks
                .into_iter()
                .map(|(junction, capacity_pcu_s)| Destination { junction, capacity_pcu_s });
            Network::new(junctions, links, origins.collect(), sinks.collect(), &[]).unwrap()
        })
    })
}

fn cases() -> impl Strategy<Value = Case> {
    networks().prop_flat_map(|network| {
        let (links, movements) = (network.links().len(), network.movements());
        let counts = (u32::try_from(links).unwrap(), u32::try_from(movements).unwrap());
        let origins = u32::try_from(network.origins().len()).unwrap();
        let sinks = u32::try_from(network.destinations().len()).unwrap();
        let row = (0..origins, 0..sinks, 0.0..300.0_f64, 1.0..600.0_f64, 0.0..1.5_f64);
        let demand = prop::collection::vec(row, 0..5);
        let edit = (effect(counts.0, counts.1, sinks), 0.0..500.0_f64, 1.0..300.0_f64);
        let edits = prop::collection::vec(edit, 0..5);
        let limit = (0..counts.1.max(1), 0.0..0.6_f64, any::<bool>());
        let limits = prop::collection::vec(limit, 0..if movements == 0 { 1 } else { 4 });
        let start = prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.0_f64], links);
        let routing = prop_oneof![
            Just(Routing::Turning(Turning::default())),
            Just(Routing::Destinations(RouteChoice { every_s: 40.0, theta_per_s: None })),
            Just(Routing::Destinations(RouteChoice { every_s: 40.0, theta_per_s: Some(0.05) })),
        ];
        let step = prop_oneof![Just(1.0), Just(4.0), Just(8.0)];
        (demand, edits, limits, (start, routing, step)).prop_map(
            move |(demand, edits, limits, (start, routing, step_s))| {
                let signal = Signal {
                    cycle_s: 60.0,
                    offset_s: 7.0,
                    greens: vec![(0.0, 25.0)],
                    mode: SignalMode::OnOff,
                };
                let inputs = PlanInputs {
                    step_s,
                    interval_s: 40.0,
                    demand: demand.into_iter().map(wanted).collect(),
                    routing,
                    limits: limits.into_iter().map(limited).collect(),
                    signals: vec![signal],
                    changes: edits.into_iter().map(edited).collect(),
                };
                Case { network: network.clone(), inputs, start }
            },
        )
    })
}

fn wanted((origin, to, from_s, lasting_s, flow_pcu_s): (u32, u32, f64, f64, f64)) -> Demand {
    Demand { origin, destination: Some(to), from_s, until_s: from_s + lasting_s, flow_pcu_s }
}

fn limited((movement, flow_pcu_s, light): (u32, f64, bool)) -> MovementLimit {
    MovementLimit { movement, flow_pcu_s, signal: light.then_some(0) }
}

fn edited((effect, from_s, lasting_s): (Effect, f64, f64)) -> Change {
    Change { from_s, until_s: from_s + lasting_s, effect }
}

/// How much more lanes a link ever has: its storage and capacity grow by that.
fn lanes(case: &Case, link: usize) -> f64 {
    let of = |change: &Change| {
        if let Effect::Lanes { link: of, factor } = change.effect
            && of as usize == link
        {
            return factor;
        }
        1.0
    };
    case.inputs.changes.iter().map(of).product()
}

fn peak(case: &Case, link: usize) -> f64 {
    let fast = |change: &Change| {
        if let Effect::Speed { link: of, factor } = change.effect
            && of as usize == link
        {
            return factor.max(1.0);
        }
        1.0
    };
    let factor: f64 = case.inputs.changes.iter().map(fast).product();
    let given = &case.network.links()[link];
    let faster = Link { free_speed_mps: given.free_speed_mps * factor, ..*given };
    faster.peak_pcu_s() * lanes(case, link)
}

proptest! {
    #[test]
    fn vehicles_are_neither_made_nor_lost_nor_squeezed(case in cases()) {
        let roads = case.network.links();
        let plan = plan(&case.network, case.inputs.clone());
        let starts: Vec<LinkStart> = case.start.iter().zip(roads)
            .map(|(part, link)| LinkStart::uniform(link, part * link.jam_density_pcu_m))
            .collect();
        let mut state = State::new(&plan, &starts).unwrap();
        let mut before = vec![(0.0, 0.0); roads.len()];
        for (link, mark) in (0_u32..).zip(&mut before) {
            *mark = state.counts_pcu(link).unwrap();
        }
        for _ in 0..120 {
            let interval = state.step(&plan).cloned();
            let totals = state.totals();
            prop_assert!(totals.missing_pcu.abs() < 1e-9, "{totals:?}");
            let owed = totals.demanded_pcu - totals.entered_pcu - totals.waiting_pcu;
            prop_assert!(owed.abs() < 1e-9 && totals.waiting_pcu >= 0.0, "{totals:?}");
            for (link, mark) in (0_u32..).zip(&mut before) {
                let counts = state.counts_pcu(link).unwrap();
                let (number, vehicles) = (link as usize, counts.0 - counts.1);
                let most = peak(&case, number) * plan.step_s() + 1e-7;
                let (entered, left) = (counts.0 - mark.0, counts.1 - mark.1);
                prop_assert!((0.0..=most).contains(&entered), "link {link}: {entered} of {most}");
                prop_assert!((0.0..=most).contains(&left), "link {link}: {left} of {most}");
                let storage = roads[number].storage_pcu() * lanes(&case, number) + 1e-7;
                prop_assert!((0.0..=storage).contains(&vehicles), "link {link}: {vehicles}");
                *mark = counts;
            }
            for (figures, link) in interval.iter().flat_map(|interval| &interval.links).zip(roads) {
                prop_assert!(figures.delay_pcu_s >= 0.0 && figures.queue_pcu >= 0.0);
                prop_assert!(figures.speed_mps >= 0.0, "{figures:?}");
                prop_assert!(figures.speed_mps <= link.free_speed_mps * 33.0, "{figures:?}");
            }
        }
    }

    #[test]
    fn a_fork_at_any_time_changes_nothing(case in cases(), at in 0_u32..60) {
        let plan_a = plan(&case.network, case.inputs.clone());
        let mut changes = case.inputs.changes.clone();
        let effect = Effect::Capacity { link: 0, factor: 1.0 };
        changes.push(Change { from_s: 30.0, until_s: 170.0, effect });
        let plan_b = plan(&case.network, PlanInputs { changes, ..case.inputs });
        let mut base = State::empty(&plan_a);
        for _ in 0..at {
            base.step(&plan_a);
        }
        let mut fork = base.adopt(&plan_a, &plan_a).unwrap();
        let mut unchanged = base.adopt(&plan_a, &plan_b).unwrap();
        for _ in at..90 {
            let expected = base.step(&plan_a);
            prop_assert_eq!(expected, fork.step(&plan_a));
            prop_assert_eq!(expected, unchanged.step(&plan_b));
        }
        prop_assert!(base == fork);
    }
}
