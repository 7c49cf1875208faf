//! Scenarios and outcomes for people: one function a message, nothing asked and nothing decided.

use citytwin_proto::v1;

use crate::cli::failure::Failure;
use crate::cli::output::Screen;
use crate::cli::show::{as_of, number, time};

/// Digits of an id that people see.
const SHORT: usize = 12;

/// The first digits of an id.
pub(super) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// `laid on …; 61 % of its links measured, …`.
pub(in crate::cli) fn base(base: Option<&v1::BaseState>) -> String {
    let Some(base) = base else { return String::new() };
    let links = f64::from((base.links_measured + base.links_estimated).max(1));
    format!(
        "{}; {:.0} % of the links measured ({} sensors used, {} not live, {} without a link), \
         quality {:.2}",
        as_of(base.as_of.as_ref()),
        100.0 * f64::from(base.links_measured) / links,
        base.sensors_used,
        base.sensors_left_out,
        base.sensors_unmatched,
        base.quality
    )
}

/// A scenario and what it is laid on.
pub(super) fn planned(planned: &v1::PlannedScenario, screen: &mut Screen) -> Result<(), Failure> {
    let scenario = planned.scenario.clone().unwrap_or_default();
    screen.line(&scenario.name)?;
    screen.facts(&[
        ("  id", planned.id.clone()),
        ("  network", short(&planned.network).to_owned()),
        ("  base", base(planned.base.as_ref())),
        ("  model", model(&scenario)),
        ("  edits", scenario.edits.len().to_string()),
        ("  made", time(planned.create_time.as_ref())),
    ])?;
    for unfit in &planned.left_out {
        screen.line(format_args!("  left out: {}: {}", unfit.field, unfit.reason))?;
    }
    Ok(())
}

fn model(scenario: &v1::Scenario) -> String {
    format!("{}, {} ahead", scenario.model, span(scenario.horizon_s))
}

fn span(seconds: f64) -> String {
    format!("{} min", number(seconds / 60.0))
}

/// All scenarios.
pub(super) fn list(all: &v1::ListScenariosResponse, screen: &mut Screen) -> Result<(), Failure> {
    let rows = all.scenarios.iter().map(|planned| {
        let scenario = planned.scenario.clone().unwrap_or_default();
        let as_of = planned.base.and_then(|base| base.as_of);
        vec![
            short(&planned.id).to_owned(),
            scenario.name.clone(),
            model(&scenario),
            scenario.edits.len().to_string(),
            time(as_of.and_then(|as_of| as_of.arrival_time).as_ref()),
            if planned.has_outcome { "yes" } else { "no" }.to_owned(),
        ]
    });
    let head = ["ID", "NAME", "MODEL", "EDITS", "LAID ON (UTC)", "OUTCOME"];
    screen.table(&head, rows.collect())?;
    if all.next_page_token.is_empty() {
        return Ok(());
    }
    screen.line("and more; --limit shows them")
}

/// What came of a scenario that stands alone.
pub(super) fn outcome(outcome: &v1::Outcome, screen: &mut Screen) -> Result<(), Failure> {
    let totals = outcome.totals.unwrap_or_default();
    let rows = measures().map(|measure| {
        vec![measure.name.to_owned(), told((measure.of)(&totals)), measure.unit.to_owned()]
    });
    screen.line("")?;
    screen.table(&["", "OUTCOME", ""], rows.collect())?;
    for journey in &outcome.journeys {
        let seconds: Vec<String> = journey.seconds.iter().map(|time| minutes(*time)).collect();
        screen.line(format_args!(
            "{} to {}: {} min",
            journey.from,
            journey.to,
            seconds.join(", ")
        ))?;
    }
    for through in &outcome.through {
        users(through, screen)?;
    }
    remarks(outcome, screen)
}

fn minutes(seconds: f64) -> String {
    if seconds < 0.0 { "no way".to_owned() } else { format!("{:.1}", seconds / 60.0) }
}

/// Who uses a link.
fn users(through: &v1::Through, screen: &mut Screen) -> Result<(), Failure> {
    screen.line(format_args!(
        "\n{:.0} pcu/h use link {}; most of them go",
        through.flow_pcu_h, through.link
    ))?;
    let mut pairs = through.pairs.clone();
    pairs.sort_by(|a, b| b.flow_pcu_h.total_cmp(&a.flow_pcu_h));
    let rows = pairs.iter().take(10).map(|pair| {
        vec![pair.origin.clone(), pair.destination.clone(), format!("{:.1}", pair.flow_pcu_h)]
    });
    screen.table(&["FROM", "TO", "PCU/H"], rows.collect())
}

/// What to know before believing it.
pub(super) fn remarks(outcome: &v1::Outcome, screen: &mut Screen) -> Result<(), Failure> {
    if let Some(demand) = &outcome.estimated {
        let (used, held_out) =
            (demand.used.unwrap_or_default(), demand.held_out.unwrap_or_default());
        screen.line(format_args!(
            "note: trips were estimated from {} measured links (GEH below 5 at {:.0} %); at {} it \
             was not shown, GEH is below 5 at {:.0} %",
            used.counts,
            100.0 * used.geh_under_5_share,
            held_out.counts,
            100.0 * held_out.geh_under_5_share
        ))?;
    }
    outcome.notes.iter().try_for_each(|note| screen.line(format_args!("note: {note}")))
}

/// A row of the table of totals.
struct Measure {
    name: &'static str,
    unit: &'static str,
    of: fn(&v1::Totals) -> Option<f64>,
}

