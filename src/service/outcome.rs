//! Outcomes and what differs between two, from the domain to the wire, by hand. Nothing is decided
//! here.

use std::fmt::Display;

use citytwin_core::road::Network;
use citytwin_core::scenario::{
    ByClass, CellDifference, Comparison, Found, Interval, JourneyDifference, LinkDifference,
    LinkUsers, Outcome, PlaceFigures, Totals, ZoneDifference,
};
use citytwin_core::time::{Epoch, EventTime};
use citytwin_core::traffic::start::{Fit, Source};
use citytwin_proto::v1;

use super::wire;

/// Rows of one message: some hundred kilobytes.
const ROWS: usize = 4_000;

/// An outcome as a whole. `name` is that of its scenario, `sha256` of its stored bytes.
pub fn outcome(outcome: &Outcome, name: &str, sha256: &str) -> v1::Outcome {
    let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
    v1::Outcome {
        id: outcome.id.to_string(),
        name: name.to_owned(),
        model: outcome.model.name().to_owned(),
        base: outcome.base.epoch.map(|epoch| wire::as_of_epoch(Epoch::new(epoch), EventTime::MIN)),
        horizon_s: outcome.horizon_s,
        quality: outcome.quality,
        totals: Some(totals(&outcome.totals)),
        classes: classes(&outcome.totals.by_class),
        journeys: outcome
            .journeys
            .iter()
            .map(|one| v1::JourneyTimes {
                from: one.from.to_string(),
                to: one.to.to_string(),
                seconds: one.seconds.iter().map(|time| time.unwrap_or(-1.0)).collect(),
            })
            .collect(),
        through: outcome.through.iter().map(through).collect(),
        estimated: outcome.demand_fit.as_ref().map(|demand| v1::EstimatedDemand {
            used: Some(fit(&demand.used)),
            held_out: Some(fit(&demand.held_out)),
        }),
        notes: outcome.notes.iter().map(ToString::to_string).collect(),
        links: count(outcome.links.len()),
        cells: count(outcome.cells.len()),
        zones: count(outcome.zones.len()),
        intervals: outcome.intervals.iter().map(span).collect(),
        sha256: sha256.to_owned(),
    }
}

const fn span(interval: &Interval) -> v1::TimeSpan {
    v1::TimeSpan { from_s: interval.from_s, until_s: interval.until_s }
}

/// Sums.
pub fn totals(totals: &Totals) -> v1::Totals {
    v1::Totals {
        initial_veh: totals.initial_veh,
        demanded_veh: totals.demanded_veh,
        entered_veh: totals.entered_veh,
        unserved_veh: totals.unserved_veh,
        left_veh: totals.left_veh,
        present_veh: totals.present_veh,
        vehicle_km: totals.vehicle_km,
        vehicle_h: totals.vehicle_h,
        delay_veh_h: totals.delay_veh_h,
        waited_veh_h: totals.waited_veh_h,
        speed_kmh: totals.speed_kmh,
    }
}

fn classes(totals: &ByClass) -> Vec<v1::ClassTotals> {
    let ByClass { motorcycle, car, bus, truck } = totals;
    [("motorcycle", motorcycle), ("car", car), ("bus", bus), ("truck", truck)]
        .map(|(class, totals)| v1::ClassTotals {
            class: class.to_owned(),
            vehicle_km: totals.vehicle_km,
            vehicle_h: totals.vehicle_h,
        })
        .to_vec()
}

fn through(users: &LinkUsers) -> v1::Through {
    let links = users
        .links
        .iter()
        .map(|one| v1::LinkFlow { link: one.key.to_string(), flow_pcu_h: one.flow_veh_h });
    let pairs = users.pairs.iter().map(|pair| v1::OdFlow {
        origin: pair.origin.to_string(),
        destination: pair.destination.to_string(),
        flow_pcu_h: pair.flow_veh_h,
    });
    v1::Through {
        link: users.key.to_string(),
        flow_pcu_h: users.flow_veh_h,
        links: links.collect(),
        pairs: pairs.collect(),
    }
}

/// How well flows agree with counts.
pub fn fit(fit: &Fit) -> v1::Fit {
    v1::Fit {
        counts: u32::try_from(fit.counts).unwrap_or(u32::MAX),
        geh_under_5_share: fit.geh_under_5_share,
        rms_error_pcu_h: fit.rms_error_veh_h,
        relative_error: fit.relative_error,
    }
}

