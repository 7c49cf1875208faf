//! The planners' room: what if? It forks the living city, keeps networks, scenarios and outcomes,
//! and runs the models on threads of its own.
//!
//! ```text
//! Scenario ─► create     base: newest snapshot, one kept, or a checkpoint   base.rs, roads.rs
//!                │       does every edit fit?                                citytwin_core::scenario
//!                ▼
//!            Planned     id = hash(network, measurements, scenario, model)   planned.rs, id.rs
//!                ▼
//!             run        queue ─► a thread ─► start ─► model ─► outcome      run.rs, execute.rs
//!                ▼
//!            Stored      asked again: the same bytes                         store.rs, file.rs
//! ```
//!
//! The city is only read: an `Arc<Snapshot>` is held while its measurements are taken, nothing else.
//! What must not live here: wire types, models.

mod base;
mod calibrate;
mod error;
mod execute;
mod file;
mod id;
mod planned;
mod roads;
mod run;
mod store;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use citytwin_core::road::Network;
use citytwin_core::scenario::{Comparison, Fault, OutcomeId, Scenario, compare};
use citytwin_core::time::Epoch;
use citytwin_core::twin::Snapshot;
use citytwin_ingest::archive;
use parking_lot::Mutex;

pub use base::{Base, BaseState};
pub use calibrate::Estimated;
pub use error::PlannerError;
pub use execute::{Finished, Run};
pub use id::{Id, IdError};
pub use planned::Planned;
pub use roads::Roads;
pub use run::{Progress, Running, Stage, Step};
pub use store::{Store, Stored};

use crate::history::{History, Moment};
use crate::service::City;

/// Runs that may wait for a thread.
const MAX_WAITING: usize = 16;

/// The room.
#[derive(Debug)]
pub struct Planner {
    city: Arc<City>,
    data: PathBuf,
    store: Store,
    current: ArcSwapOption<Roads>,
    /// Another network that was asked for last.
    other: Mutex<Option<Arc<Roads>>>,
    desk: run::Desk,
    estimates: execute::Estimates,
    history: Option<Arc<History>>,
}

/// How a scenario is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Only look whether it fits.
    pub validate_only: bool,
    /// Leave out edits that do not fit.
    pub skip_unfit: bool,
}

impl Planner {
    /// Of a city, in its data folder. `network` is made the current one; without, the one that was
    /// current last is. `threads` runs go on at once.
    ///
    /// # Errors
    /// When a network cannot be read.
    pub fn open(
        city: Arc<City>,
        data: &Path,
        network: Option<Network>,
        threads: usize,
    ) -> Result<Planner, PlannerError> {
        let planner = Planner {
            city,
            data: data.to_owned(),
            store: Store::new(data),
            current: ArcSwapOption::empty(),
            other: Mutex::default(),
            desk: run::Desk::new(threads, MAX_WAITING),
            estimates: execute::Estimates::default(),
            history: None,
        };
        match network {
            Some(network) => drop(planner.adopt(network)?),
            None => {
                if let Some(id) = planner.store.current()? {
                    let network = planner.store.network(&id)?;
                    planner.current.store(Some(Arc::new(Roads::new(network))));
                }
            }
        }
        Ok(planner)
    }

    /// The same with a past: any epoch that the archive reaches back to can be a base.
    #[must_use]
    pub fn with_history(self, history: Arc<History>) -> Planner {
        Planner { history: Some(history), ..self }
    }

    /// The city.
    pub fn city(&self) -> &Arc<City> {
        &self.city
    }

    // ---------------------------------------------------------------- networks

