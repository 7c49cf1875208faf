//! Keyframes against a plain list of cuts, whole and damaged.

use std::fs;

use proptest::prelude::*;

use super::city_tests::{City, START, Step};
use super::keyframe::{decode, encode, newest_in, path};
use super::plain_tests::keyframes;
use super::tests::{open, run, temporary};
use super::*;

fn city(cuts: &[u64]) -> Vec<Step> {
    let mut city = City::new();
    let mut epoch = START;
    for (number, later) in (0..).zip(cuts) {
        epoch += later;
        city.close(epoch, &[(number, 10.5)], &[]);
        city.cut();
    }
    city.steps
}

fn kept(archive: &Archive) -> Vec<Epoch> {
    let view = archive.catalogue().view();
    view.keyframes().iter().map(|keyframe| keyframe.epoch()).collect()
}

#[test]
fn the_first_cut_of_each_quarter_hour_is_kept() {
    let dir = temporary();
    let mut archive = open(&dir);
    archive.begin(None, None).unwrap();
    // Half a second before 07:00.
    let steps = city(&[0, 4, 1, 8_998, 2, 8_999, 40_000]);
    run(&mut archive, &steps).unwrap();
    assert_eq!(kept(&archive), [0, 5, 9_005, 58_004].map(|n| Epoch::new(START + n)));
    let path = format!("archive/keyframes/date=2026-11-22/keyframe-{START}.snapshot");
    assert!(dir.path().join(path).exists());
}

#[test]
fn a_keyframe_comes_back_as_it_was() {
    let steps = city(&[0, 10_000]);
    let snapshot = &*steps[1].0.snapshot;
    let file = encode(snapshot, EventTime::from_ms(-7)).unwrap();
    assert_eq!(decode(snapshot.epoch, &file).unwrap(), *snapshot);
    assert_eq!(newest_in(snapshot.epoch, &file), Ok(EventTime::from_ms(-7)));
    let renamed = decode(Epoch::new(9), &file).unwrap_err().to_string();
    assert!(renamed.contains("named after epoch 9"), "{renamed}");
    assert!(newest_in(Epoch::new(9), &file).is_err());
}

/// What is done to a keyframe behind our back.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
    Remove,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0_usize..2_000).prop_map(Damage::Flip),
        (0_usize..100).prop_map(Damage::Cut),
        Just(Damage::Remove),
    ]
}

fn harm(path: &Path, damage: Damage) {
    let mut bytes = fs::read(path).unwrap();
    match damage {
        Damage::Flip(at) => {
            let at = at % bytes.len();
            bytes[at] ^= 4;
            fs::write(path, bytes).unwrap();
        }
        Damage::Cut(to) => {
            bytes.truncate(to);
            fs::write(path, bytes).unwrap();
        }
        Damage::Remove => fs::remove_file(path).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The newest that is whole, of an epoch and with an event time that are not too new.
    #[test]
    fn a_view_finds_what_a_list_finds(
        cuts in prop::collection::vec(prop_oneof![1_u64..3_000, 8_000_u64..20_000], 1..16),
        damages in prop::collection::vec((0_usize..30, damage()), 0..8),
        reopened in prop::bool::ANY,
    ) {
        let steps = city(&cuts);
        let dir = temporary();
        let mut archive = open(&dir);
        archive.begin(None, None).unwrap();
        run(&mut archive, &steps).unwrap();
        if reopened {
            archive = open(&dir);
            archive.begin(steps.last().map(|(closed, _)| &closed.snapshot), None).unwrap();
        }
        let mut whole = keyframes(&steps);
        prop_assert!(kept(&archive).iter().eq(whole.iter().map(|(epoch, _)| epoch)));
        for (at, damage) in damages {
            if whole.is_empty() {
                break;
            }
            let (epoch, _) = whole.remove(at % whole.len());
            harm(&dir.path().join(path(epoch)), damage);
        }
        let view = archive.catalogue().view();
        let ends = steps.iter().map(|(closed, _)| closed.snapshot.epoch);
        let times = steps.iter().map(|(_, state)| state.unwrap().newest_event_time());
        for epoch in ends.flat_map(|end| [Epoch::new(end.number() - 1), end]) {
            for time in times.clone().flat_map(|time| [Some(time.plus_ms(-1)), Some(time), None]) {
                let expected = whole.iter().rfind(|(end, newest)| {
                    *end <= epoch && time.is_none_or(|time| *newest <= time)
                });
                let found = view.keyframe(epoch, time).unwrap();
                prop_assert_eq!(found.as_ref().map(|(end, _)| end), expected.map(|(end, _)| end));
                if let Some((end, snapshot)) = found {
                    let of = steps.iter().find(|(closed, _)| closed.snapshot.epoch == end);
                    prop_assert_eq!(&snapshot, &*of.unwrap().0.snapshot);
                }
            }
        }
    }
}