/// The figures of an outcome, interval by interval, some thousand rows in each message.
pub fn figures<'a>(
    outcome: &'a Outcome,
    wanted: &v1::GetOutcomeRequest,
) -> impl Iterator<Item = v1::IntervalFigures> + use<'a> {
    let (links, cells, zones) = (wanted.links, wanted.cells, wanted.zones);
    outcome.intervals.iter().flat_map(move |interval| {
        let part = move || v1::IntervalFigures {
            interval: Some(span(interval)),
            ..v1::IntervalFigures::default()
        };
        let links = if links { interval.links.len() } else { 0 };
        let links = (0..links).step_by(ROWS).map(move |from| v1::IntervalFigures {
            links: link_figures(outcome, interval, from),
            ..part()
        });
        let cells: &[PlaceFigures] = if cells { &interval.cells } else { &[] };
        let cells = parts(cells).map(move |(from, rows)| v1::IntervalFigures {
            cells: places(&outcome.cells[from..], rows),
            ..part()
        });
        let zones: &[PlaceFigures] = if zones { &interval.zones } else { &[] };
        let zones = parts(zones).map(move |(from, rows)| v1::IntervalFigures {
            zones: places(&outcome.zones[from..], rows),
            ..part()
        });
        links.chain(cells).chain(zones)
    })
}

fn parts<T>(rows: &[T]) -> impl Iterator<Item = (usize, &[T])> {
    rows.chunks(ROWS).enumerate().map(|(part, rows)| (part * ROWS, rows))
}

fn link_figures(outcome: &Outcome, interval: &Interval, from: usize) -> Vec<v1::LinkFigures> {
    let rows = outcome.links.iter().zip(&interval.links).skip(from).take(ROWS);
    rows.map(|(link, row)| v1::LinkFigures {
        link: link.key.to_string(),
        entered_veh_h: row.entered_veh_h,
        flow_veh_h: row.flow_veh_h,
        speed_kmh: row.speed_kmh,
        density_veh_km: row.density_veh_km,
        queue_veh: row.queue_veh,
        delay_veh_h: row.delay_veh_h,
        measured: link.source == Source::Measured,
        quality: link.quality,
    })
    .collect()
}

fn places(keys: &[impl Display], rows: &[PlaceFigures]) -> Vec<v1::PlaceFigures> {
    let row = |(key, row): (&_, &PlaceFigures)| v1::PlaceFigures {
        key: ToString::to_string(key),
        vehicle_km: row.vehicle_km,
        vehicle_h: row.vehicle_h,
        delay_veh_h: row.delay_veh_h,
        queue_veh: row.queue_veh,
        speed_kmh: row.speed_kmh,
    };
    keys.iter().zip(rows).map(row).collect()
}

/// What differs, the first `limit` rows of each kind. Names of links are those of `network`.
pub fn comparison(
    (first, second): (&Outcome, &Outcome),
    comparison: &Comparison,
    network: &Network,
    limit: usize,
) -> v1::CompareOutcomesResponse {
    v1::CompareOutcomesResponse {
        first: Some(totals(&first.totals)),
        second: Some(totals(&second.totals)),
        difference: Some(totals(&comparison.totals)),
        links: comparison.links.iter().take(limit).map(|one| link(one, network)).collect(),
        cells: comparison.cells.iter().take(limit).map(cell).collect(),
        zones: comparison.zones.iter().take(limit).map(zone).collect(),
        journeys: comparison.journeys.iter().map(journey).collect(),
        links_changed: u32::try_from(comparison.links.len()).unwrap_or(u32::MAX),
    }
}

fn link(one: &LinkDifference, network: &Network) -> v1::LinkDifference {
    let known = network.find_link(one.key.as_str());
    let found = match one.found {
        Found::Both => "both",
        Found::First => "first",
        Found::Second => "second",
    };
    v1::LinkDifference {
        link: one.key.to_string(),
        name: known.map(|link| network.link(link).name().to_owned()).unwrap_or_default(),
        found: found.to_owned(),
        flow_veh_h: one.flow_veh_h,
        speed_kmh: one.speed_kmh,
        density_veh_km: one.density_veh_km,
        queue_veh: one.queue_veh,
        delay_veh_h: one.delay_veh_h,
    }
}

fn cell(one: &CellDifference) -> v1::PlaceDifference {
    v1::PlaceDifference {
        key: one.cell.to_string(),
        vehicle_km: one.vehicle_km,
        vehicle_h: one.vehicle_h,
        delay_veh_h: one.delay_veh_h,
        speed_kmh: one.speed_kmh,
    }
}

fn zone(one: &ZoneDifference) -> v1::PlaceDifference {
    v1::PlaceDifference {
        key: one.zone.to_string(),
        vehicle_km: one.vehicle_km,
        vehicle_h: one.vehicle_h,
        delay_veh_h: one.delay_veh_h,
        speed_kmh: one.speed_kmh,
    }
}

fn journey(one: &JourneyDifference) -> v1::JourneyDifference {
    v1::JourneyDifference {
        from: one.from.to_string(),
        to: one.to.to_string(),
        first_s: one.first.seconds,
        second_s: one.second.seconds,
        first_cut_share: one.first.cut_share,
        second_cut_share: one.second.cut_share,
    }
}