    /// Keeps a network and makes it the current one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn adopt(&self, network: Network) -> Result<Arc<Roads>, PlannerError> {
        let roads = Arc::new(Roads::new(network));
        self.store.put_network(&roads.id, &roads.network)?;
        self.store.set_current(&roads.id)?;
        self.current.store(Some(Arc::clone(&roads)));
        Ok(roads)
    }

    /// The current network.
    ///
    /// # Errors
    /// When there is none.
    pub fn current(&self) -> Result<Arc<Roads>, PlannerError> {
        self.current.load_full().ok_or(PlannerError::NoNetwork)
    }

    /// A network by its first digits; the current one where there are none.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn roads(&self, given: &str) -> Result<Arc<Roads>, PlannerError> {
        if given.is_empty() {
            return self.current();
        }
        let all = self.store.networks()?;
        self.roads_of(&Id::find(given, "network", all.into_iter())?)
    }

    fn roads_of(&self, id: &Id) -> Result<Arc<Roads>, PlannerError> {
        let is_it = |roads: &Arc<Roads>| roads.id == *id;
        if let Some(roads) = self.current.load_full().filter(is_it) {
            return Ok(roads);
        }
        if let Some(roads) = self.other.lock().clone().filter(is_it) {
            return Ok(roads);
        }
        let roads = Arc::new(Roads::new(self.store.network(id)?));
        *self.other.lock() = Some(Arc::clone(&roads));
        Ok(roads)
    }

    /// All networks, the current one first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn networks(&self) -> Result<Vec<Arc<Roads>>, PlannerError> {
        let mut all = Vec::new();
        for id in self.store.networks()? {
            all.push(self.roads_of(&id)?);
        }
        all.sort_by_key(|roads| !self.is_current(&roads.id));
        Ok(all)
    }

    /// Whether a network is the current one.
    pub fn is_current(&self, id: &Id) -> bool {
        self.current.load().as_ref().is_some_and(|current| current.id == *id)
    }

    /// Forgets a network.
    ///
    /// # Errors
    /// When it is the current one, or scenarios are laid on it.
    pub fn delete_network(&self, given: &str) -> Result<(), PlannerError> {
        let id = Id::find(given, "network", self.store.networks()?.into_iter())?;
        if self.is_current(&id) {
            return Err(PlannerError::InUse(format!("network {id} is the current one")));
        }
        let on_it = self.scenarios()?.iter().filter(|one| one.network == id).count();
        if on_it > 0 {
            return Err(PlannerError::InUse(format!("{on_it} scenarios are laid on network {id}")));
        }
        self.store.delete_network(&id)
    }

    // ---------------------------------------------------------------- scenarios

    /// Looks whether a scenario fits, fixes its base, keeps it. The same one again is the same.
    ///
    /// # Errors
    /// When it does not fit, or its base is not at hand.
    pub fn create(
        &self,
        mut scenario: Scenario,
        options: CreateOptions,
    ) -> Result<Planned, PlannerError> {
        let roads = self.current()?;
        let mut left_out: Vec<Fault> = Vec::new();
        let mut faults = scenario.check(&roads.network);
        if options.skip_unfit && faults.iter().any(|fault| fault.edit.is_some()) {
            scenario = scenario.without(&faults);
            left_out = std::mem::take(&mut faults);
            left_out.retain(|fault| fault.edit.is_some());
            faults = scenario.check(&roads.network);
        }
        if !faults.is_empty() {
            return Err(PlannerError::Faults(faults));
        }
        let base = self.base(&roads, scenario.base.epoch.map(Epoch::new))?;
        scenario.base.epoch = Some(base.state.epoch.number());
        let planned = Planned {
            id: Id::of(&OutcomeId::before_estimate(&roads.network, &base.origin(), &scenario)),
            network: roads.id.clone(),
            scenario,
            created: self.city.now(),
            base: base.state,
            left_out: left_out
                .iter()
                .map(|one| (one.field.clone(), one.what.to_string()))
                .collect(),
        };
        if options.validate_only {
            return Ok(planned);
        }
        if let Some(kept) = self.store.planned(&planned.id)? {
            return Ok(kept);
        }
        self.store.put_base(&roads.id, &base)?;
        self.store.put_planned(&planned)?;
        Ok(planned)
    }

    /// What was measured as it was known in an epoch; of the newest snapshot where none is named. Waits
    /// for history, so it is not to be called on a task.
    fn base(&self, roads: &Roads, wanted: Option<Epoch>) -> Result<Base, PlannerError> {
        let newest: Arc<Snapshot> = self.city.snapshot();
        let wanted = wanted.unwrap_or(newest.epoch);
        if let Some(base) = self.store.base(&roads.id, wanted)? {
            return Ok(base);
        }
        if newest.epoch == wanted {
            return Ok(Base::of(&newest, roads));
        }
        if let Some(state) = archive::checkpoint_at(&self.data, wanted)? {
            return Ok(Base::of(state.snapshot(), roads));
        }
        match &self.history {
            Some(history) if wanted < newest.epoch => {
                let moment = Moment { known_at: Some(wanted), ..Moment::default() };
                let past = tokio::runtime::Handle::current().block_on(async {
                    history.reach(wanted).await?;
                    history.as_of(moment).await
                });
                Ok(Base::of(&past.map_err(PlannerError::Past)?.snapshot, roads))
            }
            Some(_) | None => Err(PlannerError::BaseGone { wanted, newest: newest.epoch }),
        }
    }

    /// A scenario by its first digits.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn scenario(&self, given: &str) -> Result<Planned, PlannerError> {
        let id = Id::find(given, "scenario", self.store.scenarios()?.into_iter())?;
        let planned = self.store.planned(&id)?;
        planned.ok_or_else(|| PlannerError::BrokeOff(format!("scenario {id} is half deleted")))
    }

    /// All scenarios, newest first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn scenarios(&self) -> Result<Vec<Planned>, PlannerError> {
        let mut all = Vec::new();
        for id in self.store.scenarios()? {
            all.extend(self.store.planned(&id)?);
        }
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// Forgets a scenario, its outcome, and its start if nothing else is laid on that.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub fn delete_scenario(&self, given: &str) -> Result<(), PlannerError> {
        let planned = self.scenario(given)?;
        self.store.delete_scenario(&planned.id)?;
        let same = |other: &Planned| {
            other.network == planned.network && other.base.epoch == planned.base.epoch
        };
        if self.scenarios()?.iter().any(same) {
            return Ok(());
        }
        self.store.delete_base(&planned.network, planned.base.epoch)
    }

    /// Whether a scenario was run.
    pub fn has_outcome(&self, planned: &Planned) -> bool {
        self.store.has_outcome(&planned.id)
    }

    /// What came of a scenario.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn outcome(&self, given: &str) -> Result<(Planned, Stored), PlannerError> {
        let planned = self.scenario(given)?;
        let stored = self.store.outcome(&planned.id)?;
        let stored = stored.ok_or_else(|| PlannerError::NoOutcome(planned.id.to_string()))?;
        Ok((planned, stored))
    }

    /// The second outcome less the first.
    ///
    /// # Errors
    /// When one is missing, or they look ahead differently far.
    pub fn compare(
        &self,
        first: &str,
        second: &str,
    ) -> Result<(Stored, Stored, Comparison), PlannerError> {
        let (_, first) = self.outcome(first)?;
        let (_, second) = self.outcome(second)?;
        let comparison = compare(&first.outcome, &second.outcome)?;
        Ok((first, second, comparison))
    }
}
