//! From a scenario to its outcome: on a thread of the desk, from files to a file. The twin is not
//! asked for anything.

use std::sync::Arc;

use citytwin_core::scenario;
use citytwin_core::time::Epoch;
use citytwin_core::traffic::start::{CalibrationSettings, DemandError, Start};
use parking_lot::Mutex;

use super::error::PlannerError;
use super::planned::Planned;
use super::roads::Roads;
use super::run::{Job, Running, Stage};
use super::store::{Store, Stored};
use super::{Id, Planner};

/// A run: there is an outcome already, or there will be.
#[derive(Debug)]
pub enum Run {
    /// It was run before.
    Kept(Box<Finished>),
    /// It goes on.
    Running(Running<Box<Finished>>),
}

/// The end of a run.
#[derive(Debug)]
pub struct Finished {
    /// Name of the scenario, for people.
    pub name: String,
    /// What came of it.
    pub stored: Stored,
    /// Hash of the bytes that were stored before, where it was run again.
    pub before: Option<String>,
}

impl Planner {
    /// Runs a scenario, or gives what came of it. `reproduce` runs it again from its start, and
    /// keeps what was stored.
    ///
    /// # Errors
    /// When there is no such scenario, too many runs wait, or there is nothing to reproduce.
    pub fn run(&self, given: &str, reproduce: bool) -> Result<Run, PlannerError> {
        let planned = self.scenario(given)?;
        let kept = self.store.outcome(&planned.id)?;
        let before = match (kept, reproduce) {
            (Some(stored), false) => {
                let name = planned.scenario.name.clone();
                return Ok(Run::Kept(Box::new(Finished { name, stored, before: None })));
            }
            (Some(stored), true) => Some(stored.sha256),
            (None, true) => return Err(PlannerError::NoOutcome(planned.id.to_string())),
            (None, false) => None,
        };
        let work = Work {
            store: self.store.clone(),
            roads: self.roads_of(&planned.network)?,
            planned,
            before,
            estimates: self.estimates.clone(),
        };
        let running = self.desk.run(move |job| work.execute(job))?;
        Ok(Run::Running(running))
    }
}

/// The start that was estimated last: a scenario and the city without its edits are run one after
/// the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Estimates(Arc<Mutex<Option<Estimate>>>);

type Estimate = (Wanted, Arc<Start>);

/// Which start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    network: Id,
    epoch: Epoch,
    /// With estimated trips, where those can be.
    trips: bool,
}

impl Estimates {
    fn find(&self, wanted: &Wanted) -> Option<Arc<Start>> {
        let last = self.0.lock();
        let (of, start) = last.as_ref()?;
        (of == wanted).then(|| Arc::clone(start))
    }

    fn keep(&self, wanted: Wanted, start: &Arc<Start>) {
        *self.0.lock() = Some((wanted, Arc::clone(start)));
    }
}

/// All that a run needs.
struct Work {
    store: Store,
    roads: Arc<Roads>,
    planned: Planned,
    before: Option<String>,
    estimates: Estimates,
}

impl Work {
    fn execute(self, job: &Job) -> Result<Box<Finished>, PlannerError> {
        let start = self.start(job)?;
        let Work { store, roads, planned, before, .. } = self;
        let outcome = scenario::run(&roads.network, &start, &planned.scenario, |progress| {
            let stage = match progress.stage {
                scenario::Stage::Estimating => Stage::Estimating,
                scenario::Stage::Running => Stage::Running,
            };
            job.tell(stage, progress.done)
        });
        let (stored, bytes) = Stored::encode(outcome?);
        if before.is_none() {
            store.put_outcome(&planned.id, &bytes)?;
        }
        Ok(Box::new(Finished { name: planned.scenario.name, stored, before }))
    }

    /// The traffic that it is laid on; with trips, where those are to be estimated and can be. Where
    /// they cannot, the run says so itself.
    fn start(&self, job: &Job) -> Result<Arc<Start>, PlannerError> {
        let demand = &self.planned.scenario.demand;
        let wanted = Wanted {
            network: self.roads.id.clone(),
            epoch: self.planned.base.epoch,
            trips: demand.estimate && demand.trips.is_empty(),
        };
        let again = self.before.is_some();
        if let Some(start) = self.estimates.find(&wanted).filter(|_| !again) {
            return Ok(start);
        }
        let base = self.store.base(&wanted.network, wanted.epoch)?;
        let gone = || format!("the base of scenario {} is gone", self.planned.id);
        let base = base.ok_or_else(|| PlannerError::BrokeOff(gone()))?;
        let network = &self.roads.network;
        let mut start = base.start(network, &mut || job.tell(Stage::Estimating, 0.0))?;
        if wanted.trips {
            let settings = CalibrationSettings::default();
            let tell = |done| job.tell(Stage::Estimating, done);
            match start.with_estimated_demand(network, settings, tell) {
                Ok((with_trips, _)) => start = with_trips,
                Err(DemandError::Cancelled) => return Err(PlannerError::Cancelled),
                Err(_) => {}
            }
        }
        let start = Arc::new(start);
        self.estimates.keep(wanted, &start);
        Ok(start)
    }
}
