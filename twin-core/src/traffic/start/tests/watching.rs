//! An estimate can be ended wherever it is, and what it will reach is known before.

use std::ops::ControlFlow;

use super::random::{Chance, grid, hidden};
use super::*;
use crate::pace::{UNASKED, tests::walked_since};

/// A third of the links of a town measured, wrongly: the flows contradict each other.
fn town() -> (Network, Measurements) {
    let mut chance = Chance(7);
    let class = |great| if great { RoadClass::Primary } else { RoadClass::Tertiary };
    let network = grid(20, class);
    let truth = hidden(&network, 300, &mut chance);
    let measured = network.link_indexes().zip(truth).filter(|(link, _)| link.slot() % 3 == 0);
    let links = measured.map(|(link, flow)| LinkMeasurement {
        link,
        flow_veh_h: (link.slot() % 9 != 0).then(|| flow * 2.0 * chance.share()),
        speed_kmh: Some(30.0),
        occupancy_ratio: None,
        sensors: 1,
        freshness: 0.25 + 0.75 * chance.share(),
    });
    let links = links.collect();
    (network, Measurements { links, ..Measurements::default() })
}

#[test]
fn who_says_stop_is_obeyed_at_once() {
    let (network, measured) = town();
    let settings = EstimateSettings::default();
    let (mut questions, mut longest) = (0, 0);
    walked_since();
    let whole = Start::estimate_watched(&network, &measured, settings, &mut || {
        questions += 1;
        longest = longest.max(walked_since());
        ControlFlow::Continue(())
    });
    let whole = whole.continue_value().unwrap();
    assert!(longest <= UNASKED + 8 * network.links().len(), "{longest}");
    assert!(questions > 10, "{questions}");
    assert_eq!(whole, Start::estimate(&network, &measured, settings));
    for last in 0..questions {
        let mut count = 0;
        let ended = Start::estimate_watched(&network, &measured, settings, &mut || {
            count += 1;
            walked_since();
            if count > last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(ended.is_break(), "{last} of {questions}");
        assert_eq!((count, walked_since()), (last + 1, 0), "nothing more is done or asked");
    }
}

#[test]
fn how_far_measurements_reach_is_known_before() {
    let (network, measured) = town();
    let (links, quality) = measured.reach(&network);
    let start = estimate(&network, &measured);
    assert_eq!(links, start.links.iter().filter(|one| one.source == Source::Measured).count());
    assert!(links > 0 && links < measured.links.len());
    assert_eq!(quality.to_bits(), start.quality(&network).to_bits());
}
