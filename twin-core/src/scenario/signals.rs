//! Signal plans under edits: the new plan of a junction. What a plan does to traffic is told in
//! [`crate::traffic::roads`].

use super::edit::{PhaseTimes, SignalTimes};
use super::fault::What;
use super::resolve::Faults;
use crate::road::{JunctionIndex, Network, Phase, Release, SignalPlan};

/// The plan an edit makes of a junction's.
pub(super) fn edited(
    network: &Network,
    edit: &SignalTimes,
    faults: &mut Faults,
) -> Option<(JunctionIndex, SignalPlan)> {
    let Some(junction) = network.find_junction(&edit.junction) else {
        faults.put(".junction", What::NoJunction(edit.junction.clone()));
        return None;
    };
    let (cycle_s, offset_s, phases) = if edit.phases.is_empty() {
        let Some(old) = network.signal_plan(junction) else {
            faults.put("", What::NoSignal);
            return None;
        };
        let cycle_s = edit.cycle_s.unwrap_or(old.cycle_s());
        let offset_s = edit.offset_s.unwrap_or_else(|| old.offset_s().rem_euclid(cycle_s));
        (cycle_s, offset_s, retimed(&old, cycle_s, &edit.greens_s, faults)?)
    } else {
        let Some(cycle_s) = edit.cycle_s else {
            faults.put(".cycle_s", What::Needs("to be given with phases"));
            return None;
        };
        let phases = edit.phases.iter().enumerate();
        let phases: Option<Vec<Phase>> =
            phases.map(|(row, phase)| new_phase(network, junction, (row, phase), faults)).collect();
        (cycle_s, edit.offset_s.unwrap_or(0.0), phases?)
    };
    match SignalPlan::new(cycle_s, offset_s, phases) {
        Ok(plan) => Some((junction, plan)),
        Err(error) => {
            faults.put("", What::Signal(error));
            None
        }
    }
}

/// The phases of a plan with other greens.
fn retimed(
    old: &SignalPlan,
    cycle_s: f64,
    greens_s: &[f64],
    faults: &mut Faults,
) -> Option<Vec<Phase>> {
    let mut phases = old.phases().to_vec();
    if greens_s.is_empty() {
        for phase in &mut phases {
            let own = old.phases().iter().filter(|other| other.ring == phase.ring);
            let cleared_s: f64 = own.map(|other| other.clearance_s).sum();
            phase.green_s *= (cycle_s - cleared_s) / (old.cycle_s() - cleared_s);
        }
        return Some(phases);
    }
    if greens_s.len() != phases.len() {
        faults.put(".greens_s", What::Greens { given: greens_s.len(), phases: phases.len() });
        return None;
    }
    for (phase, green_s) in phases.iter_mut().zip(greens_s) {
        phase.green_s = *green_s;
    }
    Some(phases)
}

fn new_phase(
    network: &Network,
    junction: JunctionIndex,
    (row, phase): (usize, &PhaseTimes),
    faults: &mut Faults,
) -> Option<Phase> {
    let mut releases = Vec::with_capacity(phase.releases.len());
    for (number, release) in phase.releases.iter().enumerate() {
        let field = format!(".phases[{row}].releases[{number}]");
        let mut link = |key: &str, end: &str| {
            let found = network.find_link(key);
            if found.is_none() {
                faults.put(&format!("{field}.{end}"), What::NoLink(key.to_owned()));
            }
            found
        };
        let from = link(&release.from, "from");
        let to = match &release.to {
            Some(key) => link(key, "to").map(Some),
            None => Some(None),
        };
        let (from, to) = (from?, to?);
        if network.link(from).to() != junction {
            faults.put(&format!("{field}.from"), What::Needs("a link that ends at the junction"));
            return None;
        }
        releases.push(Release { from, to });
    }
    let PhaseTimes { ring, green_s, clearance_s, .. } = *phase;
    Some(Phase { ring, green_s, clearance_s, releases })
}
