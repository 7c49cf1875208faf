//! Plans that come with a network and plans that are made up.

use super::*;

fn made_up(text: &str, change: impl FnOnce(&mut Draft)) -> (Network, SignalPlan) {
    let mut draft = draft(text);
    let middle = draft.junctions.iter_mut().find(|junction| junction.key == "m").unwrap();
    middle.control = Control::Signal;
    change(&mut draft);
    let network = sound(draft);
    let plan = network.signal_plan(network.find_junction("m").unwrap()).unwrap();
    (network, plan)
}

#[test]
fn two_roads_share_the_cycle() {
    let (network, plan) = made_up("l=m m=n m=c m=w", |_| {});
    assert!((plan.cycle_s() - 90.0).abs() < 1e-12);
    assert_eq!(plan.phases().len(), 2);
    let spans: Vec<_> = plan.greens().map(|(_, start, end)| (start, end)).collect();
    assert_eq!(spans, [(0.0, 41.0), (45.0, 86.0)]);
    let share = plan.green_share(link(&network, "l-m"), link(&network, "m-n"));
    assert!((share - 41.0 / 90.0).abs() < 1e-12);
    let opposite = plan.green_share(link(&network, "n-m"), link(&network, "m-l"));
    assert!((share - opposite).abs() < 1e-12);
}

#[test]
fn the_greater_road_gets_more() {
    let (network, plan) = made_up("l=m m=n m=c m=w", |draft| {
        let side = |link: &&mut DraftLink| link.key == "c-m" || link.key == "w-m";
        draft.links.iter_mut().filter(side).for_each(|link| link.class = RoadClass::Primary);
    });
    let greens: Vec<_> = plan.greens().map(|(_, start, end)| end - start).collect();
    // 68 s to share beyond 7 s each, by 3 x 2 lanes to 1 x 1 lane.
    assert!((greens[0] - (7.0 + 68.0 * 6.0 / 7.0)).abs() < 1e-9, "{greens:?}");
    assert!((greens[1] - (7.0 + 68.0 / 7.0)).abs() < 1e-9, "{greens:?}");
    assert_eq!(plan.phases()[0].releases[0].from, link(&network, "c-m"));
}

#[test]
fn a_signal_on_one_road_is_a_pedestrian_crossing() {
    let (network, plan) = made_up("l=m m=n", |_| {});
    let share = plan.green_share(link(&network, "l-m"), link(&network, "m-n"));
    assert!((share - 35.0 / 60.0).abs() < 1e-12, "60 s less 21 s walk and 4 s lost");
}

#[test]
fn no_signal_no_plan() {
    let network = network("l=m m=n");
    assert_eq!(network.signal_plan(network.find_junction("m").unwrap()), None);
}

#[test]
fn greens_of_two_rings_are_counted_once() {
    let release = |from: u32, to: Option<u32>| Release {
        from: LinkIndex::new(from),
        to: to.map(LinkIndex::new),
    };
    let phase = |ring, green_s, releases| Phase { ring, green_s, clearance_s: 5.0, releases };
    let phases = vec![
        phase(1, 20.0, vec![release(0, None)]),
        phase(1, 30.0, vec![release(1, Some(7))]),
        phase(2, 35.0, vec![release(0, Some(7))]),
    ];
    let plan = SignalPlan::new(60.0, 10.0, phases).unwrap();
    let share = |from, to| plan.green_share(LinkIndex::new(from), LinkIndex::new(to));
    assert!((share(0, 7) - 35.0 / 60.0).abs() < 1e-12);
    assert!((share(0, 8) - 20.0 / 60.0).abs() < 1e-12);
    assert!((share(1, 7) - 30.0 / 60.0).abs() < 1e-12);
    assert!(share(1, 8).abs() < 1e-12);
    assert_eq!(SignalPlan::new(60.0, 60.0, vec![]), Err(SignalError::Offset(60.0)));
    assert_eq!(SignalPlan::new(60.0, 0.0, vec![]), Err(SignalError::NoPhase));
}
