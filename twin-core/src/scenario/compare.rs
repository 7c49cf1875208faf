//! What differs between two outcomes, the most affected first.

use std::collections::BTreeMap;

use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::identity::OutcomeId;
use super::outcome::{Interval, JourneyTimes, LinkFigures, Outcome, PlaceFigures, Totals};
use crate::road::{JunctionKey, LinkKey, ZoneKey};

/// The differences: the second outcome less the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The first outcome.
    pub from: OutcomeId,
    /// The second.
    pub to: OutcomeId,
    /// Links that differ; most additional or saved delay first, then most change of flow.
    pub links: Vec<LinkDifference>,
    /// Cells that differ, in the same order.
    pub cells: Vec<CellDifference>,
    /// Zones that differ, in the same order.
    pub zones: Vec<ZoneDifference>,
    /// Journeys that both were asked for; most additional or saved time first, then those with a
    /// way in one of them only.
    pub journeys: Vec<JourneyDifference>,
    /// All together. The mean speed is the difference of the two, where both have one.
    pub totals: Totals,
}

/// A link that differs, over the whole horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkDifference {
    /// The link.
    pub key: LinkKey,
    /// Whether both have it.
    pub found: Found,
    /// Mean flow, veh/h.
    pub flow_veh_h: f64,
    /// Mean speed over time, km/h; 0 where one outcome does not have the link.
    pub speed_kmh: f64,
    /// Mean density, veh/km.
    pub density_veh_km: f64,
    /// Longest queue, vehicles.
    pub queue_veh: f64,
    /// Delay, vehicle hours.
    pub delay_veh_h: f64,
}

/// Which outcome has a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Both.
    Both,
    /// Only the first.
    First,
    /// Only the second.
    Second,
}

/// A cell that differs, over the whole horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellDifference {
    /// The cell.
    pub cell: CellIndex,
    /// Distance, vehicle kilometres.
    pub vehicle_km: f64,
    /// Time, vehicle hours.
    pub vehicle_h: f64,
    /// Delay, vehicle hours.
    pub delay_veh_h: f64,
    /// Mean speed, km/h; `None` where one of them has none.
    pub speed_kmh: Option<f64>,
}

/// A zone that differs, over the whole horizon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneDifference {
    /// The zone.
    pub zone: ZoneKey,
    /// Distance, vehicle kilometres.
    pub vehicle_km: f64,
    /// Time, vehicle hours.
    pub vehicle_h: f64,
    /// Delay, vehicle hours.
    pub delay_veh_h: f64,
    /// Mean speed, km/h; `None` where one of them has none.
    pub speed_kmh: Option<f64>,
}

/// A journey in both outcomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JourneyDifference {
    /// Where it starts.
    pub from: JunctionKey,
    /// Where it ends.
    pub to: JunctionKey,
    /// In the first outcome.
    pub first: JourneyMean,
    /// In the second.
    pub second: JourneyMean,
    /// How much longer it takes in the second, seconds; `None` where one has no way.
    pub seconds: Option<f64>,
}

/// A journey over the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JourneyMean {
    /// Mean travel time of leaving at any time at which there is a way, seconds.
    pub seconds: Option<f64>,
    /// Part of the time at which there is none.
    pub cut_share: f64,
}

/// Why two outcomes cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum CompareError {
    /// Another horizon.
    #[error("one looks {0} s ahead, the other {1} s")]
    Horizon(f64, f64),
}

/// What the second has more than the first. They may be of different models, and of networks that
/// differ; intervals need not be the same. O(figures).
///
/// # Errors
/// When they look ahead differently far.
pub fn compare(first: &Outcome, second: &Outcome) -> Result<Comparison, CompareError> {
    if first.horizon_s.to_bits() != second.horizon_s.to_bits() {
        return Err(CompareError::Horizon(first.horizon_s, second.horizon_s));
    }
    Ok(Comparison {
        from: first.id,
        to: second.id,
        links: links(first, second),
        cells: cells(first, second),
        zones: zones(first, second),
        journeys: journeys(first, second),
        totals: totals(&first.totals, &second.totals),
    })
}