fn measures() -> impl Iterator<Item = Measure> {
    let measure = |name, unit, of| Measure { name, unit, of };
    [
        measure("time on the roads", "vehicle h", |totals| Some(totals.vehicle_h)),
        measure("of it lost to delay", "vehicle h", |totals| Some(totals.delay_veh_h)),
        measure("waiting to enter", "vehicle h", |totals| Some(totals.waited_veh_h)),
        measure("distance driven", "vehicle km", |totals| Some(totals.vehicle_km)),
        measure("mean speed", "km/h", |totals| totals.speed_kmh),
        measure("not served", "vehicles", |totals| Some(totals.unserved_veh)),
    ]
    .into_iter()
}

fn told(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

/// A change, with its sign; nothing is `0.0`.
fn change(value: f64) -> String {
    if value.abs() < 0.05 { "0.0".to_owned() } else { format!("{value:+.1}") }
}

/// What differs between two outcomes.
pub(super) fn comparison(
    found: &v1::CompareOutcomesResponse,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let (first, second) = (found.first.unwrap_or_default(), found.second.unwrap_or_default());
    let rows = measures().map(|measure| {
        let (before, after) = ((measure.of)(&first), (measure.of)(&second));
        let difference = before.zip(after).map(|(before, after)| after - before);
        let share = before.zip(difference).filter(|(before, _)| before.abs() > 0.05);
        vec![
            measure.name.to_owned(),
            told(before),
            told(after),
            difference.map_or_else(|| "-".to_owned(), change),
            share.map_or_else(String::new, |(before, by)| format!("{:+.1} %", 100.0 * by / before)),
            measure.unit.to_owned(),
        ]
    });
    screen.line("")?;
    screen.table(&["", "BEFORE", "AFTER", "CHANGE", "", ""], rows.collect())?;
    links(found, screen)?;
    zones(found, screen)?;
    journeys(found, screen)
}

fn links(found: &v1::CompareOutcomesResponse, screen: &mut Screen) -> Result<(), Failure> {
    screen.line(format_args!("\nmost affected of {} links that differ", found.links_changed))?;
    let rows = found.links.iter().map(|link| {
        vec![
            link.link.clone(),
            link.name.clone(),
            change(link.delay_veh_h),
            change(link.flow_veh_h),
            change(link.speed_kmh),
            change(link.queue_veh),
        ]
    });
    let head = ["LINK", "STREET", "DELAY veh·h", "FLOW pcu/h", "SPEED km/h", "QUEUE veh"];
    screen.table(&head, rows.collect())
}

fn zones(found: &v1::CompareOutcomesResponse, screen: &mut Screen) -> Result<(), Failure> {
    if found.zones.is_empty() {
        return Ok(());
    }
    screen.line("\nmost affected zones")?;
    let rows = found.zones.iter().map(|zone| {
        vec![
            zone.key.clone(),
            change(zone.delay_veh_h),
            change(zone.vehicle_h),
            zone.speed_kmh.map_or_else(|| "-".to_owned(), change),
        ]
    });
    screen.table(&["ZONE", "DELAY veh·h", "TIME veh·h", "SPEED km/h"], rows.collect())
}

fn journeys(found: &v1::CompareOutcomesResponse, screen: &mut Screen) -> Result<(), Failure> {
    if found.journeys.is_empty() {
        return Ok(());
    }
    screen.line("\njourneys, minutes")?;
    let told = |seconds: Option<f64>, cut_share: f64| match seconds {
        None => "no way".to_owned(),
        Some(seconds) if cut_share > 0.0 => {
            format!("{:.1}, no way {:.0} % of the time", seconds / 60.0, 100.0 * cut_share)
        }
        Some(seconds) => format!("{:.1}", seconds / 60.0),
    };
    let rows = found.journeys.iter().map(|journey| {
        let by = journey.second_s.zip(journey.first_s).map(|(after, before)| after - before);
        vec![
            journey.from.clone(),
            journey.to.clone(),
            told(journey.first_s, journey.first_cut_share),
            told(journey.second_s, journey.second_cut_share),
            by.map_or_else(|| "-".to_owned(), |by| change(by / 60.0)),
        ]
    });
    screen.table(&["FROM", "TO", "BEFORE", "AFTER", "CHANGE"], rows.collect())
}

/// Several scenarios, a row each.
pub(super) fn batch(
    pairs: &[(&v1::Outcome, Option<&v1::Outcome>)],
    screen: &mut Screen,
) -> Result<(), Failure> {
    let rows = pairs.iter().map(|(outcome, baseline)| {
        let after = outcome.totals.unwrap_or_default();
        let before = baseline.and_then(|baseline| baseline.totals);
        let by = |of: fn(&v1::Totals) -> f64| {
            before.as_ref().map_or_else(|| "-".to_owned(), |before| change(of(&after) - of(before)))
        };
        vec![
            short(&outcome.id).to_owned(),
            outcome.name.clone(),
            format!("{:.1}", after.vehicle_h),
            by(|totals| totals.vehicle_h),
            by(|totals| totals.delay_veh_h),
            by(|totals| totals.speed_kmh.unwrap_or_default()),
            by(|totals| totals.unserved_veh),
        ]
    });
    let head =
        ["ID", "SCENARIO", "TIME veh·h", "CHANGE", "DELAY veh·h", "SPEED km/h", "NOT SERVED"];
    screen.table(&head, rows.collect())
}
