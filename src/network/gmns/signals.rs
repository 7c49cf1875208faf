//! Fixed-time plans in GMNS: plan, phase and movement are three tables, and the node is only known
//! by the movements.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use citytwin_core::road::{DraftPhase, DraftSignal};

use super::super::Notes;
use super::table::{Row, Table, TableError};

/// Reads the plans: of each controller the first, split by node where it rules several.
pub(super) fn read(
    folder: &Path,
    movements: &Table,
    notes: &mut Notes,
) -> Result<Vec<DraftSignal>, TableError> {
    let tables = (
        Table::read(folder, "signal_timing_plan.csv")?,
        Table::read(folder, "signal_timing_phase.csv")?,
        Table::read(folder, "signal_phase_mvmt.csv")?,
    );
    let (Some(plans), Some(phases), Some(released)) = tables else { return Ok(Vec::new()) };
    let offsets = offsets(folder)?;
    let phases = by_text(&phases, "timing_plan_id");
    let released = by_text(&released, "timing_phase_id");
    let movement: BTreeMap<&str, Row<'_>> =
        movements.rows().map(|row| (row.text("mvmt_id"), row)).collect();
    let mut signals = Vec::new();
    let mut seen = BTreeSet::new();
    for plan in plans.rows() {
        let id = plan.text("timing_plan_id");
        if !seen.insert(plan.text("controller_id")) {
            notes.add("signal plans left out: not the first of their controller", 1);
            continue;
        }
        let mut own = phases.get(id).cloned().unwrap_or_default();
        let places: Vec<_> = own
            .iter()
            .map(|phase| Ok((phase.count("ring")?, phase.count("position")?)))
            .collect::<Result<_, TableError>>()?;
        let mut order: Vec<usize> = (0..own.len()).collect();
        order.sort_by_key(|at| places[*at]);
        own = order.into_iter().map(|at| own[at]).collect();
        let mut found: BTreeMap<&str, Vec<DraftPhase>> = BTreeMap::new();
        for (at, phase) in own.iter().enumerate() {
            let rows = released.get(phase.text("timing_phase_id")).into_iter().flatten();
            for one in rows.filter_map(|row| movement.get(row.text("mvmt_id"))) {
                let own_phases = found.entry(one.text("node_id")).or_default();
                while own_phases.len() < own.len() {
                    own_phases.push(empty(&own[own_phases.len()])?);
                }
                let (from, to) = (one.text("ib_link_id"), one.text("ob_link_id"));
                own_phases[at].releases.push((from.to_owned(), Some(to.to_owned())));
            }
        }
        let cycle_s = plan.number("cycle_length")?.unwrap_or(f64::NAN);
        let start_s = offsets.get(id).copied().unwrap_or_default();
        signals.extend(found.into_iter().map(|(node, phases)| DraftSignal {
            junction: node.to_owned(),
            cycle_s,
            offset_s: start_s,
            phases,
        }));
    }
    Ok(signals)
}

/// The rows of a table by the text of one of its columns, in their order.
fn by_text<'a>(table: &'a Table, column: &str) -> BTreeMap<&'a str, Vec<Row<'a>>> {
    let mut rows: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for row in table.rows() {
        rows.entry(row.text(column)).or_default().push(row);
    }
    rows
}

fn offsets(folder: &Path) -> Result<BTreeMap<String, f64>, TableError> {
    let Some(table) = Table::read(folder, "signal_coordination.csv")? else {
        return Ok(BTreeMap::new());
    };
    let one = |row: Row<'_>| {
        let offset = row.number("offset")?.unwrap_or_default();
        Ok((row.text("timing_plan_id").to_owned(), offset))
    };
    table.rows().map(one).collect()
}

fn empty(phase: &Row<'_>) -> Result<DraftPhase, TableError> {
    let ring = phase.parsed("ring", "a number from 0 to 12", |text| text.parse().ok())?;
    Ok(DraftPhase {
        ring: ring.unwrap_or(1),
        green_s: phase.number("min_green")?.unwrap_or(f64::NAN),
        clearance_s: phase.number("clearance")?.unwrap_or_default(),
        releases: Vec::new(),
    })
}