/// Two values by key: of the first, of the second.
fn joined<K: Ord, V>(
    first: impl Iterator<Item = (K, V)>,
    second: impl Iterator<Item = (K, V)>,
) -> BTreeMap<K, (Option<V>, Option<V>)> {
    let mut all: BTreeMap<K, (Option<V>, Option<V>)> = BTreeMap::new();
    for (key, value) in first {
        all.insert(key, (Some(value), None));
    }
    for (key, value) in second {
        all.entry(key).or_insert((None, None)).1 = Some(value);
    }
    all
}

fn links(first: &Outcome, second: &Outcome) -> Vec<LinkDifference> {
    let keyed = |outcome: &Outcome| {
        let means = (0..outcome.links.len()).map(|slot| mean(outcome, slot)).collect::<Vec<_>>();
        outcome.links.iter().map(|link| link.key.clone()).zip(means).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for (key, pair) in joined(keyed(first).into_iter(), keyed(second).into_iter()) {
        let none = LinkFigures::default();
        let (from, to, present) = match pair {
            (Some(from), Some(to)) if from == to => continue,
            (Some(from), Some(to)) => (from, to, Found::Both),
            (Some(from), None) => (from, none, Found::First),
            (None, Some(to)) => (none, to, Found::Second),
            (None, None) => continue,
        };
        let both = present == Found::Both;
        found.push(LinkDifference {
            key,
            found: present,
            flow_veh_h: to.flow_veh_h - from.flow_veh_h,
            speed_kmh: if both { to.speed_kmh - from.speed_kmh } else { 0.0 },
            density_veh_km: to.density_veh_km - from.density_veh_km,
            queue_veh: to.queue_veh - from.queue_veh,
            delay_veh_h: to.delay_veh_h - from.delay_veh_h,
        });
    }
    found.sort_by(|a, b| {
        let delay = b.delay_veh_h.abs().total_cmp(&a.delay_veh_h.abs());
        let flow = b.flow_veh_h.abs().total_cmp(&a.flow_veh_h.abs());
        delay.then(flow).then_with(|| a.key.cmp(&b.key))
    });
    found
}

/// A link over all intervals: means by time, the longest queue, all its delay.
fn mean(outcome: &Outcome, slot: usize) -> LinkFigures {
    let mut sum = LinkFigures::default();
    let mut seconds = 0.0;
    for interval in &outcome.intervals {
        let (one, time_s) = (&interval.links[slot], interval.until_s - interval.from_s);
        seconds += time_s;
        sum.entered_veh_h += one.entered_veh_h * time_s;
        sum.flow_veh_h += one.flow_veh_h * time_s;
        sum.speed_kmh += one.speed_kmh * time_s;
        sum.density_veh_km += one.density_veh_km * time_s;
        sum.queue_veh = sum.queue_veh.max(one.queue_veh);
        sum.delay_veh_h += one.delay_veh_h;
    }
    if seconds > 0.0 {
        sum.entered_veh_h /= seconds;
        sum.flow_veh_h /= seconds;
        sum.speed_kmh /= seconds;
        sum.density_veh_km /= seconds;
    }
    sum
}

/// Places over all intervals, by their keys.
fn sums<K: Clone>(
    outcome: &Outcome,
    keys: &[K],
    places: impl Fn(&Interval) -> &[PlaceFigures],
) -> Vec<(K, PlaceFigures)> {
    let sum = |(slot, key): (usize, &K)| {
        let mut sum = PlaceFigures::default();
        for place in outcome.intervals.iter().map(|interval| &places(interval)[slot]) {
            sum.vehicle_km += place.vehicle_km;
            sum.vehicle_h += place.vehicle_h;
            sum.delay_veh_h += place.delay_veh_h;
        }
        sum.speed_kmh = super::places::mean_speed(sum.vehicle_km, sum.vehicle_h);
        (key.clone(), sum)
    };
    keys.iter().enumerate().map(sum).collect()
}

/// Places that differ: the second less the first; most delay first, then most distance.
fn places<K: Ord>(
    first: Vec<(K, PlaceFigures)>,
    second: Vec<(K, PlaceFigures)>,
) -> Vec<(K, PlaceFigures)> {
    let mut found = Vec::new();
    for (key, (from, to)) in joined(first.into_iter(), second.into_iter()) {
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        if from != to {
            let more = PlaceFigures {
                vehicle_km: to.vehicle_km - from.vehicle_km,
                vehicle_h: to.vehicle_h - from.vehicle_h,
                delay_veh_h: to.delay_veh_h - from.delay_veh_h,
                queue_veh: 0.0,
                speed_kmh: difference(from.speed_kmh, to.speed_kmh),
            };
            found.push((key, more));
        }
    }
    // The sort is stable: equal ones stay in the order of their keys.
    found.sort_by(|(_, a), (_, b)| {
        let delay = b.delay_veh_h.abs().total_cmp(&a.delay_veh_h.abs());
        delay.then(b.vehicle_km.abs().total_cmp(&a.vehicle_km.abs()))
    });
    found
}

fn cells(first: &Outcome, second: &Outcome) -> Vec<CellDifference> {
    let of = |outcome: &Outcome| sums(outcome, &outcome.cells, |interval| &interval.cells);
    let rows = places(of(first), of(second)).into_iter();
    rows.map(|(cell, PlaceFigures { vehicle_km, vehicle_h, delay_veh_h, speed_kmh, .. })| {
        CellDifference { cell, vehicle_km, vehicle_h, delay_veh_h, speed_kmh }
    })
    .collect()
}

fn zones(first: &Outcome, second: &Outcome) -> Vec<ZoneDifference> {
    let of = |outcome: &Outcome| sums(outcome, &outcome.zones, |interval| &interval.zones);
    let rows = places(of(first), of(second)).into_iter();
    rows.map(|(zone, PlaceFigures { vehicle_km, vehicle_h, delay_veh_h, speed_kmh, .. })| {
        ZoneDifference { zone, vehicle_km, vehicle_h, delay_veh_h, speed_kmh }
    })
    .collect()
}

fn journeys(first: &Outcome, second: &Outcome) -> Vec<JourneyDifference> {
    let of = |outcome: &Outcome| {
        let mean = |one: &JourneyTimes| {
            ((one.from.clone(), one.to.clone()), journey_mean(&outcome.intervals, one))
        };
        outcome.journeys.iter().map(mean).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for ((from, to), pair) in joined(of(first).into_iter(), of(second).into_iter()) {
        if let (Some(first), Some(second)) = pair {
            let seconds = difference(first.seconds, second.seconds);
            found.push(JourneyDifference { from, to, first, second, seconds });
        }
    }
    // The sort is stable: equal ones stay in the order of their keys.
    found.sort_by(|a, b| {
        let size = |one: &JourneyDifference| one.seconds.map_or(-1.0, f64::abs);
        let cut = |one: &JourneyDifference| (one.second.cut_share - one.first.cut_share).abs();
        size(b).total_cmp(&size(a)).then(cut(b).total_cmp(&cut(a)))
    });
    found
}

fn journey_mean(intervals: &[Interval], journey: &JourneyTimes) -> JourneyMean {
    let (mut sum, mut with, mut all) = (0.0, 0.0, 0.0);
    for (interval, seconds) in intervals.iter().zip(&journey.seconds) {
        let time_s = interval.until_s - interval.from_s;
        all += time_s;
        if let Some(seconds) = seconds {
            sum += seconds * time_s;
            with += time_s;
        }
    }
    JourneyMean {
        seconds: (with > 0.0).then(|| sum / with),
        cut_share: if all > 0.0 { 1.0 - with / all } else { 0.0 },
    }
}

fn difference(from: Option<f64>, to: Option<f64>) -> Option<f64> {
    from.zip(to).map(|(from, to)| to - from)
}

fn totals(from: &Totals, to: &Totals) -> Totals {
    Totals {
        initial_veh: to.initial_veh - from.initial_veh,
        demanded_veh: to.demanded_veh - from.demanded_veh,
        entered_veh: to.entered_veh - from.entered_veh,
        unserved_veh: to.unserved_veh - from.unserved_veh,
        left_veh: to.left_veh - from.left_veh,
        present_veh: to.present_veh - from.present_veh,
        vehicle_km: to.vehicle_km - from.vehicle_km,
        vehicle_h: to.vehicle_h - from.vehicle_h,
        delay_veh_h: to.delay_veh_h - from.delay_veh_h,
        waited_veh_h: to.waited_veh_h - from.waited_veh_h,
        speed_kmh: difference(from.speed_kmh, to.speed_kmh),
        by_class: to.by_class.less(&from.by_class),
    }
}
